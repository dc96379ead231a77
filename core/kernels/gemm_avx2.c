/* gemm_avx2.c - f32 products with AVX2 and FMA: the micro-kernel 6 x 16 (12 of 16 registers hold
 * sums), packing, and the expansion of bf16 and int8, which this level multiplies as f32. */
#include "core/kernels/gemm_priv.h"
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with the flags of cmake/isa.cmake"
#endif
#include <immintrin.h>

#define UKR_MR              6
#define UKR_NV              2
#define UKR_LANES           8
#define UKR_STEPS           2
#define UKR_A               float
#define UKR_SUM             __m256
#define UKR_B               __m256
#define UKR_ZERO()          _mm256_setzero_ps()
#define UKR_LOAD(p)         _mm256_loadu_ps(p)
#define UKR_STORE(p, v)     _mm256_storeu_ps(p, v)
#define UKR_LOAD_B(p)       _mm256_loadu_ps(p)
#define UKR_SPREAD(x)       _mm256_set1_ps(x)
#define UKR_MULADD(s, x, b) _mm256_fmadd_ps(x, b, s)
#include "core/kernels/gemm_ukr_body.h"

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    switch (rows) {
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        tile(n, k, a, b, c, ldc, add, ahead);                                                      \
        break;
        ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#undef ROWS
    }
}

/* The lowest n of 8 lanes (n may exceed 8). */
static inline __m256i first_lanes(size_t n) {
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int)n : 8), lane);
}

/* As tn_bf16_set, kept as f32. */
static inline __m256 round_to_bf16(__m256 x) {
    __m256i bits = _mm256_castps_si256(x);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    sum = _mm256_blendv_epi8(sum, quiet, nan);
    return _mm256_castsi256_ps(_mm256_and_si256(sum, _mm256_set1_epi32((int)0xffff0000)));
}

static inline __m256 expand_bf16(__m128i x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

/* Elements [at, at + n) as f32, n <= 8; the rest 0. */
static inline __m256 load_f32(const tn_lines *src, size_t at, size_t n) {
    if (src->dtype == TN_BF16) {
        const tn_bf16 *p = (const tn_bf16 *)src->data + at;
        if (n >= 8) return expand_bf16(_mm_loadu_si128((const __m128i *)p));
        tn_bf16 few[8] = {0};
        for (size_t i = 0; i < n; i++) few[i] = p[i];
        return expand_bf16(_mm_loadu_si128((const __m128i *)few));
    }
    const float *p = (const float *)src->data + at;
    __m256 x = n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, first_lanes(n));
    return src->round ? round_to_bf16(x) : x;
}

static inline __attribute__((always_inline)) void transpose_8x8(__m256 r[8]) {
    __m256 t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) r[i] = t[i];
}

static void store_lanes(float *p, __m256 x, size_t n) {
    if (n >= 8)
        _mm256_storeu_ps(p, x);
    else
        _mm256_maskstore_ps(p, first_lanes(n), x);
}

/* k runs along memory: transpose 8 lines x 8 k at a time. */
static void pack_along_k(float *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                         size_t n_k, size_t width) {
    for (size_t i = 0; i < width; i += 8)
        for (size_t l = 0; l < n_k; l += 8) {
            __m256 r[8];
            size_t n = n_k - l < 8 ? n_k - l : 8;
#pragma GCC unroll 8
            for (size_t j = 0; j < 8; j++)
                r[j] = i + j < n_lines ? load_f32(src, (line + i + j) * src->line_stride + k + l, n)
                                       : _mm256_setzero_ps();
            transpose_8x8(r);
            for (size_t j = 0; j < n; j++)
                store_lanes(panel + (l + j) * width + i, r[j], width - i);
        }
}

static void pack(void *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                 size_t n_k, size_t width, size_t group) {
    (void)group; /* 1 */
    float *p = panel;
    if (src->k_stride == 1) {
        pack_along_k(p, src, line, n_lines, k, n_k, width);
        return;
    }
    for (size_t l = 0; l < n_k; l++)
        for (size_t i = 0; i < width; i += 8) {
            size_t n = i < n_lines ? n_lines - i : 0;
            __m256 x =
                n ? load_f32(src, (k + l) * src->k_stride + line + i, n) : _mm256_setzero_ps();
            store_lanes(p + l * width + i, x, width - i);
        }
}

void tn_unpack_f32_from_bf16_avx2(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        __m128i x = _mm_loadu_si128((const __m128i *)((const tn_bf16 *)in + i));
        _mm256_storeu_ps((float *)out + i, expand_bf16(x));
    }
}

void tn_unpack_f32_from_i8_avx2(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        __m128i q = _mm_loadl_epi64((const __m128i *)((const int8_t *)in + i));
        _mm256_storeu_ps((float *)out + i, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)));
    }
}

void tn_add_scaled_avx2(float *c, size_t ldc, const float *tile, const float *scale, size_t rows,
                        size_t nr, bool add) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < nr; j += 8) {
            __m256 x =
                _mm256_mul_ps(_mm256_loadu_ps(tile + i * nr + j), _mm256_loadu_ps(scale + j));
            float *at = c + i * ldc + j;
            _mm256_storeu_ps(at, add ? _mm256_add_ps(_mm256_loadu_ps(at), x) : x);
        }
}

const tn_ukr tn_ukr_f32_avx2 = {.name = "avx2 6x16 f32",
                                .packed = TN_F32,
                                .mr = UKR_MR,
                                .nr = UKR_NV * UKR_LANES,
                                .a_group = 1,
                                .b_group = 1,
                                .depth = 256,
                                .block_m = 126,
                                .pack_a = pack,
                                .pack_b = pack,
                                .run = run};
