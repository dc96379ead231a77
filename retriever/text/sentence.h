/* sentence.h - where sentences begin and end, by rules that can be read.
 * A sentence ends at a stop (. ! ? and their kin in other scripts) that is not part of an
 * abbreviation, an initial, a number or a list label, or at an empty line. No state, no heap. */
#ifndef TN_SENTENCE_H
#define TN_SENTENCE_H
#include <stdbool.h>
#include <stddef.h>

typedef struct tn_span {
    size_t begin, end; /* bytes, half open */
} tn_span;

/* The sentence at or after *pos, without the white space around it; *pos moves behind it. false: no
 * more text. UTF-8; ill-formed bytes count as letters. Spans of successive calls ascend and hold
 * every byte of the text but white space between sentences. */
bool tn_sentence_next(const char *text, size_t len, size_t *pos, tn_span *out);

/* All sentences of the text; returns how many there are, of which the first `cap` are in out[]. */
size_t tn_sentences(const char *text, size_t len, tn_span *out, size_t cap);
#endif
