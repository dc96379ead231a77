/* json.c - see json.h. */
#include "core/base/json.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include <pthread.h>
#include <string.h>

/* An allocation that fails inside jansson's lexer comes out as a syntax error, as a value with
 * bytes missing, or, when the byte is a string's closing quote, as a write past its end
 * (jansson 2.14). So while it parses, what memory refuses comes from a reserve, and the value is
 * thrown away afterwards. Per thread, because the allocator has no cookie; never read outside
 * parse(). */
static _Thread_local struct {
    bool parsing, ran_out;
    size_t used;
    _Alignas(16) char bytes[8192]; /* jansson doubles a string's buffer: strings up to 4 KiB */
} reserve;

static void *alloc_noted(size_t n_bytes) {
    void *p = tn_alloc(n_bytes);
    if (p || !reserve.parsing) return p;
    reserve.ran_out = true;
    if (n_bytes > sizeof reserve.bytes - reserve.used) return NULL;
    p = reserve.bytes + reserve.used;
    reserve.used += (n_bytes + 15) & ~(size_t)15;
    if (reserve.used > sizeof reserve.bytes) reserve.used = sizeof reserve.bytes;
    return p;
}

static void free_noted(void *p) {
    uintptr_t at = (uintptr_t)p - (uintptr_t)reserve.bytes;
    if (at >= sizeof reserve.bytes) tn_free(p);
}

static void use_our_memory(void) {
    json_set_alloc_funcs(alloc_noted, free_noted);
}

static void init_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, use_our_memory);
}

static tern_status parse(const char *s, size_t n, size_t flags, json_t **out, tern_error *err) {
    init_once();
    json_error_t je = {0};
    reserve.parsing = true;
    reserve.ran_out = false;
    reserve.used = 0;
    *out = json_loadb(s, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | flags, &je);
    reserve.parsing = false;
    if (*out && !reserve.ran_out) return TERN_OK;
    json_decref(*out);
    *out = NULL;
    if (reserve.ran_out)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while parsing JSON");
    return tern_fail(err, TERN_ERR_FORMAT, json_error_code(&je), "JSON, byte %d: %s", je.position,
                     je.text);
}

tern_status tn_json_parse(const char *s, size_t n, json_t **out, tern_error *err) {
    return parse(s, n, 0, out, err);
}

tern_status tn_json_parse_unique(const char *s, size_t n, json_t **out, tern_error *err) {
    return parse(s, n, JSON_REJECT_DUPLICATES, out, err);
}

tern_status tn_json_load(const char *path, json_t **out, tern_error *err) {
    *out = NULL;
    tn_buf text = {0};
    tern_status st = tn_file_read(path, 1u << 30, &text, err);
    if (st == TERN_OK) st = tn_json_parse(text.data ? text.data : "", text.len, out, err);
    if (st == TERN_ERR_FORMAT && err) {
        tern_error inner = *err;
        tern_fail(err, st, inner.os_code, "%s: %s", path, inner.text);
    }
    tn_buf_deinit(&text);
    return st;
}

static int dump_to_buf(const char *data, size_t n, void *ud) {
    tn_buf *out = ud;
    tn_buf_add(out, data, n);
    return out->failed ? -1 : 0;
}

static void dump(const json_t *v, tn_buf *out, size_t flags) {
    init_once();
    if (json_dump_callback(v, dump_to_buf, out, flags | JSON_ENCODE_ANY) != 0) tn_buf_fail(out);
}

void tn_json_dump(const json_t *v, tn_buf *out) {
    dump(v, out, JSON_COMPACT);
}

void tn_json_dump_pretty(const json_t *v, tn_buf *out) {
    dump(v, out, JSON_INDENT(2));
}

static void escape_valid(const char *s, size_t n, tn_buf *out) {
    tn_buf_char(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        tn_buf_add(out, s + start, i - start);
        start = i + 1;
        switch (c) {
        case '"':
            tn_buf_str(out, "\\\"");
            break;
        case '\\':
            tn_buf_str(out, "\\\\");
            break;
        case '\n':
            tn_buf_str(out, "\\n");
            break;
        case '\r':
            tn_buf_str(out, "\\r");
            break;
        case '\t':
            tn_buf_str(out, "\\t");
            break;
        default:
            tn_buf_printf(out, "\\u%04x", c);
        }
    }
    tn_buf_add(out, s + start, n - start);
    tn_buf_char(out, '"');
}

void tn_json_escape(const char *s, size_t n, tn_buf *out) {
    if (tn_utf8_valid(s, n)) {
        escape_valid(s, n, out);
        return;
    }
    tn_buf fixed = {0};
    tn_utf8_repair(s, n, &fixed);
    if (fixed.failed)
        tn_buf_fail(out);
    else
        escape_valid(fixed.data, fixed.len, out);
    tn_buf_deinit(&fixed);
}

const char *tn_json_str(const json_t *obj, const char *key, const char *fallback) {
    const json_t *v = json_object_get(obj, key);
    return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t tn_json_int(const json_t *obj, const char *key, int64_t fallback) {
    const json_t *v = json_object_get(obj, key);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

double tn_json_num(const json_t *obj, const char *key, double fallback) {
    const json_t *v = json_object_get(obj, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

bool tn_json_bool(const json_t *obj, const char *key, bool fallback) {
    const json_t *v = json_object_get(obj, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}
