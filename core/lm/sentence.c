/* sentence.c - see sentence.h. */
#include "core/lm/sentence.h"
#include "core/base/file.h"
#include "core/kernels/kernels.h"
#include "core/lm/config_reader.h"
#include <math.h>

#include "core/base/mem.h"

enum { MODULES_MAX = 16 };

typedef struct loader {
    const char *dir;
    tn_sentence *s;
    tn_pool *pool;
    tern_error *err;
} loader;

static tern_status no_memory(const loader *l) {
    return tern_fail(l->err, TERN_ERR_NOMEM, 0, "%s: out of memory", l->dir);
}

/* dir/folder/name in the arena. */
static const char *join(loader *l, const char *folder, const char *name) {
    tn_buf b = {0};
    tn_buf_printf(&b, "%s%s%s%s%s", l->dir, *folder ? "/" : "", folder, *name ? "/" : "", name);
    const char *path = b.failed ? NULL : tn_arena_strndup(&l->s->arena, b.data, b.len);
    tn_buf_deinit(&b);
    return path;
}

/* ---- modules ---- */

static tern_status load_pooling(loader *l, const char *folder) {
    static const struct {
        const char *field;
        int mode; /* -1: not supported */
    } modes[] = {
        {"pooling_mode_cls_token", TN_POOLING_CLS},  {"pooling_mode_mean_tokens", TN_POOLING_MEAN},
        {"pooling_mode_lasttoken", TN_POOLING_LAST}, {"pooling_mode_max_tokens", -1},
        {"pooling_mode_mean_sqrt_len_tokens", -1},   {"pooling_mode_weightedmean_tokens", -1}};
    const char *path = join(l, folder, "config.json");
    json_t *root = NULL;
    if (!path) return no_memory(l);
    tern_status status = tn_json_load(path, &root, l->err);
    if (status != TERN_OK) return status;
    tn_fields f = {.obj = root, .path = path, .err = l->err};
    int n_on = 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!tn_field_bool(&f, modes[i].field, false)) continue;
        n_on++;
        if (modes[i].mode < 0)
            tn_field_fail(&f, TERN_ERR_UNSUPPORTED, "\"%s\" is not supported", modes[i].field);
        else
            l->s->pooling = (tn_pooling)modes[i].mode;
    }
    if (n_on != 1)
        tn_field_fail(&f, TERN_ERR_UNSUPPORTED, "%d pooling modes are on; one is supported", n_on);
    if (!tn_field_bool(&f, "include_prompt", true))
        tn_field_fail(&f, TERN_ERR_UNSUPPORTED, "\"include_prompt\": false is not supported");
    l->s->width = (uint32_t)tn_field_int(&f, "word_embedding_dimension", 0, 1, 1 << 20);
    json_decref(root);
    return f.status;
}

static tern_status pack_dense(loader *l, const char *path, tn_sentence_dense *d, bool has_bias) {
    tern_st *st = NULL;
    const tern_st_tensor *w, *b;
    const int64_t dims[] = {d->out, d->in};
    tern_status status = tern_st_open(path, &st, l->err);
    if (status == TERN_OK) status = tern_st_get(st, "linear.weight", 2, dims, &w, l->err);
    if (status == TERN_OK && has_bias) {
        status = tern_st_get(st, "linear.bias", 1, dims, &b, l->err);
        d->bias = tn_arena_alloc(&l->s->arena, d->out * sizeof *d->bias);
        if (status == TERN_OK)
            status = d->bias ? tern_st_read_f32(b, d->bias, d->out, l->err) : no_memory(l);
    }
    size_t n = (size_t)d->out * d->in;
    float *all = status == TERN_OK ? tn_alloc(n * sizeof *all) : NULL;
    if (status == TERN_OK) status = all ? tern_st_read_f32(w, all, n, l->err) : no_memory(l);
    if (status == TERN_OK)
        status =
            tn_weight_new(l->pool, all, TN_F32, d->out, d->in, d->in, TN_WEIGHT_F32, &d->w, l->err);
    tn_free(all);
    tern_st_close(st);
    return status;
}

static tern_status load_dense(loader *l, const char *folder) {
    const char *path = join(l, folder, "config.json"), *weights = join(l, folder, "");
    json_t *root = NULL;
    if (!path || !weights) return no_memory(l);
    if (l->s->n_dense == TN_SENTENCE_DENSE_MAX)
        return tern_fail(l->err, TERN_ERR_UNSUPPORTED, 0, "%s: more than %d Dense modules", l->dir,
                         TN_SENTENCE_DENSE_MAX);
    tern_status status = tn_json_load(path, &root, l->err);
    if (status != TERN_OK) return status;
    tn_fields f = {.obj = root, .path = path, .err = l->err};
    tn_sentence_dense *d = &l->s->dense[l->s->n_dense++];
    d->in = (uint32_t)tn_field_int(&f, "in_features", 0, 1, 1 << 16);
    d->out = (uint32_t)tn_field_int(&f, "out_features", 0, 1, 1 << 16);
    bool has_bias = tn_field_bool(&f, "bias", true);
    const char *act = tn_field_str(&f, "activation_function", "torch.nn.modules.activation.Tanh");
    d->tanh = strcmp(act, "torch.nn.modules.activation.Tanh") == 0;
    if (!d->tanh && strcmp(act, "torch.nn.modules.linear.Identity") != 0)
        tn_field_fail(&f, TERN_ERR_UNSUPPORTED, "activation_function '%.80s' is not supported",
                      act);
    if (f.status == TERN_OK && (!d->in || !d->out))
        tn_field_fail(&f, TERN_ERR_FORMAT, "needs \"in_features\" and \"out_features\"");
    json_decref(root);
    return f.status == TERN_OK ? pack_dense(l, weights, d, has_bias) : f.status;
}

