/* svd.c - randomised truncated SVD (svd.h). */
#include "retriever/dense/svd.h"
#include "core/base/rng.h"
#include "core/kernels/blas.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum {
    OVERSAMPLING = 32,
    POWER_ITERATIONS = 3,
    TILE_ROWS = 2048, /* rows a BLAS call sees; sums over tiles run in double, in tile order */
};
/* Directions whose Gram eigenvalue is below this share of the largest are single-precision noise.
 */
static const double RANK_TOLERANCE = 1e-7;

/* A tall matrix: rows x width, and the scratch that orthonormalising it needs. */
typedef struct tall {
    tn_pool *pool;
    size_t rows, width;
    size_t width_in; /* while orthonormalising: before directions dropped out */
    float *x;
    float *tiles;   /* partial Gram matrices [n_tiles][width][width], or the next x */
    double *gram;   /* [width][width], then eigenvectors, one per row */
    double *values; /* [width] */
    float *mix;     /* [width][width] */
} tall;

static void gram_tile(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const tall *t = arg;
    size_t w = t->width;
    tn_blas_gram(end - begin, w, t->x + begin * w, t->tiles + begin / TILE_ROWS * w * w);
}

/* The tile's rows of x * mix, into the array that will replace x. */
static void mix_tile(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const tall *t = arg;
    size_t w = t->width_in, n = end - begin;
    tn_blas_mul(n, t->width, w, t->x + begin * w, t->mix, t->tiles + begin * t->width);
}

/* gram = x^T x and its eigenvectors. */
static tern_status decompose(tall *t, tern_error *err) {
    size_t w = t->width, n_tiles = (t->rows + TILE_ROWS - 1) / TILE_ROWS;
    t->tiles = tn_realloc(NULL, n_tiles * w, w * sizeof *t->tiles);
    if (!t->tiles) return tern_fail(err, TERN_ERR_NOMEM, 0, "singular vectors: no memory");
    tn_pool_for(t->pool, t->rows, TILE_ROWS, gram_tile, t);
    memset(t->gram, 0, w * w * sizeof *t->gram);
    for (size_t i = 0; i < n_tiles; i++)
        for (size_t j = 0; j < w * w; j++) t->gram[j] += (double)t->tiles[i * w * w + j];
    tn_free(t->tiles);
    t->tiles = NULL;
    return tn_blas_eigen(w, t->gram, t->values, err);
}

/* x <- x U / sqrt(lambda), largest first, without the directions that are noise: orthonormal
 * columns spanning what x spans. At most n_max are kept. */
static tern_status orthonormalise(tall *t, size_t n_max, tern_error *err) {
    tern_status st = decompose(t, err);
    if (st != TERN_OK) return st;
    size_t w = t->width, n = 0;
    double floor = RANK_TOLERANCE * t->values[w - 1];
    while (n < w && n < n_max && t->values[w - 1 - n] > floor) n++;
    t->width_in = w;
    t->width = n;
    if (n == 0) return TERN_OK; /* a zero matrix: BLAS knows no empty product */
    for (size_t j = 0; j < n; j++) {
        const double *u = t->gram + (w - 1 - j) * w;
        double scale = 1 / sqrt(t->values[w - 1 - j]);
        for (size_t i = 0; i < w; i++) t->mix[i * n + j] = (float)(u[i] * scale);
    }
    t->tiles = tn_realloc(NULL, t->rows * n, sizeof *t->tiles);
    if (!t->tiles) return tern_fail(err, TERN_ERR_NOMEM, 0, "singular vectors: no memory");
    tn_pool_for(t->pool, t->rows, TILE_ROWS, mix_tile, t);
    tn_free(t->x);
    t->x = t->tiles;
    t->tiles = NULL;
    return TERN_OK;
}

typedef struct signs_job {
    float *x;
    size_t width;
    uint64_t seed;
} signs_job;

