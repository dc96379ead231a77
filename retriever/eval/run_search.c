/* run_search.c - a run from an index: every question searched, many at a time. Each question writes
 * its own slot and the run is put together in question order, so threads never show. */
#include "core/base/pool.h"
#include "retriever/eval/eval_priv.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct slot {
    tern_hit *hits; /* [n]; of documents: the best passage of each */
    size_t n;
} slot;

typedef struct job {
    const tern_index *ix;
    const tern_questions *questions;
    const tern_search_opts *opts;
    size_t depth;
    bool documents;
    const tern_host *host;
    tern_searcher **searchers; /* per worker, made at its first question */
    slot *slots;
    pthread_mutex_t lock; /* guards what stands below, and calls into the host */
    size_t n_done;
    tern_status status;
    tern_error err;
    atomic_bool stop;
} job;

tern_status tern_qrels_match_index(const tern_qrels *qrels, const tern_index *ix,
                                   tern_qrels_match *out, tern_error *err) {
    *out = (tern_qrels_match){0};
    for (uint32_t i = 0; i < tern_qrels_n_docs(qrels); i++) {
        const char *doc = tern_qrels_doc(qrels, i);
        uint32_t ref;
        tern_passage p;
        tern_status status = tern_index_find(ix, doc, &ref, err);
        if (status == TERN_ERR_NOT_FOUND) {
            if (!out->n_missing++) out->first_missing = doc;
            continue;
        }
        if (status == TERN_OK) status = tern_index_passage(ix, ref, &p, err);
        if (status != TERN_OK) return status;
        if (strcmp(p.id, doc) != 0) out->documents = true;
    }
    return TERN_OK;
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while searching the questions");
}

/* Keep the first, best, passage of each document. */
static tern_status first_of_each_document(const tern_index *ix, slot *s, tern_error *err) {
    tn_strmap seen = {0};
    size_t n = 0;
    tern_status status = TERN_OK;
    for (size_t i = 0; i < s->n && status == TERN_OK; i++) {
        tern_passage p;
        status = tern_index_passage(ix, s->hits[i].ref, &p, err);
        if (status != TERN_OK) break;
        uint32_t n_before = seen.n;
        if (tn_strmap_add(&seen, p.doc_id, strlen(p.doc_id)) == TN_STRMAP_NONE)
            status = no_memory(err);
        else if (seen.n > n_before)
            s->hits[n++] = s->hits[i];
    }
    tn_strmap_deinit(&seen);
    s->n = n;
    return status;
}

char *tn_question_as_query(const char *text) {
    char *copy = tn_strdup(text);
    for (char *c = copy; c && *c; c++) {
        bool is_curly = strncmp(c, "\xE2\x80", 2) == 0 && (c[2] == '\x9C' || c[2] == '\x9D');
        if (is_curly) memcpy(c, "   ", 3);
        if (*c == '"') *c = ' ';
    }
    return copy;
}

/* Passages are asked for until enough documents are among them or none are left. */
static tern_status search_text(job *j, tern_searcher *searcher, const char *text, slot *s,
                               tern_error *err) {
    size_t n_refs = tern_index_n_refs(j->ix);
    tern_search_opts opts = *j->opts;
    opts.k = j->depth;
    for (;;) {
        if (opts.k > n_refs) opts.k = n_refs ? n_refs : 1;
        tern_hit *hits = tn_realloc(s->hits, opts.k, sizeof *hits);
        if (!hits) return no_memory(err);
        s->hits = hits;
        tern_status status = tern_search(searcher, text, strlen(text), &opts, hits, &s->n, err);
        if (status != TERN_OK || !j->documents) return status;
        bool exhausted = s->n < opts.k || opts.k >= n_refs;
        status = first_of_each_document(j->ix, s, err);
        if (s->n > j->depth) s->n = j->depth;
        if (status != TERN_OK || s->n == j->depth || exhausted) return status;
        opts.k *= 2;
    }
}

static tern_status search_one(job *j, tern_searcher *searcher, const tern_question *q, slot *s,
                              tern_error *err) {
    char *text = tn_question_as_query(q->text);
    if (!text) return no_memory(err);
    tern_status status = search_text(j, searcher, text, s, err);
    tn_free(text);
    return status;
}

