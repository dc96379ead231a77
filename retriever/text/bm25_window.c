/* bm25_window.c - MaxScore over windows of passages, with block maxima (after Turtle and Flood
 * 1995, and Ding and Suel 2011).
 *
 * For each window a bound on every term's scores is taken from the maxima of the blocks that reach
 * into it. Terms whose bounds together stay below the worst hit so far are not essential: no
 * passage with only those can enter. Essential terms add their postings to an array of sums, in
 * query order; passages that could enter with the help of the other terms are completed by looking
 * these up, the most promising first, and dropped as soon as they no longer can.
 *
 * Departures: windows grow from 512 to 4096 passages, so that there is a worst hit early; a passage
 * that survives is scored again from all its terms in query order, so that its score has the same
 * bits as without pruning. Bounds are summed in double and widened by more than all the rounding in
 * the float sum can amount to. */
#include "retriever/text/bm25_priv.h"
#include <float.h>
#include <string.h>

#include "core/base/mem.h"

enum {
    WINDOW_FIRST = 512,
    SPARSE_SHIFT = 4, /* fewer postings than window / 16: remember the passages touched */
    GROUP = 16,
    OTHERS_MIN = 512,  /* fewer postings than this are added rather than looked up */
    LOOK_UP_COST = 48, /* of one passage in one list, in postings added */
    REST_MAX = 16      /* windows */
};

typedef struct tn_bound {
    float bound; /* of the cursor in this window */
    uint32_t cursor;
    uint64_t n_postings; /* in this window, at most */
    double below;        /* sum of the bounds up to and including this one */
} tn_bound;

typedef struct window {
    const tn_seg_search *g;
    tn_window_scratch *scratch;
    double slack; /* > 1: covers the rounding of a sum of all terms */
    uint32_t begin, end;
    uint32_t rest, rest_next;              /* windows to go without pruning, after it did not pay */
    size_t n_others;                       /* order[0..n_others) are not essential */
    bool others_added;                     /* all the same, their postings are in the sums */
    uint64_t n_postings, n_other_postings; /* at most, of the essential terms and of the others */
} window;

/* What a passage must reach to enter; 0 while there is room. */
static double entry_score(const tn_seg_search *g) {
    return g->heap->n == g->heap->k ? (double)g->heap->hits[0].score : 0;
}

/* By ascending bound. Shell sort: nearly sorted from the window before, and thousands in a long
 * query. */
