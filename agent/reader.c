/* reader.c - see reader.h: choose the answer, its supporting sentences, and how far to believe it.
 */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <math.h>
#include <string.h>

static const float confidence_weights[TN_N_CONFIDENCE] = {
#define TN_CONFIDENCE_WEIGHT_(name, weight, meaning) weight,
    TN_CONFIDENCE_MAP(TN_CONFIDENCE_WEIGHT_)
#undef TN_CONFIDENCE_WEIGHT_
};

static const tn_scored *best_of(const tn_scored *all, uint32_t n) {
    const tn_scored *best = NULL;
    for (uint32_t i = 0; i < n; i++)
        if (!best || all[i].score > best->score) best = &all[i];
    return best;
}

static void add_support(const tn_evidence *a, uint32_t page, uint32_t sentence, tn_reading *out) {
    const tn_view *v = &a->lens->reads[page].text;
    if (sentence >= v->n_sentences || out->n_supports == 3) return;
    out->supports[out->n_supports++] =
        (tn_support){page, v->sentences[sentence].begin, v->sentences[sentence].end};
}

/* The span, its sentence, and the linked passage's sentence that says most of the question. */
static void read_span(const tn_evidence *a, const tn_scored *s, tn_reading *out) {
    const struct tn_read *r = &a->lens->reads[s->shown];
    const tn_view *own = s->span.title ? &r->title : &r->text;
    float cover = 0;
    out->text = own->text + s->span.begin;
    out->text_len = s->span.end - s->span.begin;
    uint32_t sentence = s->span.title ? tn_evidence_best_sentence(a, &r->text, 0, &cover)
                                      : own->words[s->span.word_begin].sentence;
    add_support(a, s->shown, sentence, out);
    uint32_t with = a->chain_with[s->shown];
    if (with == s->shown) return;
    add_support(a, with, tn_evidence_best_sentence(a, &a->lens->reads[with].text, 0, &cover), out);
}

/* Is some passage about this thing? All its words stand in the title or the first sentence. */
static bool page_shown(const tn_lens *l, const tn_name *name) {
    for (size_t p = 0; p < l->n_reads; p++) {
        const tn_view *t = &l->reads[p].title, *v = &l->reads[p].text;
        uint32_t n = 0, have = 0, lead = v->n_sentences ? v->sentences[0].word_end : 0;
        for (uint32_t i = name->word_begin; i < name->word_end; i++) {
            uint32_t term = l->question.words[i].term;
            if (!tn_word_is_content(&l->question.words[i])) continue;
            bool found = tn_view_has(t, term);
            for (uint32_t k = 0; k < lead && !found; k++) found = v->words[k].term == term;
            n++;
            have += found;
        }
        if (n > 0 && have == n) return true;
    }
    return false;
}

static void signs_of(const tn_evidence *a, const tn_scored *best, tn_reading *out) {
    const tn_lens *l = a->lens;
    float *x = out->signs;
    uint64_t all = 0;
    uint32_t n_content = 0, n_unknown = 0, n_named = 0;
    for (uint32_t p = 0; p < l->n_reads; p++) {
        float cover = 0;
        tn_evidence_best_sentence(a, &l->reads[p].text, a->in_title[p], &cover);
        if (cover > x[TN_C_BEST_SENTENCE]) x[TN_C_BEST_SENTENCE] = cover;
        if (a->chain[p] > x[TN_C_BEST_CHAIN]) x[TN_C_BEST_CHAIN] = a->chain[p];
        all |= a->in_title[p] | a->in_text[p];
    }
    for (uint32_t i = 0; i < l->question.n_words; i++) {
        if (!tn_word_is_content(&l->question.words[i])) continue;
        n_content++;
        n_unknown += l->weight[l->question.words[i].term] <= 0;
    }
    for (uint32_t i = 0; i < l->n_question_names; i++)
        n_named += page_shown(l, &l->question_names[i]);
    x[TN_C_BIAS] = 1;
    x[TN_C_COVERED] = tn_evidence_mass(a, all);
    x[TN_C_NAMED] =
        l->n_question_names ? (float)n_named / (float)l->n_question_names : x[TN_C_COVERED];
    x[TN_C_SCORE] = best ? best->score / 10 : 0;
    x[TN_C_UNKNOWN] = n_content ? (float)n_unknown / (float)n_content : 1;
    x[TN_C_CHAINED] = best && a->chain_with[best->shown] != best->shown;
}

tern_status tn_read_answer(tn_episode *ep, tn_reading *out, tern_error *err) {
    tn_question_form form;
    tn_evidence a;
    tn_scored *scored = NULL;
    uint32_t n = 0;
    *out = (tn_reading){.text = ""};
    tn_question_form_of(ep->lens, &form);
    tern_status st = tn_evidence_gather(ep, &form, &a, err);
    if (st != TERN_OK) return st;
    st = tn_reader_score(ep, &a, &form, &scored, &n, err);
    if (st != TERN_OK) return st;
    const tn_scored *best = best_of(scored, n);
    if (!best) return TERN_OK;
    if (form.ask == TN_ASK_SPAN || !tn_compare(ep, &a, &form, out)) read_span(&a, best, out);
    signs_of(&a, best, out);
    double z = 0;
    for (int i = 0; i < TN_N_CONFIDENCE; i++) z += confidence_weights[i] * out->signs[i];
    out->confidence = 1 / (1 + exp(-z));
    char *text = tn_arena_strndup(ep->arena, out->text, out->text_len);
    if (!text) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the answer");
    out->text = text;
    return TERN_OK;
}
