/* test_train_oom.c - a tiny training run in which allocation k fails, k = 0, 1, ...: it says NOMEM,
 * leaks nothing, and the folder it leaves can be gone on from. */
#include "core/base/file.h"
#include "tests/test.h"
#include "trainer/ccs.h"

#include "core/base/mem.h"

static const char docs[] =
    "{\"id\":\"a\",\"title\":\"Camp Lantern\",\"text\":\"Camp Lantern was founded by Ada "
    "Quill.\"}\n"
    "{\"id\":\"b\",\"title\":\"Ada Quill\",\"text\":\"Ada Quill was born in Winterbourne.\"}\n"
    "{\"id\":\"c\",\"title\":\"Frome\",\"text\":\"The founder of the mill was born here.\"}\n"
    "{\"id\":\"d\",\"title\":\"Winterbourne\",\"text\":\"A village with a camp and a lantern.\"}\n";
static const char questions[] =
    "{\"id\":\"1\",\"question\":\"Where was the founder of Camp Lantern born?\","
    "\"answers\":[\"Winterbourne\"],\"supporting\":[\"a\",\"b\"]}\n";

static char *put(const char *name, const char *text) {
    char *path = tn_path_join(test_dir(), name);
    tern_error e;
    CHECK_OK(tn_file_replace(path, text, strlen(text), &e), e);
    return path;
}

TEST(a_training_run_survives_every_failed_allocation) {
    char *jsonl = put("docs.jsonl", docs), *file = put("q.jsonl", questions);
    char *dir = tn_path_join(test_dir(), "ix"), *out = tn_path_join(test_dir(), "run");
    const char *inputs[] = {jsonl};
    tern_index_opts io = tern_index_defaults();
    tern_index *ix = NULL;
    tern_questions q;
    tern_error e = {0};
    io.embedder = "none";
    CHECK_OK(tern_index_sync(dir, inputs, 1, &io, NULL, NULL, &e), e);
    CHECK_OK(tern_index_open(dir, &ix, &e), e);
    CHECK_OK(tern_questions_load(file, &q, &e), e);
    tn_ccs_opts o = {.recipe = tn_recipe_defaults(), .out = out, .held_out = &q};
    o.recipe.steps = 1;
    o.recipe.batch = 1;
    o.recipe.group = 2;
    o.recipe.turns = 2;
    o.recipe.hidden = 2;
    o.recipe.spread_min = 0;
    int64_t n_failures = 0, n_ok = 0; /* in a row: some failures cost nothing, many are the end */
    for (int64_t k = 0;; k += 1 + k / 64) { /* thousands: later ones are alike */
        tn_ccs_result r;
        tn_mem_fail_after(k, 0);
        tern_status st = tn_ccs_train(ix, &q, &o, NULL, &r, &e);
        tn_mem_fail_after(-1, 0);
        n_ok = st == TERN_OK ? n_ok + 1 : 0;
        if (n_ok == 12) break;
        if (st != TERN_OK) CHECK_EQ(st, TERN_ERR_NOMEM);
        n_failures += st != TERN_OK;
        CHECK(k < 200000);
        CHECK_OK(tn_remove_tree(out, &e), e);
    }
    CHECK(n_failures > 50);
    tn_ccs_result r;
    CHECK_OK(tn_ccs_train(ix, &q, &o, NULL, &r, &e), e);
    tern_questions_free(&q);
    tern_index_close(ix);
    tn_free(jsonl);
    tn_free(file);
    tn_free(dir);
    tn_free(out);
}

TEST_MAIN
