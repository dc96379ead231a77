/* test_resume.c - a network with dropout, schedule and accumulated gradients goes on from its
 * checkpoint with the losses of a run that never stopped, bit for bit, on any number of threads. */
#include "core/base/rng.h"
#include "tern/checkpoint.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { BATCH = 24, IN = 10, HIDDEN = 40, N_STEPS = 12, STOP = 5, N_ACCUMULATE = 2, RECIPE = 3 };

typedef struct run {
    tern_graph *g;
    tern_params *p;
    tern_optim *o;
    tern_nn_linear in, out;
    tern_nn_rms_norm norm;
    uint64_t cursor;
} run;

static run run_new(int n_threads, bool bf16) {
    run r = {0};
    tern_error e;
    tern_graph_opts go = {.n_threads = n_threads, .bf16 = bf16, .seed = 9};
    tern_optim_opts oo = tern_optim_defaults(TERN_OPTIM_ADAMW);
    oo.grad_norm_max = 0.5f;
    CHECK_OK(tern_graph_new(&go, &r.g, &e), e);
    CHECK_OK(tern_params_new(NULL, &r.p, &e), e);
    r.in = tern_nn_linear_new(r.p, "in", IN, HIDDEN, true);
    r.norm = tern_nn_rms_norm_new(r.p, "norm", HIDDEN, 0, 1e-6);
    r.out = tern_nn_linear_new(r.p, "out", HIDDEN, 3, true);
    CHECK_OK(tern_params_init(r.p, &e), e);
    CHECK_OK(tern_optim_new(&oo, r.p, r.g, &r.o, &e), e);
    return r;
}

static void run_free(run *r) {
    tern_optim_free(r->o);
    tern_params_free(r->p);
    tern_graph_free(r->g);
}

/* The loss of a batch that the cursor names; its gradients are added up. */
static double backward(run *r) {
    float x[BATCH][IN];
    int32_t y[BATCH];
    tern_error e;
    tn_rng rng = tn_rng_init(1, r->cursor++);
    for (int i = 0; i < BATCH; i++) {
        y[i] = (int32_t)tn_rng_below(&rng, 3);
        for (int j = 0; j < IN; j++) x[i][j] = (float)tn_rng_normal(&rng) + (float)(j == y[i]);
    }
    tern_graph_reset(r->g);
    tern_tensor *h = tern_tensor_from(r->g, TERN_F32, TERN_SHAPE(BATCH, IN), x);
    h = tern_silu(r->g, tern_nn_linear_forward(r->g, &r->in, h));
    h = tern_dropout(r->g, tern_nn_rms_norm_forward(r->g, &r->norm, h), 0.2);
    tern_tensor *target = tern_tensor_from(r->g, TERN_I32, TERN_SHAPE(BATCH), y);
    tern_tensor *loss = tern_cross_entropy(r->g, tern_nn_linear_forward(r->g, &r->out, h), target);
    CHECK_OK(tern_backward(r->g, loss, &e), e);
    return tern_tensor_get(loss, 0);
}

static double step(run *r) {
    const tern_lr rate = {TERN_LR_COSINE, 0.02, 0.002, 3, N_STEPS};
    double sum = 0;
    tern_error e;
    tern_params_zero_grad(r->p);
    for (int i = 0; i < N_ACCUMULATE; i++) sum += backward(r);
    double lr = tern_lr_at(&rate, tern_optim_n_steps(r->o));
    CHECK_OK(tern_optim_step(r->o, lr, 1.0 / N_ACCUMULATE, NULL, &e), e);
    return sum;
}

static void resumes(bool bf16) {
    char path[256];
    double losses[N_STEPS];
    tern_error e;
    tern_train_state s = {0};
    snprintf(path, sizeof path, "%s/run.safetensors", test_dir());
    run whole = run_new(1, bf16);
    for (int i = 0; i < N_STEPS; i++) {
        losses[i] = step(&whole);
        if (i != STOP) continue;
        s = (tern_train_state){whole.cursor, 9, 0, tern_graph_rng_counter(whole.g), RECIPE, NULL};
        CHECK_OK(tern_checkpoint_save(path, whole.o, &s, &e), e);
    }
    run again = run_new(3, bf16);
    CHECK_OK(tern_checkpoint_load(path, again.o, RECIPE, &s, &e), e);
    again.cursor = s.cursor;
    tern_graph_set_rng_counter(again.g, s.rng_n);
    for (int i = STOP + 1; i < N_STEPS; i++) {
        double loss = step(&again);
        if (loss != losses[i]) FAIL("step %d: loss %.17g, not %.17g", i, loss, losses[i]);
    }
    CHECK(memcmp(tern_params_values(again.p), tern_params_values(whole.p),
                 tern_params_slab_size(whole.p) * sizeof(float)) == 0);
    run_free(&again);
    run_free(&whole);
}

TEST(a_network_goes_on_from_its_checkpoint_bit_for_bit) {
    resumes(false);
}

TEST(and_so_it_does_in_bf16) {
    resumes(true);
}

TEST(frozen_parameters_and_those_without_a_gradient_stay_as_they_are) {
    run r = run_new(1, false);
    const float *values = tern_params_values(r.p);
    tern_error e;
    tern_param in = tern_params_get(r.p, 0), out = tern_params_get(r.p, 3);
    CHECK_STR(in.name, "in.weight");
    CHECK_STR(out.name, "out.weight");
    float in_before = values[in.offset], out_before = values[out.offset];
    CHECK_EQ(tern_params_freeze(r.p, "in.", true), 2);
    step(&r);
    CHECK(values[in.offset] == in_before && values[out.offset] != out_before);
    out_before = values[out.offset];
    tern_params_zero_grad(r.p);
    CHECK_OK(tern_optim_step(r.o, 0.1, 1, NULL, &e), e);
    CHECK(values[out.offset] == out_before);
    run_free(&r);
}

TEST(a_group_has_its_own_rate_and_decay) {
    run a = run_new(1, false), b = run_new(1, false);
    tern_error e;
    tern_optim_opts oo = tern_optim_defaults(TERN_OPTIM_SGD);
    oo.weight_decay = 0.1f;
    oo.momentum = 0;
    tern_optim_free(a.o);
    CHECK_EQ(tern_params_set_group(a.p, "out.", 1), 2);
    CHECK_OK(tern_optim_new(&oo, a.p, a.g, &a.o, &e), e);
    CHECK_EQ(tern_optim_set_group(a.o, 1, 0.5, 0), 2);
    backward(&a);
    backward(&b); /* the same gradients */
    const float *w = tern_params_values(a.p), *was = tern_params_values(b.p);
    const float *g = tern_params_grads(b.p);
    CHECK_OK(tern_optim_step(a.o, 0.1, 1, NULL, &e), e);
    size_t in = tern_params_get(a.p, 0).offset, norm = tern_params_get(a.p, 2).offset;
    size_t out = tern_params_get(a.p, 3).offset;
    CHECK_NEAR(w[in], was[in] - 0.1 * (g[in] + 0.1 * was[in]), 1e-7);
    CHECK_NEAR(w[norm], was[norm] - 0.1 * g[norm], 1e-7); /* norms do not decay */
    CHECK_NEAR(w[out], was[out] - 0.05 * g[out], 1e-7);
    run_free(&a);
    run_free(&b);
}

TEST_MAIN
