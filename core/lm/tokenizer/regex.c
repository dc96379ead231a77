/* regex.c - see regex.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/lm/tokenizer/regex.h"
#include "core/base/buf.h"
#include <pcre2.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"

enum { MATCH_LIMIT = 10000000, JIT_STACK_BYTES = 1 << 20 };

struct tn_regex {
    pcre2_code *code;
};

struct tn_regex_scratch {
    pcre2_general_context *general;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void *door_alloc(PCRE2_SIZE n, void *ud) {
    (void)ud;
    return tn_alloc(n);
}

static void door_free(void *p, void *ud) {
    (void)ud;
    tn_free(p);
}

/* PCRE2's \s has U+180E, which is no white space since Unicode 6.3; the reference's has not. */
#define WHITE                                                                                      \
    "\\t-\\r "                                                                                     \
    "\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

/* Its \w lacks the marks. */
#define WORD "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"

static const char *class_of(char letter) {
    return letter == 's' || letter == 'S' ? WHITE : letter == 'w' || letter == 'W' ? WORD : NULL;
}

/* Append the pattern in PCRE2's words. Returns NULL, or the construct that the two engines read
 * differently and that is therefore refused. */
static const char *add_translated(tn_buf *b, const char *p) {
    bool in_class = false;
    for (; *p; p++) {
        if (*p == '\\' && p[1]) {
            const char *class = class_of(p[1]);
            bool negated = p[1] == 'S' || p[1] == 'W';
            if (!in_class && strchr("bBhHRXKG", p[1])) return "an escape such as \\b or \\h";
            if (in_class && strchr("hHW", p[1])) return "\\h or \\W in brackets";
            if (class && in_class && !negated)
                tn_buf_str(b, class);
            else if (class && !in_class)
                tn_buf_printf(b, negated ? "[^%s]" : "[%s]", class);
            else
                tn_buf_add(b, p, 2);
            p++;
        } else if (*p == '[' && in_class) {
            return "brackets within brackets";
        } else if (*p == '&' && p[1] == '&' && in_class) {
            return "an intersection of brackets";
        } else if (!in_class && strncmp(p, "(?m", 3) == 0) {
            return "the option m";
        } else {
            if (*p == '[') {
                tn_buf_char(b, *p);
                if (p[1] == '^') tn_buf_char(b, *++p);
                if (p[1] != ']') {
                    in_class = true;
                    continue;
                }
                p++;
                in_class = true;
            } else if (*p == ']') {
                in_class = false;
            }
            tn_buf_char(b, *p);
        }
    }
    return NULL;
}

tern_status tn_regex_new(const char *pattern, tn_regex **out, tern_error *err) {
    tern_status st = TERN_OK;
    pcre2_general_context *general = NULL;
    pcre2_compile_context *context = NULL;
    tn_buf text = {0};
    *out = tn_calloc(1, sizeof **out);
    const char *refused = add_translated(&text, pattern);
    if (refused) {
        st = tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                       "regular expression '%.120s': %s is not "
                       "supported",
                       pattern, refused);
        goto done;
    }
    general = pcre2_general_context_create(door_alloc, door_free, NULL);
    if (general) context = pcre2_compile_context_create(general);
    if (!*out || !context || text.failed) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        goto done;
    }
    int code = 0;
    PCRE2_SIZE at = 0;
    (*out)->code = pcre2_compile((PCRE2_SPTR)tn_buf_cstr(&text), text.len,
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                 &code, &at, context);
    if ((*out)->code) {
        pcre2_jit_compile((*out)->code, PCRE2_JIT_COMPLETE); /* without it matching is slower */
    } else if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    } else {
        char why[128] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        st = tern_fail(err, TERN_ERR_FORMAT, code, "regular expression '%.120s': %s", pattern, why);
    }
done:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    tn_buf_deinit(&text);
    if (st != TERN_OK) {
        tn_regex_free(*out);
        *out = NULL;
    }
    return st;
}

void tn_regex_free(tn_regex *re) {
    if (!re) return;
    pcre2_code_free(re->code);
    tn_free(re);
}

tn_regex_scratch *tn_regex_scratch_new(void) {
    tn_regex_scratch *m = tn_calloc(1, sizeof *m);
    if (!m) return NULL;
    m->general = pcre2_general_context_create(door_alloc, door_free, NULL);
    if (m->general) {
        m->data = pcre2_match_data_create(1, m->general);
        m->context = pcre2_match_context_create(m->general);
        m->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK_BYTES, m->general);
    }
    if (!m->data || !m->context || !m->stack) {
        tn_regex_scratch_free(m);
        return NULL;
    }
    pcre2_set_match_limit(m->context, MATCH_LIMIT);
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return m;
}

void tn_regex_scratch_free(tn_regex_scratch *m) {
    if (!m) return;
    pcre2_jit_stack_free(m->stack);
    pcre2_match_context_free(m->context);
    pcre2_match_data_free(m->data);
    pcre2_general_context_free(m->general);
    tn_free(m);
}

tern_status tn_regex_find(const tn_regex *re, tn_regex_scratch *m, const char *s, size_t n,
                          size_t at, size_t *begin, size_t *end, int *found, tern_error *err) {
    int rc = pcre2_match(re->code, (PCRE2_SPTR)s, n, at,
                         PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY_ATSTART, m->data, m->context);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return TERN_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (rc < 0)
        return tern_fail(err, TERN_ERR_LIMIT, rc,
                         "a regular expression of the tokenizer gives up on this text");
    const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(m->data);
    *begin = pair[0];
    *end = pair[1] > pair[0] ? pair[1] : pair[0]; /* \K in a look-around may turn them round */
    if (*begin < at) *begin = at;
    if (*end < *begin) *end = *begin;
    return TERN_OK;
}
