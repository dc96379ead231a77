/* rows_embed.c - embeddings: gather rows, and add gradients back to them (rows.h).
 * The way back is cut by columns: each job walks all ids in order over columns of its own, so rows
 * with the same id are added in the order of the tokens and no two jobs share a number. */
#include "core/kernels/rows.h"
#include <string.h>

enum { COLUMNS = 64, ELEMENTS = 16384 };

typedef struct job {
    const tn_kernels *k;
    float *out;
    const float *dout;
    const void *table;
    tn_dtype type;
    const int32_t *ids;
    size_t n_ids, n;
} job;

static void gather(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++) {
        size_t at = (size_t)j->ids[i] * j->n;
        if (j->type == TN_BF16)
            j->k->f32_from_bf16(j->out + i * j->n, (const tn_bf16 *)j->table + at, j->n);
        else
            memcpy(j->out + i * j->n, (const float *)j->table + at, j->n * sizeof(float));
    }
}

void tn_rows_gather(tn_pool *pool, float *out, const void *table, tn_dtype type, const int32_t *ids,
                    size_t n_ids, size_t n) {
    job j = {.k = tn_kernels_get(), .out = out, .table = table, .type = type, .ids = ids, .n = n};
    tn_pool_for(pool, n_ids, n < ELEMENTS && n ? ELEMENTS / n : 1, gather, &j);
}

static void scatter(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = 0; i < j->n_ids; i++) {
        float *row = j->out + (size_t)j->ids[i] * j->n + begin;
        j->k->add(row, row, j->dout + i * j->n + begin, end - begin);
    }
}

void tn_rows_scatter_add(tn_pool *pool, float *dtable, const float *dout, const int32_t *ids,
                         size_t n_ids, size_t n) {
    job j = {
        .k = tn_kernels_get(), .out = dtable, .dout = dout, .ids = ids, .n_ids = n_ids, .n = n};
    tn_pool_for(pool, n, COLUMNS, scatter, &j);
}
