/* scan.h - the pre-tokenizer patterns of the large families, by hand.
 * Each function gives the end of the piece that begins at `at`, exactly as its regular expression
 * matched repeatedly would cut (a byte that is not UTF-8 counts as a symbol):
 *   GPT-2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *   Llama-3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
 *            | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *   Qwen2    Llama-3's with \p{N} for \p{N}{1,3} */
#ifndef TN_TOK_SCAN_H
#define TN_TOK_SCAN_H
#include <stddef.h>

typedef enum tn_scan { TN_SCAN_NONE, TN_SCAN_GPT2, TN_SCAN_LLAMA3, TN_SCAN_QWEN2 } tn_scan;

/* The scanner of a regular expression as tokenizer.json writes it, or TN_SCAN_NONE. */
tn_scan tn_scan_of_regex(const char *regex);
/* s[at..n), at < n; returns in (at, n]. */
size_t tn_scan_next(tn_scan scan, const char *s, size_t n, size_t at);

#endif
