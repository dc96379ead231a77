/* markdown.c - headings make sections; the text itself stays as it is written.
 * Understood are front matter (--- key: value ---), ATX and underlined headings, fenced code, lists
 * and tables (kept in lines); the rest is paragraphs. Nothing is rendered, so that a passage can be
 * compared with its file. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <string.h>

#include "core/base/mem.h"

enum { FRONT_MAX = 64 << 10 }; /* bytes of front matter looked at */

typedef struct reader {
    const char *text;
    size_t len;
    tn_block_list blocks;
    size_t begin, end, n_lines, n_list; /* the block being gathered; n_lines 0: none */
    bool indented;                      /* it began with four spaces: code */
    tn_str title;                       /* front matter's, else the first level 1 heading */
    int64_t time;
    tn_buf meta;
} reader;

/* ---- front matter ---- */

static tn_str line_at(const reader *r, size_t i, size_t *next) {
    const char *nl = memchr(r->text + i, '\n', r->len - i);
    size_t end = nl ? (size_t)(nl - r->text) : r->len;
    *next = nl ? end + 1 : r->len;
    if (end > i && r->text[end - 1] == '\r') end--;
    return (tn_str){r->text + i, end - i};
}

static bool is_str(tn_str s, const char *literal) {
    return s.n == strlen(literal) && memcmp(s.s, literal, s.n) == 0;
}

static tn_str unquoted(tn_str v) {
    tn_trim(&v.s, &v.n);
    if (v.n >= 2 && (v.s[0] == '"' || v.s[0] == '\'') && v.s[v.n - 1] == v.s[0])
        return (tn_str){v.s + 1, v.n - 2};
    return v;
}

static void front_entry(reader *r, tn_str key, tn_str value) {
    value = unquoted(value);
    if (is_str(key, "title")) {
        r->title = value;
        return;
    }
    if ((is_str(key, "date") || is_str(key, "timestamp")) &&
        tn_time_parse(value.s, value.n, &r->time))
        return;
    tn_buf_char(&r->meta, r->meta.len ? ',' : '{');
    tn_json_escape(key.s, key.n, &r->meta);
    tn_buf_char(&r->meta, ':');
    tn_json_escape(value.s, value.n, &r->meta);
}

/* Read "key: value" lines up to the closing line; an entry goes on over indented lines and list
 * items. Returns where the body begins: 0 if there is no front matter. */
static size_t read_front(reader *r) {
    size_t i, next;
    if (!is_str(line_at(r, 0, &i), "---")) return 0;
    size_t close = 0, body = 0;
    for (size_t at = i; at < r->len && at < FRONT_MAX && !body; at = next) {
        tn_str l = line_at(r, at, &next);
        if (!is_str(l, "---") && !is_str(l, "...")) continue;
        close = at;
        body = next;
    }
    while (i < close) {
        tn_str l = line_at(r, i, &next);
        const char *colon = memchr(l.s, ':', l.n);
        bool entry = colon && l.s[0] != ' ' && l.s[0] != '#' && l.s[0] != '-';
        size_t end = i + l.n; /* of the value, with the lines that continue it */
        while (entry && next < close && strchr(" \t-", r->text[next])) {
            size_t at = next;
            end = at + line_at(r, at, &next).n;
        }
        if (entry) {
            size_t value = (size_t)(colon - r->text) + 1;
            front_entry(r, (tn_str){l.s, (size_t)(colon - l.s)},
                        (tn_str){r->text + value, end - value});
        }
        i = next;
    }
    if (r->meta.len) tn_buf_char(&r->meta, '}');
    return body;
}

/* ---- blocks ---- */

static void flush(reader *r) {
    if (r->n_lines) {
        bool lines = r->indented || r->n_list >= 2 || (r->n_list == 1 && r->n_lines == 1);
        tn_block_list_add(&r->blocks, (tn_block){.begin = r->begin,
                                                 .end = r->end,
                                                 .kind = lines ? TN_BLOCK_LINES : TN_BLOCK_PROSE});
    }
    r->n_lines = r->n_list = 0;
    r->indented = false;
}

static void add_line(reader *r, size_t begin, size_t end, bool is_list) {
    if (r->n_lines++ == 0) r->begin = begin;
    r->end = end;
    r->n_list += is_list;
}

static void add_heading(reader *r, size_t begin, size_t end, unsigned level, tn_str title) {
    flush(r);
    tn_trim(&title.s, &title.n);
    size_t at = (size_t)(title.s - r->text);
    tn_block_list_add(&r->blocks, (tn_block){.begin = begin,
                                             .end = end,
                                             .kind = TN_BLOCK_HEADING,
                                             .level = level,
                                             .title_begin = at,
                                             .title_end = at + title.n});
    if (level == 1 && r->title.n == 0) r->title = title;
}

static size_t indent_of(tn_str l) {
    size_t n = 0;
    while (n < l.n && l.s[n] == ' ') n++;
    return n < l.n && l.s[n] == '\t' && n < 4 ? 4 : n;
}

