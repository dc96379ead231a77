/* Claims about TSV, CSV, Markdown, HTML and PDF. */
#include "tests/unit/ingest_collect.h"
#include <sys/stat.h>

#include "core/base/mem.h"

static collected got;

static void read_as(const char *format, const char *text, uint32_t limit) {
    tern_index_opts o = ingest_opts();
    if (limit) {
        o.chunk_tokens = limit;
        o.chunk_overlap = 0;
    }
    CHECK_OK(ingest_text(&got, format, text, strlen(text), &o), got.err);
}

static const tn_chunk *chunk(size_t i) {
    CHECK(got.n_docs == 1 && i < got.docs[0].n_chunks);
    return &got.docs[0].chunks[i];
}

/* ---- TSV ---- */

TEST(tsv_takes_its_columns_from_the_first_line) {
    read_as("tsv",
            "id\ttext\ttitle\tyear\r\n"
            "1\t\"Aaron \"\"the\"\" man\tof God\"\tAaron\t\r\n"
            "2\tsays \"hi\" twice\tHi\t1999\r\n",
            0);
    CHECK_EQ(got.n_docs, 2);
    CHECK_STR(got.docs[0].id, "1");
    CHECK_STR(got.docs[0].title, "Aaron");
    CHECK_STR(got.docs[0].chunks[0].text, "Aaron \"the\" man\tof God");
    CHECK_STR(got.docs[0].meta, "");
    CHECK_EQ(got.docs[0].chunks[0].line_begin, 2);
    CHECK_STR(got.docs[1].chunks[0].text, "says \"hi\" twice");
    CHECK_STR(got.docs[1].meta, "{\"year\":\"1999\"}");
}

TEST(tsv_of_two_unnamed_columns_is_id_and_text) {
    read_as("tsv", "7\tThe moon\n8\tThe sun\n", 0);
    CHECK_EQ(got.n_docs, 2);
    CHECK_STR(got.docs[0].id, "7");
    CHECK_STR(got.docs[1].chunks[0].text, "The sun");
}

TEST(records_without_an_id_are_named_by_their_place) {
    read_as("tsv", "id\ttext\n \tone\n", 0);
    CHECK_STR(got.docs[0].id, "mem:2");
    read_as("jsonl", "{\"text\":\"one\"}\n{\"id\":\"\\t\",\"text\":\"two\"}", 0);
    CHECK_STR(got.docs[0].id, "mem:1");
    CHECK_STR(got.docs[1].id, "mem:2");
}

TEST(csv_quotes_commas_and_line_ends_as_spreadsheets_do) {
    read_as("csv",
            "\xEF\xBB\xBFid,title,\"text\"\r\n"
            "1,\"A, B\",\"says \"\"hi\"\", then\r\nleaves, \"\"quietly\"\"\"\r\n"
            "2,Pipe,a 5\" pipe\r\n",
            0);
    CHECK_EQ(got.n_docs, 2);
    CHECK_STR(got.docs[0].title, "A, B");
    CHECK_STR(got.docs[0].chunks[0].text, "says \"hi\", then\nleaves, \"quietly\"");
    CHECK_EQ(got.docs[0].chunks[0].line_begin, 2);
    CHECK_EQ(got.docs[0].chunks[0].line_end, 3);
    CHECK_STR(got.docs[1].chunks[0].text, "a 5\" pipe");
    CHECK_EQ(got.docs[1].chunks[0].line_begin, 4);
    read_as("csv", "id;text\n1;1,5 Liter\n", 0);
    CHECK_STR(got.docs[0].chunks[0].text, "1,5 Liter");
}

TEST(csv_of_a_quote_never_closed_names_its_line) {
    read_as("csv", "id,text\n1,one\n2,\"two\n3,three\n", 0);
    CHECK_EQ(got.n_docs, 1);
    CHECK_STR(got.bad[0], "mem:3: a quoted field begins here and does not end");
}

