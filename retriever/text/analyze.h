/* analyze.h - text -> index terms: Unicode words, folded, stop words marked, Snowball stems.
 * The same function serves documents and queries, so that both sides always agree. */
#ifndef TN_ANALYZE_H
#define TN_ANALYZE_H
#include "core/base/buf.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_analyzer tn_analyzer; /* one thread at a time (the stemmer has state) */

/* language: a Snowball name ("english", "german", ...) or "none" (no stop words, no stemming).
 * ARG: unknown language; the message lists the known ones. */
TERN_MUST_USE tern_status tn_analyzer_new(const char *language, tn_analyzer **out, tern_error *err);
void tn_analyzer_free(tn_analyzer *a);

typedef struct tn_token {
    const char *term;    /* NUL-terminated, folded and stemmed; valid until the next analyze call */
    uint32_t term_len;   /* 1..255 bytes (longer words are cut at a code point) */
    uint32_t position;   /* word number, stop words counted */
    uint32_t begin, end; /* byte range in the analysed text */
    uint32_t word;       /* memo number of the surface word: see tn_analyzer_epoch */
    bool is_stop;        /* a stop word of the language: not indexed, keeps its position */
} tn_token;

/* Words are runs of letters, digits and marks. Apostrophes: English drops a final 's and joins the
 * rest ("Bob's" -> bob, "O'Brien" -> obrien), other languages split there. Dotted initials join
 * ("U.S." -> us, never a stop word), as do thousands ("1,000" -> 1000). A text of stop words only
 * (a title such as "The Who", the query for it) keeps them as terms. Ill-formed UTF-8 separates
 * words.
 * *tokens: [*n] in text order, owned by the analyzer, valid until the next call. CJK runs become
 * overlapping bigrams. NOMEM only. */
TERN_MUST_USE tern_status tn_analyze(tn_analyzer *a, const char *text, size_t len,
                                     const tn_token **tokens, size_t *n, tern_error *err);

/* Surface words are analysed once and remembered: two tokens with the same `word` have the same
 * term for as long as the epoch stands still. It moves when the memo is emptied to bound memory. */
uint32_t tn_analyzer_epoch(const tn_analyzer *a);
size_t tn_analyzer_bytes(const tn_analyzer *a); /* memory held */
#endif
