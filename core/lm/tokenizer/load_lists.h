/* load_lists.h - the layouts older than tokenizer.json. `where` names a file in messages. */
#ifndef TN_TOK_LOAD_LISTS_H
#define TN_TOK_LOAD_LISTS_H
#include "core/lm/tokenizer/config.h"

/* Byte-level BPE; the pre-tokenizer is GPT-2's, or Qwen2's if the class says so. */
TERN_MUST_USE tern_status tn_load_vocab_merges(tern_tokenizer *t, const char *vocab_where,
                                               const char *vocab, size_t n_vocab,
                                               const char *merges_where, const char *merges,
                                               size_t n_merges, const tn_tok_config *c,
                                               tern_error *err);
/* BERT's WordPiece; lower-casing unless do_lower_case is false. */
TERN_MUST_USE tern_status tn_load_vocab_txt(tern_tokenizer *t, const char *where, const char *text,
                                            size_t n, const tn_tok_config *c, tern_error *err);

#endif
