/* vectors_build.c - write a segment's vectors (vectors_priv.h), whoever makes them.
 * Rows go straight to disk as their source gives them; lists and graphs are built over the mapped
 * file. */
#include "core/kernels/blas.h"
#include "retriever/dense/rows.h"
#include "retriever/dense/vectors_priv.h"
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum {
    POINTS_PER_LIST = 39, /* what FAISS asks for at least to train one centroid */
    ASSIGN_ROWS = 4096,
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "building vectors: no memory");
}

static tern_status faiss_failed(int code, const char *why, tern_error *err) {
    return tern_fail(err, code == TN_FAISS_NOMEM ? TERN_ERR_NOMEM : TERN_ERR_UNSUPPORTED, code,
                     "building vectors: FAISS: %s", why);
}

tern_status tn_rows_progress(const tern_host *host, uint64_t done, uint64_t total,
                             tern_error *err) {
    if (!host) return TERN_OK;
    if (host->progress) {
        tern_progress p = {"embedding", "passages", done, total};
        host->progress(host->ud, &p);
    }
    if (host->cancelled && host->cancelled(host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "building vectors: cancelled");
    return TERN_OK;
}

static tn_vectors_header header_for(const tn_row_source *rows, tn_vectors_kind kind) {
    return (tn_vectors_header){.format = 1,
                               .kind = kind,
                               .n = rows->n,
                               .dim = rows->dim,
                               .epoch = rows->epoch,
                               .rows_at = sizeof(tn_vectors_header),
                               .entry = -1};
}

static tern_status build_flat(const tn_row_source *rows, const char *path, const tern_host *host,
                              tern_error *err) {
    tn_vectors_header h = header_for(rows, TN_VECTORS_FLAT);
    tn_bwriter *w;
    tern_status st = tn_bwriter_open(path, TN_KIND_VECTORS, &w, err);
    if (st != TERN_OK) return st;
    st = tn_bwriter_add(w, &h, sizeof h, err);
    if (st == TERN_OK) st = rows->write(rows, w, host, err);
    if (st == TERN_OK) return tn_bwriter_commit(w, err);
    tn_bwriter_abort(w);
    return st;
}

/* --- inverted lists --- */

typedef struct lists {
    uint32_t n;
    float *centroids; /* [n][dim] */
    idx_t *label;     /* [n_rows] list of a row */
    uint64_t *starts; /* [n + 1] */
    int64_t *ids;     /* [n_rows] */
    uint32_t *places; /* [n_rows] */
} lists;

static void lists_deinit(lists *l) {
    tn_free(l->centroids);
    tn_free(l->label);
    tn_free(l->starts);
    tn_free(l->ids);
    tn_free(l->places);
}

/* Centroids by FAISS's k-means, and the nearest one of each row. */
static int cluster(const tn_faiss_rows *rows, lists *l) {
    char what[32];
    snprintf(what, sizeof what, "IVF%u,Flat", (unsigned)l->n);
    FaissIndex *index = NULL;
    tn_faiss_use_one_thread();
    int code = faiss_index_factory(&index, (int)rows->dim, what, METRIC_INNER_PRODUCT);
    if (code != 0) return code;
    code = faiss_Index_train(index, (idx_t)rows->n, rows->data);
    FaissIndex *coarse = faiss_IndexIVF_quantizer(faiss_IndexIVF_cast(index));
    if (code == 0) code = faiss_Index_reconstruct_n(coarse, 0, (idx_t)l->n, l->centroids);
    for (size_t i = 0; code == 0 && i < rows->n; i += ASSIGN_ROWS) {
        size_t n = rows->n - i < ASSIGN_ROWS ? rows->n - i : ASSIGN_ROWS;
        code = faiss_Index_assign(coarse, (idx_t)n, rows->data + i * rows->dim, l->label + i, 1);
    }
    faiss_Index_free(index);
    return code;
}

static void sort_into_lists(const tn_faiss_rows *rows, lists *l) {
    for (size_t i = 0; i < rows->n; i++) {
        if (l->label[i] < 0) l->label[i] = 0;
        l->starts[l->label[i] + 1]++;
    }
    for (uint32_t i = 0; i < l->n; i++) l->starts[i + 1] += l->starts[i];
    for (size_t i = 0; i < rows->n; i++) {
        uint64_t at = l->starts[l->label[i]]++;
        l->ids[at] = (int64_t)i;
        l->places[i] = (uint32_t)at;
    }
    /* Each start has moved to the next one's place: move them back. */
    memmove(l->starts + 1, l->starts, l->n * sizeof *l->starts);
    l->starts[0] = 0;
}

static tern_status make_lists(const tn_faiss_rows *rows, lists *l, tern_error *err) {
    double wanted = 4 * sqrt((double)rows->n);
    size_t most = rows->n / POINTS_PER_LIST;
    l->n = wanted < (double)most ? (uint32_t)wanted : (uint32_t)most;
    if (l->n == 0) l->n = 1;
    l->centroids = tn_calloc((size_t)l->n * rows->dim, sizeof *l->centroids);
    l->label = tn_calloc(rows->n, sizeof *l->label);
    l->starts = tn_calloc((size_t)l->n + 2, sizeof *l->starts);
    l->ids = tn_calloc(rows->n, sizeof *l->ids);
    l->places = tn_calloc(rows->n, sizeof *l->places);
    if (!l->centroids || !l->label || !l->starts || !l->ids || !l->places) return no_memory(err);
    int code = cluster(rows, l);
    if (code != 0) return faiss_failed(code, faiss_get_last_error(), err);
    sort_into_lists(rows, l);
    return TERN_OK;
}

/* Where the next part will stand: the header comes first in the file and names them all. */
static uint64_t place_part(uint64_t *end, uint64_t n_bytes) {
    uint64_t at = (*end + 63) & ~UINT64_C(63);
    *end = at + n_bytes;
    return at;
}

static tern_status write_part(tn_bwriter *w, const void *data, size_t n_bytes, tern_error *err) {
    tern_status st = tn_bwriter_align(w, 64, err);
    return st == TERN_OK ? tn_bwriter_add(w, data, n_bytes, err) : st;
}

static tern_status write_ivf(tn_bwriter *w, tn_vectors_header *h, const tn_faiss_rows *rows,
                             tern_error *err) {
    lists l = {0};
    size_t row_bytes = rows->dim * sizeof(float);
    tern_status st = make_lists(rows, &l, err);
    if (st != TERN_OK) goto done;
    h->n_lists = l.n;
    uint64_t end = h->rows_at + rows->n * row_bytes;
    h->parts_at[0] = place_part(&end, l.n * row_bytes);
    h->parts_at[1] = place_part(&end, ((uint64_t)l.n + 1) * sizeof *l.starts);
    h->parts_at[2] = place_part(&end, rows->n * sizeof *l.ids);
    h->parts_at[3] = place_part(&end, rows->n * sizeof *l.places);
    st = tn_bwriter_add(w, h, sizeof *h, err);
    for (size_t i = 0; st == TERN_OK && i < rows->n; i++)
        st = tn_bwriter_add(w, rows->data + (size_t)l.ids[i] * rows->dim, row_bytes, err);
    if (st == TERN_OK) st = write_part(w, l.centroids, l.n * row_bytes, err);
    if (st == TERN_OK) st = write_part(w, l.starts, ((size_t)l.n + 1) * sizeof *l.starts, err);
    if (st == TERN_OK) st = write_part(w, l.ids, rows->n * sizeof *l.ids, err);
    if (st == TERN_OK) st = write_part(w, l.places, rows->n * sizeof *l.places, err);
done:
    lists_deinit(&l);
    return st;
}

static tern_status write_hnsw(tn_bwriter *w, tn_vectors_header *h, const tn_faiss_rows *rows,
                              tern_error *err) {
    tn_faiss_searcher *s = NULL;
    int code = tn_faiss_hnsw_build(rows, TN_HNSW_M, TN_HNSW_EF_BUILD, &s);
    if (code != 0) return faiss_failed(code, tn_faiss_last_error(), err);
    tn_faiss_graph g;
    tn_faiss_hnsw_view(s, &g);
    h->m = (uint32_t)g.m;
    h->entry = g.entry;
    h->n_links = g.n_links;
    uint64_t end = h->rows_at + rows->n * rows->dim * sizeof(float);
    h->parts_at[0] = place_part(&end, rows->n * sizeof *g.levels);
    h->parts_at[1] = place_part(&end, g.n_links * sizeof *g.links);
    tern_status st = tn_bwriter_add(w, h, sizeof *h, err);
    if (st == TERN_OK)
        st = tn_bwriter_add(w, rows->data, rows->n * rows->dim * sizeof *rows->data, err);
    if (st == TERN_OK) st = write_part(w, g.levels, rows->n * sizeof *g.levels, err);
    if (st == TERN_OK) st = write_part(w, g.links, g.n_links * sizeof *g.links, err);
    tn_faiss_searcher_free(s);
    return st;
}

/* The final file from the flat one at `flat`. */
static tern_status build_structure(tn_vectors_header *h, const char *flat, const char *path,
                                   tern_error *err) {
    tn_bfile *file = NULL;
    tn_bwriter *w = NULL;
    const void *data;
    uint64_t row_bytes = (uint64_t)h->dim * sizeof(float);
    tern_status st = tn_blas_check(err); /* k-means multiplies by BLAS */
    if (st == TERN_OK) st = tn_bfile_open(flat, TN_KIND_VECTORS, &file, err);
    if (st == TERN_OK) st = tn_bfile_view(file, h->rows_at, h->n * row_bytes, &data, err);
    if (st == TERN_OK) st = tn_bwriter_open(path, TN_KIND_VECTORS, &w, err);
    if (st == TERN_OK) {
        tn_faiss_rows rows = {data, h->n, h->dim};
        st = h->kind == TN_VECTORS_IVF ? write_ivf(w, h, &rows, err) : write_hnsw(w, h, &rows, err);
    }
    if (st == TERN_OK) {
        st = tn_bwriter_commit(w, err);
        w = NULL;
    }
    tn_bwriter_abort(w);
    tn_bfile_close(file);
    return st;
}

static bool parse_kind(const char *kind, tn_vectors_kind *out) {
    static const char *const names[] = {"flat", "ivf", "hnsw"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(kind, names[i]) != 0) continue;
        *out = (tn_vectors_kind)i;
        return true;
    }
    return false;
}

tern_status tn_vectors_write(const tn_row_source *rows, const char *kind, const char *path,
                             const tern_host *host, tern_error *err) {
    tn_vectors_kind k;
    if (!parse_kind(kind, &k))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "there is no vector index \"%s\"; choose flat, ivf or hnsw", kind);
    if (k == TN_VECTORS_FLAT || rows->n == 0) return build_flat(rows, path, host, err);
    size_t len = strlen(path);
    char *flat = tn_realloc(NULL, len + 6, 1);
    if (!flat) return no_memory(err);
    snprintf(flat, len + 6, "%s.flat", path);
    tern_status st = build_flat(rows, flat, host, err);
    tn_vectors_header h = header_for(rows, k);
    if (st == TERN_OK) st = build_structure(&h, flat, path, err);
    unlink(flat);
    tn_free(flat);
    return st;
}
