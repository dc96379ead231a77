/* host.h - what a long call may say to its caller and ask of it.
 * The library never prints, never exits and never looks at signals: logging, progress and
 * cancellation go through this table. Every callback may be NULL; a NULL tern_host is silent, is
 * never cancelled and runs on one thread. Callbacks are called from one thread at a time. */
#ifndef TERN_HOST_H
#define TERN_HOST_H
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tern_log_level {
    TERN_LOG_DEBUG,
    TERN_LOG_INFO,
    TERN_LOG_WARN,
    TERN_LOG_ERROR
} tern_log_level;

typedef struct tern_progress {
    const char *what; /* "indexing", "fitting embedder", ... */
    const char *unit; /* "passages", "bytes", "questions" */
    uint64_t done;
    uint64_t total; /* 0 if unknown */
} tern_progress;

typedef struct tern_host {
    void (*log)(void *ud, tern_log_level level, const char *text);
    void (*progress)(void *ud, const tern_progress *progress); /* may be called often: rate-limit */
    bool (*cancelled)(void *ud); /* true: stop soon, keep what is committed, return CANCELLED */
    void *ud;
    int n_threads; /* worker threads a call may use; 0 means one per core. Never changes results */
} tern_host;

#ifdef __cplusplus
}
#endif
#endif
