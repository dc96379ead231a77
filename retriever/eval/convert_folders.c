/* convert_folders.c - folders that hold corpus, questions and judgements apart: BEIR's, and tern's
 * own (corpus.jsonl with an optional `pool` field, questions.SPLIT.jsonl, qrels.SPLIT.trec).
 * Passages keep their ids and all their fields; questions are those of one split. */
#include "core/base/file.h"
#include "retriever/eval/convert.h"
#include "retriever/eval/eval_priv.h"
#include <string.h>

#include "core/base/mem.h"

/* dir/name, or dir/name.gz if only that is there; NULL: neither. */
static char *find_file(const char *dir, const char *name) {
    tn_buf b = {0};
    tn_buf_printf(&b, "%s/%s", dir, name);
    if (!tn_file_exists(tn_buf_cstr(&b))) tn_buf_str(&b, ".gz");
    if (!tn_file_exists(tn_buf_cstr(&b))) tn_buf_deinit(&b);
    return b.len ? tn_buf_take(&b) : NULL;
}

static char *find_format(const char *dir, const char *format, const char *split) {
    const char *mark = strstr(format, "%s");
    tn_buf name = {0};
    tn_buf_add(&name, format, (size_t)(mark - format));
    tn_buf_str(&name, split);
    tn_buf_str(&name, mark + 2);
    char *path = find_file(dir, tn_buf_cstr(&name));
    tn_buf_deinit(&name);
    return path;
}

/* The split asked for, or the first of the usual ones that has such a file. */
static char *find_split(const tn_convert_opts *o, const char *dir, const char *format,
                        const char **split) {
    static const char *const usual[] = {"test", "dev", "train"};
    const char *wanted = o->split ? o->split : o->pool;
    *split = wanted;
    if (wanted) return find_format(dir, format, wanted);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        *split = usual[i];
        char *path = find_format(dir, format, usual[i]);
        if (path) return path;
    }
    *split = NULL;
    return NULL;
}

/* ---- passages ---- */

static bool in_pool(const json_t *v, const char *pool) {
    const json_t *p = json_object_get(v, "pool");
    if (json_is_string(p)) return strcmp(json_string_value(p), pool) == 0;
    for (size_t i = 0; i < json_array_size(p); i++) {
        const char *s = json_string_value(json_array_get(p, i));
        if (s && strcmp(s, pool) == 0) return true;
    }
    return false;
}

static bool is_core_field(const char *key) {
    return strcmp(key, "id") == 0 || strcmp(key, "_id") == 0 || strcmp(key, "title") == 0 ||
           strcmp(key, "text") == 0 || strcmp(key, "contents") == 0;
}

static tern_status passage(tn_convert *c, const json_t *v, tern_error *err) {
    const char *id = tn_json_str(v, "_id", tn_json_str(v, "id", NULL));
    const char *text = tn_json_str(v, "text", tn_json_str(v, "contents", NULL));
    if (!id) return tn_convert_lacks("_id", err);
    if (!text) return tn_convert_lacks("text", err);
    if (c->opts->pool && !in_pool(v, c->opts->pool)) return TERN_OK;
    tn_buf more = {0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)v, key, value) {
        if (is_core_field(key)) continue;
        tn_buf_char(&more, ',');
        tn_json_escape(key, strlen(key), &more);
        tn_buf_char(&more, ':');
        tn_json_dump(value, &more);
    }
    tern_status status = tn_buf_status(&more, err);
    uint32_t number;
    if (status == TERN_OK)
        status = tn_convert_passage(c, id, tn_json_str(v, "title", ""), text, tn_buf_cstr(&more),
                                    &number, err);
    tn_buf_deinit(&more);
    return status;
}

/* ---- questions and judgements ---- */

