/* reader_score.c - the features of answer spans. See reader.h. */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <string.h>

const char *const tn_reader_names[TN_N_READER] = {
#define TN_READER_NAME_(name, weight, meaning) #name,
    TN_READER_MAP(TN_READER_NAME_)
#undef TN_READER_NAME_
};
const float tn_reader_weights[TN_N_READER] = {
#define TN_READER_WEIGHT_(name, weight, meaning) weight,
    TN_READER_MAP(TN_READER_WEIGHT_)
#undef TN_READER_WEIGHT_
};

float tn_evidence_mass(const tn_evidence *a, uint64_t set) {
    float sum = 0;
    for (uint32_t i = 0; i < a->n; i++)
        if (set >> i & 1) sum += a->weight[i];
    return a->total > 0 ? sum / a->total : 0;
}

static int evidence_index(const tn_evidence *a, uint32_t term) {
    for (uint32_t i = 0; i < a->n; i++)
        if (a->terms[i] == term) return (int)i;
    return -1;
}

static uint64_t said_with(const tn_evidence *a, uint32_t term) {
    for (uint32_t i = 0; i < a->n_said; i++)
        if (a->said[i].term == term) return a->said[i].bits;
    return 0;
}

uint64_t tn_evidence_in(const tn_evidence *a, const tn_view *v, uint32_t from, uint32_t to) {
    uint64_t set = 0;
    for (uint32_t i = from; i < to; i++) set |= said_with(a, v->words[i].term);
    return set;
}

/* Does the text of `a` name the title of `b`? All content terms of the title occur in it. */
static bool names_title(const tn_view *text, const tn_view *title) {
    uint32_t n = 0;
    size_t base = tn_title_base(title->text, title->len);
    for (uint32_t i = 0; i < title->n_words && title->words[i].end <= base; i++) {
        if (!tn_word_is_content(&title->words[i])) continue;
        if (!tn_view_has(text, title->words[i].term)) return false;
        n++;
    }
    return n > 0;
}

tern_status tn_evidence_gather(tn_episode *ep, const tn_question_form *form, tn_evidence *a,
                               tern_error *err) {
    tn_lens *l = ep->lens;
    tn_arena *arena = ep->arena;
    tern_status st = tn_lens_update(l, ep, err);
    if (st != TERN_OK) return st;
    *a = (tn_evidence){.lens = l};
    const tn_view *q = &l->question;
    for (uint32_t i = 0; i < q->n_words && a->n < 64; i++) {
        uint32_t t = q->words[i].term;
        if (!tn_word_is_evidence(q, i) || evidence_index(a, t) >= 0) continue;
        a->terms[a->n] = t;
        a->weight[a->n] = l->weight[t];
        a->total += l->weight[t];
        a->n++;
    }
    st = tn_evidence_paraphrase(a, l, err);
    if (st != TERN_OK) return st;
    uint32_t asked = tn_asked_word(q, form);
    if (asked != UINT32_MAX) a->asked = tn_evidence_in(a, q, asked, asked + 1);
    size_t n = l->n_reads;
    a->stale = tn_arena_calloc(arena, n + 1, sizeof *a->stale);
    a->kinds = tn_arena_calloc(arena, n + 1, sizeof *a->kinds);
    a->wanted = tn_wanted_kind(l, form);
    a->in_title = tn_arena_alloc(arena, (n + 1) * sizeof *a->in_title);
    a->in_text = tn_arena_alloc(arena, (n + 1) * sizeof *a->in_text);
    a->chain = tn_arena_calloc(arena, n + 1, sizeof *a->chain);
    a->chain_with = tn_arena_alloc(arena, (n + 1) * sizeof *a->chain_with);
    if (!a->in_title || !a->in_text || !a->chain || !a->chain_with || !a->stale || !a->kinds)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
    for (size_t p = 0; p < n; p++) {
        const struct tn_read *r = &l->reads[p];
        a->in_title[p] = tn_evidence_in(a, &r->title, 0, r->title.n_words);
        a->in_text[p] = tn_evidence_in(a, &r->text, 0, r->text.n_words);
    }
    for (size_t p = 0; p < n; p++) {
        a->chain[p] = tn_evidence_mass(a, a->in_title[p] | a->in_text[p]);
        a->chain_with[p] = (uint32_t)p;
        for (size_t o = 0; o < n; o++) {
            if (o == p || (!names_title(&l->reads[o].text, &l->reads[p].title) &&
                           !names_title(&l->reads[p].text, &l->reads[o].title)))
                continue;
            float both = tn_evidence_mass(a, a->in_title[p] | a->in_text[p] | a->in_title[o] |
                                                 a->in_text[o]);
            if (both <= a->chain[p]) continue;
            a->chain[p] = both;
            a->chain_with[p] = (uint32_t)o;
        }
    }
    for (size_t p = 0; p < n; p++)
        a->kinds[p] = tn_page_kind(&l->reads[p].title, &l->reads[p].text);
    tn_mark_stale(ep, a, a->stale);
    st = tn_mark_named(a, err);
    if (st != TERN_OK) return st;
    return tn_paths_walk(a, err);
}

