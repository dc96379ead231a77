/* guarded.h - encoding a text of which some parts come from strangers. */
#ifndef TN_TOK_GUARDED_H
#define TN_TOK_GUARDED_H
#include "tern/tokenizer.h"

/* As tern_tokenizer_encode, but no special token is looked for that would touch one of the guarded
 * parts: [n_guarded] spans of the text, ascending, apart. */
TERN_MUST_USE tern_status tn_encode_guarded(const tern_tokenizer *t, const char *text, size_t len,
                                            const tern_token_span *guarded, size_t n_guarded,
                                            const tern_encode_opts *opts, tern_tokens *tokens,
                                            tern_error *err);

#endif
