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
    SKINNY_N = 64, /* where one block holds all rows, times a weight: more tasks */
    BLOCK_M_MAX = 128,
    MR_MAX = 32,
    NR_MAX = 32,
    STRIP_LINES = 256,           /* a piece of the packing that goes ahead of the tasks */
    K_STRIP = 32,                /* k at a time where lines lie side by side in memory */
    SHARED_BYTES_MAX = 64 << 20, /* of either operand; larger ones go in slices of C */
    INLINE_FLOPS = 1 << 19       /* waking the workers would cost more */
};

/* A worker's memory: sums, then panels of A, then panels of B, then one unpacked panel of B. */
enum {
    SUMS_BYTES = BLOCK_M_MAX * BLOCK_N * 4,
    A_BYTES = BLOCK_M_MAX * TN_DEPTH_MAX * 4,
    B_BYTES = BLOCK_N * TN_DEPTH_MAX * 4,
    PANEL_BYTES = NR_MAX * TN_DEPTH_MAX * 4
};

tern_status tn_gemm_new(tn_pool *pool, tn_gemm **out, tern_error *err) {
    *out = NULL;
    tn_gemm *g = tn_calloc(1, sizeof *g);
    if (!g) return tern_fail(err, TERN_ERR_NOMEM, 0, "matrix products: no memory");
    *g = (tn_gemm){.pool = pool,
                   .set = tn_gemm_set_get(),
                   .n_workers = tn_pool_n_threads(pool),
                   .worker_bytes = SUMS_BYTES + A_BYTES + B_BYTES + PANEL_BYTES};
    g->workers = tn_gemm_alloc((size_t)g->n_workers * g->worker_bytes, &g->block);
    if (!g->workers) {
        tn_free(g);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "matrix products: no memory for %d workers",
                         tn_pool_n_threads(pool));
    }
    *out = g;
    return TERN_OK;
}

void tn_gemm_free(tn_gemm *g) {
    if (!g) return;
    tn_free(g->shared_block);
    tn_free(g->block);
    tn_free(g);
}

tn_pool *tn_gemm_pool(const tn_gemm *g) {
    return g->pool;
}

