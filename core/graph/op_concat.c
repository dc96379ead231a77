/* op_concat.c - tensors one after the other along an axis; each gets its slice of dy back. */
#include "core/graph/each.h"
#include "core/graph/graph_priv.h"

#include "core/base/mem.h"

static void concat_backward(tn_step *s) {
    size_t axis = *(const size_t *)s->node->attr, begin = 0;
    for (size_t i = 0; i < s->node->n_in; i++) {
        size_t n = tn_in(s, i)->dim[axis];
        if (tn_wants(s, i)) tn_grad_add(s, i, tern_slice(s->g, s->dy, (int)axis, begin, begin + n));
        begin += n;
    }
}

static const tn_op op_concat = {
    .name = "concat", .any_stride = true, .backward_ops = concat_backward};

tern_tensor *tern_concat(tern_graph *g, int axis, tern_tensor *const *xs, size_t n) {
    size_t at, dim[TERN_RANK_MAX];
    if (!n) return tn_graph_fail(g, TERN_ERR_ARG, "concat: of nothing");
    if (!tn_op_begin(g, "concat", xs, n) || !tn_axis(g, "concat", xs[0], axis, &at)) return NULL;
    memcpy(dim, xs[0]->dim, sizeof dim);
    for (size_t i = 1; i < n; i++) {
        bool fits = xs[i]->rank == xs[0]->rank;
        for (size_t k = 0; fits && k < xs[0]->rank; k++)
            fits = k == at || xs[i]->dim[k] == xs[0]->dim[k];
        char ta[96], tb[96];
        if (!fits)
            return tn_graph_fail(g, TERN_ERR_SHAPE, "concat: %s and %s differ off axis %zu",
                                 tn_shape_text(xs[0], ta, sizeof ta),
                                 tn_shape_text(xs[i], tb, sizeof tb), at);
        dim[at] += xs[i]->dim[at];
    }
    tern_tensor *y = tn_result(g, xs[0]->dtype, xs[0]->rank, dim);
    if (!y) return NULL;
    tern_tensor part = *y;
    for (size_t i = 0; i < n; i++) {
        size_t unit = tn_dtype_size((tn_dtype)y->dtype);
        part.dim[at] = xs[i]->dim[at];
        tn_copy(g, &part, xs[i], false);
        part.data = (char *)part.data + part.dim[at] * part.stride[at] * unit;
    }
    return tn_record(g, &op_concat, y, xs, n, &at, sizeof at);
}
