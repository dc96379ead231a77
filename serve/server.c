/* server.c - the routes, the state being served and its replacement, start and stop. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/pool.h"
#include "core/base/text.h"
#include "serve/door.h"
#include "serve/engine.h"
#include "tern/serve.h"
#include "tern/version.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/mem.h"

enum {
    TICK_MS = 200,
    RELOAD_MS = 1000,
    LAST_WORDS_MS = 500,
    N_WORKERS_MAX = 256,
    BODIES_HELD = 16
};

struct tern_server {
    char *dir;
    tern_server_opts opts;
    tern_host host;
    tn_door *door;
    tn_engine *engine;
    pthread_t keeper; /* deadlines of clients, reload */
    bool has_keeper;
    int n_workers;
    pthread_mutex_t lock; /* guards what follows; the log has its own, taken without this one */
    pthread_cond_t wake;
    tn_snapshot *current;
    bool closing;
    pthread_mutex_t log_lock;
};

tern_server_opts tern_server_defaults(void) {
    return (tern_server_opts){.host = "127.0.0.1",
                              .port = 8000,
                              .search = tern_search_defaults(),
                              .topk = 3,
                              .topk_max = 1000,
                              .n_in_flight = 256,
                              .n_connections = 1000,
                              .body_max_bytes = (size_t)16 << 20,
                              .reply_max_bytes = (size_t)128 << 20,
                              .client_timeout_ms = 30000,
                              .grace_ms = 10000};
}

TERN_PRINTF(3, 4)
static void say(tern_server *s, tern_log_level level, const char *fmt, ...) {
    if (!s->host.log) return;
    char line[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&s->log_lock);
    s->host.log(s->host.ud, level, line);
    pthread_mutex_unlock(&s->log_lock);
}

static tn_snapshot *get_snapshot(tern_server *s) {
    pthread_mutex_lock(&s->lock);
    tn_snapshot *snapshot = s->current;
    tn_snapshot_ref(snapshot);
    pthread_mutex_unlock(&s->lock);
    return snapshot;
}

/* ---- POST /retrieve ----------------------------------------------------------------------- */

typedef struct retrieval {
    tn_job job; /* first: the engine hands it back */
    tern_server *server;
    tn_request *request;
} retrieval;

static void on_done(tn_job *job) {
    retrieval *r = (retrieval *)job;
    if (job->http_status == 200) {
        tn_request_reply(r->request, 200, &job->answer, NULL, NULL);
    } else {
        if (job->http_status == 500)
            say(r->server, TERN_LOG_ERROR, "POST /retrieve: %s", job->error.text);
        tn_request_fail(r->request, job->http_status, job->error.text, job->field);
    }
    tn_snapshot_unref(job->snapshot);
    tn_free(r);
}

static bool is_json(const char *content_type) {
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return strncasecmp(content_type, json, n) == 0 && strchr("; \t", content_type[n]) != NULL;
}

static void retrieve(tern_server *s, tn_request *rq) {
    /* A web page can make a browser post forms and plain text to a loopback port, JSON it cannot.
     */
    if (*rq->content_type && !is_json(rq->content_type)) {
        tn_request_fail(rq, 415, "the body must be application/json", "");
        return;
    }
    retrieval *r = tn_calloc(1, sizeof *r);
    if (!r || !tn_engine_reserve(s->engine)) {
        tn_free(r);
        tn_request_fail(rq, 503, "too many requests in flight: try again in a second", "");
        return;
    }
    r->server = s;
    r->request = rq;
    r->job.body = rq->body;
    r->job.body_len = rq->body_len;
    r->job.snapshot = get_snapshot(s);
    r->job.done = on_done;
    tn_engine_submit(s->engine, &r->job);
}

/* ---- the other routes --------------------------------------------------------------------- */

