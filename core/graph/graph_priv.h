/* graph_priv.h - what an operation sees of tensors, the tape and the graph.
 * An operation is one file: a function that checks shapes and computes (forward), a function that
 * passes gradients on (backward), and a tn_op that names them. docs/GRAPH.md builds one. */
#ifndef TN_GRAPH_PRIV_H
#define TN_GRAPH_PRIV_H
#include "core/base/arena.h"
#include "core/base/pool.h"
#include "core/graph/block.h"
#include "core/kernels/gemm.h"
#include "tern/graph.h"

typedef struct tn_node tn_node;

struct tern_tensor {
    tern_dtype dtype;
    size_t rank, dim[TERN_RANK_MAX], stride[TERN_RANK_MAX]; /* elements; 0 where broadcast */
    void *data;                                             /* NULL once nobody holds the value */
    tn_block *block;  /* carries data, shared by views; NULL: the caller's or a registry's memory */
    uint32_t n_holds; /* the caller's handle, and each backward that reads the value */
    bool handle;      /* the caller's hold is still there */
    bool kept;        /* backward leaves the handle alone */
    bool requires_grad; /* some gradient flows into or through it */
    bool grad_set;      /* leaves: `grad` holds something to add to */
    tn_node *node;      /* how it was made; NULL: a leaf */
    tern_tensor *adj;   /* its gradient during a walk */
    tern_tensor *grad;  /* leaves: what backward leaves; a parameter's lies in its slab */
    const char *name;   /* parameters */
    tern_tensor *older; /* the list of the graph's tensors, for scopes */
};

/* ---- operations ---- */

typedef struct tn_step tn_step;

enum { TN_NEED_OUT = 1u << 31, TN_NEED_INS = 0xff };
#define TN_NEED_IN(i) (1u << (i))

typedef struct tn_op {
    const char *name;
    unsigned needs;  /* values that backward reads: TN_NEED_IN(i), _INS (the first 8), _OUT; all
                        others may be freed before */
    bool any_stride; /* backward takes dy as it comes; else it is made contiguous first */
    /* Kernels: first order only. NULL: backward_ops serves for that too. */
    void (*backward)(tn_step *s);
    /* The same in operations, which have gradients themselves. NULL: no second order. */
    void (*backward_ops)(tn_step *s);
} tn_op;

struct tn_node {
    const tn_op *op;
    tern_tensor *out;
    size_t n_in;
    tern_tensor **in;
    tern_tensor *saved[2]; /* what forward left for backward; freed with the node */
    void *attr;            /* the operation's own constants */
};

/* One visit of backward. */
struct tn_step {
    tern_graph *g;
    const tn_node *node;
    tern_tensor *dy; /* gradient of node->out */
    bool recorded;   /* second order: the gradient goes on the tape too */
    bool leaves;     /* gradients of leaves go to tern_tensor.grad */
};

/* ---- forward ---- */

/* Note an error; the first one stays. Returns NULL, so that an operation can end in it. */
tern_tensor *tn_graph_fail(tern_graph *g, tern_status status, const char *fmt, ...)
    TERN_PRINTF(3, 4);
/* Forward may begin: no error so far, no NULL, values there, all F32 or all F64. */
bool tn_op_begin(tern_graph *g, const char *name, tern_tensor *const *in, size_t n);
/* The same for one value of any element type. */
bool tn_value_begin(tern_graph *g, const char *name, const tern_tensor *x);
/* A fresh result, contiguous and uninitialised. NULL: error noted. */
tern_tensor *tn_result(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dim);
tern_tensor *tn_result_like(tern_graph *g, const tern_tensor *x);
tern_tensor *tn_result_zeros(tern_graph *g, tern_dtype dtype, size_t rank, const size_t *dim);
/* A tensor over the memory of x; the caller sets shape, strides, data. NULL: error noted. */
tern_tensor *tn_view(tern_graph *g, tern_tensor *x);
/* Put y = op(in) on the tape, if recording and some input wants a gradient. attr is copied. Returns
 * y; NULL on no memory, or if y is NULL. */
tern_tensor *tn_record(tern_graph *g, const tn_op *op, tern_tensor *y, tern_tensor *const *in,
                       size_t n_in, const void *attr, size_t attr_bytes);
/* The same without asking whether. */
tern_tensor *tn_record_always(tern_graph *g, const tn_op *op, tern_tensor *y,
                              tern_tensor *const *in, size_t n_in, const void *attr,
                              size_t attr_bytes);
bool tn_will_record(const tern_graph *g, tern_tensor *const *in, size_t n);
/* Hand t to y's node for backward (slot 0 or 1), or drop it if y has none. NULL t allowed. */
void tn_save(tern_graph *g, tern_tensor *y, int slot, tern_tensor *t);

