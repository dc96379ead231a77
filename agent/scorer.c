/* scorer.c - see scorer.h. */
#include "agent/scorer.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum { VERSION = 1, HIDDEN_MAX = 4096 };

size_t tn_scorer_n_params(uint32_t n_in, uint32_t n_hidden) {
    return n_in + (size_t)n_hidden * (n_in + 2);
}

/* The slab's parts. */
static double *part_u(const tn_scorer *s) {
    return s->params + s->n_in;
}
static double *part_c(const tn_scorer *s) {
    return part_u(s) + (size_t)s->n_hidden * s->n_in;
}
static double *part_v(const tn_scorer *s) {
    return part_c(s) + s->n_hidden;
}

static tern_status scorer_alloc(tn_scorer *s, uint32_t n_in, uint32_t n_hidden, tern_error *err) {
    *s = (tn_scorer){n_in, n_hidden, tn_calloc(tn_scorer_n_params(n_in, n_hidden), sizeof(double))};
    return s->params ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a policy");
}

tern_status tn_scorer_init(tn_scorer *s, uint32_t n_in, uint32_t n_hidden, const float *linear,
                           uint64_t seed, tern_error *err) {
    tern_status st = scorer_alloc(s, n_in, n_hidden, err);
    if (st != TERN_OK) return st;
    for (uint32_t i = 0; linear && i < n_in; i++) s->params[i] = linear[i];
    tn_rng r = tn_rng_init(seed, 0x73636f72); /* "scor" */
    double *u = part_u(s), scale = 1 / sqrt((double)n_in);
    for (size_t i = 0; i < (size_t)n_hidden * (n_in + 1); i++) u[i] = scale * tn_rng_normal(&r);
    return TERN_OK;
}

void tn_scorer_deinit(tn_scorer *s) {
    tn_free(s->params);
    *s = (tn_scorer){0};
}

static double hidden_unit(const tn_scorer *s, uint32_t h, const float *x) {
    const double *u = part_u(s) + (size_t)h * s->n_in;
    double z = part_c(s)[h];
    for (uint32_t i = 0; i < s->n_in; i++) z += u[i] * x[i];
    return tanh(z);
}

double tn_scorer_forward(const tn_scorer *s, const float *x) {
    double logit = 0;
    for (uint32_t i = 0; i < s->n_in; i++) logit += s->params[i] * x[i];
    for (uint32_t h = 0; h < s->n_hidden; h++) logit += part_v(s)[h] * hidden_unit(s, h, x);
    return logit;
}

void tn_scorer_backward(const tn_scorer *s, const float *x, double dlogit, double *grad) {
    tn_scorer g = {s->n_in, s->n_hidden, grad};
    for (uint32_t i = 0; i < s->n_in; i++) grad[i] += dlogit * x[i];
    for (uint32_t h = 0; h < s->n_hidden; h++) {
        double t = hidden_unit(s, h, x);
        part_v(&g)[h] += dlogit * t;
        double dz = dlogit * part_v(s)[h] * (1 - t * t);
        part_c(&g)[h] += dz;
        double *du = part_u(&g) + (size_t)h * s->n_in;
        for (uint32_t i = 0; i < s->n_in; i++) du[i] += dz * x[i];
    }
}

/* --- files --- */

static json_t *to_json(const tn_scorer *s, const char *const *names, const json_t *card) {
    json_t *root = json_object(), *features = json_array(), *params = json_array();
    bool ok = root && features && params;
    for (uint32_t i = 0; ok && i < s->n_in; i++)
        ok = json_array_append_new(features, json_string(names[i])) == 0;
    for (size_t i = 0; ok && i < tn_scorer_n_params(s->n_in, s->n_hidden); i++)
        ok = json_array_append_new(params, json_real(s->params[i])) == 0;
    ok = ok && json_object_set_new(root, "format", json_string("tern-policy")) == 0 &&
         json_object_set_new(root, "version", json_integer(VERSION)) == 0 &&
         json_object_set_new(root, "hidden", json_integer(s->n_hidden)) == 0 &&
         json_object_set(root, "features", features) == 0 &&
         json_object_set(root, "params", params) == 0 &&
         (!card || json_object_set(root, "card", (json_t *)(uintptr_t)card) == 0);
    json_decref(features);
    json_decref(params);
    if (ok) return root;
    json_decref(root);
    return NULL;
}

tern_status tn_scorer_save(const tn_scorer *s, const char *const *names, const json_t *card,
                           const char *path, tern_error *err) {
    json_t *root = to_json(s, names, card);
    tn_buf text = {0};
    if (!root) return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", path);
    tn_json_dump(root, &text);
    tn_buf_char(&text, '\n');
    tern_status st = tn_buf_status(&text, err);
    if (st == TERN_OK) st = tn_file_replace(path, text.data, text.len, err);
    tn_buf_deinit(&text);
    json_decref(root);
    return st;
}

static tern_status check_features(const json_t *features, const char *const *names, uint32_t n_in,
                                  const char *path, tern_error *err) {
    if (json_array_size(features) != n_in)
        return tern_fail(err, TERN_ERR_VERSION, 0,
                         "%s: made for %zu features, this program has %u: train it again", path,
                         json_array_size(features), n_in);
    for (uint32_t i = 0; i < n_in; i++) {
        const char *name = json_string_value(json_array_get(features, i));
        if (!name || strcmp(name, names[i]) != 0)
            return tern_fail(err, TERN_ERR_VERSION, 0,
                             "%s: feature %u is \"%s\", this program has \"%s\": train it again",
                             path, i, name ? name : "(not a string)", names[i]);
    }
    return TERN_OK;
}

static tern_status read_params(tn_scorer *s, const json_t *params, uint32_t n_in, int64_t hidden,
                               const char *path, tern_error *err) {
    if (hidden < 0 || hidden > HIDDEN_MAX ||
        json_array_size(params) != tn_scorer_n_params(n_in, (uint32_t)hidden))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: %zu parameters do not fit %lld hidden units",
                         path, json_array_size(params), (long long)hidden);
    tern_status st = scorer_alloc(s, n_in, (uint32_t)hidden, err);
    for (size_t i = 0; st == TERN_OK && i < json_array_size(params); i++) {
        const json_t *v = json_array_get(params, i);
        s->params[i] = json_number_value(v);
        if (!json_is_number(v) || !isfinite(s->params[i]))
            st = tern_fail(err, TERN_ERR_FORMAT, 0, "%s: parameter %zu is not a finite number",
                           path, i);
    }
    if (st != TERN_OK) tn_scorer_deinit(s);
    return st;
}

tern_status tn_scorer_load(tn_scorer *s, const char *const *names, uint32_t n_in, const char *path,
                           tern_error *err) {
    *s = (tn_scorer){0};
    json_t *root;
    tern_status st = tn_json_load(path, &root, err);
    if (st != TERN_OK) return st;
    if (strcmp(tn_json_str(root, "format", ""), "tern-policy") != 0)
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "%s: not a tern policy file", path);
    else if (tn_json_int(root, "version", 0) != VERSION)
        st = tern_fail(err, TERN_ERR_VERSION, 0,
                       "%s: policy format %lld, this program reads %d: train it again", path,
                       (long long)tn_json_int(root, "version", 0), VERSION);
    if (st == TERN_OK)
        st = check_features(json_object_get(root, "features"), names, n_in, path, err);
    if (st == TERN_OK)
        st = read_params(s, json_object_get(root, "params"), n_in, tn_json_int(root, "hidden", -1),
                         path, err);
    json_decref(root);
    return st;
}
