/* model.c - see model.h. Loading is: find every tensor of the table, check it, refuse what is left
 * over, then pack matrix by matrix. A matrix is packed by all threads, so memory beyond the model
 * is one stacked matrix in f32 or bf16. */
#include "core/lm/model.h"
#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/kernels/kernels.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct loader {
    tn_lm *lm;
    tn_lm_source *source;
    const char *prefix;
    tn_lm_param *params;          /* [n] */
    const tern_st_tensor **found; /* [n] */
    size_t n;
    tn_pool *pool;
    const tern_host *host;
    uint64_t n_bytes, n_done; /* of the matrices */
    tern_error *err;
} loader;

/* ---- finding and checking ---- */

static const tern_st_tensor *find(const loader *l, const tn_lm_param *p, const char *prefix) {
    char name[160], old[160];
    snprintf(name, sizeof name, "%s%s", p->body ? prefix : "", p->name);
    const tern_st_tensor *t = tn_lm_source_find(l->source, name);
    if (!t && tn_lm_old_name(name, old, sizeof old)) t = tn_lm_source_find(l->source, old);
    if (!t && !p->body) { /* the text half of a model that also sees pictures */
        snprintf(old, sizeof old, "language_model.%s", p->name);
        t = tn_lm_source_find(l->source, old);
    }
    return t;
}

/* The prefix under which the embeddings are found names the body's tensors. */
static tern_status choose_prefix(loader *l) {
    const char *const *prefixes = tn_lm_prefixes(&l->lm->config);
    for (const char *const *p = prefixes; *p; p++)
        if (find(l, &l->params[0], *p)) {
            l->prefix = *p;
            return TERN_OK;
        }
    return tern_fail(l->err, TERN_ERR_FORMAT, 0, "%s: tensor '%s%s' is missing", l->source->path,
                     prefixes[0], l->params[0].name);
}

static void add_shape(tn_buf *b, size_t n_dims, const int64_t *dims) {
    for (size_t i = 0; i < n_dims; i++)
        tn_buf_printf(b, "%s%lld", i ? ", " : "[", (long long)dims[i]);
    tn_buf_str(b, n_dims ? "]" : "[]");
}

/* The scales of an int8 matrix's rows (convert.c), or NULL. */
static const tern_st_tensor *find_scales(const loader *l, const tern_st_tensor *t) {
    char name[256];
    snprintf(name, sizeof name, "%s_scale", t->name);
    const tern_st_tensor *s = tn_lm_source_find(l->source, name);
    bool fits = s && s->dtype == TERN_ST_F32 && s->n_dims == 1 && s->dims[0] == t->dims[0];
    return fits ? s : NULL;
}

static tern_status check_tensor(const loader *l, const tn_lm_param *p, const tern_st_tensor *t) {
    int64_t want[2] = {p->rows, p->cols};
    int n_dims = p->cols ? 2 : 1;
    bool same = t->n_dims == n_dims && t->dims[0] == want[0];
    if (n_dims == 2) same = same && t->dims[1] == want[1];
    if (!same) {
        tn_buf b = {0};
        add_shape(&b, (size_t)t->n_dims, t->dims);
        tn_buf_str(&b, ", the config says ");
        add_shape(&b, (size_t)n_dims, want);
        tern_status status = tern_fail(l->err, TERN_ERR_SHAPE, 0, "%s: tensor '%s' has shape %s",
                                       l->source->path, t->name, tn_buf_cstr(&b));
        tn_buf_deinit(&b);
        return status;
    }
    bool rows = p->slot <= TN_LM_TYPES; /* read row by row, never quantised */
    if (t->dtype == TERN_ST_I8 && p->cols && !rows && find_scales(l, t)) return TERN_OK;
    if (t->dtype != TERN_ST_F32 && t->dtype != TERN_ST_BF16 && t->dtype != TERN_ST_F16 &&
        t->dtype != TERN_ST_F64)
        return tern_fail(l->err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: tensor '%s' is of type %s; weights are F32, BF16, F16 or F64",
                         l->source->path, t->name, tern_st_dtype_name(t->dtype));
    return TERN_OK;
}

static tern_status find_all(loader *l) {
    tern_status status = choose_prefix(l);
    for (size_t i = 0; i < l->n && status == TERN_OK; i++) {
        l->found[i] = find(l, &l->params[i], l->prefix);
        if (!l->found[i])
            return tern_fail(l->err, TERN_ERR_FORMAT, 0, "%s: tensor '%s%s' is missing",
                             l->source->path, l->params[i].body ? l->prefix : "",
                             l->params[i].name);
        status = check_tensor(l, &l->params[i], l->found[i]);
        if (l->params[i].cols) l->n_bytes += l->found[i]->n_bytes;
    }
    return status;
}