/* --- the words around a span ------------------------------------------------------------------ */

static bool word_before(const tn_view *v, uint32_t i, const char *const *list) {
    if (i == 0) return false;
    const tn_word *w = &v->words[i - 1];
    if (v->words[i].begin > w->end + 2) return false;
    for (; *list; list++) {
        size_t len = strlen(*list);
        if (w->end - w->begin == len && memcmp(v->text + w->begin, *list, len) == 0) return true;
    }
    return false;
}

static void near_features(const tn_evidence *a, const tn_view *v, const tn_answer_span *s,
                          float *x) {
    const tn_sentence_span *ss = &v->sentences[v->words[s->word_begin].sentence];
    float near = 0;
    uint64_t seen = 0;
    for (uint32_t i = ss->word_begin; i < ss->word_end; i++) {
        if (i >= s->word_begin && i < s->word_end) continue;
        uint64_t here = said_with(a, v->words[i].term) & ~seen;
        if (!here) continue;
        seen |= here;
        uint32_t gap = i < s->word_begin ? s->word_begin - i - 1 : i - s->word_end;
        near += tn_evidence_mass(a, here) * a->total / (1.0F + (float)gap);
        if (gap == 0) x[TN_R_NEXT_TO] = 1;
    }
    x[TN_R_NEAR] = near < 2 ? near / 2 : 1;
}

/* How the span stands to the word for what is asked. */
static void asked_features(const tn_evidence *a, const tn_question_form *f, const tn_view *v,
                           const tn_answer_span *s, float *x) {
    static const char *const by[] = {"by", "was", "is", "were", "are", NULL};
    const tn_sentence_span *ss = &v->sentences[v->words[s->word_begin].sentence];
    for (uint32_t i = ss->word_begin; i < ss->word_end; i++) {
        if ((i >= s->word_begin && i < s->word_end) || !(said_with(a, v->words[i].term) & a->asked))
            continue;
        bool before = i < s->word_begin;
        uint32_t from = before ? i + 1 : s->word_end, to = before ? s->word_begin : i;
        float near = 1.0F / (1.0F + (float)(to - from));
        bool small = true;
        for (uint32_t k = from; k < to; k++) small &= !tn_word_is_content(&v->words[k]);
        x[TN_R_ASKED] = 1;
        if (near > x[TN_R_ASKED_NEAR]) x[TN_R_ASKED_NEAR] = near;
        if (small) x[TN_R_ASKED_NEXT] = 1;
        if (small && before && to > from && f->want == TN_WANT_PERSON && tn_word_in(v, to - 1, by))
            x[TN_R_ASKED_BY] = 1;
    }
}

static void path_features(const tn_evidence *a, uint32_t p, uint32_t sentence, uint64_t self,
                          float *x) {
    const tn_view *v = &a->lens->reads[p].text;
    const tn_path *way = &a->paths[a->first_sentence[p] + sentence];
    const tn_sentence_span *ss = &v->sentences[sentence];
    uint64_t here = tn_evidence_in(a, v, ss->word_begin, ss->word_end) & ~self, before = 0;
    if (way->from_sentence != UINT32_MAX)
        before = a->paths[a->first_sentence[way->from_page] + way->from_sentence].said;
    x[TN_R_PATH] = tn_evidence_mass(a, way->said & ~(self & ~before));
    float beyond = x[TN_R_PATH] - 0.6F;
    x[TN_R_PATH_COMPLETE] = beyond > 0 ? beyond / 0.4F : 0;
    x[TN_R_PATH_END] = tn_evidence_mass(a, here & ~before);
    x[TN_R_ASKED_PATH] = here & a->asked ? x[TN_R_PATH] : 0;
    x[TN_R_PATH_TOP] = (here & a->asked) && tn_evidence_mass(a, way->said) >= a->best_path - 0.01F;
    x[TN_R_CHAIN_TOP] = x[TN_R_PATH_TOP] > 0 && (way->pages & (way->pages - 1));
    x[TN_R_HOPS] = (float)(__builtin_popcountll(way->pages) - 1) / 3;
    x[TN_R_NAMED] = a->named[p];
    x[TN_R_NAMED_PART] = !a->named[p] && a->in_title[p];
    x[TN_R_STALE] = a->stale[p];
}

