/* Claims about trainer/mask_recall. */
#include "core/base/file.h"
#include "tests/test.h"
#include "trainer/mask_recall.h"

#include "core/base/mem.h"

static const char lines[] =
    "{\"id\":\"1\",\"tokens\":[\"Yesterday\",\"Ada\",\"Quill\",\"saw\",\"grenvik\"],"
    "\"tags\":[\"O\",\"B-PER\",\"I-PER\",\"O\",\"B-LOC\"]}\n"
    "\n"
    "{\"id\":\"2\",\"question\":\"Où naquit Zoë Lund?\",\"entities\":["
    "{\"start\":10,\"end\":18,\"type\":\"PER\"},{\"start\":-1,\"end\":3,\"type\":\"NUM\"}]}\n";

static tn_masker *no_titles(void) {
    tn_masker *m;
    tern_error e;
    CHECK_OK(tn_masker_new(&m, &e), e);
    return m;
}

static tn_mask_recall recall_of(const tn_masker *m, bool lower) {
    char *file = tn_path_join(test_dir(), "names.jsonl");
    tn_mask_recall r;
    tern_error e;
    CHECK_OK(tn_file_replace(file, lines, strlen(lines), &e), e);
    CHECK_OK(tn_mask_recall_file(m, file, lower, &r, &e), e);
    tn_free(file);
    return r;
}

TEST(marked_names_are_counted_by_what_is_hidden_of_them) {
    tn_masker *m = no_titles();
    tn_mask_recall r = recall_of(m, false);
    CHECK_EQ(r.n_texts, 2);
    CHECK_EQ(r.n_unplaced, 1);
    CHECK_EQ(r.all.n_marked, 3); /* both people are hidden, the place in lower case is not */
    CHECK_EQ(r.all.n_whole, 2);
    CHECK_EQ(r.all.n_touched, 2);
    CHECK_EQ(r.all.n_letters, 8 + 7 + 8); /* the e with dots is two bytes */
    CHECK_EQ(r.all.n_letters_hidden, 8 + 8);
    CHECK_EQ(r.n_types, 2);
    CHECK_STR(r.types[0].name, "PER");
    CHECK_EQ(r.types[0].count.n_whole, 2);
    CHECK_STR(r.types[1].name, "LOC");
    CHECK_EQ(r.types[1].count.n_whole, 0);
    CHECK(r.n_spans >= 2 && r.n_spans_right == 2);
    tn_masker_free(m);
}

TEST(lower_case_hides_less_and_titles_bring_it_back) {
    tn_masker *m = no_titles();
    tern_error e;
    CHECK_EQ(recall_of(m, true).all.n_whole, 0);
    CHECK_OK(tn_masker_add_title(m, "Zoë Lund", "Zoë Lund (born 1880)", &e), e);
    CHECK_EQ(recall_of(m, true).all.n_whole, 1);
    tn_masker_free(m);
}

TEST(a_name_hidden_in_part_is_touched_but_not_whole) {
    static const char line[] = "{\"tokens\":[\"Keeper\",\"Quill\",\"senior\"],"
                               "\"tags\":[\"O\",\"B-PER\",\"I-PER\"]}";
    tn_masker *m = no_titles();
    tn_mask_recall r = {0};
    tern_error e;
    CHECK_OK(tn_mask_recall_line(m, line, strlen(line), false, &r, &e), e);
    CHECK_EQ(r.all.n_marked, 1);
    CHECK_EQ(r.all.n_touched, 1);
    CHECK_EQ(r.all.n_whole, 0);
    CHECK_EQ(r.all.n_letters_hidden, 5);
    tn_masker_free(m);
}

TEST(lines_that_are_not_annotated_text_are_refused_with_their_place) {
    static const char *const wrong[][2] = {
        {"{\"id\":\"1\"}", "'tokens' and 'tags'"},
        {"[1, 2]", "'tokens' and 'tags'"},
        {"{\"tokens\":[\"a\"],\"tags\":[]}", "1 tokens but 0 tags"},
        {"{\"tokens\":[7],\"tags\":[\"O\"]}", "not a string"},
        {"{\"question\":\"ab\",\"entities\":[{\"start\":1,\"end\":9}]}", "outside"},
        {"{\"question\":\"ab\",\"entities\":[{\"start\":1}]}", "outside"},
        {"{\"question\":\"ab\",\"entities\":[7]}", "outside"},
        {"{\"question\"", "byte"},
    };
    tn_masker *m = no_titles();
    char *file = tn_path_join(test_dir(), "wrong.jsonl");
    tern_error e;
    tn_mask_recall r;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_OK(tn_file_replace(file, wrong[i][0], strlen(wrong[i][0]), &e), e);
        CHECK_EQ(tn_mask_recall_file(m, file, false, &r, &e), TERN_ERR_FORMAT);
        CHECK_HAS(e.text, "wrong.jsonl:1");
        CHECK_HAS(e.text, wrong[i][1]);
    }
    CHECK_OK(tn_file_replace(file, "\n", 1, &e), e);
    CHECK_EQ(tn_mask_recall_file(m, file, false, &r, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "no annotated text");
    tn_free(file);
    tn_masker_free(m);
}

TEST(counting_survives_every_failed_allocation) {
    tn_masker *m = no_titles();
    for (int64_t k = 0;; k++) {
        tn_mask_recall r = {0};
        tn_mem_fail_after(k, 0);
        tern_status st = tn_mask_recall_line(m, lines, strcspn(lines, "\n"), false, &r, NULL);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
        if (st == TERN_OK) break;
    }
    tn_masker_free(m);
}

TEST_MAIN