/* ---- backward ---- */

static inline tern_tensor *tn_in(const tn_step *s, size_t i) {
    return s->node->in[i];
}
static inline bool tn_wants(const tn_step *s, size_t i) {
    return s->node->in[i] && s->node->in[i]->requires_grad;
}
/* Add dx to the gradient of input i. dx may be dy or a view of it; where the input was broadcast,
 * dx is summed. NULL dx: an error was noted; nothing happens. */
void tn_grad_add(tn_step *s, size_t i, tern_tensor *dx);
/* Where a kernel writes the gradient of input i itself: contiguous, shaped as the input; NULL on no
 * memory. *add: it must add to what is there, else overwrite. */
void *tn_grad_out(tn_step *s, size_t i, bool *add);
void *tn_grad_zeroed(tn_step *s, size_t i); /* the same for kernels that can only add */

/* ---- tensors ---- */

static inline size_t tn_size(const tern_tensor *t) {
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}
static inline size_t tn_last(const tern_tensor *t) { /* length of a row */
    return t->rank ? t->dim[t->rank - 1] : 1;
}
static inline size_t tn_rows(const tern_tensor *t) { /* all axes but the last */
    size_t n = 1;
    for (size_t i = 0; i + 1 < t->rank; i++) n *= t->dim[i];
    return n;
}
static inline bool tn_is_f64(const tern_tensor *t) {
    return t->dtype == TERN_F64;
}
bool tn_is_contiguous(const tern_tensor *t);
bool tn_same_shape(const tern_tensor *a, const tern_tensor *b);
void tn_set_shape(tern_tensor *t, size_t rank, const size_t *dim); /* and contiguous strides */
/* Axis counted from either end -> 0..rank-1; false: none such (error noted). */
bool tn_axis(tern_graph *g, const char *op, const tern_tensor *x, int axis, size_t *out);
const char *tn_shape_text(const tern_tensor *t, char *buf /* [96] */, size_t n);
/* The shape of a op b with broadcasting; false: they do not fit (error noted). */
bool tn_broadcast_shape(tern_graph *g, const char *op, const tern_tensor *a, const tern_tensor *b,
                        size_t *rank, size_t *dim);
/* begin is I32 [n + 1], rising from 0 to n_rows; false: it is not (error noted). */
bool tn_segments_ok(tern_graph *g, const char *op, const tern_tensor *begin, size_t n_rows);
/* x summed to the shape of `like`, from which it was broadcast. In operations. */
tern_tensor *tn_sum_to(tern_graph *g, tern_tensor *x, const tern_tensor *like);
void tn_hold(tern_tensor *t);
void tn_drop(tern_graph *g, tern_tensor *t); /* one hold less; NULL allowed */

/* ---- the graph ---- */

enum { TN_GRAIN = 1 << 14 }; /* elements of one piece of work; fixes how sums are cut */

struct tern_graph {
    tern_graph_opts opts;
    tern_error error; /* sticky; status OK: none */
    tn_gemm *gemm;
    tn_pool *pool;
    bool owns_gemm;
    tn_arena arena; /* tensors, nodes, attributes */
    tn_blocks blocks;
    tern_tensor *tensors; /* newest first */
    tn_node **tape;
    size_t n_nodes, cap_nodes;
    uint64_t rng_counter;
    bool saw_grad; /* an unrecorded operation had an input that wants a gradient */
};

/* A graph that shares the products' memory and pool of its caller (borrowed until the free). */
TERN_MUST_USE tern_status tn_graph_new_shared(tn_gemm *gemm, const tern_graph_opts *opts,
                                              tern_graph **out, tern_error *err);
/* Uninitialised memory of the graph for one operation's own use; tn_block_drop it. */
tn_block *tn_scratch(tern_graph *g, size_t n, size_t size);
/* A constant of the dtype of x, one element. */
tern_tensor *tn_constant(tern_graph *g, tern_dtype dtype, double value);
/* Rows of a pool job so that a piece has about TN_GRAIN elements. */
static inline size_t tn_grain_rows(size_t n_columns) {
    size_t n = TN_GRAIN / (n_columns ? n_columns : 1);
    return n ? n : 1;
}
/* Tensors made after the mark lose their handles, except `result` (NULL: none). */
void tn_scope_end(tern_graph *g, tern_tensor *mark, tern_tensor *result);
/* The walk of backward over nodes [begin, n_nodes), whose last one's output holds its gradient in
 * adj; it takes the nodes off the tape (tape.c). */
void tn_tape_consume(tern_graph *g, size_t begin);

#endif
