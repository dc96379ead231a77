/* test_checkpoint.c - a run goes on from its checkpoint bit for bit; a file that is not whole, not
 * ours or not of this run is refused and changes nothing. */
#include "core/base/file.h"
#include "core/graph/checkpoint.h"
#include "tern/safetensors.h"
#include "tests/unit/toy_run.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/base/mem.h"

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static void resumes_exactly(tern_optim_kind kind) {
    toy a, b;
    tern_error e;
    tern_train_state s;
    double losses[10];
    const char *path = path_of("run.safetensors");
    CHECK_OK(toy_init(&a, kind, &e), e);
    for (int i = 0; i < 7; i++) toy_step(&a);
    s = toy_state(&a, "{\"note\":\"\xc3\xa9\"}");
    CHECK_OK(tern_checkpoint_save(path, a.o, &s, &e), e);
    for (int i = 0; i < 10; i++) losses[i] = toy_step(&a);
    CHECK_OK(toy_init(&b, kind, &e), e);
    CHECK_OK(tern_checkpoint_load(path, b.o, TOY_RECIPE, &s, &e), e);
    CHECK_STR(s.user, "{\"note\":\"\xc3\xa9\"}");
    CHECK_EQ(tern_optim_n_steps(b.o), 7);
    toy_resume(&b, &s);
    for (int i = 0; i < 10; i++) CHECK(toy_step(&b) == losses[i]);
    CHECK(memcmp(a.w, b.w, sizeof a.w) == 0);
    tern_train_state_deinit(&s);
    tern_optim_free(a.o);
    tern_optim_free(b.o);
}

TEST(a_resumed_run_has_the_losses_of_one_that_never_stopped) {
    resumes_exactly(TERN_OPTIM_ADAMW);
    resumes_exactly(TERN_OPTIM_SGD);
}

TEST(a_checkpoint_opens_as_a_model) {
    toy t;
    tern_error e;
    tern_st *st;
    const tern_st_tensor *w;
    CHECK_OK(toy_init(&t, TERN_OPTIM_ADAMW, &e), e);
    toy_step(&t);
    tern_train_state s = toy_state(&t, NULL);
    CHECK_OK(tern_checkpoint_save(path_of("m.safetensors"), t.o, &s, &e), e);
    CHECK_OK(tern_st_open(path_of("m.safetensors"), &st, &e), e);
    CHECK_EQ(tern_st_n_tensors(st), 6);
    CHECK_OK(tern_st_get(st, "embed.weight", 2, (int64_t[]){5, 6}, &w, &e), e);
    CHECK(memcmp(w->data, t.w, 30 * sizeof(float)) == 0);
    CHECK(tern_st_find(st, "optim.v.norm.bias") != NULL);
    CHECK_STR(tern_st_meta_find(st, "step"), "1");
    tern_st_close(st);
    tern_optim_free(t.o);
}

/* Loading these bytes, or (data NULL) the file, into t fails so, and changes nothing. */
static const char *refusal_of(toy *t, const char *path, const uint8_t *data, size_t size,
                              uint64_t recipe, tern_status expected) {
    static tern_error e;
    toy before = *t;
    float m = t->o->moments[0][3];
    uint64_t n_steps = tern_optim_n_steps(t->o);
    tern_train_state s;
    tern_status st = data ? tn_train_state_read(path, data, size, t->o, recipe, &s, &e)
                          : tern_checkpoint_load(path, t->o, recipe, &s, &e);
    if (st != expected) FAIL("%s: status %d (%s), expected %d", path, st, e.text, expected);
    CHECK(memcmp(before.w, t->w, sizeof t->w) == 0 && m == t->o->moments[0][3]);
    CHECK(n_steps == tern_optim_n_steps(t->o) && s.user == NULL && s.cursor == 0);
    CHECK_HAS(e.text, tn_path_base(path));
    return e.text;
}

static const char *refusal(toy *t, const char *path, uint64_t recipe, tern_status expected) {
    return refusal_of(t, path, NULL, 0, recipe, expected);
}

TEST(every_changed_byte_and_every_cut_is_noticed) {
    toy t;
    tern_error e;
    tn_buf b = {0};
    size_t begin = 8,
           end = 8 + strlen("{\"__metadata__\":{\"crc32c\":\""); /* the digits are next */
    CHECK_OK(toy_init(&t, TERN_OPTIM_SGD, &e), e);
    toy_step(&t);
    tern_train_state s = toy_state(&t, "x");
    CHECK_OK(tern_checkpoint_save(path_of("whole"), t.o, &s, &e), e);
    CHECK_OK(tn_file_read(path_of("whole"), 1 << 20, &b, &e), e);
    const uint8_t *data = (const uint8_t *)b.data;
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] ^= 1 << i % 8;
        refusal_of(&t, "spoilt", data, b.len, TOY_RECIPE,
                   i >= begin && i < end ? TERN_ERR_FORMAT : TERN_ERR_CORRUPT);
        b.data[i] ^= 1 << i % 8;
    }
    for (size_t n = 0; n < b.len; n++)
        refusal_of(&t, "cut", data, n, TOY_RECIPE,
                   n < end + 8 ? TERN_ERR_FORMAT : TERN_ERR_CORRUPT);
    tn_buf_deinit(&b);
    tern_optim_free(t.o);
}

