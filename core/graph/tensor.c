/* tensor.c - making tensors, looking at them, and their shapes (graph.h, graph_priv.h). */
#include "core/graph/graph_priv.h"
#include <math.h>
#include <stdio.h>

#include "core/base/mem.h"

_Static_assert((int)TERN_F32 == TN_F32 && (int)TERN_BF16 == TN_BF16 && (int)TERN_F64 == TN_F64 &&
                   (int)TERN_I32 == TN_I32 && (int)TERN_I8 == TN_I8,
               "the public element types are those of the kernels");

/* ---- shapes ---- */

bool tn_is_contiguous(const tern_tensor *t) {
    size_t want = 1;
    for (size_t i = t->rank; i-- > 0;) {
        if (t->dim[i] != 1 && t->stride[i] != want) return tn_size(t) == 0;
        want *= t->dim[i];
    }
    return true;
}

bool tn_same_shape(const tern_tensor *a, const tern_tensor *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, a->rank * sizeof *a->dim) == 0;
}

void tn_set_shape(tern_tensor *t, size_t rank, const size_t *dim) {
    size_t stride = 1;
    t->rank = rank;
    for (size_t i = rank; i-- > 0;) {
        t->dim[i] = dim[i];
        t->stride[i] = stride;
        stride *= dim[i];
    }
}

bool tn_axis(tern_graph *g, const char *op, const tern_tensor *x, int axis, size_t *out) {
    long at = axis < 0 ? (long)x->rank + axis : axis;
    if (at < 0 || (size_t)at >= x->rank) {
        tn_graph_fail(g, TERN_ERR_SHAPE, "%s: no axis %d in a tensor of rank %zu", op, axis,
                      x->rank);
        return false;
    }
    *out = (size_t)at;
    return true;
}

const char *tn_shape_text(const tern_tensor *t, char *buf, size_t n) {
    size_t at = (size_t)snprintf(buf, n, "[");
    for (size_t i = 0; i < t->rank && at < n; i++)
        at += (size_t)snprintf(buf + at, n - at, i ? ",%zu" : "%zu", t->dim[i]);
    if (at < n) snprintf(buf + at, n - at, "]");
    return buf;
}

bool tn_broadcast_shape(tern_graph *g, const char *op, const tern_tensor *a, const tern_tensor *b,
                        size_t *rank, size_t *dim) {
    size_t n = a->rank > b->rank ? a->rank : b->rank;
    for (size_t i = 1; i <= n; i++) { /* from the end */
        size_t da = i <= a->rank ? a->dim[a->rank - i] : 1;
        size_t db = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (da != db && da != 1 && db != 1) {
            char ta[96], tb[96];
            tn_graph_fail(g, TERN_ERR_SHAPE, "%s: %s and %s do not broadcast", op,
                          tn_shape_text(a, ta, sizeof ta), tn_shape_text(b, tb, sizeof tb));
            return false;
        }
        dim[n - i] = da == 1 ? db : da;
    }
    *rank = n;
    return true;
}

/* ---- holds ---- */

void tn_hold(tern_tensor *t) {
    t->n_holds++;
}

void tn_drop(tern_graph *g, tern_tensor *t) {
    if (!t || !t->n_holds || --t->n_holds) return;
    tn_block_drop(&g->blocks, t->block);
    if (t->block) t->data = NULL;
    t->block = NULL;
}

void tern_tensor_release(tern_graph *g, tern_tensor *t) {
    if (!t || !t->handle || t->kept || t->name) return;
    t->handle = false;
    tn_drop(g, t);
}

tern_tensor *tern_tensor_keep(tern_tensor *t) {
    if (t) t->kept = true;
    return t;
}

tern_tensor *tern_tensor_want_grad(tern_tensor *t) {
    if (t && !t->node && (t->dtype == TERN_F32 || t->dtype == TERN_F64)) t->requires_grad = true;
    return t;
}

/* ---- making them ---- */

static tern_tensor *header(tern_graph *g) {
    if (g->error.status) return NULL;
    tern_tensor *t = tn_arena_alloc(&g->arena, sizeof *t);
    if (!t) return tn_graph_fail(g, TERN_ERR_NOMEM, "no memory for a tensor's header");
    *t = (tern_tensor){.n_holds = 1, .handle = true, .older = g->tensors};
    g->tensors = t;
    return t;
}

static bool shape_ok(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dim) {
    size_t n = 1;
    if ((unsigned)dtype > TERN_I8) {
        tn_graph_fail(g, TERN_ERR_ARG, "tensor: element type %d is none", (int)dtype);
        return false;
    }
    bool ok = rank <= TERN_RANK_MAX;
    for (size_t i = 0; ok && i < rank; i++) ok = !__builtin_mul_overflow(n, dim[i], &n);
    if (!ok || n > PTRDIFF_MAX / 8) {
        tn_graph_fail(g, TERN_ERR_SHAPE, "tensor: at most %d axes and 2^60 elements",
                      TERN_RANK_MAX);
        return false;
    }
    return true;
}

