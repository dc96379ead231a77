/* gemm_peak_amx.c - the most bf16 multiply-adds a core does with TDPBF16PS. */
#include "bench/gemm_peak.h"
#include "core/kernels/gemm_priv.h"

#include "core/kernels/amx_ops.h"

double gemm_peak_amx(size_t steps, float *sink) {
    float sums[16 * 16];
    tile_begin();
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    TILE_ZERO(4);
    TILE_ZERO(5);
    for (size_t i = 0; i < steps; i++) {
        TILE_DOT(0, 4, 5);
        TILE_DOT(1, 4, 5);
        TILE_DOT(2, 4, 5);
        TILE_DOT(3, 4, 5);
    }
    TILE_STORE(0, sums, 64);
    tile_end();
    *sink += sums[0];
    return (double)steps * 4 * 2 * 16 * 16 * 32;
}
