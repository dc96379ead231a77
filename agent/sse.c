/* sse.c - see sse.h. After the WHATWG HTML standard, section 9.2.6, with two departures: an event
 * cut off by the end of the stream is delivered rather than dropped (proxies lose the last blank
 * line), and `id` and `retry` are ignored, as nothing here reconnects. */
#include "agent/sse.h"
#include <string.h>

#include "core/base/mem.h"

void tn_sse_init(tn_sse *p, size_t max_bytes, tn_sse_fn *fn, void *ud) {
    *p = (tn_sse){.fn = fn, .ud = ud, .max_bytes = max_bytes};
}

void tn_sse_deinit(tn_sse *p) {
    tn_buf_deinit(&p->line);
    tn_buf_deinit(&p->data);
    tn_buf_deinit(&p->type);
}

static void dispatch(tn_sse *p) {
    if (p->has_data) {
        tn_sse_event event = {p->type.len ? p->type.data : "message", p->data.data, p->data.len};
        if (!p->fn(p->ud, &event)) p->stopped = true;
    }
    tn_buf_reset(&p->data);
    tn_buf_reset(&p->type);
    p->has_data = false;
}

static bool is_field(const char *line, size_t n, const char *name) {
    return n == strlen(name) && memcmp(line, name, n) == 0;
}

static void take_line(tn_sse *p, const char *line, size_t n) {
    if (!p->past_first_line && n >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) line += 3, n -= 3;
    p->past_first_line = true;
    if (n == 0) {
        dispatch(p);
        return;
    }
    const char *colon = memchr(line, ':', n);
    size_t n_name = colon ? (size_t)(colon - line) : n;
    const char *value = colon ? colon + 1 : line + n;
    size_t n_value = (size_t)(line + n - value);
    if (n_value && *value == ' ') value++, n_value--;
    if (is_field(line, n_name, "data")) {
        if (p->has_data) tn_buf_char(&p->data, '\n');
        tn_buf_add(&p->data, value, n_value);
        p->has_data = true;
    } else if (is_field(line, n_name, "event")) {
        tn_buf_reset(&p->type);
        tn_buf_add(&p->type, value, n_value);
    } /* a comment has an empty name; any other field is ignored */
}

/* Asked after every append, so a failed buffer never reaches dispatch. */
static tern_status check(tn_sse *p, size_t n_more, tern_error *err) {
    if (p->line.failed || p->data.failed || p->type.failed) {
        p->stopped = true;
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while reading an event stream");
    }
    if (p->line.len + p->data.len + n_more > p->max_bytes) {
        p->stopped = true;
        return tern_fail(err, TERN_ERR_LIMIT, 0, "an event of the stream is longer than %zu bytes",
                         p->max_bytes);
    }
    return TERN_OK;
}

static size_t line_length(const char *s, size_t n) {
    size_t k = 0;
    while (k < n && s[k] != '\n' && s[k] != '\r') k++;
    return k;
}

tern_status tn_sse_feed(tn_sse *p, const char *bytes, size_t n, tern_error *err) {
    const char *end = bytes + n;
    while (bytes < end && !p->stopped) {
        if (p->after_cr) {
            p->after_cr = false;
            if (*bytes == '\n') {
                bytes++;
                continue;
            }
        }
        size_t k = line_length(bytes, (size_t)(end - bytes));
        tern_status st = check(p, k, err);
        if (st != TERN_OK) return st;
        if (bytes + k == end) {
            tn_buf_add(&p->line, bytes, k);
            break;
        }
        if (p->line.len) {
            tn_buf_add(&p->line, bytes, k);
            if ((st = check(p, 0, err)) != TERN_OK) return st;
            take_line(p, p->line.data, p->line.len);
            tn_buf_reset(&p->line);
        } else {
            take_line(p, bytes, k);
        }
        if ((st = check(p, 0, err)) != TERN_OK) return st;
        p->after_cr = bytes[k] == '\r';
        bytes += k + 1;
    }
    return p->stopped ? TERN_OK : check(p, 0, err);
}

tern_status tn_sse_finish(tn_sse *p, tern_error *err) {
    if (p->stopped) return TERN_OK;
    tern_status st = check(p, 0, err);
    if (st != TERN_OK) return st;
    if (p->line.len) take_line(p, p->line.data, p->line.len);
    tn_buf_reset(&p->line);
    if ((st = check(p, 0, err)) != TERN_OK) return st;
    dispatch(p);
    p->stopped = true;
    return TERN_OK;
}
