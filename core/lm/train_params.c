/* train_params.c - see train.h: the weights of weights.h as parameters, and their files. */
#include "core/lm/train_priv.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the weights to train");
}

/* The name under which a weight is saved: bodies without a head stand without a prefix. */
static void full_name(const tn_lm_config *c, const tn_lm_param *p, char out[160]) {
    const char *prefix = p->body && c->head != TN_LM_HEAD_NONE ? tn_lm_prefixes(c)[0] : "";
    snprintf(out, 160, "%s%s", prefix, p->name);
}

static bool is_norm(tn_lm_slot slot) {
    return slot == TN_LM_EMBED_NORM || slot == TN_LM_ATTN_NORM || slot == TN_LM_Q_NORM ||
           slot == TN_LM_K_NORM || slot == TN_LM_POST_ATTN_NORM || slot == TN_LM_FFN_NORM ||
           slot == TN_LM_POST_FFN_NORM || slot == TN_LM_FINAL_NORM || slot == TN_LM_HEAD_NORM;
}

static bool is_head(tn_lm_slot slot) {
    return slot >= TN_LM_HEAD_DENSE && slot <= TN_LM_HEAD_BIAS;
}

/* Matrices are normal, biases 0, norms the identity: 1, or 0 where 1 is added (Gemma). */
static tern_init init_of(const tn_lm_config *c, const tn_lm_param *p, double std) {
    if (p->cols) return (tern_init){TERN_INIT_NORMAL, std};
    bool one = is_norm(p->slot) && c->norm_offset == 0;
    return (tern_init){one ? TERN_INIT_ONES : TERN_INIT_ZEROS, 1};
}

static bool allocate(tn_lm_tape *t) {
    const tn_lm_config *c = &t->config;
    t->n = tn_lm_params(c, NULL);
    t->table = tn_calloc(t->n, sizeof *t->table);
    t->at = tn_calloc((size_t)TN_LM_N_SLOTS * c->n_layers, sizeof *t->at);
    t->layers = tn_calloc(c->n_layers, sizeof *t->layers);
    t->inv_freq = tn_calloc(c->head_dim + 1, sizeof *t->inv_freq);
    if (!t->table || !t->at || !t->layers || !t->inv_freq) return false;
    t->inv_freq_local = t->inv_freq + c->head_dim / 2;
    tn_lm_params(c, t->table);
    for (uint32_t i = 0; i < c->n_layers; i++) t->layers[i] = (tn_lm_tape_layer){t, i};
    if (c->family == TN_LM_ENCODER) return true;
    tn_lm_rope_frequencies(&c->rope, c->head_dim, t->inv_freq);
    tn_lm_rope_frequencies(&c->rope_local, c->head_dim, t->inv_freq_local);
    return true;
}

tern_status tn_lm_tape_new(const tn_lm_config *config, const tn_lm_tape_opts *opts,
                           tn_lm_tape **out, tern_error *err) {
    *out = NULL;
    tn_lm_tape *t = tn_calloc(1, sizeof *t);
    if (!t) return no_memory(err);
    t->config = *config;
    tern_status st = allocate(t) ? TERN_OK : no_memory(err);
    if (st == TERN_OK)
        st = tern_params_new(&(tern_params_opts){.seed = opts->seed}, &t->weights, err);
    for (size_t i = 0; i < t->n && st == TERN_OK; i++) {
        const tn_lm_param *p = &t->table[i];
        char name[160];
        full_name(config, p, name);
        t->at[(size_t)p->slot * config->n_layers + p->layer] =
            tern_params_add(t->weights, name, p->cols ? 2 : 1, (const size_t[]){p->rows, p->cols},
                            init_of(config, p, opts->std),
                            p->cols || opts->decay_vectors ? 0 : TERN_PARAM_NO_DECAY);
    }
    if (st == TERN_OK) st = tern_params_init(t->weights, err);
    if (st != TERN_OK) {
        tn_lm_tape_free(t);
        return st;
    }
    *out = t;
    return TERN_OK;
}

void tn_lm_tape_free(tn_lm_tape *t) {
    if (!t) return;
    tern_params_free(t->weights);
    tn_free(t->table);
    tn_free(t->at);
    tn_free(t->layers);
    tn_free(t->inv_freq);
    tn_free(t);
}

const tn_lm_config *tn_lm_tape_config(const tn_lm_tape *t) {
    return &t->config;
}

tern_params *tn_lm_tape_params(const tn_lm_tape *t) {
    return t->weights;
}

tern_tensor *tn_lm_tape_param(const tn_lm_tape *t, tn_lm_slot slot, uint32_t layer) {
    return tn_lm_w(t, slot, layer);
}

/* ---- files ---- */

static const tern_st_tensor *find(const tn_lm_source *s, const tn_lm_param *p, const char *prefix) {
    char name[160], old[160];
    snprintf(name, sizeof name, "%s%s", p->body ? prefix : "", p->name);
    const tern_st_tensor *t = tn_lm_source_find(s, name);
    return t || !tn_lm_old_name(name, old, sizeof old) ? t : tn_lm_source_find(s, old);
}

/* The prefix under which the files have the embeddings. */
static const char *find_prefix(const tn_lm_tape *t, const tn_lm_source *s) {
    for (const char *const *p = tn_lm_prefixes(&t->config); *p; p++)
        if (find(s, &t->table[0], *p)) return *p;
    return NULL;
}

static bool fits(const tn_lm_param *p, const tern_st_tensor *x) {
    return x && x->n_dims == (p->cols ? 2 : 1) && x->dims[0] == p->rows &&
           (!p->cols || x->dims[1] == p->cols);
}

tern_status tn_lm_tape_load(tn_lm_tape *t, const tn_lm_source *source, bool head_may_lack,
                            size_t *n_lacking, tern_error *err) {
    const char *prefix = find_prefix(t, source);
    float *values = tern_params_values(t->weights);
    size_t lacking = 0;
    if (!prefix)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s%s' is missing", source->path,
                         tn_lm_prefixes(&t->config)[0], t->table[0].name);
    for (size_t i = 0; i < t->n; i++) {
        const tn_lm_param *p = &t->table[i];
        const tern_st_tensor *x = find(source, p, prefix);
        tern_param own = tern_params_get(t->weights, i);
        if (!fits(p, x) && is_head(p->slot) && head_may_lack) {
            lacking++; /* a head of another task, or of other classes, starts anew */
            continue;
        }
        if (!x)
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s' is missing", source->path,
                             own.name);
        if (!fits(p, x))
            return tern_fail(err, TERN_ERR_SHAPE, 0,
                             "%s: tensor '%s' has not the shape of the config", source->path,
                             x->name);
        tern_status st = tern_st_read_f32(x, values + own.offset, own.size, err);
        if (st != TERN_OK) return st;
    }
    if (n_lacking) *n_lacking = lacking;
    return TERN_OK;
}
