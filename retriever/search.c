/* search.c - one query against an open index: filter, rank by BM25, by vectors or by both.
 * Invariant: the hits are a function of the committed index, the query and the options. Filters
 * apply before ranking, and a hybrid candidate's score does not depend on which list found it. */
#include "retriever/fusion.h"
#include "retriever/gate.h"
#include "retriever/search_priv.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

tern_search_opts tern_search_defaults(void) {
    return (tern_search_opts){.mode = TERN_MODE_DEFAULT,
                              .k = 10,
                              .k1 = 1.2f,
                              .b = 0.75f,
                              .weight_dense = 0.1f,
                              .rerank_depth = 50,
                              .as_of = TERN_NO_TIME,
                              .since = TERN_NO_TIME};
}

static tern_status open_bm25(tern_searcher *s, tern_error *err) {
    const tern_index *ix = s->ix;
    tn_bm25_segment *segs = tn_calloc(ix->n_segs + 1, sizeof *segs);
    if (!segs) return tern_fail(err, TERN_ERR_NOMEM, 0, "searcher: no memory");
    for (size_t i = 0; i < ix->n_segs; i++)
        segs[i] = (tn_bm25_segment){ix->segs[i].inv, ix->segs[i].base, ix->segs[i].dead};
    tern_status st = tn_bm25_new(segs, ix->n_segs, ix->stats.language, &s->bm25, err);
    tn_free(segs);
    return st;
}

tern_status tern_searcher_new(const tern_index *ix, tern_searcher **out, tern_error *err) {
    *out = NULL;
    tern_searcher *s = tn_calloc(1, sizeof *s);
    if (!s) return tern_fail(err, TERN_ERR_NOMEM, 0, "searcher: no memory");
    s->ix = ix;
    tn_filter_init(&s->filter, ix);
    s->mode_default = ix->stats.dim > 0 && tn_gate_is_passed(ix->stats.embedder) ? TERN_MODE_HYBRID
                                                                                 : TERN_MODE_BM25;
    tern_status st = open_bm25(s, err);
    if (st != TERN_OK) {
        tern_searcher_free(s);
        return st;
    }
    *out = s;
    return TERN_OK;
}

void tern_searcher_free(tern_searcher *s) {
    if (!s) return;
    tn_bm25_free(s->bm25);
    tn_filter_deinit(&s->filter);
    tn_free(s->hits);
    tn_free(s->bits);
    tn_free(s->seg_bits);
    tn_free(s->docs);
    tn_free(s->sims);
    tn_free(s->query);
    tn_free(s);
}

tern_mode tern_searcher_default_mode(const tern_searcher *s) {
    return s->mode_default;
}

void tern_string_free(char *s) {
    tn_free(s);
}

tern_status tn_search_resolve(const tern_searcher *s, const tern_search_opts *opts,
                              tern_search_opts *out, tern_error *err) {
    *out = opts ? *opts : tern_search_defaults();
    if (out->mode == TERN_MODE_DEFAULT) out->mode = s->mode_default;
    if ((unsigned)out->mode > TERN_MODE_HYBRID)
        return tern_fail(err, TERN_ERR_ARG, 0, "search: there is no mode %d", (int)out->mode);
    if (out->k == 0) return tern_fail(err, TERN_ERR_ARG, 0, "search: k is 0; ask for 1 or more");
    if (!(out->k1 >= 0) || isinf(out->k1) || !(out->b >= 0 && out->b <= 1))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "search: k1 is %g and b is %g; k1 must be 0 or more, b in [0, 1]",
                         (double)out->k1, (double)out->b);
    if (!(out->weight_dense >= 0) || isinf(out->weight_dense))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "search: the dense weight is %g; it must be 0 or more",
                         (double)out->weight_dense);
    if ((out->n_where && !out->where) || (out->n_exclude && !out->exclude))
        return tern_fail(err, TERN_ERR_ARG, 0, "search: a filter list is NULL");
    return TERN_OK;
}