static tern_status write_question(tn_convert *c, const tern_question *q, const tern_qrels *qrels,
                                  tern_error *err) {
    size_t n_judged, n = 0;
    const tn_judgement *judged = tn_qrels_of(qrels, q->id, &n_judged);
    if (n_judged == 0) {
        c->counts.n_skipped++;
        return TERN_OK;
    }
    tn_buf line = {0}, qrel = {0};
    tn_buf_str(&line, "{\"id\":");
    tn_json_escape(q->id, strlen(q->id), &line);
    tn_buf_str(&line, ",\"question\":");
    tn_json_escape(q->text, strlen(q->text), &line);
    tn_buf_str(&line, ",\"answers\":[");
    for (size_t i = 0; i < q->n_answers; i++) {
        tn_buf_str(&line, i ? "," : "");
        tn_json_escape(q->answers[i], strlen(q->answers[i]), &line);
    }
    tn_buf_str(&line, "],\"supporting\":[");
    for (size_t i = 0; i < n_judged; i++) {
        const char *doc = qrels->docs.keys[judged[i].doc].s;
        tn_buf_printf(&qrel, "%s%s 0 %s %d", i ? "\n" : "", q->id, doc, judged[i].grade);
        if (judged[i].grade < 1) continue;
        tn_buf_str(&line, n++ ? "," : "");
        tn_json_escape(doc, strlen(doc), &line);
    }
    tn_buf_str(&line, "]}");
    c->counts.n_questions++;
    c->counts.n_judgements += n_judged;
    tern_status status = tn_buf_status(&line, err);
    if (status == TERN_OK) status = tn_buf_status(&qrel, err);
    if (status == TERN_OK) status = tn_convert_add(c, &c->questions, line.data, line.len, err);
    if (status == TERN_OK) status = tn_convert_add(c, &c->qrels, qrel.data, qrel.len, err);
    tn_buf_deinit(&line);
    tn_buf_deinit(&qrel);
    return status;
}

/* qrels NULL: the questions' own supporting ids are the judgements. */
static tern_status write_questions(tn_convert *c, const char *questions_path,
                                   const char *qrels_path, tern_error *err) {
    tern_questions questions = {0};
    tern_qrels *qrels = NULL;
    tern_status status = tern_questions_load(questions_path, &questions, err);
    if (status == TERN_OK)
        status = qrels_path ? tern_qrels_load(qrels_path, &qrels, err)
                            : tern_qrels_from_questions(&questions, &qrels, err);
    for (size_t i = 0; i < questions.n && status == TERN_OK; i++)
        status = write_question(c, &questions.items[i], qrels, err);
    tern_qrels_free(qrels);
    tern_questions_free(&questions);
    return status;
}

static tern_status missing(const char *dir, const char *what, const char *split, tern_error *err) {
    return tern_fail(err, TERN_ERR_NOT_FOUND, 0, "%s: no %s%s%s%s", dir, what,
                     split ? " of split '" : "", split ? split : "", split ? "'" : "");
}

/* ---- the two layouts ---- */

static tern_status convert_corpus(tn_convert *c, const char *dir, tern_error *err) {
    char *corpus = find_file(dir, "corpus.jsonl");
    if (!corpus) return missing(dir, "corpus.jsonl", NULL, err);
    tern_status status = tn_convert_records(c, corpus, passage, err);
    tn_free(corpus);
    if (status == TERN_OK && c->opts->pool && c->counts.n_passages == 0)
        status =
            tern_fail(err, TERN_ERR_FORMAT, 0, "%s: no passage has pool '%s'", dir, c->opts->pool);
    return status;
}

tern_status tn_convert_beir(tn_convert *c, const char *input, tern_error *err) {
    tern_status status = convert_corpus(c, input, err);
    if (status != TERN_OK) return status;
    const char *split;
    char *queries = find_file(input, "queries.jsonl");
    char *qrels = find_split(c->opts, input, "qrels/%s.tsv", &split);
    if (!queries)
        status = missing(input, "queries.jsonl", NULL, err);
    else if (!qrels)
        status = missing(input, "qrels", split, err);
    else
        status = write_questions(c, queries, qrels, err);
    tn_free(queries);
    tn_free(qrels);
    return status;
}

/* A corpus alone is a corpus; where questions are, those of one split come along. */
static tern_status tern_questions_of(tn_convert *c, const char *dir, tern_error *err) {
    const char *split;
    char *questions = find_split(c->opts, dir, "questions.%s.jsonl", &split);
    char *qrels = questions ? find_format(dir, "qrels.%s.trec", split) : NULL;
    tern_status status = TERN_OK;
    if (!questions && c->opts->split) {
        status = missing(dir, "questions", c->opts->split, err);
    } else if (!questions) {
        questions = find_file(dir, "questions.jsonl");
        qrels = find_file(dir, "qrels.trec");
    }
    if (status == TERN_OK && questions) status = write_questions(c, questions, qrels, err);
    tn_free(questions);
    tn_free(qrels);
    return status;
}

tern_status tn_convert_tern(tn_convert *c, const char *input, tern_error *err) {
    if (!tn_file_exists(input)) return missing(input, "such file or folder", NULL, err);
    if (!tn_is_dir(input)) return tn_convert_records(c, input, passage, err);
    tern_status status = convert_corpus(c, input, err);
    return status == TERN_OK ? tern_questions_of(c, input, err) : status;
}
