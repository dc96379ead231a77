/* nn.h - parameters and the modules that are made of them.
 *
 *   tern_params_new(NULL, &p, &err);
 *   tern_nn_linear in = tern_nn_linear_new(p, "in", 2, 16, true),
 *                  out = tern_nn_linear_new(p, "out", 16, 1, true);
 *   tern_params_init(p, &err);                              memory, and the values to start from
 *   y = tern_nn_linear_forward(g, &out, tern_relu(g, tern_nn_linear_forward(g, &in, x)));
 *
 * A module is a plain struct of parameters, filled by its _new and used by its _forward; networks
 * are C functions that call forwards. Names are those of Hugging Face models
 * ("model.layers.0.self_attn.q_proj.weight"), so that their weight files fit.
 *
 * The registry keeps all values in one slab and all gradients in another, in the order of adding;
 * optimisers and checkpoints are loops over them. Errors of adding are sticky: _new returns NULL
 * tensors, and tern_params_init says why. A registry belongs to one thread at a time; any number of
 * graphs may use its parameters one after the other, and, set to inference, at the same time. */
#ifndef TERN_NN_H
#define TERN_NN_H
#include "tern/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_params tern_params;

/* ---- initial values; each parameter draws from (seed, its name), so order changes nothing ---- */

typedef enum tern_init_kind {
    TERN_INIT_DEFAULT, /* what the registry was told (tern_params_set_init) */
    TERN_INIT_ZEROS,
    TERN_INIT_ONES,
    TERN_INIT_NORMAL,       /* N(0, scale^2) */
    TERN_INIT_TRUNC_NORMAL, /* the same, drawn again beyond 2 scale */
    TERN_INIT_UNIFORM,      /* U(-scale, scale) */
    TERN_INIT_XAVIER,       /* U(+-scale sqrt(6 / (fan_in + fan_out))); Glorot and Bengio 2010 */
    TERN_INIT_KAIMING,      /* N(0, scale^2 2 / fan_in); He et al., arXiv 1502.01852 */
    TERN_INIT_FAN_IN        /* U(+-scale / sqrt(fan_in)); what PyTorch's Linear does */
} tern_init_kind;

typedef struct tern_init {
    tern_init_kind kind;
    double scale; /* 0: 1 */
} tern_init;

/* ---- the registry ---- */

typedef struct tern_params_opts {
    uint64_t seed;
    tern_dtype dtype; /* F32 (default), or F64 to check gradients */
    bool inference;   /* no memory for gradients; nothing wants one */
} tern_params_opts;   /* zero-initialised: the defaults */

enum {
    TERN_PARAM_NO_DECAY = 1, /* weight decay leaves it alone: biases and norms */
    TERN_PARAM_FROZEN = 2    /* wants no gradient */
};

typedef struct tern_param {
    const char *name;
    tern_tensor *tensor;
    unsigned flags;
    unsigned group; /* for optimisers: 0 unless tern_params_set_group */
    size_t offset;  /* of its first element in the slabs; a multiple of 16 */
    size_t size;    /* elements */
} tern_param;

/* opts NULL: defaults. Errors: ARG (dtype), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_params_new(const tern_params_opts *opts, tern_params **out,
                                                   tern_error *err);
TERN_API void tern_params_free(tern_params *p); /* NULL allowed; its tensors are gone */
/* How TERN_INIT_DEFAULT starts, for parameters added from now on: at first FAN_IN; transformers
 * take {TERN_INIT_NORMAL, 0.02}. */
TERN_API void tern_params_set_init(tern_params *p, tern_init init);
/* A new parameter; its tensor belongs to the registry and has no value before tern_params_init.
 * NULL: the registry noted an error (EXISTS: a name taken; LIMIT: a name beyond 200 bytes; SHAPE;
 * NOMEM; ARG: after tern_params_init). name is copied. */
TERN_API tern_tensor *tern_params_add(tern_params *p, const char *name, size_t rank,
                                      const size_t *dims, tern_init init, unsigned flags);