TEST(csv_without_a_text_column_is_plain_text) {
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, test_file_str("sum.csv", "city,people\nBonn,330000\n"), &o),
             got.err);
    CHECK_EQ(got.n_docs, 1);
    CHECK_HAS(got.docs[0].chunks[0].text, "Bonn,330000");
    CHECK_OK(ingest_path(&got, test_file_str("t.csv", "id,Text\n7,Bonn\n"), &o), got.err);
    CHECK_STR(got.docs[0].id, "7");
}

TEST(html_headings_lose_the_pilcrow_that_links_to_them) {
    read_as("html",
            "<title>T</title><h1>T</h1><h2>Guide<a href='#g'>\xC2\xB6</a></h2><p>Text \xC2\xB6</p>",
            0);
    CHECK_STR(chunk(0)->section, "Guide");
    CHECK_HAS(chunk(0)->text, "Text \xC2\xB6");
}

TEST(tsv_lines_that_do_not_fit_the_header_are_named) {
    read_as("tsv", "id\ttext\n1\tone\n2\n3\ta\tb\n4\tfour\n", 0);
    CHECK_EQ(got.n_docs, 2);
    CHECK_STR(got.bad[0], "mem:3: 1 columns, expected 2");
    CHECK_STR(got.bad[1], "mem:4: 3 columns, expected 2");
    read_as("tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\n", 0);
    CHECK_EQ(got.n_docs, 0);
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], "mem:1: no column is named \"text\"");
}

/* ---- Markdown ---- */

static const char guide[] = "---\n"
                            "title: \"The Guide\"\n"
                            "date: 2024-05-06\n"
                            "tags:\n"
                            "  - a\n"
                            "---\n"
                            "Before all.\n"
                            "\n"
                            "# Guide\n"
                            "One two three four.\n"
                            "\n"
                            "## Install ##\n"
                            "Run make twice, then wait.\n"
                            "\n"
                            "```sh\n"
                            "# no heading\n"
                            "\n"
                            "make install\n"
                            "```\n"
                            "\n"
                            "Usage\n"
                            "-----\n"
                            "- first\n"
                            "- second\n"
                            "\n"
                            "## Empty\n"
                            "# Other\n"
                            "The end.";

TEST(markdown_headings_make_section_paths) {
    read_as("md", guide, 8);
    const tn_doc *d = &got.docs[0];
    CHECK_STR(d->title, "The Guide");
    CHECK_EQ(d->time, 1714953600);
    CHECK_STR(d->meta, "{\"tags\":\"- a\"}");
    CHECK_EQ(d->n_chunks, 5);
    CHECK_STR(d->chunks[0].section, "");
    CHECK_STR(d->chunks[0].text, "Before all.\n\n# Guide\nOne two three four.");
    CHECK_STR(d->chunks[1].section, "Guide > Install");
    CHECK_STR(d->chunks[1].text, "Run make twice, then wait.");
    CHECK_STR(d->chunks[2].text, "```sh\n# no heading\n\nmake install\n```");
    CHECK_EQ(d->chunks[2].line_begin, 15);
    CHECK_EQ(d->chunks[2].line_end, 19);
    CHECK_STR(d->chunks[3].section, "Guide"); /* two short sisters */
    CHECK_STR(d->chunks[3].text, "Usage\n-----\n- first\n- second\n\n## Empty");
    CHECK_STR(d->chunks[4].section, "Other");
    CHECK_STR(d->chunks[4].text, "The end.");
    check_ranges(&got, guide, sizeof guide - 1);
}

TEST(markdown_without_front_matter_is_named_by_its_first_heading) {
    read_as("md", "# The *Title*\n\nText one.\n\n## Part\n\nText two.\n", 3);
    CHECK_STR(got.docs[0].title, "The *Title*");
    CHECK_STR(chunk(0)->section, ""); /* the title is not repeated */
    CHECK_STR(chunk(1)->section, "Part");
    CHECK_STR(chunk(1)->text, "Text two.");
    read_as("md", "---\nnot front matter, as it never ends\n", 0);
    CHECK_STR(got.docs[0].title, "mem");
    CHECK_STR(chunk(0)->text, "not front matter, as it never ends");
    read_as("md", "#no heading\n#\ttab heading\nx\n", 0);
    CHECK_STR(chunk(0)->text, "#no heading\n#\ttab heading\nx");
}

