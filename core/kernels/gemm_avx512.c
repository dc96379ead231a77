/* gemm_avx512.c - f32 products with AVX-512: the micro-kernel 14 x 32 (28 of 32 registers hold
 * sums), packing, and the expansion of bf16 and int8 for processors without bf16 products. */
#include "core/kernels/gemm_avx512.h"
#include "core/kernels/gemm_priv.h"

#define UKR_MR              14
#define UKR_NV              2
#define UKR_LANES           16
#define UKR_STEPS           1
#define UKR_A               float
#define UKR_SUM             __m512
#define UKR_B               __m512
#define UKR_ZERO()          _mm512_setzero_ps()
#define UKR_LOAD(p)         _mm512_loadu_ps(p)
#define UKR_STORE(p, v)     _mm512_storeu_ps(p, v)
#define UKR_LOAD_B(p)       _mm512_loadu_ps(p)
#define UKR_SPREAD(x)       _mm512_set1_ps(x)
#define UKR_MULADD(s, x, b) _mm512_fmadd_ps(x, b, s)
#include "core/kernels/gemm_ukr_body.h"

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    switch (rows) {
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        tile(n, k, a, b, c, ldc, add, ahead);                                                      \
        break;
        ROWS(1)
        ROWS(2)
        ROWS(3)
        ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#undef ROWS
    }
}

/* As tn_bf16_set, kept as f32. */
static inline __m512 round_to_bf16(__m512 x) {
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i sum = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    sum = _mm512_mask_or_epi32(sum, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_si512(sum, _mm512_set1_epi32((int)0xffff0000)));
}

enum { PACK_AHEAD = 128 }; /* elements, along k; across it, the k that are packed next */

/* Elements [at, at + 16) as f32; those outside the mask are 0. */
static inline __m512 load_f32(const tn_lines *src, size_t at, __mmask16 mask) {
    size_t ahead = src->k_stride == 1 ? PACK_AHEAD : 32 * src->k_stride;
    _mm_prefetch((const char *)src->data + (at + ahead) * tn_dtype_size(src->dtype), _MM_HINT_T0);
    if (src->dtype == TN_BF16) {
        __m256i x = _mm256_maskz_loadu_epi16(mask, (const tn_bf16 *)src->data + at);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
    }
    __m512 x = _mm512_maskz_loadu_ps(mask, (const float *)src->data + at);
    return src->round ? round_to_bf16(x) : x;
}

/* k runs along memory: transpose 16 lines x 16 k at a time. */
static void pack_along_k(float *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                         size_t n_k, size_t width) {
    for (size_t i = 0; i < width; i += 16) {
        __mmask16 out = first_lanes(width - i);
        for (size_t l = 0; l < n_k; l += 16) {
            __m512i r[16];
            __mmask16 mask = first_lanes(n_k - l);
#pragma GCC unroll 16
            for (size_t j = 0; j < 16; j++)
                r[j] = i + j < n_lines ? _mm512_castps_si512(load_f32(
                                             src, (line + i + j) * src->line_stride + k + l, mask))
                                       : _mm512_setzero_si512();
            transpose_16x16(r);
            size_t n = n_k - l < 16 ? n_k - l : 16;
#pragma GCC unroll 16
            for (size_t j = 0; j < 16; j++)
                if (j < n) _mm512_mask_storeu_epi32(panel + (l + j) * width + i, out, r[j]);
        }
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
        for (size_t i = 0; i < width; i += 16) {
            __mmask16 in = i < n_lines ? first_lanes(n_lines - i) : 0;
            __m512 x = load_f32(src, (k + l) * src->k_stride + line + i, in);
            _mm512_mask_storeu_ps(p + l * width + i, first_lanes(width - i), x);
        }
}

void tn_unpack_f32_from_bf16_avx512(void *out, const void *in, size_t n) {
    tn_lines src = {.data = in, .dtype = TN_BF16};
    for (size_t i = 0; i < n; i += 16)
        _mm512_storeu_ps((float *)out + i, load_f32(&src, i, 0xffff));
}

void tn_unpack_f32_from_i8_avx512(void *out, const void *in, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        __m128i q = _mm_loadu_si128((const __m128i *)((const int8_t *)in + i));
        _mm512_storeu_ps((float *)out + i, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)));
    }
}

void tn_add_scaled_avx512(float *c, size_t ldc, const float *tile, const float *scale, size_t rows,
                          size_t nr, bool add) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < nr; j += 16) {
            __m512 x =
                _mm512_mul_ps(_mm512_loadu_ps(tile + i * nr + j), _mm512_loadu_ps(scale + j));
            float *at = c + i * ldc + j;
            _mm512_storeu_ps(at, add ? _mm512_add_ps(_mm512_loadu_ps(at), x) : x);
        }
}

const tn_ukr tn_ukr_f32_avx512 = {.name = "avx512 14x32 f32",
                                  .packed = TN_F32,
                                  .mr = UKR_MR,
                                  .nr = UKR_NV * UKR_LANES,
                                  .a_group = 1,
                                  .b_group = 1,
                                  .depth = 128,
                                  .block_m = 126,
                                  .pack_a = pack,
                                  .pack_b = pack,
                                  .run = run};