static int by_address(const void *a, const void *b) {
    const tern_st_tensor *x = *(const tern_st_tensor *const *)a;
    const tern_st_tensor *y = *(const tern_st_tensor *const *)b;
    return x < y ? -1 : x > y;
}

/* Scales of a matrix that is used. */
static bool is_scale(const loader *l, const char *name) {
    for (size_t i = 0; i < l->n; i++) {
        size_t k = strlen(l->found[i]->name);
        if (strncmp(name, l->found[i]->name, k) == 0 && strcmp(name + k, "_scale") == 0)
            return l->found[i]->dtype == TERN_ST_I8;
    }
    return false;
}

/* A tensor that the config does not know is a switch that the config does not show: its effect
 * would be lost in silence. */
static tern_status refuse_unexpected(const loader *l) {
    const tern_st_tensor **sorted = tn_alloc(l->n * sizeof *sorted);
    if (!sorted) return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory while loading");
    memcpy(sorted, l->found, l->n * sizeof *sorted);
    qsort(sorted, l->n, sizeof *sorted, by_address);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < tn_lm_source_size(l->source) && status == TERN_OK; i++) {
        const tern_st_tensor *t = tn_lm_source_at(l->source, i);
        if (bsearch(&t, sorted, l->n, sizeof *sorted, by_address) ||
            tn_lm_is_unused(&l->lm->config, t->name) ||
            (tn_ends_with(t->name, "_scale") && is_scale(l, t->name)))
            continue;
        status = tern_fail(l->err, TERN_ERR_FORMAT, 0,
                           "%s: unexpected tensor '%.160s': a %s model with this config has none",
                           l->source->path, t->name, tn_lm_arch_name(l->lm->config.arch));
    }
    tn_free(sorted);
    return status;
}

/* ---- packing ---- */

static const tern_st_tensor *tensor_of(const loader *l, tn_lm_slot slot, uint32_t layer) {
    for (size_t i = 0; i < l->n; i++)
        if (l->params[i].slot == slot && l->params[i].layer == layer) return l->found[i];
    return NULL;
}

static size_t count(const tern_st_tensor *t) {
    return (size_t)tern_st_count(t->n_dims, t->dims);
}

/* The vectors of up to three slots, one after the other; *out stays NULL if the model has none. */
static tern_status vector(loader *l, const tn_lm_slot *slots, size_t n, uint32_t layer,
                          float **out) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        const tern_st_tensor *t = tensor_of(l, slots[i], layer);
        if (!t) return TERN_OK;
        total += count(t);
    }
    float *v = tn_arena_alloc(&l->lm->arena, total * sizeof *v);
    if (!v) return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory while loading");
    *out = v;
    tern_status status = TERN_OK;
    for (size_t i = 0; i < n && status == TERN_OK; i++) {
        const tern_st_tensor *t = tensor_of(l, slots[i], layer);
        status = tern_st_read_f32(t, v, count(t), l->err);
        v += count(t);
    }
    return status;
}

static tern_status vector_one(loader *l, tn_lm_slot slot, uint32_t layer, float **out) {
    return vector(l, &slot, 1, layer, out);
}

/* A matrix as f32, int8 ones with their rows' scales. */
static tern_status read_matrix(const loader *l, const tern_st_tensor *t, float *out) {
    tern_status status = tern_st_read_f32(t, out, count(t), l->err);
    if (status != TERN_OK || t->dtype != TERN_ST_I8) return status;
    const float *scales = find_scales(l, t)->data;
    size_t cols = (size_t)t->dims[1];
    for (size_t i = 0; i < (size_t)t->dims[0]; i++) {
        float scale;
        memcpy(&scale, scales + i, sizeof scale);
        tn_kernels_get()->scale(out + i * cols, scale, cols);
    }
    return TERN_OK;
}

/* Stack matrices of equal width. A single F32 or BF16 matrix is packed from where it lies. */
static tern_status stack(loader *l, const tern_st_tensor **parts, size_t n, const void **data,
                         tn_dtype *dtype, void **owned) {
    size_t n_elems = 0;
    bool bf16 = true;
    for (size_t i = 0; i < n; i++) {
        n_elems += count(parts[i]);
        bf16 = bf16 && parts[i]->dtype == TERN_ST_BF16;
    }
    *dtype = bf16 ? TN_BF16 : TN_F32;
    if (n == 1 && (bf16 || parts[0]->dtype == TERN_ST_F32)) {
        *data = parts[0]->data;
        return TERN_OK;
    }
    char *all = *owned = tn_alloc(n_elems * tn_dtype_size(*dtype));
    *data = all;
    if (!all) return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory while loading");
    tern_status status = TERN_OK;
    for (size_t i = 0; i < n && status == TERN_OK; i++) {
        if (bf16)
            memcpy(all, parts[i]->data, parts[i]->n_bytes);
        else
            status = read_matrix(l, parts[i], (float *)(void *)all);
        all += count(parts[i]) * tn_dtype_size(*dtype);
    }
    return status;
}

