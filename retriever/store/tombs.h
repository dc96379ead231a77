/* tombs.h - which passages of a segment are removed: a bitmap in a file of its own, since segments
 * never change. Each commit that removes something writes a new one.
 *   payload: u32 n passages, u32 n dead, u64 words[(n + 63) / 64], bit set = removed */
#ifndef TN_TOMBS_H
#define TN_TOMBS_H
#include "tern/status.h"
#include <stdint.h>

TERN_MUST_USE tern_status tn_tombs_write(const char *path, const uint64_t *dead, uint32_t n,
                                         tern_error *err);
typedef struct tn_tombs {
    struct tn_bfile *file;
    const uint64_t *dead; /* valid until tn_tombs_close */
} tn_tombs;
/* CORRUPT also when the file is not of n passages, n_dead of them removed. */
TERN_MUST_USE tern_status tn_tombs_open(const char *path, uint32_t n, uint32_t n_dead,
                                        tn_tombs *out, tern_error *err);
void tn_tombs_close(tn_tombs *t); /* zeroed allowed */
uint32_t tn_tombs_count(const uint64_t *dead, uint32_t n);
#endif
