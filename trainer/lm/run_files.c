/* run_files.c - what a run leaves on disk, and how it is picked up again. Metrics are appended as
 * they come and cut back to the checkpoint on resume; everything else is replaced whole. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "tern/checkpoint.h"
#include "trainer/events.h"
#include "trainer/grown_file.h"
#include "trainer/lm/run_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the run's files");
}

static char *path_of(const tn_lm_run *run, const char *name) {
    return tn_path_join(run->out, name);
}

static tern_status write_text(const tn_lm_run *run, const char *name, const tn_buf *b,
                              tern_error *err) {
    char *path = path_of(run, name);
    tern_status st = path ? tn_buf_status(b, err) : no_memory(err);
    if (st == TERN_OK) st = tn_file_replace(path, b->data, b->len, err);
    tn_free(path);
    return st;
}

static tern_status write_json(const tn_lm_run *run, const char *name, json_t *v /* taken */,
                              tern_error *err) {
    tn_buf b = {0};
    if (v) tn_json_dump_pretty(v, &b);
    tn_buf_char(&b, '\n');
    tern_status st = v ? write_text(run, name, &b, err) : no_memory(err);
    tn_buf_deinit(&b);
    json_decref(v);
    return st;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static tern_status remember(tn_lm_run *run, uint64_t step, const double row[TN_LM_N_METRICS],
                            tern_error *err) {
    if (TN_GROW(run->history, run->history_cap, run->n_history + 1) != 0 ||
        TN_GROW(run->history_step, run->history_step_cap, run->n_history + 1) != 0)
        return no_memory(err);
    memcpy(run->history[run->n_history], row, sizeof *run->history);
    run->history_step[run->n_history++] = step;
    return TERN_OK;
}

tern_status tn_lm_record(tn_lm_run *run, const double row[TN_LM_N_METRICS], tern_error *err) {
    tn_scalar s[TN_LM_N_METRICS];
    size_t n = 0;
    for (size_t i = 0; i < TN_LM_N_METRICS; i++)
        if (!isnan(row[i])) s[n++] = (tn_scalar){tn_lm_metric_tags[i], row[i]};
    tn_buf line = {0}, event = {0};
    tn_events_jsonl((int64_t)run->step, s, n, &line);
    tn_events_scalars((double)tn_clock_unix(), (int64_t)run->step, s, n, &event);
    tern_status st =
        tn_grown_add(run->out, "metrics.jsonl", run->metrics_fd, &line, &run->metrics_bytes, err);
    if (st == TERN_OK)
        st = tn_grown_add(run->out, "events.out.tfevents.tern", run->events_fd, &event,
                          &run->events_bytes, err);
    if (st == TERN_OK) st = remember(run, run->step, row, err);
    tn_buf_deinit(&line);
    tn_buf_deinit(&event);
    return st;
}

/* The metrics of the steps before the checkpoint, for the report. */
static tern_status read_history(tn_lm_run *run, tern_error *err) {
    char *path = path_of(run, "metrics.jsonl");
    tn_buf text = {0};
    tern_status st = path ? tn_file_read(path, SIZE_MAX / 2, &text, err) : no_memory(err);
    if (st == TERN_OK && text.len < run->metrics_bytes)
        st = tern_fail(err, TERN_ERR_CORRUPT, 0,
                       "%s: is shorter than when the checkpoint was written", path);
    const char *s = st == TERN_OK ? tn_buf_cstr(&text) : "", *end = s;
    if (st == TERN_OK) end += run->metrics_bytes;
    while (st == TERN_OK && s < end) {
        size_t len = strcspn(s, "\n");
        double row[TN_LM_N_METRICS];
        json_t *obj = NULL;
        st = tn_json_parse(s, len, &obj, err);
        for (size_t i = 0; i < TN_LM_N_METRICS; i++)
            row[i] = tn_json_num(obj, tn_lm_metric_tags[i], NAN);
        if (st == TERN_OK) st = remember(run, (uint64_t)tn_json_int(obj, "step", 0), row, err);
        json_decref(obj);
        s += len + 1;
    }
    tn_buf_deinit(&text);
    tn_free(path);
    return st;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

tern_status tn_lm_checkpoint(tn_lm_run *run, tern_error *err) {
    const tn_lm_run_result *r = run->result;
    tn_buf user = {0};
    tn_buf_printf(&user, "{\"step\":%llu,\"metrics_bytes\":%llu,\"events_bytes\":%llu",
                  (unsigned long long)run->step, (unsigned long long)run->metrics_bytes,
                  (unsigned long long)run->events_bytes);
    if (isfinite(r->valid_first))
        tn_buf_printf(&user, ",\"valid_first\":%.17g,\"valid_best\":%.17g,\"valid\":%.17g",
                      r->valid_first, r->valid_best, r->valid);
    tn_buf_char(&user, '}');
    char *dir = path_of(run, "checkpoints");
    tern_status st = dir ? tn_buf_status(&user, err) : no_memory(err);
    tern_train_state s = {.cursor = run->step, .recipe_hash = run->hash, .user = user.data};
    if (st == TERN_OK) st = tern_checkpoint_save_in(dir, run->recipe->keep, run->optim, &s, err);
    tn_buf_deinit(&user);
    tn_free(dir);
    return st;
}

static tern_status resume(tn_lm_run *run, tern_error *err) {
    char *dir = path_of(run, "checkpoints");
    tern_train_state s = {0};
    tern_error why = {0};
    json_t *user = NULL;
    tern_status st =
        dir ? tern_checkpoint_load_latest(dir, run->optim, run->hash, &s, &why) : no_memory(&why);
    if (st == TERN_OK)
        st = tn_json_parse(s.user ? s.user : "", s.user ? strlen(s.user) : 0, &user, &why);
    tern_train_state_deinit(&s);
    if (st == TERN_OK) {
        char text[80];
        run->step = (uint64_t)tn_json_int(user, "step", 0);
        run->metrics_bytes = (uint64_t)tn_json_int(user, "metrics_bytes", 0);
        run->events_bytes = (uint64_t)tn_json_int(user, "events_bytes", 0);
        run->result->valid_first = tn_json_num(user, "valid_first", NAN);
        run->result->valid_best = tn_json_num(user, "valid_best", NAN);
        run->result->valid = tn_json_num(user, "valid", NAN);
        snprintf(text, sizeof text, "going on after step %llu", (unsigned long long)run->step);
        tn_lm_log(run, TERN_LOG_INFO, text);
        st = read_history(run, &why);
    } else if (st == TERN_ERR_NOT_FOUND) {
        st = TERN_OK; /* a new run */
    } else if (st == TERN_ERR_ARG) {
        tern_fail(
            &why, st, 0,
            "%s holds another run (its recipe, data or number of steps differ): choose another "
            "folder, or remove it to start again",
            run->out);
    }
    json_decref(user);
    tn_free(dir);
    if (st != TERN_OK && err) *err = why;
    return st;
}

tern_status tn_lm_files_open(tn_lm_run *run, tern_error *err) {
    tern_status st = tn_mkdirs(run->out, err);
    if (st == TERN_OK) st = resume(run, err);
    if (st == TERN_OK) st = write_json(run, "recipe.json", tn_lm_recipe_json(run->recipe), err);
    if (st == TERN_OK)
        st = tn_grown_open(run->out, "metrics.jsonl", run->metrics_bytes, &run->metrics_fd, err);
    if (st == TERN_OK)
        st = tn_grown_open(run->out, "events.out.tfevents.tern", run->events_bytes, &run->events_fd,
                           err);
    if (st != TERN_OK || run->events_bytes) return st;
    tn_buf header = {0};
    tn_events_header((double)tn_clock_unix(), &header);
    st = tn_grown_add(run->out, "events.out.tfevents.tern", run->events_fd, &header,
                      &run->events_bytes, err);
    tn_buf_deinit(&header);
    return st;
}

void tn_lm_files_close(tn_lm_run *run) {
    if (run->metrics_fd >= 0) close(run->metrics_fd);
    if (run->events_fd >= 0) close(run->events_fd);
    run->metrics_fd = run->events_fd = -1;
}

/* --- what went wrong -------------------------------------------------------------------------- */

static void put_sequence(const tn_lm_run *run, const tn_lm_batch *b, size_t s, tn_buf *out) {
    char *text = NULL;
    size_t len = 0, n = (size_t)(b->seq_begin[s + 1] - b->seq_begin[s]);
    const int32_t *ids = b->ids + b->seq_begin[s];
    tn_buf_str(out, "\"ids\":[");
    for (size_t i = 0; i < n; i++) tn_buf_printf(out, i ? ",%d" : "%d", ids[i]);
    tn_buf_str(out, "]");
    if (!run->tokenizer ||
        tern_tokenizer_decode(run->tokenizer, ids, n, false, &text, &len, NULL) != TERN_OK)
        return;
    tn_buf_str(out, ",\"text\":");
    tn_json_escape(text, len, out);
    tern_tokenizer_free_text(text);
}

tern_status tn_lm_save_batch(const tn_lm_run *run, const tn_lm_batch *batches, size_t n,
                             const char *why, tern_error *err) {
    tn_buf b = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < batches[i].n_seqs; s++) {
            tn_buf_printf(&b, "{\"step\":%llu,\"micro_batch\":%zu,\"why\":",
                          (unsigned long long)run->step + 1, i);
            tn_json_escape(why, strlen(why), &b);
            tn_buf_char(&b, ',');
            put_sequence(run, &batches[i], s, &b);
            tn_buf_str(&b, "}\n");
        }
    tern_status st = tn_mkdirs(run->out, err);
    if (st == TERN_OK) st = write_text(run, "failed_batch.jsonl", &b, err);
    tn_buf_deinit(&b);
    return st;
}

/* --- the end ---------------------------------------------------------------------------------- */

static json_t *number(double v) {
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *tn_lm_run_result_json(const tn_lm_run_result *r) {
    return json_pack(
        "{s:I,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:o?,s:o?,s:o?,s:o?,s:o?,s:f,s:I,"
        "s:I,s:I}",
        "weights", (json_int_t)r->n_weights, "items", (json_int_t)r->n_items, "held_out",
        (json_int_t)r->n_held, "cut", (json_int_t)r->n_cut, "data_tokens",
        (json_int_t)r->n_data_tokens, "tokens_per_step", r->tokens_per_step, "first_step",
        (json_int_t)r->first_step, "step", (json_int_t)r->step, "steps", (json_int_t)r->n_steps,
        "tokens", (json_int_t)r->tokens, "seconds", r->seconds, "tokens_per_s", r->tokens_per_s,
        "fraction_of_peak", r->fraction_of_peak, "peak_gflops", r->peak_gflops, "loss",
        number(r->loss), "valid_first", number(r->valid_first), "valid", number(r->valid),
        "valid_best", number(r->valid_best), "accuracy", number(r->accuracy), "forecast_s",
        r->forecast_s, "memory_bytes", (json_int_t)r->memory_bytes, "peak_bytes",
        (json_int_t)r->peak_bytes, "new_head_tensors", (json_int_t)r->n_new_head);
}

tern_status tn_lm_finish(tn_lm_run *run, tern_error *err) {
    tn_buf html = {0};
    tern_status st = tn_lm_write_model(run, err);
    if (st == TERN_OK) st = write_json(run, "result.json", tn_lm_run_result_json(run->result), err);
    tn_lm_report_html(run, &html);
    if (st == TERN_OK) st = write_text(run, "report.html", &html, err);
    tn_buf_deinit(&html);
    return st;
}
