/* json_load.h - reading tokenizer.json, for its two files: json_load.c has the model, the added
 * tokens and the template; json_steps.c the normaliser, the pre-tokenizer and the decoder.
 * A member that is not known is refused by its path unless it is null or false: it might change
 * ids. */
#ifndef TN_TOK_JSON_LOAD_H
#define TN_TOK_JSON_LOAD_H
#include "core/base/json.h"
#include "core/lm/tokenizer/tokenizer_priv.h"

typedef struct tn_tok_reader {
    tern_tokenizer *t;
    tern_error *err;
    int depth; /* of nested Sequence objects */
} tn_tok_reader;

enum { TN_JSON_DEPTH_MAX = 8 };

/* "path: message" */
tern_status tn_json_refuse(tn_tok_reader *l, tern_status st, const char *path, const char *fmt, ...)
    TERN_PRINTF(4, 5);
/* The value is an object whose members are all among `known` (separated by spaces). */
TERN_MUST_USE tern_status tn_json_members(tn_tok_reader *l, const json_t *obj, const char *path,
                                          const char *known);
/* A copy in the tokenizer's arena. */
TERN_MUST_USE tern_status tn_json_text(tn_tok_reader *l, const json_t *v, const char *path,
                                       const char **s, size_t *n);
TERN_MUST_USE tern_status tn_json_normalizer(tn_tok_reader *l, const json_t *v, const char *path);
TERN_MUST_USE tern_status tn_json_pre_tokenizer(tn_tok_reader *l, const json_t *v,
                                                const char *path);
TERN_MUST_USE tern_status tn_json_decoder(tn_tok_reader *l, const json_t *v, const char *path);

#endif
