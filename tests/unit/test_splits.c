/* Claims about trainer/splits. The leak test of the real question sets runs where TERN_QA names
 * their folder: HotpotQA's and MuSiQue's training questions against their test questions. */
#include "core/base/file.h"
#include "tests/test.h"
#include "trainer/splits.h"

#include "core/base/mem.h"

static tern_questions questions_of(const char *name, const char *lines) {
    char *path = tn_path_join(test_dir(), name);
    tern_questions q;
    tern_error e;
    CHECK_OK(tn_file_replace(path, lines, strlen(lines), &e), e);
    CHECK_OK(tern_questions_load(path, &q, &e), e);
    tn_free(path);
    return q;
}

TEST(sides_depend_on_ids_alone) {
    tern_questions a = questions_of("a", "{\"id\":\"1\",\"question\":\"x\"}\n"
                                         "{\"id\":\"2\",\"question\":\"x\"}\n"
                                         "{\"id\":\"3\",\"question\":\"x\"}\n");
    tern_questions b = questions_of("b", "{\"id\":\"3\",\"question\":\"y\"}\n"
                                         "{\"id\":\"1\",\"question\":\"z\"}\n"
                                         "{\"id\":\"2\",\"question\":\"w\"}\n");
    bool x[3], y[3];
    tern_error e;
    CHECK_OK(tn_split_held_out(&a, 1, x, &e), e);
    CHECK_OK(tn_split_held_out(&b, 1, y, &e), e);
    CHECK_EQ(x[0] + x[1] + x[2], 1);
    CHECK(x[0] == y[1] && x[1] == y[2] && x[2] == y[0]);
    CHECK_OK(tn_split_held_out(&a, 9, x, &e), e);
    CHECK(x[0] && x[1] && x[2]);
    tern_questions_free(&a);
    tern_questions_free(&b);
}

TEST(a_shared_run_of_words_is_found_whatever_case_and_punctuation) {
    tern_questions train = questions_of(
        "t", "{\"id\":\"1\",\"question\":\"Who was the founder, in 1911, of Camp Lantern hut?\"}\n"
             "{\"id\":\"2\",\"question\":\"Short one?\"}\n");
    tern_questions test = questions_of(
        "u", "{\"id\":\"7\",\"question\":\"Tell me: WHO was the founder in 1911 of Camp X?\"}\n"
             "{\"id\":\"8\",\"question\":\"Who was the founder of Camp Lantern hut?\"}\n"
             "{\"id\":\"9\",\"question\":\"short one\"}\n");
    tn_leaks l;
    tern_error e;
    CHECK_OK(tn_leaks_find(&train, &test, 8, &l, &e), e);
    CHECK_EQ(l.n, 2);
    CHECK_STR(l.test->id, "7");
    CHECK_STR(l.train->id, "1");
    tern_questions_free(&train);
    tern_questions_free(&test);
}

TEST(training_questions_are_not_test_questions) {
    static const char *const files[][2] = {
        {"hotpotqa/questions.train.jsonl.gz", "hotpotqa/questions.test.jsonl.gz"},
        {"hotpotqa/questions.train.jsonl.gz", "musique/questions.test.jsonl"},
        {"musique/questions.train.jsonl", "hotpotqa/questions.test.jsonl.gz"},
        {"musique/questions.train.jsonl", "musique/questions.test.jsonl"}};
    const char *dir = getenv("TERN_QA");
    if (!dir) SKIP("TERN_QA does not name the folder of the question sets");
    for (size_t i = 0; i < 4; i++) {
        char *a = tn_path_join(dir, files[i][0]), *b = tn_path_join(dir, files[i][1]);
        tern_questions train, test;
        tn_leaks l;
        tern_error e;
        CHECK_OK(tern_questions_load(a, &train, &e), e);
        CHECK_OK(tern_questions_load(b, &test, &e), e);
        CHECK_OK(tn_leaks_find(&train, &test, 12, &l, &e), e); /* the same question, reworded */
        if (l.n) FAIL("%zu, first: \"%s\" and \"%s\"", l.n, l.test->text, l.train->text);
        CHECK_OK(tn_leaks_find(&train, &test, 8, &l, &e), e);
        printf("%s, %s: %zu of %zu share 8 words%s%s\n", files[i][0], files[i][1], l.n, test.n,
               l.n ? ", e.g. " : "", l.n ? l.test->text : "");
        tern_questions_free(&train);
        tern_questions_free(&test);
        tn_free(a);
        tn_free(b);
    }
}

TEST_MAIN
