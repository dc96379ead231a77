/* Claims about cutting text into passages. */
#include "retriever/ingest/chunk.h"
#include "retriever/ingest/ingest_priv.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_arena arena;
static tn_cut *cuts;
static size_t n_cuts;

static void cut_plain(const char *text, uint32_t limit, uint32_t overlap) {
    const tn_block *blocks;
    size_t n_blocks;
    tern_error err;
    tn_arena_reset(&arena);
    CHECK_OK(tn_plain_blocks(&arena, text, strlen(text), &blocks, &n_blocks, &err), err);
    CHECK_OK(
        tn_chunk_cut(text, blocks, n_blocks, "", 0, limit, overlap, &arena, &cuts, &n_cuts, &err),
        err);
}

/* The passages joined by '|'. */
static const char *joined(const char *text) {
    static char out[4096];
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n_cuts; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%.*s", i ? "|" : "",
                                (int)(cuts[i].end - cuts[i].begin), text + cuts[i].begin);
    return out;
}

static const char *plain(const char *text, uint32_t limit, uint32_t overlap) {
    cut_plain(text, limit, overlap);
    return joined(text);
}

TEST(words_are_counted_by_white_space_length_and_script) {
    uint64_t cost;
    CHECK_EQ(tn_half_words("", 0), 0);
    CHECK_EQ(tn_half_words(" one  two\nthree ", 16), 6);
    CHECK_EQ(tn_half_words("\xE6\x97\xA5\xE6\x9C\xAC", 6), 2); /* two ideographs */
    CHECK_EQ(tn_half_words("in\xE6\x97\xA5 out", 9), 5);       /* a word, one, a word */
    CHECK_EQ(tn_half_words("0123456789012345678901234567890123456789", 40), 4);
    CHECK_EQ(tn_half_words_prefix("one two three", 13, 4, &cost), 7);
    CHECK_EQ(tn_half_words_prefix("one two three", 13, 5, &cost), 7);
    CHECK_EQ(tn_half_words_prefix("one two three", 13, 99, &cost), 13);
    CHECK_EQ(tn_half_words_prefix("one two", 7, 0, &cost), 3); /* always some progress */
}

TEST(what_fits_stays_whole) {
    CHECK_STR(plain("One two. Three.\n\nFour five.\n", 6, 2), "One two. Three.\n\nFour five.");
}

TEST(cuts_fall_between_paragraphs_first) {
    CHECK_STR(plain("One two three. Four.\n\nFive six. Seven eight.", 6, 0),
              "One two three. Four.|Five six. Seven eight.");
    /* but not when that would leave the passage more than half empty */
    CHECK_STR(plain("One.\n\nTwo three. Four five. Six seven. Eight nine.", 6, 0),
              "One.\n\nTwo three. Four five.|Six seven. Eight nine.");
}

TEST(cuts_fall_between_sentences_then_words) {
    CHECK_STR(plain("One two three. Four five. Six.", 5, 0), "One two three. Four five.|Six.");
    CHECK_STR(plain("one two three four five six seven", 3, 0),
              "one two three|four five six|seven");
    char blob[200];
    memset(blob, 'x', 199);
    blob[199] = '\0';
    cut_plain(blob, 2, 0); /* base64 or the like: pieces of 64 bytes */
    CHECK_EQ(n_cuts, 4);
    CHECK_EQ(cuts[3].end, 199);
}

TEST(overlap_begins_with_a_sentence_where_one_fits) {
    CHECK_STR(plain("One two three. Four five. Six seven. Eight nine.", 6, 2),
              "One two three. Four five.|Four five. Six seven. Eight nine.");
    CHECK_STR(plain("One two three four five. Six seven eight.", 6, 2),
              "One two three four five.|four five. Six seven eight.");
    /* no room beside the next sentence: no overlap */
    CHECK_STR(plain("One two three four. Five six seven eight.", 4, 2),
              "One two three four.|Five six seven eight.");
}

TEST(lists_are_cut_between_lines) {
    CHECK_STR(plain("- one two. x\n- three four\n- five six", 8, 3),
              "- one two. x\n- three four|- three four\n- five six");
}

TEST(unspaced_text_is_cut_at_its_stops) {
    const char *text = "\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82\xE6\x9C\xAC\xE6\x97\xA5\xE3\x80\x82";
    CHECK_STR(plain(text, 2, 0), "\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82|"
                                 "\xE6\x9C\xAC\xE6\x97\xA5\xE3\x80\x82");
}

/* Whatever the text and the limits: passages ascend, respect the limit, and hold every word. */
TEST(passages_hold_every_word_within_the_limit) {
    static const char *const parts[] = {"word",
                                        " ",
                                        ". ",
                                        "\n",
                                        "\n\n",
                                        "- item\n",
                                        "\xE6\x97\xA5",
                                        "\xFF",
                                        "Mr. ",
                                        "! ",
                                        "averyveryverylongwordwithoutanyendinsight"};
    unsigned state = 3;
    for (int round = 0; round < 4000; round++) {
        char text[400] = "";
        for (int i = 0; i < 30; i++) {
            state = state * 1664525u + 1013904223u;
            if (strlen(text) < 300) strcat(text, parts[(state >> 16) % 11]);
        }
        uint32_t limit = 1 + (state >> 8) % 12, overlap = (state >> 20) % 5;
        cut_plain(text, limit, overlap);
        size_t at = 0, begin = 0;
        for (size_t i = 0; i < n_cuts; i++) {
            const tn_cut *c = &cuts[i];
            CHECK(c->begin < c->end && c->end > at && (i == 0 || c->begin > begin));
            CHECK(tn_half_words(text + c->begin, c->end - c->begin) <= 2 * limit);
            for (size_t k = at; k < c->begin; k++) CHECK(strchr(" \n", text[k]));
            at = c->end;
            begin = c->begin;
        }
        for (size_t k = at; text[k]; k++) CHECK(strchr(" \n", text[k]));
    }
    tn_arena_deinit(&arena);
}

TEST_MAIN
