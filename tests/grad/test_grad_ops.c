/* Gradients of masks, sequences, sets and losses; and that the check itself can fail. */
#include "core/graph/graph_priv.h"
#include "tests/grad/gradcheck.h"

/* ---- the check ---- */

/* y = x^2 with its slope, and with the slope turned round: the mistake that a check of absolute
 * values cannot see. */
static void right_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, tern_scale(s->g, tn_in(s, 0), 2)));
}
static void flipped_backward(tn_step *s) {
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, tern_scale(s->g, tn_in(s, 0), -2)));
}
static const tn_op op_right = {"right", .needs = TN_NEED_INS, .backward_ops = right_backward};
static const tn_op op_flipped = {"flipped", .needs = TN_NEED_INS, .backward_ops = flipped_backward};
static const tn_op op_kernel = {"kernel", .needs = TN_NEED_INS, .backward = flipped_backward,
                                .backward_ops = right_backward};
static const tn_op op_operations = {"operations", .needs = TN_NEED_INS, .backward = right_backward,
                                    .backward_ops = flipped_backward};

static tern_tensor *square(tern_graph *g, void *ud, tern_tensor *const *in) {
    tern_tensor *y = tern_mul(g, tern_detach(g, in[0]), tern_detach(g, in[0]));
    return tn_record(g, ud, y, in, 1, NULL, 0);
}

static tern_gradcheck_report check_square(const tn_op *op) {
    const tern_gradcheck_input in[] = {{"x", 1, {3}}};
    tern_gradcheck_report r;
    tern_error e;
    CHECK_OK(tern_gradcheck(square, (void *)(uintptr_t)op, in, 1, NULL, &r, &e), e);
    return r;
}

TEST(a_flipped_sign_fails_the_check_and_a_right_one_passes) {
    CHECK(check_square(&op_right).passed);
    tern_gradcheck_report r = check_square(&op_flipped);
    CHECK(!r.passed);
    CHECK_HAS(r.text, "x[0]: the gradient by kernels is ");
    CHECK(!check_square(&op_kernel).passed);
    r = check_square(&op_operations);
    CHECK(!r.passed);
    CHECK_HAS(r.text, "the gradient in operations");
}

/* First order right, second order wrong: the slope forgets that it depends on x. */
static void half_backward(tn_step *s) {
    tern_tensor *x = tern_detach(s->g, tn_in(s, 0));
    tn_grad_add(s, 0, tern_mul(s->g, s->dy, tern_scale(s->g, x, 2)));
}
static const tn_op op_half = {"half", .needs = TN_NEED_INS, .backward_ops = half_backward};

TEST(a_wrong_second_derivative_fails_the_check) {
    tern_gradcheck_report r = check_square(&op_half);
    CHECK(!r.passed);
    CHECK_HAS(r.text, "the second derivative");
}

TEST(second_order_is_refused_by_name) {
    tern_graph *g = NULL;
    tern_error e;
    CHECK_OK(tern_graph_new(NULL, &g, &e), e);
    tern_tensor *x = tern_tensor_want_grad(tern_tensor_zeros(g, TERN_F32, TERN_SHAPE(3, 2, 4)));
    tern_tensor *y = tern_attention(g, x, x, x, NULL), *dx;
    CHECK_EQ(tern_grad(g, y, &x, 1, true, &dx, &e), TERN_ERR_UNSUPPORTED);
    CHECK_STR(e.text, "attention has no second derivative");
    tern_graph_free(g);
}

/* ---- masks ---- */

static tern_tensor *f_fill(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const int8_t mask[3] = {0, 1, 0};
    (void)ud;
    tern_tensor *m = tern_tensor_borrow(g, TERN_I8, TERN_SHAPE(3), mask);
    tern_tensor *y = tern_masked_fill(g, in[0], m, 0.5);
    return tern_mul(g, y, y);
}
OP(f_dropout, tern_mul(g, tern_dropout(g, in[0], 0.4), in[0]))
OP(f_concat, tern_exp(g, tern_concat(g, -1, (tern_tensor *[]){in[0], in[1], in[0]}, 3)))

TEST(masks_and_joins) {
    CHECK_GRADIENTS(f_fill, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_dropout, {"x", 2, {3, 7}});
    CHECK_GRADIENTS(f_concat, {"a", 2, {2, 1}}, {"b", 2, {2, 3}});
}

/* ---- sequences ---- */

static tern_tensor *f_rope(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const int32_t position[3] = {0, 5, 2};
    tern_tensor *cos, *sin;
    (void)ud;
    if (tern_rope_tables(g, tern_tensor_dtype(in[0]), position, 3, 4, 10000, NULL, &cos, &sin))
        return NULL;
    tern_tensor *y = tern_rope(g, in[0], cos, sin);
    return tern_mul(g, y, y);
}

TEST(rotary_positions_whole_and_partial) {
    CHECK_GRADIENTS(f_rope, {"x", 3, {3, 2, 4}});
    CHECK_GRADIENTS(f_rope, {"x", 3, {3, 1, 6}});
}

static const int32_t seqs[4] = {0, 2, 2, 7};

static tern_tensor *begins(tern_graph *g) {
    return tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(4), seqs);
}

