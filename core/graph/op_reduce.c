/* op_reduce.c - sums, means and maxima over a set of axes.
 * The kept axes are the outer loop, the reduced ones the inner, both in row-major order of x: the
 * order of additions depends on the shape alone. Sums are carried in double. */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

typedef struct reduce {
    const void *x;
    void *y;
    bool f64;
    size_t n_outer, n_inner;       /* elements of y; elements that make one of them */
    size_t outer_rank, inner_rank; /* kept and reduced axes of x, lengths 1 left out */
    size_t outer_dim[TERN_RANK_MAX], outer_stride[TERN_RANK_MAX];
    size_t inner_dim[TERN_RANK_MAX], inner_stride[TERN_RANK_MAX];
    const void *dy; /* of max */
    void *dx;
} reduce;

typedef struct attr {
    unsigned axes; /* bit i: axis i, 0 .. rank-1 */
    bool keep;
} attr;

static size_t offset(size_t i, size_t rank, const size_t *dim, const size_t *stride) {
    size_t at = 0;
    for (size_t k = rank; k-- > 0; i /= dim[k]) at += i % dim[k] * stride[k];
    return at;
}

static void push(size_t *rank, size_t *dim, size_t *stride, size_t d, size_t s) {
    if (d == 1) return;
    if (*rank && stride[*rank - 1] == s * d) { /* continues the axis before: one loop */
        dim[*rank - 1] *= d;
        stride[*rank - 1] = s;
        return;
    }
    dim[*rank] = d;
    stride[(*rank)++] = s;
}

static reduce plan(const tern_tensor *x, unsigned axes) {
    reduce r = {.x = x->data, .f64 = tn_is_f64(x), .n_outer = 1, .n_inner = 1};
    for (size_t i = 0; i < x->rank; i++) {
        bool reduced = axes >> i & 1;
        *(reduced ? &r.n_inner : &r.n_outer) *= x->dim[i];
        if (reduced)
            push(&r.inner_rank, r.inner_dim, r.inner_stride, x->dim[i], x->stride[i]);
        else
            push(&r.outer_rank, r.outer_dim, r.outer_stride, x->dim[i], x->stride[i]);
    }
    return r;
}

enum { COLUMNS = 64, FEW = 16 }; /* of a piece, in whole cache lines; rows of an f32 sum */

/* The columns of a matrix: y[j] = sum_i x[i,j]. A few rows are added up in f32 by the kernel, these
 * sums in double. */
static void sum_columns(const reduce *r, size_t begin, size_t end) {
    const tn_kernels *k = tn_kernels_get();
    const float *x = r->x;
    float *y = r->y;
    size_t stride = r->inner_stride[0];
    for (size_t j0 = begin; j0 < end; j0 += COLUMNS) {
        double total[COLUMNS] = {0};
        size_t n = end - j0 < COLUMNS ? end - j0 : COLUMNS;
        for (size_t i = 0; i < r->n_inner;) {
            float part[COLUMNS] = {0};
            size_t stop = r->n_inner - i < FEW ? r->n_inner : i + FEW;
            for (; i < stop; i++) k->add(part, part, x + i * stride + j0, n);
            for (size_t j = 0; j < n; j++) total[j] += (double)part[j];
        }
        for (size_t j = 0; j < n; j++) y[j0 + j] = (float)total[j];
    }
}

static bool is_columns(const reduce *r) {
    return !r->f64 && r->inner_rank == 1 && r->outer_rank == 1 && r->outer_stride[0] == 1;
}

/* One row; eight running sums, added up in order. */
static float sum_row(const float *x, size_t n) {
    double part[8] = {0}, total = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) part[k] += (double)x[i + k];
    for (size_t k = 0; i < n; i++, k++) part[k] += (double)x[i];
    for (size_t k = 0; k < 8; k++) total += part[k];
    return (float)total;
}

static void sums(void *arg, size_t begin, size_t end, int worker) {
    const reduce *r = arg;
    (void)worker;
    if (is_columns(r)) {
        sum_columns(r, begin, end);
        return;
    }
    for (size_t o = begin; o < end; o++) {
        size_t base = offset(o, r->outer_rank, r->outer_dim, r->outer_stride);
        bool line = r->inner_rank == 1;
        if (!r->f64 && line && r->inner_stride[0] == 1) {
            ((float *)r->y)[o] = sum_row((const float *)r->x + base, r->n_inner);
            continue;
        }
        double total = 0;
        for (size_t i = 0; i < r->n_inner; i++) {
            size_t at = base + (line ? i * r->inner_stride[0]
                                     : offset(i, r->inner_rank, r->inner_dim, r->inner_stride));
            total += r->f64 ? ((const double *)r->x)[at] : (double)((const float *)r->x)[at];
        }
        if (r->f64)
            ((double *)r->y)[o] = total;
        else
            ((float *)r->y)[o] = (float)total;
    }
}

/* Offset of the first largest element that makes y[o]. */
static size_t largest(const reduce *r, size_t o) {
    size_t base = offset(o, r->outer_rank, r->outer_dim, r->outer_stride), best = base;
    for (size_t i = 0; i < r->n_inner; i++) {
        size_t at = base + offset(i, r->inner_rank, r->inner_dim, r->inner_stride);
        bool more = r->f64 ? ((const double *)r->x)[at] > ((const double *)r->x)[best]
                           : ((const float *)r->x)[at] > ((const float *)r->x)[best];
        if (more) best = at;
    }
    return best;
}

