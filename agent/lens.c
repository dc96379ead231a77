/* lens.c - see lens.h. */
#include "agent/lens.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "retriever/text/sentence.h"
#include <math.h>
#include <string.h>
#include <utf8proc.h>

void tn_lens_deinit(tn_lens *l) {
    tn_strmap_deinit(&l->vocab);
    tn_free(l->weight);
    tn_free(l->reads);
    tn_free(l->pages);
    *l = (tn_lens){0};
}

/* How much a term says: its idf over the largest idf of this corpus. A term no passage holds cannot
 * be covered by searching, so it weighs nothing. */
static float term_weight(const tn_lens *l, const char *term, size_t len) {
    if (!l->tools->term_df) return len < 4 ? 0.3F : 0.6F;
    double df = (double)l->tools->term_df(l->tools->ud, term, len);
    if (df <= 0 || l->n_passages <= 0) return 0;
    double idf = log(1 + (l->n_passages - df + 0.5) / (df + 0.5));
    double top = log(1 + (l->n_passages - 0.5) / 1.5);
    return top > 0 ? (float)fmin(1, fmax(0, idf / top)) : 0;
}

static uint32_t term_number(tn_lens *l, const char *term, size_t len) {
    uint32_t n_before = l->vocab.n;
    uint32_t id = tn_strmap_add(&l->vocab, term, len);
    if (id == TN_STRMAP_NONE || id < n_before) return id;
    if (TN_GROW(l->weight, l->weight_cap, l->vocab.n) != 0) return TN_STRMAP_NONE;
    l->weight[id] = term_weight(l, term, len);
    return id;
}

/* Only blanks, or one hyphen, apostrophe or full stop ("St. Louis"), between two words of a name.
 */
static bool joined(const char *text, uint32_t from, uint32_t to) {
    uint32_t n_marks = 0;
    for (uint32_t i = from; i < to; i++) {
        char c = text[i];
        if (c == ' ' || c == '\n' || c == '\t') continue;
        if (c != '-' && c != '\'' && c != '.' && c != '&') {
            /* the three bytes of a typographic apostrophe or dash */
            bool mark =
                (unsigned char)c == 0xE2 && i + 2 < to && (unsigned char)text[i + 1] == 0x80;
            if (!mark) return false;
            unsigned char last = (unsigned char)text[i + 2];
            if (last != 0x98 && last != 0x99 && last != 0x90 && last != 0x91 && last != 0x93)
                return false;
            i += 2;
        }
        if (++n_marks > 1) return false;
    }
    return true;
}

static uint8_t word_flags(const char *text, const tn_token *t) {
    uint8_t flags = t->is_stop ? TN_WORD_STOP : 0;
    uint32_t cp = 0;
    if (tn_utf8_decode(text + t->begin, t->end - t->begin, &cp) == 0) return flags;
    if (cp >= '0' && cp <= '9') return flags | TN_WORD_DIGIT;
    utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)cp);
    if (cat == UTF8PROC_CATEGORY_LU || cat == UTF8PROC_CATEGORY_LT) flags |= TN_WORD_CAP;
    return flags;
}

static tern_status split_sentences(tn_lens *l, tn_view *v, tern_error *err) {
    size_t n = tn_sentences(v->text, v->len, NULL, 0), at = 0;
    tn_sentence_span *own = tn_arena_calloc(l->arena, n + 1, sizeof *own);
    if (!own) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for sentences");
    tn_span s;
    for (size_t i = 0; i < n && tn_sentence_next(v->text, v->len, &at, &s); i++)
        own[i] = (tn_sentence_span){(uint32_t)s.begin, (uint32_t)s.end, 0, 0};
    v->sentences = own;
    v->n_sentences = (uint32_t)n;
    return TERN_OK;
}