static void healthz(tern_server *s, tn_request *rq) {
    tern_index_stats stats = tern_server_index_stats(s);
    tn_buf json = {0};
    tn_buf_printf(&json,
                  "{\"status\":\"ok\",\"passages\":%llu,\"generation\":%llu,\"hash\":\"%s\","
                  "\"in_flight\":%u,\"version\":\"%s\"}",
                  (unsigned long long)stats.n_passages, (unsigned long long)stats.generation,
                  stats.hash, tn_engine_n_in_flight(s->engine), tern_version());
    tn_request_reply(rq, 200, &json, NULL, NULL);
}

static const struct {
    const char *path, *method;
    void (*fn)(tern_server *s, tn_request *rq);
} routes[] = {{"/retrieve", "POST", retrieve}, {"/healthz", "GET", healthz}};

static void handle(void *ud, tn_request *rq) {
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(rq->path, routes[i].path) != 0) continue;
        if (strcmp(rq->method, routes[i].method) == 0) {
            routes[i].fn(ud, rq);
            return;
        }
        tn_buf json = {0};
        tn_buf_printf(&json, "{\"error\":\"%s takes %s\"}", routes[i].path, routes[i].method);
        tn_request_reply(rq, 405, &json, "Allow", routes[i].method);
        return;
    }
    tn_request_fail(rq, 404, "not here: there are POST /retrieve and GET /healthz", "");
}

/* ---- the keeper --------------------------------------------------------------------------- */

/* A commit renames a file inside the folder, which moves the folder's own time. */
static struct timespec folder_time(const char *dir) {
    struct stat st;
    return stat(dir, &st) == 0 ? st.st_mtim : (struct timespec){0};
}

/* Open what is committed now and put it in place of the current state, which lives on until its
 * last request is answered. */
static bool reload(tern_server *s) {
    tn_snapshot *fresh;
    tern_error err;
    if (tn_snapshot_open(s->dir, &s->opts.search, s->n_workers, &fresh, &err) != TERN_OK) {
        say(s, TERN_LOG_WARN, "cannot reload, still serving the state before: %s", err.text);
        return false;
    }
    pthread_mutex_lock(&s->lock);
    tn_snapshot *old = s->current;
    bool changed = old->stats.generation != fresh->stats.generation;
    if (changed) s->current = fresh;
    pthread_mutex_unlock(&s->lock);
    if (changed)
        say(s, TERN_LOG_INFO, "serving generation %llu: %llu passages",
            (unsigned long long)fresh->stats.generation,
            (unsigned long long)fresh->stats.n_passages);
    tn_snapshot_unref(changed ? old : fresh);
    return true;
}

/* true when the server is closing. */
static bool wait_tick(tern_server *s) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&s->lock);
    if (!s->closing) pthread_cond_timedwait(&s->wake, &s->lock, &until);
    bool closing = s->closing;
    pthread_mutex_unlock(&s->lock);
    return closing;
}

static void *keep(void *ud) {
    tern_server *s = ud;
    struct timespec seen = {0}; /* no folder's time: the first look catches a commit during start */
    uint64_t looked_ns = tn_clock_ns();
    while (!wait_tick(s)) {
        tn_door_sweep(s->door);
        uint64_t now = tn_clock_ns();
        if (!s->opts.reload || now - looked_ns < (uint64_t)RELOAD_MS * 1000000) continue;
        looked_ns = now;
        struct timespec t = folder_time(s->dir);
        if (t.tv_sec == seen.tv_sec && t.tv_nsec == seen.tv_nsec) continue;
        if (reload(s)) seen = t;
    }
    return NULL;
}

/* ---- start and stop ----------------------------------------------------------------------- */

static tern_status check_opts(const tern_server_opts *o, tern_error *err) {
    if (!o->host || !*o->host)
        return tern_fail(err, TERN_ERR_ARG, 0, "the address to listen on is empty");
    if (o->topk < 1 || o->topk > o->topk_max || o->topk_max > 1000000)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "top-k is %u with a maximum of %u: it must be 1 to the maximum", o->topk,
                         o->topk_max);
    if (!o->n_in_flight || !o->n_connections || !o->body_max_bytes || !o->client_timeout_ms ||
        o->body_max_bytes > SIZE_MAX / BODIES_HELD)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the limits of requests in flight, connections, body size and client time "
                         "must be at least 1");
    return TERN_OK;
}

