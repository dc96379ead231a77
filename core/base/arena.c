/* arena.c - see arena.h. A list of blocks; each new block is at least twice the previous one. */
#include "core/base/arena.h"
#include "core/base/mem.h"
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, BLOCK_MIN = 16 << 10, BLOCK_MAX = 4 << 20 };

typedef struct tn_arena_block {
    struct tn_arena_block *next; /* older */
    size_t used, cap;            /* bytes of payload */
    _Alignas(ALIGN) unsigned char payload[];
} block;

static int arenas_are_off(void) {
    static _Atomic int known; /* 0 unknown, 1 on, 2 off */
    int k = atomic_load_explicit(&known, memory_order_relaxed);
    if (!k) {
        const char *v = getenv("TERN_ARENA");
        k = v && strcmp(v, "off") == 0 ? 2 : 1;
        atomic_store_explicit(&known, k, memory_order_relaxed);
    }
    return k == 2;
}

static block *block_push(tn_arena *a, size_t n) {
    size_t cap = n;
    if (!arenas_are_off()) {
        size_t next = a->head ? a->head->cap * 2 : BLOCK_MIN;
        if (next > BLOCK_MAX) next = BLOCK_MAX;
        if (cap < next) cap = next;
    }
    if (cap > SIZE_MAX - sizeof(block)) return NULL;
    block *b = tn_alloc(sizeof(block) + cap);
    if (!b) return NULL;
    *b = (block){.next = a->head, .used = 0, .cap = cap};
    a->head = b;
    return b;
}

void *tn_arena_alloc(tn_arena *a, size_t n) {
    if (n > SIZE_MAX - ALIGN) return NULL;
    n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (n == 0) n = ALIGN;
    block *b = a->head;
    if (!b || b->cap - b->used < n) b = block_push(a, n);
    if (!b) return NULL;
    void *p = b->payload + b->used;
    b->used += n;
    a->n_bytes += n;
    return p;
}

void *tn_arena_calloc(tn_arena *a, size_t n, size_t size) {
    size_t n_bytes;
    if (__builtin_mul_overflow(n, size, &n_bytes)) return NULL;
    void *p = tn_arena_alloc(a, n_bytes);
    if (p) memset(p, 0, n_bytes);
    return p;
}

char *tn_arena_strndup(tn_arena *a, const char *s, size_t n) {
    char *copy = n < SIZE_MAX ? tn_arena_alloc(a, n + 1) : NULL;
    if (!copy) return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

tn_arena_mark tn_arena_get_mark(const tn_arena *a) {
    return (tn_arena_mark){a->head, a->head ? a->head->used : 0, a->n_bytes};
}

void tn_arena_rewind(tn_arena *a, tn_arena_mark mark) {
    while (a->head != mark.head) {
        block *b = a->head;
        a->head = b->next;
        tn_free(b);
    }
    if (a->head) a->head->used = mark.used;
    a->n_bytes = mark.n_bytes;
}

void tn_arena_reset(tn_arena *a) {
    block *keep = a->head; /* blocks only grow, so the newest is the largest or near it */
    if (keep && !arenas_are_off()) {
        for (block *b = keep->next; b;) {
            block *next = b->next;
            tn_free(b);
            b = next;
        }
        keep->next = NULL;
        keep->used = 0;
        a->n_bytes = 0;
    } else {
        tn_arena_deinit(a);
    }
}

void tn_arena_deinit(tn_arena *a) {
    tn_arena_rewind(a, (tn_arena_mark){0});
}
