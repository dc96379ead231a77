/* attention_simd.h - the inner loops of attention on vectors; each level's file includes it once.
 * Lanes are queries: a tile of scores is [keys, lanes], so the softmax over keys runs down the
 * lanes and nothing is ever summed across them, and keys are read where they lie. */
#include "core/kernels/attention_priv.h"
#include "core/kernels/simd_math.h"

/* A block of ROWS x VECTORS sums in registers, over k: c (+)= sum_k a[row, k] b[k, lanes]. Eight
 * sums or more hide the latency of a multiply-add (4 cycles, two each). `left` < SIMD_W: only so
 * many lanes of the one vector exist. */
SIMD_FN void mul_block(size_t rows, size_t vectors, size_t left, const tn_attention_product *p,
                       size_t a_row, size_t row, size_t lane) {
    simd_f32 s[16][4];
    const float *a = p->a + row * a_row, *b = p->b + lane;
    float *c = p->c + row * p->ldc + lane;
    SIMD_FOR (r, rows)
        SIMD_FOR (j, vectors) s[r][j] = simd_set(0);
    for (size_t k = 0; k < p->k; k++, a += p->a_k, b += p->ldb) {
        simd_f32 x[4];
        SIMD_FOR (j, vectors)
            x[j] = left < SIMD_W ? simd_load_n(b, left) : simd_load(b + j * SIMD_W);
        SIMD_FOR (r, rows) {
            simd_f32 y = simd_set(a[r * a_row]);
            SIMD_FOR (j, vectors) s[r][j] = simd_fma(y, x[j], s[r][j]);
        }
    }
    SIMD_FOR (r, rows)
        SIMD_FOR (j, vectors) {
            float *at = c + r * p->ldc + j * SIMD_W;
            if (left < SIMD_W) {
                simd_f32 old = p->add ? simd_load_n(at, left) : simd_set(0);
                simd_store_n(at, simd_add(s[r][j], old), left);
            } else {
                simd_store(at, p->add ? simd_add(s[r][j], simd_load(at)) : s[r][j]);
            }
        }
}

/* All rows of `vectors` vectors of lanes, `rows` at a time. */
SIMD_FN void mul_lanes(size_t rows, size_t vectors, size_t left, const tn_attention_product *p,
                       size_t a_row, size_t lane) {
    size_t r = 0;
    for (; r + rows <= p->rows; r += rows) mul_block(rows, vectors, left, p, a_row, r, lane);
    for (; r < p->rows; r++) mul_block(1, vectors, left, p, a_row, r, lane);
}

static void mul_tile(const tn_attention_product *p) {
    size_t lane = 0;
#if SIMD_REGISTERS >= 32
    for (; lane + 4 * SIMD_W <= p->lanes; lane += 4 * SIMD_W)
        mul_lanes(4, 4, SIMD_W, p, p->a_row, lane);
#endif
    for (; lane + 2 * SIMD_W <= p->lanes; lane += 2 * SIMD_W)
        mul_lanes(SIMD_REGISTERS / 4 < 8 ? 4 : 8, 2, SIMD_W, p, p->a_row, lane);
    for (; lane + SIMD_W <= p->lanes; lane += SIMD_W)
        if (p->a_row == 1) /* rows side by side leave registers for more of them */
            mul_lanes(SIMD_REGISTERS / 2, 1, SIMD_W, p, 1, lane);
        else
            mul_lanes(8, 1, SIMD_W, p, p->a_row, lane);
    if (lane < p->lanes) mul_lanes(8, 1, p->lanes - lane, p, p->a_row, lane);
}

/* s = cap tanh(s / cap) */
static void cap_scores(float *s, size_t n, float cap) {
    simd_f32 c = simd_set(cap), r = simd_set(1 / cap);
    for (size_t i = 0; i < n; i += SIMD_W)
        simd_store(s + i, simd_mul(c, simd_tanh(simd_mul(simd_load(s + i), r))));
}

static void softmax_step(float *s, size_t rows, size_t lanes, float *top, float *total,
                         float *shrink) {
    for (size_t l = 0; l < lanes; l += SIMD_W) {
        simd_f32 old = simd_load(top + l), m = old, sum;
        for (size_t r = 0; r < rows; r++) m = simd_max(simd_load(s + r * TN_TILE + l), m);
        simd_f32 f = simd_exp(simd_sub(old, m));
        sum = simd_mul(simd_load(total + l), f);
        for (size_t r = 0; r < rows; r++) {
            float *at = s + r * TN_TILE + l;
            simd_f32 e = simd_exp(simd_sub(simd_load(at), m));
            simd_store(at, e);
            sum = simd_add(sum, e);
        }
        simd_store(top + l, m);
        simd_store(total + l, sum);
        simd_store(shrink + l, f);
    }
}

/* x[r, lane] *= by[lane] */
static void scale_lanes(float *x, size_t rows, size_t lanes, const float *by) {
    for (size_t r = 0; r < rows; r++)
        for (size_t l = 0; l < lanes; l += SIMD_W) {
            float *at = x + r * TN_TILE + l;
            simd_store(at, simd_mul(simd_load(at), simd_load(by + l)));
        }
}

static void gradient(float *s, float *dp, size_t rows, size_t lanes, const float *lse,
                     const float *delta, float scale, float cap) {
    simd_f32 r_cap = simd_set(cap > 0 ? 1 / cap : 0), by = simd_set(scale), zero = simd_set(0);
    for (size_t r = 0; r < rows; r++)
        for (size_t l = 0; l < lanes; l += SIMD_W) {
            float *s_at = s + r * TN_TILE + l, *dp_at = dp + r * TN_TILE + l;
            simd_f32 x = simd_load(s_at), p = simd_exp(simd_sub(x, simd_load(lse + l)));
            simd_f32 ds = simd_mul(p, simd_sub(simd_load(dp_at), simd_load(delta + l)));
            simd_f32 t = simd_mul(x, r_cap); /* at a masked -inf the slope is 0, as p is */
            ds = simd_mul(ds, simd_max(simd_sub(simd_set(1), simd_mul(t, t)), zero));
            simd_store(s_at, p);
            simd_store(dp_at, simd_mul(ds, by));
        }
}

static const tn_attention_kernels attention_kernels = {mul_tile, cap_scores, softmax_step,
                                                       scale_lanes, gradient};
