/* regex.h - the Split and Replace patterns of tokenizer.json that no scanner of ours knows: PCRE2,
 * compiled once, matched by any thread with scratch of its own. */
#ifndef TN_TOK_REGEX_H
#define TN_TOK_REGEX_H
#include "tern/status.h"
#include <stddef.h>

typedef struct tn_regex tn_regex;
typedef struct tn_regex_scratch tn_regex_scratch;

/* Means what the reference's engine (Oniguruma) means by it: \s is White_Space, \w has the marks, ^
 * and $ are ends of lines. Errors: FORMAT (what is wrong), UNSUPPORTED (a construct that PCRE2
 * would read differently: names it), NOMEM. */
TERN_MUST_USE tern_status tn_regex_new(const char *pattern, tn_regex **out, tern_error *err);
void tn_regex_free(tn_regex *re); /* NULL allowed */

tn_regex_scratch *tn_regex_scratch_new(void); /* NULL: no memory */
void tn_regex_scratch_free(tn_regex_scratch *m);

/* The first match in s[at..n), s well-formed UTF-8 with all of [0, n) visible to look-arounds; an
 * empty match at `at` itself is passed over. Sets [*begin, *end) and *found.
 * Errors: LIMIT (the pattern backtracks without end on this text), NOMEM. */
TERN_MUST_USE tern_status tn_regex_find(const tn_regex *re, tn_regex_scratch *m, const char *s,
                                        size_t n, size_t at, size_t *begin, size_t *end, int *found,
                                        tern_error *err);

#endif