static tern_status load_module(loader *l, const json_t *module, size_t i) {
    const char *type = tn_json_str(module, "type", ""), *folder = tn_json_str(module, "path", "");
    const char *dot = strrchr(type, '.'), *name = dot ? dot + 1 : type;
    if (*folder == '/' || strstr(folder, ".."))
        return tern_fail(l->err, TERN_ERR_FORMAT, 0,
                         "%s: modules.json: path '%.80s' leads out of the model", l->dir, folder);
    if (l->s->normalize && strcmp(name, "Normalize") != 0)
        return tern_fail(l->err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: modules.json: '%.60s' after Normalize is not supported", l->dir,
                         name);
    if (i == 0 && strcmp(name, "Transformer") == 0) {
        l->s->transformer = join(l, folder, "");
        return l->s->transformer ? TERN_OK : no_memory(l);
    }
    if (i == 1 && strcmp(name, "Pooling") == 0) return load_pooling(l, folder);
    if (i > 1 && strcmp(name, "Dense") == 0) return load_dense(l, folder);
    if (i > 1 && strcmp(name, "Normalize") == 0) {
        l->s->normalize = true;
        return TERN_OK;
    }
    return tern_fail(l->err, TERN_ERR_UNSUPPORTED, 0,
                     "%s: modules.json: module %zu '%.80s' is not supported (known: Transformer, "
                     "Pooling, then Dense, Normalize)",
                     l->dir, i, type);
}

static tern_status load_modules(loader *l, const json_t *list) {
    size_t n = json_array_size(list);
    if (n < 2 || n > MODULES_MAX)
        return tern_fail(l->err, TERN_ERR_FORMAT, 0,
                         "%s: modules.json is not a list of a Transformer, a Pooling and so on",
                         l->dir);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < n && status == TERN_OK; i++)
        status = load_module(l, json_array_get(list, i), i);
    return status;
}

/* ---- the other files ---- */

static tern_status load_limits(loader *l) {
    tn_buf b = {0};
    tn_buf_printf(&b, "%s/sentence_bert_config.json", l->s->transformer);
    tern_status status = tn_buf_status(&b, l->err);
    json_t *root = NULL;
    if (status == TERN_OK && tn_file_exists(b.data)) {
        status = tn_json_load(b.data, &root, l->err);
        tn_fields f = {.obj = root, .path = b.data, .status = status, .err = l->err};
        l->s->max_tokens = (uint32_t)tn_field_int(&f, "max_seq_length", 0, 1, 1 << 30);
        if (tn_field_bool(&f, "do_lower_case", false))
            tn_field_fail(&f, TERN_ERR_UNSUPPORTED, "\"do_lower_case\": true is not supported");
        status = f.status;
    }
    json_decref(root);
    tn_buf_deinit(&b);
    return status;
}

static tern_status copy_prompts(loader *l, tn_fields *f) {
    json_t *prompts = (json_t *)(uintptr_t)tn_field_find(f, "prompts");
    if (prompts && !json_is_object(prompts))
        tn_field_fail(f, TERN_ERR_FORMAT, "\"prompts\" is not an object");
    size_t n = json_object_size(prompts);
    l->s->prompts = tn_arena_calloc(&l->s->arena, n ? n : 1, sizeof *l->s->prompts);
    if (!l->s->prompts) return no_memory(l);
    const char *key;
    json_t *value;
    json_object_foreach(prompts, key, value) {
        if (!json_is_string(value)) {
            tn_field_fail(f, TERN_ERR_FORMAT, "prompt '%.60s' is not a string", key);
            break;
        }
        tn_sentence_prompt *p = &l->s->prompts[l->s->n_prompts++];
        p->name = tn_arena_strndup(&l->s->arena, key, strlen(key));
        p->text =
            tn_arena_strndup(&l->s->arena, json_string_value(value), json_string_length(value));
        if (!p->name || !p->text) return no_memory(l);
    }
    const char *chosen = tn_field_str(f, "default_prompt_name", NULL);
    if (!chosen || f->status != TERN_OK) return f->status;
    l->s->default_prompt = tn_arena_strndup(&l->s->arena, chosen, strlen(chosen));
    if (!l->s->default_prompt) return no_memory(l);
    if (!tn_sentence_find_prompt(l->s, chosen))
        tn_field_fail(f, TERN_ERR_FORMAT, "default_prompt_name '%.60s' is not among the prompts",
                      chosen);
    return f->status;
}

