/* http.h - the client door to the network: one POST at a time over libcurl.
 * A client belongs to one thread and keeps its connection open between calls. Certificates are
 * always verified, redirects are never followed (they would carry the key elsewhere), the proxy
 * comes from the environment (never for a loopback address), and SIGPIPE cannot happen. */
#ifndef TN_HTTP_H
#define TN_HTTP_H
#include "tern/host.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_http tn_http;

typedef struct tn_http_post {
    const char *url;    /* http or https */
    const char *bearer; /* secret for the Authorization header, or NULL; never shown in a message */
    const char *accept; /* Accept header, or NULL */
    const void *body;   /* JSON */
    size_t body_len;
    uint32_t connect_ms;   /* until the connection stands; 0: 10 s */
    uint32_t idle_ms;      /* without a byte in either direction; 0: 60 s */
    uint32_t total_ms;     /* for the whole exchange; 0: 600 s */
    size_t max_bytes;      /* of the answer's body; 0: 64 MiB */
    const tern_host *host; /* asked about ten times a second whether to cancel; NULL: never */
    /* The body of a 2xx answer as it arrives. false: enough, close and return OK. */
    bool (*on_body)(void *ud, const char *data, size_t n);
    void *ud;
} tn_http_post;

typedef struct tn_http_answer {
    int status;            /* HTTP status, 0 if none came */
    int64_t retry_after_s; /* 0 if the server named none */
    bool stopped;          /* on_body had enough */
    bool transient;        /* the call failed in a way that may pass: worth another try */
    size_t error_len;
    char error_body[4096]; /* start of the body of an answer that is not 2xx; NUL-terminated */
} tn_http_answer;

TERN_MUST_USE tern_status tn_http_open(tn_http **out, tern_error *err);
void tn_http_close(tn_http *h); /* NULL allowed */

/* Send, then read the answer to its end. OK means an HTTP answer of any status was read in full
 * (or on_body stopped it); *ans is filled in every case.
 * Errors: ARG (not a usable URL), REMOTE, TIMEOUT, CANCELLED, LIMIT (max_bytes), NOMEM; err->text
 * names the URL without user, password and query. */
TERN_MUST_USE tern_status tn_http_send(tn_http *h, const tn_http_post *post, tn_http_answer *ans,
                                       tern_error *err);

const char *tn_http_version(void); /* of libcurl: "7.88.1"; static */

/* ARG unless it is an absolute http or https URL. */
TERN_MUST_USE tern_status tn_http_check_url(const char *url, tern_error *err);
/* The URL without user, password, query and fragment, for messages; cut to fit. */
void tn_http_safe_url(const char *url, char *out, size_t size);

#endif
