/* xent.h - cross-entropy of a large vocabulary that never holds all [n_tokens, n_classes] logits.
 *
 *   z[t] = cap(W h[t]),  loss[t] = lse(z[t]) - (1 - e) z[t, target] - e mean_v z[t, v]      (nats)
 *
 * with cap(x) = c tanh(x / c) if c > 0 and e the label smoothing. Logits exist one tile of tokens
 * by classes at a time; forward keeps their log-sum-exp, from which backward makes them again.
 * Tiles are cut by shape and combined in order: the same bits on any number of threads. */
#ifndef TN_XENT_H
#define TN_XENT_H
#include "core/kernels/gemm.h"

enum { TN_XENT_IGNORE = -100 }; /* a target: loss 0, no gradient */

typedef struct tn_xent_args {
    size_t n_tokens, n_classes, dim;
    const void *h; /* [n_tokens, dim], rows ld_h apart */
    const void *w; /* [n_classes, dim], rows ld_w apart: an output layer or a tied embedding */
    size_t ld_h, ld_w;
    tn_dtype type;         /* of h, w and every result: F32, or F64 (the plain loop, for checks) */
    const int32_t *target; /* [n_tokens]: 0 .. n_classes - 1, or TN_XENT_IGNORE */
    float softcap;         /* > 0: caps the logits */
    float smoothing;       /* e, 0 .. 1 */
    bool bf16;             /* products of operands rounded to bf16 (F32 only) */
} tn_xent_args;

/* loss, lse [n_tokens] out. Errors: ARG (a target out of range, named; type), NOMEM. */
TERN_MUST_USE tern_status tn_xent(tn_gemm *g, const tn_xent_args *a, void *loss, void *lse,
                                  tern_error *err);
/* Accumulates into dh [n_tokens, dim] and dw [n_classes, dim] (rows ld_h, ld_w apart; NULL: not
 * wanted). dloss [n_tokens]: the gradient of each token's loss; weights of tokens and the 1/n of a
 * mean go in there. Errors: ARG, NOMEM. */
TERN_MUST_USE tern_status tn_xent_backward(tn_gemm *g, const tn_xent_args *a, const void *lse,
                                           const void *dloss, void *dh, void *dw, tern_error *err);

#endif
