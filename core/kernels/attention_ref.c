/* attention_ref.c - the inner loops of attention in plain C: attention_simd.h with one lane. */
#define SIMD_SCALAR
#include "core/kernels/attention_simd.h"

const tn_attention_kernels *tn_attention_kernels_ref(void) {
    return &attention_kernels;
}
