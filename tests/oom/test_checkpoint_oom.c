/* test_checkpoint_oom.c - allocation k fails, k = 0, 1, ...: opening and saving models, making
 * optimisers, saving and loading checkpoints say NOMEM, leak nothing and spoil nothing. */
#include "core/base/file.h"
#include "tern/safetensors.h"
#include "tests/unit/toy_run.h"

#include "core/base/mem.h"

static char *path_of(const char *name) {
    static char path[4][256];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, 256, "%s/%s", test_dir(), name);
    return p;
}

/* Run fn with allocation 0, 1, ... failing until it succeeds; returns how often it failed. */
static int survive(tern_status (*fn)(tern_error *e)) {
    for (int64_t k = 0;; k++) {
        tern_error e = {0};
        tn_mem_fail_after(k, 0);
        tern_status st = fn(&e);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) return (int)k;
        if (st != TERN_ERR_NOMEM) FAIL("allocation %d: status %d: %s", (int)k, st, e.text);
        CHECK(k < 10000);
    }
}

static const float data[6] = {1, 2, 3, 4, 5, 6};
static const tern_st_tensor tensors[] = {{"a", TERN_ST_F32, 2, {2, 3}, data, 0},
                                         {"b", TERN_ST_BF16, 1, {3}, data, 0}};
static const tern_st_meta meta = {"key", "value"};

static tern_status save(tern_error *e) {
    return tern_st_save(path_of("one.safetensors"), tensors, 2, &meta, 1, e);
}

static tern_status save_set(tern_error *e) {
    tern_error ignored;
    if (tn_remove_tree(path_of("set"), &ignored) != TERN_OK) return TERN_ERR_NOMEM;
    return tern_st_save_sharded(path_of("set"), tensors, 2, 8, &meta, 1, e);
}

static tern_status open_path(const char *path, tern_error *e) {
    tern_st *st;
    tern_status s = tern_st_open(path, &st, e);
    if (s == TERN_OK) CHECK_EQ(tern_st_n_tensors(st), 2);
    tern_st_close(st);
    return s;
}

static tern_status open_one(tern_error *e) {
    return open_path(path_of("one.safetensors"), e);
}

static tern_status open_set(tern_error *e) {
    return open_path(path_of("set"), e);
}

TEST(models_survive_every_failed_allocation) {
    CHECK(survive(save) > 5);
    CHECK(survive(open_one) > 10);
    CHECK(survive(save_set) > 10);
    CHECK(survive(open_set) > 20);
}

static toy run;

static tern_status make_optimiser(tern_error *e) {
    toy t;
    tern_status st = toy_init(&t, TERN_OPTIM_ADAMW, e);
    tern_optim_free(t.o);
    return st;
}

static tern_status save_checkpoint(tern_error *e) {
    tern_train_state s = toy_state(&run, "{}");
    return tern_checkpoint_save_in(path_of("run"), 1, run.o, &s, e);
}

static tern_status load_checkpoint(tern_error *e) {
    tern_train_state s;
    tern_status st = tern_checkpoint_load_latest(path_of("run"), run.o, TOY_RECIPE, &s, e);
    tern_train_state_deinit(&s);
    return st;
}

TEST(checkpoints_survive_every_failed_allocation) {
    tern_error e;
    CHECK(survive(make_optimiser) > 4);
    CHECK_OK(toy_init(&run, TERN_OPTIM_ADAMW, &e), e);
    toy_step(&run);
    CHECK(survive(save_checkpoint) > 10);
    CHECK(survive(load_checkpoint) > 10);
    tern_optim_free(run.o);
}

TEST_MAIN