static void shape_features(const tn_question_form *f, const tn_answer_span *s, float *x) {
    bool date = f->want == TN_WANT_DATE, number = f->want == TN_WANT_NUMBER;
    bool thing = f->want == TN_WANT_THING || f->want == TN_WANT_REASON;
    switch (s->shape) {
    case TN_SHAPE_NAME:
        x[TN_R_NAME_PERSON] = f->want == TN_WANT_PERSON;
        x[TN_R_NAME_PLACE] = f->want == TN_WANT_PLACE;
        x[TN_R_NAME_THING] = thing;
        break;
    case TN_SHAPE_DATE:
        x[date ? TN_R_DATE_DATE : TN_R_DATE_OTHER] = 1;
        break;
    case TN_SHAPE_NUMBER:
        x[number ? TN_R_NUMBER_NUMBER : TN_R_NUMBER_OTHER] = 1;
        break;
    case TN_SHAPE_PHRASE:
        x[thing ? TN_R_PHRASE_THING : TN_R_PHRASE_OTHER] = 1;
        break;
    }
}

static void cue_features(const tn_question_form *f, const tn_lens *l, const tn_view *v,
                         const tn_answer_span *s, float *x) {
    static const char *const places[] = {"in", "at", "near",   "from", "to",
                                         "In", "At", "native", NULL};
    static const char *const by[] = {"by", NULL};
    static const char *const copulas[] = {"is", "was", "are", "were", "a", "an", "the", "as", NULL};
    bool in_at = word_before(v, s->word_begin, places);
    uint32_t n = s->word_end - s->word_begin;
    x[TN_R_PLACE_CUE] = f->want == TN_WANT_PLACE && in_at;
    x[TN_R_PERSON_CUE] =
        f->want == TN_WANT_PERSON && s->shape == TN_SHAPE_NAME && (n == 2 || n == 3) && !in_at;
    x[TN_R_BY_CUE] = f->want == TN_WANT_PERSON && word_before(v, s->word_begin, by);
    x[TN_R_COPULA] = word_before(v, s->word_begin, copulas);
    if (f->focus == UINT32_MAX) return;
    const tn_word *focus = &l->question.words[f->focus];
    for (uint32_t i = s->word_begin; i < s->word_end; i++)
        if (v->words[i].term == focus->term)
            x[s->shape == TN_SHAPE_NUMBER ? TN_R_NUMBER_KIND : TN_R_FOCUS_IN] = 1;
    for (uint32_t d = 1; d <= 2; d++) {
        if (s->word_begin >= d && v->words[s->word_begin - d].term == focus->term)
            x[TN_R_FOCUS_NEXT] = 1;
        if (s->word_end + d - 1 < v->n_words && v->words[s->word_end + d - 1].term == focus->term)
            x[TN_R_FOCUS_NEXT] = 1;
    }
    bool year =
        focus->end - focus->begin == 4 && memcmp(l->question.text + focus->begin, "year", 4) == 0;
    x[TN_R_YEAR_ONLY] = year && s->shape == TN_SHAPE_DATE && n == 1;
}

static void own_features(const tn_evidence *a, const tn_view *v, const tn_answer_span *s,
                         float *x) {
    float in = 0, all = 0, n_content = 0;
    uint32_t n = s->word_end - s->word_begin;
    for (uint32_t i = s->word_begin; i < s->word_end; i++) {
        if (!tn_word_is_content(&v->words[i])) continue;
        float w = a->lens->weight[v->words[i].term];
        n_content++;
        all += w;
        if (evidence_index(a, v->words[i].term) >= 0) in += w;
    }
    x[TN_R_IN_QUESTION] = all > 0 ? in / all : 0;
    x[TN_R_ALL_IN_QUESTION] = all > 0 && in >= all * 0.999F;
    x[TN_R_RARITY] = n_content > 0 ? all / n_content : 0;
    x[TN_R_LENGTH] = n < 6 ? (float)n / 6.0F : 1;
    x[TN_R_ONE_WORD] = n == 1;
    x[TN_R_QUOTED] = s->quoted;
    static const char *const joints[] = {"in", "on", "at", "for", "from", "to", NULL};
    for (uint32_t i = s->word_begin + 1; i + 1 < s->word_end && s->shape == TN_SHAPE_NAME; i++)
        if (!s->title && tn_word_in(v, i, joints)) x[TN_R_JOINED] = 1;
}

