/* Claims about a training run: trainer/ccs, rollout, checkpoint, recipe. */
#include "agent/features.h"
#include "core/base/file.h"
#include "core/base/pool.h"
#include "tests/test.h"
#include "trainer/ccs.h"
#include "trainer/checkpoint.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/mem.h"

/* Forty villages, each with a founder on a page of their own: two-hop questions. */
static const char *const founders[] = {"Ada Quill", "Bror Tangen", "Cato Wells", "Dora Finch",
                                       "Egil Moss", "Fay Lund",    "Gus Harrow", "Hedda Pike"};
static const char *const trades[] = {"baker",  "smith",  "weaver", "pilot",
                                     "tanner", "miller", "cooper", "mason"};

static char *path(const char *name) {
    return tn_path_join(test_dir(), name);
}

static tern_index *village_index(void) {
    static tern_index *ix;
    if (ix) return ix;
    tn_buf b = {0};
    for (int i = 0; i < 8; i++) {
        tn_buf_printf(&b,
                      "{\"id\":\"v%d\",\"title\":\"Village %c\",\"text\":\"Village %c lies by the "
                      "lake. It was founded by %s in 19%02d.\"}\n",
                      i, 'A' + i, 'A' + i, founders[i], 10 + i);
        tn_buf_printf(&b,
                      "{\"id\":\"f%d\",\"title\":\"%s\",\"text\":\"%s was a %s who kept bees. The "
                      "bees were brown.\"}\n",
                      i, founders[i], founders[i], trades[i]);
        tn_buf_printf(&b,
                      "{\"id\":\"n%d\",\"title\":\"Lake %d\",\"text\":\"A lake founded on rock, "
                      "where a village trade was once practised.\"}\n",
                      i, i);
    }
    char *jsonl = path("villages.jsonl"), *dir = path("villages.tern");
    const char *inputs[] = {jsonl};
    tern_index_opts o = tern_index_defaults();
    tern_error e;
    o.embedder = "none";
    CHECK_OK(tn_file_replace(jsonl, b.data, b.len, &e), e);
    CHECK_OK(tern_index_sync(dir, inputs, 1, &o, NULL, NULL, &e), e);
    CHECK_OK(tern_index_open(dir, &ix, &e), e);
    tn_buf_deinit(&b);
    tn_free(jsonl);
    tn_free(dir);
    return ix;
}

static tern_questions village_questions(bool gold) {
    tn_buf b = {0};
    for (int i = 0; i < 8; i++) {
        tn_buf_printf(&b,
                      "{\"id\":\"q%d\",\"question\":\"Which trade did the founder of Village %c "
                      "have?\"",
                      i, 'A' + i);
        if (gold)
            tn_buf_printf(&b, ",\"answers\":[\"%s\"],\"supporting\":[\"v%d\",\"f%d\"]", trades[i],
                          i, i);
        tn_buf_str(&b, "}\n");
    }
    char *file = path("questions.jsonl");
    tern_questions q;
    tern_error e;
    CHECK_OK(tn_file_replace(file, b.data, b.len, &e), e);
    CHECK_OK(tern_questions_load(file, &q, &e), e);
    tn_buf_deinit(&b);
    tn_free(file);
    return q;
}

static tn_ccs_opts small_run(const char *out) {
    tn_ccs_opts o = {.recipe = tn_recipe_defaults(), .out = out, .checkpoint_every = 2};
    o.recipe.steps = 6;
    o.recipe.batch = 3;
    o.recipe.group = 4;
    o.recipe.hidden = 3;
    o.recipe.held_out = 2;
    o.recipe.eval_every = 3;
    o.recipe.spread_min = 0;
    strcpy(o.recipe.start, "uniform");
    return o;
}