static tern_tensor *f_attention(tern_graph *g, void *ud, tern_tensor *const *in) {
    tern_attention_opts o = *(const tern_attention_opts *)ud;
    o.begin = begins(g);
    return tern_attention(g, in[0], in[1], in[2], &o);
}
OP(f_self, tern_attention(g, in[0], in[0], in[0], NULL))

TEST(attention_in_all_its_forms) {
    const tern_attention_opts forms[] = {{.causal = true},
                                         {.causal = false},
                                         {.causal = true, .window = 2},
                                         {.window = 2},
                                         {.causal = true, .softcap = 0.7, .scale = 0.9}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        CHECK_FIRST_ORDER(f_attention, (void *)(uintptr_t)&forms[i], {"q", 3, {7, 4, 3}},
                          {"k", 3, {7, 2, 3}}, {"v", 3, {7, 2, 3}});
    CHECK_FIRST_ORDER(f_self, NULL, {"x", 3, {4, 2, 3}});
}

OP(f_segment_sum, tern_exp(g, tern_segment_sum(g, in[0], begins(g))))
OP(f_segment_mean, tern_exp(g, tern_segment_mean(g, in[0], begins(g))))
OP(f_segment_max, tern_segment_max(g, in[0], begins(g)))
OP(f_segment_softmax, tern_segment_softmax(g, in[0], begins(g)))
OP(f_pool, tern_attention_pool(g, in[0], in[1], begins(g)))

TEST(sets) {
    CHECK_GRADIENTS(f_segment_sum, {"x", 2, {7, 2}});
    CHECK_GRADIENTS(f_segment_sum, {"x", 1, {7}});
    CHECK_GRADIENTS(f_segment_mean, {"x", 2, {7, 2}});
    CHECK_FIRST_ORDER(f_segment_max, NULL, {"x", 2, {7, 2}});
    CHECK_GRADIENTS(f_segment_softmax, {"x", 2, {7, 2}});
    CHECK_GRADIENTS(f_pool, {"x", 2, {7, 2}}, {"score", 2, {7, 1}});
}

/* ---- losses ---- */

static tern_tensor *classes(tern_graph *g) {
    static const int32_t target[4] = {2, TERN_IGNORE, 0, 4};
    return tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(4), target);
}

OP(f_cross_entropy, tern_cross_entropy(g, in[0], classes(g)))
OP(f_linear_ce, tern_linear_cross_entropy(g, in[0], in[1], classes(g)))
OP(f_linear_nll, tern_linear_nll(g, in[0], in[1], classes(g)))
OP(f_mse, tern_mse(g, in[0], in[1]))
OP(f_bce, tern_bce_with_logits(g, in[0], in[1]))
OP(f_kl, tern_kl_div(g, in[0], in[1]))
OP(f_nce, tern_info_nce(g, tern_normalize(g, in[0], 1e-6), tern_normalize(g, in[1], 1e-6), 0.5))
OP(f_logistic, tern_pairwise_logistic(g, in[0], in[1]))
OP(f_margin, tern_pairwise_margin(g, in[0], in[1], 5))

static tern_tensor *f_listnet(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const float relevance[8] = {1, 0, 2, -INFINITY, 0, 0, 1, 1};
    (void)ud;
    tern_tensor *r = tern_tensor_borrow(g, TERN_F32, TERN_SHAPE(2, 4), relevance);
    return tern_listnet(g, in[0], tern_cast(g, r, tern_tensor_dtype(in[0])));
}

TEST(losses) {
    CHECK_GRADIENTS(f_cross_entropy, {"logits", 2, {4, 5}});
    CHECK_FIRST_ORDER(f_linear_ce, NULL, {"x", 2, {4, 3}}, {"w", 2, {5, 3}});
    CHECK_FIRST_ORDER(f_linear_nll, NULL, {"x", 2, {4, 3}}, {"w", 2, {5, 3}});
    CHECK_GRADIENTS(f_mse, {"x", 2, {2, 3}}, {"target", 2, {2, 3}});
    CHECK_GRADIENTS(f_bce, {"x", 1, {4}, -3, 3}, {"target", 1, {4}, 0, 1});
    CHECK_GRADIENTS(f_kl, {"p", 2, {2, 4}}, {"q", 2, {2, 4}});
    CHECK_GRADIENTS(f_nce, {"a", 2, {2, 3}}, {"b", 2, {4, 3}});
    CHECK_GRADIENTS(f_logistic, {"better", 1, {4}}, {"worse", 1, {4}});
    CHECK_GRADIENTS(f_margin, {"better", 1, {4}}, {"worse", 1, {4}});
    CHECK_GRADIENTS(f_listnet, {"score", 2, {2, 4}});
}

/* ---- recomputing ---- */

static tern_tensor *block(tern_graph *g, void *ud, tern_tensor *const *in) {
    (void)ud;
    tern_tensor *h = tern_gelu(g, tern_linear(g, tern_dropout(g, in[0], 0.3), in[1], NULL));
    return tern_add(g, tern_dropout(g, h, 0.3), in[0]);
}
OP(f_recomputed, tern_recompute(g, block, NULL,
                                (tern_tensor *[]){tern_recompute(g, block, NULL, in, 2), in[1]}, 2))

TEST(recomputed_pieces_give_the_same_gradients) {
    CHECK_FIRST_ORDER(f_recomputed, NULL, {"x", 2, {3, 4}}, {"w", 2, {4, 4}});
}

TEST_MAIN
