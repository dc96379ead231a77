/* door.c - see door.h. The only file that knows libmicrohttpd.
 * A connection waiting for its answer is suspended, so the network thread serves the others. The
 * library's own timeout restarts with every byte; a client that sends one byte now and then would
 * never meet it, so each connection also has a deadline, enforced by tn_door_sweep. */
#include "serve/door.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/mem.h"

typedef struct client {
    int fd;
    uint64_t deadline_ns; /* 0: none, the answer is being made or sent */
    struct client *prev, *next;
} client;

struct tn_door {
    tn_door_opts opts;
    struct MHD_Daemon *daemon;
    uint16_t port;
    bool loopback;
    atomic_uint n_requests;
    size_t n_buffered;    /* bytes of bodies held; network thread only */
    pthread_mutex_t lock; /* guards the list and the deadlines in it */
    client *clients;
};

/* OPEN until answered or suspended; whoever comes second acts. */
typedef enum exchange_state { OPEN, SUSPENDED, ANSWERED } exchange_state;

typedef struct exchange {
    tn_request request; /* first: handlers see only this */
    tn_door *door;
    struct MHD_Connection *connection;
    client *client;
    tn_buf body;
    const char *refused; /* why the body is read but not kept */
    int refused_status;
    bool handed_over;
    atomic_int state;
    int status;
    tn_buf answer;
    const char *header, *value;
} exchange;

/* ---- clients and their deadlines ---------------------------------------------------------- */

static void set_deadline(tn_door *d, client *c, bool waiting_for_client) {
    if (!c) return;
    pthread_mutex_lock(&d->lock);
    c->deadline_ns =
        waiting_for_client ? tn_clock_ns() + (uint64_t)d->opts.client_timeout_ms * 1000000 : 0;
    pthread_mutex_unlock(&d->lock);
}

static void on_connection(void *ud, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    tn_door *d = ud;
    client *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        c = info ? tn_calloc(1, sizeof *c) : NULL;
        *socket_context = c;
        if (!c) return; /* without a deadline of its own; the library's timeout remains */
        c->fd = info->connect_fd;
        set_deadline(d, c, true);
        pthread_mutex_lock(&d->lock);
        c->next = d->clients;
        if (c->next) c->next->prev = c;
        d->clients = c;
        pthread_mutex_unlock(&d->lock);
    } else if (c) { /* closed: the descriptor is still ours until we return */
        pthread_mutex_lock(&d->lock);
        if (c->prev)
            c->prev->next = c->next;
        else
            d->clients = c->next;
        if (c->next) c->next->prev = c->prev;
        pthread_mutex_unlock(&d->lock);
        tn_free(c);
        *socket_context = NULL;
    }
}

