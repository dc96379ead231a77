/* Claims about tensors, the tape and its memory (core/graph). */
#include "core/graph/graph_priv.h"
#include "tern/graph.h"
#include "tern/nn.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_graph *new_graph(int n_threads) {
    tern_graph_opts o = {.n_threads = n_threads};
    tern_graph *g = NULL;
    tern_error e;
    CHECK_OK(tern_graph_new(&o, &g, &e), e);
    return g;
}

static tern_tensor *leaf(tern_graph *g, size_t rank, const size_t *dims, const float *data) {
    return tern_tensor_want_grad(tern_tensor_from(g, TERN_F32, rank, dims, data));
}

TEST(views_share_memory_and_read_in_their_own_order) {
    tern_graph *g = new_graph(1);
    float x[6] = {0, 1, 2, 3, 4, 5};
    tern_tensor *t = tern_tensor_from(g, TERN_F32, TERN_SHAPE(2, 3), x);
    tern_tensor *u = tern_transpose(g, t, 0, 1);
    CHECK_EQ(tern_tensor_dim(u, 0), 3);
    CHECK_NEAR(tern_tensor_get(u, 1), 3, 0);
    CHECK(tern_tensor_data(u) == NULL); /* not row-major */
    CHECK(tern_tensor_data(tern_contiguous(g, u)) != NULL);
    tern_tensor *s = tern_slice(g, t, -1, 1, 3);
    CHECK_NEAR(tern_tensor_get(s, 2), 4, 0);
    CHECK((float *)s->data == (float *)t->data + 1);
    tern_tensor *flat = tern_reshape(g, u, TERN_SHAPE(6));
    CHECK_NEAR(tern_tensor_get(flat, 1), 3, 0);
    tern_tensor *wide = tern_broadcast_to(g, tern_slice(g, t, 0, 0, 1), TERN_SHAPE(4, 2, 3));
    CHECK_EQ(tern_tensor_size(wide), 24);
    CHECK_NEAR(tern_tensor_get(wide, 23), 2, 0);
    tern_graph_free(g);
}

TEST(an_error_is_sticky_and_says_which_operation_and_shapes) {
    tern_graph *g = new_graph(1);
    tern_tensor *a = tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(2, 3));
    tern_tensor *b = tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(4, 5));
    tern_tensor *y = tern_relu(g, tern_matmul(g, a, b));
    tern_error e;
    CHECK(y == NULL && tern_exp(g, a) == NULL);
    CHECK_EQ(tern_graph_status(g, &e), TERN_ERR_SHAPE);
    CHECK_STR(e.text, "matmul: [2,3] times [4,5] does not fit");
    tern_graph_reset(g);
    CHECK_EQ(tern_graph_status(g, &e), TERN_OK);
    tern_graph_free(g);
}

TEST(gradients_add_up_until_they_are_zeroed) {
    tern_graph *g = new_graph(1);
    tern_params *p = NULL;
    tern_error e;
    CHECK_OK(tern_params_new(NULL, &p, &e), e);
    tern_tensor *w = tern_params_add(p, "w", TERN_SHAPE(3), (tern_init){TERN_INIT_ONES, 0}, 0);
    CHECK_OK(tern_params_init(p, &e), e);
    CHECK(tern_tensor_grad(w) == NULL);
    for (int round = 0; round < 2; round++) {
        for (int k = 1; k <= 3; k++) {
            tern_graph_reset(g);
            tern_tensor *loss = tern_sum(g, tern_mul(g, w, w), TERN_AXES_ALL, false);
            CHECK_OK(tern_backward(g, loss, &e), e);
            CHECK_NEAR(tern_tensor_get(loss, 0), 3, 0);
            CHECK_NEAR(tern_tensor_get(tern_tensor_grad(w), 1), 2 * k, 0);
        }
        tern_params_zero_grad(p);
    }
    tern_params_free(p);
    tern_graph_free(g);
}

TEST(a_shared_gradient_is_copied_before_it_is_written) {
    tern_graph *g = new_graph(1);
    float v[2] = {3, 5};
    tern_tensor *a = leaf(g, TERN_SHAPE(2), v), *b = leaf(g, TERN_SHAPE(2), v);
    /* dy of the sum goes to a and b alike; then a gets more, b must not see it */
    tern_tensor *y = tern_mul(g, a, a);
    tern_tensor *sum = tern_add(g, tern_add(g, a, b), y);
    tern_error e;
    CHECK_OK(tern_backward(g, tern_sum(g, sum, TERN_AXES_ALL, false), &e), e);
    CHECK_NEAR(tern_tensor_get(tern_tensor_grad(a), 0), 7, 0);
    CHECK_NEAR(tern_tensor_get(tern_tensor_grad(a), 1), 11, 0);
    CHECK_NEAR(tern_tensor_get(tern_tensor_grad(b), 0), 1, 0);
    CHECK_NEAR(tern_tensor_get(tern_tensor_grad(b), 1), 1, 0);
    tern_graph_free(g);
}

