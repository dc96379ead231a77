/* vectors.c - a segment's vectors: opened in place, searched under a bitmap (vectors_priv.h).
 * One query at a time is asked of FAISS, so a query scores the same alone and in a batch. Exact
 * search keeps its own heap: ties are broken by passage number, which FAISS's heaps do not
 * promise. */
#include "core/kernels/dot.h"
#include "retriever/dense/vectors_priv.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { TILE_BYTES = 64 << 10 }; /* of rows, scanned while they are in the cache */

tern_status tn_vectors_rows(const tn_vectors *v, size_t begin, size_t n, const float **rows,
                            tern_error *err) {
    uint64_t row_bytes = (uint64_t)v->head.dim * sizeof(float);
    const void *view;
    tern_status st =
        tn_bfile_view(v->file, v->head.rows_at + begin * row_bytes, n * row_bytes, &view, err);
    *rows = view;
    return st;
}

/* --- opening --- */

static tern_status damaged(const tn_vectors *v, const char *what, tern_error *err) {
    return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: vectors: %s; rebuild them with tern compact",
                     tn_bfile_path(v->file), what);
}

static tern_status faiss_failed(const tn_vectors *v, int code, tern_error *err) {
    return tern_fail(err, code == TN_FAISS_NOMEM ? TERN_ERR_NOMEM : TERN_ERR_CORRUPT, code,
                     "%s: FAISS: %s", tn_bfile_path(v->file), tn_faiss_last_error());
}

static tern_status check_header(const tn_vectors *v, const tern_embedder *e, uint32_t n_docs,
                                tern_error *err) {
    const tn_vectors_header *h = &v->head;
    if (h->format != 1)
        return tern_fail(err, TERN_ERR_VERSION, 0,
                         "%s: vectors of format %" PRIu32 ", this program reads 1; rebuild the "
                         "index",
                         tn_bfile_path(v->file), h->format);
    if (h->epoch != e->epoch)
        return damaged(v, "they are of another fit of the embedder than the index's", err);
    if (h->dim != e->dim || h->dim == 0)
        return damaged(v, "their dimension is not the embedder's", err);
    if (h->n != n_docs) return damaged(v, "their number is not the segment's", err);
    if (h->kind > TN_VECTORS_HNSW) return damaged(v, "unknown kind", err);
    uint64_t size = tn_bfile_size(v->file);
    if (h->rows_at % 64 || h->rows_at > size ||
        (size - h->rows_at) / ((uint64_t)h->dim * sizeof(float)) < h->n)
        return damaged(v, "the rows are cut short", err);
    return TERN_OK;
}

/* Part number i of the file: n elements of `size` bytes. */
static tern_status view_part(const tn_vectors *v, int i, uint64_t n, size_t size, const void **out,
                             tern_error *err) {
    if (v->head.parts_at[i] % 64 || n > tn_bfile_size(v->file) / size)
        return damaged(v, "a part is out of place", err);
    return tn_bfile_view(v->file, v->head.parts_at[i], n * size, out, err);
}

static tern_status check_lists(const tn_vectors *v, tern_error *err) {
    const tn_vectors_header *h = &v->head;
    if (v->starts[0] != 0 || v->starts[h->n_lists] != h->n)
        return damaged(v, "the lists do not cover the rows", err);
    for (uint32_t l = 0; l < h->n_lists; l++)
        if (v->starts[l] > v->starts[l + 1]) return damaged(v, "the lists are out of order", err);
    for (uint32_t i = 0; i < h->n; i++)
        if (v->ids[i] < 0 || v->ids[i] >= h->n || v->places[v->ids[i]] != i)
            return damaged(v, "rows and passages do not match", err);
    return TERN_OK;
}

static tern_status open_ivf(tn_vectors *v, tern_error *err) {
    const tn_vectors_header *h = &v->head;
    const void *centroids, *starts, *ids, *places;
    if (h->n_lists == 0 || h->n_lists > h->n) return damaged(v, "wrong number of lists", err);
    tern_status st = view_part(v, 0, (uint64_t)h->n_lists * h->dim, 4, &centroids, err);
    if (st == TERN_OK) st = view_part(v, 1, (uint64_t)h->n_lists + 1, 8, &starts, err);
    if (st == TERN_OK) st = view_part(v, 2, h->n, 8, &ids, err);
    if (st == TERN_OK) st = view_part(v, 3, h->n, 4, &places, err);
    if (st != TERN_OK) return st;
    v->starts = starts;
    v->ids = ids;
    v->places = places;
    st = check_lists(v, err);
    if (st != TERN_OK) return st;
    tn_faiss_rows rows = {v->rows, h->n, h->dim};
    tn_faiss_lists lists = {h->n_lists, centroids, v->starts, v->ids};
    int code = tn_faiss_ivf_open(&rows, &lists, &v->searcher);
    return code == 0 ? TERN_OK : faiss_failed(v, code, err);
}