void tn_door_sweep(tn_door *d) {
    uint64_t now = tn_clock_ns();
    pthread_mutex_lock(&d->lock);
    for (client *c = d->clients; c; c = c->next) {
        if (!c->deadline_ns || now < c->deadline_ns) continue;
        shutdown(c->fd, SHUT_RDWR); /* the network thread sees it end and cleans up */
        c->deadline_ns = 0;
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- answers ------------------------------------------------------------------------------ */

void tn_request_reply(tn_request *rq, int status, tn_buf *json, const char *header,
                      const char *value) {
    exchange *x = (exchange *)rq;
    x->status = status;
    x->answer = *json;
    x->header = header;
    x->value = value;
    *json = (tn_buf){0};
    struct MHD_Connection *connection = x->connection;
    /* Unless it is suspended, the network thread still has the exchange in hand, and may free it as
     * soon as the state says so. */
    if (atomic_exchange(&x->state, ANSWERED) == SUSPENDED) MHD_resume_connection(connection);
}

void tn_request_fail(tn_request *rq, int status, const char *text, const char *field) {
    tn_buf json = {0};
    tn_buf_str(&json, "{\"error\":");
    tn_json_escape(text, strlen(text), &json);
    if (*field) {
        tn_buf_str(&json, ",\"field\":");
        tn_json_escape(field, strlen(field), &json);
    }
    tn_buf_char(&json, '}');
    bool busy = status == MHD_HTTP_SERVICE_UNAVAILABLE;
    tn_request_reply(rq, status, &json, busy ? "Retry-After" : NULL, "1");
}

static enum MHD_Result send_answer(exchange *x) {
    static char no_memory[] = "{\"error\":\"out of memory\"}";
    struct MHD_Response *r;
    if (x->answer.failed) {
        tn_buf_deinit(&x->answer);
        x->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        x->header = NULL;
        r = MHD_create_response_from_buffer(sizeof no_memory - 1, no_memory,
                                            MHD_RESPMEM_PERSISTENT);
    } else {
        r = MHD_create_response_from_buffer_with_free_callback(x->answer.len, x->answer.data,
                                                               tn_free);
        if (r) x->answer = (tn_buf){0};
    }
    if (!r) return MHD_NO;
    enum MHD_Result sent = MHD_NO;
    if (MHD_add_response_header(r, "Content-Type", "application/json") == MHD_YES &&
        (!x->header || MHD_add_response_header(r, x->header, x->value) == MHD_YES))
        sent = MHD_queue_response(x->connection, (unsigned)x->status, r);
    MHD_destroy_response(r);
    return sent;
}

/* ---- requests ----------------------------------------------------------------------------- */

static void refuse(exchange *x, int status, const char *why) {
    x->refused = why;
    x->refused_status = status;
    x->door->n_buffered -= x->body.len;
    tn_buf_deinit(&x->body);
}

static void take_body(exchange *x, const char *data, size_t n) {
    tn_door *d = x->door;
    if (x->refused) return; /* read and dropped, so that the client gets to read the answer */
    if (x->body.len + n > d->opts.body_max_bytes) {
        refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
        return;
    }
    if (d->n_buffered + n > d->opts.buffered_max_bytes) {
        refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "too much at once: try again in a second");
        return;
    }
    d->n_buffered += n;
    tn_buf_add(&x->body, data, n);
    if (!x->body.failed) return;
    d->n_buffered -= n; /* it was not added */
    refuse(x, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory: try again in a second");
}

static exchange *begin(tn_door *d, struct MHD_Connection *connection, const char *url,
                       const char *method) {
    exchange *x = tn_calloc(1, sizeof *x);
    if (!x) return NULL;
    const char *type =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->door = d;
    x->connection = connection;
    x->client = info ? info->socket_context : NULL;
    x->request.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    x->request.path = url;
    x->request.content_type = type ? type : "";
    atomic_init(&x->state, OPEN);
    atomic_fetch_add(&d->n_requests, 1);
    return x;
}

/* The length a client announces; 0 if it announces none. */
static unsigned long long announced(struct MHD_Connection *connection) {
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length ? strtoull(length, NULL, 10) : 0;
}

static enum MHD_Result hand_over(exchange *x) {
    set_deadline(x->door, x->client, false);
    x->handed_over = true;
    x->request.body = tn_buf_cstr(&x->body);
    x->request.body_len = x->body.len;
    if (x->refused)
        tn_request_fail(&x->request, x->refused_status, x->refused, "");
    else
        x->door->opts.handle(x->door->opts.ud, &x->request);
    if (atomic_load(&x->state) == ANSWERED) return send_answer(x);
    MHD_suspend_connection(x->connection);
    if (atomic_exchange(&x->state, SUSPENDED) == ANSWERED) {
        atomic_store(&x->state, ANSWERED);
        MHD_resume_connection(x->connection);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *ud, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n_data, void **context) {
    (void)version;
    tn_door *d = ud;
    exchange *x = *context;
    if (!x) {
        *context = x = begin(d, connection, url, method);
        if (!x) return MHD_NO;
        /* Far too long: not worth reading, the connection ends with the answer. */
        if (announced(connection) / 4 > d->opts.body_max_bytes) {
            refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
            return hand_over(x);
        }
        return MHD_YES;
    }
    if (*n_data) {
        take_body(x, data, *n_data);
        *n_data = 0;
        return MHD_YES;
    }
    if (!x->handed_over) return hand_over(x);
    return atomic_load(&x->state) == ANSWERED ? send_answer(x) : MHD_YES;
}

static void on_completed(void *ud, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    (void)connection, (void)code;
    tn_door *d = ud;
    exchange *x = *context;
    if (!x) return;
    /* Gone before it was sent, perhaps: see what the answering thread wrote before freeing it. */
    atomic_load(&x->state);
    set_deadline(d, x->client, true);
    d->n_buffered -= x->body.len;
    tn_buf_deinit(&x->body);
    tn_buf_deinit(&x->answer);
    tn_free(x);
    *context = NULL;
    atomic_fetch_sub(&d->n_requests, 1);
}

/* ---- listening ---------------------------------------------------------------------------- */

static bool address_is_loopback(const struct sockaddr *a) {
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static tern_status cannot_listen(tn_door *d, int os_code, tern_error *err) {
    const char *hint = os_code == EADDRINUSE      ? ": another server is there: choose another port"
                       : os_code == EACCES        ? ": choose a port from 1024 up"
                       : os_code == EADDRNOTAVAIL ? ": not an address of this machine"
                                                  : "";
    return tern_fail(err, TERN_ERR_IO, os_code, "cannot listen on %s port %u: %s%s", d->opts.host,
                     d->opts.port, strerror(os_code), hint);
}

static tern_status listen_on(tn_door *d, int *out, tern_error *err) {
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    snprintf(service, sizeof service, "%u", d->opts.port);
    int rc = getaddrinfo(d->opts.host, service, &hints, &list);
    if (rc != 0)
        return tern_fail(err, TERN_ERR_ARG, rc, "cannot listen on \"%s\": %s", d->opts.host,
                         gai_strerror(rc));
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    tern_status st = TERN_OK;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        st = cannot_listen(d, errno, err);
        if (fd >= 0) close(fd);
    } else {
        d->loopback = address_is_loopback((struct sockaddr *)&bound);
        d->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                    : ((struct sockaddr_in *)&bound)->sin_port);
        *out = fd;
    }
    freeaddrinfo(list);
    return st;
}

static void no_log(void *ud, const char *fmt, va_list ap) {
    (void)ud, (void)fmt, (void)ap;
}

tern_status tn_door_open(const tn_door_opts *opts, tn_door **out, tern_error *err) {
    *out = NULL;
    tn_door *d = tn_calloc(1, sizeof *d);
    if (!d) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a server");
    d->opts = *opts;
    pthread_mutex_init(&d->lock, NULL);
    int fd = -1;
    tern_status st = listen_on(d, &fd, err);
    if (st == TERN_OK) {
        unsigned timeout_s = (opts->client_timeout_ms + 999) / 1000;
        d->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                MHD_USE_ERROR_LOG,
            0, NULL, NULL, on_request, d, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, opts->n_connections,
            MHD_OPTION_CONNECTION_TIMEOUT, timeout_s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
            d, MHD_OPTION_NOTIFY_COMPLETED, on_completed, d, MHD_OPTION_END);
        if (!d->daemon) {
            st = tern_fail(err, TERN_ERR_IO, errno, "the HTTP server does not start: %s",
                           strerror(errno));
            close(fd);
        }
    }
    if (st == TERN_OK)
        *out = d;
    else
        tn_door_close(d);
    return st;
}

uint16_t tn_door_port(const tn_door *d) {
    return d->port;
}

bool tn_door_is_loopback(const tn_door *d) {
    return d->loopback;
}

void tn_door_shut(tn_door *d) {
    int fd = MHD_quiesce_daemon(d->daemon);
    if (fd >= 0) close(fd);
}

uint32_t tn_door_n_requests(tn_door *d) {
    return atomic_load(&d->n_requests);
}

void tn_door_close(tn_door *d) {
    if (!d) return;
    if (d->daemon) MHD_stop_daemon(d->daemon);
    pthread_mutex_destroy(&d->lock);
    tn_free(d);
}