/* Give each word its sentence and each sentence its words. */
static void place_words(const tn_view *v, tn_word *words) {
    uint32_t s = 0;
    tn_sentence_span *sentences = (tn_sentence_span *)v->sentences;
    for (uint32_t i = 0; i < v->n_words; i++) {
        while (s + 1 < v->n_sentences && words[i].begin >= sentences[s + 1].begin) s++;
        words[i].sentence = s;
        if (i == 0 || words[i - 1].sentence != s) words[i].flags |= TN_WORD_FIRST;
    }
    for (uint32_t i = 0; i < v->n_words; i++) {
        tn_sentence_span *ss = &sentences[words[i].sentence];
        if (i == 0 || words[i - 1].sentence != words[i].sentence) ss->word_begin = i;
        ss->word_end = i + 1;
    }
}

tern_status tn_lens_view(tn_lens *l, const char *text, size_t len, tn_view *out, tern_error *err) {
    const tn_token *tokens = NULL;
    size_t n = 0;
    *out = (tn_view){.text = text, .len = len};
    tern_status st = tn_analyze(l->analyzer, text, len, &tokens, &n, err);
    if (st != TERN_OK) return st;
    tn_word *words = tn_arena_alloc(l->arena, (n + 1) * sizeof *words);
    if (!words) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu words", n);
    for (size_t i = 0; i < n; i++) {
        uint32_t term = term_number(l, tokens[i].term, tokens[i].term_len);
        if (term == TN_STRMAP_NONE) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        uint8_t flags = word_flags(text, &tokens[i]);
        if (i > 0 && joined(text, tokens[i - 1].end, tokens[i].begin)) flags |= TN_WORD_JOINED;
        words[i] = (tn_word){term, tokens[i].begin, tokens[i].end, 0, flags};
    }
    out->words = words;
    out->n_words = (uint32_t)n;
    st = split_sentences(l, out, err);
    if (st == TERN_OK && out->n_sentences > 0) place_words(out, words);
    return st;
}

bool tn_view_has(const tn_view *v, uint32_t term) {
    for (uint32_t i = 0; i < v->n_words; i++)
        if (v->words[i].term == term) return true;
    return false;
}

size_t tn_title_base(const char *title, size_t len) {
    if (len < 4 || title[len - 1] != ')') return len;
    size_t i = len - 1;
    while (i > 0 && title[i] != '(') i--;
    while (i > 0 && title[i - 1] == ' ') i--;
    return i > 0 ? i : len;
}

static void list_asked(tn_lens *l) {
    for (uint32_t i = 0; i < l->question.n_words; i++) {
        const tn_word *w = &l->question.words[i];
        bool listed = !tn_word_is_content(w);
        for (uint32_t k = 0; k < l->n_asked; k++) listed |= l->asked[k] == w->term;
        if (!listed && l->n_asked < 64) l->asked[l->n_asked++] = w->term;
    }
}

tern_status tn_lens_init(tn_lens *l, tn_analyzer *an, const tn_agent_tools *tools, tn_arena *arena,
                         const char *question, size_t len, tern_error *err) {
    l->analyzer = an;
    l->arena = arena;
    l->tools = tools;
    l->n_passages = tools->n_passages ? (double)tools->n_passages(tools->ud) : 0;
    tern_status st = tn_lens_view(l, question, len, &l->question, err);
    if (st != TERN_OK) return st;
    list_asked(l);
    return tn_lens_names(l, &l->question, true, &l->question_names, &l->n_question_names, err);
}

tern_status tn_lens_update(tn_lens *l, const tn_episode *ep, tern_error *err) {
    if (TN_GROW(l->reads, l->reads_cap, ep->n_shown) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for passages");
    while (l->n_reads < ep->n_shown) {
        const tn_shown *s = &ep->shown[l->n_reads];
        struct tn_read *r = &l->reads[l->n_reads];
        *r = (struct tn_read){0};
        tern_status st =
            tn_lens_view(l, s->passage.title, strlen(s->passage.title), &r->title, err);
        if (st == TERN_OK) st = tn_lens_view(l, s->passage.text, s->text_len, &r->text, err);
        if (st == TERN_OK) st = tn_lens_names(l, &r->text, false, &r->names, &r->n_names, err);
        if (st != TERN_OK) return st;
        l->n_reads++;
    }
    return TERN_OK;
}
