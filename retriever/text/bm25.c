/* bm25.c - see bm25.h. A query becomes a plan: its terms, their place in every segment and their
 * weights from the statistics of the whole index. Segments are then searched one after the other
 * into one heap (bm25_window.c, bm25_phrase.c). */
#include "retriever/text/bm25_priv.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum { CURSORS_KEPT = 256 };

struct tn_bm25 {
    tn_analyzer *analyzer;
    tn_bm25_segment *segs;
    size_t n_segs;
    uint64_t n_docs, n_tokens;
    tn_arena arena;            /* of the current query */
    struct tn_cursor *cursors; /* one per query term present in the segment being searched */
    size_t n_cursors, cursors_cap;
    tn_window_scratch scratch;
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while searching");
}

tern_status tn_bm25_new(const tn_bm25_segment *segs, size_t n_segs, const char *language,
                        tn_bm25 **out, tern_error *err) {
    *out = NULL;
    tn_bm25 *s = tn_calloc(1, sizeof *s);
    if (!s) return no_memory(err);
    s->segs = tn_calloc(n_segs, sizeof *segs);
    tern_status st = s->segs ? tn_analyzer_new(language, &s->analyzer, err) : no_memory(err);
    if (st != TERN_OK) {
        tn_bm25_free(s);
        return st;
    }
    if (n_segs) memcpy(s->segs, segs, n_segs * sizeof *segs);
    s->n_segs = n_segs;
    for (size_t i = 0; i < n_segs; i++) {
        s->n_docs += tn_inv_n_docs(segs[i].inv);
        s->n_tokens += tn_inv_n_tokens(segs[i].inv);
    }
    *out = s;
    return TERN_OK;
}

void tn_bm25_free(tn_bm25 *s) {
    if (!s) return;
    tn_analyzer_free(s->analyzer);
    tn_free(s->segs);
    tn_free(s->cursors);
    tn_free(s->scratch.order);
    tn_free(s->scratch.parts);
    tn_arena_deinit(&s->arena);
    tn_free(s);
}

/* --- statistics --- */

/* What one term is in one segment. */
typedef struct term_in_segment {
    bool found;
    tn_term term;
} term_in_segment;

typedef struct plan {
    tn_query query;
    term_in_segment *found; /* [n_segs][n_terms] */
    uint32_t *cursor_of;    /* [n_terms] scratch of the segment being searched */
    tn_bm25_norm norm;
} plan;

static tern_status look_up_terms(tn_bm25 *s, plan *p, tern_error *err) {
    tn_query *q = &p->query;
    p->found = tn_arena_calloc(&s->arena, s->n_segs * q->n_terms, sizeof *p->found);
    p->cursor_of = tn_arena_alloc(&s->arena, q->n_terms * sizeof *p->cursor_of);
    if (!p->found || !p->cursor_of) return no_memory(err);
    for (size_t i = 0; i < s->n_segs; i++)
        for (size_t t = 0; t < q->n_terms; t++) {
            term_in_segment *f = &p->found[i * q->n_terms + t];
            tern_status st = tn_inv_find(s->segs[i].inv, q->terms[t].text, q->terms[t].len,
                                         &f->found, &f->term, err);
            if (st != TERN_OK) return st;
            if (f->found) q->terms[t].df += f->term.df;
        }
    return TERN_OK;
}

static tern_status make_plan(tn_bm25 *s, const char *query, size_t query_len, float k1, float b,
                             plan *p, tern_error *err) {
    if (!(k1 >= 0 && k1 <= 1000 && b >= 0 && b <= 1))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "k1 must lie in [0, 1000] and b in [0, 1], not %g and %g", (double)k1,
                         (double)b);
    tn_arena_reset(&s->arena);
    *p = (plan){0};
    tern_status st = tn_query_parse(s->analyzer, query, query_len, &s->arena, &p->query, err);
    if (st == TERN_OK) st = look_up_terms(s, p, err);
    if (st != TERN_OK) return st;
    double n = (double)s->n_docs, avglen = n > 0 ? (double)s->n_tokens / n : 0;
    p->norm.base = (float)(k1 * (1.0 - b));
    p->norm.per_token = avglen > 0 ? (float)((double)k1 * b / avglen) : 0;
    for (size_t t = 0; t < p->query.n_terms; t++) {
        tn_query_term *term = &p->query.terms[t];
        double idf = log(1 + (n - (double)term->df + 0.5) / ((double)term->df + 0.5));
        term->idf = (float)idf;
        term->weight = (float)(idf * (k1 + 1.0));
    }
    return TERN_OK;
}

/* --- searching --- */

/* Open a cursor for each term the segment has. *lacks_phrase: one of a phrase's words is missing.
 */