TEST(markdown_of_headings_only_is_still_text) {
    read_as("md", "# One\n## Two\n### Three\n# Four\n", 0);
    CHECK_EQ(got.docs[0].n_chunks, 2);
    CHECK_STR(chunk(0)->text, "### Three");
    CHECK_STR(chunk(0)->section, "Two > Three");
    CHECK_STR(chunk(1)->text, "# Four");
}

TEST(markdown_survives_crlf_and_a_byte_order_mark) {
    const char *text =
        "\xEF\xBB\xBF# Top\r\n\r\nSome words here.\r\n\r\nUnder\r\n=====\r\nMore.\r\n";
    read_as("md", text, 3);
    CHECK_STR(got.docs[0].title, "Top");
    CHECK_EQ(got.docs[0].n_chunks, 2);
    CHECK_STR(chunk(1)->section, "Under");
    check_ranges(&got, text, strlen(text));
}

/* ---- HTML ---- */

static const char page[] = "<!DOCTYPE html>\n"
                           "<html><head><title>My\n"
                           " page</title><meta name=date content=2024-01-02>\n"
                           "<style>p { color: red }</style><script>\n"
                           "if (a < b) { document.write(\"<p>no</p>\"); }\n"
                           "</script></head><body>\n"
                           "<nav><ul><li>Home</ul></nav>\n"
                           "<h1>Guide</h1>\n"
                           "<p>First with <b>bold</b> and\n"
                           "a &amp; caf&eacute;.\n"
                           "<!-- a\n"
                           "comment -->\n"
                           "Second line.</p>\n"
                           "<h2\n"
                           "id=x>Install</h2>\n"
                           "<ul><li>one<li>two\n"
                           "<p>and more</p></ul>\n"
                           "<table><tr><th>A<th>B<tr><td>1<td>2</table>\n"
                           "<pre>\n"
                           "code {\n"
                           "   x\n"
                           "}</pre>\n"
                           "<div>Last<br>words";

TEST(html_gives_text_in_sections_without_scripts_and_navigation) {
    read_as("html", page, 0);
    CHECK_STR(got.docs[0].title, "My page");
    CHECK_EQ(got.docs[0].time, 1704153600);
    CHECK_EQ(got.docs[0].n_chunks, 1);
    CHECK_STR(chunk(0)->section, "Guide");
    CHECK_STR(chunk(0)->text, "First with bold and a & caf\xC3\xA9. Second line.\n\nInstall\n\n"
                              "one\ntwo\nand more\n\nA | B\n1 | 2\n\ncode {\n   x\n}\n\n"
                              "Last\nwords");
}

/* The words of a passage, each found again within the lines it names? */
static void check_lines(const char *source, const tn_chunk *k, uint32_t first, uint32_t last) {
    CHECK_EQ(k->line_begin, first);
    CHECK_EQ(k->line_end, last);
    uint32_t line = 1;
    for (uint64_t i = 0; i < k->byte_begin; i++) line += source[i] == '\n';
    CHECK_EQ(line, first);
    CHECK(k->byte_begin == 0 || source[k->byte_begin - 1] == '\n');
    for (uint64_t i = k->byte_begin; i < k->byte_end; i++) line += source[i] == '\n';
    CHECK_EQ(line, last);
    CHECK(source[k->byte_end] == '\n' || source[k->byte_end] == '\0');
}

TEST(html_passages_name_the_lines_they_come_from) {
    read_as("html", page, 7);
    CHECK_EQ(got.docs[0].n_chunks, 5);
    CHECK_STR(chunk(0)->text, "First with bold and a & caf\xC3\xA9.");
    check_lines(page, chunk(0), 9, 10);
    CHECK_STR(chunk(1)->text, "Second line.");
    check_lines(page, chunk(1), 13, 13);
    CHECK_STR(chunk(2)->text, "one\ntwo\nand more");
    check_lines(page, chunk(2), 16, 17);
    CHECK_STR(chunk(3)->text, "A | B\n1 | 2");
    check_lines(page, chunk(3), 18, 18);
    CHECK_STR(chunk(4)->text, "code {\n   x\n}\n\nLast\nwords");
    check_lines(page, chunk(4), 20, 23);
}

