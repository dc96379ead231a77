/* Claims about trainer/questions and trainer/facts: questions made from documents. */
#include "core/base/file.h"
#include "core/base/json.h"
#include "tests/test.h"
#include "trainer/questions.h"

#include "core/base/mem.h"

static void check_fact(const char *title, const char *text, const char *phrase,
                       const char *object) {
    tn_fact f[8];
    size_t n = tn_facts_find(title, text, f, 8);
    CHECK_EQ(n, 1);
    CHECK_STR(tn_relations[f[0].relation].phrase, phrase);
    CHECK_EQ(f[0].object.len, strlen(object));
    CHECK(memcmp(f[0].object.s, object, f[0].object.len) == 0);
}

TEST(facts_are_read_from_sentences_about_the_title) {
    check_fact("Camp Lantern", "Camp Lantern is a hut. It was founded by Ada Quill in 1950.",
               "founded by", "Ada Quill");
    check_fact("Ada Quill", "Ada Quill (born 1910) wrote books. Quill was born in York.", "born in",
               "York");
    check_fact("Fenn Light", "The Fenn Light, designed by the architect Bo Li, is tall.",
               "designed by", "Bo Li");
    check_fact("Silver Branch (novel)", "Silver Branch was written by Ada Quill of York.",
               "written by", "Ada Quill of York");
}

TEST(what_is_said_of_others_is_no_fact) {
    static const char *const texts[] = {
        "The harbour was built by Bo Li.",
        "Camp Lantern is a hut which lies beside a tower founded by Bo Li.",
        "It was born in May 1950.",
        "It was founded by fishermen.",
        "It was produced by American company funds.",
        "It lies in York, the capital of Wessex.",
        "She left, and her novel was published by Bo Li Press.",
        "",
        "Camp Lantern founded by",
    };
    tn_fact f[4];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (tn_facts_find("Camp Lantern", texts[i], f, 4)) FAIL("a fact in: %s", texts[i]);
}

static void check_class(const char *title, const char *text, const char *want) {
    tn_text c = tn_class_find(title, text);
    char have[64] = "";
    memcpy(have, c.s, c.len < 63 ? c.len : 63);
    CHECK_STR(have, want);
}

TEST(the_class_is_the_noun_phrase_of_the_first_sentence) {
    check_class("Ada Quill", "Ada Quill (1910-1980) was an English novelist who wrote.",
                "English novelist");
    check_class("Camp Lantern", "Camp Lantern is a research hut on Korran.", "research hut");
    check_class("Camp Lantern", "Camp Lantern is one of the oldest huts.", "");
    check_class("Camp Lantern", "Camp Lantern is the first hut.", "");
    check_class("Camp Lantern", "Korran is an island.", "");
    check_class("Camp Lantern", "Camp Lantern was a Norwegian.", "");
}

static tern_index *index_of(const char *lines) {
    char *jsonl = tn_path_join(test_dir(), "docs.jsonl"),
         *dir = tn_path_join(test_dir(), "docs.tern");
    const char *inputs[] = {jsonl};
    tern_index_opts o = tern_index_defaults();
    tern_index *ix = NULL;
    tern_error e;
    o.embedder = "none";
    CHECK_OK(tn_file_replace(jsonl, lines, strlen(lines), &e), e);
    CHECK_OK(tern_index_sync(dir, inputs, 1, &o, NULL, NULL, &e), e);
    CHECK_OK(tern_index_open(dir, &ix, &e), e);
    tn_free(jsonl);
    tn_free(dir);
    return ix;
}

static const char docs[] =
    "{\"id\":\"a\",\"title\":\"Camp Lantern\",\"text\":\"Camp Lantern is a research hut. It was "
    "founded by Ada Quill. The hut stands near Fenn Light.\"}\n"
    "{\"id\":\"b\",\"title\":\"Ada Quill\",\"text\":\"Ada Quill was an English novelist. She was "
    "born in Winterbourne.\"}\n"
    "{\"id\":\"c\",\"title\":\"Fenn Light\",\"text\":\"Fenn Light is a lighthouse. It was built by "
    "Bo Tangen.\"}\n"
    "{\"id\":\"d\",\"title\":\"empty\",\"text\":\"nothing is said here\"}\n";

