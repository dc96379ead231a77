/* rows_simd.h - the row kernels on vectors; each level's file includes it once. Formulas and rules:
 * kernels_table.h. Sums run in four vectors, folded in a fixed order: the same bits wherever the
 * row lies. Tails are one masked step, whose idle lanes hold zeros. */
#include "core/kernels/kernels_priv.h"
#include "core/kernels/simd_math.h"
#include <math.h>

enum { W = SIMD_W };
typedef simd_f32 vec;

/* One vector at i, whole or its first `left` lanes; LOAD and STORE inside know which. */
#define FOR_EACH_VECTOR(i, n) for (size_t i = 0, left = (n); i < (n); i += W, left -= W)
#define LOAD(p)               (left >= W ? simd_load((p) + i) : simd_load_n((p) + i, left))
#define STORE(p, v)           (left >= W ? simd_store((p) + i, v) : simd_store_n((p) + i, v, left))

SIMD_FN float fold(const vec s[4]) {
    return simd_sum(simd_add(simd_add(s[0], s[1]), simd_add(s[2], s[3])));
}

static float dot(const float *x, const float *y, size_t n) {
    vec s[4] = {simd_set(0), simd_set(0), simd_set(0), simd_set(0)};
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
        SIMD_FOR (j, 4) s[j] = simd_fma(simd_load(x + i + j * W), simd_load(y + i + j * W), s[j]);
    for (; i + W <= n; i += W) s[0] = simd_fma(simd_load(x + i), simd_load(y + i), s[0]);
    if (i < n) s[1] = simd_fma(simd_load_n(x + i, n - i), simd_load_n(y + i, n - i), s[1]);
    return fold(s);
}

static float sum(const float *x, size_t n) {
    vec s[4] = {simd_set(0), simd_set(0), simd_set(0), simd_set(0)};
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
        SIMD_FOR (j, 4) s[j] = simd_add(s[j], simd_load(x + i + j * W));
    for (; i + W <= n; i += W) s[0] = simd_add(s[0], simd_load(x + i));
    if (i < n) s[1] = simd_add(s[1], simd_load_n(x + i, n - i));
    return fold(s);
}

static float max(const float *x, size_t n) {
    vec m[4] = {simd_set(-INFINITY), simd_set(-INFINITY), simd_set(-INFINITY), simd_set(-INFINITY)};
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
        SIMD_FOR (j, 4) m[j] = simd_max(simd_load(x + i + j * W), m[j]);
    for (; i + W <= n; i += W) m[0] = simd_max(simd_load(x + i), m[0]);
    float top = simd_top(simd_max(simd_max(m[0], m[1]), simd_max(m[2], m[3])));
    for (; i < n; i++)
        if (x[i] > top) top = x[i];
    return top;
}

/* Blocks short enough that f32 sums lose nothing worth keeping, added up in double. */
static double sum_squares(const float *x, size_t n) {
    double total = 0;
    for (size_t i = 0; i < n; i += 1024) {
        size_t block = n - i < 1024 ? n - i : 1024;
        total += (double)dot(x + i, x + i, block);
    }
    return total;
}

static void axpy(float *y, float a, const float *x, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_fma(simd_set(a), LOAD(x), LOAD(y)));
}

static void scale(float *y, float a, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_mul(simd_set(a), LOAD(y)));
}

static void add(float *y, const float *a, const float *b, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_add(LOAD(a), LOAD(b)));
}

static void mul(float *y, const float *a, const float *b, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_mul(LOAD(a), LOAD(b)));
}

static void bf16_from_f32(tn_bf16 *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + W <= n; i += W) simd_store_bf16(y + i, simd_load(x + i));
    if (i < n) simd_store_bf16_n(y + i, simd_load_n(x + i, n - i), n - i);
}

