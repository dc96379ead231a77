/* html.c - pages: headings make sections; scripts, styles and navigation are left out.
 * libxml2 parses without building a tree (its SAX interface), without network and without its
 * "huge" mode. What a passage covers is told in lines: each piece of text remembers the line of the
 * source it came from. */
#include "core/base/clock.h"
#include "core/base/text.h"
#include "retriever/ingest/charset.h"
#include "retriever/ingest/ingest_priv.h"
#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { DEPTH_MAX = 2000 }; /* elements inside elements: bounds the parser's work per tag */

typedef struct mark {
    uint32_t offset; /* in the text: from here on .. */
    uint32_t line;   /* .. it comes from this line */
} mark;

typedef struct page {
    htmlParserCtxtPtr parser;
    tn_buf text, title;
    tn_block_list blocks;
    mark *marks;
    size_t n_marks, marks_cap;
    size_t block_begin;
    uint32_t line;              /* of the source, where the last event ended */
    int depth, skip_depth;      /* open elements; the outermost that is left out, or 0 */
    int lines_depth, pre_depth; /* open lists and tables; open pre */
    unsigned heading;           /* level of the open heading, or 0 */
    bool in_title, has_title, space, too_deep;
    int64_t time;
    bool failed;          /* no memory */
    tn_line_table source; /* of the file's bytes */
} page;

typedef enum kind { INLINE, BLOCK, HEADING, LINES, PRE, ROW, CELL, BREAK, TITLE, SKIP } kind;

static kind kind_of(const char *name) {
    static const struct {
        const char *names; /* each between spaces */
        kind kind;
    } table[] = {
        {" script style nav noscript template svg iframe object canvas select ", SKIP},
        {" h1 h2 h3 h4 h5 h6 ", HEADING},
        {" ul ol dl table ", LINES},
        {" li dt dd tr caption ", ROW},
        {" td th ", CELL},
        {" p div section article main header footer aside address blockquote figure figcaption "
         "form fieldset details summary hr center body hgroup dir menu ",
         BLOCK},
        {" pre ", PRE},
        {" br ", BREAK},
        {" title ", TITLE},
    };
    char key[16];
    int n = snprintf(key, sizeof key, " %s ", name);
    if (n < 0 || (size_t)n >= sizeof key) return INLINE;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strstr(table[i].names, key)) return table[i].kind;
    return INLINE;
}

/* ---- building the text ---- */

/* Manuals made by Sphinx and others close each heading by a link to itself, shown as a pilcrow. */
static void drop_pilcrow(page *p) {
    size_t n = p->text.len;
    if (n - p->block_begin > 2 && memcmp(p->text.data + n - 2, "\xC2\xB6", 2) == 0)
        p->text.len -= 2;
}

static void end_block(page *p) {
    size_t begin = p->block_begin;
    while (p->text.len > begin && p->text.data[p->text.len - 1] == '\n') p->text.len--;
    if (p->heading) drop_pilcrow(p);
    p->space = false;
    if (p->text.len > begin) {
        tn_block b = {.begin = begin,
                      .end = p->text.len,
                      .kind = p->lines_depth || p->pre_depth ? TN_BLOCK_LINES : TN_BLOCK_PROSE};
        if (p->heading) {
            b.kind = TN_BLOCK_HEADING;
            b.level = p->heading;
            b.title_begin = begin;
            b.title_end = p->text.len;
        }
        tn_block_list_add(&p->blocks, b);
        tn_buf_str(&p->text, "\n\n");
    }
    p->block_begin = p->text.len;
}

static void new_line(page *p) {
    p->space = false;
    if (p->text.len > p->block_begin && p->text.data[p->text.len - 1] != '\n')
        tn_buf_char(&p->text, '\n');
}

/* A boundary between blocks is only a line end inside a list or table. */
static void boundary(page *p) {
    if (p->lines_depth || p->heading)
        new_line(p);
    else
        end_block(p);
}

static void add_mark(page *p) {
    if (p->n_marks && p->marks[p->n_marks - 1].line == p->line) return;
    if (TN_GROW(p->marks, p->marks_cap, p->n_marks + 1) != 0)
        p->failed = true;
    else
        p->marks[p->n_marks++] = (mark){(uint32_t)p->text.len, p->line};
}

static void add_text(page *p, const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        bool white = s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
        if (white && p->pre_depth && s[i] != '\r') {
            if (s[i] != '\n' || p->text.len > p->block_begin) tn_buf_char(&p->text, s[i]);
        } else if (white) {
            p->space = true;
        }
        if (white) {
            p->line += s[i++] == '\n';
            continue;
        }
        size_t end = i + 1;
        while (end < n && s[end] != ' ' && !(s[end] >= '\t' && s[end] <= '\r')) end++;
        bool inside = p->text.len > p->block_begin && p->text.data[p->text.len - 1] != '\n';
        if (p->space && inside) tn_buf_char(&p->text, ' ');
        p->space = false;
        add_mark(p);
        tn_buf_add(&p->text, s + i, end - i);
        i = end;
    }
}

