/* op_gather.c - rows by number, and the sums that undo it.
 *   index_rows:    y[i,:] = x[index[i],:]                 its gradient is scatter_rows
 *   scatter_rows:  y[index[i],:] += x[i,:], from zeros    its gradient is index_rows
 *   pick:          y[i] = x[i, index[i]]                  its gradient is unpick, and back
 * Rows are added in the order of i by cutting the columns among workers, never the rows. */
#include "core/graph/op_gather.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

static bool index_ok(tern_graph *g, const char *name, const tern_tensor *index, size_t n_rows) {
    if (!tn_value_begin(g, name, index)) return false;
    if (index->dtype != TERN_I32 || !tn_is_contiguous(index)) {
        tn_graph_fail(g, TERN_ERR_ARG, "%s: the index must be contiguous I32", name);
        return false;
    }
    const int32_t *at = index->data;
    for (size_t i = 0, n = tn_size(index); i < n; i++)
        if (at[i] < 0 || (size_t)at[i] >= n_rows) {
            tn_graph_fail(g, TERN_ERR_ARG, "%s: index[%zu] is %d, outside 0..%zu", name, i,
                          (int)at[i], n_rows ? n_rows - 1 : 0);
            return false;
        }
    return true;
}

typedef struct job {
    const int32_t *index;
    size_t n_index, width; /* elements of a row */
    size_t unit;           /* bytes of an element */
    const void *from;
    void *to;
} job;

static void copy_rows(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    size_t n_bytes = j->width * j->unit;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        memcpy((char *)j->to + i * n_bytes, (const char *)j->from + (size_t)j->index[i] * n_bytes,
               n_bytes);
}

enum { COLUMNS = 64 }; /* of a piece */

static void add_rows(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    (void)worker;
    for (size_t i = 0; i < j->n_index; i++) {
        size_t to = (size_t)j->index[i] * j->width + begin, from = i * j->width + begin;
        if (j->unit == 8) {
            double *y = (double *)j->to + to;
            tn_kernels_f64_get()->add(y, y, (const double *)j->from + from, end - begin);
        } else {
            float *y = (float *)j->to + to;
            tn_kernels_get()->add(y, y, (const float *)j->from + from, end - begin);
        }
    }
}

/* to[index[i],:] += from[i,:] */
static void scatter(tern_graph *g, void *to, const tern_tensor *from, const tern_tensor *index) {
    size_t n = tn_size(index);
    if (!n) return;
    job j = {.index = index->data,
             .n_index = n,
             .width = tn_size(from) / n,
             .unit = tn_dtype_size((tn_dtype)from->dtype),
             .from = from->data,
             .to = to};
    tn_pool_for(g->pool, j.width, COLUMNS, add_rows, &j);
}

/* ---- index_rows and scatter_rows ---- */

static void index_backward(tn_step *s) {
    void *dx = tn_grad_zeroed(s, 0);
    if (dx) scatter(s->g, dx, s->dy, tn_in(s, 1));
}
static void index_backward_ops(tn_step *s) {
    const tern_tensor *x = tn_in(s, 0);
    tern_tensor *dx = tn_scatter_rows(s->g, s->dy, tn_in(s, 1), x->dim[0]);
    tn_grad_add(s, 0, tern_reshape(s->g, dx, x->rank, x->dim));
}
static const tn_op op_index_rows = {.name = "index_rows",
                                    .needs = TN_NEED_IN(1),
                                    .backward = index_backward,
                                    .backward_ops = index_backward_ops};

tern_tensor *tern_index_rows(tern_graph *g, tern_tensor *x, tern_tensor *index) {
    if (!tn_op_begin(g, "index_rows", &x, 1)) return NULL;
    if (!x->rank || (index && index->rank + x->rank - 1 > TERN_RANK_MAX))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "index_rows: too few or too many axes");
    if (!index_ok(g, "index_rows", index, x->dim[0])) return NULL;
    tern_tensor *in[] = {tern_contiguous(g, x), index};
    size_t dim[TERN_RANK_MAX], n = tn_size(index);
    memcpy(dim, index->dim, index->rank * sizeof *dim);
    memcpy(dim + index->rank, x->dim + 1, (x->rank - 1) * sizeof *dim);
    tern_tensor *y = in[0] ? tn_result(g, x->dtype, index->rank + x->rank - 1, dim) : NULL;
    if (!y) return NULL;
    job j = {.index = index->data,
             .width = n ? tn_size(y) / n : 0,
             .unit = tn_dtype_size((tn_dtype)x->dtype),
             .from = in[0]->data,
             .to = y->data};
    tn_pool_for(g->pool, n, tn_grain_rows(j.width), copy_rows, &j);
    return tn_record(g, &op_index_rows, y, in, 2, NULL, 0);
}

