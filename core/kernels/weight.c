/* weight.c - weight matrices packed once (gemm.h): the layout of gemm_priv.h, in the type they are
 * stored in, so that a matrix-vector product reads each byte once and in order.
 * int8 weights are symmetric, q = round(w / scale) in -127..127. Products round x to bf16 (unless
 * the weight is f32) and sum in f32; a per-channel scale multiplies the finished sum, q itself
 * being exact in bf16; group scales multiply the sums of their groups. */
#include "core/kernels/gemm_priv.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct job {
    tn_weight *w;
    tn_lines lines;
} job;

static float element(const tn_lines *x, size_t row, size_t col) {
    size_t i = row * x->line_stride + col;
    return x->dtype == TN_BF16 ? tn_bf16_get(((const tn_bf16 *)x->data)[i])
                               : ((const float *)x->data)[i];
}

static float scale_for(const tn_lines *x, size_t row, size_t col, size_t n) {
    float max = 0;
    for (size_t i = col; i < col + n; i++) {
        float size = fabsf(element(x, row, i));
        if (size > max) max = size;
    }
    return max / 127;
}

static int8_t quantise(float x, float scale) {
    float q = scale > 0 ? nearbyintf(x / scale) : 0;
    return (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
}

static float *scale_at(const tn_weight *w, size_t row, size_t col) {
    size_t nr = w->u->nr;
    if (w->format == TN_WEIGHT_I8) return w->scales + row;
    return w->scales +
           (row / nr * tn_ceil_div(w->k_padded, TN_SCALE_GROUP) + col / TN_SCALE_GROUP) * nr +
           row % nr;
}

/* Where element (row, col) lies in the panels. */
static size_t index_of(const tn_weight *w, size_t row, size_t col) {
    size_t nr = w->u->nr, g = w->u->b_group;
    return row / nr * nr * w->k_padded + col / g * nr * g + row % nr * g + col % g;
}

static void pack_i8_row(tn_weight *w, const tn_lines *x, size_t row) {
    size_t step = w->format == TN_WEIGHT_I8 ? w->k : TN_SCALE_GROUP;
    for (size_t col = 0; col < w->k; col += step) {
        size_t n = w->k - col < step ? w->k - col : step;
        float scale = scale_for(x, row, col, n);
        *scale_at(w, row, col) = scale;
        for (size_t i = col; i < col + n; i++)
            w->panels[index_of(w, row, i)] = (char)quantise(element(x, row, i), scale);
    }
}

static void pack_panels(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    tn_weight *w = j->w;
    (void)worker;
    size_t nr = w->u->nr;
    for (size_t p = begin; p < end; p++) {
        size_t n = w->n - p * nr < nr ? w->n - p * nr : nr;
        char *panel = w->panels + p * nr * w->k_padded * tn_dtype_size(w->stored);
        if (w->stored == TN_I8)
            for (size_t i = 0; i < n; i++) pack_i8_row(w, &j->lines, p * nr + i);
        else if (!w->unpack)
            w->u->pack_b(panel, &j->lines, p * nr, n, 0, w->k, nr, w->u->b_group);
        else
            tn_pack_bf16(panel, &j->lines, p * nr, n, 0, w->k, nr, w->u->b_group);
    }
}

static void choose_kernel(tn_weight *w) {
    const tn_gemm_set *s = w->set;
    w->u = w->format == TN_WEIGHT_F32 ? s->f32 : s->bf16;
    if (w->format == TN_WEIGHT_F32 || (w->format == TN_WEIGHT_BF16 && w->u->packed == TN_BF16))
        w->unpack = NULL;
    else if (w->format == TN_WEIGHT_BF16)
        w->unpack = s->f32_from_bf16;
    else
        w->unpack = w->u->packed == TN_BF16 ? s->bf16_from_i8 : s->f32_from_i8;
}

tern_status tn_weight_new_for(const tn_gemm_set *set, tn_pool *pool, const void *data,
                              tn_dtype dtype, size_t n, size_t k, size_t ld,
                              tn_weight_format format, tn_weight **out, tern_error *err) {
    static const tn_dtype stored[] = {[TN_WEIGHT_F32] = TN_F32,
                                      [TN_WEIGHT_BF16] = TN_BF16,
                                      [TN_WEIGHT_I8] = TN_I8,
                                      [TN_WEIGHT_I8_GROUP] = TN_I8};
    *out = NULL;
    if (dtype != TN_F32 && dtype != TN_BF16)
        return tern_fail(err, TERN_ERR_ARG, 0, "weight: the matrix is neither f32 nor bf16");
    if (n == 0 || k == 0 || ld < k)
        return tern_fail(err, TERN_ERR_ARG, 0, "weight: %zu x %zu with rows %zu apart", n, k, ld);
    tn_weight *w = tn_calloc(1, sizeof *w);
    if (!w) return tern_fail(err, TERN_ERR_NOMEM, 0, "weight: no memory");
    *w = (tn_weight){.set = set, .format = format, .stored = stored[format], .n = n, .k = k};
    choose_kernel(w);
    const tn_ukr *u = w->u;
    w->k_padded = tn_round_up(k, u->a_group > u->b_group ? u->a_group : u->b_group);
    w->n_panels = tn_ceil_div(n, u->nr);
    size_t n_groups = format == TN_WEIGHT_I8_GROUP ? tn_ceil_div(w->k_padded, TN_SCALE_GROUP) : 1;
    size_t n_scales = w->stored == TN_I8 ? w->n_panels * u->nr * n_groups : 0;
    size_t panels =
        tn_round_up(w->n_panels * u->nr * w->k_padded * tn_dtype_size(w->stored), TN_GEMM_ALIGN);
    w->n_bytes = panels + n_scales * sizeof(float);
    w->panels = tn_gemm_alloc(w->n_bytes, &w->block);
    if (!w->panels) {
        tn_weight_free(w);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "weight: no memory for %zu x %zu", n, k);
    }
    memset(w->panels, 0, w->n_bytes);
    w->scales = n_scales ? (float *)(w->panels + panels) : NULL;
    job j = {w, {.data = data, .dtype = dtype, .line_stride = ld, .k_stride = 1}};
    tn_pool_for(pool, w->n_panels, tn_ceil_div(1 << 16, u->nr * k), pack_panels, &j);
    *out = w;
    return TERN_OK;
}