/* Links must stay inside the graph and, above the ground level, on nodes that reach that high:
 * FAISS follows them without looking. */
static tern_status check_graph(const tn_vectors *v, const int32_t *levels, const int32_t *links,
                               tern_error *err) {
    const tn_vectors_header *h = &v->head;
    uint64_t at = 0;
    for (uint32_t i = 0; i < h->n; i++) {
        if (levels[i] < 1 || levels[i] > 32) return damaged(v, "a node has no level", err);
        for (int32_t level = 0; level < levels[i]; level++) {
            uint64_t n = level == 0 ? 2 * (uint64_t)h->m : h->m;
            if (n > h->n_links - at) return damaged(v, "links are cut short", err);
            for (uint64_t end = at + n; at < end; at++) {
                int32_t to = links[at];
                if (to < -1 || to >= (int64_t)h->n || (to >= 0 && levels[to] <= level))
                    return damaged(v, "a link leads nowhere", err);
            }
        }
        if (h->entry >= 0 && h->entry < h->n && levels[i] > levels[h->entry])
            return damaged(v, "a node stands above the entry", err);
    }
    if (at != h->n_links) return damaged(v, "there are more links than nodes", err);
    return TERN_OK;
}

static tern_status open_hnsw(tn_vectors *v, tern_error *err) {
    const tn_vectors_header *h = &v->head;
    const void *levels, *links;
    if (h->m < 2 || h->m > 256 || h->entry < 0 || h->entry >= h->n)
        return damaged(v, "the graph has no entry", err);
    tern_status st = view_part(v, 0, h->n, 4, &levels, err);
    if (st == TERN_OK) st = view_part(v, 1, h->n_links, 4, &links, err);
    if (st == TERN_OK) st = check_graph(v, levels, links, err);
    if (st != TERN_OK) return st;
    tn_faiss_rows rows = {v->rows, h->n, h->dim};
    tn_faiss_graph graph = {.m = (int)h->m,
                            .entry = (int)h->entry,
                            .n_links = h->n_links,
                            .levels = levels,
                            .links = links};
    int code = tn_faiss_hnsw_open(&rows, &graph, &v->searcher);
    return code == 0 ? TERN_OK : faiss_failed(v, code, err);
}

tern_status tn_vectors_open(const char *path, const tern_embedder *e, uint32_t n_docs,
                            tn_vectors **out, tern_error *err) {
    *out = NULL;
    tn_vectors *v = tn_calloc(1, sizeof *v);
    if (!v) return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: no memory", path);
    const void *head;
    tern_status st = tn_bfile_open(path, TN_KIND_VECTORS, &v->file, err);
    if (st == TERN_OK) st = tn_bfile_view(v->file, 0, sizeof v->head, &head, err);
    if (st == TERN_OK) {
        memcpy(&v->head, head, sizeof v->head);
        st = check_header(v, e, n_docs, err);
    }
    if (st == TERN_OK) v->rows = (const float *)((const char *)head + v->head.rows_at);
    if (st == TERN_OK && v->head.n > 0 && v->head.kind == TN_VECTORS_IVF) st = open_ivf(v, err);
    if (st == TERN_OK && v->head.n > 0 && v->head.kind == TN_VECTORS_HNSW) st = open_hnsw(v, err);
    if (st != TERN_OK) {
        tn_vectors_close(v);
        return st;
    }
    *out = v;
    return TERN_OK;
}

void tn_vectors_close(tn_vectors *v) {
    if (!v) return;
    tn_faiss_searcher_free(v->searcher);
    tn_bfile_close(v->file);
    tn_free(v);
}

tern_status tn_vectors_check(const tn_vectors *v, void (*bad)(void *ud, const char *text), void *ud,
                             tern_error *err) {
    return tn_bfile_check(v->file, bad, ud, err);
}

