/* ccs.c - see ccs.h: the steps of a run. Its files are run_files.c's, its report report.c's. */
#include "trainer/ccs.h"
#include "agent/features.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "trainer/ccs_run.h"
#include "trainer/splits.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/mem.h"

const char *const tn_metric_tags[TN_N_METRICS] = {
#define TN_METRIC_TAG_(name, tag) tag,
    TN_METRIC_MAP(TN_METRIC_TAG_)
#undef TN_METRIC_TAG_
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for training");
}

static void say(const tn_run *run, tern_log_level level, const char *text) {
    if (run->host.log) run->host.log(run->host.ud, level, text);
}

/* --- questions -------------------------------------------------------------------------------- */

static tern_status resolve(tn_run *run, const tern_question *q, tn_task *t, tern_error *err) {
    uint32_t *refs = tn_arena_alloc(&run->arena, (q->n_supporting + 1) * sizeof *refs);
    if (!refs) return no_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < q->n_supporting; i++) {
        tern_status st = tern_index_find(run->ix, q->supporting[i], &refs[n], err);
        if (st == TERN_OK)
            n++;
        else if (st == TERN_ERR_NOT_FOUND)
            run->n_unresolved++;
        else
            return st;
    }
    *t = (tn_task){q, {refs, n, q->answers, q->n_answers}};
    return TERN_OK;
}

static tern_status take_tasks(tn_run *run, const tern_questions *qs, const tern_questions *held_qs,
                              tern_error *err) {
    size_t n_held = held_qs ? 0 : run->opts.recipe.held_out;
    if (n_held > qs->n / 5) n_held = qs->n / 5;
    bool *held = tn_arena_calloc(&run->arena, qs->n + 1, sizeof *held);
    run->train = tn_arena_calloc(&run->arena, qs->n + 1, sizeof *run->train);
    run->held =
        tn_arena_calloc(&run->arena, (held_qs ? held_qs->n : n_held) + 1, sizeof *run->held);
    if (!held || !run->train || !run->held) return no_memory(err);
    tern_status st = tn_split_held_out(qs, n_held, held, err);
    for (size_t i = 0; i < qs->n && st == TERN_OK; i++)
        st = resolve(run, &qs->items[i],
                     held[i] ? &run->held[run->n_held++] : &run->train[run->n_train++], err);
    for (size_t i = 0; held_qs && i < held_qs->n && st == TERN_OK; i++)
        st = resolve(run, &held_qs->items[i], &run->held[run->n_held++], err);
    return st;
}

static tern_status check_gold(const tn_run *run, tern_error *err) {
    for (size_t i = 0; i < run->n_train; i++)
        if (tn_reward_sees(run->reward, &run->train[i].gold)) return TERN_OK;
    return tern_fail(
        err, TERN_ERR_ARG, 0, "reward %s needs questions with %s; these have none: use ccs-lexical",
        run->reward->name,
        run->reward->needs == TN_GOLD_ANSWERS ? "answers" : "supporting passages of this index");
}

/* Question number `at` of the endless stream: every pass over the questions is a new order. */
static const tn_task *task_at(tn_run *run, uint64_t at, uint64_t *epoch) {
    *epoch = at / run->n_train;
    if (run->order_epoch != *epoch) {
        tn_rng r = tn_rng_init(run->opts.recipe.seed, 0x6f726472 + *epoch); /* "ordr" */
        for (uint32_t i = 0; i < run->n_train; i++) run->order[i] = i;
        for (uint32_t i = (uint32_t)run->n_train; i > 1; i--) {
            uint32_t j = (uint32_t)tn_rng_below(&r, i), keep = run->order[i - 1];
            run->order[i - 1] = run->order[j];
            run->order[j] = keep;
        }
        run->order_epoch = *epoch;
    }
    return &run->train[run->order[at % run->n_train]];
}

/* --- the policy ------------------------------------------------------------------------------- */