static void maxima(void *arg, size_t begin, size_t end, int worker) {
    const reduce *r = arg;
    (void)worker;
    for (size_t o = begin; o < end; o++) {
        size_t at = largest(r, o);
        if (r->f64)
            ((double *)r->y)[o] = ((const double *)r->x)[at];
        else
            ((float *)r->y)[o] = ((const float *)r->x)[at];
    }
}

/* x is contiguous here, so offsets in x are offsets in dx. */
static void max_scatter(void *arg, size_t begin, size_t end, int worker) {
    const reduce *r = arg;
    (void)worker;
    for (size_t o = begin; o < end; o++) {
        size_t at = largest(r, o);
        if (r->f64)
            ((double *)r->dx)[at] += ((const double *)r->dy)[o];
        else
            ((float *)r->dx)[at] += ((const float *)r->dy)[o];
    }
}

static void run(tern_graph *g, reduce *r, tn_pool_fn *fn) {
    size_t grain = tn_grain_rows(r->n_inner);
    if (grain < COLUMNS && fn == sums && is_columns(r)) grain = COLUMNS;
    tn_pool_for(g->pool, r->n_outer, grain, fn, r);
}

/* The set of axes as bits 0 .. rank-1; false: an axis is not there (error noted). */
static bool resolve(tern_graph *g, const char *name, const tern_tensor *x, unsigned axes,
                    unsigned *out) {
    *out = 0;
    if (axes == TERN_AXES_ALL) return *out = (1u << x->rank) - 1, true;
    for (int i = -TERN_RANK_MAX; i < TERN_RANK_MAX; i++) {
        size_t axis;
        if (!(axes & TERN_AXIS(i))) continue;
        if (!tn_axis(g, name, x, i, &axis)) return false;
        *out |= 1u << axis;
    }
    return true;
}

static tern_tensor *reduced(tern_graph *g, const tn_op *op, tern_tensor *x, attr a,
                            tn_pool_fn *fn) {
    size_t rank = 0, dim[TERN_RANK_MAX];
    for (size_t i = 0; i < x->rank; i++) {
        bool gone = a.axes >> i & 1;
        if (!gone || a.keep) dim[rank++] = gone ? 1 : x->dim[i];
    }
    tern_tensor *y = tn_result(g, x->dtype, rank, dim);
    if (!y) return NULL;
    reduce r = plan(x, a.axes);
    r.y = y->data;
    run(g, &r, fn);
    return tn_record(g, op, y, &x, 1, &a, sizeof a);
}

/* dy with the reduced axes back as length 1. */
static tern_tensor *kept_axes(tn_step *s) {
    const attr *a = s->node->attr;
    const tern_tensor *x = tn_in(s, 0);
    size_t dim[TERN_RANK_MAX];
    for (size_t i = 0; i < x->rank; i++) dim[i] = a->axes >> i & 1 ? 1 : x->dim[i];
    return tern_reshape(s->g, s->dy, x->rank, dim);
}

/* dx = dy, stretched: a view */
static void sum_backward(tn_step *s) {
    const tern_tensor *x = tn_in(s, 0);
    tn_grad_add(s, 0, tern_broadcast_to(s->g, kept_axes(s), x->rank, x->dim));
}
static const tn_op op_sum = {.name = "sum", .backward_ops = sum_backward};

tern_tensor *tern_sum(tern_graph *g, tern_tensor *x, unsigned axes, bool keep) {
    attr a = {.keep = keep};
    if (!tn_op_begin(g, "sum", &x, 1) || !resolve(g, "sum", x, axes, &a.axes)) return NULL;
    return reduced(g, &op_sum, x, a, sums);
}

tern_tensor *tern_mean(tern_graph *g, tern_tensor *x, unsigned axes, bool keep) {
    tern_tensor *sum = tern_sum(g, x, axes, keep);
    if (!sum) return NULL;
    if (tn_size(x) == 0) return tn_graph_fail(g, TERN_ERR_SHAPE, "mean: of no elements");
    tern_tensor *y = tern_scale(g, sum, (double)tn_size(sum) / (double)tn_size(x));
    tern_tensor_release(g, sum);
    return y;
}

static void max_backward(tn_step *s) {
    const attr *a = s->node->attr;
    reduce r = plan(tn_in(s, 0), a->axes);
    r.dy = s->dy->data;
    r.dx = tn_grad_zeroed(s, 0);
    if (r.dx) run(s->g, &r, max_scatter);
}
static const tn_op op_max = {.name = "max", .needs = TN_NEED_INS, .backward = max_backward};

tern_tensor *tern_max(tern_graph *g, tern_tensor *x, unsigned axes, bool keep) {
    attr a = {.keep = keep};
    if (!tn_op_begin(g, "max", &x, 1) || !resolve(g, "max", x, axes, &a.axes)) return NULL;
    if (tn_size(x) == 0) return tn_graph_fail(g, TERN_ERR_SHAPE, "max: of no elements");
    x = tern_contiguous(g, x);
    return x ? reduced(g, &op_max, x, a, maxima) : NULL;
}

tern_tensor *tn_sum_to(tern_graph *g, tern_tensor *x, const tern_tensor *like) {
    if (!x || tn_same_shape(x, like)) return x;
    size_t missing = x->rank - like->rank;
    unsigned axes = 0;
    for (size_t i = 0; i < x->rank; i++)
        if (i < missing || (like->dim[i - missing] == 1 && x->dim[i] != 1))
            axes |= TERN_AXIS((int)i);
    return tern_reshape(g, axes ? tern_sum(g, x, axes, true) : x, like->rank, like->dim);
}
