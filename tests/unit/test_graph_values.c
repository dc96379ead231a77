/* Claims about what operations compute: closed forms, and two ways to the same number. */
#include "core/graph/graph_priv.h"
#include "tern/nn.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_graph *new_graph(void) {
    tern_graph *g = NULL;
    tern_error e;
    CHECK_OK(tern_graph_new(&(tern_graph_opts){.n_threads = 2}, &g, &e), e);
    return g;
}

/* The graph is freed by the last check of a case. */
static void done(tern_graph *g) {
    tern_error e;
    CHECK_OK(tern_graph_status(g, &e), e);
    tern_graph_free(g);
}

#define T32(g, data, ...) tern_tensor_from(g, TERN_F32, TERN_SHAPE(__VA_ARGS__), data)

static void check_all(const tern_tensor *t, const double *want, size_t n, double tol) {
    CHECK_EQ(tern_tensor_size(t), n);
    for (size_t i = 0; i < n; i++) CHECK_NEAR(tern_tensor_get(t, i), want[i], tol);
}

/* n numbers that look random and are the same everywhere. */
static tern_tensor *noise(tern_graph *g, size_t rank, const size_t *dim, unsigned seed) {
    tern_tensor *t = tern_tensor_new(g, TERN_F32, rank, dim);
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; t && i < tn_size(t); i++) {
        x = x * 1664525u + 1013904223u;
        ((float *)t->data)[i] = (float)(x >> 8) / (1 << 23) - 1;
    }
    return t;
}

static void check_same(const tern_tensor *a, const tern_tensor *b, double tol) {
    CHECK(a && b);
    CHECK_EQ(tern_tensor_size(a), tern_tensor_size(b));
    for (size_t i = 0; i < tn_size(a); i++)
        CHECK_NEAR(tern_tensor_get(a, i), tern_tensor_get(b, i), tol);
}

TEST(activations_have_their_published_values) {
    tern_graph *g = new_graph();
    float x[3] = {-1, 0, 2};
    tern_tensor *t = T32(g, x, 3);
    check_all(tern_gelu(g, t), (double[]){-0.15865525, 0, 1.95449974}, 3, 1e-6);
    check_all(tern_gelu_tanh(g, t), (double[]){-0.15880801, 0, 1.95459769}, 3, 1e-6);
    check_all(tern_silu(g, t), (double[]){-0.26894142, 0, 1.76159416}, 3, 1e-6);
    check_all(tern_softplus(g, t), (double[]){0.31326169, 0.69314718, 2.12692801}, 3, 1e-6);
    check_all(tern_relu(g, t), (double[]){0, 0, 2}, 3, 0);
    check_all(tern_sigmoid(g, t), (double[]){0.26894142, 0.5, 0.88079708}, 3, 1e-6);
    done(g);
}

TEST(norms_have_mean_0_and_length_1) {
    tern_graph *g = new_graph();
    float x[4] = {1, 2, 3, 6}, w[4] = {1, 1, 1, 2}, b[4] = {0, 0, 0, 1};
    tern_tensor *t = T32(g, x, 1, 4), *weight = T32(g, w, 4), *bias = T32(g, b, 4);
    double s = sqrt(3.5); /* deviation; mean 3 */
    check_all(tern_layer_norm(g, t, weight, bias, 0), (double[]){-2 / s, -1 / s, 0, 6 / s + 1}, 4,
              1e-6);
    double r = sqrt(12.5); /* root of the mean square */
    check_all(tern_rms_norm(g, t, weight, 0, 0), (double[]){1 / r, 2 / r, 3 / r, 12 / r}, 4, 1e-6);
    check_all(tern_rms_norm(g, t, weight, 1, 0), (double[]){2 / r, 4 / r, 6 / r, 18 / r}, 4, 1e-6);
    double l = sqrt(50);
    check_all(tern_normalize(g, t, 0), (double[]){1 / l, 2 / l, 3 / l, 6 / l}, 4, 1e-6);
    done(g);
}

TEST(softmax_of_a_row_of_nothing_is_zeros) {
    tern_graph *g = new_graph();
    float x[4] = {-INFINITY, -INFINITY, 0, -INFINITY};
    check_all(tern_softmax(g, T32(g, x, 2, 2)), (double[]){0, 0, 1, 0}, 4, 0);
    done(g);
}

