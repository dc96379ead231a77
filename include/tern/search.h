/* search.h - ranked retrieval over an open index: BM25, dense vectors, or both.
 * A searcher holds the scratch memory of one thread; make one per thread on the same index. */
#ifndef TERN_SEARCH_H
#define TERN_SEARCH_H
#include "tern/index.h"
#include "tern/reranker.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tern_mode {
    TERN_MODE_DEFAULT, /* what the index was judged best for (tern_searcher_default_mode) */
    TERN_MODE_BM25,
    TERN_MODE_DENSE,
    TERN_MODE_HYBRID
} tern_mode;

typedef struct tern_search_opts {
    tern_mode mode;
    size_t k;           /* hits wanted; default 10 */
    float k1, b;        /* BM25; defaults 1.2, 0.75 */
    float weight_dense; /* hybrid: weight of the cosine beside bm25/max; default 0.1 */
    int64_t as_of;      /* only passages dated at or before this, or undated; TERN_NO_TIME: all */
    int64_t since;      /* only passages dated at or after this; TERN_NO_TIME: all */
    const char *const *where; /* [n_where] "field=value": equal metadata, source, doc_id or title */
    size_t n_where;
    const uint32_t *exclude; /* [n_exclude] refs that must not be returned */
    size_t n_exclude;
    bool relax_phrases; /* a query whose phrases occur nowhere is ranked by its words alone: for
                           queries written by models, which quote freely */
    const tern_reranker *reranker; /* orders the first hits anew; borrowed; NULL: none */
    size_t rerank_depth;           /* hits it looks at; default 50 */
    uint32_t rerank_budget_ms; /* it stops looking when this is spent: hits not looked at keep their
                                  order behind the others, and results then depend on the machine.
                                  0 (default): no limit */
    bool exhaustive; /* score every match, no pruning: for tests; same hits, bit for bit */
} tern_search_opts;
TERN_API tern_search_opts tern_search_defaults(void);

typedef struct tern_hit {
    uint32_t ref; /* passage number in the index */
    float score;  /* higher is better; comparable only within one query and mode. The re-ranker's
                     where it has looked */
    float bm25;   /* its BM25 score; 0 if no query term matched or bm25 took no part */
    float cosine; /* in [-1, 1]; 0 if dense took no part */
    uint32_t rank_bm25, rank_dense; /* from 1; 0: not in that list */
} tern_hit;

typedef struct tern_searcher tern_searcher;

TERN_API TERN_MUST_USE tern_status tern_searcher_new(const tern_index *ix, tern_searcher **out,
                                                     tern_error *err);
TERN_API void tern_searcher_free(tern_searcher *s); /* NULL allowed */
TERN_API tern_mode tern_searcher_default_mode(const tern_searcher *s);

/* Rank passages for one query. Filters and tombstones apply before ranking: k hits come back
 * whenever k passages match.
 *   query   UTF-8, query_len bytes; "quoted parts" must occur as phrases
 *   opts    NULL: defaults
 *   hits    [opts->k] out, by descending score, ties by ascending ref
 *   n_hits  out; 0 if nothing matches (not an error)
 * Errors: ARG, CORRUPT, NOMEM, UNSUPPORTED (dense asked of an index without vectors). */
TERN_API TERN_MUST_USE tern_status tern_search(tern_searcher *s, const char *query,
                                               size_t query_len, const tern_search_opts *opts,
                                               tern_hit *hits, size_t *n_hits, tern_error *err);

/* Every part of one hit's score as a JSON object (terms with idf, tf, length and contribution,
 * cosine, fusion). *json is freed with tern_string_free. */
TERN_API TERN_MUST_USE tern_status tern_search_explain(tern_searcher *s, const char *query,
                                                       size_t query_len,
                                                       const tern_search_opts *opts,
                                                       const tern_hit *hit, char **json,
                                                       tern_error *err);
TERN_API void tern_string_free(char *s); /* any string the library handed over; NULL allowed */

#ifdef __cplusplus
}
#endif
#endif
