/* op_cast.c - another element type. A gradient is never less than f32: that of a bf16 tensor is
 * carried in f32, so casting back and forth rounds values, not gradients. */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

typedef struct job {
    tern_dtype from, to;
    const void *x;
    void *y;
} job;

static void convert(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    const tn_kernels *k = tn_kernels_get();
    size_t n = end - begin;
    (void)worker;
    if (j->from == TERN_F32 && j->to == TERN_BF16)
        k->bf16_from_f32((tn_bf16 *)j->y + begin, (const float *)j->x + begin, n);
    else if (j->from == TERN_BF16 && j->to == TERN_F32)
        k->f32_from_bf16((float *)j->y + begin, (const tn_bf16 *)j->x + begin, n);
    else
        for (size_t i = begin; i < end; i++) { /* to or from f64: rare */
            double v = j->from == TERN_F64    ? ((const double *)j->x)[i]
                       : j->from == TERN_BF16 ? (double)tn_bf16_get(((const tn_bf16 *)j->x)[i])
                                              : (double)((const float *)j->x)[i];
            if (j->to == TERN_F64)
                ((double *)j->y)[i] = v;
            else if (j->to == TERN_BF16)
                ((tn_bf16 *)j->y)[i] = tn_bf16_set((float)v);
            else
                ((float *)j->y)[i] = (float)v;
        }
}

static void cast_backward(tn_step *s) {
    tern_dtype to = tn_in(s, 0)->dtype == TERN_F64 ? TERN_F64 : TERN_F32;
    tn_grad_add(s, 0, tern_cast(s->g, s->dy, to));
}
static const tn_op op_cast = {.name = "cast", .backward_ops = cast_backward};

static bool is_real(tern_dtype t) {
    return t == TERN_F32 || t == TERN_BF16 || t == TERN_F64;
}

tern_tensor *tern_cast(tern_graph *g, tern_tensor *x, tern_dtype dtype) {
    if (!tn_value_begin(g, "cast", x)) return NULL;
    if (!is_real(x->dtype) || !is_real(dtype))
        return tn_graph_fail(g, TERN_ERR_ARG, "cast: between F32, BF16 and F64 only");
    if (x->dtype == dtype) return x;
    if (!tn_is_contiguous(x)) x = tern_contiguous(g, x);
    tern_tensor *y = x ? tn_result(g, dtype, x->rank, x->dim) : NULL;
    if (!y) return NULL;
    job j = {x->dtype, dtype, x->data, y->data};
    tn_pool_for(g->pool, tn_size(y), TN_GRAIN, convert, &j);
    return tn_record(g, &op_cast, y, &x, 1, NULL, 0);
}