/* --- exact search --- */

/* The k best so far, worst on top. NaN, which only a forged file holds, counts as the worst. */
typedef struct best {
    uint32_t *docs;
    float *sims;
    size_t n, k;
} best;

static bool is_worse(float sim_a, uint32_t doc_a, float sim_b, uint32_t doc_b) {
    return sim_a < sim_b || (sim_a == sim_b && doc_a > doc_b);
}

static void sift_down(best *b, size_t i, uint32_t doc, float sim) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= b->n) break;
        if (child + 1 < b->n &&
            is_worse(b->sims[child + 1], b->docs[child + 1], b->sims[child], b->docs[child]))
            child++;
        if (!is_worse(b->sims[child], b->docs[child], sim, doc)) break;
        b->sims[i] = b->sims[child];
        b->docs[i] = b->docs[child];
        i = child;
    }
    b->sims[i] = sim;
    b->docs[i] = doc;
}

static void offer(best *b, uint32_t doc, float sim) {
    if (isnan(sim)) sim = -INFINITY;
    if (b->n == b->k) {
        if (is_worse(b->sims[0], b->docs[0], sim, doc)) sift_down(b, 0, doc, sim);
        return;
    }
    size_t i = b->n++;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!is_worse(sim, doc, b->sims[parent], b->docs[parent])) break;
        b->sims[i] = b->sims[parent];
        b->docs[i] = b->docs[parent];
        i = parent;
    }
    b->sims[i] = sim;
    b->docs[i] = doc;
}

static void sort_best(best *b) {
    size_t n = b->n;
    while (b->n > 1) {
        size_t last = --b->n;
        uint32_t doc = b->docs[last];
        float sim = b->sims[last];
        b->docs[last] = b->docs[0];
        b->sims[last] = b->sims[0];
        sift_down(b, 0, doc, sim);
    }
    b->n = n;
}

static uint32_t doc_of(const tn_vectors *v, size_t row) {
    return v->ids ? (uint32_t)v->ids[row] : (uint32_t)row;
}

static bool is_allowed(const uint64_t *allow, uint32_t doc) {
    return !allow || (allow[doc / 64] >> doc % 64 & 1);
}

/* Offer the allowed rows of [begin, end). */
static tern_status scan_tile(const tn_vectors *v, const float *query, const uint64_t *allow,
                             size_t begin, size_t end, float *sims, best *b, tern_error *err) {
    for (size_t i = begin; i < end;) {
        if (!is_allowed(allow, doc_of(v, i))) {
            i++;
            continue;
        }
        size_t stop = i + 1;
        while (stop < end && is_allowed(allow, doc_of(v, stop))) stop++;
        const float *rows;
        tern_status st = tn_vectors_rows(v, i, stop - i, &rows, err);
        if (st != TERN_OK) return st;
        tn_dot_rows(query, rows, v->head.dim, stop - i, sims);
        for (size_t j = i; j < stop; j++) offer(b, doc_of(v, j), sims[j - i]);
        i = stop;
    }
    return TERN_OK;
}

static tern_status search_flat(const tn_vectors *v, const float *query, const uint64_t *allow,
                               best *b, tern_error *err) {
    size_t tile = TILE_BYTES / (v->head.dim * sizeof(float)) + 1;
    float *sims = tn_realloc(NULL, tile, sizeof *sims);
    if (!sims) return tern_fail(err, TERN_ERR_NOMEM, 0, "vector search: no memory");
    tern_status st = TERN_OK;
    for (size_t i = 0; st == TERN_OK && i < v->head.n; i += tile) {
        size_t end = i + tile < v->head.n ? i + tile : v->head.n;
        st = scan_tile(v, query, allow, i, end, sims, b, err);
    }
    tn_free(sims);
    return st;
}

/* --- search through a structure --- */

typedef struct touch_call {
    const tn_vectors *v;
    tern_status status;
    tern_error err;
} touch_call;

static bool touch_rows(void *ud, size_t begin, size_t end) {
    touch_call *call = ud;
    const float *rows;
    uint64_t bytes = (uint64_t)call->v->head.dim * sizeof *rows;
    if (tn_bfile_is_verified(call->v->file, call->v->head.rows_at + begin * bytes,
                             (end - begin) * bytes))
        return true;
    tern_error err;
    tern_status st = tn_vectors_rows(call->v, begin, end - begin, &rows, &err);
    if (st == TERN_OK) return true;
    call->status = st;
    call->err = err;
    return false;
}

