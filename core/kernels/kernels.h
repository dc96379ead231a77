/* kernels.h - the inner loops that are written once per instruction set.
 * One table of function pointers: filled with the plain C of ref.c, then overwritten upward by each
 * level the processor has (cpu.h), so that it is always complete and the last writer is the best.
 * Leaves of one thread: no pool, no allocation, no error. Pointers need no alignment and must not
 * overlap unless "in place" is said; nothing is read or written outside the lengths given; a length
 * of 0 is allowed unless said otherwise. Within one level a result depends on the values alone, not
 * on addresses. The double table is the reference alone: gradients are checked in it. */
#ifndef TN_KERNELS_H
#define TN_KERNELS_H
#include "core/kernels/cpu.h"
#include "core/kernels/dtype.h"
#include "core/kernels/gemm.h" /* tn_act */

typedef struct tn_adamw_args {
    float lr, beta1, beta2, eps, weight_decay;
    float correction1, correction2; /* 1 - beta1^t, 1 - beta2^t */
    float grad_scale;               /* clipping and accumulation: g is multiplied by it first */
} tn_adamw_args;

typedef struct tn_kernels {
    tn_cpu_level level;
    const struct tn_attention_kernels *attention; /* attention_priv.h */

    void (*bf16_from_f32)(tn_bf16 *y, const float *x, size_t n); /* nearest even, as tn_bf16_set */
    void (*f32_from_bf16)(float *y, const tn_bf16 *x, size_t n);
    /* out[i] = <x, row i>, rows[n][dim]: the fixed sum of dot.h, the same bits at every level */
    void (*dot_rows)(const float *x, const float *rows, size_t dim, size_t n, float *out);
    int32_t (*dot_i8)(const int8_t *x, const int8_t *y, size_t n); /* exact; n < 2^17 */

#define TN_REAL float
#include "core/kernels/kernels_table.h"
#undef TN_REAL
} tn_kernels;

typedef struct tn_kernels_f64 {
#define TN_REAL double
#include "core/kernels/kernels_table.h"
#undef TN_REAL
} tn_kernels_f64;

/* The table for this processor and TERN_CPU; static, filled once, any thread. */
const tn_kernels *tn_kernels_get(void);
/* The table of one level, for tests and benchmarks; NULL if this processor lacks it. */
const tn_kernels *tn_kernels_of(tn_cpu_level level);
const tn_kernels_f64 *tn_kernels_f64_get(void); /* static, any thread */

#endif
