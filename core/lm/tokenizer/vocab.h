/* vocab.h - pieces <-> ids. Ids need not be dense, but lie below TN_VOCAB_ID_MAX: a hostile file
 * cannot make a small one cost gigabytes. */
#ifndef TN_TOK_VOCAB_H
#define TN_TOK_VOCAB_H
#include "core/base/strmap.h"
#include "tern/status.h"

enum { TN_VOCAB_ID_MAX = 1 << 22 };

typedef struct tn_vocab {
    tn_strmap map;  /* piece -> number */
    int32_t *id_of; /* by number */
    size_t id_of_cap;
    uint32_t *key_of; /* by id: number + 1, or 0 */
    size_t key_cap;
    int32_t size; /* one more than the largest id */
} tn_vocab;       /* zero-initialise to start */

void tn_vocab_deinit(tn_vocab *v);
/* Errors: FORMAT (id out of range; the piece or the id is there already), NOMEM. */
TERN_MUST_USE tern_status tn_vocab_add(tn_vocab *v, const char *piece, size_t len, int64_t id,
                                       tern_error *err);
int32_t tn_vocab_find(const tn_vocab *v, const char *piece, size_t len); /* -1: none */
/* NULL: no such id. Valid until tn_vocab_deinit. */
const char *tn_vocab_piece(const tn_vocab *v, int64_t id, size_t *len);

#endif