static tern_status rank_bm25(tern_searcher *s, const char *query, size_t query_len,
                             const tern_search_opts *o, const uint64_t *allow, tern_hit *hits,
                             size_t k, size_t *n_hits, tern_error *err) {
    return tn_bm25_search(s->bm25, query, query_len, o->k1, o->b, allow, o->exhaustive, k, hits,
                          n_hits, err);
}

static tern_status rank_dense(tern_searcher *s, const char *query, size_t query_len,
                              const uint64_t *allow, tern_hit *hits, size_t k, size_t *n_hits,
                              tern_error *err) {
    tern_status st = tn_search_embed(s, query, query_len, err);
    if (st == TERN_OK) st = tn_search_phrases(s, query, query_len, allow, &allow, err);
    if (st == TERN_OK) st = tn_search_dense(s, allow, k, hits, n_hits, err);
    for (size_t i = 0; st == TERN_OK && i < *n_hits; i++) hits[i].score = hits[i].cosine;
    return st;
}

/* The BM25 scores of candidates that only the dense list brought: the same search, allowed to
 * return nothing else, so the sums are made by the same arithmetic. */
static tern_status score_dense_only(tern_searcher *s, const char *query, size_t query_len,
                                    const tern_search_opts *o, size_t n, tern_error *err) {
    size_t n_words = ((size_t)s->ix->n_refs + 63) / 64, n_missing = 0;
    if (!s->bits) s->bits = tn_alloc(n_words * sizeof *s->bits);
    if (!s->bits || TN_GROW(s->hits, s->hits_cap, 2 * n) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "hybrid search: no memory");
    memset(s->bits, 0, n_words * sizeof *s->bits);
    for (size_t i = 0; i < n; i++) {
        if (s->hits[i].rank_bm25) continue;
        s->bits[s->hits[i].ref / 64] |= UINT64_C(1) << (s->hits[i].ref % 64);
        n_missing++;
    }
    if (n_missing == 0) return TERN_OK;
    tern_hit *found = s->hits + n;
    size_t n_found;
    tern_status st = rank_bm25(s, query, query_len, o, s->bits, found, n_missing, &n_found, err);
    for (size_t i = 0; st == TERN_OK && i < n_found; i++) {
        tern_hit *to = s->hits; /* sorted by ref: the union leaves it so */
        size_t lo = 0, hi = n;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (to[mid].ref < found[i].ref)
                lo = mid + 1;
            else
                hi = mid;
        }
        to[lo].bm25 = found[i].bm25;
    }
    return st;
}

static tern_status rank_hybrid(tern_searcher *s, const char *query, size_t query_len,
                               const tern_search_opts *o, const uint64_t *allow, tern_hit *hits,
                               size_t k, size_t *n_hits, tern_error *err) {
    size_t depth = k > TN_HYBRID_DEPTH ? k : TN_HYBRID_DEPTH, n_lexical, n_dense;
    if (depth > s->ix->n_refs) depth = s->ix->n_refs;
    if (TN_GROW(s->hits, s->hits_cap, 2 * depth) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "hybrid search: no memory");
    tern_status st = rank_bm25(s, query, query_len, o, allow, s->hits, depth, &n_lexical, err);
    if (st == TERN_OK)
        st = rank_dense(s, query, query_len, allow, s->hits + n_lexical, depth, &n_dense, err);
    if (st != TERN_OK) return st;
    float bm25_max = n_lexical ? s->hits[0].bm25 : 0;
    size_t n = tn_fuse_union(s->hits, n_lexical + n_dense);
    st = score_dense_only(s, query, query_len, o, n, err);
    for (size_t i = 0; st == TERN_OK && i < n; i++) {
        tern_hit *h = &s->hits[i];
        if (!h->rank_dense) st = tn_search_cosine(s, h->ref, &h->cosine, err);
        h->score = tn_fuse_score(h->bm25, bm25_max, h->cosine, o->weight_dense);
    }
    if (st != TERN_OK) return st;
    qsort(s->hits, n, sizeof *s->hits, tn_hit_cmp);
    *n_hits = n < k ? n : k;
    memcpy(hits, s->hits, *n_hits * sizeof *hits);
    return TERN_OK;
}

