/* xent.c - cross-entropy in tiles of tokens x classes (xent.h).
 * Forward folds the log-sum-exp of each tile into the token's, classes in order. Backward holds one
 * tile of dz at a time and adds its two products into dh and dw; classes are the outer loop, so
 * that the rows of w and dw of a tile stay in cache while all tokens pass by. */
#include "core/kernels/xent.h"
#include "core/kernels/kernels.h"
#include "core/kernels/xent_priv.h"
#include <math.h>

#include "core/base/mem.h"

enum { TOKENS = 512, CLASSES = 2048, TOKENS_PER_JOB = 8 }; /* a tile of f32 logits: 4 MiB */

typedef struct token { /* over the classes seen so far */
    double lse, target, sum;
} token;

typedef struct tile {
    const tn_xent_args *a;
    const tn_kernels *k;
    size_t t0, c0, n_tokens, n_classes; /* the tile's corner and size */
    float *z;                           /* [n_tokens, n_classes] logits, then dz */
    float *slopes;                      /* backward with a softcap: CLASSES for each worker */
    token *tokens;
    const float *lse, *dloss;
} tile;

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static double log_add_exp(double a, double b) {
    double top = a > b ? a : b;
    return top == -INFINITY ? top : top + log(exp(a - top) + exp(b - top));
}

/* x -> c tanh(x / c), in place. */
static void cap(const tn_kernels *k, float *x, float c, size_t n) {
    k->scale(x, 1 / c, n);
    k->tanh(x, x, n);
    k->scale(x, c, n);
}

static void fold_rows(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const tile *b = arg;
    const tn_xent_args *a = b->a;
    for (size_t i = begin; i < end; i++) {
        float *z = b->z + i * b->n_classes;
        token *t = &b->tokens[b->t0 + i];
        if (a->softcap > 0) cap(b->k, z, a->softcap, b->n_classes);
        t->lse = log_add_exp(t->lse, (double)b->k->log_sum_exp(z, b->n_classes));
        if (a->smoothing > 0) t->sum += (double)b->k->sum(z, b->n_classes);
        size_t target = (size_t)a->target[b->t0 + i] - b->c0; /* wraps when it lies elsewhere */
        if (target < b->n_classes) t->target = (double)z[target];
    }
}

/* dz = dloss (softmax(z) - (1 - e) [target] - e / n) cap'(z) */
static void gradient_rows(void *arg, size_t begin, size_t end, int worker) {
    const tile *b = arg;
    const tn_xent_args *a = b->a;
    size_t n = b->n_classes;
    float *slope = b->slopes ? b->slopes + (size_t)worker * CLASSES : NULL;
    for (size_t i = begin; i < end; i++) {
        float *z = b->z + i * n, lse = b->lse[b->t0 + i], d = b->dloss[b->t0 + i];
        if (a->target[b->t0 + i] == TN_XENT_IGNORE) {
            memset(z, 0, n * sizeof *z);
            continue;
        }
        if (slope) {
            cap(b->k, z, a->softcap, n);
            for (size_t c = 0; c < n; c++) slope[c] = 1 - z[c] / a->softcap * (z[c] / a->softcap);
        }
        for (size_t c = 0; c < n; c++) z[c] -= lse;
        b->k->exp(z, z, n);
        float even = a->smoothing / (float)a->n_classes;
        if (even > 0)
            for (size_t c = 0; c < n; c++) z[c] -= even;
        size_t target = (size_t)a->target[b->t0 + i] - b->c0;
        if (target < n) z[target] -= 1 - a->smoothing;
        b->k->scale(z, d, n);
        if (slope) b->k->mul(z, z, slope, n);
    }
}

static const float *row_of(const void *x, size_t ld, size_t i) {
    return (const float *)x + i * ld;
}

/* z = h[tokens] w[classes]^T */
static tern_status logits(tn_gemm *g, const tile *b, tern_error *err) {
    const tn_xent_args *a = b->a;
    tn_gemm_args p = {.m = b->n_tokens,
                      .n = b->n_classes,
                      .k = a->dim,
                      .a = {row_of(a->h, a->ld_h, b->t0), TN_F32, a->ld_h, false},
                      .b = {row_of(a->w, a->ld_w, b->c0), TN_F32, a->ld_w, true},
                      .c = b->z,
                      .c_type = TN_F32,
                      .ldc = b->n_classes,
                      .alpha = 1,
                      .bf16 = a->bf16};
    return tn_gemm_run(g, &p, err);
}

