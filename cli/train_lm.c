/* train_lm.c - see train_lm.h. Recipe file, then settings, then options: the later one wins. */
#include "cli/train_lm.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "trainer/lm/run.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the recipe");
}

static tern_status set(json_t *o, const char *name, json_t *value, tern_error *err) {
    return json_object_set_new(o, name, value) == 0 ? TERN_OK : no_memory(err);
}

/* "name=value": a value that is JSON is that, any other is a string. */
static tern_status add_setting(json_t *o, const char *text, tern_error *err) {
    const char *value = strchr(text, '=');
    json_t *v = NULL;
    if (!value || value == text)
        return tern_fail(err, TERN_ERR_ARG, 0, "--set takes NAME=VALUE, not \"%s\"", text);
    char *name = tn_strndup(text, (size_t)(value - text));
    value++;
    if (tn_json_parse(value, strlen(value), &v, NULL) != TERN_OK) v = json_string(value);
    tern_status st = name && v ? set(o, name, v, err) : no_memory(err);
    if (!name) json_decref(v);
    tn_free(name);
    return st;
}

static tern_status read_options(const tn_train_lm_args *a, tn_lm_recipe *r, tern_error *err) {
    json_t *o = json_object();
    tern_status st = o ? TERN_OK : no_memory(err);
    for (size_t i = 0; i < a->settings->n && st == TERN_OK; i++)
        st = add_setting(o, a->settings->items[i], err);
    if (st == TERN_OK && a->steps >= 0) st = set(o, "steps", json_integer(a->steps), err);
    if (st == TERN_OK && a->batch >= 0) st = set(o, "batch", json_integer(a->batch), err);
    if (st == TERN_OK && a->seed >= 0) st = set(o, "seed", json_integer(a->seed), err);
    if (st == TERN_OK && !isnan(a->lr)) st = set(o, "lr", json_real(a->lr), err);
    if (st == TERN_OK) st = tn_lm_recipe_read(r, o, "options", err);
    json_decref(o);
    return st;
}

/* Arguments after the recipe are data in place of the recipe's. */
static tern_status read_data(const tn_cli *cli, size_t first, tn_lm_recipe *r, tern_error *err) {
    if (first >= cli->n_args) return TERN_OK;
    json_t *o = json_object(), *list = json_array();
    tern_status st = o && list ? TERN_OK : no_memory(err);
    for (size_t i = first; i < cli->n_args && st == TERN_OK; i++)
        if (json_array_append_new(list, json_string(cli->args[i])) != 0) st = no_memory(err);
    if (st == TERN_OK)
        st = set(o, "data", list, err);
    else
        json_decref(list);
    if (st == TERN_OK) st = tn_lm_recipe_read(r, o, "arguments", err);
    json_decref(o);
    return st;
}

static tern_status read_recipe(const tn_cli *cli, const tn_train_lm_args *a, tn_lm_recipe *r,
                               tern_error *err) {
    const char *path = a->recipe;
    size_t first = 1;
    json_t *o = NULL;
    tern_status st = TERN_OK;
    *r = tn_lm_recipe_defaults();
    if (!path && cli->n_args > 1 && tn_ends_with(cli->args[1], ".json")) path = cli->args[first++];
    if (path) st = tn_json_load(path, &o, err);
    if (st == TERN_OK && path) st = tn_lm_recipe_read(r, o, path, err);
    json_decref(o);
    if (st == TERN_OK) st = read_data(cli, first, r, err);
    return st == TERN_OK ? read_options(a, r, err) : st;
}

/* --- what came out ---------------------------------------------------------------------------- */

static void add_plan(const tn_lm_run_result *r, tn_buf *b) {
    tn_add_count(b, r->n_weights);
    tn_buf_str(b, " weights; ");
    tn_add_count(b, r->n_items);
    tn_buf_str(b, " items of ");
    tn_add_count(b, r->n_data_tokens);
    tn_buf_printf(b, " tokens, %llu for validation", (unsigned long long)r->n_held);
    if (r->n_cut) tn_buf_printf(b, ", %llu cut", (unsigned long long)r->n_cut);
    tn_buf_printf(b, "; %llu steps of about %.0f tokens\n", (unsigned long long)r->n_steps,
                  r->tokens_per_step);
}

static void add_speed(const tn_lm_run_result *r, tn_buf *b) {
    tn_add_count(b, (uint64_t)r->tokens_per_s);
    tn_buf_printf(b, " tokens/s, %.0f %% of the %.0f GFLOP/s of large products; ",
                  100 * r->fraction_of_peak, r->peak_gflops);
    tn_add_bytes(b, r->memory_bytes);
    tn_buf_str(b, " for weights, gradients, moments and a step\n");
}

