/* op_mask.c - elements switched off: by a mask, or by chance.
 *   masked_fill: y = mask ? value : x      dx = mask ? 0 : dy
 *   dropout:     y = keep ? x / (1 - p) : 0, and the same for dx
 * Dropout keeps no mask: whether element i stays is a function of (seed, operation, i), computed
 * again by backward. */
#include "core/base/rng.h"
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"

#include "core/base/mem.h"

/* ---- masked_fill ---- */

typedef struct fill_job {
    void *y;
    const void *x;
    const int8_t *mask;
    double value;
} fill_job;

static void fill_f32(void *ud, const size_t *at, const size_t *step, size_t n) {
    const fill_job *j = ud;
    float *y = (float *)j->y + at[0], value = (float)j->value;
    const float *x = (const float *)j->x + at[1];
    const int8_t *mask = j->mask + at[2];
    for (size_t i = 0; i < n; i++) y[i] = mask[i * step[2]] ? value : x[i * step[1]];
}

static void fill_f64(void *ud, const size_t *at, const size_t *step, size_t n) {
    const fill_job *j = ud;
    double *y = (double *)j->y + at[0];
    const double *x = (const double *)j->x + at[1];
    const int8_t *mask = j->mask + at[2];
    for (size_t i = 0; i < n; i++) y[i] = mask[i * step[2]] ? j->value : x[i * step[1]];
}

static void fill_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_masked_fill(s->g, s->dy, tn_in(s, 1), 0));
}
static const tn_op op_masked_fill = {.name = "masked_fill",
                                     .needs = TN_NEED_IN(1),
                                     .any_stride = true,
                                     .backward_ops = fill_backward};

tern_tensor *tern_masked_fill(tern_graph *g, tern_tensor *x, tern_tensor *mask, double value) {
    size_t rank, dim[TERN_RANK_MAX];
    if (!tn_op_begin(g, "masked_fill", &x, 1) || !tn_value_begin(g, "masked_fill", mask))
        return NULL;
    if (mask->dtype != TERN_I8)
        return tn_graph_fail(g, TERN_ERR_ARG, "masked_fill: the mask must be I8");
    if (!tn_broadcast_shape(g, "masked_fill", x, mask, &rank, dim)) return NULL;
    if (rank != x->rank || memcmp(dim, x->dim, rank * sizeof *dim) != 0)
        return tn_graph_fail(g, TERN_ERR_SHAPE, "masked_fill: the mask is larger than x");
    tern_tensor *in[] = {x, mask}, *y = tn_result_like(g, x);
    if (!y) return NULL;
    fill_job j = {y->data, x->data, mask->data, value};
    tn_each(g, (tern_tensor *[]){y, x, mask}, 3, tn_is_f64(y) ? fill_f64 : fill_f32, &j);
    return tn_record(g, &op_masked_fill, y, in, 2, NULL, 0);
}

/* ---- dropout ---- */

typedef struct drop_attr {
    uint64_t seed, counter;
    double p;
} drop_attr;

typedef struct drop_job {
    drop_attr a;
    bool f64;
    void *y;
    const void *x;
} drop_job;

/* begin is a multiple of four: TN_GRAIN is, and one Philox block serves four elements. */
static void drop(void *arg, size_t begin, size_t end, int worker) {
    const drop_job *j = arg;
    uint32_t limit = (uint32_t)(j->a.p * 0x1p32), draw[4];
    uint32_t key[2] = {(uint32_t)j->a.seed, (uint32_t)(j->a.seed >> 32)};
    double scale = 1 / (1 - j->a.p);
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        uint64_t block = i / 4;
        uint32_t at[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)j->a.counter,
                          (uint32_t)(j->a.counter >> 32)};
        if (i % 4 == 0) tn_philox4x32(at, key, draw);
        bool keep = draw[i % 4] >= limit;
        if (j->f64)
            ((double *)j->y)[i] = keep ? ((const double *)j->x)[i] * scale : 0;
        else
            ((float *)j->y)[i] = keep ? ((const float *)j->x)[i] * (float)scale : 0;
    }
}

static tern_tensor *drop_with(tern_graph *g, tern_tensor *x, drop_attr a);

static void drop_backward(tn_step *s) {
    tn_grad_add(s, 0, drop_with(s->g, s->dy, *(const drop_attr *)s->node->attr));
}
static const tn_op op_dropout = {.name = "dropout", .backward_ops = drop_backward};

static tern_tensor *drop_with(tern_graph *g, tern_tensor *x, drop_attr a) {
    tern_tensor *in = tern_contiguous(g, x), *y = in ? tn_result_like(g, in) : NULL;
    if (!y) return NULL;
    drop_job j = {a, tn_is_f64(y), y->data, in->data};
    tn_pool_for(g->pool, tn_size(y), TN_GRAIN, drop, &j);
    return tn_record(g, &op_dropout, y, &in, 1, &a, sizeof a);
}

tern_tensor *tern_dropout(tern_graph *g, tern_tensor *x, double p) {
    if (!tn_op_begin(g, "dropout", &x, 1)) return NULL;
    if (!(p >= 0 && p < 1))
        return tn_graph_fail(g, TERN_ERR_ARG, "dropout: a probability of %g is not in [0, 1)", p);
    if (g->opts.evaluation || p == 0) return x;
    return drop_with(g, x, (drop_attr){g->opts.seed, g->rng_counter++, p});
}