/* ---- the parser's events ---- */

static const char *attribute(const xmlChar **attrs, const char *name) {
    for (; attrs && attrs[0]; attrs += 2)
        if (tn_ascii_ieq((const char *)attrs[0], name)) return (const char *)attrs[1];
    return NULL;
}

/* <meta name="date" content="2024-05-06"> and its usual variants. */
static void read_meta(page *p, const xmlChar **attrs) {
    static const char *const keys[] = {"date", "dc.date", "article:published_time",
                                       "article:modified_time", "last-modified"};
    const char *key = attribute(attrs, "name"), *content = attribute(attrs, "content");
    if (!key) key = attribute(attrs, "property");
    if (!key || !content || p->time != TERN_NO_TIME) return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (tn_ascii_ieq(key, keys[i])) (void)tn_time_parse(content, strlen(content), &p->time);
}

static void on_start(void *ud, const xmlChar *name, const xmlChar **attrs) {
    page *p = ud;
    kind k = kind_of((const char *)name);
    if (++p->depth > DEPTH_MAX) {
        p->too_deep = true;
        p->line = (uint32_t)p->parser->input->line;
        xmlStopParser(p->parser);
        return;
    }
    if (p->skip_depth) return;
    switch (k) {
    case SKIP:
        p->skip_depth = p->depth;
        break;
    case HEADING:
        if (p->lines_depth)
            new_line(p);
        else
            end_block(p);
        if (!p->lines_depth) p->heading = (unsigned)(name[1] - '0');
        break;
    case LINES:
        boundary(p);
        p->lines_depth++;
        break;
    case PRE:
        boundary(p);
        p->pre_depth++;
        break;
    case BLOCK:
        boundary(p);
        break;
    case ROW:
    case BREAK:
        new_line(p);
        break;
    case CELL:
        if (p->text.len > p->block_begin && p->text.data[p->text.len - 1] != '\n')
            tn_buf_str(&p->text, " | ");
        p->space = false;
        break;
    case TITLE:
        p->in_title = !p->has_title;
        break;
    case INLINE:
        if (strcmp((const char *)name, "meta") == 0) read_meta(p, attrs);
        break;
    }
}

static void on_end(void *ud, const xmlChar *name) {
    page *p = ud;
    if (p->skip_depth) {
        if (p->depth-- == p->skip_depth) p->skip_depth = 0;
        return;
    }
    p->depth--;
    switch (kind_of((const char *)name)) {
    case HEADING:
        boundary(p);
        if (p->heading) {
            end_block(p);
            p->heading = 0;
        }
        break;
    case LINES:
        if (p->lines_depth == 1) end_block(p);
        if (p->lines_depth > 0) p->lines_depth--;
        break;
    case PRE:
        boundary(p);
        if (p->pre_depth > 0) p->pre_depth--;
        break;
    case BLOCK:
        boundary(p);
        break;
    case ROW:
        new_line(p);
        break;
    case TITLE:
        p->has_title |= p->in_title;
        p->in_title = false;
        break;
    default:
        break;
    }
}

/* Titles are one line, however they are laid out. */
static void add_title(page *p, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool white = s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r');
        if (!white)
            tn_buf_char(&p->title, s[i]);
        else if (p->title.len && p->title.data[p->title.len - 1] != ' ')
            tn_buf_char(&p->title, ' ');
    }
}

/* The parser stands behind the text it hands over (when it hands over in pieces, before a line end
 * that is the last of a piece), so that counting back gives the line where the text began; it did
 * not begin before the last text ended. A line end alone may be spelled &#10;, and then is none.
 * Elements tell no line: those that are only implied begin when their text has been read. */
static void on_text(void *ud, const xmlChar *s, int n) {
    page *p = ud;
    uint32_t now = (uint32_t)p->parser->input->line, n_lines = 0;
    for (int i = 0; i < n; i++) n_lines += s[i] == '\n';
    if (now >= n_lines && now - n_lines > p->line) p->line = now - n_lines;
    uint32_t end = n == 1 ? now : p->line + n_lines;
    if (p->in_title)
        add_title(p, (const char *)s, (size_t)n);
    else if (!p->skip_depth)
        add_text(p, (const char *)s, (size_t)n);
    p->line = end;
}

/* ---- places ---- */

