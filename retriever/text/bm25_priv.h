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
    uint64_t df; /* over all segments */
    float idf;
    float weight; /* idf * (k1 + 1) */
} tn_query_term;

typedef struct tn_phrase_word {
    uint32_t term;   /* number in the query */
    uint32_t offset; /* words after the phrase's first; a gap where stop words stood */
} tn_phrase_word;

typedef struct tn_phrase {
    const tn_phrase_word *words;
    size_t n_words; /* >= 1 */
} tn_phrase;

typedef struct tn_query {
    tn_query_term *terms; /* distinct, in order of first occurrence */
    size_t n_terms;
    const tn_phrase *phrases; /* each must occur */
    size_t n_phrases;
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

/* --- searching one segment --- */

typedef struct tn_seg_search {
    const tn_inv *inv;
    tn_bm25_norm norm;
    uint32_t base;         /* ref of the segment's first passage */
    const uint64_t *allow; /* over all refs, or NULL */
    const uint64_t *dead;  /* over the segment's passages, or NULL */
    tn_hit_heap *heap;
    struct tn_cursor *cursors; /* of the terms the segment has, in query order */
    size_t n_cursors;
    tern_error *err;
} tn_seg_search;

/* Would the passage enter the heap with this score? */
static inline bool tn_seg_wants(const tn_seg_search *g, uint32_t doc, float score) {
    const tn_hit_heap *h = g->heap;
    return h->n < h->k || !tn_hit_is_worse(score, g->base + doc, &h->hits[0]);
}
static inline bool tn_seg_allows(const tn_seg_search *g, uint32_t doc) {
    const uint32_t ref = g->base + doc;
    return !(g->dead && g->dead[doc / 64] >> (doc % 64) & 1) &&
           !(g->allow && !(g->allow[ref / 64] >> (ref % 64) & 1));
}

/* Scratch of the window search, kept between queries. */
enum { TN_WINDOW = 4096 };
typedef struct tn_window_scratch {
    float sums[TN_WINDOW];       /* all 0 between windows */
    uint16_t touched[TN_WINDOW]; /* passages with a sum, where they are few */
    struct tn_bound *order;      /* cursors by ascending bound */
    size_t order_cap;
    float *parts; /* scores of a candidate's terms, by cursor */
    size_t parts_cap;
} tn_window_scratch;

/* Add the segment's hits to the heap. Errors: CORRUPT, NOMEM, in g->err. */
TERN_MUST_USE tern_status tn_seg_search_windows(const tn_seg_search *g, bool exhaustive,
                                                tn_window_scratch *scratch);
/* The same for a query with phrases; the caller has checked that the segment has all their words.
 *   cursor_of  [n_terms] query term -> its cursor number, or UINT32_MAX */
TERN_MUST_USE tern_status tn_seg_search_phrases(const tn_seg_search *g, const tn_query *query,
                                                const uint32_t *cursor_of);

/* --- a cursor over one term's list in one segment: moves forward only --- */

typedef struct tn_cursor {
    tn_postings list;
    tn_term term;
    float weight;
    bool is_essential; /* in the current window */
    bool is_scored;    /* scores belong to the block */
    uint32_t next;     /* first block that may hold the docs still to come; n_blocks: the tail */
    uint32_t block;    /* the block in docs and tfs; UINT32_MAX: none */
    uint32_t n, at;    /* its postings, and the next one to add */
    float tail_bound;  /* greatest score in the tail; < 0: not known yet */
    uint32_t docs[TN_POSTINGS_BLOCK], tfs[TN_POSTINGS_BLOCK];
    float scores[TN_POSTINGS_BLOCK];
} tn_cursor;

/* term must have been found in the segment. */
TERN_MUST_USE tern_status tn_cursor_open(tn_cursor *c, const tn_inv *inv, const tn_term *term,
                                         float weight, tern_error *err);
/* Decode a block, unless it is the one decoded last. CORRUPT in g->err. */
TERN_MUST_USE tern_status tn_cursor_load(const tn_seg_search *g, tn_cursor *c, uint32_t block);
void tn_cursor_score(const tn_seg_search *g, tn_cursor *c); /* fill scores for the loaded block */
/* No posting of the block scores more. */
float tn_cursor_block_bound(const tn_seg_search *g, const tn_cursor *c, uint32_t block);
/* No posting in [begin, end) scores more than *bound; at most *n of them exist. begin never
 * decreases from call to call. */
TERN_MUST_USE tern_status tn_cursor_bound(const tn_seg_search *g, tn_cursor *c, uint32_t begin,
                                          uint32_t end, float *bound, uint64_t *n);
/* The block, from c->next on, that holds doc if the list does; it need not be decoded for that. */
uint32_t tn_cursor_block_of(const tn_cursor *c, uint32_t doc);
/* *at: place of doc in block `block` (of tn_cursor_block_of), which is decoded; UINT32_MAX: the
 * list lacks doc. */
TERN_MUST_USE tern_status tn_cursor_find(const tn_seg_search *g, tn_cursor *c, uint32_t block,
                                         uint32_t doc, uint32_t *at);

#endif