static tn_buf run_and_read(tn_ccs_opts o, int n_threads) {
    tern_questions q = village_questions(true);
    tern_host host = {.n_threads = n_threads};
    tn_ccs_result r;
    tern_error e = {0};
    CHECK_OK(tn_ccs_train(village_index(), &q, &o, &host, &r, &e), e);
    CHECK_EQ(r.step, o.recipe.steps);
    char *file = tn_path_join(o.out, "policy.json");
    tn_buf policy = {0};
    CHECK_OK(tn_file_read(file, 1 << 24, &policy, &e), e);
    tn_free(file);
    tern_questions_free(&q);
    return policy;
}

static void check_same(tn_buf *a, tn_buf *b) {
    CHECK_EQ(a->len, b->len);
    CHECK(memcmp(a->data, b->data, a->len) == 0);
}

TEST(weights_do_not_depend_on_threads) {
    char *out[3] = {path("t1"), path("t2"), path("t3")};
    tn_buf p[3];
    for (int i = 0; i < 3; i++) p[i] = run_and_read(small_run(out[i]), i + 1);
    check_same(&p[0], &p[1]);
    check_same(&p[0], &p[2]);
    CHECK_HAS(tn_buf_cstr(&p[0]), "\"made_by\":\"tern train ccs\"");
    for (int i = 0; i < 3; i++) tn_buf_deinit(&p[i]);
    for (int i = 0; i < 3; i++) tn_free(out[i]);
}

TEST(training_changes_the_weights_and_seeds_differ) {
    char *a = path("s1"), *b = path("s2");
    tn_ccs_opts one = small_run(a), two = small_run(b);
    two.recipe.seed = 2;
    tn_buf x = run_and_read(one, 1), y = run_and_read(two, 1);
    CHECK(x.len != y.len || memcmp(x.data, y.data, x.len) != 0);
    tn_buf_deinit(&x);
    tn_buf_deinit(&y);
    tn_free(a);
    tn_free(b);
}

/* A host that stops a run after n looks. */
static bool stop_after(void *ud) {
    return --*(int *)ud < 0;
}

TEST(a_cancelled_run_goes_on_to_the_same_weights) {
    char *whole = path("whole"), *parts = path("parts");
    tn_buf a = run_and_read(small_run(whole), 1);
    tern_questions q = village_questions(true);
    tn_ccs_opts o = small_run(parts);
    tn_ccs_result r;
    tern_error e = {0};
    int looks = 17, n_stops = 0;
    for (;; looks += 3) {
        int left = looks;
        tern_host host = {.cancelled = stop_after, .ud = &left, .n_threads = 2};
        tern_status st = tn_ccs_train(village_index(), &q, &o, &host, &r, &e);
        if (st == TERN_OK) break;
        CHECK_EQ(st, TERN_ERR_CANCELLED);
        n_stops++;
    }
    CHECK(n_stops > 0);
    tn_buf b = run_and_read(o, 1);
    check_same(&a, &b);
    tern_questions_free(&q);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    tn_free(whole);
    tn_free(parts);
}

/* Logging kills the process when its checkpoint of step 4 exists: as if the power went. */
static void die_at_step_4(void *ud, const tern_progress *p) {
    (void)ud;
    if (p->done >= 5u * 3 * 4) raise(SIGKILL);
}

TEST(a_killed_run_goes_on_to_the_same_weights) {
    char *whole = path("kill-whole"), *parts = path("kill-parts"), *metrics;
    tn_buf a = run_and_read(small_run(whole), 1);
    tern_questions q = village_questions(true);
    tn_ccs_opts o = small_run(parts);
    tern_index *ix = village_index();
    pid_t pid = fork();
    if (pid == 0) {
        tern_host host = {.progress = die_at_step_4, .n_threads = 1};
        tn_ccs_result r;
        tern_error e;
        _exit(tn_ccs_train(ix, &q, &o, &host, &r, &e) == TERN_OK ? 0 : 1);
    }
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    CHECK(WIFSIGNALED(how));
    tn_buf b = run_and_read(o, 2), lines = {0};
    check_same(&a, &b);
    metrics = tn_path_join(parts, "metrics.jsonl");
    tern_error e;
    CHECK_OK(tn_file_read(metrics, 1 << 20, &lines, &e), e);
    int n = 0;
    for (size_t i = 0; i < lines.len; i++) n += lines.data[i] == '\n';
    CHECK_EQ(n, 6); /* no step is told twice */
    tern_questions_free(&q);
    tn_buf_deinit(&lines);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    tn_free(metrics);
    tn_free(whole);
    tn_free(parts);
}

