/* report.c - the report of a run: one HTML file that needs nothing else, readable in light and
 * dark. */
#include "trainer/ccs.h"
#include "trainer/chart.h"
#include "trainer/html.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SMOOTH = 5 };

/* --- charts ----------------------------------------------------------------------------------- */

/* One metric over the steps, raw and as a running mean; `other` (-1: none) in a second colour. */
static void put_chart(const tn_ccs_report *r, int metric, int other, const char *caption,
                      tn_buf *b) {
    tn_chart c = {.low = NAN, .high = NAN, .n = r->n_steps};
    tn_series raw = {&r->history[0][metric], TN_N_METRICS, r->n_steps, "raw", 1}, mean = raw;
    tn_series second = {&r->history[0][other < 0 ? 0 : other], TN_N_METRICS,
                        other < 0 ? 0 : r->n_steps, "other", SMOOTH};
    mean.class = "mean";
    mean.smooth = SMOOTH;
    tn_chart_widen_all(&c, &raw);
    tn_chart_widen_all(&c, &second);
    if (!tn_chart_begin(&c, 0.5, caption, b)) return;
    tn_chart_line(&c, &raw, b);
    tn_chart_line(&c, &mean, b);
    if (second.n) tn_chart_line(&c, &second, b);
    tn_chart_end(caption, b);
}

/* The looks at the held-out questions: from before, over the looks, to after. */
static void put_held_chart(const tn_ccs_report *r, int metric, double before, double after,
                           const char *caption, tn_buf *b) {
    tn_chart c = {.low = NAN, .high = NAN, .n = r->n_steps + 1};
    if (!isfinite(before) || !isfinite(after)) return;
    tn_chart_widen(&c, before);
    tn_chart_widen(&c, after);
    for (size_t i = 0; i < r->n_steps; i++) tn_chart_widen(&c, r->history[i][metric]);
    if (!tn_chart_begin(&c, 0.05, caption, b)) return;
    tn_buf_printf(b, "<polyline class=mean points=\"%.1f,%.1f ", tn_chart_x(&c, 0),
                  tn_chart_y(&c, before));
    for (size_t i = 0; i < r->n_steps; i++)
        if (isfinite(r->history[i][metric]))
            tn_buf_printf(b, "%.1f,%.1f ", tn_chart_x(&c, (double)i + 1),
                          tn_chart_y(&c, r->history[i][metric]));
    tn_buf_printf(b, "%.1f,%.1f\"/>", tn_chart_x(&c, (double)r->n_steps), tn_chart_y(&c, after));
    tn_chart_end(caption, b);
}