TEST(gradients_that_callers_read_are_row_major_however_they_came_about) {
    tern_graph *g = new_graph(1);
    float v[6] = {1, 2, 3, 4, 5, 6};
    tern_tensor *x = leaf(g, TERN_SHAPE(2, 3), v), *dx;
    tern_tensor *loss = tern_sum(g, tern_transpose(g, x, 0, 1), TERN_AXES_ALL, false);
    tern_error e;
    for (int differentiable = 0; differentiable < 2; differentiable++) {
        CHECK_OK(tern_grad(g, loss, &x, 1, differentiable, &dx, &e), e);
        CHECK(tern_tensor_data(dx) && ((float *)tern_tensor_data(dx))[5] == 1);
    }
    CHECK_OK(tern_backward(g, loss, &e), e);
    const float *left = tern_tensor_data(tern_tensor_grad(x));
    CHECK(left && left[0] == 1 && left[5] == 1);
    tern_graph_free(g);
}

TEST(tern_grad_leaves_parameters_and_shared_gradients_alone) {
    tern_graph *g = new_graph(1);
    tern_params *p = NULL;
    tern_error e;
    CHECK_OK(tern_params_new(NULL, &p, &e), e);
    tern_tensor *a = tern_params_add(p, "a", TERN_SHAPE(2), (tern_init){TERN_INIT_ONES, 0}, 0);
    tern_tensor *b = tern_params_add(p, "b", TERN_SHAPE(2), (tern_init){TERN_INIT_ONES, 0}, 0);
    CHECK_OK(tern_params_init(p, &e), e);
    tern_tensor *y = tern_add(g, tern_mul(g, a, a), tern_add(g, a, b));
    tern_tensor *xs[2] = {a, b}, *dxs[2];
    CHECK_OK(tern_grad(g, y, xs, 2, false, dxs, &e), e);
    CHECK_NEAR(tern_tensor_get(dxs[0], 1), 3, 0);
    CHECK_NEAR(tern_tensor_get(dxs[1], 1), 1, 0);
    CHECK(tern_tensor_grad(a) == NULL && tern_tensor_grad(b) == NULL);
    tern_params_free(p);
    tern_graph_free(g);
}

