/* chart.h - curves over steps as inline SVG, and the style of the reports that hold them. One pixel
 * of the view box is a pixel of the page; colours follow the reader's light or dark page. */
#ifndef TN_CHART_H
#define TN_CHART_H
#include "core/base/buf.h"
#include <stdbool.h>

enum { TN_CHART_WIDTH = 340, TN_CHART_HEIGHT = 150 };

typedef struct tn_chart {
    double low, high; /* of the values; NAN, NAN to start */
    size_t n;         /* points across */
    size_t last;      /* the step of the last point; 0: n */
} tn_chart;

/* Values over the steps 0 .. n-1; those that are not finite are left out. */
typedef struct tn_series {
    const double *y; /* y[i * stride] */
    size_t stride, n;
    const char *class; /* "raw", "mean" or "other": the style has these */
    unsigned smooth;   /* running mean over so many; 0, 1: none */
} tn_series;

void tn_chart_widen(tn_chart *c, double v); /* make room for a value; ignored unless finite */
void tn_chart_widen_all(tn_chart *c, const tn_series *s);
double tn_chart_x(const tn_chart *c, double step);
double tn_chart_y(const tn_chart *c, double v);
/* <figure>, axes; false, and nothing is written: there is no value. A flat range is widened by
 * `pad` on both sides. */
bool tn_chart_begin(tn_chart *c, double pad, const char *caption, tn_buf *b);
void tn_chart_line(const tn_chart *c, const tn_series *s, tn_buf *b);
void tn_chart_end(const char *caption, tn_buf *b);

/* "<!doctype html>" to the <h1>, with title and heading escaped. */
void tn_report_begin(const char *title, const char *heading, tn_buf *b);

#endif
