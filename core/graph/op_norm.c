/* op_norm.c - normalised rows.
 *   layer_norm: h = (x - mean) r, r = (var + eps)^-1/2,   y = h w + b
 *   rms_norm:   h = x r, r = (mean x^2 + eps)^-1/2,       y = h (w + offset)
 *   e = dy (w + offset);  dx = r (e - mean e - h mean(e h)), without mean e for rms_norm
 *   dw = sum of rows of dy h, db = sum of rows of dy
 * Mean and r are kept from forward. The weights' gradients are summed piece by piece, the pieces
 * in order. */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

enum { X, W, B, N_IN };

typedef struct attr {
    double eps, offset;
    bool rms;
} attr;

typedef struct job {
    attr a;
    size_t n, grain; /* of a row; rows of a piece */
    bool f64;
    const void *x, *w, *b, *dy;
    void *y, *mean, *rstd;
    void *dx, *parts; /* parts: for each piece dw[n], then db[n] */
} job;

static void forward_f64(const job *j, size_t row) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    const double *x = (const double *)j->x + row * j->n;
    double *y = (double *)j->y + row * j->n, *mean = (double *)j->mean + row,
           *rstd = (double *)j->rstd + row;
    if (j->a.rms)
        *rstd = k->rms_norm(y, x, j->w, j->a.offset, j->a.eps, j->n);
    else
        k->layer_norm(y, x, j->w, j->b, j->a.eps, j->n, mean, rstd);
}

static void forward_f32(const job *j, size_t row) {
    const tn_kernels *k = tn_kernels_get();
    const float *x = (const float *)j->x + row * j->n;
    float *y = (float *)j->y + row * j->n, *mean = (float *)j->mean + row,
          *rstd = (float *)j->rstd + row;
    if (j->a.rms)
        *rstd = k->rms_norm(y, x, j->w, (float)j->a.offset, (float)j->a.eps, j->n);
    else
        k->layer_norm(y, x, j->w, j->b, (float)j->a.eps, j->n, mean, rstd);
}

static void forward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    (void)worker;
    for (size_t row = begin; row < end; row++) (j->f64 ? forward_f64 : forward_f32)(j, row);
}

static void backward_f64(const job *j, size_t row, double *dw) {
    const tn_kernels_f64 *k = tn_kernels_f64_get();
    const double *x = (const double *)j->x + row * j->n, *dy = (const double *)j->dy + row * j->n;
    double *dx = (double *)j->dx + row * j->n, rstd = ((const double *)j->rstd)[row];
    if (j->a.rms)
        k->rms_norm_backward(dx, dw, dy, x, j->w, j->a.offset, rstd, j->n);
    else
        k->layer_norm_backward(dx, dw, dw + j->n, dy, x, j->w, ((const double *)j->mean)[row], rstd,
                               j->n);
}

static void backward_f32(const job *j, size_t row, float *dw) {
    const tn_kernels *k = tn_kernels_get();
    const float *x = (const float *)j->x + row * j->n, *dy = (const float *)j->dy + row * j->n;
    float *dx = (float *)j->dx + row * j->n, rstd = ((const float *)j->rstd)[row];
    if (j->a.rms)
        k->rms_norm_backward(dx, dw, dy, x, j->w, (float)j->a.offset, rstd, j->n);
    else
        k->layer_norm_backward(dx, dw, dw + j->n, dy, x, j->w, ((const float *)j->mean)[row], rstd,
                               j->n);
}

static void backward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    (void)worker;
    size_t part = begin / j->grain * 2 * j->n;
    for (size_t row = begin; row < end; row++) {
        if (j->f64)
            backward_f64(j, row, (double *)j->parts + part);
        else
            backward_f32(j, row, (float *)j->parts + part);
    }
}

/* The sum of one column set of the parts, as a gradient of input i. */
static void add_parts(tn_step *s, size_t i, const job *j, size_t n_parts, size_t first) {
    if (!tn_wants(s, i)) return;
    void *out = tn_grad_zeroed(s, i);
    for (size_t p = 0; out && p < n_parts; p++) {
        size_t at = p * 2 * j->n + first;
        if (j->f64)
            tn_kernels_f64_get()->add(out, out, (const double *)j->parts + at, j->n);
        else
            tn_kernels_get()->add(out, out, (const float *)j->parts + at, j->n);
    }
}

static void norm_backward(tn_step *s) {
    tern_tensor *x = tn_in(s, X), *const *saved = s->node->saved;
    size_t n = tn_last(x), n_rows = tn_rows(x), unit = tn_dtype_size((tn_dtype)x->dtype);
    if (!tn_size(x)) return;
    size_t grain = tn_grain_rows(n), few = (n_rows + 63) / 64; /* at most 64 parts */
    if (grain < few) grain = few;
    size_t n_parts = (n_rows + grain - 1) / grain;
    tn_block *parts = tn_scratch(s->g, n_parts * 2 * n, unit), *spare = NULL;
    if (!tn_wants(s, X)) spare = tn_scratch(s->g, tn_size(x), unit);
    void *dx = tn_wants(s, X) ? tn_grad_zeroed(s, X) : spare ? spare->data : NULL;
    if (spare) memset(spare->data, 0, tn_size(x) * unit);
    if (parts && dx) {
        memset(parts->data, 0, n_parts * 2 * n * unit);
        job j = {.a = *(const attr *)s->node->attr,
                 .n = n,
                 .grain = grain,
                 .f64 = tn_is_f64(x),
                 .x = x->data,
                 .w = tn_in(s, W)->data,
                 .dy = s->dy->data,
                 .mean = saved[1] ? saved[1]->data : NULL,
                 .rstd = saved[0]->data,
                 .dx = dx,
                 .parts = parts->data};
        tn_pool_for(s->g->pool, n_rows, grain, backward, &j);
        add_parts(s, W, &j, n_parts, 0);
        add_parts(s, B, &j, n_parts, n);
    }
    tn_block_drop(&s->g->blocks, parts);
    tn_block_drop(&s->g->blocks, spare);
}

