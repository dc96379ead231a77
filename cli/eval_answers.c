/* eval_answers.c - see eval_answers.h. */
#include "cli/eval_answers.h"
#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "retriever/eval/lines.h"
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while reading answers");
}

static tern_status take_line(const tn_lines *l, const char *line, size_t len, const tn_strmap *ids,
                             tn_arena *arena, const char **texts, tern_error *err) {
    json_t *v;
    tern_error inner = {0};
    if (tn_json_parse(line, len, &v, &inner) != TERN_OK)
        return tn_lines_bad(l, err, "%s", inner.text);
    const char *id = tn_json_str(v, "id", NULL);
    const char *text = tn_json_str(v, "answer", tn_json_str(v, "prediction", NULL));
    uint32_t i = id ? tn_strmap_find(ids, id, strlen(id)) : TN_STRMAP_NONE;
    tern_status status = TERN_OK;
    if (!id || !text)
        status = tn_lines_bad(l, err, "no 'id' or no 'answer'");
    else if (i == TN_STRMAP_NONE)
        status = tn_lines_bad(l, err, "no question has the id '%s'", id);
    else if (!(texts[i] = tn_arena_strndup(arena, text, strlen(text))))
        status = no_memory(err);
    json_decref(v);
    return status;
}

tern_status tn_answers_load(const char *path, const tern_questions *questions, tn_arena *arena,
                            const char **texts, tern_error *err) {
    tn_strmap ids = {0};
    tn_lines *l = NULL;
    tern_status status = tn_lines_open(path, &l, err);
    for (size_t i = 0; i < questions->n && status == TERN_OK; i++)
        if (tn_strmap_add(&ids, questions->items[i].id, strlen(questions->items[i].id)) ==
            TN_STRMAP_NONE)
            status = no_memory(err);
    while (status == TERN_OK) {
        char *line;
        size_t len;
        status = tn_lines_next(l, &line, &len, err);
        if (status != TERN_OK || !line) break;
        if (len) status = take_line(l, line, len, &ids, arena, texts, err);
    }
    tn_lines_close(l);
    tn_strmap_deinit(&ids);
    return status;
}

tern_status tn_answers_score(const tern_questions *questions, const char *const *texts, double *em,
                             double *f1, size_t *n, tern_error *err) {
    *em = *f1 = 0;
    *n = 0;
    for (size_t i = 0; i < questions->n; i++) {
        const tern_question *q = &questions->items[i];
        if (q->n_answers == 0) continue;
        ++*n;
        double e, f;
        if (!texts[i]) continue;
        tern_status status = tern_answer_score(texts[i], q->answers, q->n_answers, &e, &f, err);
        if (status != TERN_OK) return status;
        *em += e;
        *f1 += f;
    }
    if (*n) *em /= (double)*n, *f1 /= (double)*n;
    return TERN_OK;
}
