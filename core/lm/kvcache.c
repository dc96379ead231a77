/* kvcache.c - see kvcache.h. */
#include "core/lm/kvcache.h"
#include <assert.h>

#include "core/base/mem.h"

void tn_kv_init(tn_kv_cache *kv, const tn_lm_config *c, tn_dtype type, size_t n_pages_max) {
    size_t elems = (size_t)TN_KV_PAGE_TOKENS * tn_lm_kv_dim(c);
    *kv = (tn_kv_cache){.type = type,
                        .page_elems = elems,
                        .page_bytes = 2 * elems * c->n_layers * tn_dtype_size(type),
                        .n_layers = c->n_layers,
                        .n_pages_max = n_pages_max};
}

void tn_kv_deinit(tn_kv_cache *kv) {
    for (size_t i = 0; i < kv->n_pages; i++) tn_free(kv->pages[i]);
    tn_free(kv->pages);
    tn_free(kv->n_holders);
    tn_free(kv->unused);
    *kv = (tn_kv_cache){0};
}

/* Room for one page more in all three lists, so that dropping a page never allocates. */
static bool reserve(tn_kv_cache *kv) {
    size_t need = kv->n_pages + 1;
    return TN_GROW(kv->pages, kv->cap, need) == 0 &&
           TN_GROW(kv->n_holders, kv->cap_holders, need) == 0 &&
           TN_GROW(kv->unused, kv->cap_unused, need) == 0;
}

tern_status tn_kv_page_new(tn_kv_cache *kv, uint32_t *page, tern_error *err) {
    if (kv->n_unused > 0) {
        *page = kv->unused[--kv->n_unused];
    } else {
        if (kv->n_pages_max && kv->n_pages >= kv->n_pages_max)
            return tern_fail(err, TERN_ERR_LIMIT, 0, "the key-value cache is full (%zu pages)",
                             kv->n_pages_max);
        void *data = reserve(kv) ? tn_alloc(kv->page_bytes) : NULL;
        if (!data)
            return tern_fail(err, TERN_ERR_NOMEM, 0,
                             "out of memory for the key-value cache (%zu pages of %zu bytes)",
                             kv->n_pages + 1, kv->page_bytes);
        *page = (uint32_t)kv->n_pages;
        kv->pages[kv->n_pages++] = data;
    }
    kv->n_holders[*page] = 1;
    return TERN_OK;
}

void tn_kv_page_hold(tn_kv_cache *kv, uint32_t page) {
    assert(kv->n_holders[page] > 0);
    kv->n_holders[page]++;
}

void tn_kv_page_drop(tn_kv_cache *kv, uint32_t page) {
    assert(kv->n_holders[page] > 0);
    if (--kv->n_holders[page] == 0) kv->unused[kv->n_unused++] = page;
}

tern_status tn_kv_page_copy(tn_kv_cache *kv, uint32_t page, uint32_t *copy, tern_error *err) {
    tern_status status = tn_kv_page_new(kv, copy, err);
    if (status == TERN_OK) memcpy(kv->pages[*copy], kv->pages[page], kv->page_bytes);
    return status;
}

size_t tn_kv_n_used(const tn_kv_cache *kv) {
    return kv->n_pages - kv->n_unused;
}

static size_t pages_for(size_t n_tokens) {
    return (n_tokens + TN_KV_PAGE_TOKENS - 1) / TN_KV_PAGE_TOKENS;
}

tern_status tn_kv_seq_grow(tn_kv_cache *kv, tn_kv_seq *s, size_t n_more, tern_error *err) {
    size_t need = pages_for(s->n_tokens + n_more), n_before = s->n_pages;
    if (TN_GROW(s->pages, s->cap, need ? need : 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a sequence's pages");
    size_t last = s->n_tokens / TN_KV_PAGE_TOKENS; /* the page that is written next */
    if (n_more > 0 && last < n_before && kv->n_holders[s->pages[last]] > 1) {
        uint32_t copy;
        tern_status status = tn_kv_page_copy(kv, s->pages[last], &copy, err);
        if (status != TERN_OK) return status;
        tn_kv_page_drop(kv, s->pages[last]);
        s->pages[last] = copy;
    }
    while (s->n_pages < need) {
        tern_status status = tn_kv_page_new(kv, &s->pages[s->n_pages], err);
        if (status != TERN_OK) {
            while (s->n_pages > n_before) tn_kv_page_drop(kv, s->pages[--s->n_pages]);
            return status;
        }
        s->n_pages++;
    }
    return TERN_OK;
}

tern_status tn_kv_seq_fork(tn_kv_cache *kv, const tn_kv_seq *from, tn_kv_seq *to, tern_error *err) {
    size_t n = pages_for(from->n_tokens);
    if (TN_GROW(to->pages, to->cap, n ? n : 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a sequence's pages");
    for (size_t i = 0; i < n; i++) {
        tn_kv_page_hold(kv, from->pages[i]);
        to->pages[i] = from->pages[i];
    }
    to->n_pages = n;
    to->n_tokens = from->n_tokens;
    return TERN_OK;
}

void tn_kv_seq_cut(tn_kv_cache *kv, tn_kv_seq *s, size_t n_tokens) {
    if (n_tokens < s->n_tokens) s->n_tokens = n_tokens;
    size_t keep = pages_for(s->n_tokens);
    while (s->n_pages > keep) tn_kv_page_drop(kv, s->pages[--s->n_pages]);
}

void tn_kv_seq_deinit(tn_kv_cache *kv, tn_kv_seq *s) {
    while (s->n_pages > 0) tn_kv_page_drop(kv, s->pages[--s->n_pages]);
    tn_free(s->pages);
    *s = (tn_kv_seq){0};
}
