/* retrieve.c - the Search-R1 retrieval dialect. Departures from its reference server: an answer
 * without scores works for any number of queries, equal queries are computed once, and `contents`
 * always has its title line, as clients split at the first line break. */
#include "serve/retrieve.h"
#include "core/base/json.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* ---- the request -------------------------------------------------------------------------- */

static tern_status out_of_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a request");
}

static tern_status add_query(tn_retrieve *r, size_t i, const json_t *text, tern_error *err) {
    r->slot[i] = tn_strmap_add(&r->queries, json_string_value(text), json_string_length(text));
    return r->slot[i] == TN_STRMAP_NONE ? out_of_memory(err) : TERN_OK;
}

static tern_status read_queries(const json_t *root, tn_retrieve *r, const char **field,
                                tern_error *err) {
    const json_t *list = json_object_get(root, "queries"), *one = json_object_get(root, "query");
    if (!list || (json_is_null(list) && one)) {
        *field = "query";
        if (!one) {
            *field = "queries";
            return tern_fail(err, TERN_ERR_FORMAT, 0, "queries: missing: a list of strings");
        }
        if (!json_is_string(one))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "query: must be a string");
        r->single = true;
    } else {
        *field = "queries";
        if (!json_is_array(list))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "queries: must be a list of strings");
    }
    r->n_slots = r->single ? 1 : json_array_size(list);
    r->slot = tn_calloc(r->n_slots, sizeof *r->slot);
    if (!r->slot) return out_of_memory(err);
    for (size_t i = 0; i < r->n_slots; i++) {
        const json_t *text = r->single ? one : json_array_get(list, i);
        if (!json_is_string(text))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "queries[%zu]: must be a string", i);
        tern_status st = add_query(r, i, text, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

static tern_status read_topk(const json_t *root, uint32_t topk_default, uint32_t topk_max,
                             tn_retrieve *r, tern_error *err) {
    const json_t *v = json_object_get(root, "topk");
    double k = json_is_number(v) ? json_number_value(v) : 0;
    if ((v && !json_is_null(v) && !json_is_number(v)) || k < 0 || k != floor(k))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "topk: must be a whole number, 0 or more");
    if (k > topk_max) return tern_fail(err, TERN_ERR_LIMIT, 0, "topk: at most %u here", topk_max);
    r->topk = k > 0 ? (uint32_t)k : topk_default;
    return TERN_OK;
}

static tern_status read_members(const json_t *root, uint32_t topk_default, uint32_t topk_max,
                                tn_retrieve *r, const char **field, tern_error *err) {
    if (!json_is_object(root))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "the body must be a JSON object");
    tern_status st = read_queries(root, r, field, err);
    if (st != TERN_OK) return st;
    *field = "topk";
    st = read_topk(root, topk_default, topk_max, r, err);
    if (st != TERN_OK) return st;
    *field = "return_scores";
    const json_t *scores = json_object_get(root, "return_scores");
    if (scores && !json_is_null(scores) && !json_is_boolean(scores))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "return_scores: must be true or false");
    r->scores = json_is_true(scores);
    *field = "";
    return TERN_OK;
}

tern_status tn_retrieve_parse(const char *body, size_t len, uint32_t topk_default,
                              uint32_t topk_max, tn_retrieve *out, const char **field,
                              tern_error *err) {
    *out = (tn_retrieve){0};
    *field = "";
    json_t *root = NULL;
    tern_status st = tn_json_parse(body, len, &root, err);
    if (st == TERN_OK) st = read_members(root, topk_default, topk_max, out, field, err);
    json_decref(root);
    if (st != TERN_OK) tn_retrieve_deinit(out);
    return st;
}

void tn_retrieve_deinit(tn_retrieve *r) {
    tn_strmap_deinit(&r->queries);
    tn_free(r->slot);
    *r = (tn_retrieve){0};
}

/* ---- the answer --------------------------------------------------------------------------- */

/* Nine digits give a float back exactly. printf writes the decimal point of the host program's
 * locale, JSON wants a full stop. */
static void add_number(float x, tn_buf *out) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", isfinite(x) ? (double)x : 0.0);
    char *comma = strchr(text, ',');
    if (comma) *comma = '.';
    tn_buf_str(out, text);
}

/* "Title" in its own quotes, a line break, the text. */
static void add_contents(const tern_passage *p, tn_buf *out) {
    tn_buf s = {0};
    tn_buf_char(&s, '"');
    for (const char *t = p->title; *t; t++) tn_buf_char(&s, *t == '\n' || *t == '\r' ? ' ' : *t);
    tn_buf_str(&s, "\"\n");
    tn_buf_add(&s, p->text, p->text_len);
    if (s.failed)
        tn_buf_fail(out);
    else
        tn_json_escape(s.data, s.len, out);
    tn_buf_deinit(&s);
}

void tn_retrieve_add_item(const tern_passage *p, float score, bool scores, tn_buf *out) {
    tn_buf_str(out, scores ? "{\"document\":{\"id\":" : "{\"id\":");
    tn_json_escape(p->id, strlen(p->id), out);
    tn_buf_str(out, ",\"contents\":");
    add_contents(p, out);
    tn_buf_str(out, ",\"title\":");
    tn_json_escape(p->title, strlen(p->title), out);
    tn_buf_str(out, ",\"text\":");
    tn_json_escape(p->text, p->text_len, out);
    tn_buf_char(out, '}');
    if (!scores) return;
    tn_buf_str(out, ",\"score\":");
    add_number(score, out);
    tn_buf_char(out, '}');
}

void tn_retrieve_add_answer(const tn_retrieve *r, const tn_buf *lists, tn_buf *out) {
    tn_buf_str(out, r->single ? "{\"result\":" : "{\"result\":[");
    for (size_t i = 0; i < r->n_slots; i++) {
        const tn_buf *list = &lists[r->slot[i]];
        if (list->failed) tn_buf_fail(out);
        if (i) tn_buf_char(out, ',');
        tn_buf_add(out, list->data, list->len);
    }
    tn_buf_str(out, r->single ? "}" : "]}");
}
