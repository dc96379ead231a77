/* amx_emulated.h - the tile instructions of core/kernels/amx_ops.h in plain C, for machines without
 * them. TDPBF16PS as Intel's manual gives it: even and odd products of a row are summed apart, each
 * step a fused multiply-add rounded to nearest even, then both sums are added, then that to the
 * destination; denormals are zero going in and coming out. */
#ifndef TN_AMX_EMULATED_H
#define TN_AMX_EMULATED_H
#include "core/kernels/dtype.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_ROWS = 16, TILE_ROW_BYTES = 64 };

static unsigned char tile_data[8][TILE_ROWS][TILE_ROW_BYTES];
static int tiles_configured;

static inline void tile_must(int ok) {
    if (!ok) abort();
}

static inline void tile_begin(void) {
    tile_must(!tiles_configured);
    tiles_configured = 1;
    memset(tile_data, 0, sizeof tile_data);
}

static inline void tile_end(void) {
    tile_must(tiles_configured);
    tiles_configured = 0;
}

static inline void tile_load(int t, const void *p, size_t stride) {
    tile_must(tiles_configured);
    for (size_t i = 0; i < TILE_ROWS; i++)
        memcpy(tile_data[t][i], (const char *)p + i * stride, TILE_ROW_BYTES);
}

static inline void tile_store(int t, void *p, size_t stride) {
    tile_must(tiles_configured);
    for (size_t i = 0; i < TILE_ROWS; i++)
        memcpy((char *)p + i * stride, tile_data[t][i], TILE_ROW_BYTES);
}

static inline float tile_flush(float x) {
    return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

static inline float tile_bf16(int t, int row, int element) {
    tn_bf16 x;
    memcpy(&x, &tile_data[t][row][2 * element], sizeof x);
    return tile_flush(tn_bf16_get(x));
}

static inline void tile_dot(int t, int a, int b) {
    tile_must(tiles_configured);
    for (int m = 0; m < TILE_ROWS; m++)
        for (int n = 0; n < 16; n++) {
            float even = 0, odd = 0, sum;
            for (int k = 0; k < 16; k++) {
                even = tile_flush(fmaf(tile_bf16(a, m, 2 * k), tile_bf16(b, k, 2 * n), even));
                odd = tile_flush(fmaf(tile_bf16(a, m, 2 * k + 1), tile_bf16(b, k, 2 * n + 1), odd));
            }
            memcpy(&sum, &tile_data[t][m][4 * n], sizeof sum);
            sum = tile_flush(tile_flush(sum) + tile_flush(even + odd));
            memcpy(&tile_data[t][m][4 * n], &sum, sizeof sum);
        }
}

#define TILE_ZERO(t)             memset(tile_data[t], 0, sizeof tile_data[t])
#define TILE_LOAD(t, p, stride)  tile_load(t, p, stride)
#define TILE_STORE(t, p, stride) tile_store(t, p, stride)
#define TILE_DOT(t, a, b)        tile_dot(t, a, b)
#define TILE_PACK_ROWS           tn_pack_bf16
#define TILE_PACK_PAIRS          tn_pack_bf16

#endif
