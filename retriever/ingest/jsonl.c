/* jsonl.c - one JSON object per line: a record.
 * id|_id, title, text|contents, timestamp|date; all else becomes the record's metadata, as it is
 * spelled. Records of "contents" (Search-R1) may carry the title as a first line in quotes.
 * Lines are scanned without building a tree; the JSON library is asked only about lines the scan
 * does not accept, so that its message says what is wrong with them. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include "retriever/ingest/json_scan.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

typedef enum role { META, ID, TITLE, TEXT, CONTENTS, DATE, METADATA, N_ROLES } role;

typedef struct reader {
    tn_intake *in;
    tn_json_object object, inner;         /* of the line; of its "metadata" */
    const tn_json_member *field[N_ROLES]; /* the last member of each role */
    tn_buf meta, repaired;
    bool warned_date; /* once per file */
} reader;

static role role_of(const tn_json_member *m) {
    static const struct {
        const char *key;
        role role;
    } known[] = {
        {"id", ID},     {"_id", ID},         {"title", TITLE},       {"text", TEXT},
        {"date", DATE}, {"timestamp", DATE}, {"contents", CONTENTS}, {"metadata", METADATA}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].key) == m->key_len && memcmp(known[i].key, m->key, m->key_len) == 0)
            return known[i].role;
    return META;
}

static bool is_string(const tn_json_member *m) {
    return m && m->value[0] == '"';
}
static bool is_null(const tn_json_member *m) {
    return !m || m->value[0] == 'n';
}

static bool is_integer(const tn_json_member *m) {
    for (size_t i = m->value[0] == '-'; i < m->value_len; i++)
        if (m->value[i] < '0' || m->value[i] > '9') return false;
    return true;
}

