/* run_priv.h - a run in progress: shared by run.c (steps), run_setup.c (what it starts from),
 * run_files.c (what it leaves on disk) and run_report.c. */
#ifndef TN_LM_RUN_PRIV_H
#define TN_LM_RUN_PRIV_H
#include "core/lm/train.h"
#include "tern/optim.h"
#include "tern/tokenizer.h"
#include "trainer/lm/run.h"

struct tn_lm_run {
    const tn_lm_recipe *recipe;
    const char *out;
    tern_host host;
    tn_lm_run_result *result;
    tn_lm_task task;

    json_t *config_json; /* as it will be written */
    tn_lm_config config;
    char *model_dir; /* to start from; NULL: random weights */
    char *tokenizer_path;
    tern_tokenizer *tokenizer; /* NULL: the data are token files */
    uint8_t *special;          /* [vocab] (mlm) */

    tn_tokens data, valid_data;
    tn_feed *feed, *valid; /* valid: over valid_data; NULL: the held-out items of feed */
    tn_lm_tape *tape;
    tern_graph *graph;
    tern_optim *optim;
    tn_lm_loss_opts loss;
    tern_lr lr;
    tn_arena arena; /* of a step */

    uint64_t hash; /* of all that decides the weights */
    uint64_t step, n_steps;
    double (*history)[TN_LM_N_METRICS]; /* [n_history] rows logged */
    uint64_t *history_step;             /* [n_history] */
    size_t n_history, history_cap, history_step_cap;
    int metrics_fd, events_fd; /* -1: not open */
    uint64_t metrics_bytes, events_bytes;
    double flops_per_token;
};

static inline void tn_lm_log(const tn_lm_run *run, tern_log_level level, const char *text) {
    if (run->host.log) run->host.log(run->host.ud, level, text);
}

/* run_setup.c */
TERN_MUST_USE tern_status tn_lm_setup(tn_lm_run *run, tern_error *err);
TERN_MUST_USE tern_status tn_lm_open_tokenizer(tn_lm_run *run, tern_error *err);
tn_prepare_opts tn_lm_prepare_opts(const tn_lm_run *run);
void tn_lm_teardown(tn_lm_run *run);

/* run_model.c: config.json for the task, and the folder at the end. */
TERN_MUST_USE tern_status tn_lm_read_config(tn_lm_run *run, tern_error *err);
TERN_MUST_USE tern_status tn_lm_write_model(const tn_lm_run *run, tern_error *err);

/* run_files.c */
/* Make the folder, go on from its newest checkpoint if there is one, open the metric files. */
TERN_MUST_USE tern_status tn_lm_files_open(tn_lm_run *run, tern_error *err);
void tn_lm_files_close(tn_lm_run *run);
/* Log a row of metrics for the step just made (run->step). */
TERN_MUST_USE tern_status tn_lm_record(tn_lm_run *run, const double row[TN_LM_N_METRICS],
                                       tern_error *err);
TERN_MUST_USE tern_status tn_lm_checkpoint(tn_lm_run *run, tern_error *err);
TERN_MUST_USE tern_status tn_lm_save_batch(const tn_lm_run *run, const tn_lm_batch *batches,
                                           size_t n, const char *why, tern_error *err);
TERN_MUST_USE tern_status tn_lm_finish(tn_lm_run *run, tern_error *err);

#endif
