/* test_lm_complete.c - text out of a model: streams, stop texts, limits, cancellation. */
#include "core/lm/stops.h"
#include "tern/generate.h"
#include "tests/test.h"

#include "core/base/buf.h"
#include "core/base/mem.h"

static tern_model *load(bool tokenizer) {
    tern_error e;
    tern_model *m = NULL;
    tern_model_opts o = tern_model_defaults();
    o.weights = TERN_WEIGHTS_F32;
    o.tokenizer = tokenizer;
    CHECK_OK(tern_model_open(TERN_SOURCE_DIR "/tests/golden/lm/llama3", &o, NULL, &m, &e), e);
    return m;
}

static tern_prompt say(const char *text) {
    return (tern_prompt){.text = text, .len = strlen(text)};
}

static tern_generate_opts sampled(const tern_model *m) {
    tern_generate_opts o = tern_generate_defaults(m);
    o.temperature = 1;
    o.max_tokens = 20;
    o.ignore_stop_ids = true;
    return o;
}

static bool collect(void *ud, size_t prompt, size_t sample, const char *text, size_t len) {
    tn_buf *parts = ud;
    tn_buf_add(&parts[prompt * 2 + sample], text, len);
    return true;
}

TEST(the_stream_is_the_text_and_a_seed_repeats_it) {
    tern_model *m = load(true);
    tern_error e;
    tern_completions *a = NULL, *b = NULL;
    tn_buf parts[6] = {{0}};
    tern_prompt prompts[] = {say("hello"), say("a bird"), say("tern.")};
    tern_generate_opts o = sampled(m);
    o.n_samples = 2;
    o.text = collect;
    o.ud = parts;
    CHECK_OK(tern_generate(m, prompts, 3, &o, NULL, &a, &e), e);
    o.text = NULL;
    o.deterministic = true;
    CHECK_OK(tern_generate(m, prompts, 3, &o, NULL, &b, &e), e);
    CHECK_EQ(tern_completions_n(a), 6);
    for (size_t i = 0; i < 6; i++) {
        const tern_completion *c = tern_completions_at(a, i), *d = tern_completions_at(b, i);
        CHECK_EQ(c->n_tokens, 20);
        CHECK_EQ(c->finish, TERN_FINISH_LENGTH);
        CHECK_STR(c->text, tn_buf_cstr(&parts[i]));
        CHECK_STR(c->text, d->text);
        CHECK(c->n_prompt_tokens > 3);
        tn_buf_deinit(&parts[i]);
    }
    tern_completions_free(a);
    tern_completions_free(b);
    tern_model_close(m);
}

TEST(a_stop_text_ends_a_sample_wherever_it_lies) {
    tern_model *m = load(true);
    tern_error e;
    tern_prompt p = say("hello");
    tern_generate_opts o = sampled(m);
    tern_completions *all = NULL, *cut = NULL;
    CHECK_OK(tern_generate(m, &p, 1, &o, NULL, &all, &e), e);
    const tern_completion *c = tern_completions_at(all, 0);
    CHECK(c->len > 8);
    for (size_t at = 1; at + 3 <= c->len; at++) {
        char stop[4] = {0};
        memcpy(stop, c->text + at, 3);
        if (strstr(c->text, stop) != c->text + at || (stop[0] & 0x80)) continue;
        const char *stops[] = {"never!", stop};
        tn_buf stream[2] = {{0}};
        o.stops = stops;
        o.n_stops = 2;
        o.text = collect;
        o.ud = stream;
        CHECK_OK(tern_generate(m, &p, 1, &o, NULL, &cut, &e), e);
        const tern_completion *d = tern_completions_at(cut, 0);
        CHECK_EQ(d->len, at);
        CHECK(memcmp(d->text, c->text, at) == 0);
        CHECK_STR(d->text, tn_buf_cstr(&stream[0]));
        CHECK_EQ(d->finish, TERN_FINISH_STOP);
        tn_buf_deinit(&stream[0]);
        tern_completions_free(cut);
    }
    tern_completions_free(all);
    tern_model_close(m);
}