static tern_status nan_reward(const tn_reward_input *in, double *value, tern_error *err) {
    (void)err;
    *value = in->raw->n_turns > 1 ? NAN : 0.5;
    return TERN_OK;
}

TEST(a_reward_that_is_not_a_number_stops_with_the_batch_saved) {
    static const tn_reward broken = {"broken", "NaN for two searches", TN_GOLD_NONE, nan_reward};
    char *out = path("nan"), *file = path("nan/failed_batch.jsonl"), *policy;
    tern_questions q = village_questions(false);
    tn_ccs_opts o = small_run(out);
    o.reward = &broken;
    tn_ccs_result r;
    tern_error e = {0};
    CHECK_EQ(tn_ccs_train(village_index(), &q, &o, NULL, &r, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "failed_batch.jsonl");
    tn_buf b = {0};
    CHECK_OK(tn_file_read(file, 1 << 20, &b, &e), e);
    CHECK_HAS(tn_buf_cstr(&b), "null");
    policy = tn_path_join(out, "policy.json");
    CHECK(!tn_file_exists(policy));
    tn_buf_deinit(&b);
    tern_questions_free(&q);
    tn_free(out);
    tn_free(file);
    tn_free(policy);
}

TEST(wrong_input_is_refused_with_a_reason) {
    tern_questions none = {0}, plain = village_questions(false);
    char *out = path("wrong");
    tn_ccs_opts o = small_run(out);
    tn_ccs_result r;
    tern_error e = {0};
    CHECK_EQ(tn_ccs_train(village_index(), &none, &o, NULL, &r, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "tern questions");
    strcpy(o.recipe.reward, "gold-recall");
    CHECK_EQ(tn_ccs_train(village_index(), &plain, &o, NULL, &r, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "gold-recall");
    strcpy(o.recipe.reward, "praise");
    CHECK_EQ(tn_ccs_train(village_index(), &plain, &o, NULL, &r, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "ccs-lexical");
    o = small_run("/dev/null/run");
    CHECK(tn_ccs_train(village_index(), &plain, &o, NULL, &r, &e) != TERN_OK);
    CHECK_HAS(e.text, "/dev/null");
    CHECK(!tn_file_exists(out));
    tern_questions_free(&plain);
    tn_free(out);
}

TEST(one_question_and_equal_rewards_leave_the_weights_alone) {
    char *out = path("one");
    tern_questions q = village_questions(false);
    q.n = 1;
    tn_ccs_opts o = small_run(out);
    o.recipe.spread_min = 1; /* no group spreads that far */
    tn_ccs_result r;
    tern_error e = {0};
    CHECK_OK(tn_ccs_train(village_index(), &q, &o, NULL, &r, &e), e);
    CHECK_EQ(r.n_dropped, r.n_groups);
    CHECK_EQ(r.n_held_out, 0);
    CHECK(isnan(r.after.recall));
    q.n = 8;
    tern_questions_free(&q);
    tn_free(out);
}

TEST(a_folder_of_another_run_is_left_alone) {
    char *out = path("other");
    tn_buf first = run_and_read(small_run(out), 1);
    tern_questions q = village_questions(true);
    tn_ccs_opts o = small_run(out);
    o.recipe.lr = 0.5;
    tn_ccs_result r;
    tern_error e = {0};
    CHECK_EQ(tn_ccs_train(village_index(), &q, &o, NULL, &r, &e), TERN_ERR_EXISTS);
    CHECK_HAS(e.text, "another run");
    o = small_run(out);
    o.recipe.steps = 8; /* the same run, longer */
    CHECK_OK(tn_ccs_train(village_index(), &q, &o, NULL, &r, &e), e);
    CHECK_EQ(r.first_step, 6);
    tern_questions_free(&q);
    tn_buf_deinit(&first);
    tn_free(out);
}

TEST(a_full_disk_at_a_checkpoint_is_an_error_and_keeps_the_old_one) {
    char *out = path("full"), *file;
    tern_questions q = village_questions(true);
    tn_ccs_opts o = small_run(out);
    tn_buf first = run_and_read(o, 1);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct rlimit small = {1024, 1024};
        setrlimit(RLIMIT_FSIZE, &small);
        o.recipe.steps = 10;
        tn_ccs_result r;
        tern_error e;
        _exit(tn_ccs_train(village_index(), &q, &o, NULL, &r, &e) == TERN_OK ? 0 : 7);
    }
    int how;
    CHECK_EQ(waitpid(pid, &how, 0), pid);
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 7);
    tn_buf again = run_and_read(o, 1);
    check_same(&first, &again);
    file = tn_path_join(out, "policy.json");
    tern_policy *p = NULL;
    tern_error e;
    CHECK_OK(tern_policy_load(file, &p, &e), e);
    tern_policy_free(p);
    tern_questions_free(&q);
    tn_buf_deinit(&first);
    tn_buf_deinit(&again);
    tn_free(out);
    tn_free(file);
}

TEST(a_damaged_checkpoint_is_refused) {
    double x[3] = {1, 2, 3};
    tn_checkpoint c = {.run = 7, .step = 9, .n_params = 1, .params = x, .m = x + 1, .v = x + 2};
    char *file = path("cp.bin");
    tern_error e;
    tn_buf b = {0};
    CHECK_OK(tn_checkpoint_save(&c, file, &e), e);
    CHECK_OK(tn_file_read(file, 1 << 20, &b, &e), e);
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 16;
        CHECK_OK(tn_file_replace(file, b.data, b.len, &e), e);
        CHECK_EQ(tn_checkpoint_load(&c, file, &e), TERN_ERR_CORRUPT);
        b.data[i] ^= 16;
    }
    for (size_t n = 0; n < b.len; n++) {
        CHECK_OK(tn_file_replace(file, b.data, n, &e), e);
        CHECK_EQ(tn_checkpoint_load(&c, file, &e), TERN_ERR_CORRUPT);
    }
    tn_buf_deinit(&b);
    tn_free(file);
}

TEST(recipes_name_what_is_wrong_with_them) {
    static const char *const wrong[][2] = {
        {"[]", "JSON object"},       {"{\"stepz\":1}", "stepz"},      {"{\"steps\":-1}", "steps"},
        {"{\"lr\":\"fast\"}", "lr"}, {"{\"backstop\":1}", "true or"}, {"{\"reward\":7}", "reward"},
    };
    tern_error e;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tn_recipe r = tn_recipe_defaults();
        json_t *o;
        CHECK_OK(tn_json_parse(wrong[i][0], strlen(wrong[i][0]), &o, &e), e);
        CHECK_EQ(tn_recipe_read(&r, o, "r.json", &e), TERN_ERR_FORMAT);
        CHECK_HAS(e.text, "r.json");
        CHECK_HAS(e.text, wrong[i][1]);
        json_decref(o);
    }
    tn_recipe r = tn_recipe_defaults(), back = r;
    r.kl = 0.25;
    r.steps = 3;
    strcpy(r.start, "uniform");
    json_t *o = tn_recipe_json(&r);
    CHECK_OK(tn_recipe_read(&back, o, "r.json", &e), e);
    CHECK(memcmp(&r, &back, sizeof r) == 0 || (back.kl == 0.25 && back.steps == 3));
    json_decref(o);
}

TEST_MAIN
