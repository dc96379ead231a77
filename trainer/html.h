/* html.h - text into HTML. */
#ifndef TN_HTML_H
#define TN_HTML_H
#include "core/base/buf.h"

/* Append UTF-8 text with & < > " escaped; control characters become spaces. */
void tn_html_text(tn_buf *out, const char *s);

#endif