/* The line of the word "w123" in the source; 0 if the text holds no word there. */
static uint32_t line_of_word(const char *source, const char *at, size_t n) {
    char word[16];
    size_t k = 1;
    if (n == 0 || *at != 'w') return 0;
    while (k < n && k < 14 && at[k] >= '0' && at[k] <= '9') k++;
    snprintf(word, sizeof word, "%.*s.", (int)k, at);
    const char *found = strstr(source, word);
    CHECK(found != NULL);
    uint32_t line = 1;
    for (const char *p = source; p < found; p++) line += *p == '\n';
    return line;
}

TEST(html_lines_are_right_whatever_the_markup) {
    static const char *const parts[] = {
        "<p>",
        "</p>",
        "\n",
        "\r\n",
        "<!--\n-\n-->",
        "<b>",
        "</b>",
        "<ul><li>",
        "<li>",
        "</ul>",
        "<h2>",
        "</h2>",
        "<pre>",
        "</pre>",
        "<br\n/>",
        "<script>\n1\n</script>",
        "<div\nid='\n'>",
        "</div>",
        "&amp;",
        "&#10;",
        "<table><tr>",
        "<td>",
        "</table>",
        "<nav>\n<i>no</i></nav>",
        "<![CDATA[\n]]>",
        "<?pi\n?>",
        "<x-y>",
        "</nonsense>",
        "&bogus;",
        "<style>\n</style>",
        " ",
    };
    enum { N_PARTS = sizeof parts / sizeof *parts };
    unsigned state = 11;
    size_t n_checked = 0;
    for (int round = 0; round < 800; round++) {
        tn_buf html = {0};
        for (int i = 0; i < 60; i++) {
            state = state * 1664525u + 1013904223u;
            unsigned pick = (state >> 16) % (2 * N_PARTS);
            if (pick < N_PARTS)
                tn_buf_str(&html, parts[pick]);
            else
                tn_buf_printf(&html, " w%d. ", i);
        }
        tern_index_opts o = ingest_opts();
        o.chunk_tokens = 1 + round % 9;
        o.chunk_overlap = 0;
        CHECK_OK(ingest_text(&got, "html", html.data, html.len, &o), got.err);
        for (size_t i = 0; got.n_docs && i < got.docs[0].n_chunks; i++) {
            const tn_chunk *k = chunk(i);
            const char *last = strrchr(k->text, 'w');
            uint32_t first_line = line_of_word(html.data, k->text, k->text_len);
            uint32_t last_line = last ? line_of_word(html.data, last, strlen(last)) : 0;
            if (first_line) CHECK_EQ(k->line_begin, first_line);
            if (last_line && strlen(last) <= 4) CHECK_EQ(k->line_end, last_line);
            n_checked += first_line && last_line;
        }
        tn_buf_deinit(&html);
    }
    CHECK(n_checked > 5000);
}

TEST(html_lines_are_right_in_long_paragraphs) {
    for (int shift = 0; shift < 12; shift++) { /* the parser hands long text over in pieces */
        tn_buf html = {0};
        tn_buf_printf(&html, "<p>%.*s", shift, "xxxxxxxxxxxx");
        for (int i = 0; i < 2000; i++) tn_buf_printf(&html, " w%d.%s", i, i % 3 ? "\n\n" : "");
        tern_index_opts o = ingest_opts();
        o.chunk_tokens = 1;
        CHECK_OK(ingest_text(&got, "html", html.data, html.len, &o), got.err);
        CHECK(got.docs[0].n_chunks >= 2000);
        for (size_t i = 1; i < got.docs[0].n_chunks; i++) {
            uint32_t line = line_of_word(html.data, chunk(i)->text, chunk(i)->text_len);
            CHECK_EQ(chunk(i)->line_begin, line);
            CHECK_EQ(chunk(i)->line_end, line);
        }
        tn_buf_deinit(&html);
    }
}