static void f32_from_bf16(float *y, const tn_bf16 *x, size_t n) {
    size_t i = 0;
    for (; i + W <= n; i += W) simd_store(y + i, simd_load_bf16(x + i));
    if (i < n) simd_store_n(y + i, simd_load_bf16_n(x + i, n - i), n - i);
}

static int32_t dot_i8(const int8_t *x, const int8_t *y, size_t n) {
    simd_i32 s = simd_zero_i32();
    size_t i = 0;
    for (; i + SIMD_I8 <= n; i += SIMD_I8) s = simd_dot_i8(s, x + i, y + i);
    int32_t total = simd_sum_i32(s);
    for (; i < n; i++) total += x[i] * y[i];
    return total;
}

/* dot.h: 32 lanes whose halves fold together, no fused multiply-add. */
static void dot_rows(const float *x, const float *rows, size_t dim, size_t n, float *out) {
    enum { V = 32 / W };
    for (size_t r = 0; r < n; r++, rows += dim) {
        vec lanes[V];
        SIMD_FOR (j, V) lanes[j] = simd_set(0);
        size_t i = 0;
        for (; i + 32 <= dim; i += 32)
            SIMD_FOR (j, V)
                lanes[j] = simd_add(
                    lanes[j], simd_mul(simd_load(x + i + j * W), simd_load(rows + i + j * W)));
        SIMD_FOR (j, V) {
            size_t at = i + j * W, left = at < dim ? dim - at : 0;
            if (left == 0) continue;
            if (left > W) left = W;
            vec p = left == W ? simd_mul(simd_load(x + at), simd_load(rows + at))
                              : simd_mul(simd_load_n(x + at, left), simd_load_n(rows + at, left));
            lanes[j] = simd_add(lanes[j], p);
        }
        for (size_t width = V / 2; width > 0; width /= 2)
            for (size_t j = 0; j < width; j++) lanes[j] = simd_add(lanes[j], lanes[j + width]);
        out[r] = simd_sum(lanes[0]);
    }
}

static void exp_rows(float *y, const float *x, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_exp(LOAD(x)));
}

static void tanh_rows(float *y, const float *x, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_tanh(LOAD(x)));
}

static void sigmoid(float *y, const float *x, size_t n) {
    FOR_EACH_VECTOR (i, n) STORE(y, simd_sigmoid(LOAD(x)));
}

/* act(x) and, when `slope` is wanted, act'(x). `kind` is a constant where this is inlined. */
SIMD_FN vec act_of(tn_act kind, vec x, vec *slope) {
    const vec one = simd_set(1), zero = simd_set(0);
    if (kind == TN_ACT_RELU) {
        simd_mask up = simd_less(zero, x);
        *slope = simd_select(up, one, zero);
        return simd_select(up, x, zero);
    }
    if (kind == TN_ACT_GELU) {
        vec cdf, bell;
        simd_normal(x, &cdf, &bell);
        *slope = simd_fma(simd_mul(x, bell), simd_set(0.398942280f), cdf); /* 1 / sqrt(2 pi) */
        return simd_mul(x, cdf);
    }
    if (kind == TN_ACT_GELU_TANH) { /* 0.5 (1 + tanh(u)) is sigmoid(2u), u = k (x + c x^3) */
        const vec k2 = simd_set(1.59576912f), c = simd_set(0.044715f);
        vec cx2 = simd_min(simd_set(1e10f), simd_mul(simd_mul(c, x), x));
        vec s = simd_sigmoid(simd_mul(simd_mul(k2, x), simd_add(one, cx2)));
        vec du = simd_mul(k2, simd_fma(simd_set(3), cx2, one));
        vec ds = simd_mul(s, simd_sub(one, s)); /* 0 before x or du overflow */
        *slope = simd_fma(simd_mul(x, ds), du, s);
        return simd_mul(x, s);
    }
    if (kind == TN_ACT_SILU) {
        vec s = simd_sigmoid(x);
        *slope = simd_mul(s, simd_fma(x, simd_sub(one, s), one));
        return simd_mul(x, s);
    }
    *slope = one;
    return x;
}

