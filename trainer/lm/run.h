/* run.h - `tern train lm`: a run from recipe to model folder.
 *
 *   each step: `accumulate` micro-batches of `batch` items -> the sum of their losses over the
 * number of all targets -> gradients -> clipping -> AdamW
 *
 * The folder of a run:
 *   recipe.json, result.json, report.html          settings, figures, curves
 *   metrics.jsonl, events.out.tfevents.tern        a line, a record, for each step logged
 *   train.tokens, validation.tokens (+ .key)       data that were texts, as ids; what they are of
 *   checkpoints/step-N.safetensors                 weights, moments, place in the data
 *   model/                                         Hugging Face layout: the trained model
 *   failed_batch.jsonl                             the batch that gave a NaN
 * A run is a function of its recipe, data and start weights: threads, and being stopped however
 * often and however hard, change no bit of its losses. */
#ifndef TN_LM_RUN_H
#define TN_LM_RUN_H
#include "tern/host.h"
#include "trainer/lm/lm_recipe.h"
#include "trainer/lm/prepare.h"

/* X(NAME, tag): what is recorded of a step. */
#define TN_LM_METRIC_MAP(X)                                                                        \
    X(LOSS, "train/loss")                                                                          \
    X(VALID, "valid/loss")                                                                         \
    X(ACCURACY, "valid/accuracy")                                                                  \
    X(GRAD_NORM, "train/grad_norm")                                                                \
    X(LR, "train/lr")                                                                              \
    X(TOKENS, "train/tokens")                                                                      \
    X(EPOCH, "train/epoch")                                                                        \
    X(SPEED, "time/tokens_per_s")                                                                  \
    X(PEAK, "time/fraction_of_peak")
enum {
#define TN_LM_METRIC_ENUM_(name, tag) TN_LM_M_##name,
    TN_LM_METRIC_MAP(TN_LM_METRIC_ENUM_)
#undef TN_LM_METRIC_ENUM_
        TN_LM_N_METRICS
};
extern const char *const tn_lm_metric_tags[TN_LM_N_METRICS];

typedef struct tn_lm_run_opts {
    const tn_lm_recipe *recipe;
    const char *out; /* folder of the run; created */
    bool dry_run;    /* prepare the data, make a few steps, forecast; writes no model */
} tn_lm_run_opts;

typedef struct tn_lm_run_result {
    uint64_t n_weights, n_items, n_held, n_cut; /* items: windows or records */
    uint64_t n_data_tokens;                     /* of the data file */
    double tokens_per_step;                     /* expected */
    uint64_t first_step, step, n_steps; /* from first_step (0, or resumed) to step, of n_steps */
    uint64_t tokens;                    /* trained on in this call */
    double seconds, tokens_per_s, fraction_of_peak, peak_gflops;
    double loss;                                     /* of the last step; NAN: none */
    double valid_first, valid, valid_best, accuracy; /* NAN: no validation items, no classes */
    double forecast_s;                               /* dry run */
    uint64_t memory_bytes; /* weights, gradients, moments and the largest step */
    uint64_t peak_bytes;   /* of the process */
    uint64_t n_new_head;   /* tensors that the start model lacked */
} tn_lm_run_result;

/* Train, or go on where the newest checkpoint in opts->out stands.
 * Errors: ARG (recipe, model and data do not fit; the folder holds another run), LIMIT (a loss or
 * gradient is not finite: the batch is in failed_batch.jsonl and the step was not made), CANCELLED
 * (a checkpoint was written), FULL, FORMAT, CORRUPT, IO, NOMEM. */
TERN_MUST_USE tern_status tn_lm_train(const tn_lm_run_opts *opts, const tern_host *host,
                                      tn_lm_run_result *result, tern_error *err);
json_t *tn_lm_run_result_json(const tn_lm_run_result *r); /* NULL: no memory */

/* Only the tokens of the recipe's data, as a token file: what `tern train tokens` does. The recipe
 * needs a task, data and a tokenizer, or a model that has one. */
TERN_MUST_USE tern_status tn_lm_make_tokens(const tn_lm_recipe *recipe, const char *out_path,
                                            const tern_host *host, tn_prepared *result,
                                            tern_error *err);

/* --- run_report.c --- */
typedef struct tn_lm_run tn_lm_run;
void tn_lm_report_html(const tn_lm_run *run, tn_buf *out);

#endif
