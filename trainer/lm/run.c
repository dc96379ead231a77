/* run.c - see run.h: the steps of a run. */
#include "trainer/lm/run.h"
#include "core/base/clock.h"
#include "trainer/lm/run_priv.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/mem.h"

const char *const tn_lm_metric_tags[TN_LM_N_METRICS] = {
#define TN_LM_METRIC_TAG_(name, tag) [TN_LM_M_##name] = tag,
    TN_LM_METRIC_MAP(TN_LM_METRIC_TAG_)
#undef TN_LM_METRIC_TAG_
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a training step");
}

static double seconds_since(uint64_t ns) {
    return (double)(tn_clock_ns() - ns) * 1e-9;
}

/* --- one step --------------------------------------------------------------------------------- */

/* The micro-batches of a step, all at once: how many targets there are decides the scale. */
static tern_status read_step(tn_lm_run *run, tn_lm_batch **out, size_t *n_targets, size_t *n_tokens,
                             tern_error *err) {
    uint32_t n = run->recipe->accumulate;
    tn_arena_reset(&run->arena);
    tn_lm_batch *b = tn_arena_alloc(&run->arena, n * sizeof *b);
    *out = b;
    *n_targets = *n_tokens = 0;
    if (!b) return no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        tern_status st = tn_feed_train(run->feed, run->step * n + i, &run->arena, &b[i], err);
        if (st == TERN_OK) st = tn_lm_check_batch(&run->config, &b[i], err);
        if (st != TERN_OK) return st;
        *n_targets += b[i].n_targets;
        *n_tokens += b[i].n_tokens;
    }
    return TERN_OK;
}

static tern_status learn(tn_lm_run *run, const tn_lm_batch *b, double scale, double *loss,
                         tern_error *err) {
    tern_graph *g = run->graph;
    tern_graph_reset(g);
    tern_tensor *y = tern_scale(g, tn_lm_tape_loss(run->tape, g, b, &run->loss), scale);
    tern_status st = tern_backward(g, y, err);
    if (st == TERN_OK) *loss += tern_tensor_get(y, 0);
    return st;
}

/* Save what went wrong, then say so; the weights are those of before the step. */
static tern_status not_finite(tn_lm_run *run, const tn_lm_batch *b, const char *why,
                              tern_error *err) {
    tern_error ignored;
    tern_status saved = tn_lm_save_batch(run, b, run->recipe->accumulate, why, &ignored);
    return tern_fail(
        err, TERN_ERR_LIMIT, 0,
        "step %llu: %s; the step was not made%s%s%s. A smaller lr, or a longer warmup, "
        "may help",
        (unsigned long long)run->step + 1, why, saved == TERN_OK ? ", its batch is in " : "",
        saved == TERN_OK ? run->out : "", saved == TERN_OK ? "/failed_batch.jsonl" : "");
}

static tern_status make_step(tn_lm_run *run, double row[TN_LM_N_METRICS], size_t *n_tokens,
                             tern_error *err) {
    tn_lm_batch *b;
    size_t n_targets;
    double loss = 0, norm = NAN, lr = tern_lr_at(&run->lr, run->step);
    tern_status st = read_step(run, &b, &n_targets, n_tokens, err);
    tern_params_zero_grad(tn_lm_tape_params(run->tape));
    for (uint32_t i = 0; i < run->recipe->accumulate && st == TERN_OK; i++)
        if (b[i].n_targets) st = learn(run, &b[i], 1 / (double)n_targets, &loss, err);
    if (st != TERN_OK) return st;
    if (!isfinite(loss)) return not_finite(run, b, "the loss is not finite", err);
    if (n_targets) { /* else nothing of it is learned, e.g. all replies were cut off */
        tern_error why = {0};
        st = tern_optim_step(run->optim, lr, 1, &norm, &why);
        if (st == TERN_ERR_LIMIT) return not_finite(run, b, why.text, err);
        if (st != TERN_OK) {
            if (err) *err = why;
            return st;
        }
    }
    run->step++;
    row[TN_LM_M_LOSS] = n_targets ? loss : NAN;
    row[TN_LM_M_GRAD_NORM] = norm;
    row[TN_LM_M_LR] = lr;
    row[TN_LM_M_TOKENS] = (double)*n_tokens;
    row[TN_LM_M_EPOCH] = (double)run->step * run->recipe->batch * run->recipe->accumulate /
                         (double)tn_feed_n_train(run->feed);
    return TERN_OK;
}

/* --- validation ------------------------------------------------------------------------------- */

