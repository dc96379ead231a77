/* engine.c - see engine.h. One lock guards the queue and the bookkeeping of every job; it is never
 * held while parsing, searching or writing. */
#include "serve/engine.h"
#include <pthread.h>
#include <string.h>

#include "core/base/mem.h"

enum { CHUNK = 8 }; /* queries between two visits to the queue: about 0.3 ms of BM25 */

typedef struct worker {
    tn_engine *engine;
    int number;
    pthread_t thread;
    tern_hit *hits; /* [topk_max] */
} worker;

struct tn_engine {
    tn_engine_opts opts;
    pthread_mutex_t lock;
    pthread_cond_t work;
    tn_job *head, **tail; /* jobs with chunks left to claim */
    uint32_t n_in_flight;
    bool closing;
    worker *workers;
    int n_started;
};

/* ---- the work, outside the lock ----------------------------------------------------------- */

static tern_status parse(const tn_engine *e, tn_job *job, tern_error *err) {
    tern_status st = tn_retrieve_parse(job->body, job->body_len, e->opts.topk, e->opts.topk_max,
                                       &job->request, &job->field, err);
    if (st != TERN_OK) return st;
    job->lists = tn_calloc(job->request.queries.n, sizeof *job->lists);
    return job->lists ? TERN_OK
                      : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %u queries",
                                  job->request.queries.n);
}

static tern_status run_query(worker *w, const tn_job *job, size_t q, tern_error *err) {
    tn_buf *out = &job->lists[q];
    const struct tn_strmap_key *query = &job->request.queries.keys[q];
    tern_search_opts opts = w->engine->opts.search;
    size_t n_hits = 0;
    opts.k = job->request.topk;
    opts.relax_phrases = true;
    tern_status st = tern_search(job->snapshot->searchers[w->number], query->s, query->len, &opts,
                                 w->hits, &n_hits, err);
    tn_buf_char(out, '[');
    for (size_t i = 0; i < n_hits && st == TERN_OK; i++) {
        tern_passage p;
        st = tern_index_passage(job->snapshot->ix, w->hits[i].ref, &p, err);
        if (st != TERN_OK) break;
        if (i) tn_buf_char(out, ',');
        tn_retrieve_add_item(&p, w->hits[i].score, job->request.scores, out);
    }
    tn_buf_char(out, ']');
    return st == TERN_OK ? tn_buf_status(out, err) : st;
}

static tern_status too_long(const tn_engine *e, tn_job *job, tern_error *err) {
    job->field = "queries";
    return tern_fail(err, TERN_ERR_LIMIT, 0,
                     "queries: the answer would be longer than %zu bytes: ask for less at a time",
                     e->opts.reply_max_bytes);
}

/* Equal queries share a list, so the answer can be far longer than what was computed. */
static tern_status join_lists(const tn_engine *e, tn_job *job) {
    const tn_retrieve *r = &job->request;
    size_t n_bytes = 0;
    for (size_t i = 0; i < r->n_slots; i++) {
        n_bytes += job->lists[r->slot[i]].len + 1;
        if (n_bytes > e->opts.reply_max_bytes) return too_long(e, job, &job->error);
    }
    tn_retrieve_add_answer(r, job->lists, &job->answer);
    return tn_buf_status(&job->answer, &job->error);
}

static int http_status_of(tern_status st) {
    switch (st) {
    case TERN_OK:
        return 200;
    case TERN_ERR_FORMAT:
    case TERN_ERR_LIMIT:
        return 422;
    case TERN_ERR_NOMEM:
    case TERN_ERR_CANCELLED:
        return 503;
    default:
        return 500;
    }
}

static void write_answer(const tn_engine *e, tn_job *job) {
    if (job->status == TERN_OK) job->status = join_lists(e, job);
    if (job->status != TERN_OK) tn_buf_deinit(&job->answer);
    job->http_status = http_status_of(job->status);
    if (!job->field) job->field = "";
    /* The parts are not needed while the answer travels. */
    for (size_t i = 0; job->lists && i < job->request.queries.n; i++) tn_buf_deinit(&job->lists[i]);
    tn_free(job->lists);
    job->lists = NULL;
    tn_retrieve_deinit(&job->request);
}

/* ---- the queue, under the lock ------------------------------------------------------------ */

static void push(tn_engine *e, tn_job *job) {
    job->behind = NULL;
    *e->tail = job;
    e->tail = &job->behind;
    pthread_cond_signal(&e->work);
}

static tn_job *pop(tn_engine *e) {
    tn_job *job = e->head;
    e->head = job->behind;
    if (!e->head) e->tail = &e->head;
    return job;
}

static void set_failed(tn_job *job, tern_status st, const tern_error *err) {
    if (job->status != TERN_OK) return;
    job->status = st;
    job->error = *err;
}

