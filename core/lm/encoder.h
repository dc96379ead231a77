/* encoder.h - the encoder over packed texts: no padding is ever computed.
 *
 *   x = norm(word + position + type)
 *   x = norm(x + Wo softmax(q k^T scale) v);  x = norm(x + Wdown act(Wup x))
 *
 * A sequence classifier reads the first token: W tanh(Wd x_0 + b) + b. */
#ifndef TN_LM_ENCODER_H
#define TN_LM_ENCODER_H
#include "core/lm/model.h"

typedef struct tn_lm_encoder tn_lm_encoder; /* one thread at a time */

/* lm and pool are borrowed. ARG (lm is a decoder), NOMEM. */
TERN_MUST_USE tern_status tn_lm_encoder_new(const tn_lm *lm, tn_pool *pool, tn_lm_encoder **out,
                                            tern_error *err);
void tn_lm_encoder_free(tn_lm_encoder *e); /* NULL allowed */

typedef struct tn_lm_texts {
    const int32_t *tokens;    /* [n_tokens], the texts one after the other */
    const int32_t *types;     /* [n_tokens] or NULL: all 0 */
    const int32_t *seq_begin; /* [n_seqs + 1] */
    size_t n_seqs;
    const int32_t *positions; /* [n_tokens] rows of the position table, or NULL: as transformers
                                 counts them (from position_offset, padding ids not counted) */
} tn_lm_texts;

/* hidden [n_tokens, hidden] out: the last hidden state; NULL: not wanted.
 * logits out, NULL: not wanted: [n_seqs, n_labels] of a sequence classifier, else
 * [n_tokens, n_labels or vocab].
 * Errors: ARG (ids, types, an empty text, logits without a head), LIMIT (a text longer than the
 * table of positions), NOMEM. */
TERN_MUST_USE tern_status tn_lm_encoder_run(tn_lm_encoder *e, const tn_lm_texts *texts,
                                            float *hidden, float *logits, tern_error *err);

#endif
