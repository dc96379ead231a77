/* Gradients of arithmetic, shapes, reductions and products, first and second order. */
#include "tests/grad/gradcheck.h"

OP(f_add, tern_add(g, in[0], in[1]))
OP(f_sub, tern_sub(g, in[0], in[1]))
OP(f_mul, tern_mul(g, in[0], in[1]))
OP(f_div, tern_div(g, in[0], in[1]))
OP(f_square, tern_mul(g, in[0], in[0]))

TEST(arithmetic_of_equal_shapes) {
    CHECK_GRADIENTS(f_add, {"a", 2, {2, 3}}, {"b", 2, {2, 3}});
    CHECK_GRADIENTS(f_sub, {"a", 2, {2, 3}}, {"b", 2, {2, 3}});
    CHECK_GRADIENTS(f_mul, {"a", 2, {2, 3}}, {"b", 2, {2, 3}});
    CHECK_GRADIENTS(f_div, {"a", 2, {2, 3}}, {"b", 2, {2, 3}, 0.5, 2});
    CHECK_GRADIENTS(f_square, {"a", 1, {4}});
}

TEST(arithmetic_with_broadcasting_on_either_side) {
    CHECK_GRADIENTS(f_add, {"a", 2, {2, 3}}, {"b", 1, {3}});
    CHECK_GRADIENTS(f_sub, {"a", 2, {2, 1}}, {"b", 3, {2, 1, 3}});
    CHECK_GRADIENTS(f_mul, {"a", 0}, {"b", 2, {2, 3}});
    CHECK_GRADIENTS(f_mul, {"a", 3, {2, 1, 3}}, {"b", 2, {4, 1}});
    CHECK_GRADIENTS(f_div, {"a", 1, {3}}, {"b", 2, {2, 1}, -2, -0.5});
}

OP(f_affine, tern_affine(g, in[0], -1.5, 0.25))
OP(f_exp, tern_exp(g, in[0]))
OP(f_log, tern_log(g, in[0]))
OP(f_sqrt, tern_sqrt(g, in[0]))
OP(f_cube, tern_pow(g, in[0], 3))
OP(f_power, tern_pow(g, in[0], -0.5))
OP(f_tanh, tern_tanh(g, in[0]))
OP(f_sigmoid, tern_sigmoid(g, in[0]))
OP(f_softplus, tern_softplus(g, in[0]))
OP(f_relu, tern_relu(g, in[0]))
OP(f_gelu, tern_gelu(g, in[0]))
OP(f_gelu_tanh, tern_gelu_tanh(g, in[0]))
OP(f_silu, tern_silu(g, in[0]))

TEST(functions_of_one_number) {
    CHECK_GRADIENTS(f_affine, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_exp, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_log, {"x", 2, {2, 3}, 0.5, 3});
    CHECK_GRADIENTS(f_sqrt, {"x", 2, {2, 3}, 0.5, 3});
    CHECK_GRADIENTS(f_cube, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_power, {"x", 2, {2, 3}, 0.5, 3});
    CHECK_GRADIENTS(f_tanh, {"x", 1, {9}, -3, 3});
    CHECK_GRADIENTS(f_sigmoid, {"x", 1, {9}, -3, 3});
    CHECK_GRADIENTS(f_softplus, {"x", 1, {9}, -3, 3});
    CHECK_GRADIENTS(f_relu, {"x", 1, {4}, 0.1, 1});
    CHECK_GRADIENTS(f_relu, {"x", 1, {4}, -1, -0.1});
    CHECK_GRADIENTS(f_gelu, {"x", 1, {9}, -3, 3});
    CHECK_GRADIENTS(f_gelu_tanh, {"x", 1, {9}, -3, 3});
    CHECK_GRADIENTS(f_silu, {"x", 1, {9}, -3, 3});
}

OP(f_swiglu, tern_swiglu(g, in[0], in[1]))
OP(f_geglu, tern_geglu(g, in[0], in[1]))

TEST(gated_units) {
    CHECK_GRADIENTS(f_swiglu, {"gate", 2, {2, 3}, -2, 2}, {"up", 2, {2, 3}});
    CHECK_GRADIENTS(f_geglu, {"gate", 2, {2, 3}, -2, 2}, {"up", 2, {2, 3}});
}

/* The square makes a shape change visible to the second order too. */
OP(f_reshape, f_square(g, ud, (tern_tensor *[]){tern_reshape(g, in[0], TERN_SHAPE(3, 2))}))
OP(f_permute, f_square(g, ud, (tern_tensor *[]){tern_permute(g, in[0], (int[]){2, 0, 1})}))
OP(f_slice, f_square(g, ud, (tern_tensor *[]){tern_slice(g, in[0], -1, 1, 3)}))
OP(f_stretch, f_square(g, ud, (tern_tensor *[]){tern_broadcast_to(g, in[0], TERN_SHAPE(2, 3, 2))}))
OP(f_copied, tern_exp(g, tern_contiguous(g, tern_transpose(g, in[0], 0, 1))))
OP(f_overlap, tern_mul(g, tern_slice(g, in[0], 0, 0, 2), tern_slice(g, in[0], 0, 1, 3)))

TEST(views) {
    CHECK_GRADIENTS(f_reshape, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_permute, {"x", 3, {2, 3, 2}});
    CHECK_GRADIENTS(f_slice, {"x", 2, {2, 4}});
    CHECK_GRADIENTS(f_stretch, {"x", 2, {3, 1}});
    CHECK_GRADIENTS(f_copied, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_overlap, {"x", 2, {3, 2}});
}

