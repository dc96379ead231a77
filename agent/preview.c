/* preview.c - see preview.h. */
#include "agent/preview.h"
#include "agent/features.h"
#include "agent/pages.h"
#include "core/base/text.h"
#include <string.h>

#include "core/base/mem.h"

enum {
    HITS_MAX = 64,
    SEEN_MAX = 64 /* passages shown that hits are compared with: the first so many */
};

/* What all previews of a state share. */
typedef struct state_view {
    tn_episode *ep;
    uint32_t *refs; /* [ep->n_shown] */
    size_t n_seen;
    tn_page *seen;   /* [n_seen] passages shown */
    bool *linked;    /* [n_seen][n_seen] */
    tn_held held;    /* of all of them */
    tn_buf question; /* folded */
    float mass;      /* of the question */
} state_view;

static tern_status view_state(state_view *v, tern_error *err) {
    tn_episode *ep = v->ep;
    size_t n = ep->n_shown < SEEN_MAX ? ep->n_shown : SEEN_MAX;
    v->n_seen = n;
    v->refs = tn_arena_alloc(ep->arena, (ep->n_shown + 1) * sizeof *v->refs);
    v->seen = tn_arena_alloc(ep->arena, (n + 1) * sizeof *v->seen);
    v->linked = tn_arena_calloc(ep->arena, n * n + 1, sizeof *v->linked);
    tn_text_fold(ep->question, ep->question_len, &v->question);
    if (!v->refs || !v->seen || !v->linked || v->question.failed)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for previews");
    v->mass = tn_held_mass(ep->lens, ~(tn_held)0);
    for (size_t i = 0; i < ep->n_shown; i++) v->refs[i] = ep->shown[i].ref;
    for (size_t i = 0; i < n; i++) {
        const tn_page *page;
        tern_status st = tn_page_look(ep, v->refs[i], &page, err);
        if (st != TERN_OK) return st;
        v->seen[i] = *page;
        v->held |= page->held;
        for (size_t j = 0; j < i; j++)
            v->linked[i * n + j] = v->linked[j * n + i] = tn_pages_linked(&v->seen[i], &v->seen[j]);
    }
    return TERN_OK;
}

static float larger(float a, float b) {
    return a > b ? a : b;
}

static float share(const state_view *v, tn_held held) {
    return tn_held_mass(v->ep->lens, held) / v->mass;
}

/* One of n_hits hits' part of a candidate's features. query: folded. */
static void add_hit(const state_view *v, const tn_page *hit, const tn_buf *query, size_t n_hits,
                    float *x) {
    float cover = share(v, hit->held);
    bool any = false;
    x[TN_F_HIT_COVER] = larger(x[TN_F_HIT_COVER], cover);
    x[TN_F_HIT_MEAN] += cover / (float)n_hits;
    x[TN_F_HIT_NEW] = larger(x[TN_F_HIT_NEW], share(v, hit->held & ~v->held));
    for (size_t i = 0; i < v->n_seen; i++) {
        if (!tn_pages_linked(hit, &v->seen[i])) continue;
        tn_held pair = hit->held | v->seen[i].held;
        any = true;
        x[TN_F_HIT_PAIR] = larger(x[TN_F_HIT_PAIR], share(v, pair));
        for (size_t j = 0; j < v->n_seen; j++)
            if (v->linked[i * v->n_seen + j])
                x[TN_F_HIT_CHAIN] = larger(x[TN_F_HIT_CHAIN], share(v, pair | v->seen[j].held));
    }
    x[TN_F_HIT_LINKED] += any ? 1.0F / (float)n_hits : 0;
    if (hit->title_len < 3) return;
    if (memmem(v->question.data, v->question.len, hit->title, hit->title_len))
        x[TN_F_HIT_NAMED] = 1;
    if (query->len >= hit->title_len && memcmp(query->data, hit->title, hit->title_len) == 0)
        x[TN_F_HIT_SPAN] = 1;
}

static tern_status look(const state_view *v, const tn_candidate *c, tn_buf *query,
                        tern_error *err) {
    const tn_agent_tools *tools = v->ep->tools;
    uint32_t refs[HITS_MAX];
    size_t n = 0, k = v->ep->opts->top_k < HITS_MAX ? v->ep->opts->top_k : HITS_MAX;
    tern_status st =
        tools->search(tools->ud, c->query, c->query_len, k, v->refs, v->ep->n_shown, refs, &n, err);
    tn_buf_reset(query);
    tn_text_fold(c->query, c->query_len, query);
    if (st == TERN_OK) st = tn_buf_status(query, err);
    if (st != TERN_OK) return st;
    c->features[TN_F_HITS] = 1;
    c->features[TN_F_HIT_NONE] = 1.0F - (float)n / (float)k;
    for (size_t i = 0; i < n; i++) {
        const tn_page *hit;
        st = tn_page_look(v->ep, refs[i], &hit, err);
        if (st != TERN_OK) return st;
        add_hit(v, hit, query, n, c->features);
    }
    return TERN_OK;
}

/* Keep which[] sorted by logit, falling; equals in the order of the list. */
static void keep(const float *logits, uint32_t i, uint32_t *which, size_t *n) {
    size_t at = *n;
    while (at > 0 && logits[i] > logits[which[at - 1]]) at--;
    if (at == TN_PREVIEWS) return;
    if (*n < TN_PREVIEWS) (*n)++;
    memmove(which + at + 1, which + at, (*n - at - 1) * sizeof *which);
    which[at] = i;
}

tern_status tn_preview(tn_episode *ep, const tn_candidates *c, const float *logits,
                       uint32_t which[TN_PREVIEWS], size_t *n_which, tern_error *err) {
    state_view v = {.ep = ep};
    tn_buf query = {0};
    *n_which = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->items[i].kind == TN_ACT_SEARCH) keep(logits, (uint32_t)i, which, n_which);
    tern_status st = view_state(&v, err);
    for (size_t i = 0; i < *n_which && st == TERN_OK && v.mass > 0; i++)
        st = look(&v, &c->items[which[i]], &query, err);
    tn_buf_deinit(&query);
    tn_buf_deinit(&v.question);
    return st;
}