uint32_t tn_evidence_best_sentence(const tn_evidence *a, const tn_view *v, uint64_t title,
                                   float *cover) {
    uint32_t best = 0;
    *cover = 0;
    for (uint32_t i = 0; i < v->n_sentences; i++) {
        float m = tn_evidence_mass(
            a, title | tn_evidence_in(a, v, v->sentences[i].word_begin, v->sentences[i].word_end));
        if (i > 0 && m <= *cover) continue;
        *cover = m;
        best = i;
    }
    return best;
}

static void span_features(const tn_evidence *a, const tn_episode *ep, const tn_question_form *f,
                          uint32_t p, const tn_answer_span *s, float *x) {
    const struct tn_read *r = &a->lens->reads[p];
    const tn_view *own = s->title ? &r->title : &r->text, *v = &r->text;
    memset(x, 0, TN_N_READER * sizeof *x);
    uint64_t self = tn_evidence_in(a, own, s->word_begin, s->word_end), title = a->in_title[p];
    /* "3,100 seals" loses nothing for saying what was counted */
    if (f->focus != UINT32_MAX)
        self &= ~tn_evidence_in(a, &a->lens->question, f->focus, f->focus + 1);
    float cover = 0;
    uint32_t sent = s->title ? tn_evidence_best_sentence(a, v, title, &cover)
                             : own->words[s->word_begin].sentence;
    if (v->n_sentences > 0) {
        const tn_sentence_span *ss = &v->sentences[sent];
        uint64_t here = tn_evidence_in(a, v, ss->word_begin, ss->word_end);
        uint32_t from = sent > 0 ? v->sentences[sent - 1].word_begin : ss->word_begin;
        uint32_t to = sent + 1 < v->n_sentences ? v->sentences[sent + 1].word_end : ss->word_end;
        x[TN_R_SENTENCE] = tn_evidence_mass(a, here & ~self);
        x[TN_R_SENTENCE_TITLE] = tn_evidence_mass(a, (here | title) & ~self);
        float beyond = x[TN_R_SENTENCE_TITLE] - 0.6F;
        x[TN_R_COMPLETE] = beyond > 0 ? beyond / 0.4F : 0;
        path_features(a, p, sent, self, x);
        x[TN_R_AROUND] = tn_evidence_mass(a, tn_evidence_in(a, v, from, to) & ~self & ~here);
    }
    x[TN_R_PASSAGE] = tn_evidence_mass(a, (title | a->in_text[p]) & ~self);
    x[TN_R_CHAIN] = a->chain[p];
    x[TN_R_LEAD] = sent == 0;
    x[TN_R_TITLE] = s->title;
    x[TN_R_TOP_RANK] = ep->shown[p].rank == 0;
    x[TN_R_TURN] = (float)ep->shown[p].turn / 4.0F;
    own_features(a, own, s, x);
    x[TN_R_TITLE_SAID] = s->title && x[TN_R_IN_QUESTION] > 0.6F;
    shape_features(f, s, x);
    if (s->title) {
        uint32_t n = s->word_end - s->word_begin;
        x[TN_R_PERSON_CUE] = f->want == TN_WANT_PERSON && (n == 2 || n == 3);
        for (uint32_t i = 1; i < n; i++)
            if (tn_word_is_content(&own->words[i]) &&
                !(own->words[i].flags & (TN_WORD_CAP | TN_WORD_DIGIT)))
                x[TN_R_HEADLINE] = 1;
        return;
    }
    near_features(a, v, s, x);
    asked_features(a, f, v, s, x);
    x[TN_R_ASKED_TOP] = x[TN_R_ASKED_NEXT] * x[TN_R_PATH_TOP];
    cue_features(f, a->lens, v, s, x);
}

/* Is the passage titled like the span, but for a bracketed ending? */
static bool titled(const tn_view *t, const tn_view *v, const tn_answer_span *s) {
    size_t base = tn_title_base(t->text, t->len);
    uint32_t n = 0;
    while (n < t->n_words && t->words[n].end <= base) n++;
    if (n == 0 || n != s->word_end - s->word_begin) return false;
    for (uint32_t i = 0; i < n; i++)
        if (t->words[i].term != v->words[s->word_begin + i].term) return false;
    return true;
}

