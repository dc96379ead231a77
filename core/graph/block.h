/* block.h - the memory of values and gradients: big blocks that are recycled.
 * A block is taken from the system once and then handed round by size class, so that a training
 * step which repeats takes nothing. Counted: views and gradients share one block, and what is
 * alone (n_refs of 1) may be written in place. One thread at a time. */
#ifndef TN_BLOCK_H
#define TN_BLOCK_H
#include <stddef.h>
#include <stdint.h>

typedef struct tn_block {
    struct tn_block *prev, *next; /* in the list of live blocks, or (next) of free ones */
    size_t n_bytes;               /* usable; a size class */
    uint32_t n_refs;
    void *raw;  /* as the heap gave it */
    void *data; /* 64-byte aligned */
} tn_block;

enum { TN_BLOCK_CLASSES = 8 * 48 }; /* eight to an octave, from 64 bytes */

typedef struct tn_blocks {
    tn_block *free[TN_BLOCK_CLASSES];
    tn_block *live;
    size_t live_bytes, live_peak_bytes, held_bytes, n_taken;
} tn_blocks; /* zero-initialise to start */

tn_block *tn_block_new(tn_blocks *b, size_t n_bytes); /* one reference; NULL: no memory */
void tn_block_drop(tn_blocks *b, tn_block *block);    /* NULL allowed */
void tn_blocks_reset(tn_blocks *b);                   /* all live ones become free */
void tn_blocks_deinit(tn_blocks *b);

#endif