static tern_status start_policy(tn_run *run, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    bool embedded = strcmp(r->start, "embedded") == 0, hand = strcmp(r->start, "hand-set") == 0;
    if (!embedded && !hand && strcmp(r->start, "uniform") != 0) {
        tern_status st =
            tn_scorer_load(&run->scorer, tn_feature_names, TN_N_FEATURES, r->start, err);
        if (st == TERN_OK)
            st = tn_scorer_load(&run->start, tn_feature_names, TN_N_FEATURES, r->start, err);
        return st;
    }
    const float *linear = embedded ? tn_feature_weights : hand ? tn_feature_hand : NULL;
    tern_status st = tn_scorer_init(&run->scorer, TN_N_FEATURES, r->hidden, linear, r->seed, err);
    /* v is zero there, so the linear part alone is the same policy, and cheaper */
    if (st == TERN_OK) st = tn_scorer_init(&run->start, TN_N_FEATURES, 0, linear, r->seed, err);
    return st;
}

static tern_status alloc_parameters(tn_run *run, tern_error *err) {
    run->n_params = tn_scorer_n_params(run->scorer.n_in, run->scorer.n_hidden);
    run->m = tn_calloc(run->n_params, sizeof *run->m);
    run->v = tn_calloc(run->n_params, sizeof *run->v);
    run->grad = tn_calloc(run->n_params, sizeof *run->grad);
    run->order = tn_calloc(run->n_train + 1, sizeof *run->order);
    run->order_epoch = UINT64_MAX;
    size_t batch = run->opts.recipe.batch, group = run->opts.recipe.group;
    run->groups = tn_calloc(batch, sizeof *run->groups);
    run->group_grads = tn_calloc(batch * run->n_params, sizeof *run->group_grads);
    run->group_rewards = tn_calloc(batch * group, sizeof *run->group_rewards);
    run->history = tn_calloc(run->opts.recipe.steps, sizeof *run->history);
    if (!run->m || !run->v || !run->grad || !run->order || !run->groups || !run->group_grads ||
        !run->group_rewards || !run->history)
        return no_memory(err);
    for (size_t b = 0; b < batch; b++) {
        run->groups[b].grad = run->group_grads + b * run->n_params;
        run->groups[b].rewards = run->group_rewards + b * group;
    }
    return TERN_OK;
}

/* --- work on the pool ------------------------------------------------------------------------- */

static bool go_on(tn_run *run) {
    pthread_mutex_lock(&run->lock);
    if (run->status == TERN_OK && run->host.cancelled && run->host.cancelled(run->host.ud))
        run->status = tern_fail(&run->err, TERN_ERR_CANCELLED, 0, "cancelled");
    bool yes = run->status == TERN_OK;
    pthread_mutex_unlock(&run->lock);
    return yes;
}

static void note(tn_run *run, tern_status st, const tern_error *err) {
    if (st == TERN_OK) return;
    pthread_mutex_lock(&run->lock);
    if (run->status == TERN_OK) {
        run->status = st;
        run->err = *err;
    }
    pthread_mutex_unlock(&run->lock);
}

static tern_status worked(tn_run *run, tern_error *err) {
    tern_status st = run->status;
    if (st != TERN_OK && err) *err = run->err;
    run->status = TERN_OK;
    return st;
}

static void play_groups(void *arg, size_t begin, size_t end, int worker) {
    tn_run *run = arg;
    for (size_t b = begin; b < end && go_on(run); b++) {
        tern_error err = {0};
        tn_group_opts o = {.scorer = &run->scorer,
                           .start = &run->start,
                           .reward = run->reward,
                           .first_rollout = run->epochs[b] * run->opts.recipe.group,
                           .step = run->step + 1,
                           .trace = run->tracing};
        memset(run->groups[b].grad, 0, run->n_params * sizeof(double));
        note(run,
             tn_group_play(&run->stage, &run->stage.players[worker], run->batch[b], &o,
                           &run->groups[b], &err),
             &err);
    }
}

static tern_status play_batch(tn_run *run, uint64_t step, size_t n, tern_error *err) {
    for (size_t b = 0; b < n; b++)
        run->batch[b] = task_at(run, step * run->opts.recipe.batch + b, &run->epochs[b]);
    tn_pool_for(run->pool, n, 1, play_groups, run);
    return worked(run, err);
}

typedef struct judging {
    tn_run *run;
    const tern_policy *policy;
    tn_judged *out;
    double temperature;
    bool stories;
} judging;

