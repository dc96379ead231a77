/* Claims about agent/pages and agent/preview. */
#include "agent/features.h"
#include "agent/pages.h"
#include "agent/preview.h"
#include "tests/fake_corpus.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const rows[][2] = {
    {"Petrel Station", "Petrel Station has a library named after the explorer Ada Quill."},
    {"Ada Quill (explorer)", "Ada Quill was born in the harbour of Grenvik."},
    {"Grenvik", "A harbour town. Bishop Quillon lived there."},
    {"Quill", "A quill is a feather to write with in a library."},
    {"Lighthouse", "The station has a lighthouse."},
};
static const char question[] =
    "In which harbour was the namesake of Petrel Station's library born?";

typedef struct world {
    fake_corpus c;
    tn_agent_tools tools;
    tern_agent_opts opts;
    tn_analyzer *an;
    tn_arena arena;
    tern_policy *policy;
    tn_episode ep;
    tern_error err;
} world;

/* An episode that has made n_turns searches. */
static void begin(world *w, uint32_t n_turns) {
    *w = (world){.c = {.rows = rows, .n = sizeof rows / sizeof *rows},
                 .opts = tern_agent_defaults()};
    w->tools = fake_tools(&w->c);
    w->opts.turns = n_turns ? n_turns : 1;
    w->opts.top_k = 1;
    CHECK_OK(tn_analyzer_new("english", &w->an, &w->err), w->err);
    CHECK_OK(tern_policy_embedded(&w->policy, &w->err), w->err);
    CHECK_OK(tn_episode_init(&w->ep, question, strlen(question), &w->opts, &w->tools, w->policy,
                             NULL, w->an, &w->arena, &w->err),
             w->err);
    if (n_turns) CHECK_OK(tn_episode_run(&w->ep, &w->err), w->err);
}

static void end(world *w) {
    tn_episode_deinit(&w->ep);
    tern_policy_free(w->policy);
    tn_analyzer_free(w->an);
    tn_arena_deinit(&w->arena);
}

static tn_page look(world *w, uint32_t ref) {
    const tn_page *p;
    CHECK_OK(tn_page_look(&w->ep, ref, &p, &w->err), w->err);
    return *p;
}

TEST(pages_are_linked_by_whole_titles_without_their_brackets) {
    world w;
    begin(&w, 0);
    tn_page station = look(&w, 0), ada = look(&w, 1), town = look(&w, 2), quill = look(&w, 3);
    CHECK(tn_pages_linked(&station, &ada) && tn_pages_linked(&ada, &station));
    CHECK(tn_pages_linked(&ada, &town));
    CHECK(!tn_pages_linked(&station, &town));
    CHECK(!tn_pages_linked(&town, &quill)); /* "Quillon" is another name */
    end(&w);
}

TEST(a_page_holds_the_questions_words_and_is_read_once) {
    world w;
    begin(&w, 0);
    tn_page ada = look(&w, 1), again = look(&w, 1);
    CHECK_EQ(w.ep.lens->n_pages, 1);
    CHECK_EQ(ada.held, again.held);
    float all = tn_held_mass(w.ep.lens, ~(tn_held)0), some = tn_held_mass(w.ep.lens, ada.held);
    CHECK(some > 0 && some < all);
    CHECK_EQ(tn_held_mass(w.ep.lens, 0), 0);
    end(&w);
}

TEST(previews_fill_the_best_searches_and_show_nothing) {
    world w;
    begin(&w, 3);
    tn_candidates c;
    CHECK_OK(tn_candidates_propose(w.policy, &w.ep, &c, &w.err), w.err);
    CHECK(c.n > TN_PREVIEWS);
    float *logits = tn_alloc(c.n * sizeof *logits);
    for (size_t i = 0; i < c.n; i++) logits[i] = i == c.n - 1 ? 5 : i % 2 ? 1 : 0;
    size_t n_shown = w.ep.n_shown, n = 0, n_marked = 0;
    uint32_t which[TN_PREVIEWS];
    CHECK_OK(tn_preview(&w.ep, &c, logits, which, &n, &w.err), w.err);
    CHECK_EQ(n, TN_PREVIEWS);
    CHECK_EQ(which[0], c.n - 1);
    for (size_t i = 1; i < n; i++) {
        CHECK(logits[which[i]] <= logits[which[i - 1]]);
        CHECK(i == 1 || logits[which[i]] < logits[which[i - 1]] || which[i] > which[i - 1]);
    }
    for (size_t i = 0; i < c.n; i++) {
        const float *x = c.items[i].features;
        n_marked += x[TN_F_HITS] > 0;
        for (int k = TN_F_HITS; k <= TN_F_HIT_SPAN; k++) {
            CHECK(x[k] >= 0 && x[k] <= 1.0001F);
            CHECK(x[TN_F_HITS] > 0 || x[k] == 0);
        }
    }
    CHECK_EQ(n_marked, TN_PREVIEWS);
    CHECK_EQ(w.ep.n_shown, n_shown);
    tn_free(logits);
    end(&w);
}

TEST(a_hit_that_is_linked_to_what_was_shown_says_so) {
    world w;
    begin(&w, 1);
    CHECK_EQ(w.ep.shown[0].ref, 0);
    tn_candidates c;
    CHECK_OK(tn_candidates_propose(w.policy, &w.ep, &c, &w.err), w.err);
    float *logits = tn_calloc(c.n, sizeof *logits);
    size_t ada = SIZE_MAX, n = 0;
    for (size_t i = 0; i < c.n; i++)
        if (c.items[i].form == TN_FORM_ALONE && strcmp(c.items[i].query, "Ada Quill") == 0) ada = i;
    CHECK(ada != SIZE_MAX);
    logits[ada] = 1;
    uint32_t which[TN_PREVIEWS];
    CHECK_OK(tn_preview(&w.ep, &c, logits, which, &n, &w.err), w.err);
    const float *x = c.items[ada].features;
    CHECK_NEAR(x[TN_F_HIT_LINKED], 1, 1e-6);
    CHECK_NEAR(x[TN_F_HIT_SPAN], 1, 1e-6);
    CHECK(x[TN_F_HIT_PAIR] > x[TN_F_HIT_COVER]);
    CHECK(x[TN_F_HIT_NEW] > 0);
    tn_free(logits);
    end(&w);
}

TEST_MAIN
