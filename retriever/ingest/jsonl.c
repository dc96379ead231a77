/* jsonl.c - one JSON object per line: a record.
 * id|_id, title, text|contents, timestamp|date; all else becomes the record's metadata. Records of
 * "contents" (Search-R1) may carry the title as a first line in quotes. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct reader {
    tn_intake *in;
    tn_buf meta, repaired;
    bool warned_date; /* once per file */
} reader;

static const json_t *either(const json_t *o, const char *a, const char *b) {
    const json_t *v = json_object_get(o, a);
    return v ? v : json_object_get(o, b);
}

static tn_str string_of(const json_t *v) {
    return (tn_str){json_string_value(v), json_string_length(v)};
}

/* An id may be a number; spelled into room[32]. */
static bool id_of(const json_t *v, char *room, tn_str *out) {
    *out = TN_STR("");
    if (!v || json_is_null(v)) return true;
    if (json_is_string(v)) {
        *out = string_of(v);
    } else if (json_is_integer(v)) {
        int n = snprintf(room, 32, "%lld", (long long)json_integer_value(v));
        *out = (tn_str){room, (size_t)n};
    } else {
        return false;
    }
    return true;
}

/* "\"Title\"\nText": take the title off the text. */
static void split_contents(tn_str *title, tn_str *text) {
    const char *nl = memchr(text->s, '\n', text->n);
    if (!nl || text->s[0] != '"') return;
    tn_str first = {text->s, (size_t)(nl - text->s)};
    tn_trim(&first.s, &first.n);
    if (first.n < 2 || first.s[first.n - 1] != '"') return;
    *title = (tn_str){first.s + 1, first.n - 2};
    *text = (tn_str){nl + 1, text->n - (size_t)(nl + 1 - text->s)};
}

static bool time_of(const json_t *v, int64_t *out) {
    char digits[32];
    if (json_is_string(v)) return tn_time_parse(json_string_value(v), json_string_length(v), out);
    if (!json_is_integer(v)) return false;
    int64_t t = json_integer_value(v);
    if (t >= 0 && t < 1000000000) { /* too few digits to be taken for an epoch in text */
        *out = t;
        return true;
    }
    int n = snprintf(digits, sizeof digits, "%lld", (long long)t);
    return tn_time_parse(digits, (size_t)n, out);
}

static void add_meta(tn_buf *meta, const char *key, const json_t *v) {
    tn_buf_char(meta, meta->len ? ',' : '{');
    tn_json_escape(key, strlen(key), meta);
    tn_buf_char(meta, ':');
    tn_json_dump(v, meta);
}

static bool is_one_of(const char *key, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0) return true;
    return false;
}

/* The members that are not the record's own fields, as one JSON object. BEIR's "metadata" object
 * gives its members, not itself. */
static void collect_meta(reader *r, json_t *o, bool keep_date) {
    static const char *const own[] = {"id", "_id", "title", "text", "contents"};
    static const char *const dates[] = {"timestamp", "date"};
    const char *key;
    json_t *v;
    tn_buf_reset(&r->meta);
    json_object_foreach(o, key, v) {
        if (is_one_of(key, own, sizeof own / sizeof *own)) continue;
        if (!keep_date && is_one_of(key, dates, 2)) continue;
        const char *inner_key;
        json_t *inner;
        if (strcmp(key, "metadata") == 0 && json_is_object(v)) {
            json_object_foreach(v, inner_key, inner) {
                if (!json_object_get(o, inner_key)) add_meta(&r->meta, inner_key, inner);
            }
        } else {
            add_meta(&r->meta, key, v);
        }
    }
    if (r->meta.len) tn_buf_char(&r->meta, '}');
}

static tern_status read_object(reader *r, json_t *o, const tn_line *line, bool repaired,
                               tern_error *err) {
    tn_intake *in = r->in;
    if (!json_is_object(o)) return tn_intake_bad(in, line->number, err, "not a JSON object");
    char room[32], place[64];
    tn_draft d = {.title = TN_STR(""),
                  .time = TERN_NO_TIME,
                  .line = line->number,
                  .repaired = repaired,
                  .locate = tn_line_locate,
                  .ud = line};
    if (!id_of(either(o, "id", "_id"), room, &d.id))
        return tn_intake_bad(in, line->number, err, "\"id\" is neither a string nor an integer");
    const json_t *title = json_object_get(o, "title"), *text = either(o, "text", "contents");
    if (title && !json_is_string(title) && !json_is_null(title))
        return tn_intake_bad(in, line->number, err, "\"title\" is not a string");
    if (!text) return tn_intake_bad(in, line->number, err, "no \"text\" or \"contents\"");
    if (!json_is_string(text))
        return tn_intake_bad(in, line->number, err, "\"text\" is not a string");
    d.text = string_of(text);
    if (json_is_string(title))
        d.title = string_of(title);
    else if (text == json_object_get(o, "contents"))
        split_contents(&d.title, &d.text);
    const json_t *date = either(o, "timestamp", "date");
    bool keep_date = date && !json_is_null(date) && !time_of(date, &d.time);
    if (keep_date && !r->warned_date) {
        r->warned_date = true;
        tn_intake_log(in, TERN_LOG_WARN, "%s:%u: not a date; kept as metadata (said once per file)",
                      in->path, line->number);
    }
    collect_meta(r, o, keep_date);
    if (r->meta.failed) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    d.meta = r->meta.len ? r->meta.data : NULL;
    tn_buf id = {0};
    if (d.id.n == 0) { /* no id: the place is one */
        snprintf(place, sizeof place, ":%u", line->number);
        tn_buf_str(&id, in->path);
        tn_buf_str(&id, place);
        if (id.failed) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        d.id = (tn_str){id.data, id.len};
    }
    tern_status st = tn_intake_emit(in, &d, err);
    tn_buf_deinit(&id);
    return st;
}

static tern_status read_line(reader *r, const tn_line *line, tern_error *err) {
    tn_str s = {line->text, line->len};
    tn_trim(&s.s, &s.n);
    if (s.n == 0) return TERN_OK;
    bool repaired = !tn_utf8_valid(s.s, s.n);
    if (repaired) {
        tn_buf_reset(&r->repaired);
        tn_utf8_repair(s.s, s.n, &r->repaired);
        if (r->repaired.failed) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        s = (tn_str){r->repaired.data, r->repaired.len};
    }
    json_t *o = NULL;
    tern_error bad = {0};
    tern_status st = tn_json_parse(s.s, s.n, &o, &bad);
    if (st == TERN_OK)
        st = read_object(r, o, line, repaired, err);
    else
        st = tn_intake_broken(r->in, line->number, &bad, err);
    json_decref(o);
    return st;
}

tern_status tn_read_jsonl(tn_intake *in, tern_error *err) {
    reader r = {.in = in};
    tn_liner liner = {.source = in->source};
    tn_line line;
    bool more;
    tern_status st;
    while ((st = tn_intake_line(in, &liner, &line, &more, err)) == TERN_OK && more)
        if ((st = read_line(&r, &line, err)) != TERN_OK) break;
    tn_liner_deinit(&liner);
    tn_buf_deinit(&r.meta);
    tn_buf_deinit(&r.repaired);
    return st;
}
