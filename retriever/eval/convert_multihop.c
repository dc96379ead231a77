/* convert_multihop.c - HotpotQA and 2WikiMultihopQA (one layout), and MuSiQue. A passage is one
 * candidate paragraph; the supporting ones are those the annotators used. */
#include "retriever/eval/convert.h"
#include <string.h>

#include "core/base/mem.h"

enum { PARAGRAPHS_MAX = 256 };

/* Sentences of a paragraph as one text. Most files keep the blanks between sentences inside them;
 * where one does not, a blank is added. */
static void join_sentences(const json_t *sentences, tn_buf *out) {
    tn_buf_reset(out);
    for (size_t i = 0; i < json_array_size(sentences); i++) {
        const char *s = json_string_value(json_array_get(sentences, i));
        if (!s) continue;
        if (out->len == 0) {
            s += strspn(s, " ");
        } else if (*s && *s != ' ' && out->data[out->len - 1] != ' ') {
            tn_buf_char(out, ' ');
        }
        tn_buf_str(out, s);
    }
    while (out->len && out->data[out->len - 1] == ' ') out->len--;
}

/* Context and supporting facts come as arrays of pairs, or (Hugging Face) as an object of two
 * parallel arrays. */
static const json_t *pair_part(const json_t *list, size_t i, int part, const char *key) {
    if (json_is_object(list)) return json_array_get(json_object_get(list, key), i);
    return json_array_get(json_array_get(list, i), (size_t)part);
}

static size_t pair_count(const json_t *list) {
    return json_is_object(list) ? json_array_size(json_object_get(list, "title"))
                                : json_array_size(list);
}

static bool is_supporting(const json_t *facts, const char *title) {
    for (size_t i = 0; i < pair_count(facts); i++) {
        const char *t = json_string_value(pair_part(facts, i, 0, "title"));
        if (t && strcmp(t, title) == 0) return true;
    }
    return false;
}

static tern_status question_with_answer(tn_convert *c, const char *id, const char *question,
                                        const json_t *answer, const json_t *aliases,
                                        const uint32_t *supporting, size_t n_supporting,
                                        tern_error *err) {
    json_t *answers = json_array();
    bool ok = answers != NULL;
    if (ok && json_is_string(answer)) ok = json_array_append(answers, (json_t *)answer) == 0;
    for (size_t i = 0; ok && i < json_array_size(aliases); i++)
        if (json_is_string(json_array_get(aliases, i)))
            ok = json_array_append(answers, json_array_get(aliases, i)) == 0;
    tern_status status =
        ok ? tn_convert_question(c, id, question, answers, supporting, n_supporting, err)
           : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while converting");
    json_decref(answers);
    return status;
}

static tern_status hotpotqa_record(tn_convert *c, const json_t *v, tern_error *err) {
    const char *id = tn_json_str(v, "_id", tn_json_str(v, "id", NULL));
    const char *question = tn_json_str(v, "question", NULL);
    const json_t *context = json_object_get(v, "context");
    const json_t *facts = json_object_get(v, "supporting_facts");
    if (!id) return tn_convert_lacks("_id", err);
    if (!question) return tn_convert_lacks("question", err);
    if (!json_is_array(context) && !json_is_object(context))
        return tn_convert_lacks("context", err);
    uint32_t supporting[PARAGRAPHS_MAX];
    size_t n_supporting = 0;
    tn_buf text = {0};
    tern_status status = TERN_OK;
    for (size_t i = 0; i < pair_count(context) && status == TERN_OK; i++) {
        const char *title = json_string_value(pair_part(context, i, 0, "title"));
        const json_t *sentences = pair_part(context, i, 1, "sentences");
        if (!title || !json_is_array(sentences)) {
            status = tn_convert_lacks("context", err);
            break;
        }
        join_sentences(sentences, &text);
        status = tn_buf_status(&text, err);
        uint32_t number;
        if (status == TERN_OK)
            status = tn_convert_passage(c, NULL, title, tn_buf_cstr(&text), NULL, &number, err);
        if (status == TERN_OK && is_supporting(facts, title) && n_supporting < PARAGRAPHS_MAX)
            supporting[n_supporting++] = number;
    }
    tn_buf_deinit(&text);
    if (status != TERN_OK) return status;
    return question_with_answer(c, id, question, json_object_get(v, "answer"), NULL, supporting,
                                n_supporting, err);
}

tern_status tn_convert_hotpotqa(tn_convert *c, const char *input, tern_error *err) {
    return tn_convert_records(c, input, hotpotqa_record, err);
}

static tern_status musique_record(tn_convert *c, const json_t *v, tern_error *err) {
    const char *id = tn_json_str(v, "id", NULL), *question = tn_json_str(v, "question", NULL);
    const json_t *paragraphs = json_object_get(v, "paragraphs");
    if (!id) return tn_convert_lacks("id", err);
    if (!question) return tn_convert_lacks("question", err);
    if (!json_is_array(paragraphs)) return tn_convert_lacks("paragraphs", err);
    bool answerable = tn_json_bool(v, "answerable", true);
    uint32_t supporting[PARAGRAPHS_MAX];
    size_t n_supporting = 0;
    for (size_t i = 0; i < json_array_size(paragraphs); i++) {
        const json_t *p = json_array_get(paragraphs, i);
        const char *text = tn_json_str(p, "paragraph_text", NULL);
        if (!text) return tn_convert_lacks("paragraph_text", err);
        uint32_t number;
        tern_status status =
            tn_convert_passage(c, NULL, tn_json_str(p, "title", ""), text, NULL, &number, err);
        if (status != TERN_OK) return status;
        if (tn_json_bool(p, "is_supporting", false) && n_supporting < PARAGRAPHS_MAX)
            supporting[n_supporting++] = number;
    }
    if (!answerable) { /* MuSiQue-Full asks each question twice: this is the copy without support */
        c->counts.n_skipped++;
        return TERN_OK;
    }
    return question_with_answer(c, id, question, json_object_get(v, "answer"),
                                json_object_get(v, "answer_aliases"), supporting, n_supporting,
                                err);
}

tern_status tn_convert_musique(tn_convert *c, const char *input, tern_error *err) {
    return tn_convert_records(c, input, musique_record, err);
}