static uint32_t line_of(const page *p, size_t offset) {
    size_t lo = 0, hi = p->n_marks;
    if (hi == 0) return 1;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->marks[mid].offset <= offset)
            lo = mid;
        else
            hi = mid;
    }
    return p->marks[lo].line;
}

static void locate(const void *ud, size_t begin, size_t end, tn_chunk *out) {
    const page *p = ud;
    const tn_line_table *t = &p->source;
    uint32_t n = (uint32_t)t->n, first = line_of(p, begin), last = line_of(p, end - 1);
    if (last > n) last = n;
    if (first > last) first = last;
    out->line_begin = first;
    out->line_end = last;
    out->byte_begin = t->base + t->start[first - 1];
    out->byte_end = t->base + (last < n ? t->start[last] - 1 : t->len);
}

/* ---- reading ---- */

static void init_parser_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, xmlInitParser);
}

/* Control characters end libxml2's parse or are dropped by it; blank them, bytes in place. */
static void blank(tn_buf *b) {
    for (size_t i = 0; i < b->len; i++) {
        char c = b->data[i];
        if ((unsigned char)c < 0x20 && c != '\n' && c != '\t' && c != '\r') b->data[i] = ' ';
    }
}

static tern_status parse(page *p, const tn_buf *html, tern_error *err) {
    static const htmlSAXHandler handler = {.startElement = on_start,
                                           .endElement = on_end,
                                           .characters = on_text,
                                           .ignorableWhitespace = on_text,
                                           .initialized = 1};
    init_parser_once();
    if (html->len > INT_MAX) return tern_fail(err, TERN_ERR_LIMIT, 0, "page of more than 2 GiB");
    p->parser = htmlCreateMemoryParserCtxt(html->data, (int)html->len);
    if (!p->parser) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    *p->parser->sax = handler;
    p->parser->userData = p;
    htmlCtxtUseOptions(p->parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                      HTML_PARSE_IGNORE_ENC | HTML_PARSE_COMPACT);
    xmlSwitchEncoding(p->parser, XML_CHAR_ENCODING_UTF8);
    htmlParseDocument(p->parser);
    bool no_memory = p->parser->errNo == XML_ERR_NO_MEMORY;
    p->heading = p->too_deep ? 0 : p->heading;
    end_block(p);
    htmlFreeParserCtxt(p->parser);
    p->parser = NULL;
    if (no_memory || p->failed || p->blocks.failed || p->text.failed || p->title.failed)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    return TERN_OK;
}

/* <title>, else the first heading, else the file's name. */
static tn_str title_of(const tn_intake *in, const page *p) {
    tn_str t = {p->title.data ? p->title.data : "", p->title.len};
    tn_trim(&t.s, &t.n);
    if (t.n) return t;
    for (size_t i = 0; i < p->blocks.n; i++)
        if (p->blocks.v[i].kind == TN_BLOCK_HEADING)
            return (tn_str){p->text.data + p->blocks.v[i].begin,
                            p->blocks.v[i].end - p->blocks.v[i].begin};
    return tn_intake_stem(in);
}

tern_status tn_read_html(tn_intake *in, tern_error *err) {
    tn_buf html = {0};
    page p = {.time = TERN_NO_TIME, .line = 1};
    uint64_t base = tn_source_offset(in->source);
    bool usable;
    tern_status st = tn_intake_slurp(in, &html, &usable, err);
    if (st != TERN_OK || !usable) goto done;
    st = tn_line_table_build(&p.source, html.data, html.len, base, err);
    if (st != TERN_OK) goto done;
    bool repaired = tn_html_to_utf8(&html);
    if ((st = tn_buf_status(&html, err)) != TERN_OK) goto done;
    blank(&html);
    if ((st = parse(&p, &html, err)) != TERN_OK) goto done;
    if (p.too_deep)
        st = tn_intake_bad(in, p.line, err, "elements nested deeper than %d; the rest is left out",
                           DEPTH_MAX);
    if (st == TERN_OK && p.blocks.n == 0) st = tn_intake_bad(in, 0, err, "empty: no text in it");
    if (st != TERN_OK || p.blocks.n == 0) goto done;
    tn_draft d = {.title = title_of(in, &p),
                  .text = {p.text.data, p.text.len},
                  .time = p.time,
                  .line = 1,
                  .blocks = p.blocks.v,
                  .n_blocks = p.blocks.n,
                  .repaired = repaired,
                  .locate = locate,
                  .ud = &p};
    st = tn_intake_emit(in, &d, err);
done:
    tn_line_table_deinit(&p.source);
    tn_buf_deinit(&p.text);
    tn_buf_deinit(&p.title);
    tn_free(p.blocks.v);
    tn_free(p.marks);
    tn_buf_deinit(&html);
    return st;
}