static void give_up(job *j, tern_status status, const tern_error *err) {
    pthread_mutex_lock(&j->lock);
    if (j->status == TERN_OK) {
        j->status = status;
        if (err) j->err = *err;
    }
    pthread_mutex_unlock(&j->lock);
    atomic_store(&j->stop, true);
}

static void report(job *j) {
    pthread_mutex_lock(&j->lock);
    j->n_done++;
    const tern_host *h = j->host;
    tern_progress p = {"searching", "questions", j->n_done, j->questions->n};
    if (h && h->progress) h->progress(h->ud, &p);
    bool cancelled = h && h->cancelled && h->cancelled(h->ud);
    pthread_mutex_unlock(&j->lock);
    if (!cancelled) return;
    tern_error err;
    tern_status status = tern_fail(&err, TERN_ERR_CANCELLED, 0, "interrupted");
    give_up(j, status, &err);
}

static void search_range(void *arg, size_t begin, size_t end, int worker) {
    job *j = arg;
    tern_error err = {0};
    for (size_t i = begin; i < end && !atomic_load(&j->stop); i++) {
        tern_status status = TERN_OK;
        if (!j->searchers[worker]) status = tern_searcher_new(j->ix, &j->searchers[worker], &err);
        if (status == TERN_OK)
            status =
                search_one(j, j->searchers[worker], &j->questions->items[i], &j->slots[i], &err);
        if (status != TERN_OK)
            give_up(j, status, &err);
        else
            report(j);
    }
}

static tern_status collect(const job *j, tern_run *run, tern_error *err) {
    for (size_t i = 0; i < j->questions->n; i++) {
        const char *query = j->questions->items[i].id;
        tern_status status = tern_run_add_query(run, query, err);
        for (size_t h = 0; h < j->slots[i].n && status == TERN_OK; h++) {
            tern_passage p;
            status = tern_index_passage(j->ix, j->slots[i].hits[h].ref, &p, err);
            if (status == TERN_OK)
                status = tern_run_add(run, query, j->documents ? p.doc_id : p.id,
                                      (double)j->slots[i].hits[h].score, err);
        }
        if (status != TERN_OK) return status;
    }
    return TERN_OK;
}

static tern_status run_job(job *j, tern_run *run, tern_error *err) {
    tn_pool *pool;
    tern_status status = tn_pool_new(j->host ? j->host->n_threads : 1, &pool, err);
    if (status != TERN_OK) return status;
    int n_workers = tn_pool_n_threads(pool);
    j->searchers = tn_calloc((size_t)n_workers, sizeof *j->searchers);
    j->slots = tn_calloc(j->questions->n, sizeof *j->slots);
    if (j->searchers && j->slots) {
        tn_pool_for(pool, j->questions->n, 4, search_range, j);
        status = j->status;
        if (status != TERN_OK && err) *err = j->err;
        if (status == TERN_OK) status = collect(j, run, err);
    } else {
        status = no_memory(err);
    }
    for (int w = 0; w < n_workers && j->searchers; w++) tern_searcher_free(j->searchers[w]);
    for (size_t i = 0; i < j->questions->n && j->slots; i++) tn_free(j->slots[i].hits);
    tn_free(j->searchers);
    tn_free(j->slots);
    tn_pool_free(pool);
    return status;
}

tern_status tern_run_search(const tern_index *ix, const tern_questions *questions, bool documents,
                            const tern_search_opts *opts, size_t depth, const tern_host *host,
                            tern_run **out, tern_error *err) {
    if (depth == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "a run needs at least 1 result a question");
    tern_search_opts defaults = tern_search_defaults();
    job j = {.ix = ix,
             .questions = questions,
             .opts = opts ? opts : &defaults,
             .depth = depth,
             .documents = documents,
             .host = host};
    tern_run *run;
    tern_status status = tern_run_new(&run, err);
    if (status != TERN_OK) return status;
    pthread_mutex_init(&j.lock, NULL);
    status = run_job(&j, run, err);
    pthread_mutex_destroy(&j.lock);
    if (status != TERN_OK) {
        tern_run_free(run);
        return status;
    }
    *out = run;
    return TERN_OK;
}
