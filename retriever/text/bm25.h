/* bm25.h - Okapi BM25 over the segments of an index.
 *   score(q, d) = sum over query terms t, in query order, of
 *                 idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * len(d) / avglen))
 *   idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
 * A term said several times counts once, at its first place.
 * N, df and avglen are those of the whole committed index (tombstones count until compaction), so
 * a passage scores the same however the index is cut into segments. Pruned (block-max) and
 * exhaustive search return the same hits with the same bits: pruning only decides what to skip,
 * the score of a candidate is always summed in query order in the same arithmetic. */
#ifndef TN_BM25_H
#define TN_BM25_H
#include "retriever/text/inverted.h"
#include "tern/search.h"

typedef struct tn_bm25_segment {
    const tn_inv *inv;
    uint32_t base;        /* ref of its first passage */
    const uint64_t *dead; /* bitmap of tombstones over its passages; NULL: none */
} tn_bm25_segment;

typedef struct tn_bm25 tn_bm25; /* scratch and statistics of one thread over one index */
TERN_MUST_USE tern_status tn_bm25_new(const tn_bm25_segment *segs, size_t n_segs,
                                      const char *language, tn_bm25 **out, tern_error *err);
void tn_bm25_free(tn_bm25 *s);

/* hits: [k] out; fields ref, score and bm25 are set, rank_bm25 = 1.., the rest 0.
 *   allow   bitmap over all refs (bit set: may be returned), or NULL
 * exhaustive as in tern_search_opts. Quoted phrases in the query must occur; a phrase word also
 * counts as a term. Errors: ARG (k 0, k1 outside [0, 1000], b outside [0, 1]), CORRUPT, NOMEM. */
TERN_MUST_USE tern_status tn_bm25_search(tn_bm25 *s, const char *query, size_t query_len, float k1,
                                         float b, const uint64_t *allow, bool exhaustive, size_t k,
                                         tern_hit *hits, size_t *n_hits, tern_error *err);

/* The parts of one passage's score, in query order: the first min(cap, distinct terms). */
typedef struct tn_bm25_part {
    char term[256];
    uint64_t df;
    uint32_t tf, len;
    float idf, score;
} tn_bm25_part;
TERN_MUST_USE tern_status tn_bm25_explain(tn_bm25 *s, const char *query, size_t query_len, float k1,
                                          float b, uint32_t ref, tn_bm25_part *parts, size_t cap,
                                          size_t *n_parts, tern_error *err);
#endif
