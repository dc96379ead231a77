/* engine.h - a bounded queue of retrieval requests and the threads that work on them.
 * A request's distinct queries are cut into chunks of a fixed size, and after each chunk the
 * request goes to the back of the queue: a batch of thousands uses every worker and still lets a
 * single query through. Answers do not depend on the number of workers. */
#ifndef TN_ENGINE_H
#define TN_ENGINE_H
#include "serve/retrieve.h"
#include "serve/snapshot.h"

typedef struct tn_engine tn_engine;

typedef struct tn_job {
    /* set by the submitter */
    const char *body; /* [body_len] borrowed until done */
    size_t body_len;
    tn_snapshot *snapshot;            /* borrowed until done */
    void (*done)(struct tn_job *job); /* called once, on a worker */
    void *ud;
    /* when done */
    int http_status;
    tn_buf answer;     /* of a 200; the receiver takes or frees it */
    tern_error error;  /* of any other status */
    const char *field; /* the member of the request at fault, or "" */
    /* the engine's own, under its lock */
    tn_retrieve request;
    tn_buf *lists;
    bool parsed;
    size_t next, n_left, n_bytes;
    tern_status status;
    struct tn_job *behind;
} tn_job;

typedef struct tn_engine_opts {
    tern_search_opts search;
    int n_workers;
    uint32_t n_in_flight, topk, topk_max;
    size_t reply_max_bytes;
} tn_engine_opts;

TERN_MUST_USE tern_status tn_engine_new(const tn_engine_opts *opts, tn_engine **out,
                                        tern_error *err);
/* A place for one request, to be used by tn_engine_submit; false when all are taken. */
bool tn_engine_reserve(tn_engine *e);
void tn_engine_submit(tn_engine *e, tn_job *job);
uint32_t tn_engine_n_in_flight(tn_engine *e);
/* Answer 503 to what has not been finished, wait for the workers to end, free. Every job submitted
 * has been reported done when this returns. NULL allowed. */
void tn_engine_free(tn_engine *e);

#endif
