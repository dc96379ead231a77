/* test_agent_oom.c - every allocation of an episode fails once; nothing leaks, nothing is half
 * made. */
#include "tests/fake_corpus.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const rows[][2] = {
    {"Ada Quill", "Ada Quill was an English novelist. She was born in Winterbourne in 1910."},
    {"Winterbourne", "Winterbourne is a village on the river Frome."},
    {"Frome", "The Frome is a river."}};

static tern_status one_episode(const tern_policy *p, tn_analyzer *an, tern_error *err) {
    fake_corpus c = {.rows = rows, .n = 3};
    tn_agent_tools tools = fake_tools(&c);
    tern_agent_opts opts = tern_agent_defaults();
    tn_arena arena = {0};
    tern_answer *answer = NULL;
    const char *q = "On which river is the village where Ada Quill was born?";
    tern_status st = tn_ask(q, strlen(q), &opts, &tools, p, NULL, an, &arena, &answer, err);
    if ((st == TERN_OK) != (answer != NULL)) st = TERN_ERR_ARG;
    tern_answer_free(answer);
    tn_arena_deinit(&arena);
    return st;
}

static void sweep(const tern_policy *p) {
    tern_error e = {0};
    tn_analyzer *an = NULL;
    CHECK_OK(tn_analyzer_new("english", &an, &e), e);
    for (int64_t k = 0;; k++) {
        scripted *s = p->kind == TN_POLICY_WRITING ? (scripted *)(uintptr_t)p : NULL;
        if (s) s->at = 0;
        tn_mem_fail_after(k, 0);
        tern_status st = one_episode(p, an, &e);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK && k > 20) {
            /* An allocation whose failure costs nothing is rare: look a little further. */
            int64_t more = 0;
            for (int64_t j = 1; j <= 50; j++) {
                if (s) s->at = 0;
                tn_mem_fail_after(k + j, 0);
                st = one_episode(p, an, &e);
                tn_mem_fail_after(-1, 0);
                if (st != TERN_OK) more = j;
            }
            if (more == 0) break;
            k += more - 1;
            continue;
        }
        CHECK(st == TERN_ERR_NOMEM || st == TERN_OK);
        CHECK(k < 20000);
    }
    tn_analyzer_free(an);
}

TEST(an_embedded_episode_survives_every_failed_allocation) {
    tern_policy *p = NULL;
    tern_error e;
    CHECK_OK(tern_policy_embedded(&p, &e), e);
    sweep(p);
    tern_policy_free(p);
}

TEST(a_written_episode_survives_every_failed_allocation) {
    static const char *const lines[] = {"<search>Ada Quill</search>", "hm",
                                        "<answer>Winterbourne. Surely.</answer>"};
    scripted s = scripted_policy(lines, 3);
    sweep(&s.policy);
}

TEST_MAIN