static void judge_some(void *arg, size_t begin, size_t end, int worker) {
    judging *j = arg;
    for (size_t i = begin; i < end && go_on(j->run); i++) {
        tern_error err = {0};
        tn_free(j->out[i].story);
        note(j->run,
             tn_judge(&j->run->stage, &j->run->stage.players[worker], j->policy, &j->run->held[i],
                      j->temperature, j->stories && i < TN_STORIES_MAX, &j->out[i], &err),
             &err);
    }
}

static double mean_of(const tn_judged *j, size_t n, size_t offset) {
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        double v;
        memcpy(&v, (const char *)&j[i] + offset, sizeof v);
        if (isnan(v)) continue;
        sum += v;
        count++;
    }
    return count ? sum / (double)count : NAN;
}

static tn_ccs_figures summarise(const tn_judged *j, size_t n) {
    tn_ccs_figures f = {.recall = mean_of(j, n, offsetof(tn_judged, recall)),
                        .all = mean_of(j, n, offsetof(tn_judged, all)),
                        .in_evidence = mean_of(j, n, offsetof(tn_judged, in_evidence)),
                        .em = mean_of(j, n, offsetof(tn_judged, em)),
                        .f1 = mean_of(j, n, offsetof(tn_judged, f1)),
                        .searches = mean_of(j, n, offsetof(tn_judged, searches)),
                        .overlap_raw = mean_of(j, n, offsetof(tn_judged, leakage.overlap_raw)),
                        .overlap_masked =
                            mean_of(j, n, offsetof(tn_judged, leakage.overlap_masked))};
    for (size_t a = 0; a < TN_ARMS_MAX; a++)
        f.rewards[a] = mean_of(j, n, offsetof(tn_judged, rewards) + a * sizeof(double));
    size_t n_masked = 0, n_queries = 0;
    for (size_t i = 0; i < n; i++) {
        n_masked += j[i].leakage.n_masked;
        n_queries += j[i].leakage.n_queries;
    }
    f.spans_per_query = n_queries ? (double)n_masked / (double)n_queries : NAN;
    return f;
}

/* At temperature 0, but for the uniform start: all its actions are best, so it is sampled. */
static tern_status judge_all(tn_run *run, const tn_scorer *s, tn_judged *out, bool stories,
                             tn_ccs_figures *figures, tern_error *err) {
    bool sample = s == &run->start && strcmp(run->opts.recipe.start, "uniform") == 0;
    tn_scorer_policy policy;
    tn_scorer_policy_init(&policy, s, "judged");
    judging j = {run, &policy.base, out, sample ? run->opts.recipe.temperature : 0, stories};
    uint64_t start = tn_clock_ns();
    tn_pool_for(run->pool, run->n_held, 1, judge_some, &j);
    run->result->s_judge += (double)(tn_clock_ns() - start) * 1e-9 * tn_pool_n_threads(run->pool);
    tern_status st = worked(run, err);
    if (st == TERN_OK) *figures = summarise(out, run->n_held);
    return st;
}

/* --- a step ----------------------------------------------------------------------------------- */

static tern_status not_finite(tn_run *run, uint64_t step, const char *what, tern_error *err) {
    tern_status st = tn_run_save_batch(run, step, err);
    if (st != TERN_OK) return st;
    return tern_fail(err, TERN_ERR_LIMIT, 0,
                     "step %llu: %s is not a finite number; no update was made, the batch is in "
                     "%s/failed_batch.jsonl",
                     (unsigned long long)step + 1, what, run->opts.out);
}