TEST(rope_turns_pairs_half_a_row_apart) {
    tern_graph *g = new_graph();
    float x[4] = {1, 2, 3, 4};
    int32_t position = 3;
    tern_tensor *c, *s;
    CHECK_EQ(tern_rope_tables(g, TERN_F32, &position, 1, 4, 100, NULL, &c, &s), TERN_OK);
    double a = 3, b = 0.3; /* inverse frequencies 1 and 100^(-1/2) */
    check_all(tern_rope(g, T32(g, x, 1, 1, 4), c, s),
              (double[]){cos(a) - 3 * sin(a), 2 * cos(b) - 4 * sin(b), 3 * cos(a) + sin(a),
                         4 * cos(b) + 2 * sin(b)},
              4, 1e-6);
    done(g);
}

/* Attention written with products and a softmax, one sequence, heads made equal in number. */
static tern_tensor *attention_by_parts(tern_graph *g, tern_tensor *q, tern_tensor *k,
                                       tern_tensor *v, const tern_attention_opts *o) {
    size_t n = q->dim[0];
    tern_tensor *mask = tern_tensor_zeros(g, TERN_I8, TERN_SHAPE(n, n));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            bool hidden = o->causal && j > i;
            if (o->window) hidden |= j + o->window <= i || (!o->causal && i + o->window <= j);
            ((int8_t *)mask->data)[i * n + j] = hidden;
        }
    int heads_first[3] = {1, 0, 2};
    tern_tensor *qh = tern_permute(g, q, heads_first), *kh = tern_permute(g, k, heads_first);
    tern_tensor *score = tern_matmul(g, qh, tern_transpose(g, kh, -1, -2));
    score = tern_scale(g, score, o->scale > 0 ? o->scale : 1 / sqrt((double)q->dim[2]));
    if (o->softcap > 0)
        score = tern_scale(g, tern_tanh(g, tern_scale(g, score, 1 / o->softcap)), o->softcap);
    tern_tensor *p = tern_softmax(g, tern_masked_fill(g, score, mask, -(double)INFINITY));
    return tern_permute(g, tern_matmul(g, p, tern_permute(g, v, heads_first)), heads_first);
}

TEST(attention_is_the_softmax_of_products) {
    const tern_attention_opts forms[] = {{0},
                                         {.causal = true},
                                         {.causal = true, .window = 5},
                                         {.window = 4},
                                         {.causal = true, .softcap = 2, .scale = 0.7}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        tern_graph *g = new_graph();
        tern_tensor *q = noise(g, TERN_SHAPE(37, 2, 16), 1),
                    *k = noise(g, TERN_SHAPE(37, 2, 16), 2),
                    *v = noise(g, TERN_SHAPE(37, 2, 16), 3);
        check_same(tern_attention(g, q, k, v, &forms[f]), attention_by_parts(g, q, k, v, &forms[f]),
                   2e-6);
        done(g);
    }
}

TEST(packed_sequences_and_groups_equal_one_sequence_at_a_time) {
    tern_graph *g = new_graph();
    int32_t begin[4] = {0, 11, 11, 30};
    tern_tensor *q = noise(g, TERN_SHAPE(30, 4, 8), 1), *k = noise(g, TERN_SHAPE(30, 2, 8), 2),
                *v = noise(g, TERN_SHAPE(30, 2, 8), 3);
    tern_attention_opts o = {.causal = true};
    tern_attention_opts packed = {.causal = true};
    packed.begin = tern_tensor_from(g, TERN_I32, TERN_SHAPE(4), begin);
    tern_tensor *all = tern_attention(g, q, k, v, &packed);
    for (int s = 0; s < 3; s++) {
        size_t from = (size_t)begin[s], to = (size_t)begin[s + 1];
        if (from == to) continue;
        tern_tensor *heads[4];
        for (size_t h = 0; h < 4; h++) {
            tern_tensor *qs = tern_slice(g, tern_slice(g, q, 0, from, to), 1, h, h + 1);
            tern_tensor *ks = tern_slice(g, tern_slice(g, k, 0, from, to), 1, h / 2, h / 2 + 1);
            tern_tensor *vs = tern_slice(g, tern_slice(g, v, 0, from, to), 1, h / 2, h / 2 + 1);
            heads[h] = tern_attention(g, qs, ks, vs, &o);
        }
        check_same(tern_slice(g, all, 0, from, to), tern_concat(g, 1, heads, 4), 2e-6);
    }
    done(g);
}