static tern_status open_cursors(tn_bm25 *s, const plan *p, size_t seg, bool *lacks_phrase,
                                tern_error *err) {
    const tn_query *q = &p->query;
    const term_in_segment *found = &p->found[seg * q->n_terms];
    s->n_cursors = 0;
    *lacks_phrase = false;
    if (TN_GROW(s->cursors, s->cursors_cap, q->n_terms) != 0) return no_memory(err);
    for (size_t t = 0; t < q->n_terms; t++) {
        p->cursor_of[t] = UINT32_MAX;
        if (!found[t].found) continue;
        p->cursor_of[t] = (uint32_t)s->n_cursors;
        tern_status st = tn_cursor_open(&s->cursors[s->n_cursors++], s->segs[seg].inv,
                                        &found[t].term, q->terms[t].weight, err);
        if (st != TERN_OK) return st;
    }
    for (size_t i = 0; i < q->n_phrases; i++)
        for (size_t j = 0; j < q->phrases[i].n_words; j++)
            *lacks_phrase |= p->cursor_of[q->phrases[i].words[j].term] == UINT32_MAX;
    return TERN_OK;
}

static tern_status search_segment(tn_bm25 *s, const plan *p, size_t i, const uint64_t *allow,
                                  bool exhaustive, tn_hit_heap *heap, tern_error *err) {
    const tn_bm25_segment *seg = &s->segs[i];
    bool lacks_phrase;
    tern_status st = open_cursors(s, p, i, &lacks_phrase, err);
    if (st != TERN_OK || s->n_cursors == 0 || lacks_phrase) return st;
    const tn_seg_search g = {.inv = seg->inv,
                             .norm = p->norm,
                             .base = seg->base,
                             .allow = allow,
                             .dead = seg->dead,
                             .heap = heap,
                             .cursors = s->cursors,
                             .n_cursors = s->n_cursors,
                             .err = err};
    if (p->query.n_phrases) return tn_seg_search_phrases(&g, &p->query, p->cursor_of);
    return tn_seg_search_windows(&g, exhaustive, &s->scratch);
}

/* The memory of an unusually long query is not kept. */
static void release_long_query(tn_bm25 *s) {
    if (s->cursors_cap <= CURSORS_KEPT) return;
    tn_free(s->cursors);
    s->cursors = NULL;
    s->cursors_cap = 0;
}

tern_status tn_bm25_search(tn_bm25 *s, const char *query, size_t query_len, float k1, float b,
                           const uint64_t *allow, bool exhaustive, size_t k, tern_hit *hits,
                           size_t *n_hits, tern_error *err) {
    *n_hits = 0;
    if (k == 0) return tern_fail(err, TERN_ERR_ARG, 0, "k must be at least 1");
    plan p;
    tern_status st = make_plan(s, query, query_len, k1, b, &p, err);
    tn_hit_heap heap = {hits, 0, k};
    for (size_t i = 0; i < s->n_segs && st == TERN_OK; i++)
        st = search_segment(s, &p, i, allow, exhaustive, &heap, err);
    release_long_query(s);
    if (st != TERN_OK) return st;
    tn_hit_heap_sort(&heap);
    *n_hits = heap.n;
    return TERN_OK;
}

/* --- explaining --- */

/* tf of doc in a list; 0 if it is not there. */
static tern_status find_tf(const tn_postings *list, uint32_t doc, uint32_t *tf) {
    uint32_t docs[TN_POSTINGS_BLOCK], tfs[TN_POSTINGS_BLOCK], n, block = 0;
    *tf = 0;
    while (block < list->n_blocks && list->metas[block].last_doc < doc) block++;
    tern_status st = tn_postings_decode(list, block, docs, tfs, &n);
    for (uint32_t i = 0; i < n && st == TERN_OK; i++)
        if (docs[i] == doc) *tf = tfs[i];
    return st;
}

tern_status tn_bm25_explain(tn_bm25 *s, const char *query, size_t query_len, float k1, float b,
                            uint32_t ref, tn_bm25_part *parts, size_t cap, size_t *n_parts,
                            tern_error *err) {
    *n_parts = 0;
    size_t seg = 0;
    while (seg < s->n_segs && ref - s->segs[seg].base >= tn_inv_n_docs(s->segs[seg].inv)) seg++;
    if (seg == s->n_segs) return tern_fail(err, TERN_ERR_ARG, 0, "there is no passage %u", ref);
    const tn_inv *inv = s->segs[seg].inv;
    const uint32_t doc = ref - s->segs[seg].base;
    plan p;
    tern_status st = make_plan(s, query, query_len, k1, b, &p, err);
    if (st != TERN_OK) return st;
    size_t n = p.query.n_terms < cap ? p.query.n_terms : cap;
    for (size_t t = 0; t < n; t++) {
        const tn_query_term *term = &p.query.terms[t];
        const term_in_segment *f = &p.found[seg * p.query.n_terms + t];
        tn_bm25_part *part = &parts[t];
        *part = (tn_bm25_part){.df = term->df, .len = inv->lens[doc], .idf = term->idf};
        memcpy(part->term, term->text, term->len);
        if (!f->found) continue;
        tn_postings list;
        st = tn_inv_postings(inv, &f->term, &list, err);
        if (st != TERN_OK) return st;
        if (find_tf(&list, doc, &part->tf) != TERN_OK)
            return tn_inv_corrupt(inv, inv->postings, &f->term, err);
        if (part->tf) part->score = tn_bm25_score(term->weight, p.norm, part->tf, part->len);
    }
    *n_parts = n;
    return TERN_OK;
}
