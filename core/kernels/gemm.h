/* gemm.h - matrix products: the core that everything which learns or embeds stands on.
 *
 *   C[m,n] = epilogue(alpha op(A)[m,k] op(B)[k,n] (+ C))
 *
 * All products run on our own kernels (docs/KERNELS.md): within one kernel set (tn_gemm_id) an
 * element of C depends on its row of op(A) and its column of op(B) alone, so the same operands give
 * the same bits on any number of threads, and a row the same bits among any other rows. Which
 * kernel serves which class of products is a table fixed at build time; nothing is timed at run
 * time. Sums are f32. */
#ifndef TN_GEMM_H
#define TN_GEMM_H
#include "core/base/pool.h"
#include "core/kernels/dtype.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>

/* Pool and per-worker packing memory of one caller; one thread at a time. */
typedef struct tn_gemm tn_gemm;
TERN_MUST_USE tern_status tn_gemm_new(tn_pool *pool /* borrowed, NULL: inline */, tn_gemm **out,
                                      tern_error *err);
void tn_gemm_free(tn_gemm *g);
tn_pool *tn_gemm_pool(const tn_gemm *g);

/* The kernel set in words and a hash of the shape table, e.g. "avx512bf16-5f3a91c2": results and
 * log-probabilities compare bit for bit only where it is equal. Static. */
const char *tn_gemm_id(void);

/* That table: which micro-kernel serves which class of products. [*n], static. */
typedef struct tn_gemm_class {
    const char *products; /* "f32", "bf16", "int8 weights", .. */
    char kernel[80];      /* instruction set, tile, depth of a pass */
} tn_gemm_class;
const tn_gemm_class *tn_gemm_table(size_t *n);

typedef enum tn_act { TN_ACT_NONE, TN_ACT_RELU, TN_ACT_GELU, TN_ACT_GELU_TANH, TN_ACT_SILU } tn_act;

/* An operand: row-major, `ld` elements from one row to the next; `trans`: op(X) is X transposed. */
typedef struct tn_mat {
    const void *data;
    tn_dtype dtype; /* F32, BF16 (F64 for A, B and C together: the reference path) */
    size_t ld;
    bool trans;
} tn_mat;

typedef struct tn_epilogue { /* applied in this order to each finished element */
    const float *bias;       /* [n] or NULL */
    tn_act act;
    const float *residual; /* [m, ld_residual] or NULL; may be C itself */
    size_t ld_residual;
} tn_epilogue;

typedef struct tn_gemm_args {
    size_t m, n, k;
    tn_mat a, b;
    void *c;
    tn_dtype c_type; /* F32 or BF16 (F64 with f64 operands) */
    size_t ldc;
    float alpha;                 /* 1 for a plain product */
    bool accumulate;             /* add to what C holds (F32, F64 only) */
    bool bf16;                   /* F32 operands are rounded to bf16 as they are packed */
    const tn_epilogue *epilogue; /* NULL: none */
} tn_gemm_args;
/* Errors: ARG (types, accumulate with an epilogue), NOMEM. m, n or k of 0 is allowed. */
TERN_MUST_USE tern_status tn_gemm_run(tn_gemm *g, const tn_gemm_args *args, tern_error *err);
/* n_batch products of one shape; stride_* are in elements, 0 for an operand all share. Cut over
 * batch and tiles. ARG also: a residual. */
TERN_MUST_USE tern_status tn_gemm_run_batch(tn_gemm *g, const tn_gemm_args *args, size_t n_batch,
                                            size_t stride_a, size_t stride_b, size_t stride_c,
                                            tern_error *err);

/* A weight matrix W[n,k] (as linear layers store it: out x in), packed once for y = x W^T. */
typedef enum tn_weight_format {
    TN_WEIGHT_F32,
    TN_WEIGHT_BF16,
    TN_WEIGHT_I8,      /* symmetric, one scale per row (output channel) */
    TN_WEIGHT_I8_GROUP /* symmetric, one scale per row and group of 64 columns */
} tn_weight_format;
typedef struct tn_weight tn_weight; /* immutable; any thread */
TERN_MUST_USE tern_status tn_weight_new(tn_pool *pool, const void *w, tn_dtype dtype, size_t n,
                                        size_t k, size_t ld, tn_weight_format format,
                                        tn_weight **out, tern_error *err);
void tn_weight_free(tn_weight *w);
size_t tn_weight_bytes(const tn_weight *w); /* what a matrix-vector product must read */
void tn_weight_get_row(const tn_weight *w, size_t row, float *out /* [k] */); /* embeddings */

/* y[m,n] = epilogue(x[m,k] W^T): m = 1 is the decoding GEMV, which runs at memory bandwidth. x is
 * F32 or BF16, and is rounded to bf16 unless the weight is F32. With `fixed` each row's bits do not
 * depend on m (deterministic batching); today's kernels keep that promise either way. */
TERN_MUST_USE tern_status tn_weight_mul(tn_gemm *g, const tn_weight *w, tn_mat x, size_t m,
                                        float *y, size_t ldy, const tn_epilogue *epilogue,
                                        bool fixed, tern_error *err);

#endif
