/* candidates.c - what could be searched next: the names of the question and of the passages read,
 * each alone, with the question's words its passage lacks, and with the whole question; the
 * question itself; its uncovered words; and stopping. */
#include "agent/features.h"
#include <string.h>
#include "core/base/mem.h"

enum { TERMS_MAX = 128 };

typedef struct maker {
    const tn_facts *f;
    tn_candidates *c;
    size_t cap;
    tn_buf query;
    uint32_t terms[TERMS_MAX]; /* distinct content terms of the query */
    uint32_t n_terms;
} maker;

static void put_term(maker *m, uint32_t term) {
    for (uint32_t i = 0; i < m->n_terms; i++)
        if (m->terms[i] == term) return;
    if (m->n_terms < TERMS_MAX) m->terms[m->n_terms++] = term;
}

static void put_text(maker *m, const char *text, size_t len) {
    if (m->query.len) tn_buf_char(&m->query, ' ');
    /* a quoted part would be a phrase that must occur: too strict for a guess */
    for (size_t i = 0; i < len; i++) tn_buf_char(&m->query, text[i] == '"' ? ' ' : text[i]);
}

static bool entity_has(const tn_entity *e, uint32_t term) {
    for (uint32_t i = 0; e && i < e->n_terms; i++)
        if (e->terms[i] == term) return true;
    return false;
}

/* Does the passage the entity was read in hold the term? For a name of the question: any passage.
 */
static bool origin_has(const tn_facts *f, const tn_entity *e, uint32_t term) {
    if (!e || e->origin == TN_FROM_QUESTION) return f->marks[term] & TN_MARK_SHOWN;
    const struct tn_read *r = &f->lens->reads[e->origin];
    return tn_view_has(&r->title, term) || tn_view_has(&r->text, term);
}

/* Append the question's content words that are neither in the entity nor in its passage. */
static uint32_t put_rest(maker *m, const tn_entity *e) {
    const tn_view *q = &m->f->lens->question;
    uint32_t n = 0;
    for (uint32_t i = 0; i < q->n_words; i++) {
        const tn_word *w = &q->words[i];
        if (!tn_word_is_content(w) || entity_has(e, w->term) || origin_has(m->f, e, w->term))
            continue;
        put_text(m, q->text + w->begin, w->end - w->begin);
        put_term(m, w->term);
        n++;
    }
    return n;
}

static void put_question(maker *m) {
    const tn_view *q = &m->f->lens->question;
    put_text(m, q->text, q->len);
    for (uint32_t i = 0; i < q->n_words; i++)
        if (tn_word_is_content(&q->words[i])) put_term(m, q->words[i].term);
}

static tern_status emit(maker *m, tn_form form, const tn_entity *e, tern_error *err) {
    tn_arena *arena = m->f->ep->arena;
    float *x = tn_arena_alloc(arena, TN_N_FEATURES * sizeof *x);
    char *query = tn_arena_strndup(arena, tn_buf_cstr(&m->query), m->query.len);
    if (m->c->n == m->cap) {
        size_t cap = 2 * m->cap + 64;
        tn_candidate *grown = tn_arena_alloc(arena, cap * sizeof *grown);
        if (grown && m->c->n) memcpy(grown, m->c->items, m->c->n * sizeof *grown);
        if (grown) m->c->items = grown;
        if (grown) m->cap = cap;
    }
    if (!x || !query || m->c->n == m->cap || m->query.failed)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for candidates");
    tn_features(m->f, form, e, m->terms, m->n_terms, x);
    m->c->items[m->c->n++] =
        (tn_candidate){.kind = form == TN_FORM_STOP ? TN_ACT_ANSWER : TN_ACT_SEARCH,
                       .query = query,
                       .query_len = m->query.len,
                       .origin = e                      ? e->origin
                                 : form == TN_FORM_STOP ? TN_FROM_NOWHERE
                                                        : TN_FROM_QUESTION,
                       .form = (uint8_t)form,
                       .features = x};
    return TERN_OK;
}

static void begin(maker *m, const tn_entity *e) {
    tn_buf_reset(&m->query);
    m->n_terms = 0;
    if (!e) return;
    put_text(m, e->text, e->len);
    for (uint32_t i = 0; i < e->n_terms; i++) put_term(m, e->terms[i]);
}

static tern_status emit_entity(maker *m, const tn_entity *e, tern_error *err) {
    begin(m, e);
    tern_status st = emit(m, TN_FORM_ALONE, e, err);
    if (st == TERN_OK && put_rest(m, e) > 0) st = emit(m, TN_FORM_WITH_REST, e, err);
    if (st != TERN_OK || e->asked) return st; /* the question holds it already */
    begin(m, e);
    put_question(m);
    return emit(m, TN_FORM_WITH_ALL, e, err);
}

tern_status tn_candidates_propose(const tern_policy *p, tn_episode *ep, tn_candidates *c,
                                  tern_error *err) {
    (void)p;
    tn_facts f;
    *c = (tn_candidates){.n_features = TN_N_FEATURES};
    tern_status st = tn_facts_gather(ep, &f, err);
    if (st != TERN_OK) return st;
    maker m = {.f = &f, .c = c};
    begin(&m, NULL);
    if (ep->n_searches > 0) st = emit(&m, TN_FORM_STOP, NULL, err);
    if (st == TERN_OK) {
        put_question(&m);
        st = emit(&m, TN_FORM_QUESTION, NULL, err);
    }
    begin(&m, NULL);
    if (st == TERN_OK && ep->n_searches > 0 && put_rest(&m, NULL) > 0)
        st = emit(&m, TN_FORM_REST, NULL, err);
    for (uint32_t i = 0; st == TERN_OK && i < f.n_entities; i++)
        st = emit_entity(&m, &f.entities[i], err);
    tn_buf_deinit(&m.query);
    return st;
}
