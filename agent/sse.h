/* sse.h - Server-Sent Events, parsed as the bytes arrive.
 * The events depend on the bytes alone, never on how they were cut into pieces. */
#ifndef TN_SSE_H
#define TN_SSE_H
#include "core/base/buf.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct tn_sse_event {
    const char *type; /* "message" when the stream named none */
    const char *data; /* the data lines joined by '\n'; NUL-terminated */
    size_t data_len;
} tn_sse_event;

/* Views are valid during the call. false: enough, what follows is ignored. */
typedef bool tn_sse_fn(void *ud, const tn_sse_event *event);

typedef struct tn_sse {
    tn_sse_fn *fn;
    void *ud;
    size_t max_bytes; /* of one event: its data plus the line being read */
    tn_buf line, data, type;
    bool after_cr, past_first_line, has_data, stopped;
} tn_sse;

void tn_sse_init(tn_sse *p, size_t max_bytes, tn_sse_fn *fn, void *ud);
void tn_sse_deinit(tn_sse *p);
/* Errors: LIMIT (an event longer than max_bytes), NOMEM; the parser then takes nothing more. */
TERN_MUST_USE tern_status tn_sse_feed(tn_sse *p, const char *bytes, size_t n, tern_error *err);
/* The stream has ended: an event that still lacks its blank line is delivered. */
TERN_MUST_USE tern_status tn_sse_finish(tn_sse *p, tern_error *err);

#endif
