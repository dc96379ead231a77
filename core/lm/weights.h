/* weights.h - which tensors a model has: name, place in the equations, shape.
 * One table a family, expanded for a config. The inference engine packs what it names and the
 * training tape makes its parameters from it, so a checkpoint that one writes the other reads. */
#ifndef TN_LM_WEIGHTS_H
#define TN_LM_WEIGHTS_H
#include "core/lm/config.h"

/* The place of a tensor. Matrices are stored out x in, as linear layers do. */
typedef enum tn_lm_slot {
    TN_LM_EMBED,     /* [vocab, hidden] */
    TN_LM_POSITIONS, /* [max_positions, hidden] (encoder) */
    TN_LM_TYPES,     /* [n_types, hidden] (encoder) */
    TN_LM_EMBED_NORM,
    TN_LM_EMBED_NORM_BIAS,
    /* of each layer */
    TN_LM_ATTN_NORM, /* decoder: before attention; encoder: after it, on the sum */
    TN_LM_ATTN_NORM_BIAS,
    TN_LM_Q, /* [n_heads head_dim, hidden] */
    TN_LM_K, /* [n_kv_heads head_dim, hidden] */
    TN_LM_V,
    TN_LM_O, /* [hidden, n_heads head_dim] */
    TN_LM_Q_BIAS,
    TN_LM_K_BIAS,
    TN_LM_V_BIAS,
    TN_LM_O_BIAS,
    TN_LM_Q_NORM, /* [head_dim], the same for all heads */
    TN_LM_K_NORM,
    TN_LM_POST_ATTN_NORM, /* Gemma: on what attention adds */
    TN_LM_FFN_NORM,       /* decoder: before the MLP; encoder: after it, on the sum */
    TN_LM_FFN_NORM_BIAS,
    TN_LM_GATE, /* [ffn, hidden] (decoder) */
    TN_LM_UP,   /* [ffn, hidden] */
    TN_LM_DOWN, /* [hidden, ffn] */
    TN_LM_GATE_BIAS,
    TN_LM_UP_BIAS,
    TN_LM_DOWN_BIAS,
    TN_LM_POST_FFN_NORM, /* Gemma: on what the MLP adds */
    /* of the model again */
    TN_LM_FINAL_NORM, /* (decoder) */
    TN_LM_HEAD_DENSE, /* [hidden, hidden]: tanh of the first token (classifiers), act (masked LM) */
    TN_LM_HEAD_DENSE_BIAS,
    TN_LM_HEAD_NORM, /* (masked LM) */
    TN_LM_HEAD_NORM_BIAS,
    TN_LM_HEAD, /* [vocab or n_labels, hidden]; absent when tied */
    TN_LM_HEAD_BIAS,
    TN_LM_N_SLOTS
} tn_lm_slot;

typedef struct tn_lm_param {
    char name[88];       /* without the body's prefix */
    tn_lm_slot slot;     /* one row a (slot, layer) */
    uint32_t layer;      /* 0 for slots of the model */
    uint32_t rows, cols; /* cols is 0 for a vector of `rows` elements */
    bool body;           /* the name takes the body's prefix ("model.", "bert.") */
} tn_lm_param;

/* Expand the table for a config, in order of use. Returns the number of tensors; out [that many],
 * or NULL to count. Every one must be there: what a config switches off is not listed. */
size_t tn_lm_params(const tn_lm_config *c, tn_lm_param *out);
size_t tn_lm_param_count(const tn_lm_config *c); /* numbers in all of them */

/* The prefixes that a body's names may carry in files, the usual one first, "" among them; NULL
 * ends the list. */
const char *const *tn_lm_prefixes(const tn_lm_config *c);
/* Tensors that files may hold and the config does not use: buffers, a head that is tied, another
 * head, the picture half of a model. */
bool tn_lm_is_unused(const tn_lm_config *c, const char *name);
/* The name older files use for a norm's weight or bias (".gamma", ".beta"); false: it has none. */
bool tn_lm_old_name(const char *name, char *out, size_t cap);

#endif
