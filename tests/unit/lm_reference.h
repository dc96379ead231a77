/* lm_reference.h - stored reference numbers of a model as a packed batch, for tests of training. */
#ifndef TN_TEST_LM_REFERENCE_H
#define TN_TEST_LM_REFERENCE_H
#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/lm/train.h"
#include "tests/test.h"

typedef struct reference {
    const char *dir;
    tn_lm_config config;
    tn_lm_source *source;
    tern_st *expected, *grads; /* grads may be the same file */
    tn_lm_batch batch;
    size_t *place; /* [n_tokens] row of [B T] that a packed token came from */
    size_t n_rows, width;
    tn_lm_loss_opts loss;
    tn_arena arena;
} reference;

static inline const char *golden_dir(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    return path;
}

static inline const char *fixture_dir(const char *name) {
    static char path[1024];
    const char *shared = getenv("TERN_SHARED");
    snprintf(path, sizeof path, "%s/fixtures/hf/%s", shared ? shared : TERN_SOURCE_DIR "/../shared",
             name);
    if (!tn_is_dir(path)) SKIP("no shared/fixtures/hf here (TERN_SHARED names another place)");
    return path;
}

static inline tern_st *open_tensors(const char *dir, const char *name) {
    tern_error e = {0};
    tern_st *st = NULL;
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_OK(tern_st_open(path, &st, &e), e);
    return st;
}

static inline int64_t st_i64(const tern_st_tensor *t, size_t i) {
    int64_t v;
    memcpy(&v, (const char *)t->data + 8 * i, 8);
    return v;
}

/* A tensor as f32, in the arena. NULL: there is none. */
static inline float *st_f32(reference *r, const tern_st *st, const char *name, size_t *n) {
    tern_error e = {0};
    const tern_st_tensor *t = tern_st_find(st, name);
    if (!t) return NULL;
    *n = (size_t)tern_st_count(t->n_dims, t->dims);
    float *x = tn_arena_alloc(&r->arena, (*n + 1) * sizeof *x);
    CHECK(x != NULL);
    CHECK_OK(tern_st_read_f32(t, x, *n, &e), e);
    return x;
}

static inline int32_t *ints(reference *r, size_t n) {
    int32_t *x = tn_arena_calloc(&r->arena, n + 1, sizeof *x);
    CHECK(x != NULL);
    return x;
}

/* Drop the padding; rows `copies` times over. */
static inline void reference_pack(reference *r, size_t copies) {
    const tern_st_tensor *ids = tern_st_find(r->expected, "input_ids"),
                         *mask = tern_st_find(r->expected, "attention_mask"),
                         *types = tern_st_find(r->expected, "token_type_ids");
    CHECK(ids && mask);
    r->n_rows = (size_t)ids->dims[0];
    r->width = (size_t)ids->dims[1];
    size_t all = r->n_rows * r->width * copies;
    tn_lm_batch *b = &r->batch;
    *b = (tn_lm_batch){.ids = ints(r, all),
                       .seq_begin = ints(r, r->n_rows * copies),
                       .n_seqs = r->n_rows * copies};
    if (types) b->types = ints(r, all);
    if (r->config.arch == TN_LM_BERT) b->positions = ints(r, all);
    r->place = tn_arena_alloc(&r->arena, all * sizeof *r->place);
    CHECK(r->place != NULL);
    for (size_t s = 0; s < b->n_seqs; s++) {
        size_t row = s % r->n_rows;
        for (size_t t = 0; t < r->width; t++) {
            size_t at = row * r->width + t;
            if (!st_i64(mask, at)) continue;
            b->ids[b->n_tokens] = (int32_t)st_i64(ids, at);
            if (types) b->types[b->n_tokens] = (int32_t)st_i64(types, at);
            if (b->positions) b->positions[b->n_tokens] = (int32_t)t; /* columns, as it padded */
            r->place[b->n_tokens++] = at;
        }
        b->seq_begin[s + 1] = (int32_t)b->n_tokens;
    }
}

