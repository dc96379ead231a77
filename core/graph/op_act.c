/* op_act.c - smooth activations and gated units.
 *   gelu(x) = x Phi(x), gelu_tanh(x) = x (1 + tanh u) / 2, silu(x) = x sigmoid(x)
 *   swiglu(a, b) = silu(a) b, geglu(a, b) = gelu_tanh(a) b
 * One kernel each way; the slopes are written in operations too, for second order. */
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    tn_act kind;
    bool f64;
    void *y, *dgate, *dup;
    const void *gate, *up, *dy; /* up NULL: no gate, `gate` is x */
} job;

#define F32(p) ((float *)(p) + begin)
#define F64(p) ((double *)(p) + begin)

static void forward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    size_t n = end - begin;
    (void)worker;
    if (j->f64 && j->up)
        tn_kernels_f64_get()->glu(j->kind, F64(j->y), F64(j->gate), F64(j->up), n);
    else if (j->f64)
        tn_kernels_f64_get()->act(j->kind, F64(j->y), F64(j->gate), n);
    else if (j->up)
        tn_kernels_get()->glu(j->kind, F32(j->y), F32(j->gate), F32(j->up), n);
    else
        tn_kernels_get()->act(j->kind, F32(j->y), F32(j->gate), n);
}

static void backward(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    size_t n = end - begin;
    (void)worker;
    if (j->f64 && j->up)
        tn_kernels_f64_get()->glu_backward(j->kind, F64(j->dgate), F64(j->dup), F64(j->dy),
                                           F64(j->gate), F64(j->up), n);
    else if (j->f64)
        tn_kernels_f64_get()->act_backward(j->kind, F64(j->dgate), F64(j->dy), F64(j->gate), n);
    else if (j->up)
        tn_kernels_get()->glu_backward(j->kind, F32(j->dgate), F32(j->dup), F32(j->dy),
                                       F32(j->gate), F32(j->up), n);
    else
        tn_kernels_get()->act_backward(j->kind, F32(j->dgate), F32(j->dy), F32(j->gate), n);
}

static void act_backward(tn_step *s) {
    const tern_tensor *x = tn_in(s, 0);
    job j = {.kind = *(const tn_act *)s->node->attr,
             .f64 = tn_is_f64(x),
             .gate = x->data,
             .dy = s->dy->data,
             .dgate = tn_grad_zeroed(s, 0)};
    if (j.dgate) tn_pool_for(s->g->pool, tn_size(x), TN_GRAIN, backward, &j);
}

static tern_tensor *act(tern_graph *g, const tn_op *op, tn_act kind, tern_tensor *x) {
    if (!tn_op_begin(g, op->name, &x, 1)) return NULL;
    tern_tensor *in = tern_contiguous(g, x), *y = in ? tn_result_like(g, in) : NULL;
    if (!y) return NULL;
    job j = {.kind = kind, .f64 = tn_is_f64(x), .y = y->data, .gate = in->data};
    tn_pool_for(g->pool, tn_size(y), TN_GRAIN, forward, &j);
    y = tn_record(g, op, y, &in, 1, &kind, sizeof kind);
    if (in != x) tern_tensor_release(g, in);
    return y;
}

/* ---- silu: slope s (1 + x (1 - s)), s = sigmoid(x) ---- */

static tern_tensor *silu_slope(tern_graph *g, tern_tensor *x) {
    tern_tensor *s = tern_sigmoid(g, x);
    return tern_mul(g, s, tern_affine(g, tern_mul(g, x, tern_affine(g, s, -1, 1)), 1, 1));
}
static void silu_backward_ops(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, silu_slope(s->g, tn_in(s, 0))));
}
static const tn_op op_silu = {.name = "silu",
                              .needs = TN_NEED_INS,
                              .backward = act_backward,
                              .backward_ops = silu_backward_ops};

tern_tensor *tern_silu(tern_graph *g, tern_tensor *x) {
    return act(g, &op_silu, TN_ACT_SILU, x);
}

/* ---- gelu: slope Phi(x) + x phi(x) ---- */

static const double inv_sqrt_2pi = 0.3989422804014327, sqrt_half = 0.7071067811865476;

static tern_tensor *normal_density(tern_graph *g, tern_tensor *x) {
    return tern_scale(g, tern_exp(g, tern_scale(g, tern_mul(g, x, x), -0.5)), inv_sqrt_2pi);
}

static void cdf_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, normal_density(s->g, tn_in(s, 0))));
}
static const tn_op op_cdf = {
    .name = "normal_cdf", .needs = TN_NEED_INS, .backward_ops = cdf_backward};

static tern_tensor *normal_cdf(tern_graph *g, tern_tensor *x) { /* x: contiguous */
    tern_tensor *y = tn_result_like(g, x);
    for (size_t i = 0, n = y ? tn_size(y) : 0; i < n; i++) {
        if (tn_is_f64(y))
            ((double *)y->data)[i] = 0.5 * erfc(-((double *)x->data)[i] * sqrt_half);
        else
            ((float *)y->data)[i] = (float)(0.5 * erfc(-(double)((float *)x->data)[i] * sqrt_half));
    }
    return tn_record(g, &op_cdf, y, &x, 1, NULL, 0);
}

