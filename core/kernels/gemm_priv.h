/* gemm_priv.h - how a product is carried out: operands are packed into panels, a micro-kernel
 * multiplies one panel of A by one panel of B, and the driver (gemm_tiles.c) walks the tiles.
 *
 * The invariant all files below keep: an element of C is a function of its row of op(A) and its
 * column of op(B) alone. The sum runs over k in one order, in blocks of one depth, whatever the
 * size of the matrices, the cut into tiles and the number of threads. So bits do not depend on
 * threads, and a row's bits do not depend on how many other rows there are.
 *
 * Panel layout, of `width` lines (rows of op(A) or columns of op(B)) and all k, padded with zeros:
 * [k / group][width][group]. A group is what one instruction takes at once: one f32, a pair of bf16
 * (VDPBF16PS and the B side of tiles), 32 bf16 (a row of an A tile). */
#ifndef TN_GEMM_PRIV_H
#define TN_GEMM_PRIV_H
#include "core/kernels/cpu.h"
#include "core/kernels/gemm.h"

enum {
    TN_GEMM_ALIGN = 64,
    TN_DEPTH_MAX = 256,  /* of a micro-kernel; a multiple of the next */
    TN_SCALE_GROUP = 64, /* k that share an int8 scale */
};

/* What a call of a micro-kernel prefetches: a line at p, p + stride, .. (TN_AHEAD_LINES at full
 * depth). */
enum { TN_AHEAD_LINES = 128 };
typedef struct tn_ahead {
    const char *p;
    size_t stride;
} tn_ahead;

/* Lines of an operand before packing: element (line, k) is data[line * line_stride + k * k_stride];
 * one of the two strides is 1. */
typedef struct tn_lines {
    const void *data;
    tn_dtype dtype; /* F32 or BF16 */
    size_t line_stride, k_stride;
    bool round; /* f32 elements are rounded to bf16, whatever they are packed as */
} tn_lines;

/* Pack lines [line, line + n_lines) x [k, k + n_k) of src into one panel; lines past n_lines and k
 * past n_k, up to a full group, become zeros. */
typedef void tn_pack_fn(void *panel, const tn_lines *src, size_t line, size_t n_lines, size_t k,
                        size_t n_k, size_t width, size_t group);

typedef void tn_ukr_fn(size_t rows, size_t k, const void *a, const void *b, float *c, size_t ldc,
                       bool add, tn_ahead ahead);

typedef struct tn_ukr {
    const char *name;
    tn_dtype packed;         /* of the elements in panels: F32 or BF16 */
    size_t mr, nr;           /* the tile: rows of a panel of A, columns of a panel of B */
    size_t a_group, b_group; /* see above */
    size_t depth;            /* k of one pass over the sums: the panel of B stays in L1 (16 KiB) */
    size_t block_m;          /* rows of a block of C: a multiple of mr near 128 */
    tn_pack_fn *pack_a, *pack_b;
    /* c[0..rows)[0..nr) (+)= a b over k, a multiple of both groups, at most depth.
     * 1 <= rows <= mr; c has room for mr rows and may be written there. What will be needed next
     * travels to L2 meanwhile: see tn_ahead. */
    tn_ukr_fn *run;
    tn_ukr_fn *run_i8; /* the same with b in int8, the same bits; NULL: b is unpacked first */
    void (*begin)(void), (*end)(void); /* around the work of one task on its thread; or NULL */
} tn_ukr;

/* Turn n stored weights into packed elements, in the same order; n is a multiple of 64. */
typedef void tn_unpack_fn(void *out, const void *in, size_t n);
/* c[rows][nr] = (add: c +) scale[nr] tile[rows][nr], the products rounded before they are added. */
typedef void tn_add_scaled_fn(float *c, size_t ldc, const float *tile, const float *scale,
                              size_t rows, size_t nr, bool add);

typedef struct tn_gemm_set {
    const char *name;
    tn_cpu_level level;
    bool (*is_here)(const tn_cpu *cpu);
    const tn_ukr *f32, *bf16;
    tn_unpack_fn *f32_from_bf16, *f32_from_i8; /* unused where bf16->packed is BF16 */
    tn_unpack_fn *bf16_from_i8;                /* unused where it is F32 */
    tn_add_scaled_fn *add_scaled;
} tn_gemm_set;

/* The sets this build knows, worst first; [*n]. */
const tn_gemm_set *const *tn_gemm_sets(size_t *n);
/* The best set this processor and TERN_CPU allow. Static. */
const tn_gemm_set *tn_gemm_set_get(void);

