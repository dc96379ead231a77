/* ccs.h - cycle-consistent search: train the searcher on questions without answers.
 *
 *   each step: `batch` questions x `group` rollouts by the current policy
 *              -> reward of each -> group-relative advantages -> one Adam update
 *
 * The weights after n steps are a function of recipe, index and questions. Work is cut by question
 * and reduced in question order, so threads never change a bit of them. docs/CCS.md has the
 * method. */
#ifndef TN_CCS_H
#define TN_CCS_H
#include "tern/eval.h"
#include "tern/host.h"
#include "trainer/rollout.h"

/* X(NAME, tag): what is recorded of every step. */
#define TN_METRIC_MAP(X)                                                                           \
    X(REWARD, "reward/mean")                                                                       \
    X(REWARD_STD, "reward/std")                                                                    \
    X(LOSS, "train/loss")                                                                          \
    X(GRAD_NORM, "train/grad_norm")                                                                \
    X(KL, "train/kl")                                                                              \
    X(DROPPED, "train/groups_dropped")                                                             \
    X(ENTROPY, "policy/entropy")                                                                   \
    X(SEARCHES, "episode/searches")                                                                \
    X(SPAN_RATE, "mask/spans_per_query")                                                           \
    X(OVERLAP_RAW, "leak/overlap_raw")                                                             \
    X(OVERLAP_MASKED, "leak/overlap_masked")                                                       \
    X(HELD_REWARD, "held_out/reward")                                                              \
    X(HELD_RECALL, "held_out/recall")                                                              \
    X(SPEED, "time/rollouts_per_s")
enum {
#define TN_METRIC_ENUM_(name, tag) TN_M_##name,
    TN_METRIC_MAP(TN_METRIC_ENUM_)
#undef TN_METRIC_ENUM_
        TN_N_METRICS
};
extern const char *const tn_metric_tags[TN_N_METRICS];

typedef struct tn_ccs_opts {
    tn_recipe recipe;
    const char *out;                /* folder for all files; created */
    const tern_questions *held_out; /* NULL: recipe.held_out of the questions, not trained on */
    const tn_reward *reward;        /* NULL: the recipe's; else a plug-in in its place */
    uint32_t checkpoint_every;      /* steps; 0: 10 */
    uint32_t trace_every; /* keep the rollouts of every so many steps in rollouts.jsonl; 0: none */
    bool dry_run;         /* only measure and forecast; writes nothing */
} tn_ccs_opts;

/* Means over the held-out questions; NAN where there is nothing to average. */
typedef struct tn_ccs_figures {
    double recall, all, in_evidence, em, f1, searches;
    double rewards[TN_ARMS_MAX];
    double overlap_raw, overlap_masked, spans_per_query;
} tn_ccs_figures;

enum { TN_ALARMS_MAX = 16 };
typedef struct tn_ccs_result {
    size_t n_train, n_held_out, n_params;
    uint64_t first_step, step; /* went from first_step (0, or resumed) to step */
    uint64_t n_rollouts, n_groups, n_dropped;
    double seconds, rollouts_per_s;
    double forecast_s, forecast_rate;          /* before the first step */
    uint64_t peak_bytes;                       /* of the process */
    double s_play, s_reward, s_learn, s_judge; /* summed over threads */
    tn_ccs_figures before, after;
    tern_bootstrap gain; /* of recall where there is gold, else of the reward trained on */
    bool gain_is_recall;
    char alarms[TN_ALARMS_MAX][160];
    size_t n_alarms;
} tn_ccs_result;

/* Train, or go on where the checkpoint in opts->out stands. Leaves policy.json, metrics.jsonl,
 * events.out.tfevents.tern, checkpoint.bin, result.json and report.html there.
 * Errors: ARG (no questions, bad recipe, an arm that needs gold the file lacks), EXISTS (the folder
 * holds another run), CANCELLED (checkpoint written), LIMIT (a figure is not finite: the batch is
 * in failed_batch.jsonl and no update was made), FULL, IO, NOMEM, and those of the agent. */
TERN_MUST_USE tern_status tn_ccs_train(const tern_index *ix, const tern_questions *questions,
                                       const tn_ccs_opts *opts, const tern_host *host,
                                       tn_ccs_result *result, tern_error *err);

/* --- report.c --- */

typedef struct tn_ccs_report {
    const tn_recipe *recipe;
    const tn_ccs_result *result;
    tern_index_stats stats;
    const double (*history)[TN_N_METRICS]; /* [n_steps] */
    size_t n_steps;
    const tn_judged *before, *after; /* [result->n_held_out] */
    const char *const *questions;    /* [result->n_held_out] */
} tn_ccs_report;
void tn_ccs_report_html(const tn_ccs_report *r, tn_buf *out);

#endif