TEST(stop_texts_wait_only_as_long_as_they_may_come_true) {
    const char *texts[] = {"</s>", "###"};
    tn_stops s = {.texts = texts, .n = 2};
    bool stopped;
    CHECK_EQ(tn_stops_scan(&s, "abc", 3, 0, false, &stopped), 3);
    CHECK_EQ(tn_stops_scan(&s, "abc</", 5, 3, false, &stopped), 3);
    CHECK(!stopped);
    CHECK_EQ(tn_stops_scan(&s, "abc</p", 6, 3, false, &stopped), 6);
    CHECK_EQ(tn_stops_scan(&s, "abc</s>", 7, 3, false, &stopped), 3);
    CHECK(stopped);
    CHECK_EQ(tn_stops_scan(&s, "a##</s", 6, 0, true, &stopped), 6);
    CHECK_EQ(tn_stops_scan(&s, "a####", 5, 1, false, &stopped), 1);
    CHECK(stopped);
}

static bool at_once(void *ud) {
    (void)ud;
    return true;
}

static bool no_more(void *ud, size_t prompt, size_t sample, const char *text, size_t len) {
    (void)prompt, (void)sample, (void)text, (void)len;
    return ++*(int *)ud < 3;
}

TEST(generation_can_be_cancelled_and_ended_by_the_caller) {
    tern_model *m = load(true);
    tern_error e;
    tern_prompt p = say("hello");
    tern_generate_opts o = sampled(m);
    tern_completions *c = NULL;
    tern_host host = {.cancelled = at_once};
    CHECK_EQ(tern_generate(m, &p, 1, &o, &host, &c, &e), TERN_ERR_CANCELLED);
    CHECK(c == NULL);
    int n = 0;
    o.text = no_more;
    o.ud = &n;
    CHECK_OK(tern_generate(m, &p, 1, &o, NULL, &c, &e), e);
    CHECK_EQ(tern_completions_at(c, 0)->finish, TERN_FINISH_CALLER);
    CHECK_EQ(n, 3);
    tern_completions_free(c);
    tern_model_close(m);
}

TEST(odd_prompts_have_defined_behaviour) {
    tern_model *m = load(true), *mute = load(false);
    tern_error e;
    tern_generate_opts o = sampled(m);
    tern_completions *c = NULL;
    tern_prompt p = say("");
    tern_status s = tern_generate(m, &p, 1, &o, NULL, &c, &e); /* the config names no bos */
    CHECK_EQ(s, TERN_ERR_ARG);
    CHECK_HAS(e.text, "prompt 0");
    char longest[100];
    memset(longest, 'a', sizeof longest);
    p = (tern_prompt){.text = longest, .len = sizeof longest};
    CHECK_EQ(tern_generate(m, &p, 1, &o, NULL, &c, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "context of 64");
    p = (tern_prompt){.text = "a\xff\xfe\xc3z", .len = 5}; /* ill-formed UTF-8 */
    CHECK_OK(tern_generate(m, &p, 1, &o, NULL, &c, &e), e);
    tern_completions_free(c);
    p = say("a");
    CHECK_EQ(tern_generate(mute, &p, 1, &o, NULL, &c, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "tokenizer");
    const int32_t ids[] = {7, 8}, bad[] = {7, 37};
    p = (tern_prompt){.tokens = ids, .n_tokens = 2};
    CHECK_OK(tern_generate(mute, &p, 1, &o, NULL, &c, &e), e);
    CHECK_EQ(tern_completions_at(c, 0)->n_tokens, 20);
    CHECK_STR(tern_completions_at(c, 0)->text, "");
    tern_completions_free(c);
    p.tokens = bad;
    CHECK_EQ(tern_generate(mute, &p, 1, &o, NULL, &c, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "token id 37");
    o.n_stops = 1;
    o.stops = (const char *const[]){""};
    CHECK_EQ(tern_generate(m, &p, 1, &o, NULL, &c, &e), TERN_ERR_ARG);
    tern_model_close(m);
    tern_model_close(mute);
}

TEST_MAIN
