/* check_gemm_amx.c - the source of the AMX kernel, compiled over emulated tiles, so that every
 * machine checks it. (Where the processor has tiles, check_gemm.c runs the real ones as well.) */
#define TN_AMX_OPS      "tests/kernels/amx_emulated.h"
#define tn_ukr_bf16_amx tn_ukr_bf16_amx_emulated
#include "core/kernels/gemm_amx.c"
#include "tests/kernels/gemm_trial.h"

static void unpack_i8(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i++)
        ((tn_bf16 *)out)[i] = tn_bf16_set((float)((const int8_t *)in)[i]);
}

static bool nowhere(const tn_cpu *cpu) {
    (void)cpu;
    return false;
}

static const tn_gemm_set emulated = {.name = "amx, emulated",
                                     .level = TN_CPU_AMX,
                                     .is_here = nowhere,
                                     .f32 = &tn_ukr_f32_ref,
                                     .bf16 = &tn_ukr_bf16_amx,
                                     .bf16_from_i8 = unpack_i8,
                                     .add_scaled = tn_add_scaled};

static tn_gemm *new_gemm(void) {
    tn_gemm *g;
    tern_error err;
    CHECK_OK(tn_gemm_new(NULL, &g, &err), err);
    g->set = &emulated;
    return g;
}

TEST(tiles_multiply_any_shape_type_and_transpose) {
    tn_gemm *g = new_gemm();
    tn_rng rng = tn_rng_init(1, 0);
    for (size_t m = 0; m <= 67; m++) {
        trial t = random_trial(m, tn_rng_below(&rng, 68), tn_rng_below(&rng, 68), &rng);
        check_product(g, &t, &rng);
    }
    for (int trans = 0; trans < 4; trans++) {
        trial t = {.m = 150,
                   .n = 75,
                   .k = 301,
                   .ta = TN_BF16,
                   .tb = TN_BF16,
                   .tc = TN_F32,
                   .trans_a = trans & 1,
                   .trans_b = trans >> 1,
                   .alpha = 1,
                   .pad = 3};
        check_product(g, &t, &rng);
    }
    tn_gemm_free(g);
}

TEST(tiles_multiply_packed_weights) {
    static const tn_weight_format formats[] = {TN_WEIGHT_BF16, TN_WEIGHT_I8, TN_WEIGHT_I8_GROUP};
    tn_gemm *g = new_gemm();
    tn_rng rng = tn_rng_init(2, 0);
    for (size_t f = 0; f < 3; f++)
        for (size_t i = 0; i < 6; i++)
            check_weight(g, formats[f], 1 + tn_rng_below(&rng, 40), 1 + tn_rng_below(&rng, 100),
                         1 + tn_rng_below(&rng, 400), i % 2 ? TN_F32 : TN_BF16, &rng);
    tn_gemm_free(g);
}

/* So that the emulation itself is held to the manual. */
TEST(a_tile_product_sums_even_and_odd_apart_and_flushes_denormals) {
    tn_bf16 a[16][32] = {{0}}, b[16][32] = {{0}};
    float c[16][16];
    /* even: 1 - 1; odd: 2^-30. In one running sum 2^-30 would be lost in the 1. */
    a[0][0] = a[0][1] = a[0][2] = tn_bf16_set(1);
    b[0][0] = tn_bf16_set(1), b[0][1] = tn_bf16_set(0x1p-30f), b[1][0] = tn_bf16_set(-1);
    /* 2^-64 2^-65 is a denormal */
    a[1][0] = tn_bf16_set(0x1p-64f), b[0][2] = tn_bf16_set(0x1p-65f);
    tile_begin();
    TILE_LOAD(4, a, 64);
    TILE_LOAD(5, b, 64);
    TILE_ZERO(0);
    TILE_DOT(0, 4, 5);
    TILE_STORE(0, c, 64);
    tile_end();
    CHECK(c[0][0] == 0x1p-30f);
    CHECK(c[1][1] == 0);
}

TEST_MAIN