static tern_status rank(tern_searcher *s, const char *query, size_t query_len,
                        const tern_search_opts *o, const uint64_t *allow, size_t k, tern_hit *hits,
                        size_t *n_hits, tern_error *err) {
    if (o->mode == TERN_MODE_BM25)
        return rank_bm25(s, query, query_len, o, allow, hits, k, n_hits, err);
    if (o->mode == TERN_MODE_DENSE)
        return rank_dense(s, query, query_len, allow, hits, k, n_hits, err);
    return rank_hybrid(s, query, query_len, o, allow, hits, k, n_hits, err);
}

static tern_status rank_unquoted(tern_searcher *s, const char *query, size_t query_len,
                                 const tern_search_opts *o, const uint64_t *allow, size_t k,
                                 tern_hit *hits, size_t *n_hits, tern_error *err) {
    tn_buf words = {0};
    for (size_t i = 0; i < query_len; i++) tn_buf_char(&words, query[i] == '"' ? ' ' : query[i]);
    tern_status st = tn_buf_status(&words, err);
    if (st == TERN_OK) st = rank(s, words.data, words.len, o, allow, k, hits, n_hits, err);
    tn_buf_deinit(&words);
    return st;
}

static tern_status search_filtered(tern_searcher *s, const char *query, size_t query_len,
                                   const tern_search_opts *o, size_t k, tern_hit *hits,
                                   size_t *n_hits, tern_error *err) {
    const uint64_t *allow;
    tern_status st = tn_filter_acquire(&s->filter, o, &allow, err);
    if (st == TERN_OK) st = rank(s, query, query_len, o, allow, k, hits, n_hits, err);
    if (st == TERN_OK && *n_hits == 0 && o->relax_phrases && memchr(query, '"', query_len))
        st = rank_unquoted(s, query, query_len, o, allow, k, hits, n_hits, err);
    tn_filter_release(&s->filter);
    return st;
}

/* The first stage brings as many hits as the second will look at, the second their order. */
static tern_status search_in_stages(tern_searcher *s, const char *query, size_t query_len,
                                    const tern_search_opts *o, size_t k, tern_hit *hits,
                                    size_t *n_hits, tern_error *err) {
    size_t depth = o->rerank_depth < s->ix->n_refs ? o->rerank_depth : s->ix->n_refs, n = 0;
    size_t wide = depth > k ? depth : k;
    tern_hit *all = tn_calloc(wide, sizeof *all);
    if (!all) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu hits", wide);
    tern_status st = search_filtered(s, query, query_len, o, wide, all, &n, err);
    if (st == TERN_OK)
        st = tn_search_rerank(s, query, query_len, o, all, n < depth ? n : depth, err);
    if (st == TERN_OK) {
        *n_hits = n < k ? n : k;
        memcpy(hits, all, *n_hits * sizeof *hits);
    }
    tn_free(all);
    return st;
}

tern_status tern_search(tern_searcher *s, const char *query, size_t query_len,
                        const tern_search_opts *opts, tern_hit *hits, size_t *n_hits,
                        tern_error *err) {
    *n_hits = 0;
    if (query_len == 0) query = "";
    tern_search_opts o;
    tern_status st = tn_search_resolve(s, opts, &o, err);
    if (st != TERN_OK) return st;
    if (o.mode != TERN_MODE_BM25 && (st = tn_index_dense_open(s->ix, err)) != TERN_OK) return st;
    size_t k = o.k < s->ix->n_refs ? o.k : s->ix->n_refs;
    if (k == 0) return TERN_OK;
    st = o.reranker ? search_in_stages(s, query, query_len, &o, k, hits, n_hits, err)
                    : search_filtered(s, query, query_len, &o, k, hits, n_hits, err);
    if (st != TERN_OK) *n_hits = 0;
    return st;
}
