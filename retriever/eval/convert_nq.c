/* convert_nq.c - Natural Questions in the layouts it is passed around in, told apart by their keys:
 *   simplified  JSON lines with document_text and long_answer_candidates: the passages are the
 *               top-level candidates, and the one that holds the long answer supports
 *   DPR         a JSON array (or lines) with positive_ctxs, negative_ctxs, hard_negative_ctxs
 *   KILT        JSON lines with input and output: questions and the ids of Wikipedia pages; there
 * is no text in the file, so no passages come out, only what they are called */
#include "retriever/eval/convert.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while converting");
}

/* ---- simplified ---- */

/* document_text is cut at blanks; word n is text[at[n] .. at[n + 1] - 1). */
typedef struct words {
    const char *text;
    uint32_t *at;
    size_t n, cap;
} words;

static tern_status cut_words(const char *text, words *w, tern_error *err) {
    w->text = text;
    for (const char *p = text;; p++) {
        if (TN_GROW(w->at, w->cap, w->n + 2) != 0) return no_memory(err);
        w->at[w->n++] = (uint32_t)(p - text);
        p += strcspn(p, " ");
        if (*p) continue;
        w->at[w->n] = (uint32_t)(p - text) + 1;
        return TERN_OK;
    }
}

static bool leans_left(const char *w, size_t n) { /* no blank before it: ", ." and "'s" */
    return (n == 1 && strchr(".,;:!?)%]", *w)) || (n > 1 && *w == '\'') ||
           (n == 3 && memcmp(w, "n't", 3) == 0);
}

static bool leans_right(const char *w, size_t n) {
    return n == 1 && strchr("([$", *w);
}

/* Words [begin, end) without HTML tags, blanks as in ordinary text. */
static void add_span(const words *w, size_t begin, size_t end, tn_buf *out) {
    bool glue = true;
    for (size_t i = begin; i < end && i < w->n; i++) {
        const char *s = w->text + w->at[i];
        size_t n = w->at[i + 1] - w->at[i] - 1;
        if (n == 0 || (s[0] == '<' && s[n - 1] == '>')) continue;
        if (!glue && !leans_left(s, n)) tn_buf_char(out, ' ');
        tn_buf_add(out, s, n);
        glue = leans_right(s, n);
    }
}

typedef struct range {
    int64_t begin, end;
} range;

static range range_of(const json_t *v) {
    return (range){tn_json_int(v, "start_token", -1), tn_json_int(v, "end_token", -1)};
}

static bool is_range(range r) {
    return r.begin >= 0 && r.end > r.begin;
}
static bool contains(range outer, range inner) {
    return outer.begin <= inner.begin && inner.end <= outer.end;
}

/* The page's name: given, or the "title=" of its address. */
static void add_title(const json_t *v, tn_buf *out) {
    const char *title = tn_json_str(v, "document_title", NULL);
    const char *url = tn_json_str(v, "document_url", "");
    if (!title) {
        const char *in_url = strstr(url, "title=");
        title = in_url ? in_url + 6 : "";
    }
    for (; *title && *title != '&'; title++) tn_buf_char(out, *title == '_' ? ' ' : *title);
}

static tern_status add_short_answers(const json_t *annotation, const words *w, json_t *answers,
                                     tern_error *err) {
    const json_t *list = json_object_get(annotation, "short_answers");
    tn_buf text = {0};
    tern_status status = TERN_OK;
    for (size_t i = 0; i < json_array_size(list) && status == TERN_OK; i++) {
        range r = range_of(json_array_get(list, i));
        if (!is_range(r)) continue;
        tn_buf_reset(&text);
        add_span(w, (size_t)r.begin, (size_t)r.end, &text);
        status = tn_buf_status(&text, err);
        if (text.len && json_array_append_new(answers, json_stringn(text.data, text.len)) != 0)
            status = no_memory(err);
    }
    const char *yes_no = tn_json_str(annotation, "yes_no_answer", "NONE");
    if (strcmp(yes_no, "YES") == 0 || strcmp(yes_no, "NO") == 0)
        if (json_array_append_new(answers, json_string(*yes_no == 'Y' ? "yes" : "no")) != 0)
            status = no_memory(err);
    tn_buf_deinit(&text);
    return status;
}

