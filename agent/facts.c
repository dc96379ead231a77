/* facts.c - the state of an episode as facts: see facts.h. */
#include "agent/facts.h"
#include <string.h>

#include "core/base/mem.h"

/* --- shares of the question ------------------------------------------------------------------- */

/* Sum the weights of the question's terms among words [from, to), each once per `stamp`. */
static float question_mass_in(const tn_facts *f, const tn_view *v, uint32_t from, uint32_t to,
                              uint32_t *seen, uint32_t stamp) {
    float mass = 0;
    for (uint32_t i = from; i < to; i++) {
        uint32_t t = v->words[i].term;
        if (!(f->marks[t] & TN_MARK_QUESTION) || seen[t] == stamp) continue;
        seen[t] = stamp;
        mass += f->lens->weight[t];
    }
    return mass;
}

static void mark_view(tn_facts *f, const tn_view *v, uint8_t mark) {
    for (uint32_t i = 0; i < v->n_words; i++)
        if (tn_word_is_content(&v->words[i])) f->marks[v->words[i].term] |= mark;
}

float tn_span_question_mass(const tn_facts *f, const tn_entity *e) {
    float mass = 0;
    for (uint32_t i = 0; i < e->n_terms; i++)
        if (f->marks[e->terms[i]] & TN_MARK_QUESTION) mass += f->lens->weight[e->terms[i]];
    return mass;
}

/* --- entities --------------------------------------------------------------------------------- */

/* The distinct content terms of words [from, to); of all words when none is content ("The Who"). */
static uint32_t *span_terms(const tn_facts *f, const tn_view *v, uint32_t from, uint32_t to,
                            uint32_t *n) {
    uint32_t *terms = tn_arena_alloc(f->ep->arena, (to - from + 1) * sizeof *terms);
    if (!terms) return NULL;
    for (int pass = 0; pass < 2; pass++) {
        *n = 0;
        for (uint32_t i = from; i < to; i++) {
            if (pass == 0 && !tn_word_is_content(&v->words[i])) continue;
            bool have = false;
            for (uint32_t k = 0; k < *n; k++) have |= terms[k] == v->words[i].term;
            if (!have) terms[(*n)++] = v->words[i].term;
        }
        if (*n > 0) break;
    }
    return terms;
}

static tn_entity *entity_of(tn_facts *f, const uint32_t *terms, uint32_t n) {
    for (uint32_t i = 0; i < f->n_entities; i++) {
        tn_entity *e = &f->entities[i];
        if (e->n_terms == n && memcmp(e->terms, terms, n * sizeof *terms) == 0) return e;
    }
    return NULL;
}

/* Are the content words of a title, or all its words when none is content, the entity's terms? */
static bool same_terms(const tn_view *v, uint32_t n_words, const tn_entity *e) {
    uint32_t k = 0;
    bool any = false;
    for (uint32_t i = 0; i < n_words; i++) any |= tn_word_is_content(&v->words[i]);
    for (uint32_t i = 0; i < n_words; i++) {
        if (any && !tn_word_is_content(&v->words[i])) continue;
        if (k == e->n_terms || e->terms[k] != v->words[i].term) return false;
        k++;
    }
    return k == e->n_terms && k > 0;
}

static uint32_t title_words(const tn_view *title) {
    size_t base = tn_title_base(title->text, title->len);
    uint32_t n = 0;
    while (n < title->n_words && title->words[n].end <= base) n++;
    return n;
}

/* Words between the span and the nearest question word of its sentence. */
static float nearness(const tn_facts *f, const tn_view *v, const tn_name *s) {
    const tn_sentence_span *ss = &v->sentences[v->words[s->word_begin].sentence];
    uint32_t best = UINT32_MAX;
    for (uint32_t i = ss->word_begin; i < ss->word_end; i++) {
        if (i >= s->word_begin && i < s->word_end) continue;
        if (!(f->marks[v->words[i].term] & TN_MARK_QUESTION)) continue;
        uint32_t gap = i < s->word_begin ? s->word_begin - i - 1 : i - s->word_end;
        if (gap < best) best = gap;
    }
    return best == UINT32_MAX ? 0 : 1.0F / (1.0F + (float)best);
}

static tern_status add_entity(tn_facts *f, const tn_view *v, uint32_t from, uint32_t to,
                              size_t begin, size_t end, uint32_t origin, tn_entity **out,
                              tern_error *err) {
    uint32_t n = 0;
    uint32_t *terms = span_terms(f, v, from, to, &n);
    if (!terms) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for candidates");
    tn_entity *e = entity_of(f, terms, n);
    if (!e) {
        size_t cap = f->entities_cap;
        if (f->n_entities == cap) {
            tn_entity *grown = tn_arena_alloc(f->ep->arena, (2 * cap + 64) * sizeof *grown);
            if (!grown) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for candidates");
            if (cap) memcpy(grown, f->entities, cap * sizeof *grown);
            f->entities = grown;
            f->entities_cap = (uint32_t)(2 * cap + 64);
        }
        e = &f->entities[f->n_entities++];
        *e = (tn_entity){.text = v->text + begin,
                         .len = (uint32_t)(end - begin),
                         .terms = terms,
                         .n_terms = n,
                         .origin = origin,
                         .sentence_cover = -1};
    }
    *out = e;
    return TERN_OK;
}

