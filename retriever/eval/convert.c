/* convert.c - the writer behind `tern convert`, and the table of formats. */
#include "retriever/eval/convert.h"
#include "core/base/file.h"
#include "retriever/eval/lines.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { FLUSH_BYTES = 1 << 20, JSON_BYTES_MAX = 1 << 30 };

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while converting");
}

/* ---- output files ---- */

static tern_status outfile_open(tn_outfile *f, const char *dir, const char *name, tern_error *err) {
    f->path = tn_path_join(dir, name);
    tn_buf tmp = {0};
    tn_buf_printf(&tmp, "%s/%s.tmp.%ld", dir, name, (long)getpid());
    f->path_tmp = tn_buf_take(&tmp);
    if (!f->path || !f->path_tmp) return no_memory(err);
    f->fd = open(f->path_tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd < 0) return tn_fail_errno(err, errno, f->path_tmp, "cannot create");
    return TERN_OK;
}

static tern_status outfile_flush(tn_outfile *f, tern_error *err) {
    tern_status status = tn_buf_status(&f->buf, err);
    if (status == TERN_OK) status = tn_write_all(f->fd, f->buf.data, f->buf.len, f->path_tmp, err);
    tn_buf_reset(&f->buf);
    return status;
}

static tern_status outfile_finish(tn_outfile *f, tern_error *err) {
    tern_status status = outfile_flush(f, err);
    if (status == TERN_OK && fsync(f->fd) != 0)
        status = tn_fail_errno(err, errno, f->path_tmp, "cannot write");
    return status;
}

static tern_status outfile_rename(tn_outfile *f, tern_error *err) {
    if (rename(f->path_tmp, f->path) != 0)
        return tn_fail_errno(err, errno, f->path, "cannot replace");
    tn_free(f->path_tmp);
    f->path_tmp = NULL;
    return TERN_OK;
}

static void outfile_deinit(tn_outfile *f) {
    if (f->fd >= 0) {
        close(f->fd);
        if (f->path_tmp) unlink(f->path_tmp);
    }
    tn_buf_deinit(&f->buf);
    tn_free(f->path);
    tn_free(f->path_tmp);
}

tern_status tn_convert_add(tn_convert *c, tn_outfile *f, const char *line, size_t len,
                           tern_error *err) {
    (void)c;
    tn_buf_add(&f->buf, line, len);
    tn_buf_char(&f->buf, '\n');
    return f->buf.len >= FLUSH_BYTES || f->buf.failed ? outfile_flush(f, err) : TERN_OK;
}

/* ---- passages and questions ---- */

static void add_member(tn_buf *b, const char *key, const char *value) {
    tn_buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", key);
    tn_json_escape(value, strlen(value), b);
}

/* Number of the passage in both maps; *fresh: it is new. */
static tern_status number_passage(tn_convert *c, const char *id, const char *title,
                                  const char *text, uint32_t *number, bool *fresh,
                                  tern_error *err) {
    tn_buf key = {0};
    if (id) {
        tn_buf_str(&key, id);
    } else {
        tn_buf_add(&key, title, strlen(title) + 1);
        tn_buf_str(&key, text);
    }
    uint32_t n_before = c->passages.n;
    *number = key.failed ? TN_STRMAP_NONE : tn_strmap_add(&c->passages, key.data, key.len);
    tn_buf_deinit(&key);
    if (*number == TN_STRMAP_NONE) return no_memory(err);
    *fresh = c->passages.n > n_before;
    if (!*fresh) return TERN_OK;
    char name[32];
    snprintf(name, sizeof name, "p%u", *number + 1);
    const char *called = id ? id : name;
    uint32_t n_ids = c->passage_ids.n;
    if (tn_strmap_add(&c->passage_ids, called, strlen(called)) == TN_STRMAP_NONE)
        return no_memory(err);
    if (c->passage_ids.n == n_ids)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "passage id '%s' stands for two passages",
                         called);
    return TERN_OK;
}

tern_status tn_convert_passage(tn_convert *c, const char *id, const char *title, const char *text,
                               const char *more, uint32_t *number, tern_error *err) {
    bool fresh;
    tern_status status = number_passage(c, id, title, text, number, &fresh, err);
    if (status != TERN_OK) return status;
    if (!fresh) {
        c->counts.n_repeated++;
        return TERN_OK;
    }
    c->counts.n_passages++;
    tn_buf b = {0};
    tn_buf_char(&b, '{');
    add_member(&b, "id", c->passage_ids.keys[*number].s);
    add_member(&b, "title", title);
    add_member(&b, "text", text);
    tn_buf_str(&b, more ? more : "");
    tn_buf_char(&b, '}');
    status = tn_buf_status(&b, err);
    if (status == TERN_OK) status = tn_convert_add(c, &c->corpus, b.data, b.len, err);
    tn_buf_deinit(&b);
    return status;
}

