/* blockfile.h - a write-once file whose every 64 KiB is checked before it is believed.
 *
 * Layout (little endian):
 *   0   magic "TERNBLK1"
 *   8   u32 kind, four letters of TN_KIND    12  u32 format, 1
 *   16  u64 payload bytes                    24  u32 block bytes, 65536
 *   28  u32 crc of the crc table             32  zero
 *   60  u32 crc of the 60 bytes above
 *   64  payload, then zeros up to a multiple of 8
 *   ..  u32 CRC-32C per payload block; the last block may be short
 * Readers map the file; opening checks header, length and the crc table, and a view checks the
 * blocks it touches the first time (an atomic bitmap remembers). */
#ifndef TN_BLOCKFILE_H
#define TN_BLOCKFILE_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_KIND(a, b, c, d)                                                                        \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

enum { TN_BLOCK_BYTES = 64 << 10, TN_BLOCK_HEADER_BYTES = 64 };

/* --- writing: one thread --- */
typedef struct tn_bwriter tn_bwriter;
TERN_MUST_USE tern_status tn_bwriter_open(const char *path, uint32_t kind, tn_bwriter **out,
                                          tern_error *err);
TERN_MUST_USE tern_status tn_bwriter_add(tn_bwriter *w, const void *data, size_t n,
                                         tern_error *err);
TERN_MUST_USE tern_status tn_bwriter_align(tn_bwriter *w, size_t align,
                                           tern_error *err); /* zero fill */
uint64_t tn_bwriter_tell(const tn_bwriter *w);               /* payload bytes so far */
/* Finish: crc table, header, close. w is freed whatever the outcome; on failure (FULL, IO) the file
 * is unlinked. The file is synced by whoever names it in a manifest (tn_mfile_stamp): most files of
 * a large build are merged into others before that. */
TERN_MUST_USE tern_status tn_bwriter_commit(tn_bwriter *w, tern_error *err);
void tn_bwriter_abort(tn_bwriter *w); /* unlink and free; NULL allowed */

/* --- reading: immutable after open, any thread --- */
typedef struct tn_bfile tn_bfile;
enum { TN_BLOCK_ANY_KIND = 0 }; /* for tools that look at blocks, whatever they hold */
/* Errors: NOT_FOUND, CORRUPT (truncated, bad magic, wrong kind), VERSION, IO. */
TERN_MUST_USE tern_status tn_bfile_open(const char *path, uint32_t kind, tn_bfile **out,
                                        tern_error *err);
void tn_bfile_close(tn_bfile *f);          /* NULL allowed */
uint64_t tn_bfile_size(const tn_bfile *f); /* payload bytes */
const char *tn_bfile_path(const tn_bfile *f);
/* *out = payload[off .. off+n), verified, valid until close, 8-byte aligned when off is.
 * CORRUPT: the range is outside the payload or a block does not match its crc; the message names
 * file and offset. */
TERN_MUST_USE tern_status tn_bfile_view(const tn_bfile *f, uint64_t off, uint64_t n,
                                        const void **out, tern_error *err);
/* Fast path for hot loops: true if every block of the range has been verified already. */
bool tn_bfile_is_verified(const tn_bfile *f, uint64_t off, uint64_t n);
/* Check every block; calls bad(ud, message) for each damaged one. */
TERN_MUST_USE tern_status tn_bfile_check(const tn_bfile *f, void (*bad)(void *ud, const char *text),
                                         void *ud, tern_error *err);
#endif
