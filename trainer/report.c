/* report.c - the report of a run, one HTML file that needs nothing else. */
#include "trainer/ccs.h"

void tn_ccs_report_html(const tn_ccs_report *r, tn_buf *out) {
    (void)r;
    tn_buf_str(out, "<!doctype html>");
}