static size_t argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* Right answers among the batch's classes; counts nothing for other objectives. */
static tern_status count_right(tn_lm_run *run, const tn_lm_batch *b, double *right, double *asked,
                               tern_error *err) {
    tern_graph *g = run->graph;
    bool tokens = run->loss.objective == TN_LM_TOKEN_CLASS;
    if (!tokens && run->loss.objective != TN_LM_SEQ_CLASS) return TERN_OK;
    tern_graph_reset(g);
    tern_tensor *y = tn_lm_tape_logits(run->tape, g, b, tn_lm_tape_hidden(run->tape, g, b, false));
    tern_status st = tern_graph_status(g, err);
    if (st != TERN_OK) return st;
    const float *logits = tern_tensor_data(y);
    size_t n = tokens ? b->n_tokens : b->n_seqs, width = run->config.n_labels;
    for (size_t i = 0; i < n; i++) {
        int32_t want = tokens ? b->targets[i] : b->seq_classes[i];
        if (want == TN_LM_IGNORE) continue;
        *asked += 1;
        *right += argmax(logits + i * width, width) == (size_t)want;
    }
    return TERN_OK;
}

static tern_status validate(tn_lm_run *run, double row[TN_LM_N_METRICS], tern_error *err) {
    tn_feed *feed = run->valid ? run->valid : run->feed;
    double sum = 0, n = 0, right = 0, asked = 0;
    tern_status st = TERN_OK;
    tern_graph_set_inference(run->graph, true);
    for (uint64_t m = 0; st == TERN_OK; m++) {
        tn_lm_batch b;
        tn_arena_reset(&run->arena);
        if (run->recipe->validate_batches && m == run->recipe->validate_batches) break;
        st = tn_feed_valid(feed, m, run->valid != NULL, &run->arena, &b, err);
        if (st != TERN_OK || b.n_seqs == 0) break;
        st = tn_lm_check_batch(&run->config, &b, err);
        if (st != TERN_OK || b.n_targets == 0) continue;
        tern_graph_reset(run->graph);
        tern_tensor *loss = tn_lm_tape_loss(run->tape, run->graph, &b, &run->loss);
        st = tern_graph_status(run->graph, err);
        if (st != TERN_OK) break;
        sum += tern_tensor_get(loss, 0);
        n += (double)b.n_targets;
        st = count_right(run, &b, &right, &asked, err);
    }
    tern_graph_reset(run->graph);
    tern_graph_set_inference(run->graph, false);
    if (st != TERN_OK) return st;
    tn_lm_run_result *r = run->result;
    row[TN_LM_M_VALID] = r->valid = n > 0 ? sum / n : NAN;
    row[TN_LM_M_ACCURACY] = r->accuracy = asked > 0 ? right / asked : NAN;
    if (run->step == 0) r->valid_first = r->valid;
    if (!(r->valid_best <= r->valid)) r->valid_best = r->valid;
    return TERN_OK;
}

static void no_metrics(double row[TN_LM_N_METRICS]) {
    for (size_t i = 0; i < TN_LM_N_METRICS; i++) row[i] = NAN;
}

/* --- how fast this machine can be ------------------------------------------------------------- */

/* The best product of 512 x 512 matrices seen so far, GFLOP/s: what "peak" means in
 * time/fraction_of_peak. Looked at now and then, because other programs share the machine. */
static void measure_peak(tn_lm_run *run) {
    enum { N = 512, TRIES = 5 };
    tn_pool *pool = NULL;
    tn_gemm *gemm = NULL;
    float *x = tn_calloc(3 * N * N, sizeof *x);
    double *best = &run->result->peak_gflops;
    if (x && tn_pool_new(run->host.n_threads, &pool, NULL) == TERN_OK &&
        tn_gemm_new(pool, &gemm, NULL) == TERN_OK) {
        tn_gemm_args args = {.m = N,
                             .n = N,
                             .k = N,
                             .a = {x, TN_F32, N, false},
                             .b = {x + N * N, TN_F32, N, true},
                             .c = x + 2 * N * N,
                             .c_type = TN_F32,
                             .ldc = N,
                             .alpha = 1,
                             .bf16 = run->recipe->bf16};
        for (int i = 0; i < TRIES; i++) {
            uint64_t start = tn_clock_ns();
            if (tn_gemm_run(gemm, &args, NULL) != TERN_OK) break;
            *best = fmax(*best, 2e-9 * N * N * N / seconds_since(start));
        }
    }
    tn_gemm_free(gemm);
    tn_pool_free(pool);
    tn_free(x);
}

/* --- the run ---------------------------------------------------------------------------------- */

static void show_progress(const tn_lm_run *run) {
    double per_step = run->result->tokens_per_step;
    if (!run->host.progress) return;
    tern_progress p = {"training", "tokens", (uint64_t)((double)run->step * per_step),
                       (uint64_t)((double)run->n_steps * per_step)};
    run->host.progress(run->host.ud, &p);
}

static bool cancelled(const tn_lm_run *run) {
    return run->host.cancelled && run->host.cancelled(run->host.ud);
}

static bool due(uint64_t step, uint64_t every, uint64_t last) {
    return step == last || (every && step % every == 0);
}