TEST(backward_frees_what_it_has_passed_but_the_loss_and_kept_values) {
    tern_graph *g = new_graph(1);
    float v[2] = {1, 2};
    tern_tensor *x = leaf(g, TERN_SHAPE(2), v);
    tern_tensor *h = tern_exp(g, x), *k = tern_tensor_keep(tern_exp(g, h));
    tern_tensor *loss = tern_sum(g, k, TERN_AXES_ALL, false);
    tern_error e;
    CHECK_EQ(tern_graph_get_stats(g).n_nodes, 3);
    CHECK_OK(tern_backward(g, loss, &e), e);
    CHECK(tern_tensor_data(h) == NULL);
    CHECK(tern_tensor_data(k) != NULL && tern_tensor_data(loss) != NULL);
    CHECK_EQ(tern_graph_get_stats(g).n_nodes, 0);
    CHECK(tern_exp(g, h) == NULL); /* says so, instead of reading freed memory */
    CHECK_EQ(tern_graph_status(g, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "released");
    tern_graph_free(g);
}

TEST(backward_refuses_what_has_no_gradient) {
    tern_graph *g = new_graph(1);
    tern_error e;
    tern_tensor *x = tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(2));
    CHECK_EQ(tern_backward(g, tern_sum(g, x, TERN_AXES_ALL, false), &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "depends on nothing");
    tern_graph_reset(g);
    x = tern_tensor_want_grad(tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(2)));
    CHECK_EQ(tern_backward(g, tern_exp(g, x), &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "2 elements");
    tern_graph_reset(g);
    tern_graph_set_inference(g, true);
    x = tern_tensor_want_grad(tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(1)));
    CHECK_EQ(tern_backward(g, tern_exp(g, x), &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "inference");
    tern_graph_free(g);
}

TEST(integers_are_refused_where_numbers_are_computed) {
    tern_graph *g = new_graph(1);
    tern_error e;
    tern_tensor *i = tern_tensor_zeros(g, TERN_I32, TERN_SHAPE(2));
    CHECK(tern_exp(g, i) == NULL);
    CHECK_EQ(tern_graph_status(g, &e), TERN_ERR_ARG);
    tern_graph_free(g);
}

TEST(steps_of_changing_size_hold_little_more_than_the_largest) {
    tn_blocks b = {0};
    for (size_t step = 0; step < 40; step++) {
        size_t n_bytes = (1u << 20) + step * 7919 % 40 * 25000; /* 1 to 2 MB */
        tn_block *block[8];
        for (int i = 0; i < 8; i++) CHECK((block[i] = tn_block_new(&b, n_bytes)) != NULL);
        for (int i = 0; i < 8; i++) tn_block_drop(&b, block[i]);
    }
    CHECK_EQ(b.live_bytes, 0);
    CHECK(b.held_bytes <= b.live_peak_bytes + b.live_peak_bytes / 2 + (1 << 20));
    tn_blocks_deinit(&b);
}

/* ---- a small network, trained ---- */

typedef struct net {
    tern_params *p;
    tern_nn_linear in, out;
} net;

static net new_net(uint64_t seed) {
    net n;
    tern_error e;
    CHECK_OK(tern_params_new(&(tern_params_opts){.seed = seed}, &n.p, &e), e);
    n.in = tern_nn_linear_new(n.p, "in", 2, 16, true);
    n.out = tern_nn_linear_new(n.p, "out", 16, 1, true);
    CHECK_OK(tern_params_init(n.p, &e), e);
    return n;
}

static tern_tensor *xor_loss(tern_graph *g, const net *n) {
    static const float x[8] = {0, 0, 0, 1, 1, 0, 1, 1}, t[4] = {0, 1, 1, 0};
    tern_tensor *in = tern_tensor_borrow(g, TERN_F32, TERN_SHAPE(4, 2), x);
    tern_tensor *want = tern_tensor_borrow(g, TERN_F32, TERN_SHAPE(4, 1), t);
    tern_tensor *h = tern_tanh(g, tern_nn_linear_forward(g, &n->in, in));
    tern_tensor *d = tern_sub(g, tern_nn_linear_forward(g, &n->out, h), want);
    return tern_mean(g, tern_mul(g, d, d), TERN_AXES_ALL, false);
}

static void descend(const net *n, float lr) {
    for (size_t i = 0; i < tern_params_count(n->p); i++) {
        tern_param q = tern_params_get(n->p, i);
        float *w = tern_tensor_data(q.tensor);
        const float *dw = tern_tensor_data(tern_tensor_grad(q.tensor));
        for (size_t k = 0; k < q.size; k++) w[k] -= lr * dw[k];
    }
    tern_params_zero_grad(n->p);
}

TEST(gradient_descent_learns_xor_and_later_steps_take_no_memory) {
    tern_graph *g = new_graph(2);
    net n = new_net(1);
    tern_error e;
    const char *arena = getenv("TERN_ARENA"); /* off: each small thing is an allocation */
    uint64_t n_allocs = 0;
    for (int step = 0; step < 2000; step++) {
        tern_graph_reset(g);
        if (step == 3) n_allocs = tn_mem_n_allocs();
        CHECK_OK(tern_backward(g, xor_loss(g, &n), &e), e);
        descend(&n, 0.3f);
    }
    if (!arena || strcmp(arena, "off") != 0) CHECK_EQ(tn_mem_n_allocs(), n_allocs);
    tern_graph_reset(g);
    CHECK(tern_tensor_get(xor_loss(g, &n), 0) < 1e-2);
    tern_params_free(n.p);
    tern_graph_free(g);
}

TEST(names_find_parameters_and_start_values_do_not_depend_on_order) {
    net a = new_net(7);
    tern_params *p = NULL;
    tern_error e;
    CHECK_OK(tern_params_new(&(tern_params_opts){.seed = 7}, &p, &e), e);
    tern_nn_linear_new(p, "out", 16, 1, true);
    tern_nn_linear_new(p, "in", 2, 16, true);
    CHECK_OK(tern_params_init(p, &e), e);
    tern_tensor *w = tern_params_find(p, "in.weight");
    CHECK(w && !tern_params_find(p, "in.weights"));
    for (size_t i = 0; i < 32; i++) CHECK(tern_tensor_get(w, i) == tern_tensor_get(a.in.weight, i));
    CHECK_EQ(tern_params_size(p), 16 + 1 + 32 + 16);
    CHECK_EQ(tern_params_freeze(p, "out.", true), 2);
    tern_params_free(p);
    tern_params_free(a.p);
}

TEST(the_registry_refuses_a_name_twice_and_additions_after_init) {
    tern_params *p = NULL;
    tern_error e;
    CHECK_OK(tern_params_new(NULL, &p, &e), e);
    tern_nn_linear_new(p, "a", 2, 2, false);
    tern_nn_linear_new(p, "a", 2, 2, false);
    CHECK_EQ(tern_params_init(p, &e), TERN_ERR_EXISTS);
    CHECK_HAS(e.text, "a.weight");
    tern_params_free(p);
    CHECK_OK(tern_params_new(NULL, &p, &e), e);
    CHECK_OK(tern_params_init(p, &e), e);
    CHECK(tern_nn_linear_new(p, "a", 2, 2, false).weight == NULL);
    tern_params_free(p);
}

TEST_MAIN
