/* simd_scalar.h - simd.h in plain C, one lane: what attention's reference level is compiled with.
 */
#ifndef TN_SIMD_SCALAR_H
#define TN_SIMD_SCALAR_H
#include <stdbool.h>

#define SIMD_REGISTERS 16
enum { SIMD_W = 1 };
typedef float simd_f32;
typedef bool simd_mask;

SIMD_FN simd_f32 simd_set(float x) {
    return x;
}
SIMD_FN simd_f32 simd_load(const float *p) {
    return *p;
}
SIMD_FN simd_f32 simd_load_n(const float *p, size_t n) {
    return n ? *p : 0;
}
SIMD_FN void simd_store(float *p, simd_f32 x) {
    *p = x;
}
SIMD_FN void simd_store_n(float *p, simd_f32 x, size_t n) {
    if (n) *p = x;
}
SIMD_FN simd_f32 simd_add(simd_f32 a, simd_f32 b) {
    return a + b;
}
SIMD_FN simd_f32 simd_sub(simd_f32 a, simd_f32 b) {
    return a - b;
}
SIMD_FN simd_f32 simd_mul(simd_f32 a, simd_f32 b) {
    return a * b;
}
SIMD_FN simd_f32 simd_div(simd_f32 a, simd_f32 b) {
    return a / b;
}
SIMD_FN simd_f32 simd_fma(simd_f32 a, simd_f32 b, simd_f32 c) {
    return a * b + c;
}
SIMD_FN simd_f32 simd_min(simd_f32 a, simd_f32 b) {
    return a < b ? a : b;
}
SIMD_FN simd_f32 simd_max(simd_f32 a, simd_f32 b) {
    return a > b ? a : b;
}
SIMD_FN simd_f32 simd_abs(simd_f32 a) {
    return fabsf(a);
}
SIMD_FN simd_f32 simd_copysign(simd_f32 size, simd_f32 sign) {
    return copysignf(size, sign);
}
SIMD_FN simd_f32 simd_round(simd_f32 a) {
    return rintf(a);
}
SIMD_FN simd_f32 simd_scale(simd_f32 x, simd_f32 n) {
    return ldexpf(x, n == n ? (int)n : 0);
}
SIMD_FN simd_mask simd_less(simd_f32 a, simd_f32 b) {
    return a < b;
}
SIMD_FN simd_f32 simd_select(simd_mask m, simd_f32 yes, simd_f32 no) {
    return m ? yes : no;
}

#endif
