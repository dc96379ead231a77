/* config_reader.c - see config_reader.h. */
#include "core/lm/config_reader.h"
#include <stdarg.h>
#include <stdio.h>

#include "core/base/mem.h"

void tn_field_fail(tn_fields *f, tern_status status, const char *fmt, ...) {
    if (f->status != TERN_OK) return;
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->status = tern_fail(f->err, status, 0, "%s: %s", f->path, text);
}

const json_t *tn_field_find(const tn_fields *f, const char *key) {
    const json_t *v = json_object_get(f->obj, key);
    return json_is_null(v) ? NULL : v;
}

int64_t tn_field_int(tn_fields *f, const char *key, int64_t fallback, int64_t min, int64_t max) {
    const json_t *v = tn_field_find(f, key);
    if (!v) return fallback;
    if (!json_is_integer(v)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is not an integer", key);
        return fallback;
    }
    int64_t x = json_integer_value(v);
    if (x >= min && x <= max) return x;
    tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is %lld, outside %lld to %lld", key, (long long)x,
                  (long long)min, (long long)max);
    return fallback;
}

double tn_field_num(tn_fields *f, const char *key, double fallback, double min, double max) {
    const json_t *v = tn_field_find(f, key);
    if (!v) return fallback;
    if (!json_is_number(v)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is not a number", key);
        return fallback;
    }
    double x = json_number_value(v);
    if (x >= min && x <= max) return x;
    tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is %g, outside %g to %g", key, x, min, max);
    return fallback;
}

bool tn_field_bool(tn_fields *f, const char *key, bool fallback) {
    const json_t *v = tn_field_find(f, key);
    if (!v) return fallback;
    if (!json_is_boolean(v)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is neither true nor false", key);
        return fallback;
    }
    return json_is_true(v);
}

const char *tn_field_str(tn_fields *f, const char *key, const char *fallback) {
    const json_t *v = tn_field_find(f, key);
    if (!v) return fallback;
    if (!json_is_string(v)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is not a string", key);
        return fallback;
    }
    return json_string_value(v);
}
