/* Claims about serve/retrieve.c. */
#include "core/base/json.h"
#include "serve/retrieve.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_retrieve r;
static tern_error err;
static const char *field;

static tern_status parse(const char *body) {
    err = (tern_error){0};
    return tn_retrieve_parse(body, strlen(body), 3, 50, &r, &field, &err);
}

TEST(retrieve_computes_equal_queries_once) {
    CHECK_OK(
        parse("{\"queries\":[\"a\",\"b\",\"a\",\"\",\"b\"],\"topk\":7,\"return_scores\":true}"),
        err);
    CHECK_EQ(r.n_slots, 5);
    CHECK_EQ(r.queries.n, 3);
    CHECK_EQ(r.slot[2], r.slot[0]);
    CHECK_EQ(r.slot[4], r.slot[1]);
    CHECK_STR(r.queries.keys[r.slot[1]].s, "b");
    CHECK_EQ(r.topk, 7);
    CHECK(r.scores && !r.single);
    tn_retrieve_deinit(&r);
}

TEST(retrieve_fills_in_what_is_missing_null_or_zero) {
    static const char *bodies[] = {
        "{\"queries\":[\"a\"]}", "{\"queries\":[\"a\"],\"topk\":0}",
        "{\"queries\":[\"a\"],\"topk\":null,\"return_scores\":null,\"nonsense\":{\"x\":[]}}",
        "{\"queries\":[\"a\"],\"query\":5}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        CHECK_OK(parse(bodies[i]), err);
        CHECK_EQ(r.topk, 3);
        CHECK(!r.scores && !r.single);
        tn_retrieve_deinit(&r);
    }
    CHECK_OK(parse("{\"query\":\"a\",\"topk\":2.0,\"queries\":null}"), err);
    CHECK(r.single);
    CHECK_EQ(r.topk, 2);
    tn_retrieve_deinit(&r);
    CHECK_OK(parse("{\"queries\":[]}"), err);
    CHECK_EQ(r.n_slots, 0);
    tn_retrieve_deinit(&r);
}

TEST(retrieve_names_the_member_at_fault) {
    static const struct {
        const char *body, *field, *text;
        tern_status status;
    } cases[] = {
        {"", "", "JSON", TERN_ERR_FORMAT},
        {"{\"queries\":[\"a\"", "", "JSON, byte", TERN_ERR_FORMAT},
        {"[]", "", "JSON object", TERN_ERR_FORMAT},
        {"{}", "queries", "missing", TERN_ERR_FORMAT},
        {"{\"queries\":null}", "queries", "list of strings", TERN_ERR_FORMAT},
        {"{\"queries\":\"a\"}", "queries", "list of strings", TERN_ERR_FORMAT},
        {"{\"queries\":[\"a\",1]}", "queries", "queries[1]", TERN_ERR_FORMAT},
        {"{\"query\":[\"a\"]}", "query", "a string", TERN_ERR_FORMAT},
        {"{\"query\":\"a\",\"topk\":-1}", "topk", "whole number", TERN_ERR_FORMAT},
        {"{\"query\":\"a\",\"topk\":1.5}", "topk", "whole number", TERN_ERR_FORMAT},
        {"{\"query\":\"a\",\"topk\":\"3\"}", "topk", "whole number", TERN_ERR_FORMAT},
        {"{\"query\":\"a\",\"topk\":true}", "topk", "whole number", TERN_ERR_FORMAT},
        {"{\"query\":\"a\",\"topk\":51}", "topk", "at most 50", TERN_ERR_LIMIT},
        {"{\"query\":\"a\",\"return_scores\":1}", "return_scores", "true or false",
         TERN_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(parse(cases[i].body), cases[i].status);
        CHECK_STR(field, cases[i].field);
        CHECK_HAS(err.text, cases[i].text);
        CHECK(r.slot == NULL);
    }
}

static const tern_passage passage = {
    .id = "d\"1", .title = "Two\nLines", .text = "caf\xC3\xA9\n.", .text_len = 7};

static void answer(tn_buf *out) {
    tn_buf lists[2] = {{0}, {0}};
    tn_buf_char(&lists[0], '[');
    tn_retrieve_add_item(&passage, 0.1f, r.scores, &lists[0]);
    tn_buf_char(&lists[0], ']');
    tn_buf_str(&lists[1], "[]");
    tn_retrieve_add_answer(&r, lists, out);
    tn_buf_deinit(&lists[0]);
    tn_buf_deinit(&lists[1]);
}

#define DOCUMENT                                                                                   \
    "{\"id\":\"d\\\"1\",\"contents\":\"\\\"Two Lines\\\"\\ncaf\xC3\xA9\\n.\","                     \
    "\"title\":\"Two\\nLines\",\"text\":\"caf\xC3\xA9\\n.\"}"

TEST(retrieve_answers_in_the_shape_that_was_asked_for) {
    tn_buf out = {0};
    CHECK_OK(parse("{\"queries\":[\"a\",\"b\",\"a\"],\"return_scores\":true}"), err);
    answer(&out);
    CHECK_STR(tn_buf_cstr(&out),
              "{\"result\":[[{\"document\":" DOCUMENT
              ",\"score\":0.100000001}],[],[{\"document\":" DOCUMENT ",\"score\":0.100000001}]]}");
    tn_retrieve_deinit(&r);
    tn_buf_reset(&out);
    CHECK_OK(parse("{\"queries\":[\"a\"]}"), err);
    answer(&out);
    CHECK_STR(tn_buf_cstr(&out), "{\"result\":[[" DOCUMENT "]]}");
    tn_retrieve_deinit(&r);
    tn_buf_reset(&out);
    CHECK_OK(parse("{\"query\":\"a\"}"), err);
    answer(&out);
    CHECK_STR(tn_buf_cstr(&out), "{\"result\":[" DOCUMENT "]}");
    tn_retrieve_deinit(&r);
    tn_buf_reset(&out);
    CHECK_OK(parse("{\"queries\":[]}"), err);
    tn_retrieve_add_answer(&r, NULL, &out);
    CHECK_STR(tn_buf_cstr(&out), "{\"result\":[]}");
    tn_retrieve_deinit(&r);
    tn_buf_deinit(&out);
}

TEST(retrieve_survives_every_allocation_failure) {
    for (int64_t k = 0;; k++) {
        tn_buf out = {0};
        tn_mem_fail_after(k, 1);
        tern_status st = parse("{\"queries\":[\"a\",\"b\"],\"return_scores\":true}");
        if (st == TERN_OK) {
            answer(&out);
            st = tn_buf_status(&out, &err);
        }
        tn_mem_fail_after(-1, 0);
        tn_retrieve_deinit(&r);
        if (st == TERN_OK) CHECK_HAS(tn_buf_cstr(&out), "0.100000001}],[]]}");
        tn_buf_deinit(&out);
        if (st == TERN_OK) break;
        CHECK_EQ(st, TERN_ERR_NOMEM);
        CHECK_STR(err.text[0] ? "said" : "", "said");
    }
}

TEST_MAIN