/* Allocate the slabs and draw all values. Errors: those noted while adding, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_params_init(tern_params *p, tern_error *err);

TERN_API size_t tern_params_count(const tern_params *p);
TERN_API tern_param tern_params_get(const tern_params *p, size_t i); /* i < count */
/* NULL: no such name. */
TERN_API tern_tensor *tern_params_find(const tern_params *p, const char *name);
TERN_API size_t tern_params_size(const tern_params *p); /* parameters in all, without padding */
/* The slabs, elements of the registry's type, padding (zeros) included; NULL before init, or, for
 * gradients, in an inference registry. A gradient is valid where tern_tensor_grad is not NULL. */
TERN_API void *tern_params_values(const tern_params *p);
TERN_API void *tern_params_grads(const tern_params *p);
TERN_API size_t tern_params_slab_size(const tern_params *p); /* elements of one slab */
/* Every parameter whose name starts with prefix ("" is all). Return how many there were. */
TERN_API size_t tern_params_freeze(tern_params *p, const char *prefix, bool frozen);
TERN_API size_t tern_params_set_group(tern_params *p, const char *prefix, unsigned group);
/* Forget the gradients: the next backward writes where it would have added. */
TERN_API void tern_params_zero_grad(tern_params *p);

/* ---- modules; `name` is the prefix of the parameters' names, "" for none ---- */

/* y[..,out] = x[..,in] weight[out,in]^T + bias[out]; bias NULL if it has none */
typedef struct tern_nn_linear {
    tern_tensor *weight, *bias;
} tern_nn_linear;
TERN_API tern_nn_linear tern_nn_linear_new(tern_params *p, const char *name, size_t n_in,
                                           size_t n_out, bool bias);
TERN_API tern_tensor *tern_nn_linear_forward(tern_graph *g, const tern_nn_linear *m,
                                             tern_tensor *x);

/* y[n..,dim] = weight[index[n..]]; weight [n_rows,dim] */
typedef struct tern_nn_embedding {
    tern_tensor *weight;
} tern_nn_embedding;
TERN_API tern_nn_embedding tern_nn_embedding_new(tern_params *p, const char *name, size_t n_rows,
                                                 size_t dim);
TERN_API tern_tensor *tern_nn_embedding_forward(tern_graph *g, const tern_nn_embedding *m,
                                                tern_tensor *index);

typedef struct tern_nn_layer_norm {
    tern_tensor *weight, *bias;
    double eps;
} tern_nn_layer_norm;
TERN_API tern_nn_layer_norm tern_nn_layer_norm_new(tern_params *p, const char *name, size_t dim,
                                                   double eps);
TERN_API tern_tensor *tern_nn_layer_norm_forward(tern_graph *g, const tern_nn_layer_norm *m,
                                                 tern_tensor *x);

/* offset 1: Gemma's, whose weights start from 0 */
typedef struct tern_nn_rms_norm {
    tern_tensor *weight;
    double offset, eps;
} tern_nn_rms_norm;
TERN_API tern_nn_rms_norm tern_nn_rms_norm_new(tern_params *p, const char *name, size_t dim,
                                               double offset, double eps);
TERN_API tern_tensor *tern_nn_rms_norm_forward(tern_graph *g, const tern_nn_rms_norm *m,
                                               tern_tensor *x);

typedef enum tern_activation {
    TERN_ACT_GELU,
    TERN_ACT_GELU_TANH,
    TERN_ACT_SILU,
    TERN_ACT_RELU,
    TERN_ACT_TANH
} tern_activation;
TERN_API tern_tensor *tern_activate(tern_graph *g, tern_activation act, tern_tensor *x);

/* y = fc2(act(fc1(x))) (+ residual, NULL: none); dim -> hidden -> dim. Names fc1, fc2. */
typedef struct tern_nn_mlp {
    tern_nn_linear fc1, fc2;
    tern_activation act;
} tern_nn_mlp;
TERN_API tern_nn_mlp tern_nn_mlp_new(tern_params *p, const char *name, size_t dim, size_t hidden,
                                     tern_activation act);
TERN_API tern_tensor *tern_nn_mlp_forward(tern_graph *g, const tern_nn_mlp *m, tern_tensor *x,
                                          tern_tensor *residual);

