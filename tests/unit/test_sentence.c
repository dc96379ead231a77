/* Claims about sentence boundaries. */
#include "retriever/text/sentence.h"
#include "tests/test.h"

#include "core/base/mem.h"

/* The sentences joined by '|'. */
static const char *cut(const char *text) {
    static char joined[1024];
    tn_span spans[32];
    size_t n = tn_sentences(text, strlen(text), spans, 32), len = 0;
    for (size_t i = 0; i < n && i < 32; i++)
        len += (size_t)snprintf(joined + len, sizeof joined - len, "%s%.*s", i ? "|" : "",
                                (int)(spans[i].end - spans[i].begin), text + spans[i].begin);
    joined[len] = '\0';
    return joined;
}

TEST(sentences_end_at_stops_before_a_capital) {
    CHECK_STR(cut("It rained. We left! Why? Because."), "It rained.|We left!|Why?|Because.");
    CHECK_STR(cut("  no stop at all \n"), "no stop at all");
    CHECK_STR(cut(""), "");
    CHECK_STR(cut(" \n \n"), "");
}

TEST(sentences_go_on_through_abbreviations_initials_and_numbers) {
    CHECK_STR(cut("Dr. Smith met J. R. R. Tolkien at St. Mary. He paid 3.50 dollars."),
              "Dr. Smith met J. R. R. Tolkien at St. Mary.|He paid 3.50 dollars.");
    CHECK_STR(cut("See Fig. 3 and No. 7, e.g. Berlin. No. That is all."),
              "See Fig. 3 and No. 7, e.g. Berlin.|No.|That is all.");
    CHECK_STR(
        cut("Acme Inc. CEO Ann Roe left the U.S. Senate. She joined Acme Inc. The firm grew."),
        "Acme Inc. CEO Ann Roe left the U.S. Senate.|She joined Acme Inc.|The firm grew.");
    CHECK_STR(cut("1. Install it. 2. Run it."), "1. Install it.|2. Run it.");
    CHECK_STR(cut("Visit example.org for more. done"), "Visit example.org for more. done");
}

TEST(sentences_keep_their_closing_quotes_and_brackets) {
    CHECK_STR(cut("\"Is it?\" he asked. (It was.) \"Good.\" Then silence."),
              "\"Is it?\" he asked.|(It was.)|\"Good.\"|Then silence.");
    CHECK_STR(cut("\xE2\x80\x9CGo!\xE2\x80\x9D They went."),
              "\xE2\x80\x9CGo!\xE2\x80\x9D|They went.");
    CHECK_STR(cut("Wait... what? And so... The end."), "Wait... what?|And so...|The end.");
}

TEST(sentences_of_unspaced_scripts_end_at_their_own_stops) {
    CHECK_STR(cut("\xE4\xBB\x8A\xE5\xA4\xA9\xE3\x80\x82\xE5\xA5\xBD\xEF\xBC\x9F\xE5\xA5\xBD"),
              "\xE4\xBB\x8A\xE5\xA4\xA9\xE3\x80\x82|\xE5\xA5\xBD\xEF\xBC\x9F|\xE5\xA5\xBD");
}

TEST(sentences_end_at_empty_lines_but_not_at_line_ends) {
    CHECK_STR(cut("A heading\n\nThe text runs\non. And on."),
              "A heading|The text runs\non.|And on.");
    CHECK_STR(cut("one\r\n\r\ntwo"), "one|two");
}

TEST(sentences_hold_every_byte_but_white_space) {
    const char *alphabet[] = {".", " ", "\n", "A", "b", "\"", "\xFF", "\xE3\x80\x82",
                              "1", "?", "Mr"};
    unsigned state = 1;
    for (int round = 0; round < 2000; round++) {
        char text[80] = "";
        for (int i = 0; i < 12; i++) {
            state = state * 1664525u + 1013904223u;
            strcat(text, alphabet[(state >> 16) % 11]);
        }
        size_t pos = 0, at = 0, len = strlen(text);
        for (tn_span s; tn_sentence_next(text, len, &pos, &s); at = s.end) {
            CHECK(s.begin < s.end && s.begin >= at && s.end <= len && pos >= s.end);
            for (size_t i = at; i < s.begin; i++) CHECK(text[i] == ' ' || text[i] == '\n');
        }
        for (size_t i = at; i < len; i++) CHECK(text[i] == ' ' || text[i] == '\n');
    }
}

TEST_MAIN