OP(f_sum_all, f_square(g, ud, (tern_tensor *[]){tern_sum(g, in[0], TERN_AXES_ALL, false)}))
OP(f_sum_first, f_square(g, ud, (tern_tensor *[]){tern_sum(g, in[0], TERN_AXIS(0), false)}))
OP(f_sum_outer,
   f_square(g, ud, (tern_tensor *[]){tern_sum(g, in[0], TERN_AXIS(0) | TERN_AXIS(-1), true)}))
OP(f_mean, f_square(g, ud, (tern_tensor *[]){tern_mean(g, in[0], TERN_AXIS(1), false)}))
OP(f_max, tern_max(g, in[0], TERN_AXIS(-1), false))

TEST(reductions) {
    CHECK_GRADIENTS(f_sum_all, {"x", 2, {2, 3}});
    CHECK_GRADIENTS(f_sum_first, {"x", 2, {3, 2}});
    CHECK_GRADIENTS(f_sum_outer, {"x", 3, {2, 3, 2}});
    CHECK_GRADIENTS(f_mean, {"x", 3, {2, 3, 2}});
    CHECK_FIRST_ORDER(f_max, NULL, {"x", 2, {3, 5}});
}

OP(f_matmul, tern_matmul(g, in[0], in[1]))
OP(f_matmul_t, tern_matmul(g, tern_transpose(g, in[0], -1, -2), tern_transpose(g, in[1], -1, -2)))
OP(f_linear, tern_linear(g, in[0], in[1], in[2]))
OP(f_linear_plain, tern_linear(g, in[0], in[1], NULL))
OP(f_residual, tern_linear_residual(g, in[0], in[1], in[2], in[0]))
OP(f_linear_gap, tern_linear(g, tern_slice(g, in[0], -1, 1, 3), in[1], NULL))

TEST(products) {
    CHECK_GRADIENTS(f_matmul, {"a", 2, {2, 3}}, {"b", 2, {3, 4}});
    CHECK_GRADIENTS(f_matmul, {"a", 3, {2, 2, 3}}, {"b", 3, {2, 3, 2}});
    CHECK_GRADIENTS(f_matmul, {"a", 3, {2, 2, 3}}, {"b", 2, {3, 2}});
    CHECK_GRADIENTS(f_matmul, {"a", 4, {2, 1, 2, 3}}, {"b", 3, {2, 3, 2}});
    CHECK_GRADIENTS(f_matmul, {"a", 2, {2, 3}}, {"b", 3, {2, 3, 2}});
    CHECK_GRADIENTS(f_matmul_t, {"a", 2, {3, 2}}, {"b", 2, {4, 3}});
    CHECK_GRADIENTS(f_matmul_t, {"a", 3, {2, 3, 2}}, {"b", 3, {2, 2, 3}});
}

TEST(linear_layers) {
    CHECK_GRADIENTS(f_linear, {"x", 3, {2, 2, 3}}, {"w", 2, {4, 3}}, {"b", 1, {4}});
    CHECK_GRADIENTS(f_linear_plain, {"x", 1, {3}}, {"w", 2, {4, 3}});
    CHECK_GRADIENTS(f_residual, {"x", 2, {2, 3}}, {"w", 2, {3, 3}}, {"b", 1, {3}});
    CHECK_GRADIENTS(f_linear_gap, {"x", 2, {2, 4}}, {"w", 2, {3, 2}});
}

OP(f_softmax, tern_softmax(g, in[0]))
OP(f_log_softmax, tern_log_softmax(g, in[0]))
OP(f_layer_norm, tern_layer_norm(g, in[0], in[1], in[2], 1e-3))
OP(f_layer_norm_plain, tern_layer_norm(g, in[0], in[1], NULL, 1e-3))
OP(f_rms_norm, tern_rms_norm(g, in[0], in[1], 0, 1e-3))
OP(f_gemma_norm, tern_rms_norm(g, in[0], in[1], 1, 1e-3))
OP(f_normalize, tern_normalize(g, in[0], 1e-3))

TEST(rows) {
    CHECK_GRADIENTS(f_softmax, {"x", 2, {2, 5}, -2, 2});
    CHECK_GRADIENTS(f_log_softmax, {"x", 2, {2, 5}, -2, 2});
    CHECK_GRADIENTS(f_layer_norm, {"x", 2, {3, 5}}, {"w", 1, {5}}, {"b", 1, {5}});
    CHECK_GRADIENTS(f_layer_norm_plain, {"x", 2, {2, 5}}, {"w", 1, {5}});
    CHECK_GRADIENTS(f_rms_norm, {"x", 2, {3, 5}}, {"w", 1, {5}});
    CHECK_GRADIENTS(f_gemma_norm, {"x", 2, {2, 5}}, {"w", 1, {5}});
    CHECK_GRADIENTS(f_normalize, {"x", 2, {2, 3}});
}

static tern_tensor *f_rows(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const int32_t index[6] = {2, 0, 2, 1, 2, 0};
    tern_tensor *at = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(3, 2), index);
    return f_square(g, ud, (tern_tensor *[]){tern_index_rows(g, in[0], at)});
}

static tern_tensor *f_pick(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const int32_t index[3] = {2, 0, 3};
    tern_tensor *at = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(3), index);
    return f_square(g, ud, (tern_tensor *[]){tern_pick(g, in[0], at)});
}

TEST(gathering) {
    CHECK_GRADIENTS(f_rows, {"x", 2, {4, 3}});
    CHECK_GRADIENTS(f_rows, {"x", 3, {3, 2, 2}});
    CHECK_GRADIENTS(f_pick, {"x", 2, {3, 4}});
}

TEST_MAIN
