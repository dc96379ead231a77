/* rollout.h - episodes for training: played by the agent's own loop, masked, rewarded.
 *
 * A stage holds what all episodes share (index, titles, masker) and one set of tools per worker. An
 * episode is a function of policy, question, seed and rollout number, whatever worker plays it. */
#ifndef TN_ROLLOUT_H
#define TN_ROLLOUT_H
#include "agent/loop.h"
#include "agent/scorer.h"
#include "agent/tools.h"
#include "tern/eval.h"
#include "trainer/recipe.h"
#include "trainer/reward.h"

typedef struct tn_player { /* one worker's */
    tn_index_tools *tools;
    tn_analyzer *analyzer;
    tn_arena arena; /* of the group in play */
    tn_buf *trace;  /* episodes are written here (docs/TRACE.md); NULL: nowhere */
} tn_player;

typedef struct tn_stage {
    const tern_index *ix;
    tn_titles *titles;
    tn_masker *masker;
    tn_player *players;
    int n_players;
    const tn_recipe *recipe;
} tn_stage;
TERN_MUST_USE tern_status tn_stage_init(tn_stage *s, const tern_index *ix, const tn_recipe *recipe,
                                        int n_players, tern_error *err);
void tn_stage_deinit(tn_stage *s); /* zeroed allowed */

/* A question with its gold resolved to passages; empty gold where the file has none. */
typedef struct tn_task {
    const tern_question *question;
    tn_gold gold;
} tn_task;

/* One played episode; lives in the player's arena. */
typedef struct tn_played {
    tn_episode episode; /* tn_played_end frees it */
    tn_trajectory raw, masked;
    size_t n_actions;    /* turns at which there was a choice: the first of episode.turns */
    tern_answer *answer; /* NULL unless it was asked for */
    uint64_t rollout;
} tn_played;

/* Play one episode. temperature 0: the best actions. with_answer: read the answer too, and keep it
 * as the trajectory's response. tn_played_end in any case. */
TERN_MUST_USE tern_status tn_play(const tn_stage *s, tn_player *p, const tern_policy *policy,
                                  const tn_task *task, double temperature, uint64_t rollout,
                                  bool with_answer, tn_played *out, tern_error *err);
void tn_played_end(tn_played *e);
TERN_MUST_USE tern_status tn_played_reward(const tn_stage *s, tn_player *p, const tn_task *task,
                                           const tn_played *e, const tn_reward *reward,
                                           double *value, tern_error *err);

/* What the dashboard watches: how much of the question's words the queries repeat, before and after
 * masking ([0, 1], by number of distinct terms), spans masked, queries made. */
typedef struct tn_leakage {
    double overlap_raw, overlap_masked;
    size_t n_masked, n_queries;
} tn_leakage;
TERN_MUST_USE tern_status tn_played_leakage(tn_player *p, const tn_task *task, const tn_played *e,
                                            tn_leakage *out, tern_error *err);

/* A group: n rollouts of one question, and its share of the gradient. */
typedef struct tn_group {
    double *rewards;                    /* [n] */
    double *grad;                       /* [n_params]: sum over all actions, not yet averaged */
    double entropy;                     /* sum over actions */
    double loss, kl;                    /* sums over actions; 0 unless useful */
    double overlap_raw, overlap_masked; /* sums over rollouts */
    size_t n_actions, n_searches, n_masked;
    bool useful;                           /* the rewards spread enough to teach something */
    uint64_t ns_play, ns_reward, ns_learn; /* where the time went */
    tn_buf trace; /* of all rollouts, in their order; empty unless opts->trace; the caller's */
} tn_group;

typedef struct tn_group_opts {
    const tn_scorer *scorer, *start; /* the policy and where it began */
    const tn_reward *reward;
    uint64_t first_rollout;
    uint64_t step; /* from 1; stands in the trace */
    bool trace;
} tn_group_opts;
/* Play recipe->group rollouts of the task and fill *g, whose rewards, (zeroed) grad and trace
 * are the caller's. The player's arena is reset. */
TERN_MUST_USE tern_status tn_group_play(const tn_stage *s, tn_player *p, const tn_task *task,
                                        const tn_group_opts *o, tn_group *g, tern_error *err);

/* --- judging on held-out questions --- */

enum { TN_ARMS_MAX = 8 };
/* One question's figures. Gold figures are NAN where there is no gold. */
typedef struct tn_judged {
    double recall, all, in_evidence, em, f1, searches;
    double rewards[TN_ARMS_MAX]; /* in the order of tn_reward_list; NAN: needs gold */
    tn_leakage leakage;
    char *story; /* what was searched and found, as HTML list items; heap; NULL: not kept */
} tn_judged;
/* temperature 0: the best actions. with_story: keep the story. The player's arena is reset. */
TERN_MUST_USE tern_status tn_judge(const tn_stage *s, tn_player *p, const tern_policy *policy,
                                   const tn_task *task, double temperature, bool with_story,
                                   tn_judged *out, tern_error *err);
#endif