/* Every held-out question as a point: recall across, reward up. */
static void put_scatter(const tn_judged *j, size_t n, size_t arm, const char *name, tn_buf *b) {
    enum { W = 160, H = 130 };
    tn_buf_printf(b,
                  "<figure><svg width=%d height=%d viewBox=\"0 0 %d %d\" role=img "
                  "aria-label=\"%s against recall\">",
                  W, H, W, H, name);
    tn_buf_printf(b,
                  "<line class=axis x1=20 x2=%d y1=%d y2=%d /><line class=axis x1=20 x2=20 y1=8 "
                  "y2=%d />",
                  W - 8, H - 20, H - 20, H - 20);
    for (size_t i = 0; i < n; i++) {
        double x = j[i].recall, y = j[i].rewards[arm];
        if (!isfinite(x) || !isfinite(y)) continue;
        double nudge = (double)(i % 7) - 3; /* recall takes few values */
        tn_buf_printf(b, "<circle class=dot r=2 opacity=.5 cx=%.1f cy=%.1f />",
                      24 + nudge + x * (W - 40), 8 + (1 - y) * (H - 30));
    }
    tn_buf_printf(b,
                  "<text x=20 y=%d>recall 0</text><text x=%d y=%d text-anchor=end>1</text></svg>",
                  H - 6, W - 8, H - 6);
    tn_buf_printf(b, "<figcaption>%s</figcaption></figure>\n", name);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void put_cell(double v, double unit, tn_buf *b) {
    if (isfinite(v))
        tn_buf_printf(b, unit > 1 ? "<td>%.1f</td>" : "<td>%.3f</td>", unit * v);
    else
        tn_buf_str(b, "<td>-</td>");
}

static void put_row(const char *name, double before, double after, double unit, tn_buf *b) {
    if (!isfinite(before) && !isfinite(after)) return;
    tn_buf_printf(b, "<tr><td>%s</td>", name);
    put_cell(before, unit, b);
    put_cell(after, unit, b);
    put_cell(after - before, unit, b);
    tn_buf_str(b, "</tr>\n");
}

static void put_before_after(const tn_ccs_report *r, tn_buf *b) {
    const tn_ccs_figures *x = &r->result->before, *y = &r->result->after;
    tn_buf_printf(b, "<h2>Before and after on %zu held-out questions</h2>\n",
                  r->result->n_held_out);
    if (r->result->n_held_out == 0) {
        tn_buf_str(b, "<p>None were held out: there were fewer than five questions.</p>\n");
        return;
    }
    tn_buf_str(b, "<table><tr><th></th><th>before</th><th>after</th><th>change</th></tr>\n");
    put_row("supporting recall, %", x->recall, y->recall, 100, b);
    put_row("all supporting found, %", x->all, y->all, 100, b);
    put_row("answer in evidence, %", x->in_evidence, y->in_evidence, 100, b);
    put_row("exact match, %", x->em, y->em, 100, b);
    put_row("F1, %", x->f1, y->f1, 100, b);
    put_row("searches", x->searches, y->searches, 1, b);
    tn_buf_printf(b,
                  "</table>\n<p>Change of %s: %+.4f, 95 %% interval %+.4f to %+.4f (paired "
                  "bootstrap), p = %.3f.</p>\n",
                  r->result->gain_is_recall ? "recall" : "reward", r->result->gain.diff,
                  r->result->gain.low, r->result->gain.high, r->result->gain.p);
    if (strcmp(r->recipe->start, "uniform") == 0)
        tn_buf_str(b, "<p>The uniform start is sampled; the trained policy takes its best "
                      "action.</p>\n");
}

static void put_dashboard(const tn_ccs_report *r, tn_buf *b) {
    const tn_ccs_figures *x = &r->result->before, *y = &r->result->after;
    size_t n;
    const tn_reward *arms = tn_reward_list(&n);
    tn_buf_str(b, "<h2>Leakage</h2>\n<p>A reward that rises while recall does not is being gamed. "
                  "Overlap is the share of the question's words that the queries repeat; what is "
                  "left of it after masking could leak.</p>\n<table><tr><th></th><th>before</th>"
                  "<th>after</th><th>change</th></tr>\n");
    put_row("overlap of queries and question", x->overlap_raw, y->overlap_raw, 1, b);
    put_row("... after masking", x->overlap_masked, y->overlap_masked, 1, b);
    put_row("masked spans per query", x->spans_per_query, y->spans_per_query, 1, b);
    for (size_t a = 0; a < n && a < TN_ARMS_MAX; a++) {
        bool own = strcmp(arms[a].name, r->recipe->reward) == 0;
        tn_buf_printf(b, "<tr><td>reward %s%s</td>", arms[a].name, own ? " (trained on)" : "");
        put_cell(x->rewards[a], 1, b);
        put_cell(y->rewards[a], 1, b);
        put_cell(y->rewards[a] - x->rewards[a], 1, b);
        tn_buf_str(b, "</tr>\n");
    }
    put_row("supporting recall", x->recall, y->recall, 1, b);
    tn_buf_str(b, "</table>\n");
    if (!isfinite(y->recall)) return;
    tn_buf_str(b, "<p>Each point is a held-out question after training.</p><div class=charts>\n");
    for (size_t a = 0; a < n && a < TN_ARMS_MAX; a++)
        if (arms[a].needs == TN_GOLD_NONE)
            put_scatter(r->after, r->result->n_held_out, a, arms[a].name, b);
    tn_buf_str(b, "</div>\n");
}

static void put_time(const tn_ccs_report *r, tn_buf *b) {
    const tn_ccs_result *t = r->result;
    const struct {
        const char *name;
        double s;
    } rows[] = {{"searching: the episodes themselves", t->s_play},
                {"masking, rewards, leakage", t->s_reward},
                {"reference policy and gradients", t->s_learn},
                {"held-out questions", t->s_judge}};
    double sum = t->s_play + t->s_reward + t->s_learn + t->s_judge;
    tn_buf_printf(b,
                  "<h2>Where the time goes</h2>\n<p>%llu rollouts in %.1f s: %.0f a second; "
                  "peak memory %.0f MiB.</p>\n<table><tr><th></th><th>thread seconds</th>"
                  "<th>%%</th></tr>\n",
                  (unsigned long long)t->n_rollouts, t->seconds, t->rollouts_per_s,
                  (double)t->peak_bytes / 1048576);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tn_buf_printf(b, "<tr><td>%s</td><td>%.1f</td><td>%.0f</td></tr>\n", rows[i].name,
                      rows[i].s, sum > 0 ? 100 * rows[i].s / sum : 0);
    tn_buf_str(b, "</table>\n");
}

/* --- trajectories ----------------------------------------------------------------------------- */

static void put_side(const char *name, const tn_judged *j, tn_buf *b) {
    tn_buf_printf(b, "<div><strong>%s</strong>", name);
    if (isfinite(j->recall)) tn_buf_printf(b, ", recall %.2f", j->recall);
    tn_buf_printf(b, "<ol>%s</ol></div>", j->story);
}

static void put_stories(const tn_ccs_report *r, tn_buf *b) {
    tn_buf_str(b, "<h2>What it searches now</h2>\n<p>Under each query, small, what the reward sees "
                  "of it; below, the pages found, supporting ones marked.</p>\n");
    for (size_t i = 0; i < r->result->n_held_out; i++) {
        if (!r->before[i].story || !r->after[i].story) continue;
        tn_buf_str(b, "<h3>");
        tn_html_text(b, r->questions[i]);
        tn_buf_str(b, "</h3><div class=pair>");
        put_side("before", &r->before[i], b);
        put_side("after", &r->after[i], b);
        tn_buf_str(b, "</div>\n");
    }
}

static void put_recipe(const tn_ccs_report *r, tn_buf *b) {
    json_t *recipe = tn_recipe_json(r->recipe);
    tn_buf text = {0};
    if (recipe) tn_json_dump_pretty(recipe, &text);
    if (!recipe || text.failed) b->failed = true;
    tn_buf_str(b, "<h2>Recipe</h2>\n<pre>");
    tn_html_text(b, tn_buf_cstr(&text));
    tn_buf_printf(b, "</pre><p>Index %s, %llu passages; %zu training questions.</p>\n",
                  r->stats.hash, (unsigned long long)r->stats.n_passages, r->result->n_train);
    tn_buf_deinit(&text);
    json_decref(recipe);
}

void tn_ccs_report_html(const tn_ccs_report *r, tn_buf *b) {
    char heading[80];
    snprintf(heading, sizeof heading, "A searcher trained with reward %s", r->recipe->reward);
    tn_report_begin("Training report", heading, b);
    for (size_t i = 0; i < r->result->n_alarms; i++) {
        tn_buf_str(b, "<p class=alarm>");
        tn_html_text(b, r->result->alarms[i]);
        tn_buf_str(b, "</p>\n");
    }
    put_before_after(r, b);
    tn_buf_str(b, "<h2>Training</h2>\n<div class=charts>\n");
    put_chart(r, TN_M_REWARD, -1, "reward of the rollouts", b);
    put_held_chart(r, TN_M_HELD_RECALL, r->result->before.recall, r->result->after.recall,
                   "recall on held-out questions", b);
    put_chart(r, TN_M_ENTROPY, -1, "entropy of the policy, nats", b);
    put_chart(r, TN_M_KL, -1, "KL to the start, nats per action", b);
    put_chart(r, TN_M_SEARCHES, -1, "searches per episode", b);
    put_chart(r, TN_M_SPAN_RATE, -1, "masked spans per query", b);
    put_chart(r, TN_M_OVERLAP_RAW, TN_M_OVERLAP_MASKED,
              "overlap of queries and question, before and after masking", b);
    put_chart(r, TN_M_DROPPED, -1, "groups without spread, dropped", b);
    tn_buf_str(b, "</div>\n");
    put_dashboard(r, b);
    put_stories(r, b);
    put_time(r, b);
    put_recipe(r, b);
}