static tern_status add_question_entities(tn_facts *f, tern_error *err) {
    const tn_view *q = &f->lens->question;
    for (uint32_t i = 0; i < f->lens->n_question_names; i++) {
        const tn_name *s = &f->lens->question_names[i];
        tn_entity *e = NULL;
        tern_status st = add_entity(f, q, s->word_begin, s->word_end, s->begin, s->end,
                                    TN_FROM_QUESTION, &e, err);
        if (st != TERN_OK) return st;
        e->asked = true;
        e->known |= s->known;
    }
    return TERN_OK;
}

/* Passage p holds the entity: keep the best two covers. Called in the order of passages. */
static void mentioned(tn_facts *f, tn_entity *e, uint32_t p) {
    float c = f->cover[p];
    if (e->last_mention == p + 1) return;
    e->last_mention = p + 1;
    if (c > e->best_cover) {
        e->second_cover = e->best_cover;
        e->best_cover = c;
    } else if (c > e->second_cover) {
        e->second_cover = c;
    }
}

/* Does the name have a month, or nothing but figures? */
static bool is_date(const tn_view *v, const tn_name *s) {
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    bool figures = true;
    for (uint32_t i = s->word_begin; i < s->word_end; i++) {
        const tn_word *w = &v->words[i];
        figures &= (w->flags & TN_WORD_DIGIT) != 0;
        for (size_t m = 0; m < 12; m++)
            if (strlen(months[m]) == w->end - w->begin &&
                memcmp(months[m], v->text + w->begin, w->end - w->begin) == 0)
                return true;
    }
    return figures;
}

static tern_status add_passage_entities(tn_facts *f, uint32_t p, uint32_t *seen, uint32_t *stamp,
                                        tern_error *err) {
    const struct tn_read *r = &f->lens->reads[p];
    uint32_t n_title = title_words(&r->title);
    tn_entity *e = NULL;
    if (n_title > 0) {
        tern_status st = add_entity(f, &r->title, 0, n_title, 0, r->title.len, p, &e, err);
        if (st != TERN_OK) return st;
        e->known = e->read = true;
        e->n_mentions += e->origin != p;
    }
    uint32_t sentence = UINT32_MAX;
    float mass = 0;
    for (uint32_t i = 0; i < r->n_names; i++) {
        const tn_name *s = &r->names[i];
        uint32_t n_before = f->n_entities;
        tern_status st =
            add_entity(f, &r->text, s->word_begin, s->word_end, s->begin, s->end, p, &e, err);
        if (st != TERN_OK) return st;
        e->n_mentions += f->n_entities > n_before || e->origin != p;
        mentioned(f, e, p);
        uint32_t at = r->text.words[s->word_begin].sentence;
        if (at != sentence) {
            sentence = at;
            const tn_sentence_span *ss = &r->text.sentences[at];
            (*stamp)++;
            mass = question_mass_in(f, &r->title, 0, r->title.n_words, seen, *stamp);
            mass += question_mass_in(f, &r->text, ss->word_begin, ss->word_end, seen, *stamp);
        }
        float cover = f->question_mass > 0 ? mass / f->question_mass : 0;
        e->known |= s->known;
        e->number |= (r->text.words[s->word_begin].flags & TN_WORD_DIGIT) != 0;
        e->date |= is_date(&r->text, s);
        if (cover <= e->sentence_cover || e->read) continue;
        e->sentence_cover = cover;
        e->origin = p;
        e->lead = at == 0;
        e->order = i;
        e->subject = s->word_begin < 2;
        e->near = nearness(f, &r->text, s);
    }
    return TERN_OK;
}

/* --- facts ------------------------------------------------------------------------------------ */

static tern_status gather_queries(tn_facts *f, tern_error *err) {
    const tn_episode *ep = f->ep;
    f->queries = tn_arena_alloc(ep->arena, (ep->n_turns + 1) * sizeof *f->queries);
    if (!f->queries) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for queries");
    for (size_t i = 0; i < ep->n_turns; i++) {
        if (ep->turns[i].kind != TN_ACT_SEARCH) continue;
        tern_status st = tn_lens_view(f->lens, ep->turns[i].content, ep->turns[i].content_len,
                                      &f->queries[f->n_queries], err);
        if (st != TERN_OK) return st;
        f->n_queries++;
    }
    return TERN_OK;
}