tern_tensor *tn_result(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dim) {
    if (g->error.status || !shape_ok(g, dtype, rank, dim)) return NULL;
    tern_tensor *t = header(g);
    if (!t) return NULL;
    t->dtype = dtype;
    tn_set_shape(t, rank, dim);
    size_t n_bytes = tn_size(t) * tn_dtype_size((tn_dtype)dtype);
    t->block = tn_block_new(&g->blocks, n_bytes);
    if (!t->block)
        return tn_graph_fail(g, TERN_ERR_NOMEM, "no memory for a tensor of %zu bytes", n_bytes);
    t->data = t->block->data;
    return t;
}

tern_tensor *tn_result_like(tern_graph *g, const tern_tensor *x) {
    return tn_result(g, x->dtype, x->rank, x->dim);
}

tern_tensor *tn_result_zeros(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dim) {
    tern_tensor *t = tn_result(g, dtype, rank, dim);
    if (t) memset(t->data, 0, tn_size(t) * tn_dtype_size((tn_dtype)dtype));
    return t;
}

tern_tensor *tn_view(tern_graph *g, tern_tensor *x) {
    tern_tensor *t = header(g);
    if (!t) return NULL;
    t->dtype = x->dtype;
    t->rank = x->rank;
    memcpy(t->dim, x->dim, sizeof t->dim);
    memcpy(t->stride, x->stride, sizeof t->stride);
    t->data = x->data;
    t->block = x->block;
    if (t->block) t->block->n_refs++;
    return t;
}

tern_tensor *tn_constant(tern_graph *g, tern_dtype dtype, double value) {
    tern_tensor *t = tn_result(g, dtype, 0, NULL);
    if (!t) return NULL;
    if (dtype == TERN_F64)
        *(double *)t->data = value;
    else
        *(float *)t->data = (float)value;
    return t;
}

tn_block *tn_scratch(tern_graph *g, size_t n, size_t size) {
    size_t n_bytes;
    tn_block *b =
        __builtin_mul_overflow(n, size, &n_bytes) ? NULL : tn_block_new(&g->blocks, n_bytes);
    if (!b) tn_graph_fail(g, TERN_ERR_NOMEM, "no memory for %zu x %zu bytes of scratch", n, size);
    return b;
}

tern_tensor *tern_tensor_new(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dims) {
    return tn_result(g, dtype, rank, dims);
}

tern_tensor *tern_tensor_zeros(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dims) {
    return tn_result_zeros(g, dtype, rank, dims);
}

tern_tensor *tern_tensor_from(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dims,
                              const void *data) {
    tern_tensor *t = tn_result(g, dtype, rank, dims);
    if (t) memcpy(t->data, data, tn_size(t) * tn_dtype_size((tn_dtype)dtype));
    return t;
}

tern_tensor *tern_tensor_borrow(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dims,
                                const void *data) {
    if (g->error.status || !shape_ok(g, dtype, rank, dims)) return NULL;
    tern_tensor *t = header(g);
    if (!t) return NULL;
    t->dtype = dtype;
    tn_set_shape(t, rank, dims);
    t->data = (void *)(uintptr_t)data; /* nothing writes to a leaf's value */
    return t;
}

/* ---- looking at them ---- */

tern_dtype tern_tensor_dtype(const tern_tensor *t) {
    return t ? t->dtype : TERN_F32;
}

size_t tern_tensor_rank(const tern_tensor *t) {
    return t ? t->rank : 0;
}

size_t tern_tensor_dim(const tern_tensor *t, int axis) {
    if (!t) return 0;
    long at = axis < 0 ? (long)t->rank + axis : axis;
    return at < 0 || (size_t)at >= t->rank ? 0 : t->dim[at];
}

size_t tern_tensor_size(const tern_tensor *t) {
    return t ? tn_size(t) : 0;
}

const char *tern_tensor_name(const tern_tensor *t) {
    return t && t->name ? t->name : "";
}

void *tern_tensor_data(const tern_tensor *t) {
    return t && t->data && tn_is_contiguous(t) ? t->data : NULL;
}

const tern_tensor *tern_tensor_grad(const tern_tensor *t) {
    return t && t->grad_set ? t->grad : NULL;
}

double tern_tensor_get(const tern_tensor *t, size_t i) {
    if (!t || !t->data || i >= tn_size(t)) return NAN;
    size_t at = 0;
    for (size_t k = t->rank; k-- > 0; i /= t->dim[k]) at += i % t->dim[k] * t->stride[k];
    switch (t->dtype) {
    case TERN_F32:
        return (double)((const float *)t->data)[at];
    case TERN_BF16:
        return (double)tn_bf16_get(((const tn_bf16 *)t->data)[at]);
    case TERN_F64:
        return ((const double *)t->data)[at];
    case TERN_I32:
        return ((const int32_t *)t->data)[at];
    default:
        return ((const int8_t *)t->data)[at];
    }
}
