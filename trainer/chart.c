/* chart.c - see chart.h. */
#include "trainer/chart.h"
#include "trainer/html.h"
#include <math.h>

enum { PAD_L = 44, PAD_R = 8, PAD_T = 8, PAD_B = 22, POINTS_MAX = 2000 };

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

double tn_chart_x(const tn_chart *c, double step) {
    double span = c->n > 1 ? (double)(c->n - 1) : 1;
    return PAD_L + step / span * (TN_CHART_WIDTH - PAD_L - PAD_R);
}

double tn_chart_y(const tn_chart *c, double v) {
    return PAD_T + (c->high - v) / (c->high - c->low) * (TN_CHART_HEIGHT - PAD_T - PAD_B);
}

void tn_chart_widen(tn_chart *c, double v) {
    if (!isfinite(v)) return;
    if (!(v >= c->low)) c->low = v;
    if (!(v <= c->high)) c->high = v;
}

void tn_chart_widen_all(tn_chart *c, const tn_series *s) {
    for (size_t i = 0; i < s->n; i++) tn_chart_widen(c, s->y[i * s->stride]);
}

static void put_axes(const tn_chart *c, tn_buf *b) {
    for (int i = 0; i <= 2; i++) {
        double v = c->low + (c->high - c->low) * i / 2, y = tn_chart_y(c, v);
        tn_buf_printf(b, "<line class=axis x1=%d x2=%d y1=%.1f y2=%.1f />", PAD_L,
                      TN_CHART_WIDTH - PAD_R, y, y);
        tn_buf_printf(b, "<text x=%d y=%.1f text-anchor=end>%.3g</text>", PAD_L - 5, y + 4, v);
    }
    tn_buf_printf(b, "<text x=%d y=%d>1</text>", PAD_L, TN_CHART_HEIGHT - 6);
    tn_buf_printf(b, "<text x=%d y=%d text-anchor=end>step %zu</text>", TN_CHART_WIDTH - PAD_R,
                  TN_CHART_HEIGHT - 6, c->last ? c->last : c->n);
}

bool tn_chart_begin(tn_chart *c, double pad, const char *caption, tn_buf *b) {
    if (!isfinite(c->low)) return false;
    if (c->high - c->low < 1e-9) c->low -= pad, c->high += pad;
    tn_buf_printf(b,
                  "<figure><svg width=%d height=%d viewBox=\"0 0 %d %d\" role=img "
                  "aria-label=\"%s\">",
                  TN_CHART_WIDTH, TN_CHART_HEIGHT, TN_CHART_WIDTH, TN_CHART_HEIGHT, caption);
    put_axes(c, b);
    return true;
}

void tn_chart_end(const char *caption, tn_buf *b) {
    tn_buf_printf(b, "</svg><figcaption>%s</figcaption></figure>\n", caption);
}

static double value(const tn_series *s, size_t i) {
    if (s->smooth <= 1) return s->y[i * s->stride];
    double sum = 0;
    size_t from = i + 1 > s->smooth ? i + 1 - s->smooth : 0;
    for (size_t k = from; k <= i; k++) sum += s->y[k * s->stride];
    return sum / (double)(i + 1 - from);
}

void tn_chart_line(const tn_chart *c, const tn_series *s, tn_buf *b) {
    size_t n_finite = 0, every, seen = 0;
    for (size_t i = 0; i < s->n; i++) n_finite += isfinite(s->y[i * s->stride]);
    every = n_finite / POINTS_MAX + 1; /* more points than pixels would only slow the page */
    tn_buf_printf(b, "<polyline class=%s points=\"", s->class);
    for (size_t i = 0; i < s->n; i++) {
        if (!isfinite(s->y[i * s->stride]) || seen++ % every) continue;
        double v = value(s, i);
        if (isfinite(v)) tn_buf_printf(b, "%.1f,%.1f ", tn_chart_x(c, (double)i), tn_chart_y(c, v));
    }
    tn_buf_str(b, "\"/>");
}

void tn_report_begin(const char *title, const char *heading, tn_buf *b) {
    tn_buf_str(b, "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<meta name=viewport "
                  "content=\"width=device-width\"><title>");
    tn_html_text(b, title);
    tn_buf_printf(b, "</title>\n<style>%s</style>\n<h1>", style);
    tn_html_text(b, heading);
    tn_buf_str(b, "</h1>\n");
}