static tern_status start_parts(tern_server *s, tern_error *err) {
    const tern_server_opts *o = &s->opts;
    tern_status st = tn_snapshot_open(s->dir, &o->search, s->n_workers, &s->current, err);
    if (st != TERN_OK) return st;
    tn_engine_opts engine = {.search = o->search,
                             .n_workers = s->n_workers,
                             .n_in_flight = o->n_in_flight,
                             .topk = o->topk,
                             .topk_max = o->topk_max,
                             .reply_max_bytes = o->reply_max_bytes};
    st = tn_engine_new(&engine, &s->engine, err);
    if (st != TERN_OK) return st;
    tn_door_opts door = {.host = o->host,
                         .port = o->port,
                         .n_connections = o->n_connections,
                         .body_max_bytes = o->body_max_bytes,
                         .buffered_max_bytes = o->body_max_bytes * BODIES_HELD,
                         .client_timeout_ms = o->client_timeout_ms,
                         .handle = handle,
                         .ud = s};
    st = tn_door_open(&door, &s->door, err);
    if (st != TERN_OK) return st;
    int rc = pthread_create(&s->keeper, NULL, keep, s);
    if (rc) return tern_fail(err, TERN_ERR_IO, rc, "cannot start a thread: %s", strerror(rc));
    s->has_keeper = true;
    return TERN_OK;
}

tern_status tern_server_start(const char *dir, const tern_server_opts *opts, const tern_host *host,
                              tern_server **out, tern_error *err) {
    *out = NULL;
    tern_server_opts o = opts ? *opts : tern_server_defaults();
    tern_status st = check_opts(&o, err);
    if (st != TERN_OK) return st;
    tern_server *s = tn_calloc(1, sizeof *s);
    if (s) s->dir = tn_strdup(dir);
    if (!s || !s->dir) {
        tn_free(s);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a server");
    }
    s->opts = o;
    if (host) s->host = *host;
    s->n_workers = s->host.n_threads > 0 ? s->host.n_threads : tn_cpu_count();
    if (s->n_workers > N_WORKERS_MAX) s->n_workers = N_WORKERS_MAX;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->log_lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    st = start_parts(s, err);
    if (st != TERN_OK) {
        tern_server_stop(s);
        return st;
    }
    if (!tn_door_is_loopback(s->door))
        say(s, TERN_LOG_WARN, "listening on %s: whoever reaches port %u can read the index", o.host,
            tn_door_port(s->door));
    *out = s;
    return TERN_OK;
}

uint16_t tern_server_port(const tern_server *s) {
    return tn_door_port(s->door);
}

tern_index_stats tern_server_index_stats(tern_server *s) {
    tn_snapshot *snapshot = get_snapshot(s);
    tern_index_stats stats = snapshot->stats;
    tn_snapshot_unref(snapshot);
    return stats;
}

static void await_requests(tern_server *s, uint32_t ms) {
    uint64_t end = tn_clock_ns() + (uint64_t)ms * 1000000;
    while (tn_door_n_requests(s->door) && tn_clock_ns() < end) tn_sleep_ms(5);
}

void tern_server_stop(tern_server *s) {
    if (!s) return;
    if (s->has_keeper) {
        pthread_mutex_lock(&s->lock);
        s->closing = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->keeper, NULL);
    }
    if (s->door) {
        tn_door_shut(s->door);
        await_requests(s, s->opts.grace_ms);
    }
    tn_engine_free(s->engine); /* answers what is left */
    if (s->door) await_requests(s, LAST_WORDS_MS);
    tn_door_close(s->door);
    tn_snapshot_unref(s->current);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->log_lock);
    pthread_mutex_destroy(&s->lock);
    tn_free(s->dir);
    tn_free(s);
}
