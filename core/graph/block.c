/* block.c - see block.h. Size classes are eight to an octave: at most an eighth is wasted. */
#include "core/graph/block.h"
#include <stdbool.h>

/* Under AddressSanitizer a free block is poisoned: a value read after its release is caught as if
 * every block came from the heap. */
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

#include "core/base/mem.h"

enum { ALIGN = 64, SLACK = 1 << 20 };

/* The class of n bytes, and the size all its blocks have. */
static size_t class_of(size_t n, size_t *n_bytes) {
    if (n <= ALIGN) return *n_bytes = ALIGN, 0;
    size_t octave = 63 - (size_t)__builtin_clzll((unsigned long long)(n - 1)); /* 2^octave < n */
    size_t step = (size_t)1 << octave >> 3;
    size_t eighth = (n - 1 - ((size_t)1 << octave)) / step; /* 0..7 */
    *n_bytes = ((size_t)1 << octave) + (eighth + 1) * step;
    return 8 * (octave - 6) + eighth + 1;
}

static void unlink_live(tn_blocks *b, tn_block *block) {
    if (block->prev)
        block->prev->next = block->next;
    else
        b->live = block->next;
    if (block->next) block->next->prev = block->prev;
}

static void put_free(tn_blocks *b, tn_block *block) {
    size_t n_bytes;
    size_t c = class_of(block->n_bytes, &n_bytes);
    POISON(block->data, block->n_bytes);
    b->live_bytes -= block->n_bytes;
    block->next = b->free[c];
    b->free[c] = block;
}

static tn_block *take_free(tn_blocks *b, size_t c) {
    for (size_t i = c; i < c + 3 && i < TN_BLOCK_CLASSES; i++) /* up to a third larger will do */
        if (b->free[i]) {
            tn_block *block = b->free[i];
            b->free[i] = block->next;
            return block;
        }
    return NULL;
}

static void give_back(tn_blocks *b, tn_block *block) {
    UNPOISON(block->data, block->n_bytes);
    b->held_bytes -= block->n_bytes;
    tn_free(block->raw);
    tn_free(block);
}

/* Steps of changing shape would leave blocks of every size behind: before n more bytes are taken,
 * idle ones go back, the largest first, until what is held is at most half more than what was ever
 * in use at once. Steps that repeat never come here. */
static void trim(tn_blocks *b, size_t n_bytes) {
    size_t peak = b->live_bytes + n_bytes;
    if (peak < b->live_peak_bytes) peak = b->live_peak_bytes;
    size_t limit = peak + peak / 2 + SLACK;
    for (size_t c = TN_BLOCK_CLASSES; c-- > 0 && b->held_bytes + n_bytes > limit;)
        while (b->free[c] && b->held_bytes + n_bytes > limit) {
            tn_block *block = b->free[c];
            b->free[c] = block->next;
            give_back(b, block);
        }
}

static tn_block *take_system(tn_blocks *b, size_t n_bytes) {
    trim(b, n_bytes);
    unsigned char *raw = tn_alloc(n_bytes + ALIGN - 1);
    tn_block *block = tn_alloc(sizeof *block);
    if (!raw || !block) {
        tn_free(raw);
        tn_free(block);
        return NULL;
    }
    *block = (tn_block){.n_bytes = n_bytes, .raw = raw};
    block->data = raw + (ALIGN - (uintptr_t)raw % ALIGN) % ALIGN;
    b->held_bytes += n_bytes;
    b->n_taken++;
    return block;
}

tn_block *tn_block_new(tn_blocks *b, size_t n_bytes) {
    if (n_bytes > SIZE_MAX / 4) return NULL;
    size_t c = class_of(n_bytes, &n_bytes);
    tn_block *block = c < TN_BLOCK_CLASSES ? take_free(b, c) : NULL;
    if (!block && c < TN_BLOCK_CLASSES) block = take_system(b, n_bytes);
    if (!block) return NULL;
    UNPOISON(block->data, block->n_bytes);
    block->n_refs = 1;
    block->prev = NULL;
    block->next = b->live;
    if (b->live) b->live->prev = block;
    b->live = block;
    b->live_bytes += block->n_bytes;
    if (b->live_bytes > b->live_peak_bytes) b->live_peak_bytes = b->live_bytes;
    return block;
}

void tn_block_drop(tn_blocks *b, tn_block *block) {
    if (!block || --block->n_refs) return;
    unlink_live(b, block);
    put_free(b, block);
}

void tn_blocks_reset(tn_blocks *b) {
    while (b->live) {
        tn_block *block = b->live;
        unlink_live(b, block);
        put_free(b, block);
    }
}

void tn_blocks_deinit(tn_blocks *b) {
    tn_blocks_reset(b);
    for (size_t c = 0; c < TN_BLOCK_CLASSES; c++)
        while (b->free[c]) {
            tn_block *block = b->free[c];
            b->free[c] = block->next;
            give_back(b, block);
        }
    *b = (tn_blocks){0};
}