/* gemm_pack.c, gemm_ref.c: plain C, for any width and group. */
tn_pack_fn tn_pack_f32, tn_pack_bf16;
tn_unpack_fn tn_unpack_f32_from_bf16, tn_unpack_f32_from_i8;
tn_add_scaled_fn tn_add_scaled;
extern const tn_ukr tn_ukr_f32_ref;

/* gemm_<instruction set>.c: present where the architecture has them; lengths and widths are those
 * of that set's panels. */
tn_pack_fn tn_pack_pairs_avx512bf16, tn_pack_rows_avx512bf16;
tn_unpack_fn tn_unpack_f32_from_bf16_avx2, tn_unpack_f32_from_i8_avx2;
tn_unpack_fn tn_unpack_f32_from_bf16_avx512, tn_unpack_f32_from_i8_avx512;
tn_unpack_fn tn_unpack_bf16_from_i8_avx512bf16;
tn_add_scaled_fn tn_add_scaled_avx2, tn_add_scaled_avx512;
tn_unpack_fn tn_unpack_f32_from_bf16_neon, tn_unpack_f32_from_i8_neon;
extern const tn_ukr tn_ukr_f32_avx2, tn_ukr_f32_avx512, tn_ukr_bf16_avx512bf16, tn_ukr_bf16_amx;
extern const tn_ukr tn_ukr_f32_neon;

struct tn_weight {
    const tn_gemm_set *set;
    const tn_ukr *u;
    tn_weight_format format;
    tn_dtype stored; /* F32, BF16, I8 */
    size_t n, k, k_padded, n_panels, n_bytes;
    tn_unpack_fn *unpack; /* NULL: panels are stored as the micro-kernel wants them */
    void *block;          /* the allocation: panels, then scales */
    char *panels;         /* [n_panels][k_padded / b_group][nr][b_group] of `stored` */
    float *scales; /* I8: [n_panels nr]; I8_GROUP: [n_panels][k_padded / 64][nr]; else NULL */
};
/* As tn_weight_new, for a set of the caller's choice. */
TERN_MUST_USE tern_status tn_weight_new_for(const tn_gemm_set *set, tn_pool *pool, const void *w,
                                            tn_dtype dtype, size_t n, size_t k, size_t ld,
                                            tn_weight_format format, tn_weight **out,
                                            tern_error *err);

struct tn_gemm {
    tn_pool *pool;
    const tn_gemm_set *set; /* tests set another */
    char *shared;           /* packed operands that several tasks read */
    void *shared_block;     /* the allocation behind it */
    size_t shared_bytes;
    int n_workers;
    size_t worker_bytes;
    void *block;   /* the allocation behind `workers` */
    char *workers; /* [n_workers][worker_bytes], aligned */
};

/* One product (or n_batch of one shape) after its arguments were checked. */
typedef struct tn_product {
    const tn_ukr *u;
    size_t m, n, k;
    tn_lines a, b;           /* b unused with a weight */
    const tn_weight *weight; /* B packed already, or NULL */
    void *c;
    tn_dtype c_type; /* F32 or BF16 */
    size_t ldc;
    float alpha;
    bool accumulate;
    tn_epilogue epilogue;
    size_t n_batch, stride_a, stride_b, stride_c; /* in elements */
} tn_product;
TERN_MUST_USE tern_status tn_product_run(tn_gemm *g, const tn_product *p, tern_error *err);

/* gemm_finish.c: a finished row of sums becomes a row of C: y = epilogue(alpha scale[j] acc[j]). */
void tn_gemm_finish_row(const tn_product *p, float *acc, size_t row, size_t col, size_t n,
                        void *c_row);

/* gemm_f64.c: plain loops in double. */
void tn_gemm_f64(tn_pool *pool, const tn_gemm_args *args, size_t n_batch, size_t stride_a,
                 size_t stride_b, size_t stride_c);

static inline size_t tn_round_up(size_t x, size_t unit) {
    return (x + unit - 1) / unit * unit;
}
static inline size_t tn_ceil_div(size_t x, size_t unit) {
    return (x + unit - 1) / unit;
}

/* n bytes, aligned to TN_GEMM_ALIGN, uninitialised; NULL: no memory. *block is what tn_free takes.
 */
void *tn_gemm_alloc(size_t n_bytes, void **block);

#endif
