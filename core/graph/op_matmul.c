/* op_matmul.c - products of stacks of matrices.
 *   y[..,M,N] = a[..,M,K] b[..,K,N]
 *   da (+)= dy b^T, db (+)= a^T dy
 * A matrix whose rows or whose columns are adjacent goes to the product as it lies, transposed or
 * not; anything else is copied first. */
#include "core/graph/op_matmul.h"

#include "core/base/mem.h"

/* The last two axes of t as an operand. false: neither axis is adjacent. */
static bool as_operand(const tern_tensor *t, tn_mat *out) {
    size_t rows = t->dim[t->rank - 2], columns = t->dim[t->rank - 1];
    size_t down = t->stride[t->rank - 2], across = t->stride[t->rank - 1];
    *out = (tn_mat){.data = t->data, .dtype = (tn_dtype)t->dtype};
    if ((across == 1 || columns == 1) && (down >= columns || rows == 1)) {
        out->ld = rows == 1 ? columns : down;
        return true;
    }
    out->trans = true;
    out->ld = columns == 1 ? rows : across;
    return (down == 1 || rows == 1) && out->ld >= rows;
}

static tern_tensor *operand(tern_graph *g, tern_tensor *t, tn_mat *out) {
    if (as_operand(t, out)) return t;
    bool was = tern_graph_set_inference(g, true); /* a copy for this product alone */
    t = tern_contiguous(g, t);
    tern_graph_set_inference(g, was);
    return t && as_operand(t, out) ? t : NULL;
}

/* The leading axes of a stack: how far apart its matrices lie; 0 where it is stretched. */
typedef struct stack {
    size_t rank, dim[TERN_RANK_MAX], a[TERN_RANK_MAX], b[TERN_RANK_MAX], c[TERN_RANK_MAX];
} stack;

static size_t stack_stride(const tern_tensor *t, size_t rank, size_t axis) {
    size_t missing = rank - t->rank;
    return axis < missing || t->dim[axis - missing] == 1 ? 0 : t->stride[axis - missing];
}

static stack stack_of(const tern_tensor *a, const tern_tensor *b, const tern_tensor *c) {
    stack k = {0};
    for (size_t i = 0; i + 2 < c->rank; i++) {
        size_t d = c->dim[i], sa = stack_stride(a, c->rank, i), sb = stack_stride(b, c->rank, i),
               sc = c->stride[i], last = k.rank - 1;
        if (d == 1) continue;
        bool merge = k.rank && k.a[last] == sa * d && k.b[last] == sb * d && k.c[last] == sc * d;
        size_t at = merge ? last : k.rank++;
        k.dim[at] = merge ? k.dim[at] * d : d;
        k.a[at] = sa;
        k.b[at] = sb;
        k.c[at] = sc;
    }
    return k;
}

bool tn_product(tern_graph *g, tern_tensor *c, tern_tensor *a, tern_tensor *b, bool add,
                const tn_epilogue *epilogue) {
    tern_tensor *mark = g->tensors;
    tn_mat ma, mb;
    tern_error err;
    if (tn_size(c) == 0) return true;
    tern_tensor *ca = operand(g, a, &ma), *cb = ca ? operand(g, b, &mb) : NULL;
    if (!cb) return false;
    stack k = stack_of(ca, cb, c);
    size_t unit = tn_dtype_size((tn_dtype)c->dtype), n_products = 1, n_outer = 1;
    if (k.rank) n_products = k.dim[k.rank - 1];
    for (size_t i = 0; i + 1 < k.rank; i++) n_outer *= k.dim[i];
    tn_gemm_args args = {.m = c->dim[c->rank - 2],
                         .n = c->dim[c->rank - 1],
                         .k = a->dim[a->rank - 1],
                         .a = ma,
                         .b = mb,
                         .c_type = (tn_dtype)c->dtype,
                         .ldc = c->dim[c->rank - 1],
                         .alpha = 1,
                         .accumulate = add,
                         .bf16 = g->opts.bf16 && !tn_is_f64(c),
                         .epilogue = epilogue};
    tern_status st = TERN_OK;
    for (size_t o = 0; o < n_outer && st == TERN_OK; o++) {
        size_t at_a = 0, at_b = 0, at_c = 0;
        for (size_t i = k.rank ? k.rank - 1 : 0, r = o; i-- > 0; r /= k.dim[i]) {
            at_a += r % k.dim[i] * k.a[i];
            at_b += r % k.dim[i] * k.b[i];
            at_c += r % k.dim[i] * k.c[i];
        }
        args.a.data = (const char *)ma.data + at_a * unit;
        args.b.data = (const char *)mb.data + at_b * unit;
        args.c = (char *)c->data + at_c * unit;
        if (n_products == 1)
            st = tn_gemm_run(g->gemm, &args, &err);
        else
            st = tn_gemm_run_batch(g->gemm, &args, n_products, k.a[k.rank - 1], k.b[k.rank - 1],
                                   k.c[k.rank - 1], &err);
    }
    tn_scope_end(g, mark, NULL);
    if (st != TERN_OK) tn_graph_fail(g, st, "matmul: %s", err.text);
    return st == TERN_OK;
}

