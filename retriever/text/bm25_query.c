/* bm25_query.c - query text -> distinct terms in order of first occurrence, and phrases.
 * A term counts once however often it is said. Questions repeat words for grammar's sake: counting
 * each occurrence costs HotpotQA 0.2 and MuSiQue 0.8 points of Recall@5, SciFact .004 of nDCG@10
 * (train questions). Parts between double quotes, straight or curly, are phrases; a quote without
 * its partner is an ordinary character. A phrase of stop words alone asks for nothing, unless the
 * whole query is of stop words (see tn_analyze). */
#include "core/base/strmap.h"
#include "retriever/text/bm25_priv.h"
#include <string.h>

#include "core/base/mem.h"

/* One occurrence in the query. */
typedef struct occurrence {
    uint32_t term, position, begin;
} occurrence;

typedef struct parser {
    tn_query *query;
    tn_strmap seen; /* term text -> number */
    occurrence *occurrences;
    size_t n_occurrences;
    tn_phrase *phrases;
    tn_phrase_word *words;
    size_t n_words;
} parser;

static tern_status collect(parser *p, const tn_token *tokens, size_t n, tn_arena *arena) {
    tn_query *q = p->query;
    for (size_t i = 0; i < n; i++) {
        if (tokens[i].is_stop) continue;
        uint32_t no = tn_strmap_add(&p->seen, tokens[i].term, tokens[i].term_len);
        if (no == TN_STRMAP_NONE) return TERN_ERR_NOMEM;
        if (no == q->n_terms) {
            const char *text = tn_arena_strndup(arena, tokens[i].term, tokens[i].term_len);
            if (!text) return TERN_ERR_NOMEM;
            q->terms[no] = (tn_query_term){.text = text, .len = tokens[i].term_len};
            q->n_terms++;
        }
        p->occurrences[p->n_occurrences++] = (occurrence){no, tokens[i].position, tokens[i].begin};
    }
    return TERN_OK;
}

/* Bytes of a double quote at s[i], or 0. */
static size_t quote_at(const char *s, size_t n, size_t i) {
    if (s[i] == '"') return 1;
    bool is_curly = i + 3 <= n && (memcmp(s + i, "\xE2\x80\x9C", 3) == 0 ||
                                   memcmp(s + i, "\xE2\x80\x9D", 3) == 0);
    return is_curly ? 3 : 0;
}

/* The occurrences in bytes [begin, end) as a phrase. */
static void add_phrase(parser *p, size_t begin, size_t end) {
    tn_phrase *phrase = &p->phrases[p->query->n_phrases];
    uint32_t first = 0;
    *phrase = (tn_phrase){p->words + p->n_words, 0};
    for (size_t i = 0; i < p->n_occurrences; i++) {
        const occurrence *o = &p->occurrences[i];
        if (o->begin < begin || o->begin >= end) continue;
        if (phrase->n_words++ == 0) first = o->position;
        p->words[p->n_words++] = (tn_phrase_word){o->term, o->position - first};
    }
    p->query->n_phrases += phrase->n_words > 0;
}

static void find_phrases(parser *p, const char *s, size_t n) {
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t len = quote_at(s, n, i);
        if (!len) continue;
        if (open != SIZE_MAX) add_phrase(p, open, i);
        open = open == SIZE_MAX ? i + len : SIZE_MAX;
        i += len - 1;
    }
}

tern_status tn_query_parse(tn_analyzer *a, const char *text, size_t len, tn_arena *arena,
                           tn_query *out, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    *out = (tn_query){0};
    tern_status st = tn_analyze(a, text, len, &tokens, &n, err);
    if (st != TERN_OK) return st;
    parser p = {.query = out};
    out->terms = tn_arena_alloc(arena, n * sizeof *out->terms);
    p.occurrences = tn_arena_alloc(arena, n * sizeof *p.occurrences);
    p.phrases = tn_arena_alloc(arena, (n + 1) * sizeof *p.phrases);
    p.words = tn_arena_alloc(arena, n * sizeof *p.words);
    bool is_full = !out->terms || !p.occurrences || !p.phrases || !p.words;
    st = is_full ? TERN_ERR_NOMEM : collect(&p, tokens, n, arena);
    if (st == TERN_OK) find_phrases(&p, text, len);
    out->phrases = p.phrases;
    tn_strmap_deinit(&p.seen);
    return st == TERN_OK ? st : tern_fail(err, st, 0, "out of memory while reading the query");
}
