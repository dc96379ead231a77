/* html.c - see html.h. */
#include "trainer/html.h"

void tn_html_text(tn_buf *out, const char *s) {
    for (; *s; s++) {
        switch (*s) {
        case '&':
            tn_buf_str(out, "&amp;");
            break;
        case '<':
            tn_buf_str(out, "&lt;");
            break;
        case '>':
            tn_buf_str(out, "&gt;");
            break;
        case '"':
            tn_buf_str(out, "&quot;");
            break;
        default:
            tn_buf_char(out, (unsigned char)*s < ' ' ? ' ' : *s);
        }
    }
}
