/* json_scan.c - see json_scan.h. RFC 8259, without recursion for strings and numbers and with
 * bounded recursion for containers. Lone surrogates are refused, as they stand for no text. */
#include "retriever/ingest/json_scan.h"
#include "core/base/text.h"
#include <string.h>

#include "core/base/mem.h"

typedef struct scan {
    const char *p, *end;
    bool odd_number;
} scan;

static void skip_white(scan *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static bool take(scan *s, char c) {
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool take_word(scan *s, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n;
    return true;
}

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p; -1 if they are not. */
static long hex4(const char *p, const char *end) {
    long v = 0;
    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int h = hex(p[i]);
        if (h < 0) return -1;
        v = v * 16 + h;
    }
    return v;
}

/* One escape at p (behind the backslash): its code point and the bytes it takes, 0 if ill-formed.
 */
static size_t escape(const char *p, const char *end, uint32_t *cp) {
    static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    if (p == end) return 0;
    if (*p != 'u') {
        const char *at = *p ? strchr(plain, *p) : NULL;
        if (!at) return 0;
        *cp = (uint32_t)means[at - plain];
        return 1;
    }
    long a = hex4(p + 1, end);
    if (a < 0 || (a >= 0xDC00 && a <= 0xDFFF)) return 0;
    *cp = (uint32_t)a;
    if (a < 0xD800 || a > 0xDBFF) return 5;
    long b = end - p >= 11 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7, end) : -1;
    if (b < 0xDC00 || b > 0xDFFF) return 0;
    *cp = 0x10000 + (uint32_t)((a - 0xD800) << 10) + (uint32_t)(b - 0xDC00);
    return 11;
}

static bool scan_string(scan *s) {
    if (!take(s, '"')) return false;
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            s->p++;
            return true;
        }
        if (c < 0x20) return false;
        s->p++;
        if (c != '\\') continue;
        uint32_t cp;
        size_t n = escape(s->p, s->end, &cp);
        if (n == 0) return false;
        s->p += n;
    }
    return false;
}

static size_t digits(scan *s) {
    const char *begin = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
    return (size_t)(s->p - begin);
}

static bool scan_number(scan *s) {
    (void)take(s, '-');
    bool zero = s->p < s->end && *s->p == '0';
    size_t n = digits(s);
    if (n == 0 || (zero && n > 1)) return false;
    if (n > 18) s->odd_number = true;
    if (take(s, '.') && digits(s) == 0) return false;
    if (take(s, 'e') || take(s, 'E')) {
        s->odd_number = true;
        if (!take(s, '+')) (void)take(s, '-');
        if (digits(s) == 0) return false;
    }
    return true;
}

static bool scan_value(scan *s, int depth);

/* An object or array that nobody looks into. */
static bool scan_container(scan *s, char close, int depth) {
    if (depth >= TN_JSON_DEPTH_MAX) return false;
    s->p++;
    skip_white(s);
    if (take(s, close)) return true;
    do {
        skip_white(s);
        if (close == '}') {
            if (!scan_string(s)) return false;
            skip_white(s);
            if (!take(s, ':')) return false;
            skip_white(s);
        }
        if (!scan_value(s, depth + 1)) return false;
        skip_white(s);
    } while (take(s, ','));
    return take(s, close);
}

static bool scan_value(scan *s, int depth) {
    if (s->p == s->end) return false;
    switch (*s->p) {
    case '"':
        return scan_string(s);
    case '{':
        return scan_container(s, '}', depth);
    case '[':
        return scan_container(s, ']', depth);
    case 't':
        return take_word(s, "true");
    case 'f':
        return take_word(s, "false");
    case 'n':
        return take_word(s, "null");
    default:
        return scan_number(s);
    }
}

bool tn_json_scan(const char *text, size_t n, tn_json_object *out) {
    scan s = {text, text + n, false};
    out->n = 0;
    skip_white(&s);
    if (!take(&s, '{')) return false;
    skip_white(&s);
    if (!take(&s, '}')) {
        do {
            if (out->n == TN_JSON_MEMBERS_MAX) return false;
            tn_json_member *m = &out->members[out->n++];
            skip_white(&s);
            m->key = s.p + 1;
            if (!scan_string(&s)) return false;
            m->key_len = (size_t)(s.p - m->key) - 1;
            skip_white(&s);
            if (!take(&s, ':')) return false;
            skip_white(&s);
            m->value = s.p;
            if (!scan_value(&s, 1)) return false;
            m->value_len = (size_t)(s.p - m->value);
            skip_white(&s);
        } while (take(&s, ','));
        if (!take(&s, '}')) return false;
    }
    skip_white(&s);
    out->odd_number = s.odd_number;
    return s.p == s.end;
}

bool tn_json_unescape(tn_arena *arena, const char *v, size_t n, const char **out, size_t *n_out) {
    const char *p = v + 1, *end = v + n - 1;
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    *out = p;
    *n_out = (size_t)(end - p);
    if (!slash) return true;
    char *to = tn_arena_alloc(arena, *n_out); /* an escape is never shorter than what it means */
    if (!to) return false;
    *out = to;
    while (slash) {
        memcpy(to, p, (size_t)(slash - p));
        to += slash - p;
        uint32_t cp = 0;
        p = slash + 1 + escape(slash + 1, end, &cp);
        char utf8[4];
        size_t k = tn_utf8_encode(cp, utf8);
        memcpy(to, utf8, k);
        to += k;
        slash = memchr(p, '\\', (size_t)(end - p));
    }
    memcpy(to, p, (size_t)(end - p));
    to += end - p;
    *n_out = (size_t)(to - *out);
    return true;
}
