/* mask_recall.c - see mask_recall.h. */
#include "trainer/mask_recall.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/eval/lines.h"
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

typedef struct marked {
    size_t begin, end; /* bytes of the text */
    char type[TN_MASK_TYPE_BYTES];
} marked;

/* A line's text and its marked spans, in the order of the line. */
typedef struct annotated {
    tn_buf text;
    marked *spans;
    size_t n, cap;
    size_t n_unplaced;
} annotated;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for annotated text");
}

static tern_status not_annotated(tern_error *err) {
    return tern_fail(err, TERN_ERR_FORMAT, 0,
                     "not annotated text: needs 'tokens' and 'tags', or 'question' and 'entities'");
}

/* --- reading ---------------------------------------------------------------------------------- */

static void add_text(annotated *a, const char *s, size_t n, bool lower) {
    if (!lower) {
        tn_buf_add(&a->text, s, n);
        return;
    }
    for (size_t i = 0; i < n;) { /* code point by code point: their number stays */
        uint32_t cp;
        size_t step = tn_utf8_decode(s + i, n - i, &cp);
        char out[4];
        if (step == 0) return; /* JSON strings are valid */
        tn_buf_add(&a->text, out,
                   tn_utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), out));
        i += step;
    }
}

static tern_status add_span(annotated *a, size_t begin, size_t end, const char *type,
                            tern_error *err) {
    if (TN_GROW(a->spans, a->cap, a->n + 1) != 0) return no_memory(err);
    marked *s = &a->spans[a->n++];
    *s = (marked){.begin = begin, .end = end};
    snprintf(s->type, sizeof s->type, "%s", type);
    return TERN_OK;
}

