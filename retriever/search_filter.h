/* search_filter.h - which passages a search may return, as one bitmap decided before ranking:
 * not removed, dated as asked, equal in the asked fields, not excluded.
 * The bitmap of (as_of, since, where) is kept between searches: it is worked out once per searcher
 * and set of filters, while exclusions are punched in and mended around each search. */
#ifndef TN_SEARCH_FILTER_H
#define TN_SEARCH_FILTER_H
#include "core/base/buf.h"
#include "retriever/index_priv.h"

typedef struct tn_filter {
    const tern_index *ix;
    uint64_t *bits; /* over all refs; set: may be returned. NULL until needed */
    tn_buf key;     /* the filters `bits` was made for */
    bool is_made;
    uint32_t *punched; /* refs cleared for the search under way */
    size_t n_punched, punched_cap;
} tn_filter;

void tn_filter_init(tn_filter *f, const tern_index *ix);
void tn_filter_deinit(tn_filter *f);
/* *allow: bitmap over all refs, valid until release, or NULL when every passage may be returned.
 * Errors: ARG (a where without '=', an excluded ref that does not exist), CORRUPT, NOMEM. */
TERN_MUST_USE tern_status tn_filter_acquire(tn_filter *f, const tern_search_opts *o,
                                            const uint64_t **allow, tern_error *err);
void tn_filter_release(tn_filter *f); /* also after a failed acquire */
#endif