/* "## Title ##": its level and words; level 0 if the line is not a heading. */
static unsigned atx_heading(tn_str l, tn_str *title) {
    size_t i = indent_of(l), level = 0;
    if (i > 3) return 0;
    while (i + level < l.n && l.s[i + level] == '#') level++;
    i += level;
    if (level < 1 || level > 6 || (i < l.n && l.s[i] != ' ' && l.s[i] != '\t')) return 0;
    tn_str t = {l.s + i, l.n - i};
    tn_trim(&t.s, &t.n);
    size_t n = t.n;
    while (n && t.s[n - 1] == '#') n--;
    if (n == 0 || t.s[n - 1] == ' ' || t.s[n - 1] == '\t') t.n = n; /* closing marks */
    *title = t;
    return (unsigned)level;
}

/* A line of nothing but c (and blanks around it): how many. */
static size_t only_char(tn_str l, char c) {
    if (indent_of(l) > 3) return 0;
    tn_trim(&l.s, &l.n);
    for (size_t i = 0; i < l.n; i++)
        if (l.s[i] != c) return 0;
    return l.n;
}

/* The length of the fence ("```", "~~~~") that opens the line; 0 if none. */
static size_t fence_len(tn_str l, char *c) {
    size_t i = indent_of(l), n = 0;
    if (i > 3 || i >= l.n) return 0;
    *c = l.s[i];
    if (*c != '`' && *c != '~') return 0;
    while (i + n < l.n && l.s[i + n] == *c) n++;
    return n >= 3 && !(*c == '`' && memchr(l.s + i + n, '`', l.n - i - n)) ? n : 0;
}

/* Take in the fenced code that opens at i; returns where it ends. */
static size_t read_fence(reader *r, size_t i, char c, size_t n) {
    size_t next, end = i + line_at(r, i, &next).n;
    size_t at = next;
    for (bool open = true; open && at < r->len; at = next) {
        tn_str l = line_at(r, at, &next);
        end = at + l.n;
        open = only_char(l, c) < n;
    }
    tn_block_list_add(&r->blocks, (tn_block){.begin = i, .end = end, .kind = TN_BLOCK_LINES});
    return at;
}

static void read_body(reader *r, size_t i) {
    size_t next;
    for (; i < r->len; i = next) {
        tn_str l = line_at(r, i, &next), title = l;
        tn_str words = l;
        tn_trim(&words.s, &words.n);
        char fence = 0;
        size_t n_fence;
        unsigned level;
        bool one_line = r->n_lines == 1 && r->n_list == 0 && !r->indented;
        if (words.n == 0) {
            flush(r);
        } else if ((level = atx_heading(l, &title))) {
            add_heading(r, i, i + l.n, level, title);
        } else if (one_line && (only_char(l, '=') || only_char(l, '-'))) {
            tn_str above = {r->text + r->begin, r->end - r->begin};
            r->n_lines = 0; /* the line above was no paragraph but a title */
            add_heading(r, r->begin, i + l.n, only_char(l, '=') ? 1 : 2, above);
        } else if (r->n_lines == 0 && (only_char(l, '-') >= 3 || only_char(l, '*') >= 3)) {
            continue; /* a rule */
        } else if ((n_fence = fence_len(l, &fence))) {
            flush(r);
            next = read_fence(r, i, fence, n_fence);
        } else {
            if (r->n_lines == 0) r->indented = indent_of(l) >= 4;
            add_line(r, i, i + l.n, tn_is_list_line(l.s, l.n));
        }
    }
    flush(r);
}

tern_status tn_read_markdown(tn_intake *in, tern_error *err) {
    reader r = {.time = TERN_NO_TIME, .title = TN_STR("")};
    tn_buf text = {0};
    tn_line_table table = {0};
    uint64_t base = tn_source_offset(in->source);
    bool usable;
    tern_status st = tn_intake_slurp(in, &text, &usable, err);
    if (st != TERN_OK || !usable) goto done;
    r.text = text.data;
    r.len = text.len;
    read_body(&r, read_front(&r));
    if (r.blocks.failed || r.meta.failed) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        goto done;
    }
    if ((st = tn_line_table_build(&table, text.data, text.len, base, err)) != TERN_OK) goto done;
    if (r.blocks.n == 0) {
        st = tn_intake_bad(in, 0, err, "empty: no text in it");
        goto done;
    }
    tn_draft d = {.title = r.title.n ? r.title : tn_intake_stem(in),
                  .text = {text.data, text.len},
                  .meta = r.meta.len ? r.meta.data : NULL,
                  .time = r.time,
                  .line = 1,
                  .blocks = r.blocks.v,
                  .n_blocks = r.blocks.n,
                  .locate = tn_line_table_locate,
                  .ud = &table};
    st = tn_intake_emit(in, &d, err);
done:
    tn_line_table_deinit(&table);
    tn_buf_deinit(&r.meta);
    tn_buf_deinit(&text);
    tn_free(r.blocks.v);
    return st;
}
