/* text.h - UTF-8 and nothing else: validation, repair, decoding, folding (utf8proc). */
#ifndef TN_TEXT_H
#define TN_TEXT_H
#include "core/base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one code point at s (n >= 1 bytes left). Returns its length in bytes, 1..4, or 0 if the
 * bytes are not well-formed UTF-8 (overlong, surrogate, beyond U+10FFFF, cut short). */
size_t tn_utf8_decode(const char *s, size_t n, uint32_t *cp);
size_t tn_utf8_encode(uint32_t cp, char out[4]); /* bytes written; U+FFFD for an invalid cp */
bool tn_utf8_valid(const char *s, size_t n);
/* Append s to out with every maximal ill-formed part replaced by U+FFFD (Unicode's recommended
 * practice). Returns the number of replacements. */
size_t tn_utf8_repair(const char *s, size_t n, tn_buf *out);
/* Bytes of the maximal ill-formed part at s, where tn_utf8_decode says 0; n >= 1. */
size_t tn_utf8_bad_len(const char *s, size_t n);
/* Largest m <= n such that s[0..m) does not cut a code point (s well-formed). */
size_t tn_utf8_floor(const char *s, size_t len, size_t n);

/* Append s (well-formed) to out: NFKC, case folded. For matching names, not for display. */
void tn_text_fold(const char *s, size_t n, tn_buf *out);

bool tn_ascii_ieq(const char *a, const char *b); /* equal, ignoring ASCII case */
bool tn_starts_with(const char *s, const char *prefix);
bool tn_ends_with(const char *s, const char *suffix);
/* Trim ASCII white space at both ends, in place on the view. */
void tn_trim(const char **s, size_t *n);

#endif
