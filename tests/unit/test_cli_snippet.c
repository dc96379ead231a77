/* Claims about what a person sees of a passage. */
#include "cli/snippet.h"
#include "tests/test.h"

static tern_error err;

/* The snippet with marks as <...>, as colour would show them. */
static const char *show(const char *query, const char *text, size_t width, size_t line) {
    static char out[4096];
    tn_cli cli = {.color = true};
    tn_snippets *s;
    tn_buf b = {0};
    CHECK_OK(tn_snippets_new("english", query, &s, &err), err);
    CHECK_OK(tn_snippet(s, &cli, text, strlen(text), width, line, 2, &b, &err), err);
    size_t n = 0;
    for (const char *p = tn_buf_cstr(&b); *p && n + 1 < sizeof out;) {
        if (strncmp(p, "\033[1m", 4) == 0)
            out[n++] = '<', p += 4;
        else if (strncmp(p, "\033[0m", 4) == 0)
            out[n++] = '>', p += 4;
        else
            out[n++] = *p++;
    }
    out[n] = '\0';
    tn_buf_deinit(&b);
    tn_snippets_free(s);
    return out;
}

TEST(words_are_marked_as_the_index_compares_them) {
    CHECK_STR(show("flying tern", "Terns, they fly.", 100, 80), "  <Terns>, they <fly>.\n");
    CHECK_STR(show("zebra", "No stripes here.", 100, 80), "  No stripes here.\n");
    CHECK_STR(show("the", "the end", 100, 80), "  the end\n"); /* a stop word is no hit */
}

TEST(the_densest_place_is_shown) {
    char text[2000] = "tern ";
    for (int i = 0; i < 60; i++) strcat(text, "filler words ");
    strcat(text, "here the arctic tern flies ");
    for (int i = 0; i < 60; i++) strcat(text, "filler words ");
    const char *shown = show("arctic tern", text, 60, 200);
    CHECK_HAS(shown, "<arctic> <tern>");
    CHECK(strncmp(shown, "  \xE2\x80\xA6 ", 6) == 0); /* cut at both ends */
    CHECK_HAS(shown, "\xE2\x80\xA6\n");
    CHECK(strlen(shown) < 120);
}

TEST(lines_wrap_and_long_words_stand) {
    const char *shown = show("x", "aaaa bbbb cccc aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa d", 200, 12);
    CHECK_STR(shown, "  aaaa bbbb\n  cccc\n  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  d\n");
}

TEST(nothing_a_passage_holds_reaches_the_terminal_as_a_command) {
    tn_buf b = {0};
    const char *evil = "a\033]0;t\007b\xC2\x9B"
                       "c\x7F"
                       "d\ne\xFF"
                       "f\xC3\xA9";
    tn_add_plain(&b, evil, strlen(evil));
    CHECK_STR(tn_buf_cstr(&b), "a ]0;t b c d e f\xC3\xA9");
    tn_buf_deinit(&b);
}

TEST(a_cut_never_falls_inside_a_character) {
    char text[512] = "";
    for (int i = 0; i < 100; i++) strcat(text, "\xE2\x82\xAC"); /* one long word of euro signs */
    for (size_t width = 1; width < 40; width++) {
        const char *shown = show("x", text, width, 500);
        for (const char *p = shown; *p; p++)
            if ((unsigned char)*p == 0xE2) {
                CHECK((p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80);
            }
    }
    CHECK_STR(show("x", "", 10, 80), "\n");
}

TEST(a_place_is_a_line_a_range_or_a_page) {
    tn_buf b = {0};
    tern_passage p = {.source = "a.md", .line_begin = 3, .line_end = 3};
    tn_add_place(&b, &p);
    p.line_end = 9;
    tn_buf_char(&b, ' ');
    tn_add_place(&b, &p);
    p.page = 2;
    tn_buf_char(&b, ' ');
    tn_add_place(&b, &p);
    CHECK_STR(tn_buf_cstr(&b), "a.md:3 a.md:3-9 a.md p. 2");
    tn_buf_deinit(&b);
}

TEST_MAIN
