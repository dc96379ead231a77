/* dtype.h - the element types of matrices and tensors.
 * Everything computes in f32. bf16 and int8 are types of storage and operands of products; f64 is
 * the precision in which gradients are checked. */
#ifndef TN_DTYPE_H
#define TN_DTYPE_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum tn_dtype { TN_F32, TN_BF16, TN_F64, TN_I32, TN_I8 } tn_dtype;

typedef uint16_t tn_bf16; /* the upper half of an IEEE f32 */

static inline size_t tn_dtype_size(tn_dtype t) {
    static const unsigned char sizes[] = {
        [TN_F32] = 4, [TN_BF16] = 2, [TN_F64] = 8, [TN_I32] = 4, [TN_I8] = 1};
    return sizes[t];
}

static inline float tn_bf16_get(tn_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline tn_bf16 tn_bf16_set(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (tn_bf16)(bits >> 16 | 0x40);
    return (tn_bf16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

#endif
