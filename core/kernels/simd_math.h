/* simd_math.h - exp, tanh, sigmoid and the normal distribution on vectors (simd.h).
 * The polynomials are our own least-maximum fits in double (relative error in brackets, before
 * rounding); tests/kernels/check_math.c measures ulp over the whole float range. NaN stays NaN. */
#ifndef TN_SIMD_MATH_H
#define TN_SIMD_MATH_H
#include "core/kernels/simd.h"

/* exp(x) = 2^n exp(r) with |r| <= ln(2)/2; exp(r) = 1 + r + r^2 P(r) [3e-9]. Below -104 the result
 * rounds to 0, above 89 it is infinite. */
SIMD_FN simd_f32 simd_exp(simd_f32 x) {
    x = simd_max(simd_set(-104), simd_min(simd_set(89), x));
    simd_f32 n = simd_round(simd_mul(x, simd_set(1.44269504f)));
    simd_f32 r = simd_fma(n, simd_set(-0.693359375f), x); /* ln(2) in two parts, the first short */
    r = simd_fma(n, simd_set(2.12194440e-4f), r);
    simd_f32 p = simd_fma(simd_set(0.00139505695f), r, simd_set(0.0083689567f));
    p = simd_fma(p, r, simd_set(0.0416662046f));
    p = simd_fma(p, r, simd_set(0.166665183f));
    p = simd_fma(p, r, simd_set(0.5f));
    p = simd_fma(simd_mul(p, r), r, r);
    return simd_scale(simd_add(p, simd_set(1)), n);
}

/* x + x^3 P(x^2) below 0.65 [1e-8], else 1 - 2 / (exp(2x) + 1). */
SIMD_FN simd_f32 simd_tanh(simd_f32 x) {
    simd_f32 size = simd_abs(x), z = simd_mul(x, x);
    simd_f32 p = simd_fma(simd_set(-0.00515494586f), z, simd_set(0.0201114529f));
    p = simd_fma(p, z, simd_set(-0.0535669015f));
    p = simd_fma(p, z, simd_set(0.133292416f));
    p = simd_fma(p, z, simd_set(-0.333331965f));
    simd_f32 small = simd_fma(simd_mul(p, z), x, x);
    simd_f32 e = simd_exp(simd_add(size, size));
    simd_f32 large = simd_sub(simd_set(1), simd_div(simd_set(2), simd_add(e, simd_set(1))));
    return simd_select(simd_less(size, simd_set(0.65f)), small, simd_copysign(large, x));
}

/* 1 / (1 + exp(-x)), without losing the digits of a small result */
SIMD_FN simd_f32 simd_sigmoid(simd_f32 x) {
    simd_f32 e = simd_exp(simd_sub(simd_set(0), simd_abs(x)));
    simd_f32 top = simd_select(simd_less(x, simd_set(0)), e, simd_set(1));
    return simd_div(top, simd_add(simd_set(1), e));
}

/* The normal distribution: *cdf its integral up to x, *bell exp(-x^2 / 2). For x < 0 the integral
 * is bell t P(t), t = 1 / (1 + 0.275 |x|) [4e-8]. */
SIMD_FN void simd_normal(simd_f32 x, simd_f32 *cdf, simd_f32 *bell) {
    simd_f32 size = simd_abs(x);
    simd_f32 t = simd_div(simd_set(1), simd_fma(simd_set(0.275f), size, simd_set(1)));
    simd_f32 p = simd_fma(simd_set(0.0264088671f), t, simd_set(-0.106810231f));
    p = simd_fma(p, t, simd_set(0.121846166f));
    p = simd_fma(p, t, simd_set(-0.0252878244f));
    p = simd_fma(p, t, simd_set(0.0809759845f));
    p = simd_fma(p, t, simd_set(0.0820027152f));
    p = simd_fma(p, t, simd_set(0.101393425f));
    p = simd_fma(p, t, simd_set(0.109766807f));
    p = simd_fma(p, t, simd_set(0.109704112f));
    *bell = simd_exp(simd_mul(simd_mul(x, simd_set(-0.5f)), x));
    simd_f32 tail = simd_mul(*bell, simd_mul(p, t));
    *cdf = simd_select(simd_less(x, simd_set(0)), tail, simd_sub(simd_set(1), tail));
}

#endif