static void add_result(const tn_train_lm_args *a, const tn_lm_run_result *r, tn_buf *b) {
    add_plan(r, b);
    if (a->dry_run) {
        double s = r->forecast_s;
        add_speed(r, b);
        tn_buf_printf(b, "about %.0f %s for the whole run\n", s < 600 ? s : s / 60,
                      s < 600 ? "s" : "minutes");
        return;
    }
    tn_buf_printf(b, "steps %llu to %llu in %.1f s", (unsigned long long)r->first_step,
                  (unsigned long long)r->step, r->seconds);
    if (isfinite(r->loss)) tn_buf_printf(b, ", last loss %.4f", r->loss);
    if (isfinite(r->valid))
        tn_buf_printf(b, "; validation %.4f -> %.4f nats", r->valid_first, r->valid);
    if (isfinite(r->accuracy)) tn_buf_printf(b, ", %.1f %% right", 100 * r->accuracy);
    tn_buf_char(b, '\n');
    add_speed(r, b);
    tn_buf_printf(b, "%s/model, %s/report.html\n", a->out, a->out);
}

static int print(tn_cli *cli, const tn_train_lm_args *a, const tn_lm_run_result *r) {
    tn_buf b = {0};
    if (cli->json) {
        json_t *o = tn_lm_run_result_json(r);
        if (o) tn_json_dump(o, &b);
        if (!o) tn_buf_fail(&b);
        tn_buf_char(&b, '\n');
        json_decref(o);
    } else {
        add_result(a, r, &b);
    }
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

static int print_defaults(const tn_cli *cli) {
    tn_buf b = {0};
    tn_lm_recipe_help(&b);
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

int tn_train_lm(tn_cli *cli, const tn_train_lm_args *a) {
    if (a->defaults) return print_defaults(cli);
    tern_error err = {0};
    tn_lm_recipe recipe;
    tn_lm_run_result result = {0};
    tern_host host = cli->host;
    host.n_threads = cli->n_threads;
    tern_status st = read_recipe(cli, a, &recipe, &err);
    tn_lm_run_opts o = {.recipe = &recipe, .out = a->out, .dry_run = a->dry_run};
    if (st == TERN_OK) st = tn_lm_train(&o, &host, &result, &err);
    tn_lm_recipe_deinit(&recipe);
    if (st == TERN_ERR_CANCELLED) tn_log(cli, TERN_LOG_WARN, "%s", err.text); /* how to go on */
    return st == TERN_OK ? print(cli, a, &result) : tn_cli_fail(cli, &err);
}

int tn_train_tokens(tn_cli *cli, const tn_train_lm_args *a) {
    tern_error err = {0};
    tn_lm_recipe recipe;
    tn_prepared p = {0};
    tern_host host = cli->host;
    if (!a->out) return tn_cli_usage(cli, "train tokens needs -o FILE");
    host.n_threads = cli->n_threads;
    tern_status st = read_recipe(cli, a, &recipe, &err);
    if (st == TERN_OK && recipe.data.n == 0)
        st = tern_fail(&err, TERN_ERR_ARG, 0, "there are no texts: name files, or \"data\"");
    if (st == TERN_OK) st = tn_lm_make_tokens(&recipe, a->out, &host, &p, &err);
    tn_lm_recipe_deinit(&recipe);
    if (st != TERN_OK) return tn_cli_fail(cli, &err);
    tn_buf b = {0};
    if (cli->json)
        tn_buf_printf(&b,
                      "{\"records\":%llu,\"tokens\":%llu,\"bytes\":%llu,\"cut\":%llu,"
                      "\"empty\":%llu}\n",
                      (unsigned long long)p.n_records, (unsigned long long)p.n_tokens,
                      (unsigned long long)p.n_bytes, (unsigned long long)p.n_cut,
                      (unsigned long long)p.n_empty);
    else
        tn_buf_printf(&b,
                      "%llu tokens of %llu records, %.2f bytes a token; %llu texts cut, %llu "
                      "empty\n",
                      (unsigned long long)p.n_tokens, (unsigned long long)p.n_records,
                      (double)p.n_bytes / (double)(p.n_tokens ? p.n_tokens : 1),
                      (unsigned long long)p.n_cut, (unsigned long long)p.n_empty);
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}
