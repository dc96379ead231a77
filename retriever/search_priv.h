/* search_priv.h - a searcher from the inside: what ranking and explaining share. */
#ifndef TN_SEARCH_PRIV_H
#define TN_SEARCH_PRIV_H
#include "retriever/search_filter.h"
#include "retriever/text/bm25.h"

/* Hybrid takes this many from each list, or k if that is more. A passage in neither list scores at
 * most what the two last ones would together, which hardly ever reaches the first ten. */
enum { TN_HYBRID_DEPTH = 100 };

struct tern_searcher {
    const tern_index *ix;
    tn_bm25 *bm25;
    tn_filter filter;
    tern_mode mode_default;
    tern_hit *hits; /* scratch: candidates of one query */
    size_t hits_cap;
    uint64_t *bits;     /* scratch: over all refs */
    uint64_t *seg_bits; /* scratch: over the passages of one segment */
    uint32_t *docs;     /* scratch: [docs_cap] one segment's neighbours */
    size_t docs_cap;
    float *sims;
    size_t sims_cap;
    float *query; /* scratch: [dim] */
    size_t query_cap;
};

/* The options with the default mode resolved. ARG: something out of range. */
TERN_MUST_USE tern_status tn_search_resolve(const tern_searcher *s, const tern_search_opts *opts,
                                            tern_search_opts *out, tern_error *err);

/* The query's unit vector in s->query (all zero: no word of it is known). UNSUPPORTED: the index
 * has no vectors. */
TERN_MUST_USE tern_status tn_search_embed(tern_searcher *s, const char *query, size_t query_len,
                                          tern_error *err);
/* The k nearest allowed passages to s->query, as hits with cosine and rank_dense. */
TERN_MUST_USE tern_status tn_search_dense(tern_searcher *s, const uint64_t *allow, size_t k,
                                          tern_hit *hits, size_t *n_hits, tern_error *err);
/* Cosine of s->query with one passage; 0 if its segment has no vectors. */
TERN_MUST_USE tern_status tn_search_cosine(const tern_searcher *s, uint32_t ref, float *cosine,
                                           tern_error *err);
/* allow narrowed to the passages holding the query's quoted phrases, in s->bits; allow itself when
 * nothing is quoted. BM25 does this by itself; dense ranking needs it decided before. */
TERN_MUST_USE tern_status tn_search_phrases(tern_searcher *s, const char *query, size_t query_len,
                                            const uint64_t *allow, const uint64_t **out,
                                            tern_error *err);
/* Order hits[0..n) anew by o->reranker, as far as its budget reaches; ties as they were found.
 * Errors: CORRUPT, NOMEM, and the re-ranker's; hits are then as they were. */
TERN_MUST_USE tern_status tn_search_rerank(tern_searcher *s, const char *query, size_t query_len,
                                           const tern_search_opts *o, tern_hit *hits, size_t n,
                                           tern_error *err);
#endif
