/* train_split.c - see train_split.h. */
#include "cli/train_split.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "retriever/eval/lines.h"
#include "trainer/splits.h"
#include <string.h>

#include "core/base/mem.h"

enum { GRAM_WORDS = 8 };

static void add_list(tn_buf *b, const char *name, const char *const *items, size_t n) {
    tn_buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        tn_buf_str(b, i ? "," : "");
        tn_json_escape(items[i], strlen(items[i]), b);
    }
    tn_buf_char(b, ']');
}

static void add_question(tn_buf *b, const tern_question *q) {
    tn_buf_str(b, "{\"id\":");
    tn_json_escape(q->id, strlen(q->id), b);
    tn_buf_str(b, ",\"question\":");
    tn_json_escape(q->text, strlen(q->text), b);
    if (q->n_answers) add_list(b, "answers", q->answers, q->n_answers);
    if (q->n_supporting) add_list(b, "supporting", q->supporting, q->n_supporting);
    tn_buf_str(b, "}\n");
}

static tern_status write_side(const tern_questions *qs, const bool *held, bool side,
                              const char *out, const char *name, tern_error *err) {
    tn_buf b = {0};
    char *path = tn_path_join(out, name);
    for (size_t i = 0; i < qs->n; i++)
        if (held[i] == side) add_question(&b, &qs->items[i]);
    tern_status st = path ? tn_buf_status(&b, err)
                          : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a path");
    if (st == TERN_OK) st = tn_file_replace(path, tn_buf_cstr(&b), b.len, err);
    tn_buf_deinit(&b);
    tn_free(path);
    return st;
}

static void add_mark(tn_buf *b, const char *id, const char *split) {
    tn_buf_str(b, "{\"id\":");
    tn_json_escape(id, strlen(id), b);
    tn_buf_printf(b, ",\"split\":\"%s\"}\n", split);
}

/* Leaks are counted and shown; every test question is marked in *marks. */
static tern_status read_tests(tn_cli *cli, const tern_questions *qs, size_t *n_leaks, tn_buf *marks,
                              tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 2; i < cli->n_args && st == TERN_OK; i++) {
        tern_questions tests = {0};
        tn_leaks leaks;
        st = tern_questions_load(cli->args[i], &tests, err);
        for (size_t t = 0; t < tests.n; t++) add_mark(marks, tests.items[t].id, "test");
        if (st == TERN_OK) st = tn_leaks_find(qs, &tests, GRAM_WORDS, &leaks, err);
        if (st == TERN_OK && leaks.n) {
            *n_leaks += leaks.n;
            tn_log(cli, TERN_LOG_ERROR,
                   "%s: %zu questions share %d words with training, first %s "
                   "(\"%s\") with %s (\"%s\")",
                   cli->args[i], leaks.n, GRAM_WORDS, leaks.test->id, leaks.test->text,
                   leaks.train->id, leaks.train->text);
        }
        tern_questions_free(&tests);
    }
    return st;
}

static tern_status write_marks(const char *out, const tn_buf *marks, tern_error *err) {
    char *path = tn_path_join(out, "splits.jsonl");
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a path");
    tern_status st = tn_buf_status(marks, err);
    if (st == TERN_OK) st = tn_file_replace(path, marks->data, marks->len, err);
    tn_free(path);
    return st;
}

static tern_status take_mark(const tn_lines *l, const char *line, size_t len, tn_strmap *tests,
                             tern_error *err) {
    json_t *v;
    tern_error inner = {0};
    if (tn_json_parse(line, len, &v, &inner) != TERN_OK)
        return tn_lines_bad(l, err, "%s", inner.text);
    const char *id = tn_json_str(v, "id", NULL), *split = tn_json_str(v, "split", NULL);
    tern_status st = TERN_OK;
    if (!id || !split)
        st = tn_lines_bad(l, err, "no 'id' or no 'split'");
    else if (strcmp(split, "test") == 0 && tn_strmap_add(tests, id, strlen(id)) == TN_STRMAP_NONE)
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for splits");
    json_decref(v);
    return st;
}

tern_status tn_splits_find_tests(const char *path, const tern_questions *questions, size_t *n_tests,
                                 const char **first, tern_error *err) {
    tn_strmap tests = {0};
    tn_lines *l = NULL;
    tern_status st = tn_lines_open(path, &l, err);
    while (st == TERN_OK) {
        char *line;
        size_t len;
        st = tn_lines_next(l, &line, &len, err);
        if (st != TERN_OK || !line) break;
        if (len) st = take_mark(l, line, len, &tests, err);
    }
    *n_tests = 0;
    *first = NULL;
    for (size_t i = 0; i < questions->n && st == TERN_OK; i++) {
        const char *id = questions->items[i].id;
        if (tn_strmap_find(&tests, id, strlen(id)) == TN_STRMAP_NONE) continue;
        if ((*n_tests)++ == 0) *first = id;
    }
    tn_lines_close(l);
    tn_strmap_deinit(&tests);
    return st;
}

int tn_train_split(tn_cli *cli, int64_t n_dev, const char *out) {
    if (n_dev < 0) return tn_cli_usage(cli, "--dev must be 0 or more");
    tern_questions qs = {0};
    tern_error err = {0};
    size_t n_leaks = 0;
    bool *held = NULL;
    tn_buf marks = {0};
    tern_status st = tern_questions_load(cli->args[1], &qs, &err);
    if (st == TERN_OK && !(held = tn_calloc(qs.n + 1, sizeof *held)))
        st = tern_fail(&err, TERN_ERR_NOMEM, 0, "out of memory for a split");
    if (st == TERN_OK) st = tn_split_held_out(&qs, (size_t)n_dev, held, &err);
    for (size_t i = 0; st == TERN_OK && i < qs.n; i++)
        add_mark(&marks, qs.items[i].id, held[i] ? "dev" : "train");
    if (st == TERN_OK) st = read_tests(cli, &qs, &n_leaks, &marks, &err);
    if (st == TERN_OK) st = tn_mkdirs(out, &err);
    if (st == TERN_OK) st = write_side(&qs, held, true, out, "dev.jsonl", &err);
    if (st == TERN_OK) st = write_side(&qs, held, false, out, "train.jsonl", &err);
    if (st == TERN_OK) st = write_marks(out, &marks, &err);
    int code = st == TERN_OK ? EXIT_OK : tn_cli_fail(cli, &err);
    if (st == TERN_OK) {
        size_t n = (size_t)n_dev < qs.n ? (size_t)n_dev : qs.n;
        tn_buf b = {0};
        tn_buf_printf(&b,
                      cli->json ? "{\"train\":%zu,\"dev\":%zu,\"leaks\":%zu}\n"
                                : "%zu questions to train on, %zu to choose on, %zu leaks\n",
                      qs.n - n, n, n_leaks);
        code = tn_cli_out(cli, &b);
        tn_buf_deinit(&b);
        if (n_leaks) code = EXIT_FAIL;
    }
    tn_free(held);
    tn_buf_deinit(&marks);
    tern_questions_free(&qs);
    return code;
}
