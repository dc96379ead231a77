/* A local model as the searcher: random weights, so what it writes is noise; what is tested is that
 * the protocol holds around any noise. */
#include "tern/llm.h"
#include "tests/index_fixture.h"
#include "tests/model_folder.h"

#include "core/base/mem.h"

static tern_error err;
static const char question[] = "Which ocean storm has number7?";

static tern_index *docs_index(void) {
    static tern_index *ix;
    if (ix) return ix;
    const char *input = write_docs("docs.jsonl", 0, 50, "first");
    CHECK_OK(tern_index_sync(path_of("docs.tern"), &input, 1, NULL, NULL, NULL, &err), err);
    CHECK_OK(tern_index_open(path_of("docs.tern"), &ix, &err), err);
    return ix;
}

static tern_policy *open_policy(const tern_model_policy_opts *o) {
    tern_policy *p;
    CHECK_OK(tern_policy_model(model_folder("writer", MODEL_DECODER, 1), o, NULL, &p, &err), err);
    return p;
}

typedef struct seen {
    tn_buf text;
    size_t n_pieces, n_invalid;
} seen;

static void watch(void *ud, const tern_agent_event *ev) {
    seen *s = ud;
    if (ev->kind == TERN_EVENT_TEXT) tn_buf_add(&s->text, ev->text, ev->text_len);
    s->n_pieces += ev->kind == TERN_EVENT_TEXT;
    s->n_invalid += ev->kind == TERN_EVENT_INVALID;
}

static tern_status ask(const tern_policy *p, uint64_t seed, seen *s, tern_answer **a) {
    tern_agent *agent;
    tern_agent_opts o = tern_agent_defaults();
    o.temperature = 1;
    o.seed = seed;
    o.turns = 2;
    o.event = watch;
    o.ud = s;
    CHECK_OK(tern_agent_new(docs_index(), p, &o, &agent, &err), err);
    tern_status st = tern_agent_ask(agent, question, strlen(question), NULL, a, &err);
    tern_agent_free(agent);
    return st;
}

TEST(whatever_it_writes_the_episode_ends_and_repeats_by_seed) {
    tern_model_policy_opts o = tern_model_policy_defaults();
    o.max_tokens = 40;
    tern_policy *p = open_policy(&o);
    seen s[3] = {{{0}}};
    for (int i = 0; i < 3; i++) {
        tern_answer *a;
        CHECK_OK(ask(p, i < 2 ? 5 : 6, &s[i], &a), err);
        CHECK(a->text != NULL);
        tern_answer_free(a);
        CHECK(s[i].n_pieces > 10 && s[i].n_invalid > 0);
    }
    CHECK_STR(tn_buf_cstr(&s[0].text), tn_buf_cstr(&s[1].text));
    CHECK(strcmp(tn_buf_cstr(&s[0].text), tn_buf_cstr(&s[2].text)) != 0);
    for (int i = 0; i < 3; i++) tn_buf_deinit(&s[i].text);
    tern_policy_free(p);
}

TEST(its_own_rules_must_name_the_question) {
    tern_policy *p;
    tern_model_policy_opts o = tern_model_policy_defaults();
    o.prompt = "Answer the question.";
    const char *dir = model_folder("rules", MODEL_DECODER, 1);
    CHECK_EQ(tern_policy_model(dir, &o, NULL, &p, &err), TERN_ERR_ARG);
    CHECK_HAS(err.text, "{question}");
    o.prompt = "Search, then answer. Question: {question}\n";
    o.max_tokens = 8;
    CHECK_OK(tern_policy_model(dir, &o, NULL, &p, &err), err);
    seen s = {{0}};
    tern_answer *a;
    CHECK_OK(ask(p, 1, &s, &a), err);
    tern_answer_free(a);
    tn_buf_deinit(&s.text);
    tern_policy_free(p);
}

TEST(a_transcript_longer_than_the_context_says_so) {
    tn_buf rules = {0};
    for (int i = 0; i < 2000; i++) tn_buf_str(&rules, "rule ");
    tn_buf_str(&rules, "{question}");
    tern_model_policy_opts o = tern_model_policy_defaults();
    o.prompt = tn_buf_cstr(&rules);
    tern_policy *p = open_policy(&o);
    seen s = {{0}};
    tern_answer *a;
    CHECK_EQ(ask(p, 1, &s, &a), TERN_ERR_LIMIT);
    CHECK_HAS(err.text, "context");
    tn_buf_deinit(&s.text);
    tern_policy_free(p);
    tn_buf_deinit(&rules);
}

TEST(what_writes_no_text_is_no_policy) {
    tern_policy *p;
    CHECK_EQ(tern_policy_model(model_folder("reads", MODEL_ENCODER, 1), NULL, NULL, &p, &err),
             TERN_ERR_UNSUPPORTED);
    CHECK_EQ(tern_policy_model("/nonexistent", NULL, NULL, &p, &err), TERN_ERR_NOT_FOUND);
    tern_model_policy_opts o = tern_model_policy_defaults();
    o.chat = "klingon";
    CHECK_EQ(tern_policy_model(model_folder("chat", MODEL_DECODER, 1), &o, NULL, &p, &err),
             TERN_ERR_NOT_FOUND);
    o.chat = "chatml"; /* whose marks this vocabulary lacks: they stand as text, or it says so */
    if (tern_policy_model(model_folder("chat", MODEL_DECODER, 1), &o, NULL, &p, &err) == TERN_OK)
        tern_policy_free(p);
}

TEST_MAIN
