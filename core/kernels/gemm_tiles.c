/* gemm_tiles.c - the walk over the tiles of a product.
 * C is cut into blocks; a task computes one block: for each k-block it takes the panels of A and B
 * it needs, multiplies them into a block of f32 sums in its worker's memory (L2), and in the end
 * hands the rows to the epilogue. An operand that one task alone reads is packed by that task, one
 * k-block at a time, so that it is hot when it is used; one that several tasks read is packed
 * first, by all workers, into memory the tasks share. The cut depends on the shape alone, and, by
 * the invariant of gemm_priv.h, the bits do not even depend on the cut. */
#include "core/kernels/gemm_priv.h"

#include "core/base/mem.h"

enum {
    BLOCK_N = 256, /* columns of a block: 128 x 256 sums are 128 KiB */
    SKINNY_N = 64, /* columns when one block holds all rows: more tasks, little A */
    BLOCK_M_MAX = 128,
    NR_MAX = 64,
    SHARED_BYTES_MAX = 64 << 20, /* of either operand; larger ones go in slices of C */
    INLINE_FLOPS = 1 << 19       /* waking the workers would cost more */
};

/* A worker's memory: sums, then panels of A, then panels of B, then one unpacked panel of B. */
enum {
    SUMS_BYTES = BLOCK_M_MAX * BLOCK_N * 4,
    A_BYTES = BLOCK_M_MAX * TN_GEMM_KC * 4,
    B_BYTES = BLOCK_N * TN_GEMM_KC * 4,
    PANEL_BYTES = NR_MAX * TN_GEMM_KC * 4
};

tern_status tn_gemm_new(tn_pool *pool, tn_gemm **out, tern_error *err) {
    *out = NULL;
    tn_gemm *g = tn_calloc(1, sizeof *g);
    if (!g) return tern_fail(err, TERN_ERR_NOMEM, 0, "matrix products: no memory");
    *g = (tn_gemm){.pool = pool,
                   .set = tn_gemm_set_get(),
                   .n_workers = tn_pool_n_threads(pool),
                   .worker_bytes = SUMS_BYTES + A_BYTES + B_BYTES + PANEL_BYTES};
    g->block = tn_alloc((size_t)g->n_workers * g->worker_bytes + TN_GEMM_ALIGN);
    if (!g->block) {
        tn_free(g);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "matrix products: no memory for %d workers",
                         tn_pool_n_threads(pool));
    }
    g->workers = tn_align_up(g->block);
    *out = g;
    return TERN_OK;
}

void tn_gemm_free(tn_gemm *g) {
    if (!g) return;
    tn_free(g->shared);
    tn_free(g->block);
    tn_free(g);
}

tn_pool *tn_gemm_pool(const tn_gemm *g) {
    return g->pool;
}

static tern_status reserve_shared(tn_gemm *g, size_t n_bytes, tern_error *err) {
    if (n_bytes + TN_GEMM_ALIGN <= g->shared_bytes) return TERN_OK;
    void *p = tn_alloc(n_bytes + TN_GEMM_ALIGN);
    if (!p)
        return tern_fail(err, TERN_ERR_NOMEM, 0,
                         "matrix product: no memory for %zu bytes of panels", n_bytes);
    tn_free(g->shared);
    g->shared = p;
    g->shared_bytes = n_bytes + TN_GEMM_ALIGN;
    return TERN_OK;
}

/* How one slice of C is cut. */
typedef struct plan {
    const tn_product *p;
    tn_gemm *g;
    size_t row0, n_rows, col0, n_cols; /* the slice */
    size_t block_m, block_n;           /* multiples of mr, nr */
    size_t n_blocks_m, n_blocks_n;
    size_t k_padded, k_unit;         /* k_unit: the larger group */
    size_t size;                     /* bytes of a packed element */
    const char *shared_a, *shared_b; /* panels of the slice, or NULL: packed by the task */
} plan;

static size_t panel_bytes_a(const plan *l) {
    return l->p->u->mr * l->k_padded * l->size;
}

static size_t panel_bytes_b(const plan *l) {
    return l->p->u->nr * l->k_padded * l->size;
}

static const char *at(const void *data, size_t n_elements, tn_dtype t) {
    return (const char *)data + n_elements * tn_dtype_size(t);
}

static tn_lines lines_of(const tn_lines *x, size_t batch, size_t stride) {
    tn_lines y = *x;
    y.data = at(x->data, batch * stride, x->dtype);
    return y;
}

static size_t min_size(size_t x, size_t y) {
    return x < y ? x : y;
}

/* Panels of A for rows [row, row + n) and one k-block, packed into out. */
static void pack_a_block(const plan *l, const tn_lines *a, size_t row, size_t n, size_t k,
                         size_t n_k, char *out) {
    const tn_ukr *u = l->p->u;
    size_t bytes = u->mr * tn_round_up(n_k, l->k_unit) * l->size;
    for (size_t i = 0; i < n; i += u->mr, out += bytes)
        u->pack_a(out, a, row + i, min_size(u->mr, n - i), k, n_k, u->mr, u->a_group);
}