static tern_status report(loader *l, uint64_t n_bytes) {
    l->n_done += n_bytes;
    const tern_host *h = l->host;
    if (h && h->progress) {
        tern_progress p = {
            .what = "loading", .unit = "bytes", .done = l->n_done, .total = l->n_bytes};
        h->progress(h->ud, &p);
    }
    if (h && h->cancelled && h->cancelled(h->ud))
        return tern_fail(l->err, TERN_ERR_CANCELLED, 0, "interrupted while loading");
    return TERN_OK;
}

static tern_status pack(loader *l, const tern_st_tensor **parts, size_t n, tn_lm_linear *out) {
    const void *data = NULL;
    void *owned = NULL;
    tn_dtype dtype = TN_F32;
    uint64_t n_bytes = 0;
    out->k = (uint32_t)parts[0]->dims[1];
    for (size_t i = 0; i < n; i++) {
        out->n += (uint32_t)parts[i]->dims[0];
        n_bytes += parts[i]->n_bytes;
    }
    tern_status status = stack(l, parts, n, &data, &dtype, &owned);
    if (status == TERN_OK)
        status = tn_weight_new(l->pool, data, dtype, out->n, out->k, out->k, l->lm->format, &out->w,
                               l->err);
    tn_free(owned);
    if (status == TERN_OK) l->lm->weight_bytes += tn_weight_bytes(out->w);
    return status == TERN_OK ? report(l, n_bytes) : status;
}

static tern_status linear(loader *l, const tn_lm_slot *slots, const tn_lm_slot *biases, size_t n,
                          uint32_t layer, tn_lm_linear *out) {
    const tern_st_tensor *parts[3];
    for (size_t i = 0; i < n; i++)
        if (!(parts[i] = tensor_of(l, slots[i], layer))) return TERN_OK;
    tern_status status = pack(l, parts, n, out);
    return status == TERN_OK ? vector(l, biases, n, layer, &out->bias) : status;
}

static tern_status load_layer(loader *l, uint32_t i, tn_lm_layer *y) {
    static const tn_lm_slot qkv[] = {TN_LM_Q, TN_LM_K, TN_LM_V};
    static const tn_lm_slot qkv_bias[] = {TN_LM_Q_BIAS, TN_LM_K_BIAS, TN_LM_V_BIAS};
    static const tn_lm_slot o[] = {TN_LM_O}, o_bias[] = {TN_LM_O_BIAS};
    static const tn_lm_slot up[] = {TN_LM_GATE, TN_LM_UP};
    static const tn_lm_slot up_bias[] = {TN_LM_GATE_BIAS, TN_LM_UP_BIAS};
    static const tn_lm_slot down[] = {TN_LM_DOWN}, down_bias[] = {TN_LM_DOWN_BIAS};
    size_t ungated = l->lm->config.family == TN_LM_ENCODER; /* encoders have no gate */
    const struct {
        tn_lm_slot slot;
        float **out;
    } vectors[] = {{TN_LM_ATTN_NORM, &y->attn_norm.weight},
                   {TN_LM_ATTN_NORM_BIAS, &y->attn_norm.bias},
                   {TN_LM_FFN_NORM, &y->ffn_norm.weight},
                   {TN_LM_FFN_NORM_BIAS, &y->ffn_norm.bias},
                   {TN_LM_POST_ATTN_NORM, &y->post_attn_norm.weight},
                   {TN_LM_POST_FFN_NORM, &y->post_ffn_norm.weight},
                   {TN_LM_Q_NORM, &y->q_norm},
                   {TN_LM_K_NORM, &y->k_norm}};
    tern_status status = linear(l, qkv, qkv_bias, 3, i, &y->qkv);
    if (status == TERN_OK) status = linear(l, o, o_bias, 1, i, &y->o);
    if (status == TERN_OK)
        status = linear(l, up + ungated, up_bias + ungated, 2 - ungated, i, &y->up);
    if (status == TERN_OK) status = linear(l, down, down_bias, 1, i, &y->down);
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors && status == TERN_OK; v++)
        status = vector_one(l, vectors[v].slot, i, vectors[v].out);
    return status;
}