TEST(foreign_files_and_other_runs_are_refused_with_the_reason) {
    toy t, other;
    tern_error e;
    CHECK_OK(toy_init(&t, TERN_OPTIM_ADAMW, &e), e);
    tern_train_state s = toy_state(&t, NULL);
    CHECK_OK(tern_checkpoint_save(path_of("mine"), t.o, &s, &e), e);
    CHECK_HAS(refusal(&t, path_of("mine"), TOY_RECIPE + 1, TERN_ERR_ARG), "recipe");
    refusal(&t, path_of("absent"), TOY_RECIPE, TERN_ERR_NOT_FOUND);
    const tern_st_tensor w = {"embed.weight", TERN_ST_F32, 2, {5, 6}, t.w, 0};
    CHECK_OK(tern_st_save(path_of("model"), &w, 1, NULL, 0, &e), e);
    CHECK_HAS(refusal(&t, path_of("model"), TOY_RECIPE, TERN_ERR_FORMAT), "not a checkpoint");
    CHECK_OK(toy_init(&other, TERN_OPTIM_SGD, &e), e);
    CHECK_HAS(refusal(&other, path_of("mine"), TOY_RECIPE, TERN_ERR_SHAPE), "adamw, not sgd");
    tern_optim_free(other.o);
    CHECK_OK(toy_init(&other, TERN_OPTIM_ADAMW, &e), e);
    other.o->params[1].name = "norm.weight";
    CHECK_HAS(refusal(&other, path_of("mine"), TOY_RECIPE, TERN_ERR_SHAPE), "norm.weight");
    other.o->params[1].name = "norm.bias";
    other.o->params[0].dims[0] = 6, other.o->params[0].dims[1] = 5;
    CHECK_HAS(refusal(&other, path_of("mine"), TOY_RECIPE, TERN_ERR_SHAPE), "[5, 6]");
    other.o->params[0].n_dims = 1;
    other.o->n = 1; /* fewer parameters than the file has */
    other.o->params[0].n_dims = 2;
    other.o->params[0].dims[0] = 5, other.o->params[0].dims[1] = 6;
    CHECK_HAS(refusal(&other, path_of("mine"), TOY_RECIPE, TERN_ERR_SHAPE), "6 tensors");
    tern_optim_free(other.o);
    tern_optim_free(t.o);
}

TEST(the_newest_few_are_kept_and_the_newest_is_loaded) {
    toy t;
    tern_error e;
    tern_train_state s;
    char dir[200], name[64];
    snprintf(dir, sizeof dir, "%s/keep", test_dir());
    CHECK_OK(toy_init(&t, TERN_OPTIM_ADAMW, &e), e);
    CHECK_EQ(tern_checkpoint_load_latest(dir, t.o, TOY_RECIPE, &s, &e), TERN_ERR_NOT_FOUND);
    CHECK_OK(tn_mkdirs(dir, &e), e);
    CHECK_EQ(tern_checkpoint_load_latest(dir, t.o, TOY_RECIPE, &s, &e), TERN_ERR_NOT_FOUND);
    CHECK_OK(tn_file_replace(path_of("keep/step-0000000001.safetensors.tmp.99"), "x", 1, &e), e);
    CHECK_OK(tn_file_replace(path_of("keep/notes.txt"), "x", 1, &e), e);
    for (int i = 1; i <= 5; i++) {
        toy_step(&t);
        s = toy_state(&t, NULL);
        CHECK_OK(tern_checkpoint_save_in(dir, 2, t.o, &s, &e), e);
    }
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "keep/step-%010d.safetensors", i);
        CHECK_EQ(tn_file_exists(path_of(name)), i >= 4);
    }
    CHECK(!tn_file_exists(path_of("keep/step-0000000001.safetensors.tmp.99")));
    CHECK(tn_file_exists(path_of("keep/notes.txt")));
    toy_step(&t);
    CHECK_OK(tern_checkpoint_load_latest(dir, t.o, TOY_RECIPE, &s, &e), e);
    CHECK_EQ(tern_optim_n_steps(t.o), 5);
    CHECK_EQ(s.cursor, 15);
    /* a damaged newest one is not passed over in silence */
    CHECK_OK(tn_file_replace(path_of("keep/step-0000000005.safetensors"), "x", 1, &e), e);
    CHECK_EQ(tern_checkpoint_load_latest(dir, t.o, TOY_RECIPE, &s, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "step-0000000005");
    tern_optim_free(t.o);
}

TEST(a_full_disk_leaves_the_old_checkpoint) {
    toy t;
    tern_error e;
    const char *path = path_of("full");
    CHECK_OK(toy_init(&t, TERN_OPTIM_ADAMW, &e), e);
    tern_train_state s = toy_state(&t, NULL);
    CHECK_OK(tern_checkpoint_save(path, t.o, &s, &e), e);
    toy_step(&t);
    struct rlimit old, small;
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = (struct rlimit){700, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN); /* write(2) then fails, as it does on a full disk */
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    tern_status st = tern_checkpoint_save(path, t.o, &s, &e);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(st != TERN_OK);
    CHECK_OK(tern_checkpoint_load(path, t.o, TOY_RECIPE, &s, &e), e);
    CHECK_EQ(tern_optim_n_steps(t.o), 0);
    tern_optim_free(t.o);
}