/* The switch stands outside of the loop: CALL once for each kind, as a constant. */
#define FOR_KIND(kind, CALL)                                                                       \
    switch (kind) {                                                                                \
    case TN_ACT_NONE:                                                                              \
        CALL(TN_ACT_NONE);                                                                         \
        break;                                                                                     \
    case TN_ACT_RELU:                                                                              \
        CALL(TN_ACT_RELU);                                                                         \
        break;                                                                                     \
    case TN_ACT_GELU:                                                                              \
        CALL(TN_ACT_GELU);                                                                         \
        break;                                                                                     \
    case TN_ACT_GELU_TANH:                                                                         \
        CALL(TN_ACT_GELU_TANH);                                                                    \
        break;                                                                                     \
    case TN_ACT_SILU:                                                                              \
        CALL(TN_ACT_SILU);                                                                         \
        break;                                                                                     \
    }

SIMD_FN void act_loop(tn_act kind, float *y, const float *x, size_t n) {
    vec slope;
    FOR_EACH_VECTOR (i, n) STORE(y, act_of(kind, LOAD(x), &slope));
}

static void act(tn_act kind, float *y, const float *x, size_t n){
#define CALL(k) act_loop(k, y, x, n)
    FOR_KIND(kind, CALL)
#undef CALL
}

SIMD_FN void act_backward_loop(tn_act kind, float *dx, const float *dy, const float *x, size_t n) {
    FOR_EACH_VECTOR (i, n) {
        vec slope;
        (void)act_of(kind, LOAD(x), &slope);
        STORE(dx, simd_fma(LOAD(dy), slope, LOAD(dx)));
    }
}

static void act_backward(tn_act kind, float *dx, const float *dy, const float *x, size_t n){
#define CALL(k) act_backward_loop(k, dx, dy, x, n)
    FOR_KIND(kind, CALL)
#undef CALL
}

SIMD_FN void glu_loop(tn_act kind, float *y, const float *gate, const float *up, size_t n) {
    vec slope;
    FOR_EACH_VECTOR (i, n) STORE(y, simd_mul(act_of(kind, LOAD(gate), &slope), LOAD(up)));
}

static void glu(tn_act kind, float *y, const float *gate, const float *up, size_t n){
#define CALL(k) glu_loop(k, y, gate, up, n)
    FOR_KIND(kind, CALL)
#undef CALL
}

SIMD_FN void glu_backward_loop(tn_act kind, float *dgate, float *dup, const float *dy,
                               const float *gate, const float *up, size_t n) {
    FOR_EACH_VECTOR (i, n) {
        vec slope, d = LOAD(dy), a = act_of(kind, LOAD(gate), &slope);
        STORE(dgate, simd_fma(simd_mul(d, LOAD(up)), slope, LOAD(dgate)));
        STORE(dup, simd_fma(d, a, LOAD(dup)));
    }
}

static void glu_backward(tn_act kind, float *dgate, float *dup, const float *dy, const float *gate,
                         const float *up, size_t n){
#define CALL(k) glu_backward_loop(k, dgate, dup, dy, gate, up, n)
    FOR_KIND(kind, CALL)
#undef CALL
}

/* sum of exp(x - top); y, if given, gets the terms */
SIMD_FN float exp_sum(float *y, const float *x, float top, size_t n) {
    vec s[4] = {simd_set(0), simd_set(0), simd_set(0), simd_set(0)}, m = simd_set(top);
    size_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
        SIMD_FOR (j, 4) {
            vec e = simd_exp(simd_sub(simd_load(x + i + j * W), m));
            if (y) simd_store(y + i + j * W, e);
            s[j] = simd_add(s[j], e);
        }
    for (; i + W <= n; i += W) {
        vec e = simd_exp(simd_sub(simd_load(x + i), m));
        if (y) simd_store(y + i, e);
        s[0] = simd_add(s[0], e);
    }
    if (i < n) {
        float tail[W]; /* idle lanes are at -inf, and add nothing */
        for (size_t j = 0; j < W; j++) tail[j] = i + j < n ? x[i + j] : -INFINITY;
        vec e = simd_exp(simd_sub(simd_load(tail), m));
        if (y) simd_store_n(y + i, e, n - i);
        s[1] = simd_add(s[1], e);
    }
    return fold(s);
}

