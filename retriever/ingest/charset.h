/* charset.h - pages that state another encoding than UTF-8. */
#ifndef TN_CHARSET_H
#define TN_CHARSET_H
#include "core/base/buf.h"
#include <stdbool.h>
#include <stddef.h>

/* Turn an HTML page into UTF-8, in place: by the charset it declares if that is known and its bytes
 * are not UTF-8 already, else by replacing what is ill-formed. Every line end stays one line end.
 * Returns true if something was replaced by U+FFFD. html->failed says that memory ran out. */
bool tn_html_to_utf8(tn_buf *html);
#endif
