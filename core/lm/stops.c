/* stops.c - see stops.h. */
#include "core/lm/stops.h"
#include <string.h>

/* The first place at or after `from` where a stop stands whole, or len. */
static size_t find(const tn_stops *s, const char *text, size_t len, size_t from) {
    for (size_t at = from; at < len; at++)
        for (size_t i = 0; i < s->n; i++) {
            size_t k = strlen(s->texts[i]);
            if (k <= len - at && memcmp(text + at, s->texts[i], k) == 0) return at;
        }
    return len;
}

/* Does the text from `at` to its end begin a stop? */
static bool begins(const tn_stops *s, const char *text, size_t len, size_t at) {
    for (size_t i = 0; i < s->n; i++)
        if (strlen(s->texts[i]) > len - at && memcmp(text + at, s->texts[i], len - at) == 0)
            return true;
    return false;
}

size_t tn_stops_scan(const tn_stops *s, const char *text, size_t len, size_t sent, bool final,
                     bool *stopped) {
    size_t at = find(s, text, len, sent);
    *stopped = at < len;
    if (*stopped || final) return at;
    for (at = sent; at < len; at++)
        if (begins(s, text, len, at)) return at;
    return len;
}
