/* tsv.c - a table of records, columns parted by tabs (TSV), or by commas or semicolons (CSV).
 * The first line names the columns (DPR's psgs_w100: id, text, title). Two columns without names
 * are id and text (MS MARCO's collection.tsv). A field may stand in quotes, as spreadsheets write
 * it: "" is then one quote and separators are text. In CSV line ends are text there too (RFC 4180);
 * in TSV, which hardly ever means that, a record is a line. */
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
    char separator;
    tn_liner liner;
    tn_line line;       /* the record: of CSV perhaps several lines, in joined */
    uint32_t last_line; /* where it ends */
    tn_buf joined;
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
static size_t quoted_len(const char *s, size_t n, char separator) {
    if (n < 2 || s[0] != '"') return 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i] != '"') continue;
        if (i + 1 < n && s[i + 1] == '"')
            i++;
        else
            return i + 1 == n || s[i + 1] == separator ? i + 1 : 0;
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
        size_t k = quoted_len(line.s + i, line.n - i, r->separator);
        bool quoted = k > 0;
        if (!quoted) {
            const char *end = memchr(line.s + i, r->separator, line.n - i);
            k = end ? (size_t)(end - line.s) - i : line.n - i;
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

static void locate(const void *ud, size_t begin, size_t end, tn_chunk *out) {
    const reader *r = ud;
    tn_line_locate(&r->line, begin, end, out);
    out->line_end = r->last_line;
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
                  .locate = locate,
                  .ud = r};
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

/* Does a quoted field that begins in this line go on behind its end? */
static bool is_open(const char *s, size_t n, char separator) {
    for (size_t i = 0; i < n;) {
        size_t k = quoted_len(s + i, n - i, separator);
        if (k == 0 && s[i] == '"') { /* closed by nothing, or by a quote amid the field */
            size_t n_quotes = 0;
            for (size_t j = i; j < n; j++) n_quotes += s[j] == '"';
            return n_quotes % 2 == 1;
        }
        const char *end = memchr(s + i + k, separator, n - i - k);
        if (!end) return false;
        i = (size_t)(end - s) + 1;
    }
    return false;
}

/* Append lines to the record until its quotes are closed. *usable: they are. */
static tern_status join(reader *r, bool *usable, tern_error *err) {
    tn_line first = r->line;
    *usable = false;
    tn_buf_reset(&r->joined);
    tn_buf_add(&r->joined, first.text, first.len);
    for (bool open = true; open;) {
        bool more;
        tern_status st = tn_intake_line(r->in, &r->liner, &r->line, &more, err);
        if (st != TERN_OK) return st;
        if (!more || r->joined.len + r->line.len >= TN_LINE_MAX)
            return tn_intake_bad(r->in, first.number, err,
                                 "a quoted field begins here and does not end");
        tn_buf_char(&r->joined, '\n');
        tn_buf_add(&r->joined, r->line.text, r->line.len);
        if ((st = tn_buf_status(&r->joined, err)) != TERN_OK) return st;
        for (size_t i = 0; i < r->line.len; i++) open ^= r->line.text[i] == '"';
    }
    r->last_line = r->line.number;
    first.end = r->line.end;
    first.text = r->joined.data;
    first.len = r->joined.len;
    r->line = first;
    *usable = true;
    return TERN_OK;
}

/* The next record; *usable is false for one that was reported, and at the end *more. */
static tern_status next_record(reader *r, bool *more, bool *usable, tern_error *err) {
    *usable = true;
    tern_status st = tn_intake_line(r->in, &r->liner, &r->line, more, err);
    if (st != TERN_OK || !*more) return st;
    r->last_line = r->line.number;
    if (r->separator == '\t' || !is_open(r->line.text, r->line.len, r->separator)) return TERN_OK;
    return join(r, usable, err);
}

static tern_status read_table(tn_intake *in, char separator, tern_error *err) {
    reader *r = tn_calloc(1, sizeof *r);
    if (!r) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    r->in = in;
    r->separator = separator;
    r->liner.source = in->source;
    tern_status st = TERN_OK;
    for (bool has_text = true; st == TERN_OK && has_text;) {
        bool more, usable, is_header = false;
        st = next_record(r, &more, &usable, err);
        if (st != TERN_OK || !more) break;
        if (!usable || r->line.len == 0) continue;
        if (r->n_columns == 0) st = learn(r, &r->line, &is_header, &has_text, err);
        if (st == TERN_OK && has_text && !is_header) st = read_record(r, &r->line, err);
        tn_arena_reset(&in->arena);
    }
    tn_liner_deinit(&r->liner);
    for (size_t i = 0; i < r->n_columns; i++) tn_free(r->names[i]);
    tn_buf_deinit(&r->joined);
    tn_buf_deinit(&r->meta);
    tn_free(r);
    return st;
}

tern_status tn_read_tsv(tn_intake *in, tern_error *err) {
    return read_table(in, '\t', err);
}

/* Of the first line's separators the more frequent one: spreadsheets of languages that write
 * decimals with a comma part columns by semicolons. */
static char csv_separator(const char *s, size_t n) {
    size_t n_commas = 0, n_semicolons = 0;
    for (size_t i = 0; i < n && s[i] != '\n'; i++) {
        n_commas += s[i] == ',';
        n_semicolons += s[i] == ';';
    }
    return n_semicolons > n_commas ? ';' : ',';
}

bool tn_csv_names_text(const char *head, size_t n) {
    const char *nl = memchr(head, '\n', n);
    if (nl) n = (size_t)(nl - head);
    char separator = csv_separator(head, n);
    if (n >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0) head += 3, n -= 3;
    for (size_t i = 0; i < n;) {
        const char *end = memchr(head + i, separator, n - i);
        tn_str f = {head + i, end ? (size_t)(end - head) - i : n - i};
        i += f.n + 1;
        tn_trim(&f.s, &f.n);
        if (f.n >= 2 && f.s[0] == '"' && f.s[f.n - 1] == '"') f.s++, f.n -= 2;
        if (role_of(f) == TEXT) return true;
    }
    return false;
}

tern_status tn_read_csv(tn_intake *in, tern_error *err) {
    const char *head;
    size_t n;
    tern_error failed = {0};
    tern_status st = tn_source_view(in->source, TN_SOURCE_PEEK, &head, &n, &failed);
    if (st != TERN_OK) return tn_intake_broken(in, 0, &failed, err);
    return read_table(in, csv_separator(head, n), err);
}
