/* serve.h - an index behind HTTP, on the loopback address unless told otherwise.
 *
 *   POST /retrieve  {"queries": ["...", ...], "topk": 3, "return_scores": true}
 *                   -> {"result": [[{"document": {...}, "score": 1.5}, ...], ...]}
 *                   {"query": "...", "topk": 3} -> {"result": [{...}, ...]}
 *   GET /healthz    -> {"status": "ok", "passages": n, "generation": g, ...}
 *
 * A document is {"id", "contents": "\"Title\"\ntext", "title", "text"}, the protocol of Search-R1.
 * There is no authentication: whoever can reach the port can read the index. */
#ifndef TERN_SERVE_H
#define TERN_SERVE_H
#include "tern/search.h"
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_server_opts {
    const char *host;           /* address to listen on; default "127.0.0.1" */
    uint16_t port;              /* default 8000; 0: any free one, see tern_server_port */
    tern_search_opts search;    /* mode, k1, b, filters; its k is not used */
    uint32_t topk;              /* when a request names none; default 3 */
    uint32_t topk_max;          /* a request may not ask for more; default 1000 */
    uint32_t n_in_flight;       /* requests waiting or worked on; more get 503; default 256 */
    uint32_t n_connections;     /* more wait in the listen queue; default 1000 */
    size_t body_max_bytes;      /* of a request; default 16 MiB */
    size_t reply_max_bytes;     /* of an answer; default 128 MiB */
    uint32_t client_timeout_ms; /* a client must deliver a whole request within; default 30 s */
    uint32_t grace_ms;          /* at stop, for requests in flight; default 10 s */
    bool reload;                /* follow new commits of the index, looked for once a second */
} tern_server_opts;
TERN_API tern_server_opts tern_server_defaults(void);

typedef struct tern_server tern_server;

/* Open the index and listen; returns once requests are answered.
 *   opts  NULL: defaults; strings and filters are borrowed until tern_server_stop
 *   host  log is called from several threads, one at a time; n_threads counts the searching
 *         threads (0: one per core), one more reads and writes the network
 * Errors: ARG, IO (port in use, address not ours), NOMEM, and those of tern_index_open. */
TERN_API TERN_MUST_USE tern_status tern_server_start(const char *dir, const tern_server_opts *opts,
                                                     const tern_host *host, tern_server **out,
                                                     tern_error *err);
TERN_API uint16_t tern_server_port(const tern_server *s);
/* Of the state being served: it changes with a reload. */
TERN_API tern_index_stats tern_server_index_stats(tern_server *s);
/* Take no new connection, finish what is in flight (at most grace_ms), free. NULL allowed. */
TERN_API void tern_server_stop(tern_server *s);

#ifdef __cplusplus
}
#endif
#endif
