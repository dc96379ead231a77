/* graph.h - tensors, the operations on them, and their gradients.
 *
 *   tern_graph_reset(g);                                    once per step
 *   tern_tensor *x = tern_tensor_from(g, TERN_F32, TERN_SHAPE(32, 8), rows);
 *   tern_tensor *y = tern_relu(g, tern_linear(g, x, w, b));
 *   tern_tensor *loss = tern_mse(g, y, target);
 *   if (tern_backward(g, loss, &err) != TERN_OK) ...        the gradients are in w and b
 *
 * A graph is defined by running: an operation computes its result at once and, where a gradient
 * will be wanted, notes on a tape how it was made. Backward walks the tape from its end; the value
 * of a result, its gradient and what was kept for it are freed as the walk passes them.
 *
 * Errors are sticky: an operation that fails returns NULL and notes why in the graph, an operation
 * given NULL returns NULL, so a network is written without tests and the caller asks once
 * (tern_graph_status; tern_backward does). SHAPE: shapes do not fit; ARG: wrong element type, or a
 * value that was already released; NOMEM; UNSUPPORTED: a second derivative that is not there.
 *
 * Ownership: the graph owns every tensor its functions return; all are gone with tern_graph_reset.
 * Parameters (nn.h) belong to their registry and outlive graphs. A graph belongs to one thread at a
 * time; inside, work is cut by size, so results have the same bits on any number of threads.
 *
 * Shapes are written [rows, columns], row-major, the last axis adjacent. An axis counts from 0, or
 * from the end with -1. Results are f32, or f64 in a graph of f64 tensors, where the same code runs
 * in double: that is how gradients are checked. Logarithms are natural. */
#ifndef TERN_GRAPH_H
#define TERN_GRAPH_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_graph tern_graph;
typedef struct tern_tensor tern_tensor;

/* Operations compute in F32 or F64. BF16 is storage (tern_cast); I32 holds indices, I8 masks. */
typedef enum tern_dtype { TERN_F32, TERN_BF16, TERN_F64, TERN_I32, TERN_I8 } tern_dtype;

enum { TERN_RANK_MAX = 6 };

/* Two arguments at once, rank and lengths: tern_tensor_new(g, TERN_F32, TERN_SHAPE(2, 3)). C only.
 */
#define TERN_SHAPE(...)                                                                            \
    sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t), (const size_t[]) {                     \
        __VA_ARGS__                                                                                \
    }

/* ---- the graph ---- */

typedef struct tern_graph_opts {
    int n_threads;   /* default 0: one per core; never changes results */
    bool bf16;       /* products of f32 matrices round their operands to bf16; sums stay f32 */
    bool inference;  /* record nothing; tern_backward and tern_grad then fail */
    bool evaluation; /* dropout passes its input through */
    uint64_t seed;   /* of dropout */
} tern_graph_opts;   /* zero-initialised: the defaults */

typedef struct tern_graph_stats {
    size_t live_bytes, live_peak_bytes; /* values and gradients in use now, and at most so far */
    size_t held_bytes;                  /* taken from the system and recycled */
    size_t n_blocks_taken; /* requests to the system so far: constant once steps repeat */
    size_t n_nodes;        /* operations on the tape now */
} tern_graph_stats;

/* opts NULL: defaults; copied. Errors: NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_graph_new(const tern_graph_opts *opts, tern_graph **out,
                                                  tern_error *err);
TERN_API void tern_graph_free(tern_graph *g); /* NULL allowed */
/* Forget every tensor, the tape and a sticky error; keep the memory for the next step. */
TERN_API void tern_graph_reset(tern_graph *g);
/* OK, or the first error since the last reset. */
TERN_API TERN_MUST_USE tern_status tern_graph_status(const tern_graph *g, tern_error *err);
TERN_API tern_graph_stats tern_graph_get_stats(const tern_graph *g);
/* Switches, any time between operations; each returns what was set before. */
TERN_API bool tern_graph_set_bf16(tern_graph *g, bool on);
TERN_API bool tern_graph_set_inference(tern_graph *g, bool on);
TERN_API bool tern_graph_set_evaluation(tern_graph *g, bool on);
/* Random operations made since the graph was new. The n-th draws from (seed, n) alone, so setting
 * the counter of a checkpoint resumes the same noise. */
