/* tokens_priv.h - the layout of a token file, for its reader and its writer. */
#ifndef TN_LM_TOKENS_PRIV_H
#define TN_LM_TOKENS_PRIV_H
#include "trainer/lm/tokens.h"

#define TN_TOKENS_MAGIC "terntok1"
enum { TN_TOKENS_HEAD = 104, TN_TOKENS_BODY_CRC = 92, TN_TOKENS_HEAD_CRC = 96 };

/* Where the sections begin, and the size of the file. */
typedef struct tn_tokens_layout {
    uint64_t ids, doc_begin, record_begin, tags, second, targets, end;
} tn_tokens_layout;

/* false: the numbers cannot be those of a file of at most 2^62 bytes. */
bool tn_tokens_lay_out(const tn_tokens_kind *k, uint64_t n_records, uint64_t n_docs,
                       uint64_t n_tokens, tn_tokens_layout *out);
static inline unsigned tn_tokens_width(uint32_t vocab) {
    return vocab <= 65536 ? 2 : 4;
}

#endif