TEST(html_in_a_declared_charset_is_converted) {
    read_as("html", "<meta charset=iso-8859-1><p>caf\xE9\n<p>\x80 5", 0);
    CHECK_STR(chunk(0)->text, "caf\xC3\xA9\n\n\xE2\x82\xAC 5");
    CHECK(!got.docs[0].repaired);
    read_as("html", "<meta http-equiv=x content='text/html; charset=Shift_JIS'>\x93\xFA\x96\x7B",
            0);
    CHECK_STR(chunk(0)->text, "\xE6\x97\xA5\xE6\x9C\xAC");
    read_as("html", "<meta charset='latin1'><p>caf\xC3\xA9", 0); /* says one, is the other */
    CHECK_STR(chunk(0)->text, "caf\xC3\xA9");
    read_as("html", "<meta charset=\"../../odd\"><p>caf\xE9", 0);
    CHECK_STR(chunk(0)->text, "caf\xEF\xBF\xBD");
    CHECK(got.docs[0].repaired);
}

TEST(html_nested_without_end_is_read_down_to_a_depth) {
    tn_buf deep = {0};
    tn_buf_str(&deep, "<p>before</p>");
    for (int i = 0; i < 100000; i++) tn_buf_str(&deep, "<div>");
    tn_buf_str(&deep, "below</div>");
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_text(&got, "html", deep.data, deep.len, &o), got.err);
    tn_buf_deinit(&deep);
    CHECK_STR(chunk(0)->text, "before");
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], "nested deeper than");
}

TEST(html_does_not_expand_entities_or_reach_for_files) {
    read_as("html",
            "<!DOCTYPE html [<!ENTITY x SYSTEM \"file:///etc/passwd\"><!ENTITY y \"yy\">]>"
            "<p>a &x; b &y; c</p>",
            0);
    CHECK(!strstr(chunk(0)->text, "root:"));
    CHECK_HAS(chunk(0)->text, "&y; c");
}

TEST(html_without_text_is_named) {
    read_as("html", "<html><script>x()</script></html>", 0);
    CHECK_EQ(got.n_docs, 0);
    CHECK_STR(got.bad[0], "mem: empty: no text in it");
}

/* ---- PDF ---- */

