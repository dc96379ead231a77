/* Claims about training a small language model on the graph. */
#include "core/graph/graph_priv.h"
#include "tests/test.h"
#include "tests/tiny_lm.h"

#include "core/base/mem.h"

static tern_graph *new_graph(tern_graph_opts o) {
    tern_graph *g = NULL;
    tern_error e;
    CHECK_OK(tern_graph_new(&o, &g, &e), e);
    return g;
}

static tiny_lm new_lm(void) {
    tiny_lm m;
    tern_error e;
    CHECK_OK(tiny_lm_new(&m, &e), e);
    return m;
}

/* A few steps; the losses, and a copy of the last gradients (freed by the caller). */
static float *train(tern_graph_opts o, bool recompute, int n_steps, double *losses) {
    tern_graph *g = new_graph(o);
    tiny_lm m = new_lm();
    tern_error e;
    size_t n = tern_params_slab_size(m.p);
    float *grads = tn_alloc(n * sizeof *grads);
    m.recompute = recompute;
    for (int step = 0; step < n_steps; step++) {
        tern_graph_reset(g);
        tern_tensor *loss = tiny_lm_loss(g, &m, step % 3);
        CHECK_OK(tern_backward(g, loss, &e), e);
        losses[step] = tern_tensor_get(loss, 0);
        memcpy(grads, tern_params_grads(m.p), n * sizeof *grads);
        tiny_lm_descend(&m, 0.3f);
    }
    tern_params_free(m.p);
    tern_graph_free(g);
    return grads;
}

static size_t n_params(void) {
    tiny_lm m = new_lm();
    size_t n = tern_params_slab_size(m.p);
    tern_params_free(m.p);
    return n;
}

TEST(the_loss_falls_from_the_logarithm_of_the_vocabulary) {
    double loss[60];
    tn_free(train((tern_graph_opts){.n_threads = 2}, false, 60, loss));
    CHECK_NEAR(loss[0], log(LM_VOCAB), 0.5);
    CHECK(loss[59] < 0.25 * loss[0]);
}

TEST(loss_and_gradients_are_those_of_another_implementation_in_double) {
    static const struct {
        const char *name;
        double length, along; /* of the gradient; its product with (1, 2, 3, ...) / n */
    } want[] = {              /* tests/golden/tiny_lm.py, by PyTorch */
                {"model.embed_tokens.weight", 1.261135434, -0.240971578},
                {"model.layers.0.self_attn.k_proj.weight", 0.201363492, -0.145144251},
                {"model.layers.1.mlp.down_proj.weight", 0.339263580, -0.117392795},
                {"model.layers.0.input_layernorm.weight", 0.067733835, -0.007799314}};
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 2});
    tiny_lm m = new_lm();
    tern_error e;
    tern_tensor *loss = tiny_lm_loss(g, &m, 1);
    CHECK_OK(tern_backward(g, loss, &e), e);
    CHECK_NEAR(tern_tensor_get(loss, 0), 4.397705959, 2e-6);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const tern_tensor *dw = tern_tensor_grad(tern_params_find(m.p, want[i].name));
        double squares = 0, along = 0, n = (double)tern_tensor_size(dw);
        for (size_t k = 0; k < tern_tensor_size(dw); k++) {
            double v = tern_tensor_get(dw, k);
            squares += v * v;
            along += v * ((double)k + 1) / n;
        }
        CHECK_NEAR(sqrt(squares), want[i].length, 2e-6);
        CHECK_NEAR(along, want[i].along, 2e-6);
    }
    tern_params_free(m.p);
    tern_graph_free(g);
}

TEST(one_two_and_three_threads_give_the_same_bits) {
    for (int bf16 = 0; bf16 < 2; bf16++) {
        double loss[3][5];
        float *grads[3];
        for (int k = 0; k < 3; k++)
            grads[k] =
                train((tern_graph_opts){.n_threads = k + 1, .bf16 = bf16}, false, 5, loss[k]);
        for (int k = 1; k < 3; k++) {
            CHECK(memcmp(loss[0], loss[k], sizeof loss[0]) == 0);
            CHECK(memcmp(grads[0], grads[k], n_params() * sizeof(float)) == 0);
        }
        for (int k = 0; k < 3; k++) tn_free(grads[k]);
    }
}

TEST(recomputed_layers_change_no_bit_of_loss_or_gradients) {
    double plain[4], again[4];
    float *a = train((tern_graph_opts){.n_threads = 1}, false, 4, plain);
    float *b = train((tern_graph_opts){.n_threads = 1}, true, 4, again);
    CHECK(memcmp(plain, again, sizeof plain) == 0);
    CHECK(memcmp(a, b, n_params() * sizeof *a) == 0);
    tn_free(a);
    tn_free(b);
}