/* All top-level candidates become passages; *gold is the one around the long answer. */
static tern_status add_candidates(tn_convert *c, const json_t *v, const words *w, range answer,
                                  uint32_t *gold, size_t *n_gold, tern_error *err) {
    const json_t *list = json_object_get(v, "long_answer_candidates");
    tn_buf title = {0}, text = {0};
    add_title(v, &title);
    tern_status status = tn_buf_status(&title, err);
    for (size_t i = 0; i < json_array_size(list) && status == TERN_OK; i++) {
        const json_t *candidate = json_array_get(list, i);
        range r = range_of(candidate);
        if (!is_range(r) || !tn_json_bool(candidate, "top_level", true)) continue;
        tn_buf_reset(&text);
        add_span(w, (size_t)r.begin, (size_t)r.end, &text);
        status = tn_buf_status(&text, err);
        if (status != TERN_OK || text.len == 0) continue;
        uint32_t number;
        status = tn_convert_passage(c, NULL, tn_buf_cstr(&title), tn_buf_cstr(&text), NULL, &number,
                                    err);
        if (status == TERN_OK && is_range(answer) && contains(r, answer))
            *gold = number, *n_gold = 1;
    }
    tn_buf_deinit(&title);
    tn_buf_deinit(&text);
    return status;
}

static tern_status simplified(tn_convert *c, const json_t *v, tern_error *err) {
    const char *question = tn_json_str(v, "question_text", NULL);
    if (!question) return tn_convert_lacks("question_text", err);
    char number[32];
    const char *id = tn_json_str(v, "example_id", NULL);
    if (!id && json_is_integer(json_object_get(v, "example_id"))) {
        snprintf(number, sizeof number, "%lld", (long long)tn_json_int(v, "example_id", 0));
        id = number;
    }
    const json_t *annotation = json_array_get(json_object_get(v, "annotations"), 0);
    words w = {0};
    json_t *answers = json_array();
    tern_status status =
        answers ? cut_words(tn_json_str(v, "document_text", ""), &w, err) : no_memory(err);
    if (status == TERN_OK) status = add_short_answers(annotation, &w, answers, err);
    uint32_t gold;
    size_t n_gold = 0;
    range answer = range_of(json_object_get(annotation, "long_answer"));
    if (status == TERN_OK) status = add_candidates(c, v, &w, answer, &gold, &n_gold, err);
    if (status == TERN_OK && n_gold == 0)
        c->counts.n_skipped++; /* the annotators found no answer on this page */
    else if (status == TERN_OK)
        status = tn_convert_question(c, id, question, answers, &gold, 1, err);
    json_decref(answers);
    tn_free(w.at);
    return status;
}

/* ---- DPR ---- */

static tern_status add_contexts(tn_convert *c, const json_t *list, uint32_t *numbers, size_t cap,
                                size_t *n, tern_error *err) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *ctx = json_array_get(list, i);
        const char *text = tn_json_str(ctx, "text", NULL);
        if (!text) return tn_convert_lacks("text", err);
        const char *id = tn_json_str(ctx, "passage_id", tn_json_str(ctx, "psg_id", NULL));
        uint32_t number;
        tern_status status =
            tn_convert_passage(c, id, tn_json_str(ctx, "title", ""), text, NULL, &number, err);
        if (status != TERN_OK) return status;
        if (numbers && *n < cap) numbers[(*n)++] = number;
    }
    return TERN_OK;
}

