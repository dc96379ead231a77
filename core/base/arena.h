/* arena.h - memory that is freed all at once.
 * One arena per request, step or worker; never shared between threads. TERN_ARENA=off in the
 * environment makes every allocation a block of its own, so that ASan and valgrind see each one. */
#ifndef TN_ARENA_H
#define TN_ARENA_H
#include <stddef.h>

typedef struct tn_arena {
    struct tn_arena_block *head; /* newest block first */
    size_t n_bytes;              /* handed out since the last reset */
} tn_arena;                      /* zero-initialise to start */

typedef struct tn_arena_mark {
    struct tn_arena_block *head;
    size_t used, n_bytes;
} tn_arena_mark;

void tn_arena_deinit(tn_arena *a);
void tn_arena_reset(tn_arena *a); /* forget everything, keep the largest block */
/* n bytes, 16-byte aligned, uninitialised / zeroed; NULL: no memory. Valid until reset or rewind.
 */
void *tn_arena_alloc(tn_arena *a, size_t n);
void *tn_arena_calloc(tn_arena *a, size_t n, size_t size);
char *tn_arena_strndup(tn_arena *a, const char *s, size_t n);
tn_arena_mark tn_arena_get_mark(const tn_arena *a);
void tn_arena_rewind(tn_arena *a, tn_arena_mark mark); /* free all that came after the mark */

#endif