/* One try; b->n says how many came. */
static tern_status try_structure(const tn_vectors *v, const float *query, const uint64_t *allow,
                                 size_t effort, int64_t *ids, float *sims, best *b,
                                 tern_error *err) {
    touch_call call = {.v = v, .status = TERN_OK};
    tn_faiss_guard guard = {touch_rows, &call};
    size_t allow_bytes = allow ? ((size_t)v->head.n + 7) / 8 : 0;
    int code = tn_faiss_search(v->searcher, query, b->k, effort, (const uint8_t *)allow,
                               allow_bytes, &guard, sims, ids);
    if (call.status != TERN_OK) {
        if (err) *err = call.err;
        return call.status;
    }
    if (code != 0) return faiss_failed(v, code, err);
    /* FAISS scans lists with an inner product of its own; ours makes all kinds agree. */
    tern_status st = TERN_OK;
    b->n = 0;
    for (size_t i = 0; st == TERN_OK && i < b->k; i++) {
        if (ids[i] < 0 || ids[i] >= v->head.n) continue;
        st = tn_vectors_sim(v, query, (uint32_t)ids[i], &sims[i], err);
        if (st == TERN_OK) offer(b, (uint32_t)ids[i], sims[i]);
    }
    return st;
}

static size_t count_allowed(const tn_vectors *v, const uint64_t *allow) {
    if (!allow) return v->head.n;
    size_t n = 0;
    for (size_t i = 0; i < ((size_t)v->head.n + 63) / 64; i++)
        n += (size_t)__builtin_popcountll(allow[i]);
    return n;
}

/* A selector hides nodes but not the work of walking past them, and a graph search gives up among
 * hidden ones: widen the search fourfold until k hits are found, then look at every allowed row.
 * Under a small selection that is cheaper from the start. */
static tern_status search_structure(const tn_vectors *v, const float *query, const uint64_t *allow,
                                    best *b, tern_error *err) {
    size_t n_allowed = count_allowed(v, allow);
    if (n_allowed <= 16 * b->k || n_allowed < v->head.n / 50)
        return search_flat(v, query, allow, b, err);
    int64_t *ids = tn_realloc(NULL, b->k, sizeof *ids);
    float *sims = tn_realloc(NULL, b->k, sizeof *sims);
    bool ivf = v->head.kind == TN_VECTORS_IVF;
    size_t effort = ivf ? v->head.n_lists / 16 + 1 : 4 * b->k + 256;
    size_t effort_max = ivf ? v->head.n_lists : v->head.n / 4;
    tern_status st =
        ids && sims ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "vector search: no memory");
    while (st == TERN_OK && b->n < b->k && effort <= effort_max) {
        st = try_structure(v, query, allow, effort, ids, sims, b, err);
        effort *= 4;
    }
    tn_free(ids);
    tn_free(sims);
    if (st != TERN_OK || b->n == b->k) return st;
    b->n = 0;
    return search_flat(v, query, allow, b, err);
}

tern_status tn_vectors_search(const tn_vectors *v, const float *query, const uint64_t *allow,
                              size_t k, uint32_t *docs, float *sims, size_t *n, tern_error *err) {
    *n = 0;
    best b = {docs, sims, 0, k < v->head.n ? k : v->head.n};
    if (b.k == 0) return TERN_OK;
    tern_status st = v->searcher ? search_structure(v, query, allow, &b, err)
                                 : search_flat(v, query, allow, &b, err);
    if (st != TERN_OK) return st;
    sort_best(&b);
    *n = b.n;
    return TERN_OK;
}

tern_status tn_vectors_sim(const tn_vectors *v, const float *query, uint32_t doc, float *sim,
                           tern_error *err) {
    if (doc >= v->head.n)
        return tern_fail(err, TERN_ERR_ARG, 0, "there is no vector %" PRIu32, doc);
    const float *row;
    tern_status st = tn_vectors_rows(v, v->places ? v->places[doc] : doc, 1, &row, err);
    if (st != TERN_OK) return st;
    tn_dot_rows(query, row, v->head.dim, 1, sim);
    if (isnan(*sim)) *sim = -INFINITY;
    return TERN_OK;
}