static tern_status dpr(tn_convert *c, const json_t *v, tern_error *err) {
    enum { SUPPORTING_MAX = 256 };
    const char *question = tn_json_str(v, "question", NULL);
    if (!question) return tn_convert_lacks("question", err);
    uint32_t supporting[SUPPORTING_MAX];
    size_t n = 0;
    tern_status status =
        add_contexts(c, json_object_get(v, "positive_ctxs"), supporting, SUPPORTING_MAX, &n, err);
    if (status == TERN_OK)
        status = add_contexts(c, json_object_get(v, "negative_ctxs"), NULL, 0, NULL, err);
    if (status == TERN_OK)
        status = add_contexts(c, json_object_get(v, "hard_negative_ctxs"), NULL, 0, NULL, err);
    if (status != TERN_OK) return status;
    return tn_convert_question(c, tn_json_str(v, "id", NULL), question,
                               json_object_get(v, "answers"), supporting, n, err);
}

/* ---- KILT ---- */

static tern_status kilt_line(tn_convert *c, const char *id, const char *question,
                             const json_t *answers, const json_t *output, tern_error *err) {
    tn_buf q = {0};
    tn_buf_str(&q, "{\"id\":");
    tn_json_escape(id, strlen(id), &q);
    tn_buf_str(&q, ",\"question\":");
    tn_json_escape(question, strlen(question), &q);
    tn_buf_str(&q, ",\"answers\":");
    tn_json_dump(answers, &q);
    tn_buf_str(&q, ",\"supporting\":[");
    tn_strmap pages = {0};
    tern_status status = TERN_OK;
    for (size_t i = 0; i < json_array_size(output) && status == TERN_OK; i++) {
        const json_t *list = json_object_get(json_array_get(output, i), "provenance");
        for (size_t k = 0; k < json_array_size(list) && status == TERN_OK; k++) {
            const char *page = tn_json_str(json_array_get(list, k), "wikipedia_id", NULL);
            uint32_t n_before = pages.n;
            if (!page) continue;
            if (tn_strmap_add(&pages, page, strlen(page)) == TN_STRMAP_NONE)
                status = no_memory(err);
            if (pages.n == n_before) continue;
            if (n_before) tn_buf_char(&q, ',');
            tn_json_escape(page, strlen(page), &q);
            tn_buf line = {0};
            tn_buf_printf(&line, "%s 0 %s 1", id, page);
            if (status == TERN_OK) status = tn_buf_status(&line, err);
            if (status == TERN_OK) status = tn_convert_add(c, &c->qrels, line.data, line.len, err);
            tn_buf_deinit(&line);
            c->counts.n_judgements++;
        }
    }
    tn_buf_str(&q, "]}");
    if (status == TERN_OK) status = tn_buf_status(&q, err);
    if (status == TERN_OK) status = tn_convert_add(c, &c->questions, q.data, q.len, err);
    c->counts.n_questions++;
    tn_strmap_deinit(&pages);
    tn_buf_deinit(&q);
    return status;
}

static tern_status kilt(tn_convert *c, const json_t *v, tern_error *err) {
    const char *id = tn_json_str(v, "id", NULL), *question = tn_json_str(v, "input", NULL);
    const json_t *output = json_object_get(v, "output");
    if (!id) return tn_convert_lacks("id", err);
    if (!question) return tn_convert_lacks("input", err);
    json_t *answers = json_array();
    bool ok = answers != NULL;
    for (size_t i = 0; i < json_array_size(output) && ok; i++) {
        json_t *answer = json_object_get(json_array_get(output, i), "answer");
        if (json_is_string(answer)) ok = json_array_append(answers, answer) == 0;
    }
    tern_status status = ok ? kilt_line(c, id, question, answers, output, err) : no_memory(err);
    json_decref(answers);
    return status;
}

static tern_status record(tn_convert *c, const json_t *v, tern_error *err) {
    if (json_object_get(v, "positive_ctxs")) return dpr(c, v, err);
    if (json_object_get(v, "document_text")) return simplified(c, v, err);
    if (json_object_get(v, "input")) return kilt(c, v, err);
    return tern_fail(err, TERN_ERR_FORMAT, 0,
                     "neither 'document_text' (simplified NQ), 'positive_ctxs' (DPR) nor 'input' "
                     "(KILT)");
}

tern_status tn_convert_nq(tn_convert *c, const char *input, tern_error *err) {
    return tn_convert_records(c, input, record, err);
}
