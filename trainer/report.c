/* report.c - the report of a run: one HTML file that needs nothing else, readable in light and
 * dark. Curves are inline SVG, 1 pixel of the view box to a pixel of the page. */
#include "trainer/ccs.h"
#include "trainer/html.h"
#include <math.h>
#include <string.h>

enum { CHART_W = 340, CHART_H = 150, PAD_L = 44, PAD_R = 8, PAD_T = 8, PAD_B = 22, SMOOTH = 5 };

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c1f23;--dim:#6a737d;--line:#d5d9de;--page:#fff;"
    "--one:#0b6bcb;--two:#c2570c;--good:#14804a;--soft:#f3f5f7}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--dim:#98a2ad;--line:#3a4149;"
    "--page:#16191d;--one:#6cb2ff;--two:#ffa263;--good:#5fd39a;--soft:#20252b}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);"
    "max-width:1080px;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}\n"
    "table{border-collapse:collapse}td,th{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid var(--line)}td:first-child,th:first-child{text-align:left}\n"
    ".charts{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:min-content}figcaption{"
    "font-size:.85rem;"
    "color:var(--dim)}\n"
    "svg text{font-size:11px;fill:var(--dim)}.axis{stroke:var(--line)}\n"
    ".raw{fill:none;stroke:var(--one);opacity:.3}.mean{fill:none;stroke:var(--one);"
    "stroke-width:2}.other{fill:none;stroke:var(--two);stroke-width:2}\n"
    ".dot{fill:var(--one)}.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}\n"
    ".pair>div{background:var(--soft);border-radius:6px;padding:.4rem .9rem;min-width:0;"
    "overflow-wrap:anywhere}ol{padding-left:1.2rem}ol ul{padding-left:1rem;color:var(--dim)}\n"
    "li.gold{color:var(--good);font-weight:600}li.gold::after{content:\" \\2713\"}\n"
    "li.answer{list-style:none;font-weight:600;margin-top:.4rem}\n"
    "small{display:block;color:var(--dim)}.alarm{border-left:4px solid var(--two);"
    "padding-left:.7rem}code,pre{font-size:.85rem}pre{white-space:pre-wrap;background:"
    "var(--soft);padding:.7rem;border-radius:6px}@media(max-width:700px){.pair{grid-template-"
    "columns:1fr}}\n";

/* --- charts ----------------------------------------------------------------------------------- */

typedef struct chart {
    double low, high; /* of the values */
    size_t n;         /* steps */
} chart;

static double at_x(const chart *c, double step) {
    double span = c->n > 1 ? (double)(c->n - 1) : 1;
    return PAD_L + step / span * (CHART_W - PAD_L - PAD_R);
}

static double at_y(const chart *c, double v) {
    return PAD_T + (c->high - v) / (c->high - c->low) * (CHART_H - PAD_T - PAD_B);
}

static void widen(chart *c, double v) {
    if (!isfinite(v)) return;
    if (!(v >= c->low)) c->low = v;
    if (!(v <= c->high)) c->high = v;
}

static void put_axes(const chart *c, tn_buf *b) {
    for (int i = 0; i <= 2; i++) {
        double v = c->low + (c->high - c->low) * i / 2, y = at_y(c, v);
        tn_buf_printf(b, "<line class=axis x1=%d x2=%d y1=%.1f y2=%.1f />", PAD_L, CHART_W - PAD_R,
                      y, y);
        tn_buf_printf(b, "<text x=%d y=%.1f text-anchor=end>%.3g</text>", PAD_L - 5, y + 4, v);
    }
    tn_buf_printf(b, "<text x=%d y=%d>1</text>", PAD_L, CHART_H - 6);
    tn_buf_printf(b, "<text x=%d y=%d text-anchor=end>step %zu</text>", CHART_W - PAD_R,
                  CHART_H - 6, c->n);
}

static double smoothed(const tn_ccs_report *r, int metric, size_t step) {
    double sum = 0;
    size_t from = step + 1 > SMOOTH ? step + 1 - SMOOTH : 0;
    for (size_t i = from; i <= step; i++) sum += r->history[i][metric];
    return sum / (double)(step + 1 - from);
}

static void put_line(const tn_ccs_report *r, const chart *c, int metric, const char *class,
                     bool smooth, tn_buf *b) {
    tn_buf_printf(b, "<polyline class=%s points=\"", class);
    for (size_t i = 0; i < r->n_steps; i++) {
        double v = smooth ? smoothed(r, metric, i) : r->history[i][metric];
        if (isfinite(v)) tn_buf_printf(b, "%.1f,%.1f ", at_x(c, (double)i), at_y(c, v));
    }
    tn_buf_str(b, "\"/>");
}

/* One metric over the steps, raw and as a running mean; `other` (-1: none) in a second colour. */
static void put_chart(const tn_ccs_report *r, int metric, int other, const char *caption,
                      tn_buf *b) {
    chart c = {.low = NAN, .high = NAN, .n = r->n_steps};
    for (size_t i = 0; i < r->n_steps; i++) {
        widen(&c, r->history[i][metric]);
        if (other >= 0) widen(&c, r->history[i][other]);
    }
    if (!isfinite(c.low)) return;
    if (c.high - c.low < 1e-9) c.low -= 0.5, c.high += 0.5;
    tn_buf_printf(b,
                  "<figure><svg width=%d height=%d viewBox=\"0 0 %d %d\" role=img "
                  "aria-label=\"%s\">",
                  CHART_W, CHART_H, CHART_W, CHART_H, caption);
    put_axes(&c, b);
    put_line(r, &c, metric, "raw", false, b);
    put_line(r, &c, metric, "mean", true, b);
    if (other >= 0) put_line(r, &c, other, "other", true, b);
    tn_buf_printf(b, "</svg><figcaption>%s</figcaption></figure>\n", caption);
}

/* The looks at the held-out questions: from before, over the looks, to after. */
static void put_held_chart(const tn_ccs_report *r, int metric, double before, double after,
                           const char *caption, tn_buf *b) {
    chart c = {.low = NAN, .high = NAN, .n = r->n_steps + 1};
    widen(&c, before);
    widen(&c, after);
    for (size_t i = 0; i < r->n_steps; i++) widen(&c, r->history[i][metric]);
    if (!isfinite(before) || !isfinite(after)) return;
    if (c.high - c.low < 1e-9) c.low -= 0.05, c.high += 0.05;
    tn_buf_printf(b,
                  "<figure><svg width=%d height=%d viewBox=\"0 0 %d %d\" role=img "
                  "aria-label=\"%s\">",
                  CHART_W, CHART_H, CHART_W, CHART_H, caption);
    put_axes(&c, b);
    tn_buf_printf(b, "<polyline class=mean points=\"%.1f,%.1f ", at_x(&c, 0), at_y(&c, before));
    for (size_t i = 0; i < r->n_steps; i++)
        if (isfinite(r->history[i][metric]))
            tn_buf_printf(b, "%.1f,%.1f ", at_x(&c, (double)i + 1),
                          at_y(&c, r->history[i][metric]));
    tn_buf_printf(b, "%.1f,%.1f\"/>", at_x(&c, (double)r->n_steps), at_y(&c, after));
    tn_buf_printf(b, "</svg><figcaption>%s</figcaption></figure>\n", caption);
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
    tn_buf_printf(b,
                  "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<meta name=viewport "
                  "content=\"width=device-width\"><title>Training report</title>\n<style>%s"
                  "</style>\n<h1>A searcher trained with reward %s</h1>\n",
                  style, r->recipe->reward);
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
