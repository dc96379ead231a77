/* gemm_amx.c - bf16 products with tiles (AMX): 32 x 32 sums are four tiles, two tiles each of A
 * and B feed them, so each loaded tile is used twice. A group of A is a tile row of 32 bf16; B lies
 * in pairs, as VDPBF16PS wants it too, and a tile of it is 16 pairs deep.
 * TDPBF16PS sums even and odd elements apart within a tile and treats denormals as zero, so bits
 * differ from VDPBF16PS, by the rounding of the sums alone. */
#include "core/kernels/gemm_priv.h"
#ifndef TN_AMX_OPS
#define TN_AMX_OPS "core/kernels/amx_ops.h"
#endif
#include TN_AMX_OPS

enum {
    MR = 32,
    NR = 32,
    DEPTH = 32,       /* k of one tile product */
    A_TILE = 16 * 32, /* elements */
    A_STEP = MR * DEPTH,
    B_STEP = NR * DEPTH,
    PASS = 256, /* k of one call */
    AHEAD_LINES = TN_AHEAD_LINES * DEPTH / PASS,
    B_ROW_BYTES = NR * 2 * 2 /* NR pairs of bf16 */
};

static inline void prefetch(tn_ahead *ahead) {
    for (size_t i = 0; i < AHEAD_LINES; i++, ahead->p += ahead->stride)
        __builtin_prefetch(ahead->p, 0, 2);
}

/* Rows 0..15 alone: sums in tiles 0, 1. */
static void run_16(size_t k, const tn_bf16 *a, const tn_bf16 *b, float *c, size_t ldc, bool add,
                   tn_ahead ahead) {
    size_t c_bytes = ldc * sizeof *c;
    if (add) {
        TILE_LOAD(0, c, c_bytes);
        TILE_LOAD(1, c + 16, c_bytes);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
    }
    for (; k > 0; k -= DEPTH, a += A_STEP, b += B_STEP) {
        prefetch(&ahead);
        TILE_LOAD(4, a, 64);
        TILE_LOAD(6, b, B_ROW_BYTES);
        TILE_LOAD(7, b + 32, B_ROW_BYTES);
        TILE_DOT(0, 4, 6);
        TILE_DOT(1, 4, 7);
    }
    TILE_STORE(0, c, c_bytes);
    TILE_STORE(1, c + 16, c_bytes);
}

static void run_32(size_t k, const tn_bf16 *a, const tn_bf16 *b, float *c, size_t ldc, bool add,
                   tn_ahead ahead) {
    size_t c_bytes = ldc * sizeof *c;
    float *c16 = c + 16 * ldc;
    if (add) {
        TILE_LOAD(0, c, c_bytes);
        TILE_LOAD(1, c + 16, c_bytes);
        TILE_LOAD(2, c16, c_bytes);
        TILE_LOAD(3, c16 + 16, c_bytes);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    }
    for (; k > 0; k -= DEPTH, a += A_STEP, b += B_STEP) {
        prefetch(&ahead);
        TILE_LOAD(4, a, 64);
        TILE_LOAD(6, b, B_ROW_BYTES);
        TILE_DOT(0, 4, 6);
        TILE_LOAD(7, b + 32, B_ROW_BYTES);
        TILE_DOT(1, 4, 7);
        TILE_LOAD(5, a + A_TILE, 64);
        TILE_DOT(2, 5, 6);
        TILE_DOT(3, 5, 7);
    }
    TILE_STORE(0, c, c_bytes);
    TILE_STORE(1, c + 16, c_bytes);
    TILE_STORE(2, c16, c_bytes);
    TILE_STORE(3, c16 + 16, c_bytes);
}

static void run(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc, bool add,
                tn_ahead ahead) {
    if (rows <= 16)
        run_16(k, a, b, c, ldc, add, ahead);
    else
        run_32(k, a, b, c, ldc, add, ahead);
}

/* Pairs, and zeros up to a whole tile: the other side's group is deeper. */
static void pack_b(void *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                   size_t n_k, size_t width, size_t group) {
    TILE_PACK_PAIRS(panel, src, line, n_lines, k, n_k, width, group);
    size_t done = tn_round_up(n_k, group) * width, all = tn_round_up(n_k, DEPTH) * width;
    memset((tn_bf16 *)panel + done, 0, (all - done) * sizeof(tn_bf16));
}

const tn_ukr tn_ukr_bf16_amx = {.name = "amx 32x32 bf16",
                                .packed = TN_BF16,
                                .mr = MR,
                                .nr = NR,
                                .a_group = DEPTH,
                                .b_group = 2,
                                .depth = PASS,
                                .block_m = 128,
                                .pack_a = TILE_PACK_ROWS,
                                .pack_b = pack_b,
                                .run = run,
                                .begin = tile_begin,
                                .end = tile_end};
