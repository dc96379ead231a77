/* op_view.c - the same numbers under another shape: views, and the copy when there must be one.
 * A view shares the memory of its input, so backward hands on a view of dy. */
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"

#include "core/base/mem.h"

/* Integers and masks have shapes too, but no gradient. */
static tern_tensor *record_view(tern_graph *g, const tn_op *op, tern_tensor *y, tern_tensor *x,
                                const void *attr, size_t attr_bytes) {
    return tn_record(g, op, y, &x, 1, attr, attr_bytes);
}

/* ---- reshape ---- */

static void reshape_backward(tn_step *s) {
    tern_tensor *x = tn_in(s, 0);
    tn_grad_add(s, 0, tern_reshape(s->g, s->dy, x->rank, x->dim));
}
static const tn_op op_reshape = {.name = "reshape", .backward_ops = reshape_backward};

tern_tensor *tern_reshape(tern_graph *g, tern_tensor *x, size_t rank, const size_t *dims) {
    if (!tn_value_begin(g, "reshape", x)) return NULL;
    size_t n = 1;
    bool ok = rank <= TERN_RANK_MAX;
    for (size_t i = 0; ok && i < rank; i++) ok = !__builtin_mul_overflow(n, dims[i], &n);
    char text[96];
    if (!ok || n != tn_size(x))
        return tn_graph_fail(g, TERN_ERR_SHAPE, "reshape: %s has %zu elements, the new shape %zu",
                             tn_shape_text(x, text, sizeof text), tn_size(x), n);
    size_t dim[TERN_RANK_MAX]; /* dims may be those of a tensor that changes */
    memcpy(dim, dims, rank * sizeof *dim);
    tern_tensor *flat = tern_contiguous(g, x), *y = flat ? tn_view(g, flat) : NULL;
    if (!y) return NULL;
    tn_set_shape(y, rank, dim);
    y = record_view(g, &op_reshape, y, flat, NULL, 0);
    if (flat != x) tern_tensor_release(g, flat);
    return y;
}

/* ---- permute ---- */

typedef struct permute_attr {
    int order[TERN_RANK_MAX];
} permute_attr;

static void permute_backward(tn_step *s) {
    const permute_attr *a = s->node->attr;
    int back[TERN_RANK_MAX];
    for (size_t i = 0; i < s->dy->rank; i++) back[a->order[i]] = (int)i;
    tn_grad_add(s, 0, tern_permute(s->g, s->dy, back));
}
static const tn_op op_permute = {
    .name = "permute", .any_stride = true, .backward_ops = permute_backward};

tern_tensor *tern_permute(tern_graph *g, tern_tensor *x, const int *order) {
    if (!tn_value_begin(g, "permute", x)) return NULL;
    permute_attr a = {{0}};
    unsigned seen = 0;
    for (size_t i = 0; i < x->rank; i++) {
        size_t axis;
        if (!tn_axis(g, "permute", x, order[i], &axis)) return NULL;
        a.order[i] = (int)axis;
        seen |= 1u << axis;
    }
    if (seen != (1u << x->rank) - 1)
        return tn_graph_fail(g, TERN_ERR_ARG, "permute: an axis is named twice");
    tern_tensor *y = tn_view(g, x);
    if (!y) return NULL;
    for (size_t i = 0; i < x->rank; i++) {
        y->dim[i] = x->dim[a.order[i]];
        y->stride[i] = x->stride[a.order[i]];
    }
    return record_view(g, &op_permute, y, x, &a, sizeof a);
}

tern_tensor *tern_transpose(tern_graph *g, tern_tensor *x, int axis_a, int axis_b) {
    if (!tn_value_begin(g, "transpose", x)) return NULL;
    size_t a, b;
    if (!tn_axis(g, "transpose", x, axis_a, &a) || !tn_axis(g, "transpose", x, axis_b, &b))
        return NULL;
    int order[TERN_RANK_MAX];
    for (size_t i = 0; i < x->rank; i++) order[i] = (int)(i == a ? b : i == b ? a : i);
    return tern_permute(g, x, order);
}

/* ---- broadcast ---- */

static void broadcast_backward(tn_step *s) {
    tn_grad_add(s, 0, s->dy); /* sums */
}
static const tn_op op_broadcast = {
    .name = "broadcast_to", .any_stride = true, .backward_ops = broadcast_backward};

