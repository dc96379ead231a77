/* each.c - see each.h. */
#include "core/graph/each.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

typedef struct each {
    size_t rank, n_operands;
    size_t dim[TERN_RANK_MAX], stride[TERN_RANK_MAX][TN_EACH_MAX];
    tn_each_fn *fn;
    void *ud;
} each;

/* Axis i of the result can be read as part of axis i + 1. */
static bool mergeable(const each *e, size_t outer, size_t inner) {
    for (size_t k = 0; k < e->n_operands; k++)
        if (e->stride[outer][k] != e->stride[inner][k] * e->dim[inner]) return false;
    return true;
}

static each plan(tern_tensor *const *t, size_t n_operands) {
    each e = {.n_operands = n_operands};
    const tern_tensor *y = t[0];
    for (size_t i = 0; i < y->rank; i++) {
        if (y->dim[i] == 1) continue;
        e.dim[e.rank] = y->dim[i];
        for (size_t k = 0; k < n_operands; k++) {
            size_t missing = y->rank - t[k]->rank; /* leading axes the operand lacks */
            bool stretched = i < missing || t[k]->dim[i - missing] == 1;
            e.stride[e.rank][k] = stretched ? 0 : t[k]->stride[i - missing];
        }
        if (e.rank && mergeable(&e, e.rank - 1, e.rank)) {
            e.dim[e.rank - 1] *= e.dim[e.rank];
            memcpy(e.stride[e.rank - 1], e.stride[e.rank], sizeof e.stride[0]);
        } else {
            e.rank++;
        }
    }
    if (!e.rank) e.dim[0] = 1, e.rank = 1; /* one element */
    return e;
}

/* The pool's index counts runs of the last axis. */
static void runs(void *arg, size_t begin, size_t end, int worker) {
    const each *e = arg;
    (void)worker;
    for (size_t run = begin; run < end; run++) {
        size_t at[TN_EACH_MAX] = {0};
        for (size_t i = e->rank - 1, r = run; i-- > 0; r /= e->dim[i])
            for (size_t k = 0; k < e->n_operands; k++) at[k] += r % e->dim[i] * e->stride[i][k];
        e->fn(e->ud, at, e->stride[e->rank - 1], e->dim[e->rank - 1]);
    }
}

/* One long run: the pool's index counts elements. */
static void pieces(void *arg, size_t begin, size_t end, int worker) {
    const each *e = arg;
    size_t at[TN_EACH_MAX] = {0};
    (void)worker;
    for (size_t k = 0; k < e->n_operands; k++) at[k] = begin * e->stride[0][k];
    e->fn(e->ud, at, e->stride[0], end - begin);
}

void tn_each(tern_graph *g, tern_tensor *const *t, size_t n_operands, tn_each_fn *fn, void *ud) {
    if (!tn_size(t[0])) return;
    each e = plan(t, n_operands);
    e.fn = fn;
    e.ud = ud;
    size_t n_runs = 1, inner = e.dim[e.rank - 1];
    for (size_t i = 0; i + 1 < e.rank; i++) n_runs *= e.dim[i];
    if (n_runs == 1)
        tn_pool_for(g->pool, inner, TN_GRAIN, pieces, &e);
    else
        tn_pool_for(g->pool, n_runs, tn_grain_rows(inner), runs, &e);
}

typedef struct copy_job {
    void *to;
    const void *from;
    bool add;
} copy_job;

static void copy_f32(void *ud, const size_t *at, const size_t *step, size_t n) {
    const copy_job *j = ud;
    float *y = (float *)j->to + at[0];
    const float *x = (const float *)j->from + at[1];
    size_t sy = step[0], sx = step[1];
    if (sy == 1 && sx == 1 && j->add)
        tn_kernels_get()->add(y, y, x, n);
    else if (sy == 1 && sx == 1)
        memcpy(y, x, n * sizeof *y);
    else if (j->add)
        for (size_t i = 0; i < n; i++) y[i * sy] += x[i * sx];
    else
        for (size_t i = 0; i < n; i++) y[i * sy] = x[i * sx];
}

static void copy_f64(void *ud, const size_t *at, const size_t *step, size_t n) {
    const copy_job *j = ud;
    double *y = (double *)j->to + at[0];
    const double *x = (const double *)j->from + at[1];
    if (j->add)
        for (size_t i = 0; i < n; i++) y[i * step[0]] += x[i * step[1]];
    else
        for (size_t i = 0; i < n; i++) y[i * step[0]] = x[i * step[1]];
}

void tn_copy(tern_graph *g, tern_tensor *to, const tern_tensor *from, bool add) {
    copy_job j = {to->data, from->data, add};
    tern_tensor *t[2] = {to, (tern_tensor *)(uintptr_t)from};
    tn_each(g, t, 2, tn_is_f64(to) ? copy_f64 : copy_f32, &j);
}
