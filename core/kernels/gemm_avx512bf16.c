/* gemm_avx512bf16.c - bf16 products with VDPBF16PS: each lane adds two products per step, so a
 * group is a pair of bf16 along k. The packers serve tiles (gemm_amx.c) as well: they take any even
 * group of up to 32. VDPBF16PS and the conversion to bf16 treat denormals as zero. */
#include "core/kernels/gemm_avx512.h"
#include "core/kernels/gemm_priv.h"
#if !defined(__AVX512BF16__)
#error "compile with the flags of cmake/isa.cmake"
#endif

#define UKR_MR              14
#define UKR_NV              2
#define UKR_LANES           16
#define UKR_STEPS           1
#define UKR_A               int32_t
#define UKR_SUM             __m512
#define UKR_B               __m512i
#define UKR_ZERO()          _mm512_setzero_ps()
#define UKR_LOAD(p)         _mm512_loadu_ps(p)
#define UKR_STORE(p, v)     _mm512_storeu_ps(p, v)
#define UKR_LOAD_B(p)       _mm512_loadu_si512(p)
#define UKR_SPREAD(x)       _mm512_set1_epi32(x)
#define UKR_MULADD(s, x, b) _mm512_dpbf16_ps(s, (__m512bh)(b), (__m512bh)(x))
#include "core/kernels/gemm_ukr_body.h"

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    switch (rows) {
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        tile(n, k / 2, a, b, c, ldc, add, ahead);                                                  \
        break;
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
    }
}

static inline __m512i to_bf16(__m512 lo, __m512 hi) {
    return (__m512i)_mm512_cvtne2ps_pbh(hi, lo);
}

/* Where an element lies: bf16 or f32, a constant at each call below. */
static inline __attribute__((always_inline)) const void *address(const tn_lines *src, size_t at,
                                                                 const bool bf16) {
    return (const char *)src->data + at * (bf16 ? sizeof(tn_bf16) : sizeof(float));
}

/* 32 consecutive elements as bf16, the first n of them; the rest 0. */
static inline __attribute__((always_inline)) __m512i load_along_k(const void *p, size_t n,
                                                                  const bool bf16) {
    if (bf16) return _mm512_maskz_loadu_epi16(n >= 32 ? 0xffffffffu : (1u << n) - 1, p);
    const float *x = p;
    if (n >= 32) return to_bf16(_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16));
    __m512 lo = _mm512_maskz_loadu_ps(first_lanes(n), x);
    __m512 hi = n > 16 ? _mm512_maskz_loadu_ps(first_lanes(n - 16), x + 16) : _mm512_setzero_ps();
    return to_bf16(lo, hi);
}

/* 16 lines at one k, as bf16 in the low halves of 16 words; `ahead`, what will be packed next, is
 * fetched. */
static inline __attribute__((always_inline)) __m512i load_across(const void *p, const void *ahead,
                                                                 __mmask16 mask, const bool bf16) {
    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    if (bf16) return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p));
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, p)));
}

/* 16 lines x 32 k, from k on: r[j] is the pair j of each line (`pairs`), or line j. */
static inline __attribute__((always_inline)) void load_typed(__m512i r[16], const tn_lines *src,
                                                             size_t line, size_t n_lines, size_t k,
                                                             size_t n_k, const bool pairs,
                                                             const bool bf16) {
    if (src->k_stride == 1) {
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; j++)
            r[j] = j < n_lines ? load_along_k(address(src, (line + j) * src->line_stride + k, bf16),
                                              n_k, bf16)
                               : _mm512_setzero_si512();
    } else {
        __mmask16 mask = first_lanes(n_lines);
        size_t row = src->k_stride;
#pragma GCC unroll 16
        for (size_t j = 0; j < 16; j++) {
            size_t at = (k + 2 * j) * row + line;
            r[j] = _mm512_setzero_si512();
            if (2 * j < n_k)
                r[j] = load_across(address(src, at, bf16), address(src, at + 32 * row, bf16), mask,
                                   bf16);
            if (2 * j + 1 < n_k)
                r[j] = _mm512_or_si512(
                    r[j],
                    _mm512_slli_epi32(load_across(address(src, at + row, bf16),
                                                  address(src, at + 33 * row, bf16), mask, bf16),
                                      16));
        }
    }
    if ((src->k_stride == 1) == pairs) transpose_16x16(r);
}

/* The same for whole and for cut blocks, of either type: four loops without a branch inside. */
static inline __attribute__((always_inline)) void load_block(__m512i r[16], const tn_lines *src,
                                                             size_t line, size_t n_lines, size_t k,
                                                             size_t n_k, const bool pairs) {
    if (src->dtype == TN_BF16) {
        if (n_k >= 32)
            load_typed(r, src, line, n_lines, k, 32, pairs, true);
        else
            load_typed(r, src, line, n_lines, k, n_k, pairs, true);
    } else {
        if (n_k >= 32)
            load_typed(r, src, line, n_lines, k, 32, pairs, false);
        else
            load_typed(r, src, line, n_lines, k, n_k, pairs, false);
    }
}

