/* scan.c - see scan.h. Alternatives are tried in the order of the pattern; every run is taken whole
 * at once, so that scanning is linear. */
#include "core/lm/tokenizer/scan.h"
#include "core/lm/tokenizer/chars.h"
#include <string.h>

tn_scan tn_scan_of_regex(const char *regex) {
    static const struct {
        const char *regex;
        tn_scan scan;
    } known[] = {
        {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
         TN_SCAN_GPT2},
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
         TN_SCAN_LLAMA3},
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
         " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
         TN_SCAN_QWEN2},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].regex, regex) == 0) return known[i].scan;
    return TN_SCAN_NONE;
}

enum { LNS = TN_CH_LETTER | TN_CH_NUMBER | TN_CH_SPACE };

/* End of the run of characters whose class & mask == want. */
static size_t run(const char *s, size_t n, size_t at, unsigned mask, unsigned want) {
    while (at < n) {
        uint32_t cp;
        size_t len = tn_char_next(s + at, n - at, &cp);
        if ((tn_char_class(cp) & mask) != want) break;
        at += len;
    }
    return at;
}

static size_t letters(const char *s, size_t n, size_t at) {
    for (; at < n; at++) { /* the common run first */
        unsigned c = (unsigned char)s[at] | 0x20;
        if (c - 'a' > 25u || (unsigned char)s[at] > 'z') break;
    }
    return at < n && (unsigned char)s[at] >= 0x80 ? run(s, n, at, TN_CH_LETTER, TN_CH_LETTER) : at;
}

/* Bytes of 's 't 're 've 'm 'll 'd at s + at (an apostrophe), or 0. Folding case, U+017F is an s.
 */
static size_t contraction(const char *s, size_t n, size_t at, int fold) {
    if (at + 1 >= n) return 0;
    unsigned char a = (unsigned char)s[at + 1], b = at + 2 < n ? (unsigned char)s[at + 2] : 0;
    if (fold && a == 0xC5 && b == 0xBF) return 3;
    if (fold && a >= 'A' && a <= 'Z') a |= 0x20;
    if (fold && b >= 'A' && b <= 'Z') b |= 0x20;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
}

/* \s+(?!\S)|\s+ on the run of white space [at, end): all of it at the end of the text, else all
 * but its last character, unless that is all there is. */
static size_t spaces(const char *s, size_t n, size_t at, size_t end) {
    if (end == n) return end;
    uint32_t cp;
    size_t last = end - tn_char_last(s + at, end - at, &cp);
    return last > at ? last : end;
}

static size_t next_gpt2(const char *s, size_t n, size_t at) {
    uint32_t cp;
    if (s[at] == '\'') {
        size_t len = contraction(s, n, at, 0);
        if (len) return at + len;
    }
    size_t body = at + (s[at] == ' ');
    if (body < n) {
        size_t len = tn_char_next(s + body, n - body, &cp);
        unsigned class = tn_char_class(cp);
        if (class & TN_CH_LETTER) return letters(s, n, body + len);
        if (class & TN_CH_NUMBER) return run(s, n, body + len, TN_CH_NUMBER, TN_CH_NUMBER);
        if (!(class & TN_CH_SPACE)) return run(s, n, body + len, LNS, 0);
    }
    return spaces(s, n, at, run(s, n, at, TN_CH_SPACE, TN_CH_SPACE));
}

/* \s*[\r\n]+ on the run of white space [at, end): to its last newline, or 0 if it has none. */
static size_t to_last_newline(const char *s, size_t at, size_t end) {
    while (end > at && s[end - 1] != '\n' && s[end - 1] != '\r') end--;
    return end > at ? end : 0;
}

static size_t next_llama3(const char *s, size_t n, size_t at, int digits_max) {
    uint32_t cp, cp2;
    if (s[at] == '\'') {
        size_t len = contraction(s, n, at, 1);
        if (len) return at + len;
    }
    size_t len = tn_char_next(s + at, n - at, &cp);
    unsigned class = tn_char_class(cp);
    if (class & TN_CH_LETTER) return letters(s, n, at + len);
    if (class & TN_CH_NUMBER) {
        size_t end = at + len;
        for (int i = 1; i < digits_max && end < n; i++) {
            len = tn_char_next(s + end, n - end, &cp);
            if (!(tn_char_class(cp) & TN_CH_NUMBER)) break;
            end += len;
        }
        return end;
    }
    size_t after = at + len, len2 = 0;
    unsigned class2 = TN_CH_SPACE; /* at the end of the text: like white space */
    if (after < n) {
        len2 = tn_char_next(s + after, n - after, &cp2);
        class2 = tn_char_class(cp2);
    }
    if (!(class & TN_CH_NEWLINE) && (class2 & TN_CH_LETTER)) return letters(s, n, after + len2);
    if (!(class & TN_CH_SPACE))
        return run(s, n, run(s, n, after, LNS, 0), TN_CH_NEWLINE, TN_CH_NEWLINE);
    if (s[at] == ' ' && !(class2 & LNS))
        return run(s, n, run(s, n, after, LNS, 0), TN_CH_NEWLINE, TN_CH_NEWLINE);
    size_t end = run(s, n, at, TN_CH_SPACE, TN_CH_SPACE);
    size_t line = to_last_newline(s, at, end);
    return line ? line : spaces(s, n, at, end);
}

size_t tn_scan_next(tn_scan scan, const char *s, size_t n, size_t at) {
    switch (scan) {
    case TN_SCAN_GPT2:
        return next_gpt2(s, n, at);
    case TN_SCAN_LLAMA3:
        return next_llama3(s, n, at, 3);
    case TN_SCAN_QWEN2:
        return next_llama3(s, n, at, 1);
    case TN_SCAN_NONE:
        break;
    }
    return n;
}
