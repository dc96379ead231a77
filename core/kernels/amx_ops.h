/* amx_ops.h - the tile instructions that gemm_amx.c uses, on the processor. A test puts its own
 * header in this one's place (TN_AMX_OPS), which computes the same in plain C, so that the kernel's
 * source is checked on machines without tiles. */
#ifndef TN_AMX_OPS_H
#define TN_AMX_OPS_H
/* clang before 15 spells the first pair */
#if !(defined(__AMXTILE__) && defined(__AMXBF16__)) && \
    !(defined(__AMX_TILE__) && defined(__AMX_BF16__))
#error "compile with the flags of cmake/isa.cmake"
#endif
#include <immintrin.h>

#define TILE_ZERO(t)             _tile_zero(t)
#define TILE_LOAD(t, p, stride)  _tile_loadd(t, p, stride)
#define TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
/* t[16][16] f32 += a[16][32] bf16 b[16][16 pairs] bf16 */
#define TILE_DOT(t, a, b) _tile_dpbf16ps(t, a, b)

/* LDTILECFG's operand: palette 1, eight tiles of 16 rows of 64 bytes. */
static inline void tile_begin(void) {
    static const struct __attribute__((packed, aligned(64))) {
        unsigned char palette, start_row, reserved[14];
        unsigned short row_bytes[16];
        unsigned char rows[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&config);
}

static inline void tile_end(void) {
    _tile_release(); /* so that the system need not save eight KiB at each switch */
}

#define TILE_PACK_ROWS  tn_pack_rows_avx512bf16
#define TILE_PACK_PAIRS tn_pack_pairs_avx512bf16

#endif