/* What the passage titled like the span says of its kind: "Winterbourne is a village". */
static void kind_features(const tn_evidence *a, const tn_question_form *f, const tn_view *v,
                          const tn_answer_span *s, float *x) {
    const tn_lens *l = a->lens;
    if (s->shape == TN_SHAPE_DATE || s->shape == TN_SHAPE_NUMBER) return;
    for (size_t p = 0; p < l->n_reads; p++) {
        const tn_view *text = &l->reads[p].text;
        if (!titled(&l->reads[p].title, v, s)) continue;
        uint32_t lead = text->n_sentences ? text->sentences[0].word_end : 0;
        for (uint32_t i = 0; f->focus != UINT32_MAX && i < lead; i++)
            if (text->words[i].term == l->question.words[f->focus].term) x[TN_R_KIND_SAID] = 1;
        if (p < 64 && a->best_pages >> p & 1 && a->best_path > 0.6F) x[TN_R_BRIDGE] = 1;
        if (a->wanted == TN_KIND_UNKNOWN || a->kinds[p] == TN_KIND_UNKNOWN) continue;
        bool group = a->wanted == TN_KIND_PERSON && a->kinds[p] == TN_KIND_GROUP;
        x[a->kinds[p] == a->wanted || group ? TN_R_KIND_SAME : TN_R_KIND_OTHER] = 1;
    }
}

/* Does span i lie inside a longer one that is no mere phrase? */
static bool is_part(const tn_answer_span *spans, uint32_t n, uint32_t i) {
    const tn_answer_span *s = &spans[i];
    for (uint32_t k = 0; k < n; k++) {
        const tn_answer_span *o = &spans[k];
        if (k == i || o->title || o->shape == TN_SHAPE_PHRASE) continue;
        bool inside = o->word_begin <= s->word_begin && o->word_end >= s->word_end;
        if (inside && o->word_end - o->word_begin > s->word_end - s->word_begin) return true;
    }
    return false;
}

/* In how many passages do all content terms of the span occur? */
static float mentions(const tn_lens *l, const tn_view *v, const tn_answer_span *s) {
    uint32_t n = 0;
    for (size_t p = 0; p < l->n_reads; p++) {
        bool all = true;
        for (uint32_t i = s->word_begin; i < s->word_end && all; i++)
            all = !tn_word_is_content(&v->words[i]) ||
                  tn_view_has(&l->reads[p].text, v->words[i].term) ||
                  tn_view_has(&l->reads[p].title, v->words[i].term);
        n += all;
    }
    return n > 0 ? 1.0F - 1.0F / (float)n : 0;
}

tern_status tn_reader_score(tn_episode *ep, const tn_evidence *a, const tn_question_form *form,
                            tn_scored **out, uint32_t *n, tern_error *err) {
    tn_lens *l = ep->lens;
    *out = NULL;
    *n = 0;
    tern_status st = TERN_OK;
    size_t cap = 0;
    tn_scored *all = NULL;
    for (uint32_t p = 0; st == TERN_OK && p < l->n_reads; p++) {
        tn_answer_span *spans = NULL;
        uint32_t n_spans = 0;
        st = tn_answer_spans(l, &l->reads[p], &spans, &n_spans, err);
        if (st != TERN_OK) break;
        if (*n + n_spans > cap) {
            cap = 2 * cap + n_spans;
            tn_scored *grown = tn_arena_alloc(ep->arena, (cap + 1) * sizeof *grown);
            if (!grown) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
            if (*n) memcpy(grown, all, *n * sizeof *grown);
            all = grown;
        }
        for (uint32_t i = 0; i < n_spans; i++) {
            tn_scored *s = &all[(*n)++];
            *s = (tn_scored){.shown = p, .span = spans[i]};
            span_features(a, ep, form, p, &spans[i], s->x);
            const struct tn_read *r = &l->reads[p];
            const tn_view *own = spans[i].title ? &r->title : &r->text;
            s->x[TN_R_MENTIONS] = mentions(l, own, &spans[i]);
            s->x[TN_R_PART] = !spans[i].title && is_part(spans, n_spans, i);
            kind_features(a, form, own, &spans[i], s->x);
            for (int k = 0; k < TN_N_READER; k++) s->score += tn_reader_weights[k] * s->x[k];
        }
    }
    *out = all;
    return st;
}
