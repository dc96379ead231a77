/* compare.c - answers that are no span: "which was first, A or B", "are A and B both ...".
 *
 * Each thing compared is looked up among the passages read: the one titled so, else the one that
 * names it. Dates are compared by value, numbers by size, everything else by how much of the rest
 * of the question the thing's page says. */
#include "agent/reader.h"
#include <string.h>
#include "core/base/mem.h"

typedef struct side {
    const tn_name *name;
    uint32_t page; /* index into the reads */
    uint32_t sentence;
    double value;
    bool has_value;
} side;

static bool question_has(const tn_view *q, const char *const *list) {
    for (uint32_t i = 0; i < q->n_words; i++) {
        size_t len = q->words[i].end - q->words[i].begin;
        for (const char *const *w = list; *w; w++)
            if (strlen(*w) == len && memcmp(q->text + q->words[i].begin, *w, len) == 0) return true;
    }
    return false;
}

/* Share of the name's content words that the view holds. */
static float name_in(const tn_lens *l, const tn_name *name, const tn_view *v) {
    uint32_t n = 0, have = 0;
    for (uint32_t i = name->word_begin; i < name->word_end; i++) {
        const tn_word *w = &l->question.words[i];
        if (!tn_word_is_content(w)) continue;
        n++;
        have += tn_view_has(v, w->term);
    }
    return n > 0 ? (float)have / (float)n : 0;
}

static bool find_page(const tn_evidence *a, side *s) {
    float best = 0;
    for (uint32_t p = 0; p < a->lens->n_reads; p++) {
        const struct tn_read *r = &a->lens->reads[p];
        float title = name_in(a->lens, s->name, &r->title),
              text = name_in(a->lens, s->name, &r->text);
        uint32_t n = s->name->word_end - s->name->word_begin;
        float extra = r->title.n_words > n ? 0.1F * (float)(r->title.n_words - n) : 0;
        float fit = title * (extra < 1 ? 2 - extra : 1) + 0.5F * text +
                    0.1F * tn_evidence_mass(a, a->in_text[p]);
        if (fit <= best || (title < 0.99F && text < 0.99F)) continue;
        best = fit;
        s->page = p;
    }
    if (best <= 0) return false;
    float cover = 0;
    const struct tn_read *r = &a->lens->reads[s->page];
    s->sentence = tn_evidence_best_sentence(a, &r->text, a->in_title[s->page], &cover);
    return r->text.n_sentences > 0;
}

/* The date that answers: the year nearest to a question word, a birth being the first of its page
 * and a death the last year of the sentence that gives both. Value: year, with the month as a
 * fraction where it is written before. */
static void find_date(const tn_evidence *a, side *s, bool death, bool birth) {
    const tn_view *v = &a->lens->reads[s->page].text;
    uint32_t best_gap = UINT32_MAX;
    for (uint32_t i = 0; i < v->n_words; i++) {
        double value = 0;
        if (!tn_date_at(v, i, &value)) continue;
        uint32_t sentence = v->words[i].sentence, gap = i;
        if (death && sentence == 0) gap = 1000 - (i < 1000 ? i : 1000);
        if (!death && !birth) {
            const tn_sentence_span *ss = &v->sentences[sentence];
            gap = 200 + i;
            for (uint32_t k = ss->word_begin; k < ss->word_end; k++) {
                if (!tn_evidence_in(a, v, k, k + 1)) continue;
                uint32_t d = k > i ? k - i : i - k;
                if (d < gap) gap = d;
            }
        }
        if (gap >= best_gap) continue;
        best_gap = gap;
        s->value = value;
        s->has_value = true;
        s->sentence = sentence;
    }
}

/* The number nearest to a question word. */
static void find_number(const tn_evidence *a, side *s) {
    const tn_view *v = &a->lens->reads[s->page].text;
    uint32_t best_gap = UINT32_MAX;
    for (uint32_t i = 0; i < v->n_words; i++) {
        double value = 0, year = 0;
        if (!tn_number_at(v, i, &value) || tn_date_at(v, i, &year)) continue;
        const tn_sentence_span *ss = &v->sentences[v->words[i].sentence];
        uint32_t gap = 300 + i;
        for (uint32_t k = ss->word_begin; k < ss->word_end; k++) {
            uint32_t d = k > i ? k - i : i - k;
            if (d < gap && tn_evidence_in(a, v, k, k + 1)) gap = d;
        }
        if (gap >= best_gap) continue;
        best_gap = gap;
        s->value = value;
        s->has_value = true;
        s->sentence = v->words[i].sentence;
    }
}

static uint64_t name_terms(const tn_evidence *a, const tn_name *name) {
    return tn_evidence_in(a, &a->lens->question, name->word_begin, name->word_end);
}

static void support(const tn_evidence *a, const side *s, tn_reading *out) {
    const tn_sentence_span *ss = &a->lens->reads[s->page].text.sentences[s->sentence];
    out->supports[out->n_supports++] = (tn_support){s->page, ss->begin, ss->end};
}

