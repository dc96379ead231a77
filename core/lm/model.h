/* model.h - a loaded model: the weights of weights.h packed for inference, read-only.
 * Query, key and value stand in one matrix, gate and up in another, so that a token passes four
 * matrices a layer. Embedding rows stay where the file is mapped. A model never changes after
 * loading: any thread may read it. */
#ifndef TN_LM_MODEL_H
#define TN_LM_MODEL_H
#include "core/base/arena.h"
#include "core/base/pool.h"
#include "core/lm/source.h"
#include "core/lm/weights.h"
#include "tern/host.h"

/* y = x W^T + bias */
typedef struct tn_lm_linear {
    tn_weight *w; /* [n, k] */
    float *bias;  /* [n] or NULL */
    uint32_t n, k;
} tn_lm_linear;

typedef struct tn_lm_norm {
    float *weight, *bias; /* [width]; NULL: there is none */
} tn_lm_norm;

typedef struct tn_lm_layer {
    tn_lm_linear qkv; /* rows: queries, keys, values */
    tn_lm_linear o;
    tn_lm_linear up; /* rows: gate, up (decoder); up (encoder) */
    tn_lm_linear down;
    tn_lm_norm attn_norm, ffn_norm, post_attn_norm, post_ffn_norm;
    float *q_norm, *k_norm; /* [head_dim] or NULL */
} tn_lm_layer;

typedef struct tn_lm {
    tn_lm_config config;
    tn_weight_format format;
    const tern_st_tensor *embed, *positions, *types; /* rows by id; views of the source */
    tn_lm_norm embed_norm;
    tn_lm_layer *layers; /* [config.n_layers] */
    tn_lm_norm final_norm;
    tn_lm_linear head_dense, head; /* .w NULL: there is none */
    tn_lm_norm head_norm;
    float *inv_freq, *inv_freq_local; /* [head_dim / 2] (decoder) */
    size_t weight_bytes;              /* what one token's matrices read, the head included */
    tn_arena arena;                   /* vectors and tables */
    tn_lm_source *source;             /* owned; holds the embeddings */
} tn_lm;

/* Check every tensor of the config against the source and pack it. Missing and unexpected tensors
 * and wrong shapes are errors that name them. `source` is taken over on TERN_OK only.
 * Errors: FORMAT, SHAPE, UNSUPPORTED (element type), CANCELLED, NOMEM. */
TERN_MUST_USE tern_status tn_lm_load_take(const tn_lm_config *config, tn_lm_source *source,
                                          tn_weight_format format, tn_pool *pool,
                                          const tern_host *host, tn_lm **out, tern_error *err);
void tn_lm_free(tn_lm *lm); /* NULL allowed */

#endif
