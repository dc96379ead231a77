/* train.h - the models of config.h on the tape: the same weights and equations as the inference
 * engine, with gradients. A batch is packed (batch.h), so padding is never computed and nothing
 * leaks from one sequence to another.
 *
 * Functions that return tensors follow graph.h: NULL after an error, which the graph keeps. */
#ifndef TN_LM_TRAIN_H
#define TN_LM_TRAIN_H
#include "core/lm/batch.h"
#include "core/lm/source.h"
#include "core/lm/weights.h"
#include "tern/nn.h"

/* Weights and their gradients, a slab each; one thread at a time. */
typedef struct tn_lm_tape tn_lm_tape;

typedef struct tn_lm_tape_opts {
    double std;         /* of the matrices to start from; transformers: initializer_range, 0.02 */
    uint64_t seed;      /* each tensor draws from (seed, its name) */
    bool decay_vectors; /* weight decay of norms and biases, too */
} tn_lm_tape_opts;
/* All weights random: matrices N(0, std^2), biases 0, norms the identity. NOMEM. */
TERN_MUST_USE tern_status tn_lm_tape_new(const tn_lm_config *config, const tn_lm_tape_opts *opts,
                                         tn_lm_tape **out, tern_error *err);
void tn_lm_tape_free(tn_lm_tape *t); /* NULL allowed; graphs that used it first */
/* Replace the weights by those of a model's files. Tensors of a new head that the files lack stay
 * as they are when head_may_lack; *n_lacking (NULL allowed) counts them.
 * FORMAT, SHAPE: names the tensor. */
TERN_MUST_USE tern_status tn_lm_tape_load(tn_lm_tape *t, const tn_lm_source *source,
                                          bool head_may_lack, size_t *n_lacking, tern_error *err);
const tn_lm_config *tn_lm_tape_config(const tn_lm_tape *t);
/* The weights under the names that transformers gives, in the order of tn_lm_params(); for
 * optimisers, checkpoints and tern_params_save. Valid as long as the tape. */
tern_params *tn_lm_tape_params(const tn_lm_tape *t);
tern_tensor *tn_lm_tape_param(const tn_lm_tape *t, tn_lm_slot slot, uint32_t layer); /* or NULL */

typedef enum tn_lm_objective {
    TN_LM_NEXT_TOKEN, /* targets: the following ids */
    TN_LM_MASKED,     /* targets: the hidden ids */
    TN_LM_TOKEN_CLASS,
    TN_LM_SEQ_CLASS,   /* seq_classes, softmax */
    TN_LM_SEQ_BINARY,  /* seq_targets in [0, 1], sigmoid */
    TN_LM_SEQ_NUMBERS, /* seq_targets, squared error */
    TN_LM_PAIRS        /* queries and passages, softmax over the passages */
} tn_lm_objective;
typedef enum tn_lm_pool { TN_LM_POOL_MEAN, TN_LM_POOL_CLS, TN_LM_POOL_LAST } tn_lm_pool;

typedef struct tn_lm_loss_opts {
    tn_lm_objective objective;
    tn_lm_pool pool;    /* pairs */
    bool normalize;     /* pairs: scores are cosines */
    double temperature; /* pairs: scores are divided by it */
    bool recompute;     /* keep only the inputs of layers */
} tn_lm_loss_opts;

/* Does the model have the head the objective needs? ARG says what is missing. */
TERN_MUST_USE tern_status tn_lm_check_objective(const tn_lm_config *c, tn_lm_objective objective,
                                                tern_error *err);
/* Are ids, types, classes and lengths those of this model? ARG, LIMIT. */
TERN_MUST_USE tern_status tn_lm_check_batch(const tn_lm_config *c, const tn_lm_batch *b,
                                            tern_error *err);

/* [n_tokens, hidden]: the last hidden state (decoders: after the last norm). The batch is borrowed
 * until backward or reset. */
tern_tensor *tn_lm_tape_hidden(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute);
/* Of every token, [n_tokens, vocab or n_labels], or of sequence classifiers [n_seqs, n_labels]. */
tern_tensor *tn_lm_tape_logits(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                               tern_tensor *hidden);
/* One vector a sequence, [n_seqs, hidden]. */
tern_tensor *tn_lm_tape_pooled(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                               tern_tensor *hidden, tn_lm_pool pool, bool normalize);
/* The sum, not the mean, of the batch's n_targets (>= 1) losses (nats): a step of several batches
 * divides by the number of all its targets, so how it is cut does not change what is learned. */
tern_tensor *tn_lm_tape_loss(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                             const tn_lm_loss_opts *opts);

#endif
