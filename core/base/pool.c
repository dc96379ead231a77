/* pool.c - see pool.h.
 * Lock order: `turn` (one job at a time) before `lock` (the job's fields). Workers sleep on
 * `wake` until `job_id` moves; the caller sleeps on `done` until no worker is inside the job. A
 * worker that wakes late finds `next` past the end and leaves without touching the caller's data.
 */
#include "core/base/pool.h"
#include "core/base/mem.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

struct tn_pool {
    pthread_mutex_t turn;

    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    uint64_t job_id; /* guarded by lock, like all below except next */
    bool quit;
    int n_inside;
    tn_pool_fn *fn;
    void *arg;
    size_t n, grain;
    atomic_size_t next; /* first index not yet claimed */

    int n_workers; /* threads besides the caller */
    struct worker {
        tn_pool *pool;
        pthread_t thread;
        int number; /* 1..n_workers; the caller is 0 */
    } workers[];
};

static _Thread_local bool inside_a_job;

int tn_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        if (n > 0) return n;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static void claim_chunks(tn_pool *p, tn_pool_fn *fn, void *arg, size_t n, size_t grain,
                         int worker) {
    inside_a_job = true;
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&p->next, grain, memory_order_relaxed);
        if (begin >= n) break;
        fn(arg, begin, n - begin < grain ? n : begin + grain, worker);
    }
    inside_a_job = false;
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    tn_pool *p = w->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->quit && p->job_id == seen) pthread_cond_wait(&p->wake, &p->lock);
        if (p->quit) break;
        seen = p->job_id;
        if (!p->fn) continue; /* the job ended before this worker woke */
        p->n_inside++;
        tn_pool_fn *fn = p->fn;
        void *job_arg = p->arg;
        size_t n = p->n, grain = p->grain;
        pthread_mutex_unlock(&p->lock);
        claim_chunks(p, fn, job_arg, n, grain, w->number);
        pthread_mutex_lock(&p->lock);
        if (--p->n_inside == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

tern_status tn_pool_new(int n_threads, tn_pool **out, tern_error *err) {
    *out = NULL;
    if (n_threads < 0 || n_threads > 4096)
        return tern_fail(err, TERN_ERR_ARG, 0, "threads: %d is not in 0..4096", n_threads);
    if (n_threads == 0) n_threads = tn_cpu_count();
    tn_pool *p = tn_calloc(1, sizeof *p + (size_t)(n_threads - 1) * sizeof(struct worker));
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    pthread_mutex_init(&p->turn, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 0; i < n_threads - 1; i++) {
        struct worker *w = &p->workers[i];
        *w = (struct worker){.pool = p, .number = i + 1};
        int rc = pthread_create(&w->thread, NULL, worker_main, w);
        if (rc != 0) {
            tn_pool_free(p);
            return tern_fail(err, TERN_ERR_NOMEM, rc, "cannot start worker thread %d", i + 1);
        }
        p->n_workers = i + 1;
    }
    *out = p;
    return TERN_OK;
}

void tn_pool_free(tn_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->quit = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_workers; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->turn);
    tn_free(p);
}

int tn_pool_n_threads(const tn_pool *p) {
    return p ? p->n_workers + 1 : 1;
}

void tn_pool_for(tn_pool *p, size_t n, size_t grain, tn_pool_fn *fn, void *arg) {
    if (n == 0) return;
    if (grain == 0) grain = 1;
    if (!p || p->n_workers == 0 || n <= grain || inside_a_job) {
        for (size_t b = 0; b < n; b += grain) fn(arg, b, n - b < grain ? n : b + grain, 0);
        return;
    }
    pthread_mutex_lock(&p->turn);
    pthread_mutex_lock(&p->lock);
    p->fn = fn, p->arg = arg, p->n = n, p->grain = grain;
    atomic_store(&p->next, 0);
    p->job_id++;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);

    claim_chunks(p, fn, arg, n, grain, 0);

    pthread_mutex_lock(&p->lock);
    p->fn = NULL; /* late workers must not enter */
    while (p->n_inside > 0) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_unlock(&p->turn);
}
