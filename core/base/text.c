/* text.c - see text.h. */
#include "core/base/text.h"
#include "core/base/mem.h"
#include <string.h>
#include <utf8proc.h>

size_t tn_utf8_decode(const char *s, size_t n, uint32_t *cp) {
    const unsigned char *p = (const unsigned char *)s;
    unsigned c = p[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    size_t len = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || n < len) return 0;
    uint32_t v = c & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    if (len == 3 && (v < 0x800 || (v >= 0xD800 && v <= 0xDFFF))) return 0;
    if (len == 4 && (v < 0x10000 || v > 0x10FFFF)) return 0;
    *cp = v;
    return len;
}

size_t tn_utf8_encode(uint32_t cp, char out[4]) {
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) cp = 0xFFFD;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

/* Length of the ASCII run at s. */
static size_t ascii_run(const char *s, size_t n) {
    size_t i = 0;
    for (uint64_t word; i + 8 <= n; i += 8) {
        memcpy(&word, s + i, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (i < n && !((unsigned char)s[i] & 0x80)) i++;
    return i;
}

bool tn_utf8_valid(const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        i += ascii_run(s + i, n - i);
        if (i == n) break;
        uint32_t cp;
        size_t len = tn_utf8_decode(s + i, n - i, &cp);
        if (!len) return false;
        i += len;
    }
    return true;
}

/* A lead byte and the continuation bytes that could still have followed it. */
size_t tn_utf8_bad_len(const char *s, size_t n) {
    const unsigned char *p = (const unsigned char *)s;
    unsigned c = p[0];
    size_t want = c >= 0xC2 && c <= 0xDF   ? 2
                  : c >= 0xE0 && c <= 0xEF ? 3
                  : c >= 0xF0 && c <= 0xF4 ? 4
                                           : 1;
    if (want == 1 || n < 2) return 1;
    unsigned lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < lo || p[1] > hi) return 1;
    size_t i = 2;
    while (i < want && i < n && (p[i] & 0xC0) == 0x80) i++;
    return i < want ? i : 1;
}

size_t tn_utf8_repair(const char *s, size_t n, tn_buf *out) {
    size_t n_bad = 0, start = 0, i = 0;
    while (i < n) {
        i += ascii_run(s + i, n - i);
        if (i == n) break;
        uint32_t cp;
        size_t len = tn_utf8_decode(s + i, n - i, &cp);
        if (len) {
            i += len;
            continue;
        }
        tn_buf_add(out, s + start, i - start);
        tn_buf_str(out, "\xEF\xBF\xBD");
        i += tn_utf8_bad_len(s + i, n - i);
        start = i;
        n_bad++;
    }
    tn_buf_add(out, s + start, n - start);
    return n_bad;
}

size_t tn_utf8_floor(const char *s, size_t len, size_t n) {
    if (n >= len) return len;
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80) n--;
    return n;
}

void tn_text_fold(const char *s, size_t n, tn_buf *out) {
    if (ascii_run(s, n) == n) {
        tn_buf_reserve(out, n);
        if (out->failed) return;
        for (size_t i = 0; i < n; i++) {
            char c = s[i];
            out->data[out->len + i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        out->len += n;
        out->data[out->len] = '\0';
        return;
    }
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t len =
        utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &folded,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
    if (len == UTF8PROC_ERROR_NOMEM) {
        tn_buf_fail(out);
        return;
    }
    if (len < 0) { /* not well-formed: keep the bytes */
        tn_buf_add(out, s, n);
        return;
    }
    tn_buf_add(out, folded, (size_t)len);
    free(folded); /* utf8proc's own block */
}

static char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool tn_ascii_ieq(const char *a, const char *b) {
    while (*a && ascii_lower(*a) == ascii_lower(*b)) a++, b++;
    return ascii_lower(*a) == ascii_lower(*b);
}

bool tn_starts_with(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool tn_ends_with(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void tn_trim(const char **s, size_t *n) {
    while (*n && is_space(**s)) (*s)++, (*n)--;
    while (*n && is_space((*s)[*n - 1])) (*n)--;
}
