/* config.h - what a model is: a Hugging Face config.json, read with the defaults of transformers.
 * Two families serve all models. The decoder (Llama 2 and 3, Mistral, Qwen2 and 2.5, Qwen3, Gemma 3
 * text) and the encoder (BERT, RoBERTa, XLM-R) are each one set of equations with switches, and the
 * switches stand here. A field that would change the numbers and is not obeyed is refused by its
 * name; an unknown model_type is refused with the list of known ones. */
#ifndef TN_LM_CONFIG_H
#define TN_LM_CONFIG_H
#include "core/kernels/gemm.h" /* tn_act */
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TN_LM_LAYERS_MAX = 512, TN_LM_EOS_MAX = 16, TN_LM_TOKENS_MAX = 1 << 24 };

typedef enum tn_lm_family { TN_LM_DECODER, TN_LM_ENCODER } tn_lm_family;

typedef enum tn_lm_arch {
    TN_LM_LLAMA,
    TN_LM_MISTRAL,
    TN_LM_QWEN2,
    TN_LM_QWEN3,
    TN_LM_GEMMA3,
    TN_LM_BERT,
    TN_LM_ROBERTA /* and XLM-R: positions start after the padding id */
} tn_lm_arch;

/* What stands on the last hidden state, from "architectures". */
typedef enum tn_lm_head {
    TN_LM_HEAD_NONE,     /* ...Model */
    TN_LM_HEAD_CAUSAL,   /* ...ForCausalLM: logits[T, vocab] */
    TN_LM_HEAD_MASKED,   /* ...ForMaskedLM: logits[T, vocab] */
    TN_LM_HEAD_SEQUENCE, /* ...ForSequenceClassification: logits[S, n_labels] */
    TN_LM_HEAD_TOKEN     /* ...ForTokenClassification: logits[T, n_labels] */
} tn_lm_head;

typedef enum tn_lm_rope_kind {
    TN_LM_ROPE_PLAIN,
    TN_LM_ROPE_LINEAR, /* positions divided by factor */
    TN_LM_ROPE_LLAMA3  /* low frequencies divided by factor, a ramp between */
} tn_lm_rope_kind;

/* The i-th pair of a head turns by position theta^(-2i/head_dim), before scaling. */
typedef struct tn_lm_rope {
    tn_lm_rope_kind kind;
    double theta;
    double factor, low_freq_factor, high_freq_factor;
    double original_positions; /* llama3: the context the model was first trained with */
} tn_lm_rope;

typedef struct tn_lm_config {
    tn_lm_family family;
    tn_lm_arch arch;
    tn_lm_head head;
    uint32_t vocab, hidden, ffn, n_layers, n_heads, n_kv_heads, head_dim;
    uint32_t max_positions; /* the longest text the model was made for */
    float norm_eps;
    tn_act act;
    bool tied; /* the head is the embedding */

    /* decoder */
    bool qkv_bias, o_bias, mlp_bias;
    bool qk_norm;        /* RMS norm of each query and key head, before the rotation */
    bool post_norms;     /* four norms a layer: also after attention and after the MLP (Gemma) */
    float norm_offset;   /* 1: a norm multiplies by 1 + weight (Gemma) */
    float embed_scale;   /* embeddings are multiplied by it: sqrt(hidden) (Gemma), else 1 */
    float attn_scale;    /* head_dim^-1/2, or query_pre_attn_scalar^-1/2 */
    float final_softcap; /* > 0: logits become c tanh(logits / c) */
    uint32_t window;     /* keys a sliding layer sees, the token itself included; 0: all */
    uint8_t sliding[TN_LM_LAYERS_MAX]; /* [n_layers] 1: layer uses `window` and rope_local */
    tn_lm_rope rope, rope_local;       /* equal but for Gemma */

    /* encoder */
    uint32_t n_types;         /* token types */
    uint32_t position_offset; /* the first token's row of the position table */
    uint32_t n_labels;
    int32_t pad_id; /* -1: none */

    int32_t bos_id; /* -1: none */
    int32_t eos_ids[TN_LM_EOS_MAX];
    size_t n_eos;
} tn_lm_config;

/* Parse the n bytes of a config.json; `path` names it in messages. FORMAT (not JSON, a field of the
 * wrong type or out of range), UNSUPPORTED (model type, architecture, or a field, by name). */
TERN_MUST_USE tern_status tn_lm_config_parse(const char *json, size_t n, const char *path,
                                             tn_lm_config *out, tern_error *err);
TERN_MUST_USE tern_status tn_lm_config_load(const char *model_dir, tn_lm_config *out,
                                            tern_error *err);

/* generation_config.json: what the model's maker suggests. */
typedef struct tn_lm_suggestion {
    bool sample; /* false: greedy */
    float temperature, top_p, min_p;
    uint32_t top_k;
} tn_lm_suggestion;
/* Also replaces the stop ids of `config` by those of the file. A missing file leaves both at their
 * defaults. FORMAT. */
TERN_MUST_USE tern_status tn_lm_suggestion_load(const char *model_dir, tn_lm_config *config,
                                                tn_lm_suggestion *out, tern_error *err);

const char *tn_lm_arch_name(tn_lm_arch arch); /* "llama" */
const char *tn_lm_head_name(tn_lm_head head); /* "causal" */
static inline uint32_t tn_lm_q_dim(const tn_lm_config *c) {
    return c->n_heads * c->head_dim;
}
static inline uint32_t tn_lm_kv_dim(const tn_lm_config *c) {
    return c->n_kv_heads * c->head_dim;
}
/* The longest text, in tokens: of an encoder by its table of positions, of a decoder as trained. */
uint32_t tn_lm_context(const tn_lm_config *c);
/* inv_freq[head_dim / 2] of a rotary embedding, scaling included. */
void tn_lm_rope_frequencies(const tn_lm_rope *rope, uint32_t head_dim, float *inv_freq);

#endif