static void measure(const tn_run *run, double *row) {
    size_t n = run->opts.recipe.batch, per = run->opts.recipe.group, n_actions = 0, n_used = 0;
    size_t n_searches = 0, n_masked = 0;
    double sum = 0, squares = 0, rollouts = (double)(n * per);
    for (size_t b = 0; b < n; b++) {
        const tn_group *g = &run->groups[b];
        for (size_t i = 0; i < per; i++) sum += g->rewards[i];
        n_actions += g->n_actions;
        n_used += g->useful ? g->n_actions : 0;
        n_searches += g->n_searches;
        n_masked += g->n_masked;
        row[TN_M_LOSS] += g->loss;
        row[TN_M_KL] += g->kl;
        row[TN_M_ENTROPY] += g->entropy;
        row[TN_M_DROPPED] += !g->useful;
        row[TN_M_OVERLAP_RAW] += g->overlap_raw / rollouts;
        row[TN_M_OVERLAP_MASKED] += g->overlap_masked / rollouts;
    }
    double mean = sum / rollouts;
    for (size_t b = 0; b < n; b++)
        for (size_t i = 0; i < per; i++) {
            double d = run->groups[b].rewards[i] - mean;
            squares += d * d;
        }
    row[TN_M_REWARD] = mean;
    row[TN_M_REWARD_STD] = sqrt(squares / rollouts);
    if (n_used) row[TN_M_LOSS] /= (double)n_used;
    if (n_used) row[TN_M_KL] /= (double)n_used;
    if (n_actions) row[TN_M_ENTROPY] /= (double)n_actions;
    row[TN_M_SEARCHES] = (double)n_searches / rollouts;
    row[TN_M_SPAN_RATE] = n_searches ? (double)n_masked / (double)n_searches : 0;
}

/* Sum the groups' gradients in question order; returns the actions they are a sum over. */
static size_t reduce(tn_run *run) {
    size_t n_used = 0;
    memset(run->grad, 0, run->n_params * sizeof *run->grad);
    for (size_t b = 0; b < run->opts.recipe.batch; b++) {
        const tn_group *g = &run->groups[b];
        if (!g->useful) continue;
        n_used += g->n_actions;
        for (size_t i = 0; i < run->n_params; i++) run->grad[i] += g->grad[i];
    }
    for (size_t i = 0; n_used && i < run->n_params; i++) run->grad[i] /= (double)n_used;
    return n_used;
}

static tern_status update(tn_run *run, uint64_t step, double *row, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    for (size_t i = 0; i < (size_t)r->batch * r->group; i++)
        if (!isfinite(run->group_rewards[i])) return not_finite(run, step, "a reward", err);
    measure(run, row);
    if (reduce(run) == 0) return TERN_OK; /* no group taught anything: the weights stay */
    tn_adam adam = tn_adam_defaults();
    adam.lr = r->lr;
    adam.clip_norm = r->clip_norm;
    double norm = 0;
    for (size_t i = 0; i < run->n_params; i++) norm += run->grad[i] * run->grad[i];
    if (!isfinite(norm)) return not_finite(run, step, "the gradient", err);
    row[TN_M_GRAD_NORM] =
        tn_adam_step(&adam, step + 1, run->scorer.params, run->grad, run->m, run->v, run->n_params);
    return TERN_OK;
}

static void count(tn_run *run) {
    for (size_t b = 0; b < run->opts.recipe.batch; b++) {
        const tn_group *g = &run->groups[b];
        run->result->n_dropped += !g->useful;
        run->result->s_play += (double)g->ns_play * 1e-9;
        run->result->s_reward += (double)g->ns_reward * 1e-9;
        run->result->s_learn += (double)g->ns_learn * 1e-9;
    }
    run->result->n_groups += run->opts.recipe.batch;
    run->result->n_rollouts += (uint64_t)run->opts.recipe.batch * run->opts.recipe.group;
}

static tern_status step_once(tn_run *run, uint64_t step, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    double *row = run->history[step];
    uint64_t start = tn_clock_ns();
    row[TN_M_HELD_REWARD] = row[TN_M_HELD_RECALL] = NAN;
    run->tracing = run->opts.trace_every && step % run->opts.trace_every == 0;
    tern_status st = play_batch(run, step, r->batch, err);
    if (st == TERN_OK) st = update(run, step, row, err);
    if (st != TERN_OK) return st;
    count(run);
    row[TN_M_SPEED] = (double)(r->batch * r->group) * 1e9 / (double)(tn_clock_ns() - start);
    if (r->eval_every && run->n_held && (step + 1) % r->eval_every == 0 && step + 1 < r->steps) {
        tn_ccs_figures f;
        st = judge_all(run, &run->scorer, run->after, false, &f, err);
        if (st != TERN_OK) return st;
        row[TN_M_HELD_REWARD] = f.rewards[run->arm];
        row[TN_M_HELD_RECALL] = f.recall;
    }
    return tn_run_record(run, step, err);
}

