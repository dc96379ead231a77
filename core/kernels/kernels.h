/* kernels.h - the inner loops that are written once per instruction set.
 * One table of function pointers: filled with the plain C of ref.c, then overwritten upward by each
 * level the processor has (cpu.h), so that it is always complete and the last writer is the best.
 * Leaves of one thread: no pool, no allocation, no error. Pointers need no alignment and must not
 * overlap unless "in place" is said; nothing is read or written outside the lengths given.
 * Within one level a result depends on the values alone, not on addresses. */
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

    void (*bf16_from_f32)(tn_bf16 *y, const float *x, size_t n); /* nearest even */
    void (*f32_from_bf16)(float *y, const tn_bf16 *x, size_t n);

    float (*dot)(const float *x, const float *y, size_t n);
    float (*sum)(const float *x, size_t n);
    float (*max)(const float *x, size_t n); /* n >= 1 */
    double (*sum_squares)(const float *x, size_t n);
    void (*axpy)(float *y, float a, const float *x, size_t n);       /* y += a x */
    void (*scale)(float *y, float a, size_t n);                      /* y *= a */
    void (*add)(float *y, const float *a, const float *b, size_t n); /* in place allowed */
    void (*mul)(float *y, const float *a, const float *b, size_t n); /* in place allowed */
    void (*exp)(float *y, const float *x, size_t n);                 /* 2 ulp; in place allowed */
    void (*tanh)(float *y, const float *x, size_t n);                /* in place allowed */
    void (*sigmoid)(float *y, const float *x, size_t n);             /* in place allowed */

    void (*act)(tn_act kind, float *y, const float *x, size_t n); /* in place allowed */
    void (*act_backward)(tn_act kind, float *dx, const float *dy, const float *x,
                         size_t n); /* dx += dy act'(x) */
    /* y = act(gate) up: SwiGLU, GeGLU; backward accumulates into both */
    void (*glu)(tn_act kind, float *y, const float *gate, const float *up, size_t n);
    void (*glu_backward)(tn_act kind, float *dgate, float *dup, const float *dy, const float *gate,
                         const float *up, size_t n);

    /* y = exp(x - max x) / sum; returns log sum exp(x) (natural). In place allowed. -inf entries
     * give 0; a row of -inf alone gives zeros and -inf. */
    float (*softmax)(float *y, const float *x, size_t n);
    /* dx += y (dy - <dy, y>) */
    void (*softmax_backward)(float *dx, const float *dy, const float *y, size_t n);

    /* y = x rstd (weight + offset), rstd = (mean(x^2) + eps)^-1/2; offset is 1 for Gemma, else 0 */
    float (*rms_norm)(float *y, const float *x, const float *weight, float offset, float eps,
                      size_t n); /* returns rstd */
    void (*rms_norm_backward)(float *dx, float *dweight, const float *dy, const float *x,
                              const float *weight, float offset, float rstd,
                              size_t n); /* both accumulate */
    /* y = (x - mean) rstd weight + bias; bias may be NULL */
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, float eps,
                       size_t n, float *mean, float *rstd);
    void (*layer_norm_backward)(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, float mean, float rstd,
                                size_t n); /* all accumulate; dbias may be NULL */

    /* Rotate pairs (i, i + n/2) by angle: the half-split convention of Hugging Face models. cos,
     * sin [n/2]; `inverse` rotates back (the backward pass). In place. */
    void (*rope)(float *x, const float *cos, const float *sin, size_t n, bool inverse);

    void (*adamw)(float *w, const float *grad, float *m, float *v, const tn_adamw_args *a,
                  size_t n);

    int32_t (*dot_i8)(const int8_t *x, const int8_t *y, size_t n); /* exact; n < 2^17 */
} tn_kernels;

/* The table for this processor and TERN_CPU; static, filled once, any thread. */
const tn_kernels *tn_kernels_get(void);
/* The table of one level, for tests and benchmarks; NULL if this processor lacks it. */
const tn_kernels *tn_kernels_of(tn_cpu_level level);

#endif
