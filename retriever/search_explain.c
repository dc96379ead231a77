/* search_explain.c - every part of one hit's score, as JSON. */
#include "core/base/json.h"
#include "retriever/fusion.h"
#include "retriever/search_priv.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { PARTS_MAX = 1024 }; /* query terms listed */

static const char *const mode_names[] = {"default", "bm25", "dense", "hybrid"};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "explain: no memory");
}

/* Give part to the object; NULL, the mark of a failed json_pack, is no memory. */
static tern_status put(json_t *to, const char *key, json_t *part, tern_error *err) {
    return part && json_object_set_new(to, key, part) == 0 ? TERN_OK : no_memory(err);
}

static tern_status append(json_t *list, json_t *part, tern_error *err) {
    return part && json_array_append_new(list, part) == 0 ? TERN_OK : no_memory(err);
}

static json_t *term_json(const tn_bm25_part *p) {
    return json_pack("{s:s, s:I, s:I, s:I, s:f, s:f}", "term", p->term, "df", (json_int_t)p->df,
                     "tf", (json_int_t)p->tf, "length", (json_int_t)p->len, "idf", (double)p->idf,
                     "score", (double)p->score);
}

static tern_status bm25_json(tern_searcher *s, const char *query, size_t query_len,
                             const tern_search_opts *o, const tern_hit *hit, json_t *to,
                             tern_error *err) {
    tn_bm25_part *parts = tn_calloc(PARTS_MAX, sizeof *parts);
    json_t *terms = json_array();
    size_t n = 0;
    tern_status st = parts && terms ? tn_bm25_explain(s->bm25, query, query_len, o->k1, o->b,
                                                      hit->ref, parts, PARTS_MAX, &n, err)
                                    : no_memory(err);
    for (size_t i = 0; st == TERN_OK && i < n; i++) st = append(terms, term_json(&parts[i]), err);
    if (st == TERN_OK)
        st = put(to, "bm25",
                 json_pack("{s:f, s:I, s:f, s:f, s:O}", "score", (double)hit->bm25, "rank",
                           (json_int_t)hit->rank_bm25, "k1", (double)o->k1, "b", (double)o->b,
                           "terms", terms),
                 err);
    json_decref(terms);
    tn_free(parts);
    return st;
}

static tern_status dense_json(const tern_searcher *s, const tern_hit *hit, json_t *to,
                              tern_error *err) {
    const tern_embedder *e = s->ix->embedder;
    return put(to, "dense",
               json_pack("{s:f, s:I, s:s, s:I}", "cosine", (double)hit->cosine, "rank",
                         (json_int_t)hit->rank_dense, "embedder", e->name, "dim",
                         (json_int_t)e->dim),
               err);
}

/* The best BM25 score of the query is asked for again: a hit does not carry it. */
static tern_status fusion_json(tern_searcher *s, const char *query, size_t query_len,
                               const tern_search_opts *o, const tern_hit *hit, json_t *to,
                               tern_error *err) {
    tern_search_opts top = *o;
    top.mode = TERN_MODE_BM25;
    top.k = 1;
    tern_hit best;
    size_t n;
    tern_status st = tern_search(s, query, query_len, &top, &best, &n, err);
    if (st != TERN_OK) return st;
    double bm25_max = n ? (double)best.bm25 : 0;
    return put(to, "fusion",
               json_pack("{s:s, s:f, s:f, s:f, s:f}", "formula",
                         "bm25 / bm25_max + weight_dense * cosine", "bm25_max", bm25_max,
                         "weight_dense", (double)o->weight_dense, "lexical",
                         bm25_max > 0 ? (double)hit->bm25 / bm25_max : 0.0, "dense",
                         (double)o->weight_dense * (double)hit->cosine),
               err);
}

tern_status tern_search_explain(tern_searcher *s, const char *query, size_t query_len,
                                const tern_search_opts *opts, const tern_hit *hit, char **json,
                                tern_error *err) {
    *json = NULL;
    if (query_len == 0) query = "";
    tern_search_opts o;
    tern_passage p;
    tern_status st = tn_search_resolve(s, opts, &o, err);
    if (st == TERN_OK) st = tern_index_passage(s->ix, hit->ref, &p, err);
    if (st == TERN_OK && o.mode != TERN_MODE_BM25) st = tn_index_dense_open(s->ix, err);
    if (st != TERN_OK) return st;
    tn_buf text = {0};
    json_t *all = json_pack("{s:I, s:s, s:s, s:f}", "ref", (json_int_t)hit->ref, "id", p.id, "mode",
                            mode_names[o.mode], "score", (double)hit->score);
    if (!all) return no_memory(err);
    if (o.mode != TERN_MODE_DENSE) st = bm25_json(s, query, query_len, &o, hit, all, err);
    if (st == TERN_OK && o.mode != TERN_MODE_BM25) st = dense_json(s, hit, all, err);
    if (st == TERN_OK && o.mode == TERN_MODE_HYBRID)
        st = fusion_json(s, query, query_len, &o, hit, all, err);
    if (st == TERN_OK) {
        tn_json_dump(all, &text);
        st = tn_buf_status(&text, err);
    }
    json_decref(all);
    if (st == TERN_OK) *json = tn_buf_take(&text);
    if (st == TERN_OK && !*json) st = no_memory(err);
    tn_buf_deinit(&text);
    return st;
}