TEST(cross_entropy_of_equal_logits_is_the_logarithm_of_their_number) {
    tern_graph *g = new_graph();
    int32_t target[3] = {4, TERN_IGNORE, 0};
    tern_tensor *t = tern_tensor_from(g, TERN_I32, TERN_SHAPE(3), target);
    tern_tensor *zero = tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(3, 5));
    check_all(tern_cross_entropy(g, zero, t), (double[]){log(5)}, 1, 1e-6);
    tern_tensor *x = noise(g, TERN_SHAPE(3, 7), 1), *w = noise(g, TERN_SHAPE(5, 7), 2);
    check_same(tern_linear_cross_entropy(g, x, w, t),
               tern_cross_entropy(g, tern_linear(g, x, w, NULL), t), 2e-6);
    CHECK_NEAR(tern_tensor_get(tern_linear_nll(g, x, w, t), 1), 0, 0);
    int32_t none[3] = {TERN_IGNORE, TERN_IGNORE, TERN_IGNORE};
    t = tern_tensor_from(g, TERN_I32, TERN_SHAPE(3), none);
    check_all(tern_cross_entropy(g, zero, t), (double[]){0}, 1, 0);
    done(g);
}

TEST(other_losses_have_their_closed_forms) {
    tern_graph *g = new_graph();
    float a[2] = {0, 1}, b[2] = {2, -1}, half[2] = {0.5f, 1};
    tern_tensor *x = T32(g, a, 2), *y = T32(g, b, 2);
    check_all(tern_mse(g, x, y), (double[]){4}, 1, 1e-6);
    check_all(tern_bce_with_logits(g, x, T32(g, half, 2)),
              (double[]){(log(2) + log1p(exp(-1))) / 2}, 1, 1e-6);
    check_all(tern_pairwise_logistic(g, y, x), (double[]){(log1p(exp(-2)) + log1p(exp(2))) / 2}, 1,
              1e-6);
    check_all(tern_pairwise_margin(g, y, x, 1), (double[]){1.5}, 1, 1e-6);
    /* p = (1/2, 1/2), q = (1/4, 3/4): KL(p || q) = log(2) - log(3) / 2 */
    float zero[2] = {0, 0}, third[2] = {0, logf(3)};
    double kl = log(2) - log(3) / 2;
    check_all(tern_kl_div(g, T32(g, zero, 1, 2), T32(g, third, 1, 2)), (double[]){kl}, 1, 1e-6);
    /* the list-wise loss of the same two is the cross-entropy: KL + H(p) */
    check_all(tern_listnet(g, T32(g, third, 1, 2), T32(g, zero, 1, 2)), (double[]){kl + log(2)}, 1,
              1e-6);
    float eye[4] = {1, 0, 0, 1};
    tern_tensor *e = T32(g, eye, 2, 2);
    check_all(tern_info_nce(g, e, e, 0.5), (double[]){log1p(exp(-2))}, 1, 1e-6);
    done(g);
}

TEST(sets_are_summed_averaged_and_maximised_and_the_empty_one_is_0) {
    tern_graph *g = new_graph();
    float x[6] = {1, 5, 2, -1, -4, 7};
    int32_t begin[4] = {0, 2, 2, 3};
    tern_tensor *t = T32(g, x, 3, 2), *b = tern_tensor_from(g, TERN_I32, TERN_SHAPE(4), begin);
    check_all(tern_segment_sum(g, t, b), (double[]){3, 4, 0, 0, -4, 7}, 6, 0);
    check_all(tern_segment_mean(g, t, b), (double[]){1.5, 2, 0, 0, -4, 7}, 6, 0);
    check_all(tern_segment_max(g, t, b), (double[]){2, 5, 0, 0, -4, 7}, 6, 0);
    float score[3] = {0, logf(3), 9};
    check_all(tern_attention_pool(g, t, T32(g, score, 3, 1), b), (double[]){1.75, 0.5, 0, 0, -4, 7},
              6, 1e-6);
    done(g);
}

TEST(products_of_views_equal_products_of_copies) {
    tern_graph *g = new_graph();
    tern_tensor *a = noise(g, TERN_SHAPE(3, 20, 17), 1), *b = noise(g, TERN_SHAPE(3, 33, 17), 2);
    tern_tensor *bt = tern_transpose(g, b, 1, 2);
    check_same(tern_matmul(g, a, bt), tern_matmul(g, a, tern_contiguous(g, bt)), 1e-5);
    tern_tensor *part = tern_slice(g, a, 2, 3, 14);
    tern_tensor *w = noise(g, TERN_SHAPE(8, 11), 3);
    check_same(tern_matmul(g, part, tern_transpose(g, w, 0, 1)), tern_linear(g, part, w, NULL),
               1e-5);
    done(g);
}