TEST(bf16_products_stay_near_f32) {
    double f32[3], bf16[3];
    tn_free(train((tern_graph_opts){.n_threads = 1}, false, 3, f32));
    tn_free(train((tern_graph_opts){.n_threads = 1, .bf16 = true}, false, 3, bf16));
    for (int i = 0; i < 3; i++) CHECK_NEAR(bf16[i], f32[i], 0.02);
    CHECK(bf16[0] != f32[0]);
}

static size_t peak(bool recompute) {
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 1});
    tiny_lm m = new_lm();
    tern_error e;
    m.recompute = recompute;
    CHECK_OK(tern_backward(g, tiny_lm_loss(g, &m, 0), &e), e);
    size_t n = tern_graph_get_stats(g).live_peak_bytes;
    tern_params_free(m.p);
    tern_graph_free(g);
    return n;
}

TEST(recomputing_takes_less_memory) {
    CHECK(peak(true) * 4 < peak(false) * 3);
}

TEST(steps_after_the_first_take_no_block_and_leave_none_behind) {
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 2});
    tiny_lm m = new_lm();
    tern_error e;
    size_t n_taken = 0;
    for (int step = 0; step < 6; step++) {
        tern_graph_reset(g);
        CHECK_EQ(tern_graph_get_stats(g).live_bytes, 0);
        CHECK_OK(tern_backward(g, tiny_lm_loss(g, &m, step), &e), e);
        tern_params_zero_grad(m.p);
        if (step == 0) n_taken = tern_graph_get_stats(g).n_blocks_taken;
        CHECK(tern_graph_get_stats(g).live_bytes < 16384); /* inputs, tables and the loss */
    }
    CHECK_EQ(tern_graph_get_stats(g).n_blocks_taken, n_taken);
    tern_params_free(m.p);
    tern_graph_free(g);
}

TEST(inference_gives_the_same_bits_in_less_memory_and_has_no_tape) {
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 1});
    tiny_lm m = new_lm();
    double trained = tern_tensor_get(tiny_lm_loss(g, &m, 1), 0);
    size_t with_tape = tern_graph_get_stats(g).live_peak_bytes;
    CHECK(tern_graph_get_stats(g).n_nodes > 0);
    tern_graph_free(g);
    g = new_graph((tern_graph_opts){.n_threads = 1, .inference = true});
    CHECK(tern_tensor_get(tiny_lm_loss(g, &m, 1), 0) == trained);
    CHECK_EQ(tern_graph_get_stats(g).n_nodes, 0);
    CHECK(tern_graph_get_stats(g).live_peak_bytes * 2 < with_tape);
    tern_params_free(m.p);
    tern_graph_free(g);
}

TEST(dropout_repeats_from_its_counter_and_not_otherwise) {
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 2, .seed = 9});
    float one[3][1000];
    for (size_t i = 0; i < 1000; i++) one[0][i] = 1;
    tern_tensor *x = tern_tensor_from(g, TERN_F32, TERN_SHAPE(1000), one[0]);
    uint64_t counter = tern_graph_rng_counter(g);
    memcpy(one[0], tern_tensor_data(tern_dropout(g, x, 0.25)), sizeof one[0]);
    memcpy(one[1], tern_tensor_data(tern_dropout(g, x, 0.25)), sizeof one[1]);
    tern_graph_set_rng_counter(g, counter);
    memcpy(one[2], tern_tensor_data(tern_dropout(g, x, 0.25)), sizeof one[2]);
    CHECK(memcmp(one[0], one[2], sizeof one[0]) == 0);
    CHECK(memcmp(one[0], one[1], sizeof one[0]) != 0);
    double kept = 0;
    for (size_t i = 0; i < 1000; i++) kept += one[0][i] != 0;
    CHECK_NEAR(kept, 750, 60);
    CHECK_NEAR(one[0][0] + one[0][1] + one[0][2] + one[0][3], 4, 2.7);
    tern_graph_set_evaluation(g, true);
    CHECK(tern_dropout(g, x, 0.25) == x);
    tern_graph_free(g);
}

TEST(a_frozen_part_gets_no_gradient_and_the_rest_keeps_its_own) {
    tern_graph *g = new_graph((tern_graph_opts){.n_threads = 1});
    tiny_lm m = new_lm();
    tern_error e;
    CHECK_OK(tern_backward(g, tiny_lm_loss(g, &m, 0), &e), e);
    tern_tensor *w = tern_params_find(m.p, "model.layers.1.mlp.up_proj.weight");
    double before = tern_tensor_get(tern_tensor_grad(w), 5);
    tern_params_zero_grad(m.p);
    CHECK_EQ(tern_params_freeze(m.p, "model.layers.0.", true), 9);
    tern_graph_reset(g);
    CHECK_OK(tern_backward(g, tiny_lm_loss(g, &m, 0), &e), e);
    CHECK(tern_tensor_get(tern_tensor_grad(w), 5) == before);
    w = tern_params_find(m.p, "model.layers.0.mlp.up_proj.weight");
    CHECK(tern_tensor_grad(w) == NULL);
    tern_params_free(m.p);
    tern_graph_free(g);
}

TEST_MAIN