tern_tensor *tern_broadcast_to(tern_graph *g, tern_tensor *x, size_t rank, const size_t *dims) {
    if (!tn_value_begin(g, "broadcast_to", x)) return NULL;
    bool ok = rank <= TERN_RANK_MAX && rank >= x->rank;
    for (size_t i = 0; ok && i < x->rank; i++)
        ok = x->dim[i] == 1 || x->dim[i] == dims[rank - x->rank + i];
    char text[96];
    if (!ok)
        return tn_graph_fail(g, TERN_ERR_SHAPE, "broadcast_to: %s does not stretch to that shape",
                             tn_shape_text(x, text, sizeof text));
    tern_tensor *y = tn_view(g, x);
    if (!y) return NULL;
    size_t missing = rank - x->rank;
    y->rank = rank;
    for (size_t i = 0; i < rank; i++) {
        bool stretched = i < missing || x->dim[i - missing] == 1;
        y->dim[i] = dims[i];
        y->stride[i] = stretched ? 0 : x->stride[i - missing];
    }
    return record_view(g, &op_broadcast, y, x, NULL, 0);
}

/* ---- slice ---- */

typedef struct slice_attr {
    size_t axis, begin;
} slice_attr;

static const tn_op op_pad;

/* dx is zero but for the slice. Straight into the gradient, or as an operation of its own. */
static void slice_backward(tn_step *s) {
    const slice_attr *a = s->node->attr;
    tern_tensor *x = tn_in(s, 0), part = *x;
    char *dx = tn_grad_zeroed(s, 0);
    if (!dx) return;
    tn_set_shape(&part, x->rank, x->dim);
    part.data = dx + a->begin * part.stride[a->axis] * tn_dtype_size((tn_dtype)x->dtype);
    part.dim[a->axis] = s->dy->dim[a->axis];
    tn_copy(s->g, &part, s->dy, true);
}

static void slice_backward_ops(tn_step *s) {
    const slice_attr *a = s->node->attr;
    tern_tensor *x = tn_in(s, 0);
    tern_tensor *dx = tn_result_zeros(s->g, x->dtype, x->rank, x->dim), part;
    if (!dx) return;
    part = *dx;
    part.data =
        (char *)dx->data + a->begin * part.stride[a->axis] * tn_dtype_size((tn_dtype)x->dtype);
    part.dim[a->axis] = s->dy->dim[a->axis];
    tn_copy(s->g, &part, s->dy, true);
    slice_attr attr = {a->axis, a->begin};
    tn_grad_add(s, 0, tn_record(s->g, &op_pad, dx, &s->dy, 1, &attr, sizeof attr));
}
static const tn_op op_slice = {.name = "slice",
                               .any_stride = true,
                               .backward = slice_backward,
                               .backward_ops = slice_backward_ops};

/* The transpose of slice: x between zeros. */
static void pad_backward(tn_step *s) {
    const slice_attr *a = s->node->attr;
    tn_grad_add(
        s, 0,
        tern_slice(s->g, s->dy, (int)a->axis, a->begin, a->begin + tn_in(s, 0)->dim[a->axis]));
}
static const tn_op op_pad = {.name = "pad", .any_stride = true, .backward_ops = pad_backward};

tern_tensor *tern_slice(tern_graph *g, tern_tensor *x, int axis, size_t begin, size_t end) {
    if (!tn_value_begin(g, "slice", x)) return NULL;
    slice_attr a = {.begin = begin};
    if (!tn_axis(g, "slice", x, axis, &a.axis)) return NULL;
    if (begin > end || end > x->dim[a.axis])
        return tn_graph_fail(g, TERN_ERR_SHAPE, "slice: [%zu, %zu) is outside an axis of %zu",
                             begin, end, x->dim[a.axis]);
    tern_tensor *y = tn_view(g, x);
    if (!y) return NULL;
    y->dim[a.axis] = end - begin;
    y->data = (char *)x->data + begin * x->stride[a.axis] * tn_dtype_size((tn_dtype)x->dtype);
    return record_view(g, &op_slice, y, x, &a, sizeof a);
}

/* ---- contiguous ---- */

static void copy_backward(tn_step *s) {
    tn_grad_add(s, 0, s->dy);
}
static const tn_op op_contiguous = {
    .name = "contiguous", .any_stride = true, .backward_ops = copy_backward};

tern_tensor *tern_contiguous(tern_graph *g, tern_tensor *x) {
    if (!tn_value_begin(g, "contiguous", x)) return NULL;
    if (tn_is_contiguous(x)) return x;
    if (x->dtype != TERN_F32 && x->dtype != TERN_F64)
        return tn_graph_fail(g, TERN_ERR_ARG, "contiguous: only views of F32 and F64 are copied");
    tern_tensor *y = tn_result_like(g, x);
    if (!y) return NULL;
    tn_copy(g, y, x, false);
    return tn_record(g, &op_contiguous, y, &x, 1, NULL, 0);
}

tern_tensor *tern_detach(tern_graph *g, tern_tensor *x) {
    return tn_value_begin(g, "detach", x) ? tn_view(g, x) : NULL;
}