/* dh[tokens] += dz w[classes], dw[classes] += dz^T h[tokens] */
static tern_status add_gradients(tn_gemm *g, const tile *b, float *dh, float *dw, tern_error *err) {
    const tn_xent_args *a = b->a;
    tn_mat dz = {b->z, TN_F32, b->n_classes, false}, dz_t = {b->z, TN_F32, b->n_classes, true};
    tern_status st = TERN_OK;
    if (dh) {
        tn_gemm_args p = {.m = b->n_tokens,
                          .n = a->dim,
                          .k = b->n_classes,
                          .a = dz,
                          .b = {row_of(a->w, a->ld_w, b->c0), TN_F32, a->ld_w, false},
                          .c = dh + b->t0 * a->ld_h,
                          .c_type = TN_F32,
                          .ldc = a->ld_h,
                          .alpha = 1,
                          .accumulate = true,
                          .bf16 = a->bf16};
        st = tn_gemm_run(g, &p, err);
    }
    if (dw && st == TERN_OK) {
        tn_gemm_args p = {.m = b->n_classes,
                          .n = a->dim,
                          .k = b->n_tokens,
                          .a = dz_t,
                          .b = {row_of(a->h, a->ld_h, b->t0), TN_F32, a->ld_h, false},
                          .c = dw + b->c0 * a->ld_w,
                          .c_type = TN_F32,
                          .ldc = a->ld_w,
                          .alpha = 1,
                          .accumulate = true,
                          .bf16 = a->bf16};
        st = tn_gemm_run(g, &p, err);
    }
    return st;
}

static tern_status over_tiles(tn_gemm *g, tile *b, tn_pool_fn *rows, float *dh, float *dw,
                              tern_error *err) {
    const tn_xent_args *a = b->a;
    tern_status st = TERN_OK;
    for (b->c0 = 0; b->c0 < a->n_classes && st == TERN_OK; b->c0 += CLASSES) {
        b->n_classes = min_size(CLASSES, a->n_classes - b->c0);
        for (b->t0 = 0; b->t0 < a->n_tokens && st == TERN_OK; b->t0 += TOKENS) {
            b->n_tokens = min_size(TOKENS, a->n_tokens - b->t0);
            st = logits(g, b, err);
            if (st != TERN_OK) break;
            tn_pool_for(tn_gemm_pool(g), b->n_tokens, TOKENS_PER_JOB, rows, b);
            st = add_gradients(g, b, dh, dw, err);
        }
    }
    return st;
}

static float *new_tile(const tn_xent_args *a) {
    return tn_calloc(min_size(TOKENS, a->n_tokens) * min_size(CLASSES, a->n_classes),
                     sizeof(float));
}

tern_status tn_xent(tn_gemm *g, const tn_xent_args *a, void *loss, void *lse, tern_error *err) {
    tern_status st = tn_xent_check(a, err);
    if (st != TERN_OK) return st;
    if (a->type == TN_F64) return tn_xent_f64(a, loss, lse, err);
    tile b = {.a = a, .k = tn_kernels_get(), .z = new_tile(a)};
    b.tokens = tn_calloc(a->n_tokens, sizeof *b.tokens);
    if (!b.z || !b.tokens) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "cross-entropy of %zu tokens: no memory",
                       a->n_tokens);
        goto done;
    }
    for (size_t t = 0; t < a->n_tokens; t++) b.tokens[t].lse = -INFINITY;
    st = over_tiles(g, &b, fold_rows, NULL, NULL, err);
    if (st != TERN_OK) goto done;
    double e = (double)a->smoothing;
    for (size_t i = 0; i < a->n_tokens; i++) {
        const token *t = &b.tokens[i];
        double l = t->lse - (1 - e) * t->target;
        if (e > 0) l -= e * t->sum / (double)a->n_classes;
        ((float *)lse)[i] = (float)t->lse;
        ((float *)loss)[i] = a->target[i] == TN_XENT_IGNORE ? 0 : (float)l;
    }
done:
    tn_free(b.tokens);
    tn_free(b.z);
    return st;
}

tern_status tn_xent_backward(tn_gemm *g, const tn_xent_args *a, const void *lse, const void *dloss,
                             void *dh, void *dw, tern_error *err) {
    tern_status st = tn_xent_check(a, err);
    if (st != TERN_OK) return st;
    if (a->type == TN_F64) return tn_xent_backward_f64(a, lse, dloss, dh, dw, err);
    tile b = {.a = a, .k = tn_kernels_get(), .z = new_tile(a), .lse = lse, .dloss = dloss};
    size_t n_workers = (size_t)tn_pool_n_threads(tn_gemm_pool(g));
    if (a->softcap > 0) b.slopes = tn_calloc(n_workers * CLASSES, sizeof *b.slopes);
    if (!b.z || (a->softcap > 0 && !b.slopes))
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "cross-entropy: no memory for a tile");
    else
        st = over_tiles(g, &b, gradient_rows, dh, dw, err);
    tn_free(b.slopes);
    tn_free(b.z);
    return st;
}
