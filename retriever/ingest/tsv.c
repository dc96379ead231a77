/* tsv.c - a table with one record per line, columns parted by tabs.
 * The first line names the columns (DPR's psgs_w100: id, text, title). Two columns without names
 * are id and text (MS MARCO's collection.tsv). A field may stand in quotes, as spreadsheets write
 * it: "" is then one quote and tabs are text; a quoted line end is not understood. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <string.h>

#include "core/base/mem.h"

enum { COLUMNS_MAX = 256 };

typedef enum role { OTHER, ID, TITLE, TEXT, DATE } role;

typedef struct reader {
    tn_intake *in;
    size_t n_columns;
    role roles[COLUMNS_MAX];
    char *names[COLUMNS_MAX]; /* heap; of OTHER and DATE columns */
    tn_str fields[COLUMNS_MAX];
    tn_buf meta;
} reader;

static role role_of(tn_str name) {
    static const struct {
        const char *name;
        role role;
    } known[] = {{"id", ID},        {"_id", ID},         {"pid", ID},    {"docid", ID},
                 {"doc_id", ID},    {"title", TITLE},    {"text", TEXT}, {"contents", TEXT},
                 {"passage", TEXT}, {"timestamp", DATE}, {"date", DATE}};
    char low[16];
    tn_trim(&name.s, &name.n);
    if (name.n >= sizeof low) return OTHER;
    memcpy(low, name.s, name.n);
    low[name.n] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (tn_ascii_ieq(low, known[i].name)) return known[i].role;
    return OTHER;
}

/* Length of the quoted field at s, up to and with the closing quote; 0 if it is not one. */
static size_t quoted_len(const char *s, size_t n) {
    if (n < 2 || s[0] != '"') return 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i] != '"') continue;
        if (i + 1 < n && s[i + 1] == '"')
            i++;
        else
            return i + 1 == n || s[i + 1] == '\t' ? i + 1 : 0;
    }
    return 0;
}

/* The inside of a quoted field, in the arena when quotes are doubled in it. */
static bool unquote(tn_arena *arena, tn_str *f) {
    f->s++;
    f->n -= 2;
    if (!memchr(f->s, '"', f->n)) return true;
    char *copy = tn_arena_alloc(arena, f->n);
    if (!copy) return false;
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        copy[n++] = f->s[i];
        if (f->s[i] == '"') i++;
    }
    *f = (tn_str){copy, n};
    return true;
}

/* Split the line into fields[]; *n is the number of columns, of which COLUMNS_MAX are kept. */
static tern_status split(reader *r, tn_str line, size_t *n, tern_error *err) {
    *n = 0;
    for (size_t i = 0;; i++) {
        size_t k = quoted_len(line.s + i, line.n - i);
        bool quoted = k > 0;
        if (!quoted) {
            const char *tab = memchr(line.s + i, '\t', line.n - i);
            k = tab ? (size_t)(tab - line.s) - i : line.n - i;
        }
        tn_str f = {line.s + i, k};
        if (quoted && !unquote(&r->in->arena, &f))
            return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        if (*n < COLUMNS_MAX) r->fields[*n] = f;
        ++*n;
        i += k;
        if (i >= line.n) return TERN_OK;
    }
}

/* Learn the columns from the first line. *is_header: it is not a record itself; *usable: there is
 * a text column. */
static tern_status learn(reader *r, const tn_line *line, bool *is_header, bool *usable,
                         tern_error *err) {
    size_t n;
    tern_status st = split(r, (tn_str){line->text, line->len}, &n, err);
    if (st != TERN_OK) return st;
    r->n_columns = n < COLUMNS_MAX ? n : COLUMNS_MAX;
    bool named = false;
    *is_header = true;
    *usable = false;
    for (size_t i = 0; i < r->n_columns; i++) {
        r->roles[i] = role_of(r->fields[i]);
        named |= r->roles[i] != OTHER;
        *usable |= r->roles[i] == TEXT;
        r->names[i] = tn_strndup(r->fields[i].s, r->fields[i].n);
        if (!r->names[i]) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    if (!named && n == 2) {
        r->roles[0] = ID;
        r->roles[1] = TEXT;
        *usable = true;
        *is_header = false;
    }
    if (*usable && n <= COLUMNS_MAX) return TERN_OK;
    *usable = false;
    if (n > COLUMNS_MAX)
        return tn_intake_bad(r->in, line->number, err, "more than %d columns", COLUMNS_MAX);
    return tn_intake_bad(r->in, line->number, err,
                         "no column is named \"text\" (the first line names the columns)");
}

static void add_meta(tn_buf *meta, const char *name, tn_str value) {
    tn_buf_char(meta, meta->len ? ',' : '{');
    tn_json_escape(name, strlen(name), meta);
    tn_buf_char(meta, ':');
    tn_json_escape(value.s, value.n, meta);
}

static tern_status read_record(reader *r, const tn_line *line, tern_error *err) {
    tn_intake *in = r->in;
    size_t n;
    tern_status st = split(r, (tn_str){line->text, line->len}, &n, err);
    if (st != TERN_OK) return st;
    if (n != r->n_columns)
        return tn_intake_bad(in, line->number, err, "%zu columns, expected %zu", n, r->n_columns);
    tn_draft d = {.title = TN_STR(""),
                  .text = TN_STR(""),
                  .time = TERN_NO_TIME,
                  .line = line->number,
                  .repaired = !tn_utf8_valid(line->text, line->len),
                  .locate = tn_line_locate,
                  .ud = line};
    tn_buf_reset(&r->meta);
    for (size_t i = 0; i < n; i++) {
        tn_str f = r->fields[i];
        switch (r->roles[i]) {
        case ID:
            d.id = f;
            break;
        case TITLE:
            d.title = f;
            break;
        case TEXT:
            d.text = f;
            break;
        case DATE:
            if (tn_time_parse(f.s, f.n, &d.time)) break;
            /* fall through */
        case OTHER:
            if (f.n) add_meta(&r->meta, r->names[i], f);
        }
    }
    if (r->meta.len) tn_buf_char(&r->meta, '}');
    if ((st = tn_buf_status(&r->meta, err)) != TERN_OK) return st;
    d.meta = r->meta.len ? r->meta.data : NULL;
    return tn_intake_emit(in, &d, err);
}

tern_status tn_read_tsv(tn_intake *in, tern_error *err) {
    reader *r = tn_calloc(1, sizeof *r);
    if (!r) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    r->in = in;
    tn_liner liner = {.source = in->source};
    tern_status st = TERN_OK;
    for (bool usable = true; st == TERN_OK && usable;) {
        tn_line line;
        bool more;
        st = tn_intake_line(in, &liner, &line, &more, err);
        if (st != TERN_OK || !more) break;
        if (line.len == 0) continue;
        bool is_header = false;
        if (r->n_columns == 0) st = learn(r, &line, &is_header, &usable, err);
        if (st == TERN_OK && usable && !is_header) st = read_record(r, &line, err);
        tn_arena_reset(&in->arena);
    }
    tn_liner_deinit(&liner);
    for (size_t i = 0; i < r->n_columns; i++) tn_free(r->names[i]);
    tn_buf_deinit(&r->meta);
    tn_free(r);
    return st;
}
