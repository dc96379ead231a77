/* batch.h - what a training step sees: sequences of token ids, packed one after the other without
 * padding, and what is to be learned from them. No sequence attends to another. */
#ifndef TN_LM_BATCH_H
#define TN_LM_BATCH_H
#include <stddef.h>
#include <stdint.h>

enum { TN_LM_IGNORE = -100 }; /* a target that is not learned */

typedef struct tn_lm_batch {
    size_t n_tokens, n_seqs;
    int32_t *ids;       /* [n_tokens] */
    int32_t *types;     /* [n_tokens] token types (encoders), NULL: all 0 */
    int32_t *seq_begin; /* [n_seqs + 1] first token of each */
    int32_t *positions; /* [n_tokens] rows of the position table (encoders), NULL: they count from
                           the first token of each sequence */

    int32_t *targets;     /* [n_tokens] id or class, or TN_LM_IGNORE; NULL: none */
    int32_t *seq_classes; /* [n_seqs] class of each sequence; NULL: none */
    float *seq_targets;   /* [n_seqs, n_seq_targets] numbers of each sequence; NULL: none */
    size_t n_seq_targets;
    /* Contrastive: the first n_queries sequences are queries, the others passages; positive[q] is
     * the passage (counted from 0 among passages) that belongs to query q. */
    size_t n_queries;
    int32_t *positive;

    size_t n_targets; /* terms of the loss: learned tokens, sequences or queries */
} tn_lm_batch;

#endif
