/* op_segment.c - sets of rows, packed one after the other: begin[s] .. begin[s+1].
 * A set is summed by scattering rows to the number of their set, so sums, means and softmax are
 * written in operations and have all derivatives; only the maximum has loops of its own. */
#include "core/graph/graph_priv.h"
#include "core/graph/op_gather.h"
#include <math.h>

#include "core/base/mem.h"

bool tn_segments_ok(tern_graph *g, const char *name, const tern_tensor *begin, size_t n_rows) {
    const int32_t *b = begin->data;
    size_t n = tn_size(begin);
    bool ok = begin->dtype == TERN_I32 && begin->rank == 1 && tn_is_contiguous(begin) && n >= 1 &&
              b[0] == 0 && (size_t)b[n - 1] == n_rows;
    for (size_t i = 1; ok && i < n; i++) ok = b[i - 1] <= b[i];
    if (!ok)
        tn_graph_fail(g, TERN_ERR_ARG, "%s: begin must be I32 [n + 1], rising from 0 to %zu rows",
                      name, n_rows);
    return ok;
}

static bool ready(tern_graph *g, const char *name, tern_tensor *x, const tern_tensor *begin) {
    if (!tn_op_begin(g, name, &x, 1) || !tn_value_begin(g, name, begin)) return false;
    if (x->rank < 1) {
        tn_graph_fail(g, TERN_ERR_SHAPE, "%s: x has no rows", name);
        return false;
    }
    return tn_segments_ok(g, name, begin, x->dim[0]);
}

/* The set of each row. */
static tern_tensor *set_of_rows(tern_graph *g, const tern_tensor *begin, size_t n_rows) {
    tern_tensor *set = tn_result(g, TERN_I32, 1, &n_rows);
    const int32_t *b = begin->data;
    for (size_t s = 0; set && s + 1 < tn_size(begin); s++)
        for (int32_t i = b[s]; i < b[s + 1]; i++) ((int32_t *)set->data)[i] = (int32_t)s;
    return set;
}

static tern_tensor *sum_sets(tern_graph *g, tern_tensor *x, tern_tensor *set, size_t n_sets) {
    size_t dim[TERN_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[0] = n_sets;
    tern_tensor *y = set ? tn_scatter_rows(g, x, set, n_sets) : NULL;
    return y ? tern_reshape(g, y, x->rank, dim) : NULL;
}

tern_tensor *tern_segment_sum(tern_graph *g, tern_tensor *x, tern_tensor *begin) {
    if (!ready(g, "segment_sum", x, begin)) return NULL;
    return sum_sets(g, x, set_of_rows(g, begin, x->dim[0]), tn_size(begin) - 1);
}

/* An empty set has the mean 0. */
tern_tensor *tern_segment_mean(tern_graph *g, tern_tensor *x, tern_tensor *begin) {
    tern_tensor *sum = tern_segment_sum(g, x, begin);
    if (!sum) return NULL;
    size_t dim[TERN_RANK_MAX] = {sum->dim[0], 1, 1, 1, 1, 1};
    tern_tensor *weight = tn_result(g, x->dtype, sum->rank, dim);
    const int32_t *b = begin->data;
    for (size_t s = 0; weight && s < sum->dim[0]; s++) {
        double w = b[s + 1] > b[s] ? 1.0 / (b[s + 1] - b[s]) : 0;
        if (tn_is_f64(x))
            ((double *)weight->data)[s] = w;
        else
            ((float *)weight->data)[s] = (float)w;
    }
    tern_tensor *y = tern_mul(g, sum, weight);
    tern_tensor_release(g, sum);
    return y;
}

tern_tensor *tern_segment_softmax(tern_graph *g, tern_tensor *x, tern_tensor *begin) {
    if (!ready(g, "segment_softmax", x, begin)) return NULL;
    tern_tensor *set = set_of_rows(g, begin, x->dim[0]);
    bool was = tern_graph_set_inference(g, true); /* the shift changes nothing but the range */
    tern_tensor *top = tern_index_rows(g, tern_segment_max(g, x, begin), set);
    tern_graph_set_inference(g, was);
    tern_tensor *e = tern_exp(g, tern_sub(g, x, top));
    if (!e) return NULL;
    tern_tensor *total = tern_index_rows(g, sum_sets(g, e, set, tn_size(begin) - 1), set);
    return tern_div(g, e, total);
}

tern_tensor *tern_attention_pool(tern_graph *g, tern_tensor *x, tern_tensor *score,
                                 tern_tensor *begin) {
    tern_tensor *weight = tern_segment_softmax(g, score, begin);
    return tern_segment_sum(g, tern_mul(g, x, weight), begin);
}

/* ---- max ---- */

typedef struct job {
    bool f64;
    size_t width;
    const int32_t *begin;
    const void *x, *dy;
    void *y, *dx;
} job;

/* Each set and column: the largest row, the first of equals. dx NULL: forward. */
static void maxima(void *arg, size_t first, size_t last, int worker) {
    const job *j = arg;
    (void)worker;
    for (size_t s = first; s < last; s++)
        for (size_t c = 0; c < j->width; c++) {
            size_t best = (size_t)j->begin[s], to = s * j->width + c;
            bool empty = j->begin[s] == j->begin[s + 1];
            for (size_t i = best; i < (size_t)j->begin[s + 1]; i++) {
                size_t a = i * j->width + c, b = best * j->width + c;
                if (j->f64 ? ((const double *)j->x)[a] > ((const double *)j->x)[b]
                           : ((const float *)j->x)[a] > ((const float *)j->x)[b])
                    best = i;
            }
            size_t from = best * j->width + c;
            if (j->dx && empty) continue;
            if (j->dx && j->f64)
                ((double *)j->dx)[from] += ((const double *)j->dy)[to];
            else if (j->dx)
                ((float *)j->dx)[from] += ((const float *)j->dy)[to];
            else if (j->f64)
                ((double *)j->y)[to] = empty ? 0 : ((const double *)j->x)[from];
            else
                ((float *)j->y)[to] = empty ? 0 : ((const float *)j->x)[from];
        }
}

static void segment_max_backward(tn_step *s) {
    const tern_tensor *x = tn_in(s, 0), *begin = tn_in(s, 1);
    job j = {.f64 = tn_is_f64(x),
             .width = tn_size(s->dy) / (s->dy->dim[0] ? s->dy->dim[0] : 1),
             .begin = begin->data,
             .x = x->data,
             .dy = s->dy->data,
             .dx = tn_grad_zeroed(s, 0)};
    if (j.dx) tn_pool_for(s->g->pool, s->dy->dim[0], 1, maxima, &j);
}
static const tn_op op_segment_max = {
    .name = "segment_max", .needs = TN_NEED_INS, .backward = segment_max_backward};

tern_tensor *tern_segment_max(tern_graph *g, tern_tensor *x, tern_tensor *begin) {
    if (!ready(g, "segment_max", x, begin)) return NULL;
    tern_tensor *in[] = {tern_contiguous(g, x), begin};
    size_t dim[TERN_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[0] = tn_size(begin) - 1;
    tern_tensor *y = in[0] ? tn_result(g, x->dtype, x->rank, dim) : NULL;
    if (!y) return NULL;
    job j = {.f64 = tn_is_f64(x),
             .width = dim[0] ? tn_size(y) / dim[0] : 0,
             .begin = begin->data,
             .x = in[0]->data,
             .y = y->data};
    tn_pool_for(g->pool, dim[0], 1, maxima, &j);
    return tn_record(g, &op_segment_max, y, in, 2, NULL, 0);
}