static void report_progress(const tn_run *run, uint64_t step) {
    if (!run->host.progress) return;
    uint64_t per = (uint64_t)run->opts.recipe.batch * run->opts.recipe.group;
    tern_progress p = {.what = "training",
                       .unit = "rollouts",
                       .done = step * per,
                       .total = run->opts.recipe.steps * per};
    run->host.progress(run->host.ud, &p);
}

static tern_status run_steps(tn_run *run, tern_error *err) {
    uint64_t every = run->opts.checkpoint_every ? run->opts.checkpoint_every : 10;
    tern_status st = TERN_OK;
    while (st == TERN_OK && run->step < run->opts.recipe.steps) {
        st = step_once(run, run->step, err);
        if (st != TERN_OK) break;
        tn_run_alarms(run, run->step);
        run->step++;
        report_progress(run, run->step);
        if (run->step % every == 0 || run->step == run->opts.recipe.steps)
            st = tn_run_checkpoint(run, err);
    }
    if (st != TERN_ERR_CANCELLED) return st;
    tern_error second;
    tern_status saved = tn_run_checkpoint(run, &second);
    if (saved != TERN_OK) {
        if (err) *err = second;
        return saved;
    }
    return tern_fail(err, st, 0, "stopped after step %llu; the same command goes on from there",
                     (unsigned long long)run->step);
}

static uint64_t peak_bytes(void) {
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}

/* --- forecast --------------------------------------------------------------------------------- */

static tern_status forecast(tn_run *run, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    size_t n = 2 * (size_t)tn_pool_n_threads(run->pool);
    if (n > r->batch) n = r->batch;
    tern_status st = play_batch(run, 0, n, err); /* warms caches, counts for nothing */
    uint64_t start = tn_clock_ns();
    if (st == TERN_OK) st = play_batch(run, 0, n, err);
    if (st != TERN_OK) return st;
    double seconds = (double)(tn_clock_ns() - start) * 1e-9;
    tn_ccs_result *res = run->result;
    res->forecast_rate = (double)(n * r->group) / seconds;
    double looks = r->eval_every ? 2 + (double)r->steps / r->eval_every : 2;
    res->peak_bytes = peak_bytes(); /* a batch was just run: the rest needs little more */
    res->forecast_s =
        ((double)(r->steps - run->step) * r->batch * r->group + looks * (double)run->n_held) /
        res->forecast_rate;
    char text[200];
    snprintf(text, sizeof text,
             "%zu questions to train on, %zu held out; %.0f rollouts/s: %u steps take about %.0f s",
             run->n_train, run->n_held, res->forecast_rate, r->steps, res->forecast_s);
    say(run, TERN_LOG_INFO, text);
    return TERN_OK;
}

/* --- before and after ------------------------------------------------------------------------- */

static tern_status compare(tn_run *run, tern_error *err) {
    tn_ccs_result *res = run->result;
    double *a = tn_calloc(2 * run->n_held + 1, sizeof *a), *b;
    size_t n = 0;
    if (!a) return no_memory(err);
    b = a + run->n_held;
    res->gain_is_recall = !isnan(res->after.recall);
    for (size_t i = 0; i < run->n_held; i++) {
        double x = res->gain_is_recall ? run->after[i].recall : run->after[i].rewards[run->arm];
        double y = res->gain_is_recall ? run->before[i].recall : run->before[i].rewards[run->arm];
        if (isnan(x) || isnan(y)) continue;
        a[n] = x;
        b[n++] = y;
    }
    tern_status st = TERN_OK;
    if (n) st = tern_bootstrap_paired(a, b, n, 10000, run->opts.recipe.seed, &res->gain, err);
    tn_free(a);
    return st;
}

static tern_status train(tn_run *run, tern_error *err) {
    uint64_t start = tn_clock_ns();
    tern_status st = forecast(run, err);
    if (st != TERN_OK || run->opts.dry_run) return st;
    st = judge_all(run, &run->start, run->before, true, &run->result->before, err);
    if (st == TERN_OK) st = run_steps(run, err);
    run->result->step = run->step;
    if (st == TERN_OK)
        st = judge_all(run, &run->scorer, run->after, true, &run->result->after, err);
    if (st == TERN_OK) st = compare(run, err);
    run->result->seconds = (double)(tn_clock_ns() - start) * 1e-9;
    run->result->rollouts_per_s = (double)run->result->n_rollouts / run->result->seconds;
    run->result->peak_bytes = peak_bytes();
    if (st == TERN_OK) st = tn_run_finish(run, err);
    return st;
}