/* What the reference learned: next tokens, labels, numbers, or pairs. */
static inline void reference_targets(reference *r) {
    const tern_st_tensor *labels = tern_st_find(r->grads, "labels");
    tn_lm_batch *b = &r->batch;
    size_t n = 0;
    if (tern_st_find(r->grads, "pairs")) {
        reference_pack(r, 2); /* every row is a query and its own passage */
        b->n_queries = b->n_targets = r->n_rows;
        b->positive = ints(r, r->n_rows);
        for (size_t i = 0; i < r->n_rows; i++) b->positive[i] = (int32_t)i;
        r->loss = (tn_lm_loss_opts){.objective = TN_LM_PAIRS,
                                    .pool = TN_LM_POOL_MEAN,
                                    .normalize = true,
                                    .temperature = 0.1};
        return;
    }
    if (tern_st_find(r->grads, "bce.target")) {
        b->seq_targets = st_f32(r, r->grads, "bce.target", &n);
        b->n_seq_targets = n / b->n_seqs;
        b->n_targets = b->n_seqs;
        r->loss.objective = TN_LM_SEQ_BINARY;
        return;
    }
    if (labels && labels->n_dims == 1) {
        b->seq_classes = ints(r, b->n_seqs);
        for (size_t i = 0; i < b->n_seqs; i++) b->seq_classes[i] = (int32_t)st_i64(labels, i);
        b->n_targets = b->n_seqs;
        r->loss.objective = TN_LM_SEQ_CLASS;
        return;
    }
    b->targets = ints(r, b->n_tokens);
    r->loss.objective = !labels                              ? TN_LM_NEXT_TOKEN
                        : r->config.head == TN_LM_HEAD_TOKEN ? TN_LM_TOKEN_CLASS
                                                             : TN_LM_MASKED;
    for (size_t s = 0; s < b->n_seqs; s++)
        for (int32_t i = b->seq_begin[s]; i < b->seq_begin[s + 1]; i++) {
            bool last = i + 1 == b->seq_begin[s + 1];
            b->targets[i] = labels ? (int32_t)st_i64(labels, r->place[i])
                            : last ? TN_LM_IGNORE
                                   : b->ids[i + 1];
            b->n_targets += b->targets[i] != TN_LM_IGNORE;
        }
}

static inline reference reference_open(const char *dir, const char *grads) {
    tern_error e = {0};
    reference r = {.dir = dir};
    CHECK_OK(tn_lm_config_load(dir, &r.config, &e), e);
    CHECK_OK(tn_lm_source_open(dir, &r.source, &e), e);
    r.expected = open_tensors(dir, "expected.safetensors");
    r.grads = open_tensors(dir, grads);
    reference_pack(&r, 1);
    reference_targets(&r);
    return r;
}

static inline void reference_close(reference *r) {
    tern_st_close(r->grads);
    tern_st_close(r->expected);
    tn_lm_source_free(r->source);
    tn_arena_deinit(&r->arena);
}

static inline tn_lm_tape *reference_tape(const reference *r) { /* decays all */
    tern_error e = {0};
    tn_lm_tape *t;
    size_t n_lacking;
    CHECK_OK(tn_lm_tape_new(&r->config, &(tn_lm_tape_opts){0.02, 1, true}, &t, &e), e);
    CHECK_OK(tn_lm_tape_load(t, r->source, false, &n_lacking, &e), e);
    CHECK_EQ(n_lacking, 0);
    return t;
}

static inline tern_graph *graph_of(int n_threads, bool bf16) {
    tern_error e = {0};
    tern_graph *g;
    tern_graph_opts o = {.n_threads = n_threads, .bf16 = bf16};
    CHECK_OK(tern_graph_new(&o, &g, &e), e);
    return g;
}

/* One forward and backward; returns the mean loss, gradients are in the tape. */
static inline double step_of(tern_graph *g, tn_lm_tape *t, const tn_lm_batch *b,
                             const tn_lm_loss_opts *o) {
    tern_error e = {0};
    tern_graph_reset(g);
    tern_params_zero_grad(tn_lm_tape_params(t));
    CHECK_OK(tn_lm_check_batch(tn_lm_tape_config(t), b, &e), e);
    tern_tensor *loss = tern_scale(g, tn_lm_tape_loss(t, g, b, o), 1 / (double)b->n_targets);
    CHECK_OK(tern_backward(g, loss, &e), e);
    return tern_tensor_get(loss, 0);
}

/* ||x - ref|| <= tol ||ref|| and max |x - ref| <= tol max |ref|, or both below `floor`. */
static inline void check_near(const char *dir, const char *name, const float *x, const float *ref,
                              size_t n, double tol, double floor) {
    double d2 = 0, r2 = 0, d_max = 0, r_max = 0, x_max = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - ref[i]);
        d2 += d * d;
        r2 += (double)ref[i] * ref[i];
        d_max = d > d_max ? d : d_max;
        r_max = fabs(ref[i]) > r_max ? fabs(ref[i]) : r_max;
        x_max = fabs(x[i]) > x_max ? fabs(x[i]) : x_max;
    }
    if (r_max <= floor && x_max <= floor) return;
    if (!(sqrt(d2) <= tol * sqrt(r2) && d_max <= tol * r_max))
        FAIL("%s: %s: relative %.2e, largest %.2e of %zu numbers", tn_path_base(dir), name,
             sqrt(d2 / r2), d_max / r_max, n);
}

#endif