tern_tensor tn_transposed(const tern_tensor *t) {
    tern_tensor u = *t;
    size_t i = t->rank - 2, j = t->rank - 1;
    u.dim[i] = t->dim[j], u.dim[j] = t->dim[i];
    u.stride[i] = t->stride[j], u.stride[j] = t->stride[i];
    return u;
}

/* The gradient of input i as a product of two stacks, straight into its place; where the input was
 * stretched over the stack, by way of a sum. */
static void product_grad(tn_step *s, size_t i, tern_tensor *a, tern_tensor *b) {
    tern_tensor *in = tn_in(s, i), grad = *in;
    bool add;
    if (!tn_wants(s, i)) return;
    if (in->rank != s->dy->rank ||
        memcmp(in->dim, s->dy->dim, (in->rank - 2) * sizeof *in->dim) != 0) {
        size_t dim[TERN_RANK_MAX];
        memcpy(dim, s->dy->dim, sizeof dim);
        dim[s->dy->rank - 2] = a->dim[a->rank - 2];
        dim[s->dy->rank - 1] = b->dim[b->rank - 1];
        tern_tensor *dx = tn_result(s->g, in->dtype, s->dy->rank, dim);
        if (dx && tn_product(s->g, dx, a, b, false, NULL)) tn_grad_add(s, i, dx);
        return;
    }
    tn_set_shape(&grad, in->rank, in->dim);
    grad.data = tn_grad_out(s, i, &add);
    if (grad.data) (void)tn_product(s->g, &grad, a, b, add, NULL); /* an error is sticky */
}

static void matmul_backward(tn_step *s) {
    tern_tensor ta = tn_transposed(tn_in(s, 0)), tb = tn_transposed(tn_in(s, 1));
    product_grad(s, 0, s->dy, &tb);
    product_grad(s, 1, &ta, s->dy);
}

static void matmul_backward_ops(tn_step *s) {
    tern_graph *g = s->g;
    tern_tensor *a = tn_in(s, 0), *b = tn_in(s, 1);
    if (tn_wants(s, 0)) tn_grad_add(s, 0, tern_matmul(g, s->dy, tern_transpose(g, b, -1, -2)));
    if (tn_wants(s, 1)) tn_grad_add(s, 1, tern_matmul(g, tern_transpose(g, a, -1, -2), s->dy));
}

static const tn_op op_matmul = {.name = "matmul",
                                .needs = TN_NEED_INS,
                                .any_stride = true,
                                .backward = matmul_backward,
                                .backward_ops = matmul_backward_ops};

/* A stack times one matrix is one tall product. */
static tern_tensor *tall(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    size_t dim[TERN_RANK_MAX];
    tern_tensor *flat = tern_reshape(g, a, TERN_SHAPE(tn_rows(a), tn_last(a)));
    tern_tensor *y = tern_matmul(g, flat, b);
    memcpy(dim, a->dim, sizeof dim);
    dim[a->rank - 1] = b->dim[1];
    tern_tensor *shaped = y ? tern_reshape(g, y, a->rank, dim) : NULL;
    tern_tensor_release(g, flat);
    tern_tensor_release(g, y);
    return shaped;
}

tern_tensor *tern_matmul(tern_graph *g, tern_tensor *a, tern_tensor *b) {
    tern_tensor *in[] = {a, b};
    if (!tn_op_begin(g, "matmul", in, 2)) return NULL;
    char ta[96], tb[96];
    if (a->rank < 2 || b->rank < 2 || a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return tn_graph_fail(g, TERN_ERR_SHAPE, "matmul: %s times %s does not fit",
                             tn_shape_text(a, ta, sizeof ta), tn_shape_text(b, tb, sizeof tb));
    if (b->rank == 2 && a->rank > 2) return tall(g, a, b);
    tern_tensor sa = *a, sb = *b; /* the stacks alone decide what stretches */
    size_t rank, dim[TERN_RANK_MAX];
    sa.dim[a->rank - 2] = sa.dim[a->rank - 1] = sb.dim[b->rank - 2] = sb.dim[b->rank - 1] = 1;
    if (!tn_broadcast_shape(g, "matmul", &sa, &sb, &rank, dim)) return NULL;
    dim[rank - 2] = a->dim[a->rank - 2];
    dim[rank - 1] = b->dim[b->rank - 1];
    tern_tensor *y = tn_result(g, a->dtype, rank, dim);
    if (!y || !tn_product(g, y, a, b, false, NULL)) return NULL;
    return tn_record(g, &op_matmul, y, in, 2, NULL, 0);
}