static bool unescape(reader *r, const tn_json_member *m, tn_str *out) {
    return tn_json_unescape(&r->in->arena, m->value, m->value_len, &out->s, &out->n);
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

/* Dates in strings as tn_time_parse has them; integers are seconds, from 12 digits milliseconds. */
static bool time_of(const tn_json_member *m, int64_t *out) {
    if (is_string(m)) return tn_time_parse(m->value + 1, m->value_len - 2, out);
    if (!is_integer(m) || m->value_len > 18) return false;
    int64_t v = 0;
    bool negative = m->value[0] == '-';
    for (size_t i = negative; i < m->value_len; i++) v = v * 10 + (m->value[i] - '0');
    if (m->value_len - negative >= 12) v /= 1000;
    *out = negative ? -v : v;
    return true;
}

static void add_meta(tn_buf *meta, const tn_json_member *m) {
    tn_buf_str(meta, meta->len ? ",\"" : "{\"");
    tn_buf_add(meta, m->key, m->key_len);
    tn_buf_str(meta, "\":");
    tn_buf_add(meta, m->value, m->value_len);
}

static bool has_key(const tn_json_object *o, const tn_json_member *m) {
    for (size_t i = 0; i < o->n; i++)
        if (o->members[i].key_len == m->key_len &&
            memcmp(o->members[i].key, m->key, m->key_len) == 0)
            return true;
    return false;
}

/* The members that are not the record's own fields, as one JSON object. BEIR's "metadata" object
 * gives its members, not itself. */
static void collect_meta(reader *r, bool keep_date) {
    tn_buf_reset(&r->meta);
    for (size_t i = 0; i < r->object.n; i++) {
        const tn_json_member *m = &r->object.members[i];
        role is = role_of(m);
        bool opened = is == METADATA && tn_json_scan(m->value, m->value_len, &r->inner);
        if (is == META || (is == DATE && keep_date) || (is == METADATA && !opened))
            add_meta(&r->meta, m);
        for (size_t k = 0; opened && k < r->inner.n; k++)
            if (!has_key(&r->object, &r->inner.members[k]))
                add_meta(&r->meta, &r->inner.members[k]);
    }
    if (r->meta.len) tn_buf_char(&r->meta, '}');
}

/* What keeps the object from being a record; NULL: nothing. */
static const char *fault(const reader *r) {
    const tn_json_member *id = r->field[ID], *title = r->field[TITLE];
    const tn_json_member *text = r->field[TEXT] ? r->field[TEXT] : r->field[CONTENTS];
    if (!is_null(id) && !is_string(id) && !is_integer(id))
        return "\"id\" is neither a string nor an integer";
    if (!is_null(title) && !is_string(title)) return "\"title\" is not a string";
    if (!text) return "no \"text\" or \"contents\"";
    return is_string(text) ? NULL : "\"text\" is not a string";
}

static tern_status read_object(reader *r, const tn_line *line, bool repaired, tern_error *err) {
    tn_intake *in = r->in;
    memset(r->field, 0, sizeof r->field);
    for (size_t i = 0; i < r->object.n; i++)
        r->field[role_of(&r->object.members[i])] = &r->object.members[i];
    const char *what = fault(r);
    if (what) return tn_intake_bad(in, line->number, err, "%s", what);

    tn_draft d = {.title = TN_STR(""),
                  .id = TN_STR(""),
                  .time = TERN_NO_TIME,
                  .line = line->number,
                  .repaired = repaired,
                  .locate = tn_line_locate,
                  .ud = line};
    const tn_json_member *id = r->field[ID], *date = r->field[DATE];
    bool ok = unescape(r, r->field[TEXT] ? r->field[TEXT] : r->field[CONTENTS], &d.text);
    if (is_string(r->field[TITLE]))
        ok = ok && unescape(r, r->field[TITLE], &d.title);
    else if (!r->field[TEXT])
        split_contents(&d.title, &d.text);
    if (is_string(id))
        ok = ok && unescape(r, id, &d.id);
    else if (!is_null(id))
        d.id = (tn_str){id->value, id->value_len};
    bool keep_date = !is_null(date) && !time_of(date, &d.time);
    if (keep_date && !r->warned_date) {
        r->warned_date = true;
        tn_intake_log(in, TERN_LOG_WARN, "%s:%u: not a date; kept as metadata (told once per file)",
                      in->path, line->number);
    }
    collect_meta(r, keep_date);
    if (!ok || r->meta.failed) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    d.meta = r->meta.len ? r->meta.data : NULL;
    return tn_intake_emit(in, &d, err);
}

/* A line that is not a plain JSON object: ask the library, which knows why. *usable: it is one
 * after all, of numbers it can hold. */
static tern_status judge(reader *r, tn_str s, bool scanned, const tn_line *line, bool *usable,
                         tern_error *err) {
    json_t *o = NULL;
    tern_error bad = {0};
    tern_status st = tn_json_parse(s.s, s.n, &o, &bad);
    bool is_object = json_is_object(o);
    json_decref(o);
    *usable = st == TERN_OK && is_object && scanned;
    if (st != TERN_OK) return tn_intake_broken(r->in, line->number, &bad, err);
    if (*usable) return TERN_OK;
    if (!is_object) return tn_intake_bad(r->in, line->number, err, "not a JSON object");
    return tn_intake_bad(r->in, line->number, err,
                         "JSON object of more than %d members, or nested deeper than %d",
                         TN_JSON_MEMBERS_MAX, TN_JSON_DEPTH_MAX);
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
    bool usable = tn_json_scan(s.s, s.n, &r->object);
    if (!usable || r->object.odd_number) {
        tern_status st = judge(r, s, usable, line, &usable, err);
        if (st != TERN_OK || !usable) return st;
    }
    return read_object(r, line, repaired, err);
}

tern_status tn_read_jsonl(tn_intake *in, tern_error *err) {
    reader *r = tn_calloc(1, sizeof *r);
    if (!r) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    r->in = in;
    tn_liner liner = {.source = in->source};
    tn_line line;
    bool more;
    tern_status st;
    while ((st = tn_intake_line(in, &liner, &line, &more, err)) == TERN_OK && more)
        if ((st = read_line(r, &line, err)) != TERN_OK) break;
    tn_liner_deinit(&liner);
    tn_buf_deinit(&r->meta);
    tn_buf_deinit(&r->repaired);
    tn_free(r);
    return st;
}
