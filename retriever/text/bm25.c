/* bm25.c - see bm25.h. Passages are scored in windows of 4096: each term adds its postings of the
 * window into an array of sums, in query order, then the sums are scanned for hits. */
#include "retriever/text/bm25_priv.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum { WINDOW = 4096 };

struct tn_bm25 {
    tn_analyzer *analyzer;
    tn_bm25_segment *segs;
    size_t n_segs;
    uint64_t n_docs, n_tokens;
    tn_arena arena;     /* of the current query */
    tn_cursor *cursors; /* one per query term present in the segment being searched */
    size_t n_cursors, cursors_cap;
    float sums[WINDOW];
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
    tn_bm25_norm norm;
} plan;

static tern_status look_up_terms(tn_bm25 *s, plan *p, tern_error *err) {
    tn_query *q = &p->query;
    p->found = tn_arena_calloc(&s->arena, s->n_segs * q->n_terms, sizeof *p->found);
    if (!p->found) return no_memory(err);
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
        term->weight = (float)(term->count * idf * (k1 + 1.0));
    }
    return TERN_OK;
}

/* --- one segment --- */

typedef struct segment_search {
    const tn_inv *inv;
    const uint32_t *lens;
    tn_bm25_norm norm;
    uint32_t base;
    const uint64_t *allow, *dead;
    tn_hit_heap *heap;
} segment_search;

static bool bit(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

static tern_status open_cursors(tn_bm25 *s, const plan *p, size_t seg, tern_error *err) {
    const term_in_segment *found = &p->found[seg * p->query.n_terms];
    s->n_cursors = 0;
    if (TN_GROW(s->cursors, s->cursors_cap, p->query.n_terms) != 0) return no_memory(err);
    for (size_t t = 0; t < p->query.n_terms; t++) {
        if (!found[t].found) continue;
        tn_cursor *c = &s->cursors[s->n_cursors++];
        tern_status st = tn_inv_postings(s->segs[seg].inv, &found[t].term, &c->list, err);
        if (st != TERN_OK) return st;
        c->weight = p->query.terms[t].weight;
        c->term = (uint32_t)t;
        c->block = UINT32_MAX;
        c->n = c->at = 0;
    }
    return TERN_OK;
}

/* Decode and score a block. */
static tern_status load_block(const segment_search *g, tn_cursor *c, uint32_t block) {
    uint32_t tfs[TN_POSTINGS_BLOCK], lens[TN_POSTINGS_BLOCK];
    tern_status st = tn_postings_decode(&c->list, block, c->docs, tfs, &c->n);
    if (st != TERN_OK) return st;
    for (uint32_t i = 0; i < c->n; i++) lens[i] = g->lens[c->docs[i]];
    for (uint32_t i = 0; i < c->n; i++)
        c->scores[i] = tn_bm25_score(c->weight, g->norm, tfs[i], lens[i]);
    c->block = block;
    c->at = 0;
    return TERN_OK;
}

/* Add a term's postings in [begin, end) to the sums. */
static tern_status add_term(const segment_search *g, tn_cursor *c, uint32_t begin, uint32_t end,
                            float *sums) {
    for (;;) {
        for (; c->at < c->n && c->docs[c->at] < end; c->at++)
            sums[c->docs[c->at] - begin] += c->scores[c->at];
        if (c->at < c->n || c->block == c->list.n_blocks) return TERN_OK;
        tern_status st = load_block(g, c, c->block + 1);
        if (st != TERN_OK) return st;
    }
}

static void offer(const segment_search *g, uint32_t doc, float score) {
    const uint32_t ref = g->base + doc;
    const tn_hit_heap *h = g->heap;
    if (h->n == h->k && tn_hit_is_worse(score, ref, &h->hits[0])) return;
    if (g->dead && bit(g->dead, doc)) return;
    if (g->allow && !bit(g->allow, ref)) return;
    tn_hit_heap_add(g->heap, ref, score);
}

static tern_status search_segment(tn_bm25 *s, const segment_search *g, tern_error *err) {
    const uint32_t n_docs = tn_inv_n_docs(g->inv);
    for (uint64_t begin = 0; begin < n_docs; begin += WINDOW) {
        const uint32_t end = begin + WINDOW < n_docs ? (uint32_t)begin + WINDOW : n_docs;
        memset(s->sums, 0, sizeof s->sums);
        for (size_t i = 0; i < s->n_cursors; i++)
            if (add_term(g, &s->cursors[i], (uint32_t)begin, end, s->sums) != TERN_OK)
                return tern_fail(err, TERN_ERR_CORRUPT, 0, "damaged postings");
        for (uint32_t d = 0; d < end - begin; d++)
            if (s->sums[d] > 0) offer(g, (uint32_t)begin + d, s->sums[d]);
    }
    return TERN_OK;
}

tern_status tn_bm25_search(tn_bm25 *s, const char *query, size_t query_len, float k1, float b,
                           const uint64_t *allow, bool exhaustive, size_t k, tern_hit *hits,
                           size_t *n_hits, tern_error *err) {
    (void)exhaustive;
    *n_hits = 0;
    if (k == 0) return tern_fail(err, TERN_ERR_ARG, 0, "k must be at least 1");
    plan p;
    tern_status st = make_plan(s, query, query_len, k1, b, &p, err);
    tn_hit_heap heap = {hits, 0, k};
    for (size_t i = 0; i < s->n_segs && st == TERN_OK; i++) {
        const tn_bm25_segment *seg = &s->segs[i];
        segment_search g = {.inv = seg->inv,
                            .lens = seg->inv->lens,
                            .norm = p.norm,
                            .base = seg->base,
                            .allow = allow,
                            .dead = seg->dead,
                            .heap = &heap};
        st = open_cursors(s, &p, i, err);
        if (st == TERN_OK && s->n_cursors) st = search_segment(s, &g, err);
    }
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