TERN_API uint64_t tern_graph_rng_counter(const tern_graph *g);
TERN_API void tern_graph_set_rng_counter(tern_graph *g, uint64_t counter);

/* ---- tensors ---- */

/* Uninitialised; zeros; a copy of data (row-major); data itself, borrowed until the reset. */
TERN_API tern_tensor *tern_tensor_new(tern_graph *g, tern_dtype dtype, size_t rank,
                                      const size_t *dims);
TERN_API tern_tensor *tern_tensor_zeros(tern_graph *g, tern_dtype dtype, size_t rank,
                                        const size_t *dims);
TERN_API tern_tensor *tern_tensor_from(tern_graph *g, tern_dtype dtype, size_t rank,
                                       const size_t *dims, const void *data);
TERN_API tern_tensor *tern_tensor_borrow(tern_graph *g, tern_dtype dtype, size_t rank,
                                         const size_t *dims, const void *data);
/* Ask for the gradient of an input made by the functions above; before it is used. Returns t. */
TERN_API tern_tensor *tern_tensor_want_grad(tern_tensor *t);
/* Keep the value through backward, to read it afterwards. Returns t. */
TERN_API tern_tensor *tern_tensor_keep(tern_tensor *t);
/* The caller will not use t again: its memory is freed as soon as no backward needs it. */
TERN_API void tern_tensor_release(tern_graph *g, tern_tensor *t);

/* NULL: dtype F32, rank, dim and size 0. */
TERN_API tern_dtype tern_tensor_dtype(const tern_tensor *t);
TERN_API size_t tern_tensor_rank(const tern_tensor *t);
TERN_API size_t tern_tensor_dim(const tern_tensor *t, int axis); /* 0 if there is no such axis */
TERN_API size_t tern_tensor_size(const tern_tensor *t);          /* number of elements */
TERN_API const char *tern_tensor_name(const tern_tensor *t);     /* of a parameter; else "" */
/* The elements, row-major; NULL if released, or if t is a view with gaps (tern_contiguous). Valid
 * until the release, backward (see tern_tensor_keep) or reset. */
TERN_API void *tern_tensor_data(const tern_tensor *t);
/* The gradient that backward left, shaped as t; NULL before that. Parameters and inputs only. */
TERN_API const tern_tensor *tern_tensor_grad(const tern_tensor *t);
/* Element i (row-major) of any element type; NAN if released or out of range. */
TERN_API double tern_tensor_get(const tern_tensor *t, size_t i);

/* ---- gradients ---- */

/* Add the gradients of loss (one element) to every parameter and wanted input it depends on, and
 * free the tape. Gradients add up over calls until they are zeroed (tern_params_zero_grad).
 * loss keeps its value. Errors: the sticky one; ARG: loss depends on nothing that wants a gradient,
 * or has more than one element. */
TERN_API TERN_MUST_USE tern_status tern_backward(tern_graph *g, tern_tensor *loss, tern_error *err);
/* dxs[i] = d sum(y) / d xs[i], as tensors of the graph; the tape stays and parameters' gradients
 * are untouched. With `differentiable` the dxs themselves have gradients: second order, for all
 * operations but those marked (1). xs: parameters, wanted inputs or results. Sticky errors. */
TERN_API TERN_MUST_USE tern_status tern_grad(tern_graph *g, tern_tensor *y, tern_tensor *const *xs,
                                             size_t n, bool differentiable, tern_tensor **dxs,
                                             tern_error *err);

/* A piece of network: n inputs to one output. It must depend on its inputs, ud and parameters
 * alone. */
typedef tern_tensor *tern_graph_fn(tern_graph *g, void *ud, tern_tensor *const *in);
/* fn(g, ud, in) whose inner values are not kept: backward runs fn once more (Chen et al.,
 * arXiv 1604.06174). fn must not release its inputs. ud is borrowed until backward or reset. n
 * <= 8. (1) */