static tern_status load_head(loader *l) {
    tn_lm *lm = l->lm;
    static const tn_lm_slot dense[] = {TN_LM_HEAD_DENSE}, dense_bias[] = {TN_LM_HEAD_DENSE_BIAS};
    static const tn_lm_slot head[] = {TN_LM_HEAD}, head_bias[] = {TN_LM_HEAD_BIAS};
    tern_status status = linear(l, dense, dense_bias, 1, 0, &lm->head_dense);
    bool language = lm->config.head == TN_LM_HEAD_CAUSAL || lm->config.head == TN_LM_HEAD_MASKED;
    if (status == TERN_OK) status = linear(l, head, head_bias, 1, 0, &lm->head);
    if (status == TERN_OK && language && lm->config.tied) {
        status = pack(l, &lm->embed, 1, &lm->head);
        if (status == TERN_OK) status = vector_one(l, TN_LM_HEAD_BIAS, 0, &lm->head.bias);
    }
    if (status == TERN_OK) status = vector_one(l, TN_LM_HEAD_NORM, 0, &lm->head_norm.weight);
    if (status == TERN_OK) status = vector_one(l, TN_LM_HEAD_NORM_BIAS, 0, &lm->head_norm.bias);
    return status;
}

static tern_status make_frequencies(loader *l) {
    tn_lm *lm = l->lm;
    uint32_t dim = lm->config.head_dim;
    if (lm->config.family == TN_LM_ENCODER) return TERN_OK;
    lm->inv_freq = tn_arena_alloc(&lm->arena, dim * sizeof(float));
    if (!lm->inv_freq) return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory while loading");
    lm->inv_freq_local = lm->inv_freq + dim / 2;
    tn_lm_rope_frequencies(&lm->config.rope, dim, lm->inv_freq);
    tn_lm_rope_frequencies(&lm->config.rope_local, dim, lm->inv_freq_local);
    return TERN_OK;
}

static tern_status load_all(loader *l) {
    tn_lm *lm = l->lm;
    tern_status status = find_all(l);
    if (status == TERN_OK) status = refuse_unexpected(l);
    if (status == TERN_OK) status = make_frequencies(l);
    if (status != TERN_OK) return status;
    lm->embed = tensor_of(l, TN_LM_EMBED, 0);
    lm->positions = tensor_of(l, TN_LM_POSITIONS, 0);
    lm->types = tensor_of(l, TN_LM_TYPES, 0);
    status = vector_one(l, TN_LM_EMBED_NORM, 0, &lm->embed_norm.weight);
    if (status == TERN_OK) status = vector_one(l, TN_LM_EMBED_NORM_BIAS, 0, &lm->embed_norm.bias);
    for (uint32_t i = 0; i < lm->config.n_layers && status == TERN_OK; i++)
        status = load_layer(l, i, &lm->layers[i]);
    if (status == TERN_OK) status = vector_one(l, TN_LM_FINAL_NORM, 0, &lm->final_norm.weight);
    return status == TERN_OK ? load_head(l) : status;
}

tern_status tn_lm_load_take(const tn_lm_config *config, tn_lm_source *source,
                            tn_weight_format format, tn_pool *pool, const tern_host *host,
                            tn_lm **out, tern_error *err) {
    *out = NULL;
    loader l = {.source = source, .pool = pool, .host = host, .err = err};
    l.n = tn_lm_params(config, NULL);
    l.params = tn_alloc(l.n * sizeof *l.params);
    l.found = tn_calloc(l.n, sizeof *l.found);
    l.lm = tn_calloc(1, sizeof *l.lm);
    if (l.lm) l.lm->layers = tn_calloc(config->n_layers, sizeof *l.lm->layers);
    tern_status status = TERN_OK;
    if (!l.params || !l.found || !l.lm || !l.lm->layers) {
        status = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while loading a model");
    } else {
        l.lm->config = *config;
        l.lm->format = format;
        tn_lm_params(config, l.params);
        status = load_all(&l);
    }
    tn_free(l.params);
    tn_free(l.found);
    if (status == TERN_OK) {
        l.lm->source = source;
        *out = l.lm;
    } else {
        tn_lm_free(l.lm);
    }
    return status;
}

void tn_lm_free(tn_lm *lm) {
    if (!lm) return;
    for (uint32_t i = 0; lm->layers && i < lm->config.n_layers; i++) {
        tn_weight_free(lm->layers[i].qkv.w);
        tn_weight_free(lm->layers[i].o.w);
        tn_weight_free(lm->layers[i].up.w);
        tn_weight_free(lm->layers[i].down.w);
    }
    tn_weight_free(lm->head_dense.w);
    tn_weight_free(lm->head.w);
    tn_lm_source_free(lm->source);
    tn_arena_deinit(&lm->arena);
    tn_free(lm->layers);
    tn_free(lm);
}
