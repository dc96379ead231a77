/* status.h - how every tern function says what happened.
 * A function returns a tern_status; results go through out-parameters. Where the reason is worth
 * reading, the last parameter is a caller-owned tern_error (NULL is allowed): a plain struct, no
 * heap, no thread-local state, so it can be copied into a job record or sent to another thread. */
#ifndef TERN_STATUS_H
#define TERN_STATUS_H

#if defined(__GNUC__)
#define TERN_API          __attribute__((visibility("default")))
#define TERN_MUST_USE     __attribute__((warn_unused_result))
#define TERN_PRINTF(f, a) __attribute__((format(printf, (f), (a))))
#else
#define TERN_API
#define TERN_MUST_USE
#define TERN_PRINTF(f, a)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, value, text): values are stable, new ones are appended. */
#define TERN_STATUS_MAP(X)                                                                         \
    X(OK, 0, "ok")                                                                                 \
    X(ERR_ARG, 1, "invalid argument")                                                              \
    X(ERR_NOMEM, 2, "out of memory")                                                               \
    X(ERR_IO, 3, "input/output error")                                                             \
    X(ERR_FULL, 4, "no space left")                                                                \
    X(ERR_FORMAT, 5, "malformed input")                                                            \
    X(ERR_CORRUPT, 6, "stored data is damaged")                                                    \
    X(ERR_VERSION, 7, "unsupported format version")                                                \
    X(ERR_NOT_FOUND, 8, "not found")                                                               \
    X(ERR_EXISTS, 9, "already exists")                                                             \
    X(ERR_LOCKED, 10, "locked by another process")                                                 \
    X(ERR_REMOTE, 11, "remote service failed")                                                     \
    X(ERR_TIMEOUT, 12, "timed out")                                                                \
    X(ERR_CANCELLED, 13, "cancelled")                                                              \
    X(ERR_LIMIT, 14, "limit exceeded")                                                             \
    X(ERR_UNSUPPORTED, 15, "not supported")                                                        \
    X(ERR_SHAPE, 16, "shapes do not fit")

typedef enum tern_status {
#define TERN_STATUS_ENUM_(name, value, text) TERN_##name = value,
    TERN_STATUS_MAP(TERN_STATUS_ENUM_)
#undef TERN_STATUS_ENUM_
} tern_status;

typedef struct tern_error {
    tern_status status; /* same as the returned status */
    int os_code;        /* errno, an HTTP status or a library's code; 0 if none */
    char text[496];     /* one line, UTF-8: what, where, what to do */
} tern_error;

/* Static text for a status, never NULL. */
TERN_API const char *tern_status_text(tern_status status);

/* Fill *err (if not NULL) with a formatted message and return `status`, so that a failing function
 * ends in `return tern_fail(err, TERN_ERR_IO, errno, "%s: cannot read", path);`.
 * A message longer than text[] is cut. */
TERN_API tern_status tern_fail(tern_error *err, tern_status status, int os_code, const char *fmt,
                               ...) TERN_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif
#endif