static void fill_signs(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const signs_job *job = arg;
    for (size_t i = begin; i < end; i++) {
        tn_rng rng = tn_rng_init(job->seed, i);
        uint64_t bits = 0;
        for (size_t j = 0; j < job->width; j++, bits >>= 1) {
            if (j % 64 == 0) bits = tn_rng_u64(&rng);
            job->x[i * job->width + j] = bits & 1 ? 1 : -1;
        }
    }
}

/* to.x = a from.x */
static tern_status apply(const tn_sparse *a, const tall *from, tall *to, tern_error *err) {
    tn_free(to->x);
    to->rows = a->n_rows;
    to->width = from->width;
    to->x = tn_realloc(NULL, to->rows * to->width, sizeof *to->x);
    if (!to->x) return tern_fail(err, TERN_ERR_NOMEM, 0, "singular vectors: no memory");
    tn_sparse_mul(to->pool, a, from->width, from->x, to->x);
    return TERN_OK;
}

static tern_status look_up(const tern_host *host, size_t done, tern_error *err) {
    if (!host) return TERN_OK;
    if (host->progress) {
        tern_progress p = {"fitting embedder", "passes", done, POWER_ITERATIONS + 1};
        host->progress(host->ud, &p);
    }
    if (host->cancelled && host->cancelled(host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "fitting the embedder: cancelled");
    return TERN_OK;
}

tern_status tn_svd(tn_pool *pool, const tn_sparse *a, const tn_sparse *at, size_t rank,
                   uint64_t seed, const tern_host *host, float **v, float *sigma, size_t *n_found,
                   tern_error *err) {
    *v = NULL;
    *n_found = 0;
    tern_status st = tn_blas_check(err);
    if (st != TERN_OK) return st;
    size_t width = rank + OVERSAMPLING;
    if (width > a->n_rows) width = a->n_rows;
    if (width > a->n_cols) width = a->n_cols;
    if (width == 0) return TERN_OK;
    tall terms = {.pool = pool, .rows = a->n_cols, .width = width}, docs = {.pool = pool};
    terms.x = tn_realloc(NULL, terms.rows * width, sizeof *terms.x);
    double *gram = tn_calloc(width * width, sizeof *gram),
           *values = tn_calloc(width, sizeof *values);
    float *mix = tn_calloc(width * width, sizeof *mix);
    if (!terms.x || !gram || !values || !mix) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "singular vectors: no memory");
        goto done;
    }
    terms.gram = docs.gram = gram;
    terms.values = docs.values = values;
    terms.mix = docs.mix = mix;
    signs_job job = {terms.x, width, seed};
    tn_pool_for(pool, terms.rows, TILE_ROWS, fill_signs, &job);
    for (size_t i = 0; st == TERN_OK && i <= POWER_ITERATIONS; i++) {
        bool last = i == POWER_ITERATIONS;
        st = look_up(host, i, err);
        if (st == TERN_OK) st = apply(a, &terms, &docs, err);
        if (st == TERN_OK) st = orthonormalise(&docs, docs.width, err);
        if (st == TERN_OK && docs.width == 0) terms.width = 0;
        if (terms.width == 0) break;
        if (st == TERN_OK) st = apply(at, &docs, &terms, err);
        /* The last time this is the answer: terms.x = a^T q, so its left singular vectors are the
         * right ones of q^T a, and the eigenvalues of its Gram matrix are sigma^2. */
        if (st == TERN_OK) st = orthonormalise(&terms, last ? rank : terms.width, err);
    }
    if (st != TERN_OK) goto done;
    *n_found = terms.width;
    for (size_t j = 0; sigma && j < terms.width; j++)
        sigma[j] = (float)sqrt(values[docs.width - 1 - j]);
    *v = terms.x;
    terms.x = NULL;
done:
    tn_free(terms.x);
    tn_free(terms.tiles);
    tn_free(docs.x);
    tn_free(docs.tiles);
    tn_free(gram);
    tn_free(values);
    tn_free(mix);
    return st;
}