static tern_status stop(tn_lm_run *run, tern_error *err) {
    tern_status st = tn_lm_checkpoint(run, err);
    return st != TERN_OK
               ? st
               : tern_fail(err, TERN_ERR_CANCELLED, 0,
                           "stopped after step %llu of %llu; the same command goes on",
                           (unsigned long long)run->step, (unsigned long long)run->n_steps);
}

static tern_status steps(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    double row[TN_LM_N_METRICS];
    tern_status st = TERN_OK;
    bool judge = run->result->n_held > 0;
    if (run->step == 0 && judge) { /* where it starts from */
        no_metrics(row);
        st = validate(run, row, err);
        if (st == TERN_OK) st = tn_lm_record(run, row, err);
    }
    while (st == TERN_OK && run->step < run->n_steps) {
        if (cancelled(run)) return stop(run, err);
        size_t n_tokens;
        uint64_t start = tn_clock_ns();
        no_metrics(row);
        st = make_step(run, row, &n_tokens, err);
        if (st != TERN_OK) return st;
        double s = seconds_since(start), speed = (double)n_tokens / s;
        tn_lm_run_result *x = run->result;
        x->tokens += n_tokens;
        x->seconds += s;
        x->loss = row[TN_LM_M_LOSS];
        row[TN_LM_M_SPEED] = speed;
        if (x->peak_gflops > 0)
            row[TN_LM_M_PEAK] = speed * run->flops_per_token / (x->peak_gflops * 1e9);
        bool look = judge && due(run->step, r->validate_every, run->n_steps);
        if (look) st = validate(run, row, err);
        if (st == TERN_OK && (look || due(run->step, r->log_every, run->n_steps)))
            st = tn_lm_record(run, row, err);
        if (st == TERN_OK && due(run->step, r->checkpoint_every, run->n_steps)) {
            st = tn_lm_checkpoint(run, err);
            measure_peak(run);
        }
        show_progress(run);
    }
    return st;
}

static void sum_up(tn_lm_run *run) {
    tn_lm_run_result *r = run->result;
    struct rusage use;
    size_t n_slab = tern_params_slab_size(tn_lm_tape_params(run->tape));
    tern_graph_stats stats = tern_graph_get_stats(run->graph);
    r->step = run->step;
    r->tokens_per_s = r->seconds > 0 ? (double)r->tokens / r->seconds : 0;
    r->fraction_of_peak =
        r->peak_gflops > 0 ? r->tokens_per_s * run->flops_per_token / (r->peak_gflops * 1e9) : 0;
    r->memory_bytes = 4 * n_slab * sizeof(float) + stats.live_peak_bytes; /* w, g, m, v */
    if (getrusage(RUSAGE_SELF, &use) == 0) r->peak_bytes = (uint64_t)use.ru_maxrss * 1024;
}

/* A few real steps, the first as a warm-up; nothing is written. */
static tern_status forecast(tn_lm_run *run, tern_error *err) {
    enum { STEPS = 4, SECONDS = 20 };
    double row[TN_LM_N_METRICS], spent = 0;
    uint64_t n_steps = run->n_steps, n_timed = 0;
    tern_status st = TERN_OK;
    for (int i = 0; i < STEPS && st == TERN_OK && spent < SECONDS; i++) {
        size_t n_tokens;
        if (cancelled(run)) return tern_fail(err, TERN_ERR_CANCELLED, 0, "stopped");
        uint64_t start = tn_clock_ns();
        st = make_step(run, row, &n_tokens, err);
        double s = seconds_since(start);
        if (i == 0 && STEPS > 1 && s < SECONDS / 2) continue;
        spent += s;
        n_timed++;
        run->result->tokens += n_tokens;
        run->result->seconds += s;
    }
    if (st == TERN_OK && n_timed)
        run->result->forecast_s = spent / (double)n_timed * (double)n_steps;
    return st;
}

tern_status tn_lm_train(const tn_lm_run_opts *opts, const tern_host *host, tn_lm_run_result *result,
                        tern_error *err) {
    *result = (tn_lm_run_result){
        .loss = NAN, .valid_first = NAN, .valid = NAN, .valid_best = NAN, .accuracy = NAN};
    tn_lm_run run = {.recipe = opts->recipe,
                     .out = opts->out,
                     .result = result,
                     .metrics_fd = -1,
                     .events_fd = -1};
    if (host) run.host = *host;
    if (!host) run.host.n_threads = 1;
    tern_status st = tn_lm_setup(&run, err);
    if (st == TERN_OK) measure_peak(&run);
    if (st == TERN_OK && opts->dry_run) {
        st = forecast(&run, err);
    } else if (st == TERN_OK) {
        st = tn_lm_files_open(&run, err);
        result->first_step = run.step;
        if (st == TERN_OK) st = steps(&run, err);
        sum_up(&run);
        if (st == TERN_OK) st = tn_lm_finish(&run, err);
    }
    if (run.graph) sum_up(&run);
    tn_lm_files_close(&run);
    tn_lm_teardown(&run);
    return st;
}
