/* run_files.c - what a run leaves on disk, and how it is picked up again. Metrics are appended as
 * they come and cut back to the checkpoint on resume; everything else is replaced atomically. */
#include "agent/features.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "trainer/ccs_run.h"
#include "trainer/checkpoint.h"
#include "trainer/events.h"
#include "trainer/grown_file.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the run's files");
}

/* --- what a run is ---------------------------------------------------------------------------- */

/* With the closing NUL: "ab", "c" and "a", "bc" are different. */
static void put_text(tn_buf *b, const char *s) {
    tn_buf_add(b, s, strlen(s) + 1);
}

static void put_questions(tn_buf *b, const tern_questions *qs) {
    for (size_t i = 0; i < qs->n; i++) {
        const tern_question *q = &qs->items[i];
        put_text(b, q->id);
        put_text(b, q->text);
        for (size_t k = 0; k < q->n_answers; k++) put_text(b, q->answers[k]);
        for (size_t k = 0; k < q->n_supporting; k++) put_text(b, q->supporting[k]);
    }
}

/* `steps` is left out, so that a finished run can be made longer; so is eval_every, which decides
 * only what is looked at. */
tern_status tn_run_hash(tn_run *run, const tern_questions *questions, tern_error *err) {
    tn_recipe r = run->opts.recipe;
    r.steps = r.eval_every = 0;
    json_t *recipe = tn_recipe_json(&r);
    if (!recipe) return no_memory(err);
    tern_index_stats stats = tern_index_get_stats(run->ix);
    tn_buf b = {0};
    tn_json_dump(recipe, &b);
    put_text(&b, run->reward->name);
    put_text(&b, stats.hash);
    for (size_t i = 0; i < TN_N_FEATURES; i++) put_text(&b, tn_feature_names[i]);
    put_questions(&b, questions);
    if (run->opts.held_out) put_questions(&b, run->opts.held_out);
    /* a run that is traced from the middle would leave half a file */
    if (run->opts.trace_every) tn_buf_printf(&b, "trace %u", run->opts.trace_every);
    tern_status st = tn_buf_status(&b, err);
    if (st == TERN_OK) run->run_hash = XXH3_64bits(b.data, b.len);
    json_decref(recipe);
    tn_buf_deinit(&b);
    return st;
}

static char *path_of(const tn_run *run, const char *name) {
    return tn_path_join(run->opts.out, name);
}

/* --- metric files ----------------------------------------------------------------------------- */

static double wall(void) {
    return (double)tn_clock_unix();
}

tern_status tn_run_record(tn_run *run, uint64_t step, tern_error *err) {
    tn_scalar s[TN_N_METRICS];
    size_t n = 0;
    for (size_t i = 0; i < TN_N_METRICS; i++)
        if (!isnan(run->history[step][i]))
            s[n++] = (tn_scalar){tn_metric_tags[i], run->history[step][i]};
    tn_buf line = {0}, event = {0};
    tn_events_jsonl((int64_t)step + 1, s, n, &line);
    tn_events_scalars(wall(), (int64_t)step + 1, s, n, &event);
    tern_status st = tn_grown_add(run->opts.out, "metrics.jsonl", run->metrics_fd, &line,
                                  &run->metrics_bytes, err);
    if (st == TERN_OK)
        st = tn_grown_add(run->opts.out, "events.out.tfevents.tern", run->events_fd, &event,
                          &run->events_bytes, err);
    for (size_t b = 0; run->tracing && b < run->opts.recipe.batch && st == TERN_OK; b++)
        st = tn_grown_add(run->opts.out, "rollouts.jsonl", run->trace_fd, &run->groups[b].trace,
                          &run->trace_bytes, err);
    tn_buf_deinit(&line);
    tn_buf_deinit(&event);
    return st;
}