static tern_status reserve_shared(tn_gemm *g, size_t n_bytes, tern_error *err) {
    if (n_bytes <= g->shared_bytes) return TERN_OK;
    void *block, *p = tn_gemm_alloc(n_bytes, &block);
    if (!p)
        return tern_fail(err, TERN_ERR_NOMEM, 0,
                         "matrix product: no memory for %zu bytes of panels", n_bytes);
    tn_free(g->shared_block);
    g->shared = p, g->shared_block = block, g->shared_bytes = n_bytes;
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

/* One operand's packing: which function, how wide a panel, where panels lie. */
typedef struct packer {
    const tn_lines *src;
    tn_pack_fn *pack;
    size_t width, group, size;
    size_t panel_bytes; /* from one panel to the next */
} packer;

/* Lines [line, line + n) x [k, k + n_k) into panels from `out` on. Where lines lie side by side in
 * memory, a few k of all panels are packed at a time, so that memory is read along its rows. */
static void pack_lines(const packer *x, size_t line, size_t n, size_t k, size_t n_k, char *out) {
    size_t step = x->src->k_stride == 1 ? n_k : K_STRIP;
    for (size_t l = 0; l < n_k; l += step) {
        char *panel = out + l * x->width * x->size;
        for (size_t i = 0; i < n; i += x->width, panel += x->panel_bytes)
            x->pack(panel, x->src, line + i, min_size(x->width, n - i), k + l,
                    min_size(step, n_k - l), x->width, x->group);
    }
}

static packer packer_a(const plan *l, const tn_lines *src, size_t k_deep) {
    const tn_ukr *u = l->p->u;
    return (packer){src, u->pack_a, u->mr, u->a_group, l->size, u->mr * k_deep * l->size};
}

static packer packer_b(const plan *l, const tn_lines *src, size_t k_deep) {
    const tn_ukr *u = l->p->u;
    return (packer){src, u->pack_b, u->nr, u->b_group, l->size, u->nr * k_deep * l->size};
}

static const char *stored_panel(const tn_weight *w, size_t panel, size_t k) {
    return w->panels + (panel * w->k_padded + k) * w->u->nr * tn_dtype_size(w->stored);
}

/* Few rows of int8 weights: the micro-kernel unpacks them itself. */
static bool reads_i8(const plan *l, size_t n_rows) {
    const tn_ukr *u = l->p->u;
    return l->p->weight && l->p->weight->stored == TN_I8 && u->run_i8 && n_rows <= u->mr;
}

/* A panel of the weight for k-block k, as the micro-kernel wants it. */
static const char *weight_panel(const plan *l, size_t panel, size_t k, size_t n_k, bool as_stored,
                                char *buffer) {
    const tn_weight *w = l->p->weight;
    const char *stored = stored_panel(w, panel, k);
    if (!w->unpack || as_stored) return stored;
    w->unpack(buffer, stored, w->u->nr * n_k);
    return buffer;
}

/* The panels of one k-block of one block of C. */
typedef struct panels {
    const char *a, *b;     /* b: NULL with a weight */
    size_t step_a, step_b; /* bytes from one panel to the next */
    size_t n_k;            /* depth, padded */
    tn_ukr_fn *run;
    size_t b_size;      /* bytes of an element of B */
    const char *next_a; /* panels of the next k-block; NULL: this is the last */
    const char *c;      /* the block of C, a line of bytes in each row */
    size_t c_stride, c_row_bytes;
} panels;

/* What the micro-kernel should fetch during the call-th product with the nth panel of B: first the
 * next panel of B, then a part of the next panels of A, or, in the end, a column of lines of C. */
static tn_ahead what_next(const plan *l, const panels *x, const char *next_b, size_t nth,
                          size_t call, size_t n_calls) {
    size_t from = call * TN_AHEAD_LINES * 64, panel = l->p->u->nr * x->n_k * l->size;
    if (from < panel) return (tn_ahead){next_b + from, 64};
    if (x->next_a) return (tn_ahead){x->next_a + nth * TN_AHEAD_LINES * 64, 64};
    size_t first = tn_ceil_div(panel, TN_AHEAD_LINES * 64);
    size_t column = (nth * (n_calls - first) + call - first) * 64;
    if (column < x->c_row_bytes) return (tn_ahead){x->c + column, x->c_stride};
    return (tn_ahead){next_b, 0};
}

/* All panels of A times one panel of B, which stays in L1. */
static void run_panel(const plan *l, const panels *x, size_t n_rows, const char *b,
                      const char *next_b, size_t nth, float *sums, bool add) {
    const tn_ukr *u = l->p->u;
    size_t n_calls = tn_ceil_div(n_rows, u->mr);
    for (size_t call = 0; call < n_calls; call++) {
        size_t i = call * u->mr;
        x->run(min_size(u->mr, n_rows - i), x->n_k, x->a + call * x->step_a, b, sums + i * BLOCK_N,
               BLOCK_N, add, what_next(l, x, next_b, nth, call, n_calls));
    }
}

/* As run_panel, with int8 weights whose groups of 64 along k have scales of their own: the sum of
 * a group is scaled and added. */
static void run_scaled_panel(const plan *l, const panels *x, size_t n_rows, const char *b,
                             const char *next_b, size_t n_panel, size_t k, float *sums, bool add) {
    const tn_ukr *u = l->p->u;
    const tn_weight *w = l->p->weight;
    float group_sums[MR_MAX * NR_MAX];
    size_t n_groups = tn_ceil_div(w->k_padded, TN_SCALE_GROUP);
    for (size_t g = 0; g < x->n_k; g += TN_SCALE_GROUP) {
        const float *scale = w->scales + (n_panel * n_groups + (k + g) / TN_SCALE_GROUP) * u->nr;
        const char *b_group = b + g * u->nr * x->b_size;
        for (size_t i = 0; i < n_rows; i += u->mr) {
            size_t rows = min_size(u->mr, n_rows - i);
            const char *a = x->a + i / u->mr * x->step_a + g * u->mr * l->size;
            x->run(rows, min_size(TN_SCALE_GROUP, x->n_k - g), a, b_group, group_sums, u->nr, false,
                   (tn_ahead){next_b + g * u->nr, 64});
            w->set->add_scaled(sums + i * BLOCK_N, BLOCK_N, group_sums, scale, rows, u->nr,
                               add || g > 0);
        }
    }
}

static void run_block(const plan *l, size_t batch, size_t bi, size_t bj, char *memory) {
    const tn_product *p = l->p;
    const tn_ukr *u = p->u;
    float *sums = (float *)memory;
    char *own_a = memory + SUMS_BYTES, *own_b = own_a + A_BYTES, *own_panel = own_b + B_BYTES;
    size_t i0 = bi * l->block_m, n_i = min_size(l->block_m, l->n_rows - i0);
    size_t j0 = bj * l->block_n, n_j = min_size(l->block_n, l->n_cols - j0);
    size_t c_size = tn_dtype_size(p->c_type);
    char *c =
        (char *)p->c + (batch * p->stride_c + (l->row0 + i0) * p->ldc + l->col0 + j0) * c_size;
    bool as_stored = reads_i8(l, n_i);
    bool grouped = p->weight && p->weight->format == TN_WEIGHT_I8_GROUP;
    tn_lines a = lines_of(&p->a, batch, p->stride_a), b = {0};
    if (!p->weight) b = lines_of(&p->b, batch, p->stride_b);
    for (size_t k = 0; k < p->k; k += u->depth) {
        size_t n_k = min_size(u->depth, p->k - k), deep = tn_round_up(n_k, l->k_unit);
        panels x = {.a = own_a,
                    .b = own_b,
                    .n_k = deep,
                    .run = as_stored ? u->run_i8 : u->run,
                    .b_size = as_stored ? 1 : l->size};
        packer pa = packer_a(l, &a, l->shared_a ? l->k_padded : deep);
        packer pb = packer_b(l, &b, l->shared_b ? l->k_padded : deep);
        x.step_a = pa.panel_bytes, x.step_b = pb.panel_bytes;
        if (l->shared_a)
            x.a = l->shared_a + i0 / u->mr * pa.panel_bytes + k * u->mr * l->size;
        else
            pack_lines(&pa, l->row0 + i0, n_i, k, n_k, own_a);
        if (l->shared_b)
            x.b = l->shared_b + j0 / u->nr * pb.panel_bytes + k * u->nr * l->size;
        else if (!p->weight)
            pack_lines(&pb, l->col0 + j0, n_j, k, n_k, own_b);
        bool last = k + u->depth >= p->k;
        if (!last) x.next_a = l->shared_a ? x.a + u->mr * deep * l->size : x.a;
        x.c = c, x.c_stride = p->ldc * c_size, x.c_row_bytes = n_j * c_size;
        for (size_t j = 0; j < n_j; j += u->nr) {
            size_t nth = j / u->nr, n_panel = (l->col0 + j0) / u->nr + nth;
            bool wrap = j + u->nr >= n_j; /* the next panel is the first, of the next k-block */
            const char *panel, *next;
            if (p->weight) {
                panel = weight_panel(l, n_panel, k, deep, as_stored, own_panel);
                next = stored_panel(p->weight, n_panel + !wrap - wrap * nth,
                                    wrap && !last ? k + u->depth : k);
            } else {
                panel = x.b + nth * x.step_b;
                next = !wrap                  ? panel + x.step_b
                       : l->shared_b && !last ? x.b + u->nr * deep * l->size
                                              : panel;
            }
            if (grouped)
                run_scaled_panel(l, &x, n_i, panel, next, n_panel, k, sums + j, k > 0);
            else
                run_panel(l, &x, n_i, panel, next, nth, sums + j, k > 0);
        }
    }
    for (size_t i = 0; i < n_i; i++) {
        if (p->k == 0) memset(sums + i * BLOCK_N, 0, n_j * sizeof *sums);
        tn_gemm_finish_row(p, sums + i * BLOCK_N, l->row0 + i0 + i, l->col0 + j0, n_j,
                           c + i * p->ldc * c_size);
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

/* Packing ahead of the tasks, in pieces of STRIP_LINES x depth. */
typedef struct shared_job {
    packer x;
    size_t line0, n_lines, k, depth, strip; /* strip: lines of a piece, in whole panels */
    char *out;
} shared_job;

static void pack_pieces(void *arg, size_t begin, size_t end, int worker) {
    const shared_job *j = arg;
    (void)worker;
    size_t n_k_blocks = tn_ceil_div(j->k, j->depth);
    for (size_t t = begin; t < end; t++) {
        size_t line = t / n_k_blocks * j->strip, k = t % n_k_blocks * j->depth;
        pack_lines(&j->x, j->line0 + line, min_size(j->strip, j->n_lines - line), k,
                   min_size(j->depth, j->k - k),
                   j->out + line / j->x.width * j->x.panel_bytes + k * j->x.width * j->x.size);
    }
}

static void pack_shared(tn_pool *pool, packer x, size_t line0, size_t n_lines, size_t k,
                        size_t depth, char *out) {
    shared_job j = {x, line0, n_lines, k, depth, STRIP_LINES / x.width * x.width, out};
    tn_pool_for(pool, tn_ceil_div(n_lines, j.strip) * tn_ceil_div(k, depth), 1, pack_pieces, &j);
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
    l->block_n = even_block(l->n_cols, l->n_blocks_m == 1 && p->weight ? SKINNY_N : BLOCK_N, u->nr);
    l->n_blocks_n = tn_ceil_div(l->n_cols, l->block_n);

    double flops = 2.0 * (double)l->n_rows * (double)l->n_cols * (double)p->k;
    size_t panels_a = tn_ceil_div(l->n_rows, u->mr), panels_b = tn_ceil_div(l->n_cols, u->nr);
    bool share_a = p->n_batch == 1 && l->n_blocks_n > 1;
    bool share_b = p->n_batch == 1 && l->n_blocks_m > 1 && !p->weight;
    size_t bytes_a = share_a ? tn_round_up(panels_a * panel_bytes_a(l), TN_GEMM_ALIGN) : 0;
    size_t bytes_b = share_b ? panels_b * panel_bytes_b(l) : 0;
    tern_status st = reserve_shared(g, bytes_a + bytes_b, err);
    if (st != TERN_OK) return st;
    l->shared_a = share_a ? g->shared : NULL;
    l->shared_b = share_b ? g->shared + bytes_a : NULL;

    tn_pool *pool = flops * (double)p->n_batch < INLINE_FLOPS ? NULL : g->pool;
    if (share_a)
        pack_shared(pool, packer_a(l, &p->a, l->k_padded), l->row0, l->n_rows, p->k, u->depth,
                    g->shared);
    if (share_b)
        pack_shared(pool, packer_b(l, &p->b, l->k_padded), l->col0, l->n_cols, p->k, u->depth,
                    g->shared + bytes_a);
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