/* --- from begin to end ------------------------------------------------------------------------ */

static void arm_number(tn_run *run) {
    size_t n;
    const tn_reward *all = tn_reward_list(&n);
    for (size_t a = 0; a < n; a++)
        if (strcmp(all[a].name, run->reward->name) == 0) run->arm = a;
}

static tern_status prepare(tn_run *run, const tern_questions *questions, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    tern_status st = tn_recipe_check(r, err);
    if (st != TERN_OK) return st;
    if (questions->n == 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "there are no questions to train on; `tern questions` makes some");
    run->reward = run->opts.reward ? run->opts.reward : tn_reward_find(r->reward);
    arm_number(run);
    st = tn_run_hash(run, questions, err);
    if (st == TERN_OK) st = take_tasks(run, questions, run->opts.held_out, err);
    if (st == TERN_OK) st = check_gold(run, err);
    if (st == TERN_OK) st = start_policy(run, err);
    if (st == TERN_OK) st = alloc_parameters(run, err);
    run->batch = tn_arena_calloc(&run->arena, r->batch, sizeof *run->batch);
    run->epochs = tn_arena_calloc(&run->arena, r->batch, sizeof *run->epochs);
    run->before = tn_arena_calloc(&run->arena, run->n_held + 1, sizeof *run->before);
    run->after = tn_arena_calloc(&run->arena, run->n_held + 1, sizeof *run->after);
    if (st == TERN_OK && (!run->batch || !run->epochs || !run->before || !run->after))
        st = no_memory(err);
    if (st == TERN_OK) st = tn_pool_new(run->host.n_threads, &run->pool, err);
    if (st == TERN_OK)
        st = tn_stage_init(&run->stage, run->ix, r, tn_pool_n_threads(run->pool), err);
    if (st == TERN_OK && run->n_unresolved) {
        char text[160];
        snprintf(text, sizeof text,
                 "%zu supporting passages of the questions are not in this index",
                 run->n_unresolved);
        say(run, TERN_LOG_WARN, text);
    }
    return st;
}

static void deinit(tn_run *run) {
    for (size_t i = 0; i < run->n_held; i++) {
        if (run->before) tn_free(run->before[i].story);
        if (run->after) tn_free(run->after[i].story);
    }
    for (size_t b = 0; run->groups && b < run->opts.recipe.batch; b++)
        tn_buf_deinit(&run->groups[b].trace);
    tn_stage_deinit(&run->stage);
    tn_pool_free(run->pool);
    tn_scorer_deinit(&run->scorer);
    tn_scorer_deinit(&run->start);
    void *const blocks[] = {run->m,      run->v,           run->grad,          run->order,
                            run->groups, run->group_grads, run->group_rewards, run->history};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) tn_free(blocks[i]);
    tn_run_close(run);
    tn_arena_deinit(&run->arena);
    pthread_mutex_destroy(&run->lock);
}

tern_status tn_ccs_train(const tern_index *ix, const tern_questions *questions,
                         const tn_ccs_opts *opts, const tern_host *host, tn_ccs_result *result,
                         tern_error *err) {
    tern_host one_thread = {.n_threads = 1};
    *result = (tn_ccs_result){0};
    tn_run run = {.ix = ix,
                  .opts = *opts,
                  .host = host ? *host : one_thread,
                  .result = result,
                  .metrics_fd = -1,
                  .events_fd = -1,
                  .trace_fd = -1,
                  .lock = PTHREAD_MUTEX_INITIALIZER};
    tern_status st = prepare(&run, questions, err);
    if (st == TERN_OK && !opts->dry_run) st = tn_run_open(&run, err);
    result->n_train = run.n_train;
    result->n_held_out = run.n_held;
    result->n_params = run.n_params;
    result->first_step = run.step;
    if (st == TERN_OK) st = train(&run, err);
    deinit(&run);
    return st;
}
