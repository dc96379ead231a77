/* feed.h - batches from token files.
 *
 * An item is what a batch counts: a window of `context` tokens for pre-training, else a record.
 * Training items are shuffled anew each epoch and taken in order, without end: place p of the
 * stream is item order(p / n)[p % n], micro-batch m holds the places [m batch, (m + 1) batch). So a
 * batch is a pure function of (file, settings, m), and a run resumes anywhere by its number.
 * The random choices of masked language modelling and of mined negatives are functions of
 * (seed, epoch, item), so they do not depend on the size of the batch either.
 *
 * Sequences lie packed, one after the other, without padding; none sees another (tn_lm_batch). */
#ifndef TN_LM_FEED_H
#define TN_LM_FEED_H
#include "core/base/arena.h"
#include "core/lm/batch.h"
#include "trainer/lm/tokens.h"

typedef enum tn_lm_task {
    TN_LM_PRETRAIN,    /* next token */
    TN_LM_SFT,         /* next token, where the tag of the target says so */
    TN_LM_MLM,         /* hidden tokens */
    TN_LM_CONTRASTIVE, /* query and passages */
    TN_LM_CLASSIFY,    /* a class, or numbers, of a sequence */
    TN_LM_TAG          /* a class of each token */
} tn_lm_task;
enum { TN_LM_N_TASKS = 6 };
const char *tn_lm_task_name(tn_lm_task task); /* "pretrain", "sft", "mlm", ... */
int tn_lm_task_find(const char *name);        /* -1: none of that name */

typedef struct tn_feed_opts {
    tn_lm_task task;
    uint32_t context;   /* tokens of a window; longer sequences are cut */
    uint32_t batch;     /* items of a micro-batch */
    uint32_t held_out;  /* items kept for validation, spread evenly over the file; 0: none */
    bool across;        /* pre-training: attention and targets cross documents */
    bool classes;       /* classification: the first target is a class, not a number */
    double mask_rate;   /* masked LM: share of the tokens hidden */
    uint32_t negatives; /* contrastive: mined negatives taken of each record, at most */
    uint64_t seed;
    int32_t mask_id;        /* masked LM */
    const uint8_t *special; /* masked LM: [vocab] 1: never hidden, never put in; borrowed */
} tn_feed_opts;

/* One thread at a time. */
typedef struct tn_feed tn_feed;
/* Errors: ARG (no items; a record without the documents the task needs: says which), NOMEM. */
TERN_MUST_USE tern_status tn_feed_new(const tn_tokens *tokens /* borrowed */,
                                      const tn_feed_opts *opts, tn_feed **out, tern_error *err);
void tn_feed_free(tn_feed *f); /* NULL allowed */
uint64_t tn_feed_n_train(const tn_feed *f);
uint64_t tn_feed_n_held(const tn_feed *f);
uint64_t tn_feed_n_cut(const tn_feed *f);         /* sequences longer than the context */
double tn_feed_tokens_per_item(const tn_feed *f); /* mean, as trained on */

/* Micro-batch m of the training stream; arrays live in the arena. NOMEM. */
TERN_MUST_USE tern_status tn_feed_train(tn_feed *f, uint64_t m, tn_arena *arena, tn_lm_batch *out,
                                        tern_error *err);
/* Micro-batch m of the held-out items (or, with all = true, of all items in the order of the file:
 * for a validation file of its own): n_seqs is 0 past the end. Always the same. */
TERN_MUST_USE tern_status tn_feed_valid(tn_feed *f, uint64_t m, bool all, tn_arena *arena,
                                        tn_lm_batch *out, tern_error *err);

#endif
