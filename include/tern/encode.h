/* encode.h - texts to vectors, and pairs of texts to scores.
 * Texts longer than the model reads are cut, special tokens kept, as sentence-transformers does.
 * Batches are packed without padding: a text's numbers depend on what else is in a batch by no more
 * than rounding. */
#ifndef TERN_ENCODE_H
#define TERN_ENCODE_H
#include "tern/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Embed n texts into out[n][dim] (tern_model_info.dim), pooled, projected and normalised as the
 * folder says. Encoders, and decoders whose folder has modules.json.
 *   prompt  name of a prompt of config_sentence_transformers.json put before each text; NULL: the
 *           default one if the folder names one; "": none
 *   host    progress "embedding" and cancellation; NULL allowed
 * Errors: ARG (no tokenizer, a model that does not embed, an unknown prompt: lists the known),
 * SHAPE, CANCELLED, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_model_embed(const tern_model *m, const char *const *texts,
                                                    const size_t *lens, size_t n,
                                                    const char *prompt, float *out,
                                                    const tern_host *host, tern_error *err);

typedef struct tern_pair {
    const char *a; /* the query, a_len bytes */
    size_t a_len;
    const char *b; /* the passage */
    size_t b_len;
} tern_pair;

/* Score n pairs with a sequence classifier (a cross-encoder): out[n][n_labels] raw logits. The
 * longer text of a pair is cut first. BERT marks the second text by its token type, RoBERTa and
 * XLM-R put </s></s> between them.
 * Errors: ARG (no tokenizer, not an encoder with a sequence head), CANCELLED, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_model_score(const tern_model *m, const tern_pair *pairs,
                                                    size_t n, float *out, const tern_host *host,
                                                    tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
