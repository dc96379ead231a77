/* buf.c - see buf.h. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tn_buf_deinit(tn_buf *b) {
    tn_free(b->data);
    *b = (tn_buf){0};
}

void tn_buf_reset(tn_buf *b) {
    b->len = 0;
    b->failed = false;
    if (b->data) b->data[0] = '\0';
}

void tn_buf_fail(tn_buf *b) {
    b->failed = true;
    b->len = 0;
}

void tn_buf_reserve(tn_buf *b, size_t n_more) {
    if (b->failed) return;
    if (n_more > SIZE_MAX - b->len - 1 || TN_GROW(b->data, b->cap, b->len + n_more + 1) != 0)
        tn_buf_fail(b);
}

void tn_buf_add(tn_buf *b, const void *data, size_t n) {
    tn_buf_reserve(b, n);
    if (b->failed) return;
    if (n) memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void tn_buf_str(tn_buf *b, const char *s) {
    tn_buf_add(b, s, strlen(s));
}

void tn_buf_char(tn_buf *b, char c) {
    tn_buf_add(b, &c, 1);
}

void tn_buf_printf(tn_buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return;
    tn_buf_reserve(b, (size_t)n);
    if (b->failed) return;
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

const char *tn_buf_cstr(tn_buf *b) {
    tn_buf_reserve(b, 0);
    if (b->failed || !b->data) return "";
    b->data[b->len] = '\0';
    return b->data;
}

char *tn_buf_take(tn_buf *b) {
    tn_buf_reserve(b, 0);
    if (b->failed) {
        tn_buf_deinit(b);
        return NULL;
    }
    b->data[b->len] = '\0';
    char *s = b->data;
    *b = (tn_buf){0};
    return s;
}

tern_status tn_buf_status(const tn_buf *b, tern_error *err) {
    return b->failed ? tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory") : TERN_OK;
}
