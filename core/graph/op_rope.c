/* op_rope.c - rotary positions.
 * Token t turns the pair (x[i], x[i + R/2]) of every head by angle[t,i]; the gradient is turned
 * back. A rotation is linear in x, so the operation is its own backward with the sign changed. */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    size_t n_heads, width, rotary; /* R */
    bool f64, inverse;
    const void *x, *cos, *sin;
    void *y;
} job;

static void turn(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    size_t unit = j->f64 ? 8 : 4, row = j->n_heads * j->width;
    (void)worker;
    memcpy((char *)j->y + begin * row * unit, (const char *)j->x + begin * row * unit,
           (end - begin) * row * unit);
    for (size_t t = begin; t < end; t++)
        for (size_t h = 0; h < j->n_heads; h++) {
            size_t at = t * row + h * j->width, angle = t * (j->rotary / 2);
            if (j->f64)
                tn_kernels_f64_get()->rope((double *)j->y + at, (const double *)j->cos + angle,
                                           (const double *)j->sin + angle, j->rotary, j->inverse);
            else
                tn_kernels_get()->rope((float *)j->y + at, (const float *)j->cos + angle,
                                       (const float *)j->sin + angle, j->rotary, j->inverse);
        }
}

enum { X, COS, SIN, N_IN };

static tern_tensor *rope(tern_graph *g, tern_tensor *x, tern_tensor *cos, tern_tensor *sin,
                         bool inverse);

static void rope_backward(tn_step *s) {
    bool inverse = *(const bool *)s->node->attr;
    tn_grad_add(s, X, rope(s->g, s->dy, tn_in(s, COS), tn_in(s, SIN), !inverse));
}
static const tn_op op_rope = {
    .name = "rope", .needs = TN_NEED_IN(COS) | TN_NEED_IN(SIN), .backward_ops = rope_backward};

static tern_tensor *rope(tern_graph *g, tern_tensor *x, tern_tensor *cos, tern_tensor *sin,
                         bool inverse) {
    tern_tensor *in[N_IN] = {tern_contiguous(g, x), cos, sin};
    tern_tensor *y = in[X] ? tn_result_like(g, in[X]) : NULL;
    if (!y) return NULL;
    job j = {.n_heads = x->dim[1],
             .width = x->dim[2],
             .rotary = 2 * cos->dim[1],
             .f64 = tn_is_f64(y),
             .inverse = inverse,
             .x = in[X]->data,
             .cos = cos->data,
             .sin = sin->data,
             .y = y->data};
    tn_pool_for(g->pool, x->dim[0], tn_grain_rows(j.n_heads * j.width), turn, &j);
    y = tn_record(g, &op_rope, y, in, N_IN, &inverse, sizeof inverse);
    if (in[X] != x) tern_tensor_release(g, in[X]);
    return y;
}

tern_tensor *tern_rope(tern_graph *g, tern_tensor *x, tern_tensor *cos, tern_tensor *sin) {
    tern_tensor *in[N_IN] = {x, cos, sin};
    if (!tn_op_begin(g, "rope", in, N_IN)) return NULL;
    char tx[96], tc[96];
    if (x->rank != 3 || cos->rank != 2 || !tn_same_shape(cos, sin) || cos->dim[0] != x->dim[0] ||
        2 * cos->dim[1] > x->dim[2])
        return tn_graph_fail(g, TERN_ERR_SHAPE, "rope: x %s and tables %s; want [T,H,D], [T,R/2]",
                             tn_shape_text(x, tx, sizeof tx), tn_shape_text(cos, tc, sizeof tc));
    if (!tn_is_contiguous(cos) || !tn_is_contiguous(sin) || cos->requires_grad ||
        sin->requires_grad)
        return tn_graph_fail(g, TERN_ERR_ARG, "rope: tables are contiguous, without gradient");
    return rope(g, x, cos, sin, false);
}

tern_status tern_rope_tables(tern_graph *g, tern_dtype dtype, const int32_t *position,
                             size_t n_tokens, size_t rotary_dim, double theta,
                             const double *inv_freq, tern_tensor **cos_out, tern_tensor **sin_out) {
    size_t half = rotary_dim / 2;
    *cos_out = *sin_out = NULL;
    if ((dtype != TERN_F32 && dtype != TERN_F64) || rotary_dim % 2)
        tn_graph_fail(g, TERN_ERR_ARG, "rope_tables: F32 or F64, and an even dimension");
    tern_tensor *c = tn_result(g, dtype, TERN_SHAPE(n_tokens, half));
    tern_tensor *s = tn_result(g, dtype, TERN_SHAPE(n_tokens, half));
    if (!c || !s) return g->error.status;
    for (size_t i = 0; i < half; i++) {
        double freq = inv_freq ? inv_freq[i] : pow(theta, -2 * (double)i / (double)rotary_dim);
        for (size_t t = 0; t < n_tokens; t++) {
            double angle = position[t] * freq;
            if (dtype == TERN_F64) {
                ((double *)c->data)[t * half + i] = cos(angle);
                ((double *)s->data)[t * half + i] = sin(angle);
            } else {
                ((float *)c->data)[t * half + i] = (float)cos(angle);
                ((float *)s->data)[t * half + i] = (float)sin(angle);
            }
        }
    }
    *cos_out = c;
    *sin_out = s;
    return TERN_OK;
}