static void answer_name(const tn_evidence *a, const side *s, tn_reading *out) {
    out->text = a->lens->question.text + s->name->begin;
    out->text_len = s->name->end - s->name->begin;
}

static void choose(const tn_evidence *a, side *s, tn_reading *out) {
    static const char *const first[] = {"first",    "older",  "oldest", "earlier",
                                        "earliest", "before", NULL};
    static const char *const last[] = {"younger", "youngest", "later",  "latest", "recently",
                                       "newer",   "last",     "recent", NULL};
    static const char *const more[] = {"more", "larger",  "higher",  "bigger",  "taller",  "longer",
                                       "most", "greater", "largest", "highest", "longest", NULL};
    static const char *const fewer[] = {"fewer", "smaller", "less", "shorter", "lower", NULL};
    static const char *const died[] = {"died", "death", "dead", "die", NULL};
    static const char *const born[] = {"born",   "birth",    "older", "younger",
                                       "oldest", "youngest", NULL};
    const tn_view *q = &a->lens->question;
    bool low = question_has(q, first), high = question_has(q, last);
    int pick = -1;
    if (low || high) {
        for (int i = 0; i < 2; i++)
            find_date(a, &s[i], question_has(q, died), question_has(q, born));
        if (s[0].has_value && s[1].has_value && s[0].value != s[1].value)
            pick = (s[0].value < s[1].value) == low ? 0 : 1;
    } else if (question_has(q, more) || question_has(q, fewer)) {
        low = !question_has(q, more);
        for (int i = 0; i < 2; i++) find_number(a, &s[i]);
        if (s[0].has_value && s[1].has_value && s[0].value != s[1].value)
            pick = (s[0].value < s[1].value) == low ? 0 : 1;
    }
    if (pick < 0) {
        uint64_t names = name_terms(a, s[0].name) | name_terms(a, s[1].name);
        float m[2];
        for (int i = 0; i < 2; i++)
            m[i] = tn_evidence_mass(a, (a->in_title[s[i].page] | a->in_text[s[i].page]) & ~names);
        pick = m[1] > m[0];
    }
    answer_name(a, &s[pick], out);
    support(a, &s[pick], out);
    support(a, &s[1 - pick], out);
}

/* Do the first sentences of both pages share a word after "is", "was", ...? A capitalised one when
 * nationality or country is asked ("an American singer"), else any. */
static bool lead_in_common(const tn_evidence *a, const side *s) {
    static const char *const proper[] = {"nationality", "country", "nation", "state", "city", NULL};
    const tn_lens *l = a->lens;
    bool capital = question_has(&l->question, proper);
    const tn_view *v = &l->reads[s[0].page].text, *o = &l->reads[s[1].page].text;
    for (uint32_t i = v->sentences[0].word_begin; i < v->sentences[0].word_end; i++) {
        const tn_word *w = &v->words[i];
        if (!tn_word_is_content(w) || w->flags & (TN_WORD_DIGIT | TN_WORD_FIRST)) continue;
        if (capital && !(w->flags & TN_WORD_CAP)) continue;
        if (tn_view_has(&l->reads[s[0].page].title, w->term)) continue;
        for (uint32_t k = o->sentences[0].word_begin; k < o->sentences[0].word_end; k++)
            if (o->words[k].term == w->term) return true;
    }
    return false;
}

static void yes_no(const tn_evidence *a, side *s, uint32_t n, tn_reading *out) {
    static const char *const same[] = {"same", "share", "common", NULL};
    bool yes = true;
    uint64_t names = 0;
    for (uint32_t i = 0; i < n; i++) names |= name_terms(a, s[i].name);
    if (n == 2 && question_has(&a->lens->question, same)) {
        yes = lead_in_common(a, s);
        s[0].sentence = s[1].sentence = 0;
    } else {
        float rest = 1 - tn_evidence_mass(a, names);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t page = a->in_title[s[i].page] | a->in_text[s[i].page];
            yes &= tn_evidence_mass(a, page & ~names) >= 0.5F * rest;
        }
    }
    out->text = yes ? "yes" : "no";
    out->text_len = yes ? 3 : 2;
    for (uint32_t i = 0; i < n; i++) support(a, &s[i], out);
}

bool tn_compare(const tn_episode *ep, const tn_evidence *a, const tn_question_form *form,
                tn_reading *out) {
    side s[2] = {{0}, {0}};
    uint32_t n = form->n_choices;
    if (n == 0 && form->ask == TN_ASK_YES_NO && ep->lens->n_question_names > 0) {
        s[0].name = &ep->lens->question_names[0];
        n = 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (form->n_choices) s[i].name = form->choices[i];
        if (!find_page(a, &s[i])) return false;
    }
    if (n == 0) return false;
    if (form->ask == TN_ASK_CHOICE)
        choose(a, s, out);
    else
        yes_no(a, s, n, out);
    return true;
}
