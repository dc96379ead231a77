/* verify.h - a model held against stored reference numbers.
 * The reference is one safetensors file in the layout
 *   input_ids       I64 [B, T]
 *   attention_mask  I64 [B, T]  1: token, 0: padding, at either end (optional)
 *   token_type_ids  I64 [B, T]  (encoder, optional)
 *   hidden.last     F32 [B, T, hidden]            after the last norm
 *   logits          F32 [B, T, vocab or n_labels] or, of sequence classifiers, [B, n_labels]
 *   pooled.cls_l2, pooled.mean_l2  F32 [B, hidden]  unit length (encoder)
 *   loss            F32 [1]  next token (decoder; padding is no target)
 *   greedy.ids      I64 [N]  a prompt and its greedy continuation; greedy.prompt_len I64 [1]
 * of which any part may be missing but input_ids. Padding is compared nowhere: what a model says
 * there means nothing. */
#ifndef TN_LM_VERIFY_H
#define TN_LM_VERIFY_H
#include "core/lm/decoder.h"

typedef struct tn_lm_check {
    const char *name; /* "logits" */
    double relative;  /* ||x - ref|| / ||ref|| */
    double largest;   /* max |x - ref| / max |ref| */
    size_t n;         /* numbers compared */
} tn_lm_check;

typedef struct tn_lm_verdict {
    tn_lm_check checks[6];
    size_t n_checks;
    size_t n_greedy, n_greedy_equal;
    size_t n_greedy_wrong; /* differ although the best logit leads by more than 1e-3 */
    bool passed;           /* every relative and largest within the tolerance, no greedy_wrong */
} tn_lm_verdict;

/* cache_type: of the key-value cache (decoder).
 * Errors: FORMAT, SHAPE (the reference is of another model), NOT_FOUND (input_ids), NOMEM. */
TERN_MUST_USE tern_status tn_lm_verify(const tn_lm *lm, const tern_st *reference, tn_pool *pool,
                                       tn_dtype cache_type, double tolerance, tn_lm_verdict *out,
                                       tern_error *err);

#endif
