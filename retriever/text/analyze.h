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
    const char *term;  /* NUL-terminated, folded and stemmed; valid until the next analyze call */
    uint32_t term_len; /* 1..255 bytes (longer words are cut at a code point) */
    uint32_t position; /* word number, stop words counted */
    uint32_t begin, end; /* byte range in the analysed text */
    bool is_stop;        /* a stop word of the language: not indexed, keeps its position */
} tn_token;

/* *tokens: [*n] in text order, owned by the analyzer, valid until the next call. CJK runs become
 * overlapping bigrams. NOMEM only. */
TERN_MUST_USE tern_status tn_analyze(tn_analyzer *a, const char *text, size_t len,
                                     const tn_token **tokens, size_t *n, tern_error *err);
#endif