static void norm_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    const attr *a = s->node->attr;
    tern_tensor *x = tn_in(s, X), *w = tn_in(s, W);
    if (!a->rms) x = tern_sub(g, x, tern_mean(g, x, TERN_AXIS(-1), true));
    tern_tensor *var = tern_mean(g, tern_mul(g, x, x), TERN_AXIS(-1), true);
    tern_tensor *r = tern_pow(g, tern_affine(g, var, 1, a->eps), -0.5), *h = tern_mul(g, x, r);
    tern_tensor *e = tern_mul(g, s->dy, tern_affine(g, w, 1, a->offset));
    tern_tensor *along = tern_mean(g, tern_mul(g, e, h), TERN_AXIS(-1), true);
    tern_tensor *inner = tern_sub(g, e, tern_mul(g, h, along));
    if (!a->rms) inner = tern_sub(g, inner, tern_mean(g, e, TERN_AXIS(-1), true));
    tn_grad_add(s, X, tern_mul(g, r, inner));
    tn_grad_add(s, W, tern_mul(g, s->dy, h));
    tn_grad_add(s, B, s->dy);
}

static const tn_op op_layer_norm = {.name = "layer_norm",
                                    .needs = TN_NEED_IN(X) | TN_NEED_IN(W),
                                    .backward = norm_backward,
                                    .backward_ops = norm_backward_ops};
static const tn_op op_rms_norm = {.name = "rms_norm",
                                  .needs = TN_NEED_IN(X) | TN_NEED_IN(W),
                                  .backward = norm_backward,
                                  .backward_ops = norm_backward_ops};

static tern_tensor *norm(tern_graph *g, const tn_op *op, tern_tensor *x, tern_tensor *w,
                         tern_tensor *b, attr a) {
    tern_tensor *in[N_IN] = {x, w, b};
    if (!tn_op_begin(g, op->name, in, b ? 3 : 2)) return NULL;
    char tx[96], tw[96];
    if (!x->rank || w->rank != 1 || w->dim[0] != tn_last(x) || (b && !tn_same_shape(w, b)))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "%s: x %s and weight %s do not fit", op->name,
                             tn_shape_text(x, tx, sizeof tx), tn_shape_text(w, tw, sizeof tw));
    in[X] = tern_contiguous(g, x);
    in[W] = tern_contiguous(g, w);
    if (b) in[B] = tern_contiguous(g, b);
    tern_tensor *y = in[X] && in[W] ? tn_result_like(g, in[X]) : NULL;
    size_t n_rows = tn_rows(x);
    tern_tensor *rstd = y ? tn_result(g, x->dtype, 1, &n_rows) : NULL;
    tern_tensor *mean = rstd && !a.rms ? tn_result(g, x->dtype, 1, &n_rows) : NULL;
    if (!rstd || (!a.rms && !mean)) return NULL;
    job j = {.a = a,
             .n = tn_last(x),
             .f64 = tn_is_f64(x),
             .x = in[X]->data,
             .w = in[W]->data,
             .b = b ? in[B]->data : NULL,
             .y = y->data,
             .mean = mean ? mean->data : NULL,
             .rstd = rstd->data};
    if (tn_size(x)) tn_pool_for(g->pool, n_rows, tn_grain_rows(j.n), forward, &j);
    y = tn_record(g, op, y, in, N_IN, &a, sizeof a);
    tn_save(g, y, 0, rstd);
    tn_save(g, y, 1, mean);
    return y;
}

tern_tensor *tern_layer_norm(tern_graph *g, tern_tensor *x, tern_tensor *weight, tern_tensor *bias,
                             double eps) {
    return norm(g, &op_layer_norm, x, weight, bias, (attr){.eps = eps});
}

tern_tensor *tern_rms_norm(tern_graph *g, tern_tensor *x, tern_tensor *weight, double offset,
                           double eps) {
    return norm(g, &op_rms_norm, x, weight, NULL,
                (attr){.eps = eps, .offset = offset, .rms = true});
}

tern_tensor *tern_normalize(tern_graph *g, tern_tensor *x, double eps) {
    tern_tensor *square = tern_mul(g, x, x);
    tern_tensor *length = tern_affine(g, tern_sum(g, square, TERN_AXIS(-1), true), 1, eps);
    tern_tensor_release(g, square);
    return tern_mul(g, x, tern_pow(g, length, -0.5));
}
