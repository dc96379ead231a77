/* door.h - the server side of HTTP: whole requests in, answers out, now or later.
 * One thread talks to the network; it reads each request to its end, within limits of size and
 * time, and hands it to `handle`, which answers at once or from another thread. */
#ifndef TN_DOOR_H
#define TN_DOOR_H
#include "core/base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_door tn_door;

/* A request read in full; valid until it is answered. */
typedef struct tn_request {
    const char *method;       /* "POST"; HEAD is shown as "GET" */
    const char *path;         /* without the query string */
    const char *content_type; /* "" if none was sent */
    const char *body;         /* NUL-terminated */
    size_t body_len;          /* bytes */
} tn_request;

typedef struct tn_door_opts {
    const char *host; /* address or name to listen on */
    uint16_t port;    /* 0: any free one */
    uint32_t n_connections;
    size_t body_max_bytes;      /* of one request: 413 above it */
    size_t buffered_max_bytes;  /* of all bodies held at once: 503 above it */
    uint32_t client_timeout_ms; /* for a whole request to arrive, else the client is cut off */
    /* Called on the network thread, which waits: be quick. Each request is answered exactly once,
     * by tn_request_reply or tn_request_fail, from any thread. */
    void (*handle)(void *ud, tn_request *rq);
    void *ud;
} tn_door_opts;

TERN_MUST_USE tern_status tn_door_open(const tn_door_opts *opts, tn_door **out, tern_error *err);
uint16_t tn_door_port(const tn_door *d);
bool tn_door_is_loopback(const tn_door *d);
/* Cut off clients whose time is up. To be called now and then, from any one thread. */
void tn_door_sweep(tn_door *d);
void tn_door_shut(tn_door *d);           /* take no new connection */
uint32_t tn_door_n_requests(tn_door *d); /* begun and not yet ended, sending included */
/* Every handed-over request must have been answered before. NULL allowed. */
void tn_door_close(tn_door *d);

/* Answer with JSON; the buffer's contents move into the answer, whatever happens. The header is
 * left out when its name is NULL; both strings are static. */
void tn_request_reply(tn_request *rq, int status, tn_buf *json, const char *header,
                      const char *value);
/* {"error": text, "field": field}; no field when "". 503 gets its Retry-After. */
void tn_request_fail(tn_request *rq, int status, const char *text, const char *field);

#endif
