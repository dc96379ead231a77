/* search_rerank.c - the second stage of a search (tern/reranker.h). The first stage decides which
 * passages are looked at, the re-ranker their order; a hit keeps its first-stage parts (bm25,
 * cosine, ranks) beside the new score. */
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "retriever/search_priv.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { BATCH = 16 }; /* passages between two looks at the clock */

/* A passage as the re-ranker reads it: "title\ntext". */
static tern_status add_passage(const tern_index *ix, uint32_t ref, tn_buf *text, size_t *len,
                               tern_error *err) {
    tern_passage p;
    tern_status st = tern_index_passage(ix, ref, &p, err);
    if (st != TERN_OK) return st;
    size_t begin = text->len;
    if (*p.title) {
        tn_buf_str(text, p.title);
        tn_buf_char(text, '\n');
    }
    tn_buf_add(text, p.text, p.text_len);
    *len = text->len - begin;
    return tn_buf_status(text, err);
}

static tern_status score_batch(const tern_searcher *s, const tern_reranker *r, const char *query,
                               size_t query_len, const tern_hit *hits, size_t n, tn_buf *text,
                               float *scores, tern_error *err) {
    const char *texts[BATCH];
    size_t lens[BATCH];
    tern_status st = TERN_OK;
    tn_buf_reset(text);
    for (size_t i = 0; st == TERN_OK && i < n; i++)
        st = add_passage(s->ix, hits[i].ref, text, &lens[i], err);
    if (st != TERN_OK) return st;
    size_t at = 0;
    for (size_t i = 0; i < n; at += lens[i++]) texts[i] = text->data + at;
    return r->score(r, query, query_len, texts, lens, n, scores, err);
}

typedef struct ranked {
    tern_hit hit;
    size_t place; /* in the first stage */
} ranked;

static int by_score(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->hit.score != y->hit.score) return x->hit.score > y->hit.score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

tern_status tn_search_rerank(tern_searcher *s, const char *query, size_t query_len,
                             const tern_search_opts *o, tern_hit *hits, size_t n, tern_error *err) {
    uint64_t deadline =
        o->rerank_budget_ms ? tn_clock_ns() + o->rerank_budget_ms * UINT64_C(1000000) : 0;
    tn_buf text = {0};
    ranked *looked_at = tn_calloc(n + 1, sizeof *looked_at);
    tern_status st =
        looked_at ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu hits", n);
    size_t done = 0;
    while (st == TERN_OK && done < n && !(deadline && done && tn_clock_ns() >= deadline)) {
        size_t m = n - done < BATCH ? n - done : BATCH;
        float scores[BATCH];
        st = score_batch(s, o->reranker, query, query_len, hits + done, m, &text, scores, err);
        for (size_t i = 0; st == TERN_OK && i < m; i++, done++) {
            looked_at[done] = (ranked){hits[done], done};
            looked_at[done].hit.score = scores[i];
        }
    }
    if (st == TERN_OK) {
        qsort(looked_at, done, sizeof *looked_at, by_score);
        for (size_t i = 0; i < done; i++) hits[i] = looked_at[i].hit;
    }
    tn_free(looked_at);
    tn_buf_deinit(&text);
    return st;
}
