/* decoder.h - the decoder over the paged cache: one code path for prefill and decode.
 *
 *   h = rms(x);  q, k, v = h Wqkv + b;  q, k normed (Qwen3, Gemma) and rotated
 *   x += Wo softmax(q k^T scale) v       (Gemma: rms of it is added)
 *   x += Wdown (act(Wgate rms(x)) Wup rms(x))
 *   logits = softcap(Whead rms(x))
 *
 * A step takes new tokens of many sequences, packed one after the other: one of each when all are
 * decoding, hundreds of one when a prompt is read, or both at once. */
#ifndef TN_LM_DECODER_H
#define TN_LM_DECODER_H
#include "core/lm/kvcache.h"
#include "core/lm/model.h"

typedef struct tn_lm_engine tn_lm_engine; /* one thread at a time */

typedef struct tn_lm_engine_opts {
    tn_dtype cache_type; /* F32 or BF16 */
    size_t n_pages_max;  /* of the cache; 0: no limit but memory */
    bool fixed; /* a row's bits do not depend on the other sequences of the step: fixed tiles */
} tn_lm_engine_opts;

/* lm and pool are borrowed. ARG (lm is an encoder), NOMEM. */
TERN_MUST_USE tern_status tn_lm_engine_new(const tn_lm *lm, tn_pool *pool,
                                           const tn_lm_engine_opts *opts, tn_lm_engine **out,
                                           tern_error *err);
void tn_lm_engine_free(tn_lm_engine *e); /* NULL allowed; sequences first */
tn_kv_cache *tn_lm_engine_cache(tn_lm_engine *e);
const tn_lm *tn_lm_engine_model(const tn_lm_engine *e);
tn_pool *tn_lm_engine_pool(const tn_lm_engine *e);

typedef struct tn_lm_span {
    tn_kv_seq *seq; /* its tokens so far are in the cache; no sequence twice in a step */
    size_t n_rows;  /* new tokens of it, >= 1 */
} tn_lm_span;

typedef struct tn_lm_step {
    const tn_lm_span *spans; /* [n_spans] */
    size_t n_spans;
    const int32_t *tokens;    /* [sum of n_rows], in the order of the spans */
    const uint32_t *out_rows; /* [n_out] rows of the step whose results are wanted */
    size_t n_out;
    float *hidden; /* [n_out, hidden] out: after the last norm; NULL: not wanted */
    float *logits; /* [n_out, tn_lm_n_outputs] out; NULL: not wanted */
} tn_lm_step;

/* On TERN_OK each sequence holds its new tokens; else each is as long as before.
 * Errors: ARG (an id outside the vocabulary, logits without a head), LIMIT (cache), NOMEM. */
TERN_MUST_USE tern_status tn_lm_engine_step(tn_lm_engine *e, const tn_lm_step *step,
                                            tern_error *err);
size_t tn_lm_n_outputs(const tn_lm_config *c); /* width of the logits: vocab, n_labels or 0 */

#endif
