/* test_train_lm_oom.c - a tiny training run of a language model in which allocation k fails,
 * k = 0, 1, ...: it says NOMEM, leaks nothing, and the folder it leaves can be gone on from. */
#include "tests/unit/lm_run_fixture.h"

#include "core/base/mem.h"

static void sweep(tn_lm_recipe r) {
    int64_t n_failures = 0, n_ok = 0; /* in a row: some failures cost nothing, many are the end */
    tn_lm_run_result x;
    tern_error e;
    char out[256];
    snprintf(out, sizeof out, "%s/run", test_dir());
    for (int64_t k = 0;; k += 1 + k / 12) { /* thousands: later ones are alike */
        tn_mem_fail_after(k, 0);
        tern_status st = run_in(&r, "run", NULL, &x, &e);
        tn_mem_fail_after(-1, 0);
        n_ok = st == TERN_OK ? n_ok + 1 : 0;
        if (n_ok == 12) break;
        if (st != TERN_OK && st != TERN_ERR_NOMEM) FAIL("allocation %d: %s", (int)k, e.text);
        n_failures += st != TERN_OK;
        CHECK(k < 400000);
        CHECK_OK(tn_remove_tree(out, &e), e);
    }
    CHECK(n_failures > 50);
    CHECK_OK(run_in(&r, "run", NULL, &x, &e), e);
    CHECK_OK(tn_remove_tree(out, &e), e);
    tn_lm_recipe_deinit(&r);
}

TEST(pretraining_survives_every_failed_allocation) {
    const char *dir = bytelevel();
    static const char text[] = "{\"text\":\"a b c d e\"}\n{\"text\":\"b c d\"}\n";
    fixture_write("text", text, strlen(text));
    sweep(recipe_of("{\"task\":\"pretrain\",\"model\":" LLAMA
                    ",\"tokenizer\":\"%s\",\"data\":\"%s\","
                    "\"steps\":1,\"batch\":1,\"context\":4,\"held_out\":1}",
                    dir, fixture_path("text")));
}

TEST(contrastive_training_survives_every_failed_allocation) {
    const char *dir = wordpiece();
    static const char text[] =
        "{\"query\":\"a\",\"positive\":\"b\"}\n{\"query\":\"c\",\"positive\":\"d\"}\n";
    fixture_write("pairs", text, strlen(text));
    sweep(recipe_of("{\"task\":\"contrastive\",\"model\":" BERT(
                        "Model") ",\"tokenizer\":\"%s\","
                                 "\"data\":\"%s\",\"steps\":1,\"batch\":2,\"context\":8}",
                    dir, fixture_path("pairs")));
}

TEST_MAIN
