/* feed_priv.h - shared by feed.c (which item) and feed_items.c (what an item becomes). */
#ifndef TN_LM_FEED_PRIV_H
#define TN_LM_FEED_PRIV_H
#include "core/base/rng.h"
#include "trainer/lm/feed.h"

struct tn_feed {
    const tn_tokens *t;
    tn_feed_opts o;
    uint64_t n_items, n_held, n_train, n_cut;
    uint64_t *order; /* [n_train] of epoch order_epoch */
    uint64_t order_epoch;
};

/* Where an item of a batch comes from: its number, and the epoch it is seen in. */
typedef struct tn_feed_item {
    uint64_t item, epoch;
} tn_feed_item;

/* Random streams: the purpose keeps them apart. */
enum { TN_FEED_ORDER = 1, TN_FEED_MASK = 2, TN_FEED_NEGATIVES = 3 };
static inline tn_rng tn_feed_rng(const tn_feed *f, uint64_t purpose, tn_feed_item i) {
    return tn_rng_init(f->o.seed + i.epoch * UINT64_C(0x9E3779B97F4A7C15), purpose << 56 | i.item);
}

/* Tokens of an item, as cut to the context. */
uint64_t tn_feed_item_tokens(const tn_feed *f, uint64_t item, bool *cut);
/* Pack n items into *out; NOMEM. */
TERN_MUST_USE tern_status tn_feed_pack(const tn_feed *f, const tn_feed_item *items, size_t n,
                                       tn_arena *arena, tn_lm_batch *out, tern_error *err);

#endif
