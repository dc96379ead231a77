/* op_binary.c - a + b, a - b, a b, a / b, with broadcasting.
 * Where an input was stretched, tn_grad_add sums its gradient over the stretched axes. */
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"

#include "core/base/mem.h"

enum { ADD, SUB, MUL, DIV };

typedef struct job {
    int kind;
    void *y;
    const void *a, *b;
} job;

static void run_f32(void *ud, const size_t *at, const size_t *step, size_t n) {
    const job *j = ud;
    float *y = (float *)j->y + at[0];
    const float *a = (const float *)j->a + at[1], *b = (const float *)j->b + at[2];
    size_t p = step[1], q = step[2]; /* y is contiguous */
    bool dense = p == 1 && q == 1;
    switch (j->kind) {
    case ADD:
        if (dense)
            tn_kernels_get()->add(y, a, b, n);
        else
            for (size_t i = 0; i < n; i++) y[i] = a[i * p] + b[i * q];
        break;
    case SUB:
        for (size_t i = 0; i < n; i++) y[i] = a[i * p] - b[i * q];
        break;
    case MUL:
        if (dense)
            tn_kernels_get()->mul(y, a, b, n);
        else
            for (size_t i = 0; i < n; i++) y[i] = a[i * p] * b[i * q];
        break;
    default:
        for (size_t i = 0; i < n; i++) y[i] = a[i * p] / b[i * q];
    }
}

static void run_f64(void *ud, const size_t *at, const size_t *step, size_t n) {
    const job *j = ud;
    double *y = (double *)j->y + at[0];
    const double *a = (const double *)j->a + at[1], *b = (const double *)j->b + at[2];
    size_t p = step[1], q = step[2];
    for (size_t i = 0; i < n; i++, a += p, b += q)
        y[i] = j->kind == ADD   ? *a + *b
               : j->kind == SUB ? *a - *b
               : j->kind == MUL ? *a * *b
                                : *a / *b;
}

static tern_tensor *binary(tern_graph *g, const tn_op *op, int kind, tern_tensor *a,
                           tern_tensor *b) {
    tern_tensor *in[] = {a, b};
    size_t rank, dim[TERN_RANK_MAX];
    if (!tn_op_begin(g, op->name, in, 2)) return NULL;
    if (!tn_broadcast_shape(g, op->name, a, b, &rank, dim)) return NULL;
    tern_tensor *y = tn_result(g, a->dtype, rank, dim);
    if (!y) return NULL;
    job j = {kind, y->data, a->data, b->data};
    tn_each(g, (tern_tensor *[]){y, a, b}, 3, tn_is_f64(y) ? run_f64 : run_f32, &j);
    return tn_record(g, op, y, in, 2, NULL, 0);
}

/* dy passes through unchanged: it is shared, not copied. */
static void add_backward(tn_step *s) {
    tn_grad_add(s, 0, s->dy);
    tn_grad_add(s, 1, s->dy);
}
static const tn_op op_add = {.name = "add", .any_stride = true, .backward_ops = add_backward};

tern_tensor *tern_add(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    return binary(g, &op_add, ADD, a, b);
}

static void sub_backward(tn_step *s) {
    tn_grad_add(s, 0, s->dy);
    if (tn_wants(s, 1)) tn_grad_add(s, 1, tern_scale(s->g, s->dy, -1));
}
static const tn_op op_sub = {.name = "sub", .any_stride = true, .backward_ops = sub_backward};

tern_tensor *tern_sub(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    return binary(g, &op_sub, SUB, a, b);
}

/* da = dy b, db = dy a */
static void mul_backward(tn_step *s) {
    tern_tensor *a = tn_in(s, 0), *b = tn_in(s, 1);
    if (tn_wants(s, 0)) tn_grad_add(s, 0, tern_mul(s->g, s->dy, b));
    if (tn_wants(s, 1)) tn_grad_add(s, 1, tern_mul(s->g, s->dy, a));
}
static const tn_op op_mul = {
    .name = "mul", .needs = TN_NEED_INS, .any_stride = true, .backward_ops = mul_backward};

tern_tensor *tern_mul(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    return binary(g, &op_mul, MUL, a, b);
}

/* y = a / b: da = dy / b, db = -dy a / b^2 */
static void div_backward(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *a = tn_in(s, 0), *b = tn_in(s, 1), *da = tern_div(g, s->dy, b);
    tn_grad_add(s, 0, da);
    if (tn_wants(s, 1)) tn_grad_add(s, 1, tern_scale(g, tern_div(g, tern_mul(g, da, a), b), -1));
}
static const tn_op op_div = {
    .name = "div", .needs = TN_NEED_INS, .any_stride = true, .backward_ops = div_backward};

tern_tensor *tern_div(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    return binary(g, &op_div, DIV, a, b);
}