static void add_answers(tn_buf *b, const json_t *answers) {
    tn_buf_str(b, ",\"answers\":");
    if (answers)
        tn_json_dump(answers, b);
    else
        tn_buf_str(b, "[]");
}

static bool holds(const uint32_t *numbers, size_t n, uint32_t number) {
    for (size_t i = 0; i < n; i++)
        if (numbers[i] == number) return true;
    return false;
}

tern_status tn_convert_question(tn_convert *c, const char *id, const char *question,
                                const json_t *answers, const uint32_t *supporting,
                                size_t n_supporting, tern_error *err) {
    char name[32];
    snprintf(name, sizeof name, "q%llu", (unsigned long long)c->counts.n_questions + 1);
    if (!id || !*id) id = name;
    uint32_t n_before = c->question_ids.n;
    if (tn_strmap_add(&c->question_ids, id, strlen(id)) == TN_STRMAP_NONE) return no_memory(err);
    if (c->question_ids.n == n_before)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "question id '%s' was seen before", id);
    c->counts.n_questions++;
    tn_buf q = {0}, r = {0};
    tn_buf_char(&q, '{');
    add_member(&q, "id", id);
    add_member(&q, "question", question);
    add_answers(&q, answers);
    tn_buf_str(&q, ",\"supporting\":[");
    for (size_t i = 0, n = 0; i < n_supporting; i++) {
        if (holds(supporting, i, supporting[i])) continue;
        const char *p = c->passage_ids.keys[supporting[i]].s;
        if (n++) tn_buf_char(&q, ',');
        tn_json_escape(p, strlen(p), &q);
        tn_buf_printf(&r, "%s%s 0 %s 1", r.len ? "\n" : "", id, p);
        c->counts.n_judgements++;
    }
    tn_buf_str(&q, "]}");
    tern_status status = tn_buf_status(&q, err);
    if (status == TERN_OK) status = tn_buf_status(&r, err);
    if (status == TERN_OK) status = tn_convert_add(c, &c->questions, q.data, q.len, err);
    if (status == TERN_OK && r.len) status = tn_convert_add(c, &c->qrels, r.data, r.len, err);
    tn_buf_deinit(&q);
    tn_buf_deinit(&r);
    return status;
}

tern_status tn_convert_lacks(const char *key, tern_error *err) {
    return tern_fail(err, TERN_ERR_FORMAT, 0, "no '%s', or not of the kind this format has", key);
}

/* ---- records ---- */

static tern_status one_record(tn_convert *c, const char *path, const char *s, size_t n, size_t no,
                              tn_record_fn *fn, tern_error *err) {
    json_t *v;
    tern_error inner = {0};
    tern_status status = tn_json_parse(s, n, &v, &inner);
    if (status == TERN_OK) {
        status = json_is_object(v) ? fn(c, v, &inner)
                                   : tern_fail(&inner, TERN_ERR_FORMAT, 0, "not a JSON object");
        json_decref(v);
    }
    if (status == TERN_ERR_FORMAT)
        return tern_fail(err, status, 0, "%s: record %zu: %s", path, no, inner.text);
    if (status != TERN_OK) {
        if (err) *err = inner;
        return status;
    }
    if (c->host && c->host->progress)
        c->host->progress(c->host->ud, &(tern_progress){"converting", "records", no, 0});
    if (c->host && c->host->cancelled && c->host->cancelled(c->host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "interrupted");
    return TERN_OK;
}

/* End of the JSON value that begins at s: the next ',' or ']' outside of strings and brackets. It
 * only cuts; the parser judges each piece. */
static size_t value_length(const char *s, size_t n) {
    size_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        char ch = s[i];
        if (ch == '"') {
            for (i++; i < n && s[i] != '"'; i++)
                if (s[i] == '\\') i++;
        } else if (ch == '{' || ch == '[') {
            depth++;
        } else if ((ch == ']' || ch == ',') && depth == 0) {
            return i;
        } else if (ch == '}' || ch == ']') {
            if (depth) depth--;
        }
    }
    return n;
}

static size_t skip_blank(const char *s, size_t n, size_t i) {
    while (i < n && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r')) i++;
    return i;
}

static tern_status array_records(tn_convert *c, const char *path, const char *s, size_t n,
                                 tn_record_fn *fn, tern_error *err) {
    size_t i = skip_blank(s, n, 1), no = 0;
    if (i < n && s[i] == ']') return TERN_OK;
    while (i < n) {
        size_t len = value_length(s + i, n - i);
        tern_status status = one_record(c, path, s + i, len, ++no, fn, err);
        if (status != TERN_OK) return status;
        i += len;
        if (i < n && s[i] == ']') return TERN_OK;
        i++;
    }
    return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: the array is not closed after record %zu", path,
                     no);
}

