/* convert_squad.c - SQuAD 1.1 and 2.0: {"data":[{"title","paragraphs":[{"context","qas":[...]}]}]}.
 * A passage is a paragraph; it supports the questions asked of it, except those marked impossible,
 * which come out without answers and without support. */
#include "core/base/text.h"
#include "retriever/eval/convert.h"
#include "retriever/eval/lines.h"
#include <string.h>

#include "core/base/mem.h"

/* The distinct answer texts, as a new array. */
static json_t *answer_texts(const json_t *answers) {
    json_t *out = json_array();
    for (size_t i = 0; out && i < json_array_size(answers); i++) {
        const char *text = tn_json_str(json_array_get(answers, i), "text", NULL);
        bool seen = !text;
        for (size_t k = 0; !seen && k < json_array_size(out); k++)
            seen = strcmp(json_string_value(json_array_get(out, k)), text) == 0;
        if (!seen && json_array_append_new(out, json_string(text)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static tern_status question(tn_convert *c, const json_t *qa, uint32_t passage, tern_error *err) {
    const char *id = tn_json_str(qa, "id", NULL), *text = tn_json_str(qa, "question", NULL);
    if (!id) return tn_convert_lacks("id", err);
    if (!text) return tn_convert_lacks("question", err);
    if (tn_json_bool(qa, "is_impossible", false))
        return tn_convert_question(c, id, text, NULL, NULL, 0, err);
    json_t *answers = answer_texts(json_object_get(qa, "answers"));
    if (!answers) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while converting");
    tern_status status = tn_convert_question(c, id, text, answers, &passage, 1, err);
    json_decref(answers);
    return status;
}

static void trimmed(const char *s, tn_buf *out) {
    size_t n = strlen(s);
    tn_trim(&s, &n);
    tn_buf_reset(out);
    tn_buf_add(out, s, n);
}

static tern_status paragraph(tn_convert *c, const char *title, const json_t *p, tern_error *err) {
    const char *context = tn_json_str(p, "context", NULL);
    const json_t *qas = json_object_get(p, "qas");
    if (!context) return tn_convert_lacks("context", err);
    if (!json_is_array(qas)) return tn_convert_lacks("qas", err);
    tn_buf text = {0};
    trimmed(context, &text);
    uint32_t number;
    tern_status status = tn_buf_status(&text, err);
    if (status == TERN_OK)
        status = tn_convert_passage(c, NULL, title, tn_buf_cstr(&text), NULL, &number, err);
    tn_buf_deinit(&text);
    for (size_t i = 0; i < json_array_size(qas) && status == TERN_OK; i++)
        status = question(c, json_array_get(qas, i), number, err);
    return status;
}

/* Titles are page names of Wikipedia, with '_' for blanks. */
static tern_status article(tn_convert *c, const json_t *a, tern_error *err) {
    const json_t *paragraphs = json_object_get(a, "paragraphs");
    if (!json_is_array(paragraphs)) return tn_convert_lacks("paragraphs", err);
    tn_buf title = {0};
    tn_buf_str(&title, tn_json_str(a, "title", ""));
    for (size_t i = 0; i < title.len; i++)
        if (title.data[i] == '_') title.data[i] = ' ';
    tern_status status = tn_buf_status(&title, err);
    for (size_t i = 0; i < json_array_size(paragraphs) && status == TERN_OK; i++)
        status = paragraph(c, tn_buf_cstr(&title), json_array_get(paragraphs, i), err);
    tn_buf_deinit(&title);
    return status;
}

static tern_status whole_file(tn_convert *c, const json_t *file, tern_error *err) {
    const json_t *data = json_object_get(file, "data");
    if (!json_is_array(data)) return tn_convert_lacks("data", err);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < json_array_size(data) && status == TERN_OK; i++)
        status = article(c, json_array_get(data, i), err);
    return status;
}

/* The file is one object, on one line or on many. */
tern_status tn_convert_squad(tn_convert *c, const char *input, tern_error *err) {
    tn_lines *l;
    tern_status status = tn_lines_open(input, &l, err);
    if (status != TERN_OK) return status;
    tn_buf all = {0};
    char *line;
    size_t len;
    while ((status = tn_lines_next(l, &line, &len, err)) == TERN_OK && line) {
        tn_buf_add(&all, line, len);
        tn_buf_char(&all, '\n');
    }
    tn_lines_close(l);
    if (status == TERN_OK) status = tn_buf_status(&all, err);
    json_t *file = NULL;
    tern_error inner = {0};
    if (status == TERN_OK) {
        status = tn_json_parse(all.data, all.len, &file, &inner);
        if (status == TERN_OK) status = whole_file(c, file, &inner);
        if (status == TERN_ERR_FORMAT)
            tern_fail(err, status, 0, "%s: %s", input, inner.text);
        else if (status != TERN_OK && err)
            *err = inner;
    }
    json_decref(file);
    tn_buf_deinit(&all);
    return status;
}
