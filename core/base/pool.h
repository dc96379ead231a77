/* pool.h - the one owner of the cores.
 * Work is cut by size (n and grain), never by thread count; callers combine partial results in
 * chunk order, so results have the same bits with 1 thread or 16. Chunks are claimed in order. */
#ifndef TN_POOL_H
#define TN_POOL_H
#include "tern/status.h"
#include <stddef.h>

typedef struct tn_pool tn_pool;

/* One chunk [begin, end) of the index range; chunk number is begin / grain. `worker` is in
 * [0, n_threads): use it to pick per-worker scratch, never to choose a result. */
typedef void tn_pool_fn(void *arg, size_t begin, size_t end, int worker);

/* n_threads counts the calling thread; 0 means one per core of the affinity mask. */
TERN_MUST_USE tern_status tn_pool_new(int n_threads, tn_pool **out, tern_error *err);
void tn_pool_free(tn_pool *p);           /* NULL allowed; joins the workers */
int tn_pool_n_threads(const tn_pool *p); /* 1 for NULL */
int tn_cpu_count(void);                  /* cores this process may use, >= 1 */

/* Run fn over [0, n) in chunks of `grain`, on the workers and the calling thread; returns when all
 * are done. NULL pool, a single chunk, or a call from inside a worker runs inline in chunk order.
 * One tn_pool_for at a time per pool; a second caller waits. */
void tn_pool_for(tn_pool *p, size_t n, size_t grain, tn_pool_fn *fn, void *arg);

#endif