static void scatter_backward(tn_step *s) {
    const tern_tensor *x = tn_in(s, 0);
    tern_tensor *dx = tern_index_rows(s->g, s->dy, tn_in(s, 1));
    if (dx) tn_grad_add(s, 0, tern_reshape(s->g, dx, x->rank, x->dim));
}
static const tn_op op_scatter_rows = {
    .name = "scatter_rows", .needs = TN_NEED_IN(1), .backward_ops = scatter_backward};

tern_tensor *tn_scatter_rows(tern_graph *g, tern_tensor *x, tern_tensor *index, size_t n_rows) {
    if (!tn_op_begin(g, "scatter_rows", &x, 1) || !index_ok(g, "scatter_rows", index, n_rows))
        return NULL;
    tern_tensor *in[] = {tern_contiguous(g, x), index};
    size_t n = tn_size(index), width = n ? tn_size(x) / n : 0;
    if (!n) /* nothing to add: the width is that of the trailing axes */
        for (width = 1, n = index->rank; n < x->rank; n++) width *= x->dim[n];
    tern_tensor *y = in[0] ? tn_result_zeros(g, x->dtype, TERN_SHAPE(n_rows, width)) : NULL;
    if (!y) return NULL;
    scatter(g, y->data, in[0], index);
    return tn_record(g, &op_scatter_rows, y, in, 2, NULL, 0);
}

/* ---- pick and unpick ---- */

static tern_tensor *unpick(tern_graph *g, tern_tensor *x, tern_tensor *index, size_t n_columns);

static void pick_backward(tn_step *s) {
    tn_grad_add(s, 0, unpick(s->g, s->dy, tn_in(s, 1), tn_last(tn_in(s, 0))));
}
static const tn_op op_pick = {
    .name = "pick", .needs = TN_NEED_IN(1), .backward_ops = pick_backward};

tern_tensor *tern_pick(tern_graph *g, tern_tensor *x, tern_tensor *index) {
    if (!tn_op_begin(g, "pick", &x, 1)) return NULL;
    if (x->rank != 2 || (index && (index->rank != 1 || index->dim[0] != x->dim[0])))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "pick: x must be [N,C] and index [N]");
    if (!index_ok(g, "pick", index, x->dim[1])) return NULL;
    tern_tensor *in[] = {tern_contiguous(g, x), index};
    tern_tensor *y = in[0] ? tn_result(g, x->dtype, 1, x->dim) : NULL;
    const int32_t *at = index->data;
    for (size_t i = 0, c = x->dim[1]; y && i < x->dim[0]; i++) {
        size_t from = i * c + (size_t)at[i];
        if (tn_is_f64(x))
            ((double *)y->data)[i] = ((const double *)in[0]->data)[from];
        else
            ((float *)y->data)[i] = ((const float *)in[0]->data)[from];
    }
    return tn_record(g, &op_pick, y, in, 2, NULL, 0);
}

static void unpick_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_pick(s->g, s->dy, tn_in(s, 1)));
}
static const tn_op op_unpick = {
    .name = "unpick", .needs = TN_NEED_IN(1), .backward_ops = unpick_backward};

static tern_tensor *unpick(tern_graph *g, tern_tensor *x, tern_tensor *index, size_t n_columns) {
    tern_tensor *in[] = {x, index};
    tern_tensor *y = tn_result_zeros(g, x->dtype, TERN_SHAPE(x->dim[0], n_columns));
    const int32_t *at = index->data;
    for (size_t i = 0; y && i < x->dim[0]; i++) {
        size_t to = i * n_columns + (size_t)at[i];
        if (tn_is_f64(x))
            ((double *)y->data)[to] = ((const double *)x->data)[i];
        else
            ((float *)y->data)[to] = ((const float *)x->data)[i];
    }
    return tn_record(g, &op_unpick, y, in, 2, NULL, 0);
}