/* A PDF of one line of text per page. */
static size_t make_pdf(char *out, size_t cap, const char *const *lines, int n_pages) {
    size_t at[32], len = 0;
    int n_objects = 0;
#define OBJECT(...)                                                                                \
    do {                                                                                           \
        at[n_objects++] = len;                                                                     \
        len += (size_t)snprintf(out + len, cap - len, "%d 0 obj\n", n_objects);                    \
        len += (size_t)snprintf(out + len, cap - len, __VA_ARGS__);                                \
        len += (size_t)snprintf(out + len, cap - len, "\nendobj\n");                               \
    } while (0)
    len = (size_t)snprintf(out, cap, "%%PDF-1.4\n");
    OBJECT("<< /Type /Catalog /Pages 2 0 R >>");
    char kids[200] = "";
    for (int i = 0; i < n_pages; i++)
        snprintf(kids + strlen(kids), sizeof kids - strlen(kids), "%d 0 R ", 4 + 2 * i);
    OBJECT("<< /Type /Pages /Kids [%s] /Count %d >>", kids, n_pages);
    OBJECT("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
    for (int i = 0; i < n_pages; i++) {
        OBJECT("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents %d 0 R "
               "/Resources << /Font << /F1 3 0 R >> >> >>",
               5 + 2 * i);
        OBJECT("<< /Length %zu >>\nstream\nBT /F1 9 Tf 9 99 Td (%s) Tj ET\nendstream",
               strlen(lines[i]) + 28, lines[i]);
    }
    size_t xref = len;
    len +=
        (size_t)snprintf(out + len, cap - len, "xref\n0 %d\n0000000000 65535 f \n", n_objects + 1);
    for (int i = 0; i < n_objects; i++)
        len += (size_t)snprintf(out + len, cap - len, "%010zu 00000 n \n", at[i]);
    len += (size_t)snprintf(out + len, cap - len,
                            "trailer << /Size %d /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n",
                            n_objects + 1, xref);
    return len;
}

TEST(pdf_passages_name_their_page) {
    if (system("command -v pdftotext >/dev/null") != 0) SKIP("no pdftotext");
    const char *lines[] = {"The first page has this line.", "The second has that one."};
    char data[4096];
    size_t n = make_pdf(data, sizeof data, lines, 2);
    tern_index_opts o = ingest_opts();
    o.chunk_tokens = 6;
    o.chunk_overlap = 0;
    CHECK_OK(ingest_path(&got, test_file("-two.pdf", data, n), &o), got.err);
    CHECK_EQ(got.n_bad, 0);
    CHECK_STR(got.docs[0].title, "-two");
    CHECK_EQ(got.docs[0].n_chunks, 2);
    CHECK_STR(chunk(0)->text, "The first page has this line.");
    CHECK_EQ(chunk(0)->page, 1);
    CHECK_EQ(chunk(0)->byte_end, n);
    CHECK_EQ(chunk(1)->page, 2);
    CHECK_EQ(got.counts.n_bytes, n);
    CHECK_OK(ingest_path(&got, test_file("cut.pdf", data, n / 2), &o), got.err);
    CHECK_EQ(got.n_docs, 0);
    CHECK_HAS(got.bad[0], "cut.pdf: pdftotext failed");
    CHECK_OK(ingest_text(&got, "pdf", data, n, &o), got.err); /* as it comes out of a .gz */
    CHECK_EQ(chunk(1)->page, 2);
}

/* Read a PDF with a pdftotext of our own making. */
static void read_with_tool(const char *script) {
    char data[4096], folder[512], *path = tn_strdup(getenv("PATH") ? getenv("PATH") : "");
    size_t n = make_pdf(data, sizeof data, (const char *[]){"text"}, 1);
    tern_error err;
    snprintf(folder, sizeof folder, "%s/bin", test_dir());
    CHECK_OK(tn_mkdirs(folder, &err), err);
    CHECK(chmod(test_file_str("bin/pdftotext", script), 0755) == 0);
    tern_index_opts o = ingest_opts();
    setenv("PATH", folder, 1);
    tern_status st = ingest_path(&got, test_file("tool.pdf", data, n), &o);
    setenv("PATH", path, 1);
    tn_free(path);
    CHECK_OK(st, got.err);
}

TEST(pdf_tools_that_misbehave_are_ended_and_named) {
    read_with_tool("#!/bin/sh\nwhile :; do printf '%65536s'; done\n");
    CHECK_STR(strrchr(got.bad[0], ':'), ": more than 64 MiB of text");
    read_with_tool("#!/bin/sh\nkill -9 $$\n");
    CHECK_STR(strrchr(got.bad[0], ':'), ": pdftotext used too much time or memory");
    read_with_tool("#!/bin/sh\necho Incorrect password >&2\necho more >&2\nexit 3\n");
    CHECK_HAS(got.bad[0], "tool.pdf: pdftotext failed (3): Incorrect password");
    CHECK(!strstr(got.bad[0], "more"));
    read_with_tool("#!/bin/sh\nprintf ' \\f\\f'\n");
    CHECK_HAS(got.bad[0], "no text in it");
    read_with_tool("#!/bin/sh\nulimit -v\nulimit -t\nulimit -c\n"); /* its limits */
    CHECK_STR(chunk(0)->text, "2097152\n120\n0");
}

TEST(pdf_without_the_tool_says_what_to_install) {
    char data[4096], *path = tn_strdup(getenv("PATH") ? getenv("PATH") : "");
    size_t n = make_pdf(data, sizeof data, (const char *[]){"text"}, 1);
    tern_index_opts o = ingest_opts();
    setenv("PATH", "/nonexistent", 1);
    tern_status st = ingest_path(&got, test_file("a.pdf", data, n), &o);
    setenv("PATH", path, 1);
    tn_free(path);
    CHECK_OK(st, got.err);
    CHECK_HAS(got.bad[0], "a.pdf: PDF, but pdftotext is not installed");
    CHECK_OK(ingest_path(&got, test_file_str("b.pdf", "plain text"), &o), got.err);
    CHECK_HAS(got.bad[0], "b.pdf: not a PDF");
}

TEST_MAIN