/* A row without an entry above -inf: -inf, or NaN if it holds one. */
static float empty_lse(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i])) return NAN;
    return -INFINITY;
}

static float log_sum_exp(const float *x, size_t n) {
    float top = max(x, n);
    return top == -INFINITY ? empty_lse(x, n) : top + logf(exp_sum(NULL, x, top, n));
}

static float softmax(float *y, const float *x, size_t n) {
    float top = max(x, n);
    if (top == -INFINITY) {
        float lse = empty_lse(x, n);
        for (size_t i = 0; i < n; i++) y[i] = isnan(lse) ? lse : 0;
        return lse;
    }
    float total = exp_sum(y, x, top, n);
    scale(y, 1 / total, n);
    return top + logf(total);
}

static void softmax_backward(float *dx, const float *dy, const float *y, size_t n) {
    vec mean = simd_set(dot(dy, y, n));
    FOR_EACH_VECTOR (i, n) STORE(dx, simd_fma(LOAD(y), simd_sub(LOAD(dy), mean), LOAD(dx)));
}

static float rms_norm(float *y, const float *x, const float *weight, float offset, float eps,
                      size_t n) {
    float rstd = (float)(1 / sqrt(sum_squares(x, n) / (double)n + (double)eps));
    vec r = simd_set(rstd), o = simd_set(offset);
    FOR_EACH_VECTOR (i, n) STORE(y, simd_mul(simd_mul(LOAD(x), r), simd_add(LOAD(weight), o)));
    return rstd;
}

static void rms_norm_backward(float *dx, float *dweight, const float *dy, const float *x,
                              const float *weight, float offset, float rstd, size_t n) {
    vec r = simd_set(rstd), o = simd_set(offset), s = simd_set(0);
    FOR_EACH_VECTOR (i, n) {
        vec xh = simd_mul(LOAD(x), r), dyx = simd_mul(LOAD(dy), xh);
        s = simd_fma(dyx, simd_add(LOAD(weight), o), s);
        STORE(dweight, simd_add(LOAD(dweight), dyx));
    }
    vec mean = simd_set(simd_sum(s) / (float)n);
    FOR_EACH_VECTOR (i, n) {
        vec g = simd_mul(LOAD(dy), simd_add(LOAD(weight), o)), xh = simd_mul(LOAD(x), r);
        STORE(dx, simd_fma(r, simd_sub(g, simd_mul(xh, mean)), LOAD(dx)));
    }
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, float eps,
                       size_t n, float *mean, float *rstd) {
    float mu = sum(x, n) / (float)n;
    vec m = simd_set(mu), s = simd_set(0);
    FOR_EACH_VECTOR (i, n) {
        vec d = simd_sub(LOAD(x), m);
        if (left < W) { /* idle lanes to zero */
            float tail[W];
            simd_store(tail, d);
            d = simd_load_n(tail, left);
        }
        s = simd_fma(d, d, s);
    }
    float scale_by = (float)(1 / sqrt((double)simd_sum(s) / (double)n + (double)eps));
    vec r = simd_set(scale_by);
    FOR_EACH_VECTOR (i, n) {
        vec xh = simd_mul(simd_sub(LOAD(x), m), r);
        vec b = bias ? LOAD(bias) : simd_set(0);
        STORE(y, simd_fma(xh, LOAD(weight), b));
    }
    *mean = mu;
    *rstd = scale_by;
}

