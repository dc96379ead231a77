/* fake_server.h - a scripted HTTP server on 127.0.0.1 for tests, and a fault injector: the script
 * gets the bare socket of each request and may answer, dawdle, babble or hang up. */
#ifndef TN_FAKE_SERVER_H
#define TN_FAKE_SERVER_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* n counts requests from 0; request is NUL-terminated, headers and body. */
typedef void fake_script(int fd, int n, const char *request);

typedef struct fake_server {
    int listener, port;
    char url[64]; /* http://127.0.0.1:PORT */
    fake_script *script;
    pthread_t thread;
    atomic_int n_requests;
    pthread_mutex_t lock;              /* guards last */
    char last[1 << 16], seen[1 << 16]; /* read them through fake_request */
} fake_server;

/* false once the client is gone. */
static inline bool fake_send(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
        if (k <= 0) return false;
        data += k, n -= (size_t)k;
    }
    return true;
}

static inline bool fake_say(int fd, const char *text) {
    return fake_send(fd, text, strlen(text));
}

/* A complete answer of the given status and type. */
static inline void fake_answer(int fd, const char *status, const char *type, const char *body) {
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             status, type, strlen(body));
    if (fake_say(fd, head)) fake_say(fd, body);
}

/* Wait until the client hangs up, at most 10 s. */
static inline void fake_hang(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char drop[512];
    while (poll(&p, 1, 10000) == 1 && recv(fd, drop, sizeof drop, 0) > 0) {
    }
}

static inline void fake_read_request(int fd, char *out, size_t size) {
    size_t n = 0, want = size - 1;
    while (n < want) {
        ssize_t k = recv(fd, out + n, want - n, 0);
        if (k <= 0) break;
        n += (size_t)k;
        out[n] = '\0';
        char *end = strstr(out, "\r\n\r\n");
        char *length = strcasestr(out, "\r\nContent-Length:");
        if (!end) continue;
        size_t total = (size_t)(end + 4 - out) + (length ? strtoul(length + 17, NULL, 10) : 0);
        if (n >= total) break;
        if (total < want) want = total;
    }
    out[n] = '\0';
}

static inline void *fake_loop(void *ud) {
    fake_server *f = ud;
    static _Thread_local char request[1 << 16];
    for (;;) {
        int fd = accept(f->listener, NULL, NULL);
        if (fd < 0) return NULL;
        request[0] = '\0';
        fake_read_request(fd, request, sizeof request);
        pthread_mutex_lock(&f->lock);
        memcpy(f->last, request, sizeof request);
        pthread_mutex_unlock(&f->lock);
        if (request[0]) f->script(fd, atomic_fetch_add(&f->n_requests, 1), request);
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

static inline fake_server *fake_start(fake_script *script) {
    fake_server *f = calloc(1, sizeof *f);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    if (!f) abort();
    f->script = script;
    pthread_mutex_init(&f->lock, NULL);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->listener < 0 || bind(f->listener, (void *)&a, sizeof a) != 0 ||
        listen(f->listener, 16) != 0 || getsockname(f->listener, (void *)&a, &size) != 0 ||
        pthread_create(&f->thread, NULL, fake_loop, f) != 0)
        abort();
    f->port = ntohs(a.sin_port);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", f->port);
    return f;
}

/* The last request, once the client's call has returned; valid until the next fake_request. */
static inline const char *fake_request(fake_server *f) {
    pthread_mutex_lock(&f->lock);
    memcpy(f->seen, f->last, sizeof f->seen);
    pthread_mutex_unlock(&f->lock);
    return f->seen;
}

static inline void fake_stop(fake_server *f) {
    shutdown(f->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(f->thread, NULL);
    close(f->listener);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

#endif
