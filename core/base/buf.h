/* buf.h - a growable byte string.
 * Appending never returns an error: the first failed allocation sets `failed`, later appends do
 * nothing, and the writer asks once at the end (tn_buf_status). Zero-initialise to start. */
#ifndef TN_BUF_H
#define TN_BUF_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_buf {
    char *data; /* NUL-terminated when len > 0 or after tn_buf_cstr */
    size_t len; /* bytes, without the NUL */
    size_t cap;
    bool failed; /* an allocation failed: the contents are gone and len is 0, so that a caller who
                    passes (tn_buf_cstr(b), b->len) on before asking reads nothing it should not */
} tn_buf;

void tn_buf_deinit(tn_buf *b);
void tn_buf_reset(tn_buf *b); /* empty, keep memory, clear `failed` */
void tn_buf_reserve(tn_buf *b, size_t n_more);
void tn_buf_fail(tn_buf *b); /* for writers into b->data that run out of memory themselves */
void tn_buf_add(tn_buf *b, const void *data, size_t n);
void tn_buf_str(tn_buf *b, const char *s);
void tn_buf_char(tn_buf *b, char c);
void tn_buf_printf(tn_buf *b, const char *fmt, ...) TERN_PRINTF(2, 3);
const char *
tn_buf_cstr(tn_buf *b);       /* never NULL ("" after a failure); valid until the next append */
char *tn_buf_take(tn_buf *b); /* caller frees with tn_free; NULL if failed; b is empty again */
/* OK, or NOMEM filled into err. */
TERN_MUST_USE tern_status tn_buf_status(const tn_buf *b, tern_error *err);

#endif
