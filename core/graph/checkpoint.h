/* checkpoint.h - checkpoints as bytes, apart from files, for the fuzz target. */
#ifndef TN_GRAPH_CHECKPOINT_H
#define TN_GRAPH_CHECKPOINT_H
#include "core/graph/optim.h"
#include "tern/checkpoint.h"

/* Load from the bytes of a file; `path` is for messages. */
TERN_MUST_USE tern_status tn_train_state_read(const char *path, const uint8_t *data, size_t size,
                                              tern_optim *o, uint64_t recipe_hash,
                                              tern_train_state *s, tern_error *err);
/* The checksum that such bytes should carry, and the digits that they do (NULL: too short or not
 * begun as a checkpoint). */
uint32_t tn_train_state_crc(const uint8_t *data, size_t size);
const char *tn_train_state_digits(const uint8_t *data, size_t size);

#endif
