/* cite.c - which passage says it.
 *
 * Invariant: a citation is `supported` only if its quote, or the answer, was found in the text of
 * the byte range it names; nothing a policy claims about its sources is taken on trust. */
#include "agent/answer.h"
#include "core/base/text.h"
#include "retriever/text/sentence.h"
#include <string.h>
#include "core/base/mem.h"

static const char UNKNOWN[] = "I don't know";

/* An answer and its memory in one block. */
typedef struct answer_box {
    tern_answer answer; /* first: tern_answer_free gets this address */
    tn_arena arena;
    tern_citation *citations;
    size_t n_citations, citations_cap;
} answer_box;

void tern_answer_free(tern_answer *a) {
    if (!a) return;
    answer_box *box = (answer_box *)a;
    tn_arena_deinit(&box->arena);
    tn_free(box->citations);
    tn_free(box);
}

static tern_status nomem(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the answer");
}

/* --- looking up ------------------------------------------------------------------------------- */

static bool word_byte(unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* Folded words, each between single blanks: " the silver branch ". */
static void words_of(const char *s, size_t n, tn_buf *out) {
    tn_buf folded = {0};
    tn_text_fold(s, n, &folded);
    tn_buf_char(out, ' ');
    for (size_t i = 0; i < folded.len; i++) {
        unsigned char c = (unsigned char)folded.data[i];
        if (word_byte(c))
            tn_buf_char(out, (char)c);
        else if (out->len && out->data[out->len - 1] != ' ')
            tn_buf_char(out, ' ');
    }
    if (out->len && out->data[out->len - 1] != ' ') tn_buf_char(out, ' ');
    if (folded.failed) tn_buf_fail(out);
    tn_buf_deinit(&folded);
}

bool tn_occurs(const char *text, size_t text_len, const char *part, size_t part_len) {
    tn_buf a = {0}, b = {0};
    words_of(part, part_len, &b);
    bool found = false;
    if (b.len > 2 && !b.failed) {
        words_of(text, text_len, &a);
        found = !a.failed && strstr(tn_buf_cstr(&a), tn_buf_cstr(&b)) != NULL;
    }
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    return found;
}

/* --- citations -------------------------------------------------------------------------------- */

/* Narrow the range to the quote where the stored text is the very bytes of the source. */
static void place(tern_citation *c, const tern_passage *p, size_t begin, size_t end) {
    c->byte_begin = p->byte_begin;
    c->byte_end = p->byte_end;
    c->line_begin = p->line_begin;
    c->line_end = p->line_end;
    if (p->byte_end - p->byte_begin != p->text_len || end > p->text_len) return;
    c->byte_begin = p->byte_begin + begin;
    c->byte_end = p->byte_begin + end;
    if (p->line_begin == 0) return;
    uint32_t before = 0, within = 0;
    for (size_t i = 0; i < begin; i++) before += p->text[i] == '\n';
    for (size_t i = begin; i < end; i++) within += p->text[i] == '\n';
    c->line_begin += before;
    c->line_end = c->line_begin + within;
}

static tern_status add_citation(answer_box *box, const tn_episode *ep, const tn_support *s,
                                const char *quote, size_t len, bool supported, tern_error *err) {
    if (TN_GROW(box->citations, box->citations_cap, box->n_citations + 1) != 0) return nomem(err);
    tern_citation c = {.n = (uint32_t)box->n_citations + 1,
                       .ref = UINT32_MAX,
                       .id = "",
                       .title = "",
                       .source = "",
                       .supported = supported};
    c.quote = tn_arena_strndup(&box->arena, quote, len);
    if (!c.quote) return nomem(err);
    if (s) {
        const tn_shown *shown = &ep->shown[s->shown];
        c.ref = shown->ref;
        c.id = shown->passage.id;
        c.title = shown->passage.title;
        c.source = shown->passage.source;
        place(&c, &shown->passage, s->begin, s->end);
    }
    box->citations[box->n_citations++] = c;
    return TERN_OK;
}

static tern_status cite_supports(answer_box *box, const tn_episode *ep, const tn_reading *r,
                                 tern_error *err) {
    for (uint32_t i = 0; i < r->n_supports; i++) {
        const tn_support *s = &r->supports[i];
        const tn_shown *shown = &ep->shown[s->shown];
        const char *quote = shown->passage.text + s->begin;
        bool there = tn_occurs(shown->passage.text, shown->text_len, quote, s->end - s->begin);
        tern_status st = add_citation(box, ep, s, quote, s->end - s->begin, there, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* The sentence of a passage that holds `part`, or the passage's whole text when it spans several.
 */
static void quote_of(const tn_shown *shown, const char *part, size_t len, tn_support *s) {
    size_t at = 0;
    tn_span sentence;
    s->begin = 0;
    s->end = (uint32_t)shown->text_len;
    while (tn_sentence_next(shown->passage.text, shown->text_len, &at, &sentence)) {
        if (!tn_occurs(shown->passage.text + sentence.begin, sentence.end - sentence.begin, part,
                       len))
            continue;
        s->begin = (uint32_t)sentence.begin;
        s->end = (uint32_t)sentence.end;
        return;
    }
}

/* Cite the first passage shown, newest search first, that says `part`; an unsupported claim is
 * listed with itself as the quote. */
static tern_status cite_claim(answer_box *box, const tn_episode *ep, const char *part, size_t len,
                              tern_error *err) {
    for (size_t i = ep->n_shown; i-- > 0;) {
        const tn_shown *shown = &ep->shown[i];
        if (!tn_occurs(shown->passage.text, shown->text_len, part, len)) continue;
        tn_support s = {.shown = (uint32_t)i};
        quote_of(shown, part, len, &s);
        return add_citation(box, ep, &s, shown->passage.text + s.begin, s.end - s.begin, true, err);
    }
    return add_citation(box, ep, NULL, part, len, false, err);
}

static tern_status cite_written(answer_box *box, const tn_episode *ep, const char *text, size_t len,
                                tern_error *err) {
    size_t at = 0;
    tn_span s;
    while (tn_sentence_next(text, len, &at, &s)) {
        tern_status st = cite_claim(box, ep, text + s.begin, s.end - s.begin, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* --- the answer ------------------------------------------------------------------------------- */

static tern_status list_searches(answer_box *box, const tn_episode *ep, tern_error *err) {
    tern_agent_search *list = tn_arena_calloc(&box->arena, ep->n_turns + 1, sizeof *list);
    uint32_t *refs = tn_arena_alloc(&box->arena, (ep->n_shown + 1) * sizeof *refs);
    if (!list || !refs) return nomem(err);
    for (size_t i = 0; i < ep->n_shown; i++) refs[i] = ep->shown[i].ref;
    size_t n = 0;
    for (size_t i = 0; i < ep->n_turns; i++) {
        const tn_turn *t = &ep->turns[i];
        box->answer.logprob += t->logprob;
        if (t->kind != TN_ACT_SEARCH) continue;
        list[n].query = tn_arena_strndup(&box->arena, t->content, t->content_len);
        list[n].refs = refs + t->first_shown;
        list[n].n_refs = t->n_shown;
        if (!list[n++].query) return nomem(err);
    }
    box->answer.searches = list;
    box->answer.n_searches = n;
    box->answer.refs = refs;
    box->answer.n_refs = ep->n_shown;
    return TERN_OK;
}

static tern_status set_text(answer_box *box, const char *text, size_t len, tern_error *err) {
    tern_answer *a = &box->answer;
    a->text = tn_arena_strndup(&box->arena, text, len);
    if (!a->text) return nomem(err);
    a->citations = box->citations;
    a->n_citations = box->n_citations;
    a->supported = box->n_citations > 0;
    for (size_t i = 0; i < box->n_citations; i++) a->supported &= box->citations[i].supported;
    a->sentence = box->n_citations ? box->citations[0].quote : "";
    return TERN_OK;
}

static bool says_unknown(const char *text, size_t len) {
    return len == 0 || tn_occurs("i don't know", 12, text, len) ||
           tn_occurs("i don\xE2\x80\x99t know", 14, text, len) ||
           tn_occurs("unknown", 7, text, len);
}

/* What a writing policy answered; "" if it never did. */
static const tn_turn *written_answer(const tn_episode *ep) {
    const tn_turn *t = ep->n_turns ? &ep->turns[ep->n_turns - 1] : NULL;
    return t && t->kind == TN_ACT_ANSWER ? t : NULL;
}

static tern_status build(answer_box *box, tn_episode *ep, tern_error *err) {
    tern_answer *a = &box->answer;
    tn_reading r;
    tern_status st = list_searches(box, ep, err);
    if (st == TERN_OK) st = tn_read_answer(ep, &r, err);
    if (st != TERN_OK) return st;
    a->confidence = r.confidence;
    const char *text = r.text;
    size_t len = r.text_len;
    if (ep->policy->kind == TN_POLICY_SCORING) {
        a->known = len > 0 && r.confidence >= ep->opts->confidence_min;
        if (a->known) st = cite_supports(box, ep, &r, err);
    } else {
        const tn_turn *t = written_answer(ep);
        text = t ? t->content : "";
        len = t ? t->content_len : 0;
        a->known = !says_unknown(text, len);
        if (a->known) st = cite_written(box, ep, text, len, err);
    }
    if (st != TERN_OK) return st;
    return a->known ? set_text(box, text, len, err)
                    : set_text(box, UNKNOWN, sizeof UNKNOWN - 1, err);
}

tern_status tn_answer_build(tn_episode *ep, tern_answer **out, tern_error *err) {
    *out = NULL;
    answer_box *box = tn_calloc(1, sizeof *box);
    if (!box) return nomem(err);
    tern_status st = build(box, ep, err);
    if (st == TERN_OK)
        *out = &box->answer;
    else
        tern_answer_free(&box->answer);
    return st;
}
