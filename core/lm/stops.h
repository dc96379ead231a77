/* stops.h - stop texts over a stream: what can no longer become one is let through.
 * The text ends before the first stop that appears in it, however the pieces are cut. */
#ifndef TN_LM_STOPS_H
#define TN_LM_STOPS_H
#include "core/base/buf.h"

typedef struct tn_stops {
    const char *const *texts; /* [n], none empty; borrowed */
    size_t n;
} tn_stops;

/* text[len] holds all so far, of which `sent` bytes were let through. Returns how many bytes may be
 * let through now; *stopped: a stop was found and the text ends there. `final`: nothing follows,
 * so a half stop is text. */
size_t tn_stops_scan(const tn_stops *s, const char *text, size_t len, size_t sent, bool final,
                     bool *stopped);

#endif