static void gelu_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *x = tn_in(s, 0);
    tern_tensor *slope = tern_add(g, normal_cdf(g, x), tern_mul(g, x, normal_density(g, x)));
    tn_grad_add(s, 0, tern_mul(g, s->dy, slope));
}
static const tn_op op_gelu = {.name = "gelu",
                              .needs = TN_NEED_INS,
                              .backward = act_backward,
                              .backward_ops = gelu_backward_ops};

tern_tensor *tern_gelu(tern_graph *g, tern_tensor *x) {
    return act(g, &op_gelu, TN_ACT_GELU, x);
}

/* ---- gelu_tanh, u = c (x + a x^3): slope (1 + t) / 2 + x (1 - t^2) c (1 + 3 a x^2) / 2 ---- */

static tern_tensor *gelu_tanh_slope(tern_graph *g, tern_tensor *x) {
    const double c = 0.7978845608028654, a = 0.044715; /* c = sqrt(2 / pi) */
    tern_tensor *xx = tern_mul(g, x, x);
    tern_tensor *t = tern_tanh(g, tern_scale(g, tern_mul(g, x, tern_affine(g, xx, a, 1)), c));
    tern_tensor *inner = tern_mul(g, x, tern_affine(g, xx, 1.5 * c * a, 0.5 * c));
    tern_tensor *tail = tern_mul(g, inner, tern_affine(g, tern_mul(g, t, t), -1, 1));
    return tern_add(g, tern_affine(g, t, 0.5, 0.5), tail);
}
static void gelu_tanh_backward_ops(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, gelu_tanh_slope(s->g, tn_in(s, 0))));
}
static const tn_op op_gelu_tanh = {.name = "gelu_tanh",
                                   .needs = TN_NEED_INS,
                                   .backward = act_backward,
                                   .backward_ops = gelu_tanh_backward_ops};

tern_tensor *tern_gelu_tanh(tern_graph *g, tern_tensor *x) {
    return act(g, &op_gelu_tanh, TN_ACT_GELU_TANH, x);
}

/* ---- gated units: dgate = dy up act'(gate), dup = dy act(gate) ---- */

static void glu_backward(tn_step *s) {
    const tern_tensor *gate = tn_in(s, 0);
    tn_block *spare[2] = {NULL, NULL};
    void *out[2];
    size_t n = tn_size(gate), unit = tn_dtype_size((tn_dtype)gate->dtype);
    for (size_t i = 0; i < 2;
         i++) { /* the kernel makes both: one that nobody wants is thrown away */
        if (tn_wants(s, i)) {
            out[i] = tn_grad_zeroed(s, i);
        } else {
            spare[i] = tn_scratch(s->g, n, unit);
            out[i] = spare[i] ? memset(spare[i]->data, 0, n * unit) : NULL;
        }
    }
    job j = {.kind = *(const tn_act *)s->node->attr,
             .f64 = tn_is_f64(gate),
             .gate = gate->data,
             .up = tn_in(s, 1)->data,
             .dy = s->dy->data,
             .dgate = out[0],
             .dup = out[1]};
    if (out[0] && out[1]) tn_pool_for(s->g->pool, n, TN_GRAIN, backward, &j);
    for (size_t i = 0; i < 2; i++) tn_block_drop(&s->g->blocks, spare[i]);
}

static void glu_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    bool silu = *(const tn_act *)s->node->attr == TN_ACT_SILU;
    tern_tensor *gate = tn_in(s, 0), *up = tn_in(s, 1);
    tern_tensor *slope = silu ? silu_slope(g, gate) : gelu_tanh_slope(g, gate);
    tern_tensor *value = silu ? tern_silu(g, gate) : tern_gelu_tanh(g, gate);
    tn_grad_add(s, 0, tern_mul(g, tern_mul(g, s->dy, up), slope));
    tn_grad_add(s, 1, tern_mul(g, s->dy, value));
}
static const tn_op op_glu = {.name = "glu",
                             .needs = TN_NEED_INS,
                             .backward = glu_backward,
                             .backward_ops = glu_backward_ops};

static tern_tensor *glu(tern_graph *g, tn_act kind, tern_tensor *gate, tern_tensor *up) {
    tern_tensor *in[] = {gate, up};
    if (!tn_op_begin(g, "glu", in, 2)) return NULL;
    char ta[96], tb[96];
    if (!tn_same_shape(gate, up))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "glu: gate %s and up %s differ",
                             tn_shape_text(gate, ta, sizeof ta), tn_shape_text(up, tb, sizeof tb));
    in[0] = tern_contiguous(g, gate);
    in[1] = tern_contiguous(g, up);
    tern_tensor *y = in[0] && in[1] ? tn_result_like(g, in[0]) : NULL;
    if (!y) return NULL;
    job j = {
        .kind = kind, .f64 = tn_is_f64(y), .y = y->data, .gate = in[0]->data, .up = in[1]->data};
    tn_pool_for(g->pool, tn_size(y), TN_GRAIN, forward, &j);
    return tn_record(g, &op_glu, y, in, 2, &kind, sizeof kind);
}

tern_tensor *tern_swiglu(tern_graph *g, tern_tensor *gate, tern_tensor *up) {
    return glu(g, TN_ACT_SILU, gate, up);
}

tern_tensor *tern_geglu(tern_graph *g, tern_tensor *gate, tern_tensor *up) {
    return glu(g, TN_ACT_GELU_TANH, gate, up);
}
