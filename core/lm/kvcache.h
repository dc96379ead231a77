/* kvcache.h - keys and values of past tokens, in pages that sequences share.
 * A page holds the keys and values of PAGE_TOKENS consecutive tokens for all layers. Sequences that
 * begin alike hold the same pages, counted; only a page with one holder may be written. Memory
 * grows page by page and is bounded by n_pages_max. One thread at a time. */
#ifndef TN_LM_KVCACHE_H
#define TN_LM_KVCACHE_H
#include "core/kernels/dtype.h"
#include "core/lm/config.h"

/* 32 tokens: a sequence wastes half a page on average, and a page of one layer (32 x kv_dim) is
 * long enough for the attention kernel to stream. */
enum { TN_KV_PAGE_TOKENS = 32 };

typedef struct tn_kv_cache {
    tn_dtype type;     /* F32 or BF16 */
    size_t page_elems; /* of one layer's keys: PAGE_TOKENS x kv_dim */
    size_t page_bytes; /* of a whole page */
    size_t n_layers;
    size_t n_pages_max;  /* 0: no limit but memory */
    void **pages;        /* [n_pages] */
    uint32_t *n_holders; /* [n_pages] */
    uint32_t *unused;    /* stack of page numbers without a holder */
    size_t n_pages, cap, cap_holders, n_unused, cap_unused;
} tn_kv_cache;

void tn_kv_init(tn_kv_cache *kv, const tn_lm_config *c, tn_dtype type, size_t n_pages_max);
void tn_kv_deinit(tn_kv_cache *kv);
/* A page with one holder, contents undefined. LIMIT (n_pages_max), NOMEM. */
TERN_MUST_USE tern_status tn_kv_page_new(tn_kv_cache *kv, uint32_t *page, tern_error *err);
void tn_kv_page_hold(tn_kv_cache *kv, uint32_t page);
void tn_kv_page_drop(tn_kv_cache *kv, uint32_t page);
/* A copy with one holder, so that it can be written. */
TERN_MUST_USE tern_status tn_kv_page_copy(tn_kv_cache *kv, uint32_t page, uint32_t *copy,
                                          tern_error *err);
size_t tn_kv_n_used(const tn_kv_cache *kv); /* pages with a holder */

/* Keys / values of one layer in a page: [PAGE_TOKENS, kv_dim]. */
static inline void *tn_kv_keys(const tn_kv_cache *kv, uint32_t page, size_t layer) {
    return (char *)kv->pages[page] + 2 * layer * kv->page_elems * tn_dtype_size(kv->type);
}
static inline void *tn_kv_values(const tn_kv_cache *kv, uint32_t page, size_t layer) {
    return (char *)kv->pages[page] + (2 * layer + 1) * kv->page_elems * tn_dtype_size(kv->type);
}

/* Pages of one sequence. Zero-initialise. */
typedef struct tn_kv_seq {
    uint32_t *pages;
    size_t n_pages, cap;
    size_t n_tokens; /* in the cache */
} tn_kv_seq;

/* Make room for n_more tokens after n_tokens: new pages, and a copy of a shared last page. On an
 * error the sequence holds what it held. */
TERN_MUST_USE tern_status tn_kv_seq_grow(tn_kv_cache *kv, tn_kv_seq *seq, size_t n_more,
                                         tern_error *err);
/* `to` (empty) begins as `from`: pages are shared. NOMEM. */
TERN_MUST_USE tern_status tn_kv_seq_fork(tn_kv_cache *kv, const tn_kv_seq *from, tn_kv_seq *to,
                                         tern_error *err);
/* Forget all but the first n_tokens. */
void tn_kv_seq_cut(tn_kv_cache *kv, tn_kv_seq *seq, size_t n_tokens);
void tn_kv_seq_deinit(tn_kv_cache *kv, tn_kv_seq *seq);

#endif
