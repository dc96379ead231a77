/* members.c - see members.h. */
#include "trainer/members.h"
#include <stdint.h>
#include <string.h>

static bool take(void *settings, const tn_member *m, const json_t *v) {
    char *dest = (char *)settings + m->at;
    json_int_t n = json_integer_value(v);
    switch (m->type) {
    case TN_MEMBER_TEXT:
        if (!json_is_string(v) || json_string_length(v) >= m->size) return false;
        memcpy(dest, json_string_value(v), json_string_length(v) + 1);
        return true;
    case TN_MEMBER_COUNT:
        if (!json_is_integer(v) || n < 0 || n > UINT32_MAX) return false;
        *(uint32_t *)(void *)dest = (uint32_t)n;
        return true;
    case TN_MEMBER_REAL:
        if (!json_is_number(v)) return false;
        *(double *)(void *)dest = json_number_value(v);
        return true;
    case TN_MEMBER_TRUTH:
        if (!json_is_boolean(v)) return false;
        *(bool *)(void *)dest = json_is_true(v);
        return true;
    case TN_MEMBER_SEED:
        if (!json_is_integer(v) || n < 0) return false;
        *(uint64_t *)(void *)dest = (uint64_t)n;
        return true;
    case TN_MEMBER_OTHER:
        return true;
    }
    return false;
}

/* "a, b, c" of all names, as many as fit. */
static void list_names(const tn_member *table, size_t n, char *out, size_t cap) {
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(table[i].name);
        if (len + k + 3 > cap) break;
        if (i) memcpy(out + len, ", ", 2), len += 2;
        memcpy(out + len, table[i].name, k);
        len += k;
    }
    out[len] = '\0';
}

tern_status tn_members_read(void *settings, const tn_member *table, size_t n, const json_t *obj,
                            const char *where, const char *noun, tern_error *err) {
    static const char *const wanted[] = {"a short string", "a whole number, 0 or more", "a number",
                                         "true or false",  "a whole number, 0 or more", ""};
    const char *key;
    json_t *value;
    if (!json_is_object(obj))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: %s is a JSON object", where, noun);
    json_object_foreach((json_t *)(uintptr_t)obj, key, value) {
        const tn_member *m = NULL;
        for (size_t i = 0; i < n && !m; i++)
            if (strcmp(table[i].name, key) == 0) m = &table[i];
        if (!m) {
            char names[400];
            list_names(table, n, names, sizeof names);
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: %s has no member \"%.40s\"; there are %s", where, noun, key,
                             names);
        }
        if (!take(settings, m, value))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: \"%s\" must be %s", where, key,
                             wanted[m->type]);
    }
    return TERN_OK;
}

tern_status tn_members_check(const void *settings, const tn_member *table, size_t n,
                             tern_error *err) {
    for (size_t i = 0; i < n; i++) {
        const tn_member *m = &table[i];
        const char *src = (const char *)settings + m->at;
        if (m->low == 0 && m->high == 0) continue;
        double v = m->type == TN_MEMBER_COUNT ? *(const uint32_t *)(const void *)src
                                              : *(const double *)(const void *)src;
        if (!(v >= m->low && v <= m->high))
            return tern_fail(err, TERN_ERR_ARG, 0, "recipe: %s is %g, must be %g to %g", m->name, v,
                             m->low, m->high);
    }
    return TERN_OK;
}

static json_t *give(const void *settings, const tn_member *m) {
    const char *src = (const char *)settings + m->at;
    switch (m->type) {
    case TN_MEMBER_TEXT:
        return json_string(src);
    case TN_MEMBER_COUNT:
        return json_integer(*(const uint32_t *)(const void *)src);
    case TN_MEMBER_REAL:
        return json_real(*(const double *)(const void *)src);
    case TN_MEMBER_TRUTH:
        return json_boolean(*(const bool *)(const void *)src);
    case TN_MEMBER_SEED:
        return json_integer((json_int_t) * (const uint64_t *)(const void *)src);
    case TN_MEMBER_OTHER:
        break;
    }
    return NULL;
}

bool tn_members_write(const void *settings, const tn_member *table, size_t n, json_t *obj) {
    for (size_t i = 0; i < n; i++)
        if (table[i].type != TN_MEMBER_OTHER &&
            json_object_set_new(obj, table[i].name, give(settings, &table[i])) != 0)
            return false;
    return true;
}