/* "B-PER" opens a span, "I-PER" goes on with one of its type (else it opens one), "O" is none. */
static tern_status read_tokens(annotated *a, const json_t *tokens, const json_t *tags, bool lower,
                               tern_error *err) {
    bool open = false;
    if (json_array_size(tokens) != json_array_size(tags))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%zu tokens but %zu tags",
                         json_array_size(tokens), json_array_size(tags));
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        const char *tag = json_string_value(json_array_get(tags, i));
        if (!json_is_string(token) || !tag)
            return tern_fail(err, TERN_ERR_FORMAT, 0, "token or tag %zu is not a string", i);
        if (i > 0) tn_buf_char(&a->text, ' ');
        size_t begin = a->text.len;
        add_text(a, json_string_value(token), json_string_length(token), lower);
        bool named = (tag[0] == 'B' || tag[0] == 'I') && tag[1] == '-';
        bool same = open && tag[0] == 'I' && strcmp(a->spans[a->n - 1].type, tag + 2) == 0;
        open = named;
        if (same) a->spans[a->n - 1].end = a->text.len;
        if (!named || same) continue;
        tern_status st = add_span(a, begin, a->text.len, tag + 2, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* Byte offset of code point `at`; SIZE_MAX: beyond the text. */
static size_t byte_of(const tn_buf *text, int64_t at) {
    size_t i = 0;
    if (at < 0) return SIZE_MAX;
    for (; at > 0 && i < text->len; at--) {
        uint32_t cp;
        size_t step = tn_utf8_decode(text->data + i, text->len - i, &cp);
        i += step ? step : 1;
    }
    return at == 0 ? i : SIZE_MAX;
}

static tern_status read_entities(annotated *a, const json_t *question, const json_t *entities,
                                 bool lower, tern_error *err) {
    add_text(a, json_string_value(question), json_string_length(question), lower);
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *e = json_array_get(entities, i);
        int64_t from = tn_json_int(e, "start", INT64_MIN);
        a->n_unplaced += from == -1;
        if (from == -1) continue; /* meant, but not in these words */
        size_t begin = byte_of(&a->text, from);
        size_t end = byte_of(&a->text, tn_json_int(e, "end", INT64_MIN));
        if (begin == SIZE_MAX || end == SIZE_MAX || begin >= end)
            return tern_fail(err, TERN_ERR_FORMAT, 0, "entity %zu lies outside the text", i);
        tern_status st = add_span(a, begin, end, tn_json_str(e, "type", ""), err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

static tern_status read_line(annotated *a, const char *line, size_t len, bool lower,
                             tern_error *err) {
    json_t *v;
    tern_status st = tn_json_parse(line, len, &v, err);
    if (st != TERN_OK) return st;
    const json_t *tokens = json_object_get(v, "tokens"), *tags = json_object_get(v, "tags");
    const json_t *text = json_object_get(v, "question"), *spans = json_object_get(v, "entities");
    if (json_is_array(tokens) && json_is_array(tags))
        st = read_tokens(a, tokens, tags, lower, err);
    else if (json_is_string(text) && json_is_array(spans))
        st = read_entities(a, text, spans, lower, err);
    else
        st = not_annotated(err);
    json_decref(v);
    return st == TERN_OK ? tn_buf_status(&a->text, err) : st;
}

/* --- counting --------------------------------------------------------------------------------- */

static bool is_letter(unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static tn_mask_count *count_of(tn_mask_recall *r, const char *type) {
    for (size_t i = 0; i < r->n_types; i++)
        if (strcmp(r->types[i].name, type) == 0) return &r->types[i].count;
    if (r->n_types == TN_MASK_TYPES_MAX) return NULL;
    struct tn_mask_type *t = &r->types[r->n_types++];
    snprintf(t->name, sizeof t->name, "%s", type);
    return &t->count;
}

static void add_marked(tn_mask_count *c, size_t n_letters, size_t n_hidden) {
    c->n_marked++;
    c->n_whole += n_hidden == n_letters;
    c->n_touched += n_hidden > 0;
    c->n_letters += n_letters;
    c->n_letters_hidden += n_hidden;
}

static void count_marked(tn_mask_recall *r, const annotated *a, const tn_mask_span *spans,
                         size_t n_spans) {
    for (size_t k = 0; k < a->n; k++) {
        const marked *s = &a->spans[k];
        size_t n_letters = 0, n_hidden = 0, at = 0;
        for (size_t i = s->begin; i < s->end; i++) {
            if (!is_letter((unsigned char)a->text.data[i])) continue;
            while (at < n_spans && spans[at].end <= i) at++;
            n_letters++;
            n_hidden += at < n_spans && spans[at].begin <= i;
        }
        if (n_letters == 0) continue; /* nothing that could be hidden */
        tn_mask_count *own = count_of(r, s->type);
        if (own) add_marked(own, n_letters, n_hidden);
        add_marked(&r->all, n_letters, n_hidden);
    }
    for (size_t i = 0; i < n_spans; i++) {
        bool right = false;
        for (size_t k = 0; k < a->n; k++)
            right |= a->spans[k].begin < spans[i].end && spans[i].begin < a->spans[k].end;
        r->n_spans_right += right;
    }
    r->n_spans += n_spans;
}

tern_status tn_mask_recall_line(const tn_masker *m, const char *line, size_t len, bool lower,
                                tn_mask_recall *r, tern_error *err) {
    annotated a = {0};
    tn_mask_span spans[TN_MASK_SPANS_MAX];
    size_t n = 0;
    tern_status st = read_line(&a, line, len, lower, err);
    if (st == TERN_OK)
        st = tn_mask_spans(m, tn_buf_cstr(&a.text), a.text.len, NULL, spans, TN_MASK_SPANS_MAX, &n,
                           err);
    if (st == TERN_OK) {
        count_marked(r, &a, spans, n);
        r->n_texts++;
        r->n_unplaced += a.n_unplaced;
    }
    tn_buf_deinit(&a.text);
    tn_free(a.spans);
    return st;
}

tern_status tn_mask_recall_file(const tn_masker *m, const char *path, bool lower, tn_mask_recall *r,
                                tern_error *err) {
    *r = (tn_mask_recall){0};
    tn_lines *l = NULL;
    tern_status st = tn_lines_open(path, &l, err);
    while (st == TERN_OK) {
        char *line;
        size_t len;
        tern_error inner = {0};
        st = tn_lines_next(l, &line, &len, err);
        if (st != TERN_OK || !line) break;
        if (len == 0) continue;
        st = tn_mask_recall_line(m, line, len, lower, r, &inner);
        if (st == TERN_ERR_FORMAT)
            st = tn_lines_bad(l, err, "%s", inner.text);
        else if (st != TERN_OK && err)
            *err = inner;
    }
    if (st == TERN_OK && r->n_texts == 0)
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "%s: no annotated text in it", path);
    tn_lines_close(l);
    return st;
}