/* A registry of two parameters with values, from this seed. */
static tern_params *registry(uint64_t seed, size_t n_out) {
    tern_params_opts opts = {.seed = seed};
    tern_params *p;
    tern_error e;
    CHECK_OK(tern_params_new(&opts, &p, &e), e);
    tern_nn_linear_new(p, "out", 3, n_out, true);
    CHECK_OK(tern_params_init(p, &e), e);
    return p;
}

TEST(parameters_are_saved_and_loaded_by_name_and_shape) {
    tern_error e;
    tern_params *a = registry(1, 4), *b = registry(2, 4), *c = registry(3, 5);
    size_t n_bytes = tern_params_slab_size(a) * sizeof(float);
    float before = *(float *)tern_params_values(c);
    CHECK(memcmp(tern_params_values(a), tern_params_values(b), n_bytes) != 0);
    CHECK_OK(tern_params_save(path_of("p.safetensors"), a, NULL, 0, &e), e);
    CHECK_OK(tern_params_load(path_of("p.safetensors"), b, &e), e);
    CHECK(memcmp(tern_params_values(a), tern_params_values(b), n_bytes) == 0);
    CHECK_EQ(tern_params_load(path_of("p.safetensors"), c, &e), TERN_ERR_SHAPE);
    CHECK_HAS(e.text, "[4, 3], expected [5, 3]");
    CHECK(before == *(float *)tern_params_values(c));
    tern_params_free(a);
    tern_params_free(b);
    tern_params_free(c);
}

TEST(a_checkpoint_of_a_registry_loads_into_it_and_as_a_model) {
    tern_error e;
    tern_params *a = registry(1, 4), *b = registry(2, 4);
    tern_optim_opts opts = tern_optim_defaults(TERN_OPTIM_ADAMW);
    tern_optim *oa, *ob;
    tern_train_state s = {.cursor = 9};
    size_t n_bytes = tern_params_slab_size(a) * sizeof(float);
    CHECK_OK(tern_optim_new(&opts, a, NULL, &oa, &e), e);
    CHECK_OK(tern_optim_new(&opts, b, NULL, &ob, &e), e);
    CHECK_OK(tern_checkpoint_save(path_of("r.safetensors"), oa, &s, &e), e);
    CHECK_OK(tern_params_load(path_of("r.safetensors"), b, &e), e);
    CHECK(memcmp(tern_params_values(a), tern_params_values(b), n_bytes) == 0);
    CHECK_OK(tern_checkpoint_load(path_of("r.safetensors"), ob, 0, &s, &e), e);
    CHECK_EQ(s.cursor, 9);
    tern_optim_free(oa);
    tern_optim_free(ob);
    tern_params_free(a);
    tern_params_free(b);
}

/* A process that does nothing but train and save, and counts into a pipe. */
static void save_forever(const char *dir, int fd) {
    toy t;
    tern_error e;
    if (toy_init(&t, TERN_OPTIM_ADAMW, &e) != TERN_OK) _exit(1);
    for (;;) {
        toy_step(&t);
        tern_train_state s = toy_state(&t, NULL);
        if (tern_checkpoint_save_in(dir, 2, t.o, &s, &e) != TERN_OK) _exit(1);
        if (write(fd, "x", 1) != 1) _exit(1);
    }
}

TEST(a_process_killed_while_saving_leaves_a_checkpoint_that_loads) {
    toy t, replay;
    tern_error e;
    char dir[200];
    snprintf(dir, sizeof dir, "%s/killed", test_dir());
    for (int round = 0; round < 8; round++) {
        int fds[2];
        char x;
        CHECK_OK(tn_remove_tree(dir, &e), e);
        CHECK(pipe(fds) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) save_forever(dir, fds[1]);
        close(fds[1]);
        for (int i = 0; i < 3 + round; i++) CHECK_EQ(read(fds[0], &x, 1), 1);
        usleep((useconds_t)(round * 137)); /* somewhere inside the next save */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(fds[0]);
        tern_train_state s;
        CHECK_OK(toy_init(&t, TERN_OPTIM_ADAMW, &e), e);
        CHECK_OK(tern_checkpoint_load_latest(dir, t.o, TOY_RECIPE, &s, &e), e);
        CHECK(tern_optim_n_steps(t.o) >= (uint64_t)(3 + round));
        CHECK_OK(toy_init(&replay, TERN_OPTIM_ADAMW, &e), e);
        for (uint64_t i = 0; i < tern_optim_n_steps(t.o); i++) toy_step(&replay);
        CHECK(memcmp(replay.w, t.w, sizeof t.w) == 0 && replay.cursor == s.cursor);
        tern_optim_free(t.o);
        tern_optim_free(replay.o);
    }
}

TEST_MAIN