/* y = down_proj(act(gate_proj(x)) up_proj(x)) (+ residual), without biases; act SILU or GELU_TANH
 */
typedef struct tern_nn_gated_mlp {
    tern_nn_linear gate_proj, up_proj, down_proj;
    tern_activation act;
} tern_nn_gated_mlp;
TERN_API tern_nn_gated_mlp tern_nn_gated_mlp_new(tern_params *p, const char *name, size_t dim,
                                                 size_t hidden, tern_activation act);
TERN_API tern_tensor *tern_nn_gated_mlp_forward(tern_graph *g, const tern_nn_gated_mlp *m,
                                                tern_tensor *x, tern_tensor *residual);

/* ---- transformers; x [T,dim] holds packed sequences ---- */

typedef struct tern_nn_sequences {
    tern_attention_opts attention; /* begin, causal, window, scale, softcap */
    tern_tensor *cos, *sin;        /* rotary tables (tern_rope_tables), NULL: none */
} tern_nn_sequences;

typedef struct tern_nn_attention_opts {
    size_t dim, n_heads;
    size_t n_kv_heads; /* 0: n_heads */
    size_t head_dim;   /* 0: dim / n_heads */
    bool qkv_bias, out_bias;
    bool qk_norm;                 /* RMS norm of each head of q and k (Qwen 3, Gemma 3) */
    double norm_offset, norm_eps; /* of qk_norm */
} tern_nn_attention_opts;

/* Multi-head attention with its projections. Names q_proj, k_proj, v_proj, o_proj, q_norm, k_norm.
 */
typedef struct tern_nn_attention {
    tern_nn_linear q_proj, k_proj, v_proj, o_proj;
    tern_nn_rms_norm q_norm, k_norm; /* weight NULL: none */
    size_t n_heads, n_kv_heads, head_dim;
} tern_nn_attention;
TERN_API tern_nn_attention tern_nn_attention_new(tern_params *p, const char *name,
                                                 const tern_nn_attention_opts *opts);
/* y[T,dim] = o_proj(attention(x)) (+ residual, NULL: none) */
TERN_API tern_tensor *tern_nn_attention_forward(tern_graph *g, const tern_nn_attention *m,
                                                tern_tensor *x, tern_tensor *residual,
                                                const tern_nn_sequences *seqs);

/* A Llama-style layer: h = x + self_attn(input_layernorm(x)),
 * y = h + mlp(post_attention_layernorm(h)); RMS norms, rotary positions, gated MLP. */
typedef struct tern_nn_decoder_layer {
    tern_nn_rms_norm input_layernorm, post_attention_layernorm;
    tern_nn_attention self_attn;
    tern_nn_gated_mlp mlp;
} tern_nn_decoder_layer;
TERN_API tern_nn_decoder_layer tern_nn_decoder_layer_new(tern_params *p, const char *name,
                                                         const tern_nn_attention_opts *attention,
                                                         size_t hidden, tern_activation act);
TERN_API tern_tensor *tern_nn_decoder_layer_forward(tern_graph *g, const tern_nn_decoder_layer *m,
                                                    tern_tensor *x, const tern_nn_sequences *seqs);

/* A BERT-style layer, norms after the sums: h = norm(x + dropout(attention(x))),
 * y = norm(h + dropout(output(act(intermediate(h))))). Names as in Hugging Face's BERT. */
typedef struct tern_nn_encoder_layer {
    tern_nn_attention attention;
    tern_nn_layer_norm attention_norm, output_norm;
    tern_nn_linear intermediate, output;
    tern_activation act;
    double dropout;
} tern_nn_encoder_layer;
TERN_API tern_nn_encoder_layer tern_nn_encoder_layer_new(tern_params *p, const char *name,
                                                         size_t dim, size_t n_heads, size_t hidden,
                                                         tern_activation act, double norm_eps,
                                                         double dropout);
TERN_API tern_tensor *tern_nn_encoder_layer_forward(tern_graph *g, const tern_nn_encoder_layer *m,
                                                    tern_tensor *x, const tern_nn_sequences *seqs);

#ifdef __cplusplus
}
#endif
#endif