static void pack_b_block(const plan *l, const tn_lines *b, size_t col, size_t n, size_t k,
                         size_t n_k, char *out) {
    const tn_ukr *u = l->p->u;
    size_t bytes = u->nr * tn_round_up(n_k, l->k_unit) * l->size;
    for (size_t j = 0; j < n; j += u->nr, out += bytes)
        u->pack_b(out, b, col + j, min_size(u->nr, n - j), k, n_k, u->nr, u->b_group);
}

/* A panel of the weight for k-block k, as the micro-kernel wants it. */
static const char *weight_panel(const plan *l, size_t panel, size_t k, size_t n_k, char *buffer) {
    const tn_weight *w = l->p->weight;
    size_t nr = w->u->nr, size = tn_dtype_size(w->stored);
    const char *stored = w->panels + (panel * w->k_padded + k) * nr * size;
    if (!w->unpack) return stored;
    if (w->format != TN_WEIGHT_I8_GROUP) {
        w->unpack(buffer, stored, nr * n_k, NULL, 0);
        return buffer;
    }
    size_t group = w->u->b_group;
    float repeated[NR_MAX * 2]; /* a scale for each of the columns' `group` elements */
    for (size_t k0 = 0; k0 < n_k; k0 += 64) {
        size_t n = min_size(64, n_k - k0);
        const float *scale =
            w->scales + (panel * tn_ceil_div(w->k_padded, 64) + (k + k0) / 64) * nr;
        for (size_t j = 0; j < nr * group; j++) repeated[j] = scale[j / group];
        w->unpack(buffer + k0 * nr * l->size, stored + k0 * nr, nr * n, repeated, nr * group);
    }
    return buffer;
}

static void run_block(const plan *l, size_t batch, size_t bi, size_t bj, char *memory) {
    const tn_product *p = l->p;
    const tn_ukr *u = p->u;
    float *sums = (float *)memory;
    char *own_a = memory + SUMS_BYTES, *own_b = own_a + A_BYTES, *own_panel = own_b + B_BYTES;
    size_t i0 = bi * l->block_m, n_i = min_size(l->block_m, l->n_rows - i0);
    size_t j0 = bj * l->block_n, n_j = min_size(l->block_n, l->n_cols - j0);
    tn_lines a = lines_of(&p->a, batch, p->stride_a), b = {0};
    if (!p->weight) b = lines_of(&p->b, batch, p->stride_b);
    for (size_t k = 0; k < p->k; k += TN_GEMM_KC) {
        size_t n_k = min_size(TN_GEMM_KC, p->k - k), deep = tn_round_up(n_k, l->k_unit);
        const char *panels_a = own_a;
        size_t step_a = u->mr * deep * l->size;
        if (l->shared_a) {
            step_a = panel_bytes_a(l);
            panels_a = l->shared_a + i0 / u->mr * step_a + k * u->mr * l->size;
        } else {
            pack_a_block(l, &a, l->row0 + i0, n_i, k, n_k, own_a);
        }
        const char *panels_b = own_b;
        size_t step_b = u->nr * deep * l->size;
        if (l->shared_b) {
            step_b = panel_bytes_b(l);
            panels_b = l->shared_b + j0 / u->nr * step_b + k * u->nr * l->size;
        } else if (!p->weight) {
            pack_b_block(l, &b, l->col0 + j0, n_j, k, n_k, own_b);
        }
        for (size_t j = 0; j < n_j; j += u->nr) {
            const char *panel = panels_b + j / u->nr * step_b;
            if (p->weight) panel = weight_panel(l, (l->col0 + j0 + j) / u->nr, k, deep, own_panel);
            for (size_t i = 0; i < n_i; i += u->mr)
                u->run(min_size(u->mr, n_i - i), deep, panels_a + i / u->mr * step_a, panel,
                       sums + i * BLOCK_N + j, BLOCK_N, k > 0);
        }
    }
    char *c = (char *)p->c + batch * p->stride_c * tn_dtype_size(p->c_type);
    for (size_t i = 0; i < n_i; i++) {
        if (p->k == 0) memset(sums + i * BLOCK_N, 0, n_j * sizeof *sums);
        size_t row = l->row0 + i0 + i, col = l->col0 + j0;
        tn_gemm_finish_row(p, sums + i * BLOCK_N, row, col, n_j,
                           c + (row * p->ldc + col) * tn_dtype_size(p->c_type));
    }
}

static void run_blocks(void *arg, size_t begin, size_t end, int worker) {
    const plan *l = arg;
    const tn_ukr *u = l->p->u;
    char *memory = l->g->workers + (size_t)worker * l->g->worker_bytes;
    if (u->begin) u->begin();
    for (size_t t = begin; t < end; t++) {
        size_t per_batch = l->n_blocks_m * l->n_blocks_n, in_batch = t % per_batch;
        run_block(l, t / per_batch, in_batch % l->n_blocks_m, in_batch / l->n_blocks_m, memory);
    }
    if (u->end) u->end();
}

