/* ccs_run.h - a training run in progress: shared by ccs.c (steps), run_files.c (what is on disk)
 * and alarms.c. */
#ifndef TN_CCS_RUN_H
#define TN_CCS_RUN_H
#include "agent/policy_scorer.h"
#include "core/base/pool.h"
#include "trainer/ccs.h"
#include "trainer/grpo.h"
#include <pthread.h>

enum { TN_STORIES_MAX = 12 }; /* held-out questions whose trajectories the report shows */

typedef struct tn_run {
    const tern_index *ix;
    tn_ccs_opts opts;
    tern_host host;
    tn_ccs_result *result;
    const tn_reward *reward;
    size_t arm; /* its place in tn_reward_list */
    tn_arena arena;
    tn_task *train, *held;
    size_t n_train, n_held, n_unresolved;
    uint32_t *order; /* [n_train] of this epoch */
    uint64_t order_epoch;

    tn_pool *pool;
    tn_stage stage;
    const tn_task **batch; /* [recipe.batch] */
    uint64_t *epochs;      /* [recipe.batch] */
    tn_group *groups;      /* [recipe.batch] */
    double *group_grads, *group_rewards;

    tn_scorer scorer, start;
    size_t n_params;
    double *grad, *m, *v;            /* [n_params] */
    uint64_t step;                   /* updates made */
    double (*history)[TN_N_METRICS]; /* [recipe.steps] */
    tn_judged *before, *after;       /* [n_held] */

    uint64_t run_hash;
    int metrics_fd, events_fd, trace_fd; /* -1: not open */
    uint64_t metrics_bytes, events_bytes, trace_bytes;
    bool tracing; /* the rollouts in play are written down */

    pthread_mutex_t lock; /* guards status, err and the host's callbacks while the pool works */
    tern_status status;
    tern_error err;
} tn_run;

/* alarms.c: look at the last steps; each kind of alarm is raised once. */
void tn_run_alarms(tn_run *run, uint64_t step);

/* run_files.c */
/* Sets run->run_hash: equal for runs that end with equal weights. */
TERN_MUST_USE tern_status tn_run_hash(tn_run *run, const tern_questions *questions,
                                      tern_error *err);
/* Make the folder, go on from its checkpoint if there is one, open the metric files. */
TERN_MUST_USE tern_status tn_run_open(tn_run *run, tern_error *err);
void tn_run_close(tn_run *run);
TERN_MUST_USE tern_status tn_run_record(tn_run *run, uint64_t step, tern_error *err);
TERN_MUST_USE tern_status tn_run_checkpoint(tn_run *run, tern_error *err);
TERN_MUST_USE tern_status tn_run_save_batch(tn_run *run, uint64_t step, tern_error *err);
/* policy.json, result.json, report.html. */
TERN_MUST_USE tern_status tn_run_finish(tn_run *run, tern_error *err);
/* The result as a JSON object; NULL: no memory. */
json_t *tn_ccs_result_json(const tn_ccs_result *r);

#endif
