/* mem.h - the one door to the heap.
 * Sizes are checked for overflow, and a test can make the n-th allocation fail (tests/oom). Raw
 * malloc, calloc, realloc, strdup and free are poisoned below: include this header last, after
 * any system or library header. Blocks handed to us by a library are freed by that library. */
#ifndef TN_MEM_H
#define TN_MEM_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h> /* declares what is poisoned below, so it must come first */
#include <string.h>

/* Uninitialised / zeroed block of n bytes; n == 0 gives a unique, freeable block. NULL: no memory.
 */
void *tn_alloc(size_t n_bytes);
void *tn_calloc(size_t n, size_t size);
/* Resize to n * size bytes; on failure (or overflow) NULL, and the old block stays valid. */
void *tn_realloc(void *p, size_t n, size_t size);
void tn_free(void *p); /* NULL allowed */
char *tn_strdup(const char *s);
char *tn_strndup(const char *s, size_t n); /* n bytes of s, then NUL */

/* Grow a vector: make room for `need` elements in *vec (capacity *cap, doubling). Returns 0, or -1
 * on no memory with *vec and *cap unchanged. Use through TN_GROW. */
int tn_grow_(void **vec, size_t *cap, size_t need, size_t size);
#define TN_GROW(vec, cap, need) tn_grow_((void **)&(vec), &(cap), (need), sizeof *(vec))

/* Test hooks. Fail the allocation number n from now (0 = the next) and, when `sticky`, all after
 * it; n < 0 switches failing off. Thread-safe counters. */
void tn_mem_fail_after(int64_t n, int sticky);
uint64_t tn_mem_n_allocs(void); /* allocations since start */

#if defined(__GNUC__) && !defined(TN_MEM_IMPL) && !defined(__cplusplus)
#pragma GCC poison malloc calloc realloc strdup strndup
#endif
#endif