static void layer_norm_backward(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, float mean, float rstd,
                                size_t n) {
    vec m = simd_set(mean), r = simd_set(rstd), s = simd_set(0), sx = simd_set(0);
    FOR_EACH_VECTOR (i, n) { /* idle lanes: dy is 0 there */
        vec d = LOAD(dy), xh = simd_mul(simd_sub(LOAD(x), m), r), g = simd_mul(d, LOAD(weight));
        s = simd_add(s, g);
        sx = simd_fma(g, xh, sx);
        STORE(dweight, simd_fma(d, xh, LOAD(dweight)));
        if (dbias) STORE(dbias, simd_add(LOAD(dbias), d));
    }
    vec g_mean = simd_set(simd_sum(s) / (float)n), gx_mean = simd_set(simd_sum(sx) / (float)n);
    FOR_EACH_VECTOR (i, n) {
        vec xh = simd_mul(simd_sub(LOAD(x), m), r), g = simd_mul(LOAD(dy), LOAD(weight));
        vec d = simd_sub(simd_sub(g, g_mean), simd_mul(xh, gx_mean));
        STORE(dx, simd_fma(r, d, LOAD(dx)));
    }
}

static void rope(float *x, const float *cos, const float *sin, size_t n, bool inverse) {
    float *x2 = x + n / 2;
    vec sign = simd_set(inverse ? -1.0f : 1.0f);
    FOR_EACH_VECTOR (i, n / 2) {
        vec a = LOAD(x), b = LOAD(x2), c = LOAD(cos), s = simd_mul(LOAD(sin), sign);
        STORE(x, simd_sub(simd_mul(a, c), simd_mul(b, s)));
        STORE(x2, simd_fma(b, c, simd_mul(a, s)));
    }
}

static void adamw(float *w, const float *grad, float *m, float *v, const tn_adamw_args *a,
                  size_t n) {
    vec b1 = simd_set(a->beta1), b2 = simd_set(a->beta2), gs = simd_set(a->grad_scale);
    vec n1 = simd_set(1 - a->beta1), n2 = simd_set(1 - a->beta2), eps = simd_set(a->eps);
    vec up1 = simd_set(1 / a->correction1), up2 = simd_set(1 / a->correction2);
    vec lr = simd_set(-a->lr), decay = simd_set(a->weight_decay);
    FOR_EACH_VECTOR (i, n) {
        vec g = simd_mul(LOAD(grad), gs), old = LOAD(w);
        vec m1 = simd_fma(n1, g, simd_mul(b1, LOAD(m)));
        vec v1 = simd_fma(n2, simd_mul(g, g), simd_mul(b2, LOAD(v)));
        vec root = simd_add(simd_sqrt(simd_mul(v1, up2)), eps);
        vec step = simd_fma(decay, old, simd_div(simd_mul(m1, up1), root));
        STORE(w, simd_fma(lr, step, old));
        STORE(m, m1);
        STORE(v, v1);
    }
}

static void fill_rows(tn_kernels *k) {
    k->bf16_from_f32 = bf16_from_f32;
    k->f32_from_bf16 = f32_from_bf16;
    k->dot_i8 = dot_i8;
    k->dot_rows = dot_rows;
    k->dot = dot;
    k->sum = sum;
    k->max = max;
    k->sum_squares = sum_squares;
    k->axpy = axpy;
    k->scale = scale;
    k->add = add;
    k->mul = mul;
    k->exp = exp_rows;
    k->tanh = tanh_rows;
    k->sigmoid = sigmoid;
    k->act = act;
    k->act_backward = act_backward;
    k->glu = glu;
    k->glu_backward = glu_backward;
    k->softmax = softmax;
    k->log_sum_exp = log_sum_exp;
    k->softmax_backward = softmax_backward;
    k->rms_norm = rms_norm;
    k->rms_norm_backward = rms_norm_backward;
    k->layer_norm = layer_norm;
    k->layer_norm_backward = layer_norm_backward;
    k->rope = rope;
    k->adamw = adamw;
}