TERN_API tern_tensor *tern_recompute(tern_graph *g, tern_graph_fn *fn, void *ud,
                                     tern_tensor *const *in, size_t n);

/* ---- elementwise, with broadcasting: axes are aligned at the end, a length of 1 stretches ---- */

TERN_API tern_tensor *tern_add(tern_graph *g, tern_tensor *a, tern_tensor *b);
TERN_API tern_tensor *tern_sub(tern_graph *g, tern_tensor *a, tern_tensor *b);
TERN_API tern_tensor *tern_mul(tern_graph *g, tern_tensor *a, tern_tensor *b);
TERN_API tern_tensor *tern_div(tern_graph *g, tern_tensor *a, tern_tensor *b);
TERN_API tern_tensor *tern_affine(tern_graph *g, tern_tensor *x, double scale, double shift);
TERN_API tern_tensor *tern_scale(tern_graph *g, tern_tensor *x, double factor);
TERN_API tern_tensor *tern_exp(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_log(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_sqrt(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_pow(tern_graph *g, tern_tensor *x, double exponent);
TERN_API tern_tensor *tern_tanh(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_sigmoid(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_softplus(tern_graph *g, tern_tensor *x); /* log(1 + e^x) */
TERN_API tern_tensor *tern_relu(tern_graph *g, tern_tensor *x);     /* slope 0 at 0 */
TERN_API tern_tensor *tern_gelu(tern_graph *g, tern_tensor *x);     /* x Phi(x), by erf */
TERN_API tern_tensor *tern_gelu_tanh(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_silu(tern_graph *g, tern_tensor *x); /* x sigmoid(x) */
/* Gated units, silu(gate) up and gelu_tanh(gate) up, same shapes (Shazeer, arXiv 2002.05202). */
TERN_API tern_tensor *tern_swiglu(tern_graph *g, tern_tensor *gate, tern_tensor *up);
TERN_API tern_tensor *tern_geglu(tern_graph *g, tern_tensor *gate, tern_tensor *up);
/* y = mask ? value : x. mask I8, broadcast to x; value may be -INFINITY. */
TERN_API tern_tensor *tern_masked_fill(tern_graph *g, tern_tensor *x, tern_tensor *mask,
                                       double value);
/* Each element is 0 with probability p in [0, 1), else x / (1 - p); x itself in evaluation. */
TERN_API tern_tensor *tern_dropout(tern_graph *g, tern_tensor *x, double p);
/* Another element type: F32, BF16, F64. The gradient is cast back. */
TERN_API tern_tensor *tern_cast(tern_graph *g, tern_tensor *x, tern_dtype dtype);
/* The value of x, without its history: no gradient flows through. A view. */
TERN_API tern_tensor *tern_detach(tern_graph *g, tern_tensor *x);

/* ---- shape; views share the memory of x where they can ---- */

TERN_API tern_tensor *tern_reshape(tern_graph *g, tern_tensor *x, size_t rank, const size_t *dims);
/* Axis i of the result is axis order[i] of x; order has rank(x) entries. */
TERN_API tern_tensor *tern_permute(tern_graph *g, tern_tensor *x, const int *order);
TERN_API tern_tensor *tern_transpose(tern_graph *g, tern_tensor *x, int axis_a, int axis_b);
TERN_API tern_tensor *tern_slice(tern_graph *g, tern_tensor *x, int axis, size_t begin, size_t end);
TERN_API tern_tensor *tern_broadcast_to(tern_graph *g, tern_tensor *x, size_t rank,
                                        const size_t *dims);
TERN_API tern_tensor *tern_contiguous(tern_graph *g, tern_tensor *x); /* x if it is, else a copy */
TERN_API tern_tensor *tern_concat(tern_graph *g, int axis, tern_tensor *const *xs, size_t n);

/* ---- reductions over a set of axes ---- */

#define TERN_AXIS(i)  (1u << ((i) < 0 ? 7 - (i) : (i))) /* -6 .. 5; combine with | */
#define TERN_AXES_ALL (~0u)
/* keep: reduced axes stay, with length 1. */
TERN_API tern_tensor *tern_sum(tern_graph *g, tern_tensor *x, unsigned axes, bool keep);
TERN_API tern_tensor *tern_mean(tern_graph *g, tern_tensor *x, unsigned axes, bool keep);
/* The gradient goes to the first of equal elements. (1) */
TERN_API tern_tensor *tern_max(tern_graph *g, tern_tensor *x, unsigned axes, bool keep);

/* ---- products ---- */

/* y[..,M,N] = a[..,M,K] b[..,K,N]; leading axes broadcast. Transposed views cost no copy. */
TERN_API tern_tensor *tern_matmul(tern_graph *g, tern_tensor *a, tern_tensor *b);
/* y[..,N] = x[..,K] w[N,K]^T + b[N] (+ residual[..,N]); b and residual may be NULL: not there.
 * (That is why a NULL from a failed operation must not be passed here as b or residual unasked;
 * the sticky error makes the result NULL all the same.) */
TERN_API tern_tensor *tern_linear(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *b);
TERN_API tern_tensor *tern_linear_residual(tern_graph *g, tern_tensor *x, tern_tensor *w,
                                           tern_tensor *b, tern_tensor *residual);

/* ---- rows: along the last axis ---- */

/* e^x / sum e^x; -INFINITY entries give 0, a row of nothing else gives zeros. */
TERN_API tern_tensor *tern_softmax(tern_graph *g, tern_tensor *x);
TERN_API tern_tensor *tern_log_softmax(tern_graph *g, tern_tensor *x);
/* y = (x - mean) / sqrt(var + eps) weight[N] + bias[N]; bias may be NULL (Ba et al., 1607.06450) */
TERN_API tern_tensor *tern_layer_norm(tern_graph *g, tern_tensor *x, tern_tensor *weight,
                                      tern_tensor *bias, double eps);
/* y = x / sqrt(mean(x^2) + eps) (weight[N] + offset); offset 1 is Gemma's (arXiv 1910.07467) */
TERN_API tern_tensor *tern_rms_norm(tern_graph *g, tern_tensor *x, tern_tensor *weight,
                                    double offset, double eps);
/* y = x / sqrt(sum(x^2) + eps): rows of length 1 */
TERN_API tern_tensor *tern_normalize(tern_graph *g, tern_tensor *x, double eps);

/* ---- gathering ---- */

/* y[n..,D..] = x[index[n..], D..]: rows of x by number; an embedding table is an x. index I32, in
 * range (ARG otherwise). The gradient adds the rows back. */
TERN_API tern_tensor *tern_index_rows(tern_graph *g, tern_tensor *x, tern_tensor *index);
/* y[i] = x[i, index[i]]: one element of each row. x [N,C], index I32 [N]. */
TERN_API tern_tensor *tern_pick(tern_graph *g, tern_tensor *x, tern_tensor *index);

/* ---- sequences and sets, packed: rows begin[s] .. begin[s+1] of x belong to set s; begin is
 * [n_sets + 1], I32, ascending from 0 to the number of rows ---- */

TERN_API tern_tensor *tern_segment_sum(tern_graph *g, tern_tensor *x, tern_tensor *begin);
TERN_API tern_tensor *tern_segment_mean(tern_graph *g, tern_tensor *x, tern_tensor *begin);
TERN_API tern_tensor *tern_segment_max(tern_graph *g, tern_tensor *x, tern_tensor *begin); /* (1) */
/* Softmax over each set, column by column. */
TERN_API tern_tensor *tern_segment_softmax(tern_graph *g, tern_tensor *x, tern_tensor *begin);
/* y[s] = sum_i softmax_i(score[i]) x[i] over set s: x [T,D], score [T,1] -> [n_sets,D] */
TERN_API tern_tensor *tern_attention_pool(tern_graph *g, tern_tensor *x, tern_tensor *score,
                                          tern_tensor *begin);

/* Rotary positions (Su et al., 2104.09864), half-split pairs (i, i + R/2) as in Hugging Face
 * models. x [T,H,D]; cos, sin [T,R/2] without gradient, R <= D; columns from R on pass through. */
TERN_API tern_tensor *tern_rope(tern_graph *g, tern_tensor *x, tern_tensor *cos, tern_tensor *sin);
/* The tables: angle[t,i] = position[t] inv_freq[i]; inv_freq NULL: theta^(-2i/R). dtype F32, F64.
 */
TERN_API TERN_MUST_USE tern_status tern_rope_tables(tern_graph *g, tern_dtype dtype,
                                                    const int32_t *position, size_t n_tokens,
                                                    size_t rotary_dim, double theta,
                                                    const double *inv_freq, tern_tensor **cos,
                                                    tern_tensor **sin);

typedef struct tern_attention_opts {
    tern_tensor *begin; /* packed sequences, as above; NULL: one sequence */
    bool causal;
    size_t window;  /* 0: none; else the keys a query sees at most, itself included (causal), or
                       keys nearer than this on both sides */
    double scale;   /* 0: D^-1/2 */
    double softcap; /* > 0: scores become softcap tanh(score / softcap) */
} tern_attention_opts;
/* y = softmax(q k^T scale + mask) v per sequence and head; memory linear in length.
 * q [T,H,D]; k, v [T,G,D] with H a multiple of G (grouped-query); y [T,H,D]. (1) */
TERN_API tern_tensor *tern_attention(tern_graph *g, tern_tensor *q, tern_tensor *k, tern_tensor *v,
                                     const tern_attention_opts *opts);

/* ---- losses: one element, a mean unless it says otherwise ---- */

enum { TERN_IGNORE = -100 }; /* a target that counts for nothing */

/* -mean log softmax(logits)[target]; logits [N,C], target I32 [N], in 0..C-1 or TERN_IGNORE. 0 if
 * all are ignored. */
TERN_API tern_tensor *tern_cross_entropy(tern_graph *g, tern_tensor *logits, tern_tensor *target);
/* y[i] = -log softmax(x w^T)[i, target[i]], 0 where ignored; x [N,K], w [C,K]; never holds the
 * logits of all rows at once. (1) */
TERN_API tern_tensor *tern_linear_nll(tern_graph *g, tern_tensor *x, tern_tensor *w,
                                      tern_tensor *target);
/* The mean of tern_linear_nll over targets not ignored. (1) */
TERN_API tern_tensor *tern_linear_cross_entropy(tern_graph *g, tern_tensor *x, tern_tensor *w,
                                                tern_tensor *target);
TERN_API tern_tensor *tern_mse(tern_graph *g, tern_tensor *x, tern_tensor *target);
/* mean softplus(x) - x target; target in [0,1], shaped as x. */
TERN_API tern_tensor *tern_bce_with_logits(tern_graph *g, tern_tensor *x, tern_tensor *target);
/* KL(softmax(p) || softmax(q)) from logits [N,C], mean over rows; gradients flow into both. */
TERN_API tern_tensor *tern_kl_div(tern_graph *g, tern_tensor *p_logits, tern_tensor *q_logits);
/* In-batch contrast (InfoNCE, arXiv 1807.03748): row i of a belongs to row i of b; b may have more
 * rows, all others are negatives. a [N,D], b [M,D], M >= N; cosine if both are normalised. */
TERN_API tern_tensor *tern_info_nce(tern_graph *g, tern_tensor *a, tern_tensor *b,
                                    double temperature);
/* Ranking by pairs: mean softplus(worse - better), RankNet; mean relu(margin - better + worse). */
TERN_API tern_tensor *tern_pairwise_logistic(tern_graph *g, tern_tensor *better,
                                             tern_tensor *worse);
TERN_API tern_tensor *tern_pairwise_margin(tern_graph *g, tern_tensor *better, tern_tensor *worse,
                                           double margin);
/* Ranking by lists: -mean sum_j softmax(relevance)_j log softmax(score)_j over rows [N,L] (ListNet,
 * top one; Cao et al., ICML 2007). relevance -INFINITY: no such document. */
TERN_API tern_tensor *tern_listnet(tern_graph *g, tern_tensor *score, tern_tensor *relevance);

#ifdef __cplusplus
}
#endif
#endif