tern_status tn_weight_new(tn_pool *pool, const void *w, tn_dtype dtype, size_t n, size_t k,
                          size_t ld, tn_weight_format format, tn_weight **out, tern_error *err) {
    return tn_weight_new_for(tn_gemm_set_get(), pool, w, dtype, n, k, ld, format, out, err);
}

void tn_weight_free(tn_weight *w) {
    if (!w) return;
    tn_free(w->block);
    tn_free(w);
}

size_t tn_weight_bytes(const tn_weight *w) {
    return w->n_bytes;
}

void tn_weight_get_row(const tn_weight *w, size_t row, float *out) {
    for (size_t col = 0; col < w->k; col++) {
        size_t i = index_of(w, row, col);
        if (w->stored == TN_F32)
            out[col] = ((const float *)(const void *)w->panels)[i];
        else if (w->stored == TN_BF16)
            out[col] = tn_bf16_get(((const tn_bf16 *)(const void *)w->panels)[i]);
        else
            out[col] = (float)(int8_t)w->panels[i] * *scale_at(w, row, col);
    }
}

tern_status tn_weight_mul(tn_gemm *g, const tn_weight *w, tn_mat x, size_t m, float *y, size_t ldy,
                          const tn_epilogue *epilogue, bool fixed, tern_error *err) {
    (void)fixed; /* rows never depend on m: gemm_priv.h's invariant */
    if ((x.dtype != TN_F32 && x.dtype != TN_BF16) || x.trans)
        return tern_fail(err, TERN_ERR_ARG, 0, "weight: x must be f32 or bf16, not transposed");
    if (m > 0 && (x.ld < w->k || ldy < w->n))
        return tern_fail(err, TERN_ERR_ARG, 0, "weight %zu x %zu: ld of x is %zu, of y %zu", w->n,
                         w->k, x.ld, ldy);
    tn_product p = {.u = w->u,
                    .m = m,
                    .n = w->n,
                    .k = w->k,
                    .a = {.data = x.data,
                          .dtype = x.dtype,
                          .line_stride = x.ld,
                          .k_stride = 1,
                          .round = w->format != TN_WEIGHT_F32},
                    .weight = w,
                    .c = y,
                    .c_type = TN_F32,
                    .ldc = ldy,
                    .alpha = 1,
                    .n_batch = 1};
    if (epilogue) p.epilogue = *epilogue;
    return tn_product_run(g, &p, err);
}