static bool has_question(const tn_buf *b, const char *question, const char *supporting) {
    const char *at = strstr(b->data, question);
    if (!at) return false;
    const char *end = strchr(at, '\n'), *s = strstr(at, supporting);
    return s && s < end;
}

TEST(questions_span_one_and_two_passages_and_name_their_support) {
    tern_index *ix = index_of(docs);
    tn_question_opts o = tn_question_defaults();
    o.per_passage = 20;
    tn_question_report r;
    tn_buf b = {0}, again = {0};
    tern_error e;
    CHECK_OK(tn_questions_make(ix, &o, NULL, &b, &r, &e), e);
    CHECK_OK(tn_questions_make(ix, &o, NULL, &again, &r, &e), e);
    CHECK_STR(tn_buf_cstr(&b), tn_buf_cstr(&again));
    CHECK(has_question(&b, "\"Who founded Camp Lantern?\"", "[\"a\"]"));
    CHECK(has_question(&b, "\"Which research hut was founded by Ada Quill?\"", "[\"a\"]"));
    CHECK(has_question(&b, "\"Where was the founder of Camp Lantern born?\"", "[\"a\",\"b\"]"));
    CHECK(has_question(&b,
                       "\"Which research hut was founded by the English novelist who was born "
                       "in Winterbourne?\"",
                       "[\"a\",\"b\"]"));
    CHECK(has_question(&b, "\"Who built the lighthouse named in the account of Camp Lantern?\"",
                       "[\"a\",\"c\"]"));
    const char *line = b.data;
    for (size_t n = 0; *line; n++) { /* every line is JSON; two-hop questions come first */
        json_t *q;
        size_t len = strcspn(line, "\n");
        CHECK_OK(tn_json_parse(line, len, &q, &e), e);
        CHECK_EQ(json_array_size(json_object_get(q, "supporting")), n < r.n_two_hop ? 2 : 1);
        json_decref(q);
        line += len + 1;
    }
    CHECK_EQ(r.n_lost, 0);
    o.n = 2;
    tn_buf_reset(&again);
    CHECK_OK(tn_questions_make(ix, &o, NULL, &again, &r, &e), e);
    CHECK_EQ(r.n_one_hop + r.n_two_hop, 2);
    CHECK(memcmp(again.data, b.data, again.len) == 0);
    tn_buf_deinit(&b);
    tn_buf_deinit(&again);
    tern_index_close(ix);
}

TEST(documents_without_facts_give_no_questions) {
    tern_index *ix = index_of("{\"id\":\"z\",\"title\":\"\",\"text\":\"Il pleut.\"}\n");
    tn_question_opts o = tn_question_defaults();
    tn_question_report r;
    tn_buf b = {0};
    tern_error e;
    (void)ix;
    CHECK_OK(tn_questions_make(ix, &o, NULL, &b, &r, &e), e);
    tn_buf_deinit(&b);
    tern_index_close(ix);
}

TEST(making_questions_survives_every_failed_allocation) {
    tern_index *ix = index_of(docs);
    tn_question_opts o = tn_question_defaults();
    for (int64_t k = 0;; k++) {
        tn_question_report r;
        tn_buf b = {0};
        tern_error e = {0};
        tn_mem_fail_after(k, 0);
        tern_status st = tn_questions_make(ix, &o, NULL, &b, &r, &e);
        tn_mem_fail_after(-1, 0);
        tn_buf_deinit(&b);
        if (st == TERN_OK) break;
        CHECK_EQ(st, TERN_ERR_NOMEM);
        CHECK(k < 20000);
    }
    tern_index_close(ix);
}

TEST_MAIN
