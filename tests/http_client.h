/* http_client.h - a bare HTTP client for tests: it sends exactly the bytes it is told to. */
#ifndef TN_HTTP_CLIENT_H
#define TN_HTTP_CLIENT_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int client_connect(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (void *)&a, sizeof a) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static inline int client_send(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t k = send(fd, data, n, MSG_NOSIGNAL);
        if (k <= 0) return -1;
        data += k, n -= (size_t)k;
    }
    return 0;
}

/* Read one answer: headers and as much body as they announce. The caller frees the text with
 * free; NULL when the connection ended before, or after 20 s. */
static inline char *client_read(int fd) {
    size_t n = 0, cap = 1 << 16;
    char *s = (malloc)(cap);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (n + 1 == cap) s = (realloc)(s, cap *= 2);
        ssize_t k = s && poll(&p, 1, 20000) == 1 ? recv(fd, s + n, cap - 1 - n, 0) : -1;
        if (k <= 0) break;
        n += (size_t)k;
        s[n] = '\0';
        char *end = strstr(s, "\r\n\r\n"), *length = strcasestr(s, "\r\nContent-Length:");
        if (!end || !length) continue;
        if (n >= (size_t)(end + 4 - s) + strtoul(length + 17, NULL, 10)) return s;
    }
    free(s);
    return NULL;
}

static inline int client_status(const char *answer) {
    return answer ? atoi(answer + 9) : 0;
}

static inline const char *client_body(const char *answer) {
    const char *end = answer ? strstr(answer, "\r\n\r\n") : NULL;
    return end ? end + 4 : "";
}

/* One whole exchange on an open connection. */
static inline char *client_post(int fd, const char *path, const char *type, const char *body) {
    size_t size = strlen(body) + 512;
    char *s = (malloc)(size);
    if (!s) return NULL;
    int n = snprintf(s, size, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
                     path, type ? "Content-Type: " : "", type ? type : "", type ? "\r\n" : "",
                     strlen(body), body);
    int sent = client_send(fd, s, (size_t)n);
    free(s);
    return sent == 0 ? client_read(fd) : NULL;
}

#endif
