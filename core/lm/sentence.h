/* sentence.h - how token states become one vector: the files of sentence-transformers.
 *   modules.json                       the chain: Transformer, Pooling, Dense..., Normalize
 *   N_Pooling/config.json              first token, mean or last token
 *   N_Dense/config.json, model.safetensors   y = act(W x + b)
 *   sentence_bert_config.json          max_seq_length
 *   config_sentence_transformers.json  prompts by name, put before a text
 * A folder without modules.json is pooled by the mean, as sentence-transformers does. Modules and
 * modes that are not supported are refused by name. */
#ifndef TN_LM_SENTENCE_H
#define TN_LM_SENTENCE_H
#include "core/base/arena.h"
#include "core/base/pool.h"
#include "core/kernels/gemm.h"
#include "tern/safetensors.h"

enum { TN_SENTENCE_DENSE_MAX = 4 };

typedef enum tn_pooling { TN_POOLING_MEAN, TN_POOLING_CLS, TN_POOLING_LAST } tn_pooling;

typedef struct tn_sentence_dense {
    tn_weight *w; /* [out, in] */
    float *bias;  /* [out] or NULL */
    uint32_t in, out;
    bool tanh;
} tn_sentence_dense;

typedef struct tn_sentence_prompt {
    const char *name, *text; /* in the arena */
} tn_sentence_prompt;

typedef struct tn_sentence {
    bool present;            /* there is a modules.json */
    const char *transformer; /* folder of the model itself; in the arena */
    tn_pooling pooling;
    uint32_t max_tokens; /* longer texts are cut; 0: the model's own limit */
    bool normalize;
    tn_sentence_dense dense[TN_SENTENCE_DENSE_MAX];
    size_t n_dense;
    tn_sentence_prompt *prompts; /* [n_prompts] */
    size_t n_prompts;
    const char *default_prompt; /* a name, or NULL */
    uint32_t width;             /* of the states that pooling takes; 0: not said */
    tn_arena arena;
} tn_sentence;

/* Errors: FORMAT, UNSUPPORTED (names the module or mode), SHAPE, IO, NOMEM; *out is then empty. */
TERN_MUST_USE tern_status tn_sentence_load(const char *dir, tn_pool *pool, tn_sentence *out,
                                           tern_error *err);
void tn_sentence_deinit(tn_sentence *s);
size_t tn_sentence_dim(const tn_sentence *s, size_t hidden); /* of the vectors */
/* The widths must meet: of the model, through every Dense. SHAPE. */
TERN_MUST_USE tern_status tn_sentence_check(const tn_sentence *s, uint32_t hidden, tern_error *err);
/* Text of a prompt, NULL if there is none of that name. */
const char *tn_sentence_find_prompt(const tn_sentence *s, const char *name);

/* Pool states[n_tokens, hidden] of one text into x[hidden]. */
void tn_sentence_pool(const tn_sentence *s, const float *states, size_t n_tokens, size_t hidden,
                      float *x);
/* Dense layers and normalisation: x[n, hidden] -> out[n, dim]. NOMEM. */
TERN_MUST_USE tern_status tn_sentence_finish(const tn_sentence *s, tn_gemm *g, const float *x,
                                             size_t n, size_t hidden, float *out, tern_error *err);

#endif
