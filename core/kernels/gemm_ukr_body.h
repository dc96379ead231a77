/* gemm_ukr_body.h - the body of a micro-kernel, compiled once per instruction set: the file that
 * includes it defines the words below. The tile of sums lives in registers; for each step along k
 * one row of the panel of B is loaded, and each row's element of A is spread over a register.
 *
 *   UKR_MR           rows of a panel of A       UKR_NV  registers in a row of the tile
 *   UKR_LANES        sums in a register         UKR_A   what one line holds for one step: an f32,
 *   UKR_SUM, UKR_B   register types                     or a pair of bf16 as an int32_t
 *   UKR_ZERO() UKR_LOAD(p) UKR_STORE(p, v)      sums
 *   UKR_LOAD_B(p)    UKR_LANES elements of UKR_A's size
 *   UKR_SPREAD(x)    UKR_MULADD(sum, x, b)
 *   UKR_STEPS        steps in which one line is prefetched
 *
 * `rows` is a constant at each call of tile(), so that loops over it disappear. */

static inline __attribute__((always_inline)) void tile(const size_t rows, size_t steps,
                                                       const UKR_A *a, const UKR_A *b, float *c,
                                                       size_t ldc, bool add, tn_ahead ahead) {
    UKR_SUM sum[UKR_MR][UKR_NV];
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t j = 0; j < UKR_NV; j++)
            sum[i][j] = add ? UKR_LOAD(c + i * ldc + j * UKR_LANES) : UKR_ZERO();
    size_t step = ahead.stride / UKR_STEPS;
    for (; steps > 0; steps--, a += UKR_MR, b += UKR_NV * UKR_LANES, ahead.p += step) {
        __builtin_prefetch(ahead.p, 0, 2);
        UKR_B row[UKR_NV];
#pragma GCC unroll 4
        for (size_t j = 0; j < UKR_NV; j++) row[j] = UKR_LOAD_B(b + j * UKR_LANES);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) {
            UKR_B x = UKR_SPREAD(a[i]);
#pragma GCC unroll 4
            for (size_t j = 0; j < UKR_NV; j++) sum[i][j] = UKR_MULADD(sum[i][j], x, row[j]);
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t j = 0; j < UKR_NV; j++) UKR_STORE(c + i * ldc + j * UKR_LANES, sum[i][j]);
}
