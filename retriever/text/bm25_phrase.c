/* bm25_phrase.c - queries with phrases: passages are those in which every phrase occurs.
 * The rarest phrase word drives; its passages are looked up in the other phrase words' lists, then
 * positions decide. Scores are summed over all query terms, in query order, as everywhere. */
#include "retriever/text/bm25_priv.h"
#include <string.h>

#include "core/base/mem.h"

typedef struct phrase_search {
    const tn_seg_search *g;
    const tn_query *query;
    const uint32_t *cursor_of;
    tn_positions *positions; /* [n_cursors], of phrase words */
    bool *is_required;       /* [n_cursors] */
    uint32_t driver;
    uint32_t *starts, *here; /* where a phrase may start; positions of one word */
    size_t starts_cap, here_cap;
} phrase_search;

static tern_status no_memory(const tn_seg_search *g) {
    return tern_fail(g->err, TERN_ERR_NOMEM, 0, "out of memory while searching a phrase");
}

static tern_status open_positions(phrase_search *p) {
    const tn_seg_search *g = p->g;
    p->driver = UINT32_MAX;
    for (size_t i = 0; i < p->query->n_phrases; i++)
        for (size_t j = 0; j < p->query->phrases[i].n_words; j++) {
            uint32_t cursor = p->cursor_of[p->query->phrases[i].words[j].term];
            const tn_cursor *c = &g->cursors[cursor];
            if (p->is_required[cursor]) continue;
            p->is_required[cursor] = true;
            if (p->driver == UINT32_MAX || c->list.df < g->cursors[p->driver].list.df)
                p->driver = cursor;
            tern_status st = tn_inv_positions(g->inv, &c->term, &p->positions[cursor], g->err);
            if (st != TERN_OK) return st;
        }
    return TERN_OK;
}

/* Positions of the cursor's posting number `at` of the loaded block -> here[0..*n). */
static tern_status read_positions(phrase_search *p, uint32_t cursor, uint32_t at, uint32_t *n) {
    const tn_cursor *c = &p->g->cursors[cursor];
    const tn_positions *positions = &p->positions[cursor];
    const uint8_t *bytes = tn_positions_block(positions, c->block);
    bool ok = bytes != NULL;
    for (uint32_t i = 0; i < at && ok; i++)
        ok = tn_positions_read(positions, &bytes, c->tfs[i], NULL);
    *n = c->tfs[at];
    ok = ok && *n <= (uint64_t)(positions->end - bytes);
    if (ok && TN_GROW(p->here, p->here_cap, *n) != 0) return no_memory(p->g);
    if (!ok || !tn_positions_read(positions, &bytes, *n, p->here))
        return tn_inv_corrupt(p->g->inv, p->g->inv->positions, &c->term, p->g->err);
    return TERN_OK;
}

/* Keep the starts s with s + offset in here[0..n_here). */
static uint32_t intersect(uint32_t *starts, uint32_t n, const uint32_t *here, uint32_t n_here,
                          uint32_t offset) {
    uint32_t kept = 0, j = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t wanted = (uint64_t)starts[i] + offset;
        while (j < n_here && here[j] < wanted) j++;
        if (j < n_here && here[j] == wanted) starts[kept++] = starts[i];
    }
    return kept;
}

/* at[cursor]: the passage's posting in the block that cursor has loaded. */
static tern_status phrase_occurs(phrase_search *p, const tn_phrase *phrase, const uint32_t *at,
                                 bool *occurs) {
    uint32_t n_starts = 0, n;
    for (size_t i = 0; i < phrase->n_words; i++) {
        uint32_t cursor = p->cursor_of[phrase->words[i].term];
        tern_status st = read_positions(p, cursor, at[cursor], &n);
        if (st != TERN_OK) return st;
        if (i == 0) {
            if (TN_GROW(p->starts, p->starts_cap, n) != 0) return no_memory(p->g);
            memcpy(p->starts, p->here, n * sizeof *p->starts);
            n_starts = n;
        } else {
            n_starts = intersect(p->starts, n_starts, p->here, n, phrase->words[i].offset);
        }
        if (n_starts == 0) break;
    }
    *occurs = n_starts > 0;
    return TERN_OK;
}

/* Find doc in every list and sum its score; *matches false if a phrase word is missing. */
static tern_status score_passage(phrase_search *p, uint32_t doc, uint32_t *at, float *score,
                                 bool *matches) {
    const tn_seg_search *g = p->g;
    float sum = 0;
    *matches = false;
    for (uint32_t i = 0; i < g->n_cursors; i++) {
        tn_cursor *c = &g->cursors[i];
        uint32_t block = tn_cursor_block_of(c, doc);
        c->next = block;
        tern_status st = tn_cursor_find(g, c, block, doc, &at[i]);
        if (st != TERN_OK) return st;
        if (at[i] != UINT32_MAX)
            sum += tn_bm25_score(c->weight, g->norm, c->tfs[at[i]], g->inv->lens[doc]);
        else if (p->is_required[i])
            return TERN_OK;
    }
    *score = sum;
    *matches = true;
    return TERN_OK;
}

static tern_status consider(phrase_search *p, uint32_t doc, uint32_t *at) {
    const tn_seg_search *g = p->g;
    float score = 0;
    bool matches;
    if (!tn_seg_allows(g, doc)) return TERN_OK;
    tern_status st = score_passage(p, doc, at, &score, &matches);
    if (st != TERN_OK || !matches || !tn_seg_wants(g, doc, score)) return st;
    for (size_t i = 0; i < p->query->n_phrases && matches && st == TERN_OK; i++)
        st = phrase_occurs(p, &p->query->phrases[i], at, &matches);
    if (st == TERN_OK && matches) tn_hit_heap_add(g->heap, g->base + doc, score);
    return st;
}

static tern_status search(phrase_search *p, uint32_t *at) {
    const tn_postings *driver = &p->g->cursors[p->driver].list;
    uint32_t docs[TN_POSTINGS_BLOCK], n;
    tern_status st = TERN_OK;
    for (uint32_t b = 0; b <= driver->n_blocks && st == TERN_OK; b++) {
        /* The cursor's own buffer moves on with the look-ups: this is a copy to walk. */
        st = tn_postings_decode(driver, b, docs, NULL, &n);
        if (st != TERN_OK)
            return tn_inv_corrupt(p->g->inv, p->g->inv->postings, &p->g->cursors[p->driver].term,
                                  p->g->err);
        for (uint32_t i = 0; i < n && st == TERN_OK; i++) st = consider(p, docs[i], at);
    }
    return st;
}

tern_status tn_seg_search_phrases(const tn_seg_search *g, const tn_query *query,
                                  const uint32_t *cursor_of) {
    phrase_search p = {.g = g, .query = query, .cursor_of = cursor_of};
    p.positions = tn_calloc(g->n_cursors, sizeof *p.positions);
    p.is_required = tn_calloc(g->n_cursors, sizeof *p.is_required);
    uint32_t *at = tn_calloc(g->n_cursors, sizeof *at);
    tern_status st = p.positions && p.is_required && at ? open_positions(&p) : no_memory(g);
    if (st == TERN_OK) st = search(&p, at);
    tn_free(p.positions);
    tn_free(p.is_required);
    tn_free(at);
    tn_free(p.starts);
    tn_free(p.here);
    return st;
}