static void pack_shared_a(void *arg, size_t begin, size_t end, int worker) {
    const plan *l = arg;
    (void)worker;
    size_t mr = l->p->u->mr;
    for (size_t i = begin; i < end; i++)
        l->p->u->pack_a((char *)l->shared_a + i * panel_bytes_a(l), &l->p->a, l->row0 + i * mr,
                        min_size(mr, l->n_rows - i * mr), 0, l->p->k, mr, l->p->u->a_group);
}

static void pack_shared_b(void *arg, size_t begin, size_t end, int worker) {
    const plan *l = arg;
    (void)worker;
    size_t nr = l->p->u->nr;
    for (size_t j = begin; j < end; j++)
        l->p->u->pack_b((char *)l->shared_b + j * panel_bytes_b(l), &l->p->b, l->col0 + j * nr,
                        min_size(nr, l->n_cols - j * nr), 0, l->p->k, nr, l->p->u->b_group);
}

/* Equal blocks of at most `max`, in whole tiles. */
static size_t even_block(size_t n, size_t max, size_t tile) {
    return tn_round_up(tn_ceil_div(n, tn_ceil_div(n, max)), tile);
}

static tern_status run_slice(plan *l, tern_error *err) {
    const tn_product *p = l->p;
    const tn_ukr *u = p->u;
    tn_gemm *g = l->g;
    l->block_m = even_block(l->n_rows, u->block_m, u->mr);
    l->n_blocks_m = tn_ceil_div(l->n_rows, l->block_m);
    l->block_n = even_block(l->n_cols, l->n_blocks_m == 1 ? SKINNY_N : BLOCK_N, u->nr);
    l->n_blocks_n = tn_ceil_div(l->n_cols, l->block_n);

    double flops = 2.0 * (double)l->n_rows * (double)l->n_cols * (double)p->k;
    size_t panels_a = tn_ceil_div(l->n_rows, u->mr), panels_b = tn_ceil_div(l->n_cols, u->nr);
    bool share_a = p->n_batch == 1 && l->n_blocks_n > 1;
    bool share_b = p->n_batch == 1 && l->n_blocks_m > 1 && !p->weight;
    size_t bytes_a = share_a ? tn_round_up(panels_a * panel_bytes_a(l), TN_GEMM_ALIGN) : 0;
    size_t bytes_b = share_b ? panels_b * panel_bytes_b(l) : 0;
    tern_status st = reserve_shared(g, bytes_a + bytes_b, err);
    if (st != TERN_OK) return st;
    char *memory = tn_align_up(g->shared);
    l->shared_a = share_a ? memory : NULL;
    l->shared_b = share_b ? memory + bytes_a : NULL;

    tn_pool *pool = flops * (double)p->n_batch < INLINE_FLOPS ? NULL : g->pool;
    if (share_a) tn_pool_for(pool, panels_a, 4, pack_shared_a, l);
    if (share_b) tn_pool_for(pool, panels_b, 4, pack_shared_b, l);
    size_t n_tasks = p->n_batch * l->n_blocks_m * l->n_blocks_n;
    double task_flops = flops / (double)(l->n_blocks_m * l->n_blocks_n) + 1;
    size_t grain = task_flops < INLINE_FLOPS ? (size_t)(INLINE_FLOPS / task_flops) + 1 : 1;
    tn_pool_for(pool, n_tasks, grain, run_blocks, l);
    return TERN_OK;
}

/* Lines whose panels fit SHARED_BYTES_MAX, in whole tiles, at least one block. */
static size_t slice_of(size_t n, size_t k_padded, size_t size, size_t tile) {
    size_t lines = SHARED_BYTES_MAX / (k_padded * size + 1) / tile * tile;
    if (lines < 512) lines = tn_round_up(512, tile);
    return lines < n ? lines : n;
}

tern_status tn_product_run(tn_gemm *g, const tn_product *p, tern_error *err) {
    if (p->m == 0 || p->n == 0 || p->n_batch == 0) return TERN_OK;
    const tn_ukr *u = p->u;
    size_t unit = u->a_group > u->b_group ? u->a_group : u->b_group;
    size_t k_padded = tn_round_up(p->k, unit), size = tn_dtype_size(u->packed);
    size_t rows = slice_of(p->m, k_padded, size, u->mr);
    size_t cols = p->weight ? p->n : slice_of(p->n, k_padded, size, u->nr);
    for (size_t j = 0; j < p->n; j += cols)
        for (size_t i = 0; i < p->m; i += rows) {
            plan l = {.p = p,
                      .g = g,
                      .row0 = i,
                      .n_rows = min_size(rows, p->m - i),
                      .col0 = j,
                      .n_cols = min_size(cols, p->n - j),
                      .k_padded = k_padded,
                      .k_unit = unit,
                      .size = size};
            tern_status st = run_slice(&l, err);
            if (st != TERN_OK) return st;
        }
    return TERN_OK;
}
