/* bm25_priv.h - the parts of the scorer: parsed queries, cursors, the hit heap. */
#ifndef TN_BM25_PRIV_H
#define TN_BM25_PRIV_H
#include "core/base/arena.h"
#include "retriever/text/bm25.h"
#include "retriever/text/inverted_priv.h"

/* --- the query --- */

typedef struct tn_query_term {
    const char *text;
    uint32_t len;
    uint32_t count; /* occurrences in the query */
    uint64_t df;    /* over all segments */
    float idf;
    float weight; /* count * idf * (k1 + 1) */
} tn_query_term;

typedef struct tn_query {
    tn_query_term *terms; /* distinct, in order of first occurrence */
    size_t n_terms;
} tn_query;

/* Everything lies in the arena. NOMEM only. */
TERN_MUST_USE tern_status tn_query_parse(tn_analyzer *a, const char *text, size_t len,
                                         tn_arena *arena, tn_query *out, tern_error *err);

/* --- one term's score in one passage: the only place it is computed --- */

typedef struct tn_bm25_norm {
    float base, per_token; /* k1 * (1 - b), k1 * b / avglen */
} tn_bm25_norm;

static inline float tn_bm25_score(float weight, tn_bm25_norm norm, uint32_t tf, uint32_t len) {
    const float t = (float)tf;
    return weight * t / (t + (norm.base + norm.per_token * (float)len));
}

/* --- a cursor over one term's list in one segment --- */

typedef struct tn_cursor {
    tn_postings list;
    float weight;
    uint32_t term;  /* number in the query */
    uint32_t block; /* the block in docs and scores; n_blocks: the tail; UINT32_MAX: none yet */
    uint32_t n, at; /* its postings, and the next one */
    uint32_t docs[TN_POSTINGS_BLOCK];
    float scores[TN_POSTINGS_BLOCK];
} tn_cursor;

/* --- the k best hits so far: a heap with the worst at the root --- */

typedef struct tn_hit_heap {
    tern_hit *hits;
    size_t n, k;
} tn_hit_heap;

/* a ranks below b */
static inline bool tn_hit_is_worse(float score_a, uint32_t ref_a, const tern_hit *b) {
    return score_a < b->score || (score_a == b->score && ref_a > b->ref);
}
void tn_hit_heap_add(tn_hit_heap *h, uint32_t ref, float score);
void tn_hit_heap_sort(tn_hit_heap *h); /* best first; ranks set; no longer a heap */

#endif
