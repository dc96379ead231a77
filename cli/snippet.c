/* snippet.c - see snippet.h. */
#include "cli/snippet.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include "retriever/text/analyze.h"
#include <string.h>

#include "core/base/mem.h"

struct tn_snippets {
    tn_analyzer *analyzer;
    tn_strmap terms; /* of the query */
};

void tn_snippets_free(tn_snippets *s) {
    if (!s) return;
    tn_analyzer_free(s->analyzer);
    tn_strmap_deinit(&s->terms);
    tn_free(s);
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while showing results");
}

static tern_status add_terms(tn_snippets *s, const char *query, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status status = tn_analyze(s->analyzer, query, strlen(query), &tokens, &n, err);
    for (size_t i = 0; i < n && status == TERN_OK; i++)
        if (!tokens[i].is_stop &&
            tn_strmap_add(&s->terms, tokens[i].term, tokens[i].term_len) == TN_STRMAP_NONE)
            status = no_memory(err);
    return status;
}

tern_status tn_snippets_new(const char *language, const char *query, tn_snippets **out,
                            tern_error *err) {
    tn_snippets *s = tn_calloc(1, sizeof *s);
    if (!s) return no_memory(err);
    tern_status status = tn_analyzer_new(language, &s->analyzer, err);
    if (status == TERN_OK) status = add_terms(s, query, err);
    if (status != TERN_OK) {
        tn_snippets_free(s);
        return status;
    }
    *out = s;
    return TERN_OK;
}

void tn_add_plain(tn_buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t n = tn_utf8_decode(text + i, len - i, &cp);
        if (n == 0 || cp < 0x20 || (cp >= 0x7F && cp < 0xA0)) {
            tn_buf_char(out, ' ');
            i += n ? n : 1;
        } else {
            tn_buf_add(out, text + i, n);
            i += n;
        }
    }
}

void tn_add_place(tn_buf *out, const tern_passage *p) {
    tn_add_plain(out, p->source, strlen(p->source));
    if (p->page) {
        tn_buf_printf(out, " p. %u", p->page);
    } else if (p->line_begin) {
        tn_buf_printf(out, ":%u", p->line_begin);
        if (p->line_end > p->line_begin) tn_buf_printf(out, "-%u", p->line_end);
    }
}

/* The window of at most `width` bytes with the most distinct query words, then the most of any,
 * then the earliest. Windows begin at query words; a short lead is added when shown. */
static size_t best_window(const tn_snippets *s, const tn_token *hits, const uint32_t *terms,
                          size_t n_hits, size_t width) {
    size_t best = 0, best_score = 0;
    for (size_t i = 0; i < n_hits; i++) {
        size_t score = 0;
        for (size_t k = i; k < n_hits && hits[k].end <= hits[i].begin + width; k++) {
            size_t before = i;
            while (before < k && terms[before] != terms[k]) before++;
            score += before == k ? s->terms.n + 1 : 1;
        }
        if (score > best_score) best_score = score, best = i;
    }
    return best;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Where the shown part begins: some bytes before the first hit, at a word's start. */
static size_t shown_from(const char *text, size_t begin, size_t lead) {
    if (begin <= lead) return 0;
    size_t from = begin - lead;
    while (from < begin && !is_blank(text[from])) from++;
    while (from < begin && is_blank(text[from])) from++;
    return from;
}

static size_t shown_to(const char *text, size_t len, size_t from, size_t width) {
    if (len - from <= width) return len;
    size_t to = from + width, floor = from + width / 2;
    while (to > floor && !is_blank(text[to])) to--;
    return to > floor ? to : tn_utf8_floor(text, len, from + width);
}

typedef struct pen {
    const tn_cli *cli;
    tn_buf *out;
    size_t column, line, indent;
} pen;

/* One word, on the next line if it does not fit. `columns` counts code points. */
static void put_word(pen *p, const char *word, size_t len, size_t mark_begin, size_t mark_end) {
    size_t columns = 0;
    for (size_t i = 0; i < len; i++) columns += (word[i] & 0xC0) != 0x80;
    if (p->column > p->indent && p->column + 1 + columns > p->line) {
        tn_buf_char(p->out, '\n');
        p->column = 0;
    }
    if (p->column == 0) {
        for (size_t i = 0; i < p->indent; i++) tn_buf_char(p->out, ' ');
        p->column = p->indent;
    } else if (p->column > p->indent) {
        tn_buf_char(p->out, ' ');
        p->column++;
    }
    tn_add_plain(p->out, word, mark_begin);
    if (mark_end > mark_begin) {
        tn_buf_str(p->out, tn_style(p->cli, "bold"));
        tn_add_plain(p->out, word + mark_begin, mark_end - mark_begin);
        tn_buf_str(p->out, tn_style(p->cli, "reset"));
    }
    tn_add_plain(p->out, word + mark_end, len - mark_end);
    p->column += columns;
}

/* The words of text[from..to); `hits` are in text order. */
static void put_text(pen *p, const char *text, size_t from, size_t to, const tn_token *hits,
                     size_t n_hits) {
    size_t h = 0;
    for (size_t i = from; i < to;) {
        while (i < to && is_blank(text[i])) i++;
        size_t end = i;
        while (end < to && !is_blank(text[end])) end++;
        if (end == i) break;
        while (h < n_hits && hits[h].end <= i) h++;
        size_t mark_begin = 0, mark_end = 0;
        if (h < n_hits && hits[h].begin < end) {
            mark_begin = hits[h].begin > i ? hits[h].begin - i : 0;
            mark_end = (hits[h].end < end ? hits[h].end : end) - i;
        }
        put_word(p, text + i, end - i, mark_begin, mark_end);
        i = end;
    }
}

/* The tokens of the text that are query words, and which. */
static tern_status find_hits(tn_snippets *s, const char *text, size_t len, tn_token **hits,
                             uint32_t **terms, size_t *n_hits, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status status = tn_analyze(s->analyzer, text, len, &tokens, &n, err);
    if (status != TERN_OK) return status;
    *hits = tn_alloc(n * sizeof **hits);
    *terms = tn_alloc(n * sizeof **terms);
    if (!*hits || !*terms) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        uint32_t t = tn_strmap_find(&s->terms, tokens[i].term, tokens[i].term_len);
        if (t == TN_STRMAP_NONE || tokens[i].is_stop) continue;
        (*hits)[*n_hits] = tokens[i];
        (*terms)[(*n_hits)++] = t;
    }
    return TERN_OK;
}

tern_status tn_snippet(tn_snippets *s, const tn_cli *cli, const char *text, size_t len,
                       size_t width, size_t line, size_t indent, tn_buf *out, tern_error *err) {
    tn_token *hits = NULL;
    uint32_t *terms = NULL;
    size_t n_hits = 0;
    tern_status status = find_hits(s, text, len, &hits, &terms, &n_hits, err);
    if (status == TERN_OK) {
        size_t first = best_window(s, hits, terms, n_hits, width);
        size_t from = n_hits && width < len ? shown_from(text, hits[first].begin, width / 5) : 0;
        size_t to = shown_to(text, len, from, width);
        pen p = {cli, out, 0, line, indent};
        if (from > 0) put_word(&p, "\xE2\x80\xA6", 3, 0, 0);
        put_text(&p, text, from, to, hits, n_hits);
        if (to < len) put_word(&p, "\xE2\x80\xA6", 3, 0, 0);
        tn_buf_char(out, '\n');
    }
    tn_free(hits);
    tn_free(terms);
    return status;
}