static tern_status load_prompts(loader *l) {
    const char *path = join(l, "", "config_sentence_transformers.json");
    json_t *root = NULL;
    if (!path) return no_memory(l);
    if (!tn_file_exists(path)) return TERN_OK;
    tern_status status = tn_json_load(path, &root, l->err);
    tn_fields f = {.obj = root, .path = path, .err = l->err};
    if (status == TERN_OK) status = copy_prompts(l, &f);
    json_decref(root);
    return status;
}

tern_status tn_sentence_load(const char *dir, tn_pool *pool, tn_sentence *out, tern_error *err) {
    *out = (tn_sentence){.pooling = TN_POOLING_MEAN};
    loader l = {.dir = dir, .s = out, .pool = pool, .err = err};
    const char *path = join(&l, "", "modules.json");
    json_t *root = NULL;
    tern_status status = path ? TERN_OK : no_memory(&l);
    if (status == TERN_OK && !(out->transformer = join(&l, "", ""))) status = no_memory(&l);
    if (status == TERN_OK && tn_file_exists(path)) {
        out->present = true;
        status = tn_json_load(path, &root, err);
        if (status == TERN_OK) status = load_modules(&l, root);
    }
    if (status == TERN_OK) status = load_limits(&l);
    if (status == TERN_OK) status = load_prompts(&l);
    json_decref(root);
    if (status != TERN_OK) tn_sentence_deinit(out);
    return status;
}

void tn_sentence_deinit(tn_sentence *s) {
    for (size_t i = 0; i < s->n_dense; i++) tn_weight_free(s->dense[i].w);
    tn_arena_deinit(&s->arena);
    *s = (tn_sentence){0};
}

tern_status tn_sentence_check(const tn_sentence *s, uint32_t hidden, tern_error *err) {
    uint32_t width = hidden;
    if (s->width && s->width != hidden)
        return tern_fail(err, TERN_ERR_SHAPE, 0,
                         "the pooling module takes %u numbers, the model gives %u", s->width,
                         hidden);
    for (size_t i = 0; i < s->n_dense; i++) {
        if (s->dense[i].in != width)
            return tern_fail(err, TERN_ERR_SHAPE, 0, "Dense module %zu takes %u numbers, not %u", i,
                             s->dense[i].in, width);
        width = s->dense[i].out;
    }
    return TERN_OK;
}

size_t tn_sentence_dim(const tn_sentence *s, size_t hidden) {
    return s->n_dense ? s->dense[s->n_dense - 1].out : hidden;
}

const char *tn_sentence_find_prompt(const tn_sentence *s, const char *name) {
    for (size_t i = 0; i < s->n_prompts; i++)
        if (strcmp(s->prompts[i].name, name) == 0) return s->prompts[i].text;
    return NULL;
}

/* ---- vectors ---- */

void tn_sentence_pool(const tn_sentence *s, const float *states, size_t n_tokens, size_t hidden,
                      float *x) {
    const tn_kernels *k = tn_kernels_get();
    size_t first = s->pooling == TN_POOLING_LAST ? n_tokens - 1 : 0;
    size_t end = s->pooling == TN_POOLING_CLS ? 1 : n_tokens;
    memcpy(x, states + first * hidden, hidden * sizeof *x);
    for (size_t i = first + 1; i < end; i++) k->add(x, x, states + i * hidden, hidden);
    if (end - first > 1) k->scale(x, 1.0f / (float)(end - first), hidden);
}

static void normalize(float *x, size_t n, size_t width) {
    const tn_kernels *k = tn_kernels_get();
    for (size_t i = 0; i < n; i++) {
        double norm = sqrt(k->sum_squares(x + i * width, width));
        k->scale(x + i * width, (float)(1 / (norm > 1e-12 ? norm : 1e-12)), width);
    }
}

tern_status tn_sentence_finish(const tn_sentence *s, tn_gemm *g, const float *x, size_t n,
                               size_t hidden, float *out, tern_error *err) {
    size_t width = hidden;
    float *held = NULL; /* output of the Dense before */
    tern_status status = TERN_OK;
    for (size_t i = 0; i < s->n_dense && status == TERN_OK; i++) {
        const tn_sentence_dense *d = &s->dense[i];
        float *y = tn_alloc((n * d->out + 1) * sizeof *y);
        tn_epilogue e = {.bias = d->bias};
        tn_mat mat = {.data = held ? held : x, .dtype = TN_F32, .ld = width};
        status = y ? tn_weight_mul(g, d->w, mat, n, y, d->out, &e, false, err)
                   : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu vectors", n);
        if (status == TERN_OK && d->tanh) tn_kernels_get()->tanh(y, y, n * d->out);
        tn_free(held);
        held = y;
        width = d->out;
    }
    if (status == TERN_OK) {
        memcpy(out, held ? held : x, n * width * sizeof *out);
        if (s->normalize) normalize(out, n, width);
    }
    tn_free(held);
    return status;
}
