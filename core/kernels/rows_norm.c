/* rows_norm.c - norms over whole tensors, and column sums (rows.h).
 * Gradients of weights add up over rows: each chunk of rows keeps sums of its own, which are then
 * added in chunk order. There are at most N_PARTS chunks, so the sums stay small beside x. */
#include "core/kernels/rows.h"

#include "core/base/mem.h"

enum { N_PARTS = 64, ROWS_MIN = 16, COLUMNS = 512, ELEMENTS = 16384 };

typedef struct job {
    const tn_kernels *k;
    float *y, *mean, *rstd;
    const float *dy, *x, *weight, *bias, *mean_in, *rstd_in;
    float offset, eps;
    size_t n, grain;
    float *parts, *sums, *sums2; /* parts [n_parts, 2, n]: of dweight, of dbias */
    size_t n_parts;
} job;

static size_t rows_per_chunk(size_t n) {
    return n < ELEMENTS && n > 0 ? ELEMENTS / n : 1;
}

static void rms_norm(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++) {
        float rstd =
            j->k->rms_norm(j->y + i * j->n, j->x + i * j->n, j->weight, j->offset, j->eps, j->n);
        if (j->rstd) j->rstd[i] = rstd;
    }
}

void tn_rows_rms_norm(tn_pool *pool, float *y, float *rstd, const float *x, const float *weight,
                      float offset, float eps, size_t n_rows, size_t n) {
    job j = {.k = tn_kernels_get(),
             .y = y,
             .rstd = rstd,
             .x = x,
             .weight = weight,
             .offset = offset,
             .eps = eps,
             .n = n};
    tn_pool_for(pool, n_rows, rows_per_chunk(n), rms_norm, &j);
}

static void layer_norm(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++) {
        float mean, rstd;
        j->k->layer_norm(j->y + i * j->n, j->x + i * j->n, j->weight, j->bias, j->eps, j->n, &mean,
                         &rstd);
        if (j->mean) j->mean[i] = mean;
        if (j->rstd) j->rstd[i] = rstd;
    }
}

void tn_rows_layer_norm(tn_pool *pool, float *y, float *mean, float *rstd, const float *x,
                        const float *weight, const float *bias, float eps, size_t n_rows,
                        size_t n) {
    job j = {.k = tn_kernels_get(),
             .y = y,
             .mean = mean,
             .rstd = rstd,
             .x = x,
             .weight = weight,
             .bias = bias,
             .eps = eps,
             .n = n};
    tn_pool_for(pool, n_rows, rows_per_chunk(n), layer_norm, &j);
}

static float *part_of(const job *j, size_t begin) {
    return j->parts + begin / j->grain * 2 * j->n;
}

static void rms_norm_backward(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++)
        j->k->rms_norm_backward(j->y + i * j->n, part_of(j, begin), j->dy + i * j->n,
                                j->x + i * j->n, j->weight, j->offset, j->rstd_in[i], j->n);
}

static void layer_norm_backward(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++)
        j->k->layer_norm_backward(j->y + i * j->n, part_of(j, begin),
                                  j->sums2 ? part_of(j, begin) + j->n : NULL, j->dy + i * j->n,
                                  j->x + i * j->n, j->weight, j->mean_in[i], j->rstd_in[i], j->n);
}

static void add_rows(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    float *part = part_of(j, begin);
    for (size_t i = begin; i < end; i++) j->k->add(part, part, j->x + i * j->n, j->n);
}

static void add_parts(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t p = 0; p < j->n_parts; p++) {
        const float *part = j->parts + p * 2 * j->n + begin;
        j->k->add(j->sums + begin, j->sums + begin, part, end - begin);
        if (j->sums2) j->k->add(j->sums2 + begin, j->sums2 + begin, part + j->n, end - begin);
    }
}

static tern_status reduce(tn_pool *pool, job *j, size_t n_rows, tn_pool_fn *fn, tern_error *err) {
    j->k = tn_kernels_get();
    j->grain = (n_rows + N_PARTS - 1) / N_PARTS;
    if (j->grain < ROWS_MIN) j->grain = ROWS_MIN;
    j->n_parts = (n_rows + j->grain - 1) / j->grain;
    j->parts = tn_calloc(j->n_parts * 2 * j->n, sizeof *j->parts);
    if (!j->parts)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "no memory for %zu x %zu partial sums", j->n_parts,
                         j->n);
    tn_pool_for(pool, n_rows, j->grain, fn, j);
    tn_pool_for(pool, j->n, COLUMNS, add_parts, j);
    tn_free(j->parts);
    return TERN_OK;
}

tern_status tn_rows_rms_norm_backward(tn_pool *pool, float *dx, float *dweight, const float *dy,
                                      const float *x, const float *weight, float offset,
                                      const float *rstd, size_t n_rows, size_t n, tern_error *err) {
    job j = {.y = dx,
             .sums = dweight,
             .dy = dy,
             .x = x,
             .weight = weight,
             .offset = offset,
             .rstd_in = rstd,
             .n = n};
    return reduce(pool, &j, n_rows, rms_norm_backward, err);
}

tern_status tn_rows_layer_norm_backward(tn_pool *pool, float *dx, float *dweight, float *dbias,
                                        const float *dy, const float *x, const float *weight,
                                        const float *mean, const float *rstd, size_t n_rows,
                                        size_t n, tern_error *err) {
    job j = {.y = dx,
             .sums = dweight,
             .sums2 = dbias,
             .dy = dy,
             .x = x,
             .weight = weight,
             .mean_in = mean,
             .rstd_in = rstd,
             .n = n};
    return reduce(pool, &j, n_rows, layer_norm_backward, err);
}

tern_status tn_rows_column_sums(tn_pool *pool, float *sums, const float *x, size_t n_rows, size_t n,
                                tern_error *err) {
    job j = {.sums = sums, .x = x, .n = n};
    return reduce(pool, &j, n_rows, add_rows, err);
}