static tern_status line_records(tn_convert *c, const char *path, tn_lines *l, char *line,
                                size_t len, tn_record_fn *fn, tern_error *err) {
    size_t no = 0;
    tern_status status = TERN_OK;
    while (status == TERN_OK && line) {
        no++;
        if (skip_blank(line, len, 0) < len) status = one_record(c, path, line, len, no, fn, err);
        if (status == TERN_OK) status = tn_lines_next(l, &line, &len, err);
    }
    return status;
}

/* A JSON file is one array, or an object per line; the first character says which. */
tern_status tn_convert_records(tn_convert *c, const char *path, tn_record_fn *fn, tern_error *err) {
    tn_lines *l;
    c->input = path;
    tern_status status = tn_lines_open(path, &l, err);
    if (status != TERN_OK) return status;
    char *line;
    size_t len;
    do status = tn_lines_next(l, &line, &len, err);
    while (status == TERN_OK && line && skip_blank(line, len, 0) == len);
    tn_buf all = {0};
    if (status == TERN_OK && line && line[skip_blank(line, len, 0)] == '[') {
        for (; status == TERN_OK && line && !all.failed && all.len <= JSON_BYTES_MAX;
             status = tn_lines_next(l, &line, &len, err)) {
            tn_buf_add(&all, line, len);
            tn_buf_char(&all, '\n');
        }
        if (status == TERN_OK) status = tn_buf_status(&all, err);
        if (status == TERN_OK && all.len > JSON_BYTES_MAX)
            status =
                tern_fail(err, TERN_ERR_LIMIT, 0, "%s: over 1 GiB; cut it into JSON lines", path);
        size_t skip = skip_blank(all.data, all.len, 0);
        if (status == TERN_OK)
            status = array_records(c, path, all.data + skip, all.len - skip, fn, err);
    } else if (status == TERN_OK && line) {
        status = line_records(c, path, l, line, len, fn, err);
    }
    tn_buf_deinit(&all);
    tn_lines_close(l);
    return status;
}

/* ---- formats ---- */

static const struct {
    const char *name;
    tn_convert_reader *read;
} formats[] = {
    {"squad", tn_convert_squad},     {"hotpotqa", tn_convert_hotpotqa},
    {"2wiki", tn_convert_hotpotqa}, /* the same layout */
    {"musique", tn_convert_musique}, {"nq", tn_convert_nq},
    {"beir", tn_convert_beir},       {"tern", tn_convert_tern},
};

static tn_convert_reader *find_format(const char *name, tern_error *err) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0) return formats[i].read;
    tern_fail(err, TERN_ERR_ARG, 0,
              "no format '%s'; there are squad, hotpotqa, 2wiki, musique, nq, beir and tern", name);
    return NULL;
}

/* All three are complete on disk before the first takes its name. */
static tern_status commit(tn_convert *c, const char *dir, tern_error *err) {
    tern_status status = outfile_finish(&c->corpus, err);
    if (status == TERN_OK) status = outfile_finish(&c->questions, err);
    if (status == TERN_OK) status = outfile_finish(&c->qrels, err);
    if (status == TERN_OK) status = outfile_rename(&c->corpus, err);
    if (status == TERN_OK) status = outfile_rename(&c->questions, err);
    if (status == TERN_OK) status = outfile_rename(&c->qrels, err);
    return status == TERN_OK ? tn_dir_sync(dir, err) : status;
}

tern_status tn_convert_run(const char *format, const char *const *inputs, size_t n_inputs,
                           const char *dir, const tn_convert_opts *opts, const tern_host *host,
                           tn_convert_counts *counts, tern_error *err) {
    *counts = (tn_convert_counts){0};
    tn_convert_reader *read = find_format(format, err);
    if (!read) return TERN_ERR_ARG;
    tern_status status = tn_mkdirs(dir, err);
    if (status != TERN_OK) return status;
    tn_convert c = {
        .corpus.fd = -1, .questions.fd = -1, .qrels.fd = -1, .opts = opts, .host = host};
    status = outfile_open(&c.corpus, dir, "corpus.jsonl", err);
    if (status == TERN_OK) status = outfile_open(&c.questions, dir, "questions.jsonl", err);
    if (status == TERN_OK) status = outfile_open(&c.qrels, dir, "qrels.trec", err);
    for (size_t i = 0; i < n_inputs && status == TERN_OK; i++) status = read(&c, inputs[i], err);
    if (status == TERN_OK) status = commit(&c, dir, err);
    *counts = c.counts;
    outfile_deinit(&c.corpus);
    outfile_deinit(&c.questions);
    outfile_deinit(&c.qrels);
    tn_strmap_deinit(&c.passages);
    tn_strmap_deinit(&c.passage_ids);
    tn_strmap_deinit(&c.question_ids);
    return status;
}