void tn_pack_pairs_avx512bf16(void *panel, const tn_lines *src, size_t line, size_t n_lines,
                              size_t k, size_t n_k, size_t width, size_t group) {
    int32_t *p = panel;
    (void)group; /* 2 */
    for (size_t i = 0; i < width; i += 16) {
        __mmask16 out = first_lanes(width - i);
        size_t lines = i < n_lines ? n_lines - i : 0;
        for (size_t l = 0; l < n_k; l += 32) {
            __m512i r[16];
            load_block(r, src, line + i, lines, k + l, n_k - l, true);
            size_t n = n_k - l < 32 ? (n_k - l + 1) / 2 : 16;
#pragma GCC unroll 16
            for (size_t j = 0; j < 16; j++)
                if (j < n) _mm512_mask_storeu_epi32(p + (l / 2 + j) * width + i, out, r[j]);
        }
    }
}

/* Groups of 32, width a multiple of 16: the rows of A tiles. */
void tn_pack_rows_avx512bf16(void *panel, const tn_lines *src, size_t line, size_t n_lines,
                             size_t k, size_t n_k, size_t width, size_t group) {
    int32_t *p = panel;
    (void)group; /* 32 */
    for (size_t l = 0; l < n_k; l += 32)
        for (size_t i = 0; i < width; i += 16) {
            __m512i r[16];
            size_t lines = i < n_lines ? n_lines - i : 0;
            load_block(r, src, line + i, lines, k + l, n_k - l, false);
#pragma GCC unroll 16
            for (size_t j = 0; j < 16; j++, p += 16) _mm512_storeu_si512(p, r[j]);
        }
}

/* bf16 of int8: its upper and its lower byte for 0..127, looked up by VPERMI2B; the sign is put
 * back. */
typedef struct table {
    __m512i low[2], high[2], order, sign_bit;
} table;

static uint8_t low_bytes[128], high_bytes[128];

__attribute__((constructor)) static void fill_bytes(void) {
    for (int i = 0; i < 128; i++) {
        tn_bf16 x = tn_bf16_set((float)i);
        low_bytes[i] = (uint8_t)x, high_bytes[i] = (uint8_t)(x >> 8);
    }
}

static inline __attribute__((always_inline)) table load_table(void) {
    return (table){{_mm512_loadu_si512(low_bytes), _mm512_loadu_si512(low_bytes + 64)},
                   {_mm512_loadu_si512(high_bytes), _mm512_loadu_si512(high_bytes + 64)},
                   /* so that the halves that VPUNPCK takes from each 16 bytes are in order */
                   _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7),
                   _mm512_set1_epi8((char)0x80)};
}

/* 64 weights from p on, as bf16. */
static inline __attribute__((always_inline)) void unpack_64(const table *t, const void *p,
                                                            __m512i out[2]) {
    __m512i x = _mm512_permutexvar_epi64(t->order, _mm512_loadu_si512(p));
    __m512i size = _mm512_abs_epi8(x);
    __m512i low = _mm512_permutex2var_epi8(t->low[0], size, t->low[1]);
    __m512i high = _mm512_permutex2var_epi8(t->high[0], size, t->high[1]);
    high = _mm512_ternarylogic_epi64(high, x, t->sign_bit, 0xf8); /* high | (x & sign_bit) */
    out[0] = _mm512_unpacklo_epi8(low, high);
    out[1] = _mm512_unpackhi_epi8(low, high);
}

void tn_unpack_bf16_from_i8_avx512bf16(void *out, const void *in, size_t n) {
    table t = load_table();
    for (size_t i = 0; i < n; i += 64) {
        __m512i x[2];
        unpack_64(&t, (const int8_t *)in + i, x);
        _mm512_storeu_si512((tn_bf16 *)out + i, x[0]);
        _mm512_storeu_si512((tn_bf16 *)out + i + 32, x[1]);
    }
}

/* tile() of gemm_ukr_body.h with the weights of a step, 32 columns x 2, unpacked in registers: few
 * rows would otherwise pay more for a panel's way through L1 than for its products. */
static inline __attribute__((always_inline)) void tile_i8(const size_t rows, size_t steps,
                                                          const int32_t *a, const int8_t *b,
                                                          float *c, size_t ldc, bool add,
                                                          tn_ahead ahead) {
    table t = load_table();
    __m512 sum[UKR_MR][2];
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < 2; j++)
            sum[i][j] = add ? _mm512_loadu_ps(c + i * ldc + j * 16) : _mm512_setzero_ps();
    for (; steps > 0; steps--, a += UKR_MR, b += 64, ahead.p += ahead.stride) {
        __builtin_prefetch(ahead.p, 0, 2);
        __m512i x[2];
        unpack_64(&t, b, x);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) {
            __m512bh spread = (__m512bh)_mm512_set1_epi32(a[i]);
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], (__m512bh)x[0], spread);
            sum[i][1] = _mm512_dpbf16_ps(sum[i][1], (__m512bh)x[1], spread);
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < 2; j++) _mm512_storeu_ps(c + i * ldc + j * 16, sum[i][j]);
}

static void run_i8(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc,
                   bool add, tn_ahead ahead) {
    switch (rows) {
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        tile_i8(n, k / 2, a, b, c, ldc, add, ahead);                                               \
        break;
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
    }
}

const tn_ukr tn_ukr_bf16_avx512bf16 = {.name = "avx512bf16 14x32 bf16",
                                       .packed = TN_BF16,
                                       .mr = UKR_MR,
                                       .nr = UKR_NV * UKR_LANES,
                                       .a_group = 2,
                                       .b_group = 2,
                                       .depth = 256,
                                       .block_m = 126,
                                       .pack_a = tn_pack_pairs_avx512bf16,
                                       .pack_b = tn_pack_pairs_avx512bf16,
                                       .run = run,
                                       .run_i8 = run_i8};
