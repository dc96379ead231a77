/* Claims about trainer/reward. */
#include "core/base/mem.h"
#include "tests/test.h"
#include "trainer/reward.h"

static uint64_t df_of(void *ud, const char *term, size_t len) {
    (void)ud;
    (void)term;
    return len < 4 ? 500 : 5; /* short words are common here */
}

typedef struct fixture {
    tn_analyzer *analyzer;
    tn_masker *masker;
    tn_arena arena;
    tn_lexicon lexicon;
} fixture;

static void setup(fixture *f) {
    tern_error err;
    *f = (fixture){.lexicon = {NULL, 1000, df_of}};
    CHECK_OK(tn_analyzer_new("english", &f->analyzer, &err), err);
    CHECK_OK(tn_masker_new(&f->masker, &err), err);
    CHECK_OK(tn_masker_add_title(f->masker, "Petrel Station", "is a research station", &err), err);
    CHECK_OK(tn_masker_add_title(f->masker, "Ada Quill", "Ada Quill (born 1880)", &err), err);
}

static void teardown(fixture *f) {
    tn_analyzer_free(f->analyzer);
    tn_masker_free(f->masker);
    tn_arena_deinit(&f->arena);
}

static const char question[] =
    "In which harbour was the namesake of Petrel Station's library born?";
static const char *const titles[] = {"Petrel Station", "Ada Quill", "Grenvik harbour"};
static const char *const texts[] = {
    "The library of Petrel Station has the explorer Ada Quill as namesake.",
    "Ada Quill was born in the harbour of Grenvik.", "Grenvik harbour was born of a shipwreck."};

static double reward_of(fixture *f, const char *arm, const char *query, const uint32_t *refs,
                        size_t n, const char *answer, const tn_gold *gold) {
    const char *t[3], *x[3];
    for (size_t i = 0; i < n; i++) t[i] = titles[refs[i]], x[i] = texts[refs[i]];
    tn_traj_turn turn = {query, refs, t, x, n};
    tn_trajectory raw = {&turn, 1, answer, 0}, masked;
    tern_error err;
    CHECK_OK(tn_traj_bottleneck(f->masker, question, true, &raw, &f->arena, &masked, &err), err);
    CHECK(masked.answer[0] == '\0');
    tn_reward_input in = {.question = question,
                          .raw = &raw,
                          .masked = &masked,
                          .gold = gold,
                          .seed = 1,
                          .analyzer = f->analyzer,
                          .lexicon = &f->lexicon,
                          .arena = &f->arena};
    double v = -1;
    CHECK_OK(tn_reward_find(arm)->fn(&in, &v, &err), err);
    CHECK(v >= 0 && v <= 1 + 1e-12);
    return v;
}

TEST(two_passages_that_name_each_other_beat_two_that_share_words) {
    fixture f;
    setup(&f);
    double linked = reward_of(&f, "ccs-lexical", "petrel station", (uint32_t[]){0, 1}, 2, "", NULL);
    double unlinked =
        reward_of(&f, "ccs-lexical", "petrel station", (uint32_t[]){0, 2}, 2, "", NULL);
    double one = reward_of(&f, "ccs-lexical", "petrel station", (uint32_t[]){0}, 1, "", NULL);
    double none = reward_of(&f, "ccs-lexical", "petrel station", NULL, 0, "", NULL);
    CHECK(linked > unlinked && linked > one && one > none);
    CHECK_EQ(none, 0);
    teardown(&f);
}

TEST(copying_the_question_pays_only_without_the_bottleneck) {
    fixture f;
    setup(&f);
    CHECK_NEAR(reward_of(&f, "leaky", question, NULL, 0, "", NULL), 1, 1e-9);
    CHECK(reward_of(&f, "leaky", "ferry", NULL, 0, question, NULL) > 0.9);
    CHECK_EQ(reward_of(&f, "ccs-lexical", question, NULL, 0, question, NULL), 0);
    CHECK(reward_of(&f, "queries-only", question, NULL, 0, "", NULL) < 0.7);
    teardown(&f);
}

TEST(gold_arms_count_what_was_found) {
    fixture f;
    setup(&f);
    tn_gold gold = {(uint32_t[]){0, 1}, 2, (const char *const[]){"Grenvik"}, 1};
    CHECK_NEAR(reward_of(&f, "gold-recall", "q", (uint32_t[]){0, 2}, 2, "", &gold), 0.5, 1e-12);
    CHECK_NEAR(reward_of(&f, "gold-answer", "q", (uint32_t[]){0}, 1, "", &gold), 0, 1e-12);
    CHECK_NEAR(reward_of(&f, "gold-answer", "q", (uint32_t[]){1}, 1, "", &gold), 1, 1e-12);
    teardown(&f);
}

TEST(a_rendered_trajectory_hides_names_in_queries_and_keeps_observations) {
    fixture f;
    setup(&f);
    const char *const t[] = {titles[0]}, *const x[] = {texts[0]};
    tn_traj_turn turns[2] = {{"namesake of Petrel Station", (uint32_t[]){0}, t, x, 1},
                             {"Ada Quill", NULL, NULL, NULL, 0}};
    tn_trajectory raw = {turns, 2, "Grenvik", 0}, masked;
    tern_error err;
    CHECK_OK(tn_traj_bottleneck(f.masker, question, false, &raw, &f.arena, &masked, &err), err);
    CHECK_EQ(masked.n_masked, 2);
    tn_buf out = {0};
    tn_traj_render(&masked, &out);
    CHECK_STR(tn_buf_cstr(&out),
              "Query 1: namesake of [MISC]\nResults 1:\n[Petrel Station] The library of Petrel "
              "Station has the explorer Ada Quill as namesake.\nQuery 2: [PER]\nResults 2:\n(no "
              "results)\n");
    tn_buf_deinit(&out);
    teardown(&f);
}

TEST_MAIN