/* Read the metrics of the steps before the checkpoint back: alarms and report look at them. */
static tern_status read_history(tn_run *run, tern_error *err) {
    char *path = path_of(run, "metrics.jsonl");
    tn_buf text = {0};
    tern_status st = path ? tn_file_read(path, SIZE_MAX / 2, &text, err) : no_memory(err);
    const char *s = st == TERN_OK ? tn_buf_cstr(&text) : "";
    for (size_t row = 0; st == TERN_OK && row < run->step && *s; row++) {
        size_t len = strcspn(s, "\n");
        json_t *obj = NULL;
        st = tn_json_parse(s, len, &obj, err);
        for (size_t i = 0; st == TERN_OK && i < TN_N_METRICS; i++)
            run->history[row][i] = tn_json_num(obj, tn_metric_tags[i], NAN);
        json_decref(obj);
        s += len + (s[len] == '\n');
    }
    tn_buf_deinit(&text);
    tn_free(path);
    return st;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static tn_checkpoint checkpoint_of(tn_run *run) {
    return (tn_checkpoint){.run = run->run_hash,
                           .step = run->step,
                           .metrics_bytes = run->metrics_bytes,
                           .events_bytes = run->events_bytes,
                           .trace_bytes = run->trace_bytes,
                           .n_params = run->n_params,
                           .params = run->scorer.params,
                           .m = run->m,
                           .v = run->v};
}

tern_status tn_run_checkpoint(tn_run *run, tern_error *err) {
    char *path = path_of(run, "checkpoint.bin");
    if (!path) return no_memory(err);
    tn_checkpoint c = checkpoint_of(run);
    tern_status st = tn_checkpoint_save(&c, path, err);
    tn_free(path);
    return st;
}

static tern_status resume(tn_run *run, tern_error *err) {
    char *path = path_of(run, "checkpoint.bin");
    if (!path) return no_memory(err);
    tn_checkpoint c = checkpoint_of(run);
    tern_error why = {0};
    tern_status st = tn_checkpoint_load(&c, path, &why);
    if (st == TERN_OK && c.step > run->opts.recipe.steps)
        st = tern_fail(&why, TERN_ERR_EXISTS, 0, "%s: is at step %llu already, %u are asked for",
                       path, (unsigned long long)c.step, run->opts.recipe.steps);
    tn_free(path);
    if (st == TERN_ERR_NOT_FOUND) return TERN_OK;
    if (st != TERN_OK) {
        if (err) *err = why;
        return st;
    }
    run->step = c.step;
    run->metrics_bytes = c.metrics_bytes;
    run->events_bytes = c.events_bytes;
    run->trace_bytes = c.trace_bytes;
    if (run->host.log) {
        char text[64];
        snprintf(text, sizeof text, "going on after step %llu", (unsigned long long)c.step);
        run->host.log(run->host.ud, TERN_LOG_INFO, text);
    }
    return read_history(run, err);
}

tern_status tn_run_open(tn_run *run, tern_error *err) {
    tern_status st = tn_mkdirs(run->opts.out, err);
    if (st == TERN_OK) st = resume(run, err);
    if (st == TERN_OK)
        st = tn_grown_open(run->opts.out, "metrics.jsonl", run->metrics_bytes, &run->metrics_fd,
                           err);
    if (st == TERN_OK)
        st = tn_grown_open(run->opts.out, "events.out.tfevents.tern", run->events_bytes,
                           &run->events_fd, err);
    if (st == TERN_OK && run->opts.trace_every)
        st = tn_grown_open(run->opts.out, "rollouts.jsonl", run->trace_bytes, &run->trace_fd, err);
    if (st != TERN_OK || run->events_bytes) return st;
    tn_buf header = {0};
    tn_events_header(wall(), &header);
    st = tn_grown_add(run->opts.out, "events.out.tfevents.tern", run->events_fd, &header,
                      &run->events_bytes, err);
    tn_buf_deinit(&header);
    return st;
}

void tn_run_close(tn_run *run) {
    if (run->metrics_fd >= 0) close(run->metrics_fd);
    if (run->events_fd >= 0) close(run->events_fd);
    if (run->trace_fd >= 0) close(run->trace_fd);
    run->metrics_fd = run->events_fd = run->trace_fd = -1;
}

tern_status tn_run_save_batch(tn_run *run, uint64_t step, tern_error *err) {
    const tn_recipe *r = &run->opts.recipe;
    tn_buf b = {0};
    for (size_t i = 0; i < r->batch; i++) {
        const tern_question *q = run->batch[i]->question;
        tn_buf_printf(
            &b, "{\"step\":%llu,\"first_rollout\":\"%llu\",\"id\":", (unsigned long long)step + 1,
            (unsigned long long)(run->epochs[i] * r->group));
        tn_json_escape(q->id, strlen(q->id), &b);
        tn_buf_str(&b, ",\"question\":");
        tn_json_escape(q->text, strlen(q->text), &b);
        tn_buf_str(&b, ",\"rewards\":[");
        for (size_t k = 0; k < r->group; k++) {
            double v = run->groups[i].rewards[k];
            tn_buf_str(&b, k ? "," : "");
            if (isfinite(v))
                tn_buf_printf(&b, "%.17g", v);
            else
                tn_buf_str(&b, "null");
        }
        tn_buf_str(&b, "]}\n");
    }
    char *path = path_of(run, "failed_batch.jsonl");
    tern_status st = path ? tn_buf_status(&b, err) : no_memory(err);
    if (st == TERN_OK) st = tn_file_replace(path, b.data, b.len, err);
    tn_buf_deinit(&b);
    tn_free(path);
    return st;
}

/* --- the end ---------------------------------------------------------------------------------- */

static json_t *number(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *figures_json(const tn_ccs_figures *f) {
    const struct {
        const char *name;
        double value;
    } rows[] = {{"supporting_recall", f->recall},
                {"all_supporting", f->all},
                {"answer_in_evidence", f->in_evidence},
                {"em", f->em},
                {"f1", f->f1},
                {"searches", f->searches},
                {"overlap_raw", f->overlap_raw},
                {"overlap_masked", f->overlap_masked},
                {"masked_spans_per_query", f->spans_per_query}};
    json_t *o = json_object(), *rewards = json_object();
    bool ok = o && rewards;
    for (size_t i = 0; ok && i < sizeof rows / sizeof *rows; i++)
        ok = json_object_set_new(o, rows[i].name, number(rows[i].value)) == 0;
    size_t n;
    const tn_reward *arms = tn_reward_list(&n);
    for (size_t a = 0; ok && a < n && a < TN_ARMS_MAX; a++)
        ok = json_object_set_new(rewards, arms[a].name, number(f->rewards[a])) == 0;
    ok = ok && json_object_set(o, "rewards", rewards) == 0;
    json_decref(rewards);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

json_t *tn_ccs_result_json(const tn_ccs_result *r) {
    json_t *alarms = json_array();
    bool ok = alarms != NULL;
    for (size_t i = 0; ok && i < r->n_alarms; i++)
        ok = json_array_append_new(alarms, json_string(r->alarms[i])) == 0;
    json_t *o =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o?,s:o?,s:o?,s:o?,s:o?,s:{s:f,s:f,s:f,s:f},s:I}",
                  "n_train", (json_int_t)r->n_train, "n_held_out", (json_int_t)r->n_held_out,
                  "n_params", (json_int_t)r->n_params, "first_step", (json_int_t)r->first_step,
                  "step", (json_int_t)r->step, "rollouts", (json_int_t)r->n_rollouts,
                  "groups_dropped", (json_int_t)r->n_dropped, "seconds", number(r->seconds),
                  "rollouts_per_s", number(r->rollouts_per_s), "forecast_seconds",
                  number(r->forecast_s), "before", r->step ? figures_json(&r->before) : json_null(),
                  "after", r->step ? figures_json(&r->after) : json_null(), "thread_seconds",
                  "play", r->s_play, "reward", r->s_reward, "learn", r->s_learn, "judge",
                  r->s_judge, "peak_bytes", (json_int_t)r->peak_bytes);
    ok = ok && o && json_object_set(o, "alarms", alarms) == 0;
    if (ok && r->step && isfinite(r->gain.diff))
        ok = json_object_set_new(o, "gain",
                                 json_pack("{s:s,s:f,s:f,s:f,s:f}", "of",
                                           r->gain_is_recall ? "supporting_recall" : "reward",
                                           "diff", r->gain.diff, "low", r->gain.low, "high",
                                           r->gain.high, "p", r->gain.p)) == 0;
    json_decref(alarms);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

/* What a policy file says of its making. Nothing in it depends on clock or threads. */
static json_t *card(const tn_run *run) {
    const tn_ccs_result *r = run->result;
    tern_index_stats stats = tern_index_get_stats(run->ix);
    char run_hash[17];
    snprintf(run_hash, sizeof run_hash, "%016llx", (unsigned long long)run->run_hash);
    return json_pack("{s:s,s:s,s:o?,s:s,s:I,s:s,s:I,s:I,s:o?,s:o?}", "made_by", "tern train ccs",
                     "reward", run->reward->name, "recipe", tn_recipe_json(&run->opts.recipe),
                     "index_hash", stats.hash, "passages", (json_int_t)stats.n_passages, "run",
                     run_hash, "questions", (json_int_t)r->n_train, "steps", (json_int_t)r->step,
                     "before", figures_json(&r->before), "after", figures_json(&r->after));
}

static tern_status write_text(const tn_run *run, const char *name, const tn_buf *b,
                              tern_error *err) {
    char *path = path_of(run, name);
    tern_status st = path ? tn_buf_status(b, err) : no_memory(err);
    if (st == TERN_OK) st = tn_file_replace(path, b->data, b->len, err);
    tn_free(path);
    return st;
}

static tern_status write_report(const tn_run *run, tern_error *err) {
    const char **questions = tn_calloc(run->n_held + 1, sizeof *questions);
    if (!questions) return no_memory(err);
    for (size_t i = 0; i < run->n_held; i++) questions[i] = run->held[i].question->text;
    tn_ccs_report r = {.recipe = &run->opts.recipe,
                       .result = run->result,
                       .stats = tern_index_get_stats(run->ix),
                       .history = (const double(*)[TN_N_METRICS])run->history,
                       .n_steps = run->step,
                       .before = run->before,
                       .after = run->after,
                       .questions = questions};
    tn_buf b = {0};
    tn_ccs_report_html(&r, &b);
    tern_status st = write_text(run, "report.html", &b, err);
    tn_buf_deinit(&b);
    tn_free(questions);
    return st;
}

tern_status tn_run_finish(tn_run *run, tern_error *err) {
    json_t *about = card(run), *result = tn_ccs_result_json(run->result);
    char *path = path_of(run, "policy.json");
    tn_buf text = {0};
    tern_status st = about && result && path ? TERN_OK : no_memory(err);
    if (st == TERN_OK) st = tn_scorer_save(&run->scorer, tn_feature_names, about, path, err);
    if (st == TERN_OK) {
        tn_json_dump_pretty(result, &text);
        tn_buf_char(&text, '\n');
        st = write_text(run, "result.json", &text, err);
    }
    if (st == TERN_OK) st = write_report(run, err);
    tn_buf_deinit(&text);
    tn_free(path);
    json_decref(about);
    json_decref(result);
    return st;
}