static void sort_bounds(tn_bound *v, size_t n) {
    size_t gap = 1;
    while (gap < n / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (size_t i = gap; i < n; i++) {
            const tn_bound moved = v[i];
            size_t j = i;
            for (; j >= gap && v[j - gap].bound > moved.bound; j -= gap) v[j] = v[j - gap];
            v[j] = moved;
        }
}

/* Bound every term in the window and split them into essential ones and others. */
static tern_status split_terms(window *w, bool exhaustive) {
    const tn_seg_search *g = w->g;
    tn_bound *order = w->scratch->order;
    double sum = 0;
    for (size_t i = 0; i < g->n_cursors; i++) {
        tn_bound *o = &order[i];
        tern_status st =
            tn_cursor_bound(g, &g->cursors[o->cursor], w->begin, w->end, &o->bound, &o->n_postings);
        if (st != TERN_OK) return st;
    }
    sort_bounds(order, g->n_cursors);
    const double entry = entry_score(g);
    w->n_others = 0;
    w->n_postings = w->n_other_postings = 0;
    w->others_added = false;
    for (size_t i = 0; i < g->n_cursors; i++) {
        order[i].below = sum += (double)order[i].bound;
        bool is_other = !exhaustive && sum * w->slack < entry;
        w->n_others += is_other;
        *(is_other ? &w->n_other_postings : &w->n_postings) += order[i].n_postings;
    }
    const bool is_resting = w->rest > 0 && w->rest-- > 0;
    if (w->n_others < g->n_cursors && (is_resting || w->n_other_postings < OTHERS_MIN)) {
        w->n_postings += w->n_other_postings;
        w->n_others = 0;
    }
    for (size_t i = 0; i < g->n_cursors; i++)
        g->cursors[order[i].cursor].is_essential = i >= w->n_others;
    return TERN_OK;
}

/* --- adding up the essential terms --- */

static uint32_t first_at_least(const uint32_t *docs, uint32_t from, uint32_t n, uint32_t end) {
    if (n == 0 || docs[n - 1] < end) return n;
    while (from < n && docs[from] < end) from++;
    return from;
}

static void add_dense(window *w, const tn_cursor *c, uint32_t upto) {
    float *sums = w->scratch->sums;
    for (uint32_t i = c->at; i < upto; i++) sums[c->docs[i] - w->begin] += c->scores[i];
}

/* As add_dense, and remember which sums were touched first. */
static uint32_t add_sparse(window *w, const tn_cursor *c, uint32_t upto, uint32_t n_touched) {
    float *sums = w->scratch->sums;
    for (uint32_t i = c->at; i < upto; i++) {
        uint32_t d = c->docs[i] - w->begin;
        w->scratch->touched[n_touched] = (uint16_t)d;
        n_touched += sums[d] == 0;
        sums[d] += c->scores[i];
    }
    return n_touched;
}

static tern_status add_term(window *w, tn_cursor *c, bool is_sparse, uint32_t *n_touched) {
    const tn_seg_search *g = w->g;
    for (uint32_t block = c->next; block <= c->list.n_blocks; block++) {
        if (block > 0 && c->list.metas[block - 1].last_doc + 1 >= w->end) break;
        tern_status st = tn_cursor_load(g, c, block);
        if (st != TERN_OK) return st;
        tn_cursor_score(g, c);
        c->at = first_at_least(c->docs, c->at, c->n, w->begin);
        uint32_t upto = first_at_least(c->docs, c->at, c->n, w->end);
        if (is_sparse)
            *n_touched = add_sparse(w, c, upto, *n_touched);
        else
            add_dense(w, c, upto);
        c->at = upto;
        if (upto < c->n) break;
    }
    return TERN_OK;
}

/* --- candidates --- */

static tern_status find_part(window *w, uint32_t cursor, uint32_t doc, uint32_t block) {
    const tn_seg_search *g = w->g;
    tn_cursor *c = &g->cursors[cursor];
    uint32_t at;
    tern_status st = tn_cursor_find(g, c, block, doc, &at);
    w->scratch->parts[cursor] =
        st == TERN_OK && at != UINT32_MAX
            ? tn_bm25_score(c->weight, g->norm, c->tfs[at], g->inv->lens[doc])
            : 0;
    return st;
}

/* Complete a candidate by the terms that are not essential. *lives: it may still enter. */
static tern_status add_others(window *w, uint32_t doc, float partial, bool *lives) {
    const double entry = entry_score(w->g);
    double sum = (double)partial;
    *lives = false;
    for (size_t i = w->n_others; i-- > 0;) {
        const tn_bound *o = &w->scratch->order[i];
        tn_cursor *c = &w->g->cursors[o->cursor];
        if ((sum + o->below) * w->slack < entry) return TERN_OK;
        uint32_t block = tn_cursor_block_of(c, doc);
        double below = o->below - (double)o->bound;
        if (block != c->block && block < c->list.n_blocks &&
            (sum + below + (double)tn_cursor_block_bound(w->g, c, block)) * w->slack < entry)
            return TERN_OK;
        tern_status st = find_part(w, o->cursor, doc, block);
        if (st != TERN_OK) return st;
        sum += (double)w->scratch->parts[o->cursor];
    }
    *lives = sum * w->slack >= entry;
    return TERN_OK;
}

/* The score as without pruning: every term's part, summed in query order. */
static tern_status rescore(window *w, uint32_t doc, float *score) {
    const tn_seg_search *g = w->g;
    float sum = 0;
    for (uint32_t i = 0; i < g->n_cursors; i++) {
        const tn_cursor *c = &g->cursors[i];
        tern_status st = TERN_OK;
        if (c->is_essential || w->others_added)
            st = find_part(w, i, doc, tn_cursor_block_of(c, doc));
        if (st != TERN_OK) return st;
        sum += w->scratch->parts[i];
    }
    *score = sum;
    return TERN_OK;
}

static tern_status consider(window *w, uint32_t doc, float partial) {
    const tn_seg_search *g = w->g;
    float score = partial;
    bool lives = true;
    tern_status st = TERN_OK;
    if (!tn_seg_allows(g, doc)) return TERN_OK;
    if (w->n_others && !w->others_added) st = add_others(w, doc, partial, &lives);
    if (w->n_others && lives && st == TERN_OK) st = rescore(w, doc, &score);
    if (st == TERN_OK && lives && tn_seg_wants(g, doc, score))
        tn_hit_heap_add(g->heap, g->base + doc, score);
    return st;
}

/* The least sum of essential scores with which a passage may enter. Positive: untouched sums do
 * not pass. */
static float least_partial(const window *w) {
    bool lacks_others = w->n_others && !w->others_added;
    double others = lacks_others ? w->scratch->order[w->n_others - 1].below : 0;
    double least = entry_score(w->g) / w->slack - others;
    least -= least * 1e-6; /* towards the safe side of the conversion below */
    return least > (double)FLT_MIN ? (float)least : FLT_MIN;
}

typedef float float4 __attribute__((vector_size(16)));
typedef int32_t int4 __attribute__((vector_size(16)));

/* Is any of 16 sums at least `least`? Plain comparisons of vectors: a loop of scalars stays one. */
static bool any_reaches(const float sums[GROUP], float4 least) {
    float4 v[GROUP / 4];
    memcpy(v, sums, sizeof v);
    const int4 any = (v[0] >= least) | (v[1] >= least) | (v[2] >= least) | (v[3] >= least);
    int64_t halves[2];
    memcpy(halves, &any, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

static float4 splat(float x) {
    return (float4){x, x, x, x};
}

static tern_status scan_dense(window *w) {
    float *sums = w->scratch->sums;
    const uint32_t n = w->end - w->begin;
    float least = least_partial(w);
    tern_status st = TERN_OK;
    for (uint32_t group = 0; group < n; group += GROUP) { /* sums beyond n are 0 */
        if (!any_reaches(sums + group, splat(least))) continue;
        for (uint32_t i = group; i < group + GROUP && st == TERN_OK; i++) {
            if (sums[i] < least) continue;
            st = consider(w, w->begin + i, sums[i]);
            least = least_partial(w);
        }
    }
    memset(sums, 0, n * sizeof *sums);
    return st;
}

static tern_status scan_sparse(window *w, uint32_t n_touched) {
    float *sums = w->scratch->sums;
    float least = least_partial(w);
    tern_status st = TERN_OK;
    for (uint32_t i = 0; i < n_touched; i++) {
        uint32_t d = w->scratch->touched[i];
        if (st == TERN_OK && sums[d] >= least) {
            st = consider(w, w->begin + d, sums[d]);
            least = least_partial(w);
        }
        sums[d] = 0;
    }
    return st;
}

static uint32_t count_candidates(const window *w) {
    const float *sums = w->scratch->sums, least = least_partial(w);
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->end - w->begin; i++) n += sums[i] >= least;
    return n;
}

static tern_status add_terms(window *w, bool essential, bool is_sparse, uint32_t *n_touched) {
    const tn_seg_search *g = w->g;
    tern_status st = TERN_OK;
    for (size_t i = 0; i < g->n_cursors && st == TERN_OK; i++)
        if (g->cursors[i].is_essential == essential)
            st = add_term(w, &g->cursors[i], is_sparse, n_touched);
    return st;
}

static tern_status search_window(window *w) {
    const bool is_sparse = w->n_postings < (uint64_t)(w->end - w->begin) >> SPARSE_SHIFT;
    uint32_t n_touched = 0;
    tern_status st = add_terms(w, true, is_sparse, &n_touched);
    if (st == TERN_OK && w->n_others && !is_sparse &&
        (uint64_t)count_candidates(w) * LOOK_UP_COST > w->n_other_postings) {
        st = add_terms(w, false, false, &n_touched);
        w->others_added = true;
        w->rest = w->rest_next;
        if (w->rest_next < REST_MAX) w->rest_next *= 2;
    } else if (w->n_others) {
        w->rest_next = 1;
    }
    if (st != TERN_OK) { /* leave no sums behind */
        memset(w->scratch->sums, 0, sizeof w->scratch->sums);
        return st;
    }
    return is_sparse ? scan_sparse(w, n_touched) : scan_dense(w);
}

tern_status tn_seg_search_windows(const tn_seg_search *g, bool exhaustive,
                                  tn_window_scratch *scratch) {
    window w = {.g = g, .scratch = scratch, .rest_next = 1};
    const uint32_t n_docs = g->inv->head.n_docs;
    if (TN_GROW(scratch->order, scratch->order_cap, g->n_cursors) != 0 ||
        TN_GROW(scratch->parts, scratch->parts_cap, g->n_cursors) != 0)
        return tern_fail(g->err, TERN_ERR_NOMEM, 0, "out of memory while searching");
    for (size_t i = 0; i < g->n_cursors; i++) scratch->order[i].cursor = (uint32_t)i;
    w.slack = 1 + (double)(2 * g->n_cursors + 16) * (double)FLT_EPSILON;
    uint32_t size = WINDOW_FIRST;
    while (w.end < n_docs) {
        w.begin = w.end;
        w.end = n_docs - w.begin > size ? w.begin + size : n_docs;
        if (size < TN_WINDOW) size *= 2;
        tern_status st = split_terms(&w, exhaustive);
        if (st == TERN_OK && w.n_others < g->n_cursors) st = search_window(&w);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}