TEST(sums_over_every_set_of_axes_agree_with_loops) {
    tern_graph *g = new_graph();
    tern_tensor *x = noise(g, TERN_SHAPE(3, 4, 5), 1);
    for (unsigned axes = 0; axes < 8; axes++) {
        double want[60] = {0};
        size_t n = 1;
        for (unsigned k = 0; k < 3; k++) n *= axes >> k & 1 ? 1 : x->dim[k];
        for (size_t i = 0; i < 60; i++) {
            size_t at[3] = {i / 20, i / 5 % 4, i % 5}, to = 0;
            for (unsigned k = 0; k < 3; k++)
                if (!(axes >> k & 1)) to = to * x->dim[k] + at[k];
            want[to] += tern_tensor_get(x, i);
        }
        check_all(tern_sum(g, x, axes, false), want, n, 1e-5);
        check_same(
            tern_sum(g, x, axes, true),
            tern_sum(g,
                     tern_permute(g, tern_contiguous(g, tern_permute(g, x, (int[]){2, 0, 1})),
                                  (int[]){1, 2, 0}),
                     axes, true),
            1e-6);
    }
    done(g);
}

TEST(a_bf16_tensor_holds_the_nearest_value_and_passes_gradients_whole) {
    tern_graph *g = new_graph();
    float x[2] = {1.00390625f, -3.1415926f};
    tern_tensor *t = tern_tensor_want_grad(T32(g, x, 2));
    tern_tensor *h = tern_cast(g, t, TERN_BF16);
    check_all(h, (double[]){1, -3.140625}, 2, 0);
    tern_tensor *y = tern_scale(g, tern_cast(g, h, TERN_F32), 1.2345);
    tern_error e;
    CHECK_OK(tern_backward(g, tern_sum(g, y, TERN_AXES_ALL, false), &e), e);
    check_all(tern_tensor_grad(t), (double[]){1.2345, 1.2345}, 2, 1e-6);
    done(g);
}

TEST(a_batch_of_nothing_goes_through_and_gives_gradients_of_0) {
    tern_graph *g = new_graph();
    tern_tensor *x = tern_tensor_want_grad(tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(0, 4)));
    tern_tensor *w = tern_tensor_want_grad(noise(g, TERN_SHAPE(4, 4), 1));
    tern_tensor *norm = tern_tensor_want_grad(noise(g, TERN_SHAPE(4), 2));
    tern_tensor *h = tern_rms_norm(g, tern_gelu(g, tern_linear(g, x, w, norm)), norm, 0, 1e-5);
    h = tern_softmax(g, tern_reshape(g, tern_transpose(g, h, 0, 1), TERN_SHAPE(0, 4)));
    h = tern_concat(g, 0, (tern_tensor *[]){h, tern_mul(g, h, norm)}, 2);
    tern_tensor *q = tern_reshape(g, h, TERN_SHAPE(0, 2, 2));
    tern_tensor *y = tern_attention(g, q, q, q, NULL);
    tern_tensor *none = tern_tensor_zeros(g, TERN_I32, TERN_SHAPE(0));
    tern_tensor *loss = tern_add(g, tern_sum(g, y, TERN_AXES_ALL, false),
                                 tern_sum(g, tern_index_rows(g, w, none), TERN_AXES_ALL, false));
    loss = tern_add(g, loss, tern_linear_cross_entropy(g, h, w, none));
    tern_error e;
    CHECK_OK(tern_backward(g, loss, &e), e);
    CHECK_NEAR(tern_tensor_get(loss, 0), 0, 0);
    for (size_t i = 0; i < 16; i++) CHECK_NEAR(tern_tensor_get(tern_tensor_grad(w), i), 0, 0);
    done(g);
}

TEST(an_index_out_of_range_is_named) {
    tern_graph *g = new_graph();
    int32_t at[2] = {1, 9};
    tern_tensor *i = tern_tensor_from(g, TERN_I32, TERN_SHAPE(2), at);
    tern_error e;
    CHECK(tern_index_rows(g, noise(g, TERN_SHAPE(4, 3), 1), i) == NULL);
    CHECK_EQ(tern_graph_status(g, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "index[1] is 9, outside 0..3");
    tern_graph_free(g);
}

TEST_MAIN
