/* run_report.c - the report of a run: one HTML file that needs nothing else, with curves as SVG. */
#include "trainer/chart.h"
#include "trainer/html.h"
#include "trainer/lm/run_priv.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { SMOOTH = 9 };

static void put_curve(const tn_lm_run *run, int metric, unsigned smooth, const char *caption,
                      tn_buf *b) {
    tn_chart c = {.low = NAN, .high = NAN, .n = run->n_history};
    if (run->n_history == 0) return;
    c.last = (size_t)run->history_step[run->n_history - 1];
    tn_series raw = {&run->history[0][metric], TN_LM_N_METRICS, run->n_history,
                     smooth > 1 ? "raw" : "mean", 1};
    tn_chart_widen_all(&c, &raw);
    if (!tn_chart_begin(&c, 0.5, caption, b)) return;
    tn_chart_line(&c, &raw, b);
    if (smooth > 1) {
        raw.class = "mean";
        raw.smooth = smooth;
        tn_chart_line(&c, &raw, b);
    }
    tn_chart_end(caption, b);
}

static void put_row(const char *name, double v, const char *unit, tn_buf *b) {
    if (isfinite(v)) tn_buf_printf(b, "<tr><td>%s</td><td>%.6g%s</td></tr>\n", name, v, unit);
}

static void put_figures(const tn_lm_run *run, tn_buf *b) {
    const tn_lm_run_result *r = run->result;
    tn_buf_str(b, "<h2>Figures</h2>\n<table>\n");
    put_row("loss of the last step, nats", r->loss, "", b);
    put_row("validation loss before training", r->valid_first, "", b);
    put_row("validation loss after", r->valid, "", b);
    put_row("lowest", r->valid_best, "", b);
    put_row("validation accuracy", 100 * r->accuracy, " %", b);
    put_row("weights", (double)r->n_weights, "", b);
    put_row("training items", (double)r->n_items, "", b);
    put_row("steps", (double)r->step, "", b);
    put_row("tokens trained on, last call", (double)r->tokens, "", b);
    put_row("seconds in steps, last call", r->seconds, "", b);
    put_row("tokens a second", r->tokens_per_s, "", b);
    put_row("of the peak of its matrix products", 100 * r->fraction_of_peak, " %", b);
    put_row("that peak, GFLOP/s", r->peak_gflops, "", b);
    put_row("weights, gradients, moments and largest step, MiB", (double)r->memory_bytes / 1048576,
            "", b);
    tn_buf_str(b, "</table>\n");
}

static void put_json(const char *title, json_t *v /* taken */, tn_buf *b) {
    tn_buf text = {0};
    if (v) tn_json_dump_pretty(v, &text);
    if (!v || text.failed) tn_buf_fail(b);
    tn_buf_printf(b, "<h2>%s</h2>\n<pre>", title);
    tn_html_text(b, tn_buf_cstr(&text));
    tn_buf_str(b, "</pre>\n");
    tn_buf_deinit(&text);
    json_decref(v);
}

void tn_lm_report_html(const tn_lm_run *run, tn_buf *b) {
    char heading[96];
    snprintf(heading, sizeof heading, "%s: %s", tn_lm_arch_name(run->config.arch),
             tn_lm_task_name(run->task));
    tn_report_begin("Training report", heading, b);
    tn_buf_str(b, "<div class=charts>\n");
    put_curve(run, TN_LM_M_LOSS, SMOOTH, "training loss, nats", b);
    put_curve(run, TN_LM_M_VALID, 1, "validation loss, nats", b);
    put_curve(run, TN_LM_M_ACCURACY, 1, "validation accuracy", b);
    put_curve(run, TN_LM_M_GRAD_NORM, SMOOTH, "norm of the gradient, before clipping", b);
    put_curve(run, TN_LM_M_LR, 1, "learning rate", b);
    put_curve(run, TN_LM_M_SPEED, SMOOTH, "tokens a second", b);
    put_curve(run, TN_LM_M_PEAK, SMOOTH, "fraction of the peak of matrix products", b);
    tn_buf_str(b, "</div>\n");
    put_figures(run, b);
    char text[160];
    snprintf(text, sizeof text, "Recipe (data %08x, %llu tokens; tokenizer %s)", run->data.crc,
             (unsigned long long)run->data.n_tokens, run->data.kind.tokenizer_hash);
    put_json(text, tn_lm_recipe_json(run->recipe), b);
}
