/* questions.c - question files: JSON lines. */
#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "retriever/eval/eval_priv.h"
#include "retriever/eval/lines.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct store {
    tn_arena arena;
    tn_strmap ids;
    tern_question *items;
    size_t n, cap;
} store;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while reading questions");
}

void tern_questions_free(tern_questions *q) {
    store *s = q->priv;
    if (s) {
        tn_arena_deinit(&s->arena);
        tn_strmap_deinit(&s->ids);
        tn_free(s->items);
        tn_free(s);
    }
    *q = (tern_questions){0};
}

static const char *first_string(const json_t *v, const char *const *keys, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *s = tn_json_str(v, keys[i], NULL);
        if (s) return s;
    }
    return NULL;
}

/* A string, or an array whose strings are taken; other members are an error of the file. */
static tern_status copy_strings(store *s, const tn_lines *l, const json_t *v, const char *what,
                                const char *const **out, size_t *n, tern_error *err) {
    *n = 0;
    *out = NULL;
    if (!v || json_is_null(v)) return TERN_OK;
    if (!json_is_array(v) && !json_is_string(v))
        return tn_lines_bad(l, err, "'%s' is neither a string nor an array of strings", what);
    size_t n_items = json_is_array(v) ? json_array_size(v) : 1;
    const char **items = tn_arena_calloc(&s->arena, n_items ? n_items : 1, sizeof *items);
    if (!items) return no_memory(err);
    for (size_t i = 0; i < n_items; i++) {
        const json_t *item = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_string(item))
            return tn_lines_bad(l, err, "'%s' holds something that is not a string", what);
        items[i] = tn_arena_strndup(&s->arena, json_string_value(item), json_string_length(item));
        if (!items[i]) return no_memory(err);
    }
    *out = items;
    *n = n_items;
    return TERN_OK;
}

/* Ids are strings; numbers are taken as they are written. */
static tern_status copy_id(store *s, const tn_lines *l, const json_t *v, const char **out,
                           tern_error *err) {
    const json_t *id = json_object_get(v, "id");
    if (!id) id = json_object_get(v, "_id");
    char digits[32];
    const char *text = json_string_value(id);
    if (json_is_integer(id)) {
        snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(id));
        text = digits;
    }
    if (!text || !*text) return tn_lines_bad(l, err, "no 'id' or '_id'");
    uint32_t n_before = s->ids.n;
    uint32_t number = tn_strmap_add(&s->ids, text, strlen(text));
    if (number == TN_STRMAP_NONE) return no_memory(err);
    if (s->ids.n == n_before) return tn_lines_bad(l, err, "question id '%s' was seen before", text);
    *out = s->ids.keys[number].s;
    return TERN_OK;
}

static tern_status add_question(store *s, const tn_lines *l, const json_t *v, tern_error *err) {
    static const char *const text_keys[] = {"question", "text", "query"};
    if (!json_is_object(v)) return tn_lines_bad(l, err, "not a JSON object");
    tern_question q = {0};
    tern_status status = copy_id(s, l, v, &q.id, err);
    if (status != TERN_OK) return status;
    const char *text = first_string(v, text_keys, 3);
    if (!text) return tn_lines_bad(l, err, "no 'question', 'text' or 'query'");
    q.text = tn_arena_strndup(&s->arena, text, strlen(text));
    if (!q.text || TN_GROW(s->items, s->cap, s->n + 1) != 0) return no_memory(err);
    const json_t *answers = json_object_get(v, "answers");
    if (!answers) answers = json_object_get(v, "answer");
    status = copy_strings(s, l, answers, "answers", &q.answers, &q.n_answers, err);
    if (status == TERN_OK)
        status = copy_strings(s, l, json_object_get(v, "supporting"), "supporting", &q.supporting,
                              &q.n_supporting, err);
    if (status == TERN_OK) s->items[s->n++] = q;
    return status;
}

static tern_status read_all(store *s, tn_lines *l, tern_error *err) {
    for (;;) {
        char *line;
        size_t len;
        tern_status status = tn_lines_next(l, &line, &len, err);
        if (status != TERN_OK || !line) return status;
        if (line[strspn(line, " \t")] == '\0' && strlen(line) == len) continue;
        json_t *v;
        tern_error inner = {0};
        status = tn_json_parse(line, len, &v, &inner);
        if (status == TERN_ERR_NOMEM) return no_memory(err);
        if (status != TERN_OK) return tn_lines_bad(l, err, "%s", inner.text);
        status = add_question(s, l, v, err);
        json_decref(v);
        if (status != TERN_OK) return status;
    }
}

tern_status tern_questions_load(const char *path, tern_questions *out, tern_error *err) {
    *out = (tern_questions){0};
    tn_lines *l;
    tern_status status = tn_lines_open(path, &l, err);
    if (status != TERN_OK) return status;
    store *s = tn_calloc(1, sizeof *s);
    out->priv = s;
    status = s ? read_all(s, l, err) : no_memory(err);
    tn_lines_close(l);
    if (status != TERN_OK) {
        tern_questions_free(out);
        return status;
    }
    out->items = s->items;
    out->n = s->n;
    return TERN_OK;
}

tern_status tern_questions_support(tern_questions *q, const tern_qrels *qrels, tern_error *err) {
    store *s = q->priv;
    const char *const **lists = tn_calloc(q->n ? q->n : 1, sizeof *lists);
    size_t *counts = tn_calloc(q->n ? q->n : 1, sizeof *counts);
    tern_status status = lists && counts ? TERN_OK : no_memory(err);
    for (size_t i = 0; i < q->n && status == TERN_OK; i++) {
        size_t n;
        const tn_judgement *judged = tn_qrels_of(qrels, q->items[i].id, &n);
        const char **ids = tn_arena_calloc(&s->arena, n ? n : 1, sizeof *ids);
        for (size_t k = 0; k < n && ids; k++) {
            if (judged[k].grade < 1) continue;
            const struct tn_strmap_key *doc = &qrels->docs.keys[judged[k].doc];
            ids[counts[i]] = tn_arena_strndup(&s->arena, doc->s, doc->len);
            if (!ids[counts[i]++]) ids = NULL;
        }
        if (!ids) status = no_memory(err);
        lists[i] = ids;
    }
    for (size_t i = 0; i < q->n && status == TERN_OK; i++) {
        s->items[i].supporting = lists[i];
        s->items[i].n_supporting = counts[i];
    }
    tn_free(lists);
    tn_free(counts);
    return status;
}
