/* embed_cache.h - vectors that have been computed, by the hash of the text they are of.
 * A neural embedder costs milliseconds a passage: what it has once embedded is never embedded again
 * while it stands in the index, through re-indexing, merging and compaction, and a build that was
 * stopped goes on where it was.
 *
 * File DIR/embedded-EPOCH.cache (little endian), appended to, never changed in place:
 *   0   magic "TERNEMB1"   8  u64 epoch   16  u32 dim   20  u32 crc of the 20 bytes before
 *   24  records: u64 hash[2], f32 vector[dim], u32 crc of both
 * A record that was cut or does not match its crc ends the file: it and what follows are dropped.
 * One thread. */
#ifndef TN_EMBED_CACHE_H
#define TN_EMBED_CACHE_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_embed_cache tn_embed_cache;

typedef struct tn_text_hash {
    uint64_t half[2]; /* XXH3-128 of the text */
} tn_text_hash;
tn_text_hash tn_text_hash_of(const char *text, size_t len);

/* Open DIR/embedded-EPOCH.cache, making it if need be; a cache of another embedder in the file's
 * place is replaced. Errors: IO, FULL, NOMEM. */
TERN_MUST_USE tern_status tn_embed_cache_open(const char *dir, uint64_t epoch, uint32_t dim,
                                              tn_embed_cache **out, tern_error *err);
/* The vector [dim] of that text, copied out, and marked as used; false: not there.
 * CORRUPT never: a record that cannot be read back counts as not there. */
bool tn_embed_cache_get(tn_embed_cache *c, tn_text_hash hash, float *out);
/* Append and mark as used. The text must not be there yet. Errors: IO, FULL, NOMEM. */
TERN_MUST_USE tern_status tn_embed_cache_add(tn_embed_cache *c, tn_text_hash hash,
                                             const float *vector, tern_error *err);
/* Everything added so far survives a power cut. */
TERN_MUST_USE tern_status tn_embed_cache_sync(tn_embed_cache *c, tern_error *err);
/* Replace the file by one of the used records alone. */
TERN_MUST_USE tern_status tn_embed_cache_prune(tn_embed_cache *c, tern_error *err);
size_t tn_embed_cache_n(const tn_embed_cache *c); /* records */
void tn_embed_cache_close(tn_embed_cache *c);     /* NULL allowed */

#endif