static void close_job(tn_job *job) {
    tern_error err;
    tern_fail(&err, TERN_ERR_CANCELLED, 0, "the server is stopping");
    set_failed(job, TERN_ERR_CANCELLED, &err);
}

static void finish(tn_engine *e, tn_job *job) {
    pthread_mutex_unlock(&e->lock);
    write_answer(e, job);
    pthread_mutex_lock(&e->lock);
    e->n_in_flight--;
    pthread_mutex_unlock(&e->lock);
    job->done(job); /* the job may be gone after this */
    pthread_mutex_lock(&e->lock);
}

/* First visit: find out what is asked. */
static void first_visit(tn_engine *e, tn_job *job) {
    tern_error err = {0};
    pthread_mutex_unlock(&e->lock);
    tern_status st = parse(e, job, &err);
    pthread_mutex_lock(&e->lock);
    if (st != TERN_OK) set_failed(job, st, &err);
    job->parsed = true;
    job->n_left = st == TERN_OK ? job->request.queries.n : 0;
}

/* Claim the next chunk, offer the rest to the others, work, report. */
static void visit(tn_engine *e, worker *w, tn_job *job) {
    if (!job->parsed) first_visit(e, job);
    size_t n_queries = job->request.queries.n, begin = job->next;
    if (job->n_left == 0) {
        finish(e, job);
        return;
    }
    size_t end = n_queries - begin < CHUNK ? n_queries : begin + CHUNK, n_bytes = 0;
    job->next = end;
    if (end < n_queries) push(e, job);
    if (e->closing) close_job(job);
    bool skip = job->status != TERN_OK;
    pthread_mutex_unlock(&e->lock);
    tern_error err = {0};
    tern_status st = TERN_OK;
    for (size_t q = begin; q < end && !skip && st == TERN_OK; q++) {
        st = run_query(w, job, q, &err);
        n_bytes += job->lists[q].len;
    }
    pthread_mutex_lock(&e->lock);
    job->n_bytes += n_bytes;
    if (st == TERN_OK && job->n_bytes > e->opts.reply_max_bytes) st = too_long(e, job, &err);
    if (st != TERN_OK) set_failed(job, st, &err);
    job->n_left -= end - begin;
    if (job->n_left == 0) finish(e, job);
}

static void *work(void *ud) {
    worker *w = ud;
    tn_engine *e = w->engine;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        while (!e->head && !e->closing) pthread_cond_wait(&e->work, &e->lock);
        if (!e->head) break;
        visit(e, w, pop(e));
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

tern_status tn_engine_new(const tn_engine_opts *opts, tn_engine **out, tern_error *err) {
    *out = NULL;
    tn_engine *e = tn_calloc(1, sizeof *e);
    if (!e) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the request queue");
    e->opts = *opts;
    e->tail = &e->head;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    e->workers = tn_calloc((size_t)opts->n_workers, sizeof *e->workers);
    tern_status st = TERN_OK;
    for (int i = 0; i < opts->n_workers && e->workers && st == TERN_OK; i++) {
        worker *w = &e->workers[i];
        *w = (worker){.engine = e, .number = i};
        w->hits = tn_calloc(opts->topk_max, sizeof *w->hits);
        int rc = w->hits ? pthread_create(&w->thread, NULL, work, w) : 0;
        if (!w->hits)
            st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a worker");
        else if (rc)
            st = tern_fail(err, TERN_ERR_IO, rc, "cannot start a thread: %s", strerror(rc));
        else
            e->n_started++;
        if (st != TERN_OK) tn_free(w->hits);
    }
    if (!e->workers) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the workers");
    if (st == TERN_OK)
        *out = e;
    else
        tn_engine_free(e);
    return st;
}

bool tn_engine_reserve(tn_engine *e) {
    pthread_mutex_lock(&e->lock);
    bool room = !e->closing && e->n_in_flight < e->opts.n_in_flight;
    if (room) e->n_in_flight++;
    pthread_mutex_unlock(&e->lock);
    return room;
}

void tn_engine_submit(tn_engine *e, tn_job *job) {
    pthread_mutex_lock(&e->lock);
    push(e, job);
    pthread_mutex_unlock(&e->lock);
}

uint32_t tn_engine_n_in_flight(tn_engine *e) {
    pthread_mutex_lock(&e->lock);
    uint32_t n = e->n_in_flight;
    pthread_mutex_unlock(&e->lock);
    return n;
}

void tn_engine_free(tn_engine *e) {
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->closing = true;
    pthread_cond_broadcast(&e->work);
    pthread_mutex_unlock(&e->lock);
    for (int i = 0; i < e->n_started; i++) {
        pthread_join(e->workers[i].thread, NULL);
        tn_free(e->workers[i].hits);
    }
    tn_free(e->workers);
    pthread_cond_destroy(&e->work);
    pthread_mutex_destroy(&e->lock);
    tn_free(e);
}