static void count_asked(tn_facts *f) {
    for (uint32_t i = 0; i < f->n_entities; i++) {
        tn_entity *e = &f->entities[i];
        for (size_t p = 0; p < f->lens->n_reads && !e->read; p++) {
            const tn_view *title = &f->lens->reads[p].title;
            e->read = same_terms(title, title_words(title), e);
        }
        if (e->sentence_cover < 0) e->sentence_cover = 0;
        f->n_asked += e->asked;
        f->n_asked_read += e->asked && e->read;
        if (e->sentence_cover > f->sentence_max) f->sentence_max = e->sentence_cover;
    }
    for (uint32_t i = 0; i < f->n_entities; i++) {
        const tn_entity *e = &f->entities[i];
        for (size_t p = 0; p < f->lens->n_reads; p++) {
            const tn_view *title = &f->lens->reads[p].title;
            if (same_terms(title, title_words(title), e)) f->linked[p] |= e->n_mentions > 1;
        }
    }
}

/* What of the question each passage alone holds; which passages searches started from. */
static void look_back(tn_facts *f) {
    tn_lens *l = f->lens;
    for (uint32_t i = 0; i < l->question.n_words; i++) {
        const tn_word *w = &l->question.words[i];
        uint32_t n = 0, last = 0;
        bool again = !(f->marks[w->term] & TN_MARK_QUESTION);
        for (uint32_t k = 0; k < i; k++) again |= l->question.words[k].term == w->term;
        for (uint32_t p = 0; p < l->n_reads && !again; p++)
            if (tn_view_has(&l->reads[p].title, w->term) || tn_view_has(&l->reads[p].text, w->term))
                n++, last = p;
        if (n == 1 && f->question_mass > 0)
            f->own_cover[last] += l->weight[w->term] / f->question_mass;
    }
    for (size_t t = 0; t < f->ep->n_turns; t++) {
        const tn_turn *turn = &f->ep->turns[t];
        if (turn->kind != TN_ACT_SEARCH || !turn->candidates.n) continue;
        const tn_candidate *c = &turn->candidates.items[turn->chosen];
        f->n_forms[c->form]++;
        if (c->origin < l->n_reads) f->tried[c->origin]++;
    }
    for (uint32_t p = 0; p < l->n_reads; p++)
        if (f->cover[p] > f->cover_max) f->cover_max = f->cover[p];
}

tern_status tn_facts_gather(tn_episode *ep, tn_facts *f, tern_error *err) {
    *f = (tn_facts){.ep = ep, .lens = ep->lens};
    tern_status st = tn_lens_update(f->lens, ep, err);
    if (st == TERN_OK) st = gather_queries(f, err);
    if (st != TERN_OK) return st;
    tn_lens *l = f->lens;
    f->marks = tn_arena_calloc(ep->arena, l->vocab.n + 1, 1);
    f->cover = tn_arena_calloc(ep->arena, l->n_reads + 1, sizeof *f->cover);
    uint32_t *seen = tn_arena_calloc(ep->arena, l->vocab.n + 1, sizeof *seen);
    f->own_cover = tn_arena_calloc(ep->arena, l->n_reads + 1, sizeof *f->own_cover);
    f->linked = tn_arena_calloc(ep->arena, l->n_reads + 1, sizeof *f->linked);
    f->tried = tn_arena_calloc(ep->arena, l->n_reads + 1, sizeof *f->tried);
    if (!f->marks || !f->cover || !seen || !f->own_cover || !f->linked || !f->tried)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu passages", l->n_reads);

    mark_view(f, &l->question, TN_MARK_QUESTION);
    uint32_t stamp = 1;
    f->question_mass = question_mass_in(f, &l->question, 0, l->question.n_words, seen, stamp);
    float covered = 0;
    st = add_question_entities(f, err);
    for (uint32_t p = 0; st == TERN_OK && p < l->n_reads; p++) {
        const struct tn_read *r = &l->reads[p];
        stamp++;
        float mass = question_mass_in(f, &r->title, 0, r->title.n_words, seen, stamp) +
                     question_mass_in(f, &r->text, 0, r->text.n_words, seen, stamp);
        if (f->question_mass > 0) f->cover[p] = mass / f->question_mass;
        for (uint32_t i = 0; i < r->text.n_sentences && f->question_mass > 0; i++) {
            const tn_sentence_span *ss = &r->text.sentences[i];
            stamp++;
            mass = question_mass_in(f, &r->title, 0, r->title.n_words, seen, stamp) +
                   question_mass_in(f, &r->text, ss->word_begin, ss->word_end, seen, stamp);
            if (mass / f->question_mass > f->sentence) f->sentence = mass / f->question_mass;
        }
        mark_view(f, &r->title, TN_MARK_SHOWN | TN_MARK_TITLE);
        mark_view(f, &r->text, TN_MARK_SHOWN);
        st = add_passage_entities(f, p, seen, &stamp, err);
    }
    stamp++;
    for (uint32_t i = 0; i < l->question.n_words; i++) {
        uint32_t t = l->question.words[i].term;
        if (!(f->marks[t] & TN_MARK_SHOWN) || !(f->marks[t] & TN_MARK_QUESTION)) continue;
        if (seen[t] == stamp) continue;
        seen[t] = stamp;
        covered += l->weight[t];
    }
    if (f->question_mass > 0) f->covered = covered / f->question_mass;
    count_asked(f);
    look_back(f);
    return st;
}
