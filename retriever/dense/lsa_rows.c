/* lsa_rows.c - the vectors of a segment's passages, folded in from its postings.
 * Postings lie term by term and vectors are wanted passage by passage: the segment is turned around
 * in ranges of passages that fit the memory bound, one walk over the postings per range. */
#include "core/base/pool.h"
#include "retriever/dense/lsa_priv.h"
#include "retriever/dense/rows.h"
#include <string.h>

#include "core/base/mem.h"

enum {
    RANGE_ENTRIES = 8 << 20, /* postings turned around at a time: 64 MiB */
    RANGE_DOCS = 1 << 15,    /* passages folded at a time: 32 MiB at 256 dimensions */
    DOCS_PER_CHUNK = 64,
};

typedef struct lsa_rows {
    tn_row_source base;
    const tn_lsa *model;
    const tn_inv *inv;
} lsa_rows;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "building vectors: no memory");
}

typedef struct fold {
    const tn_lsa *m;
    const tn_inv *inv;
    uint32_t n_docs;
    uint32_t *model_term; /* [n_terms] of a term of the segment, or TN_LSA_NO_TERM */
    uint32_t *n_known;    /* [n_docs] distinct known terms */
    uint32_t begin, end;  /* the range of passages at hand */
    uint64_t *starts;     /* [RANGE_DOCS + 1] where a passage's entries begin */
    uint64_t *fill;       /* [RANGE_DOCS] where its next entry goes */
    uint32_t *terms, *tfs;
    size_t terms_cap, tfs_cap;
    float *out; /* [RANGE_DOCS][dim] */
} fold;

static void fold_deinit(fold *f) {
    tn_free(f->model_term);
    tn_free(f->n_known);
    tn_free(f->starts);
    tn_free(f->fill);
    tn_free(f->terms);
    tn_free(f->tfs);
    tn_free(f->out);
}

static tern_status count_known(void *ud, uint32_t term_no, const char *term, size_t len,
                               const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                               tern_error *err) {
    (void)tfs;
    (void)err;
    fold *f = ud;
    uint32_t t = tn_lsa_find(f->m, term, len);
    f->model_term[term_no] = t;
    for (uint32_t i = 0; t != TN_LSA_NO_TERM && i < df; i++) f->n_known[docs[i]]++;
    return TERN_OK;
}

/* Terms of the segment and of the model are both numbered in byte order, so each passage's list
 * comes out ascending. */
static tern_status fill_known(void *ud, uint32_t term_no, const char *term, size_t len,
                              const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                              tern_error *err) {
    (void)term;
    (void)len;
    (void)err;
    fold *f = ud;
    uint32_t t = f->model_term[term_no];
    if (t == TN_LSA_NO_TERM) return TERN_OK;
    for (uint32_t i = 0; i < df; i++) {
        if (docs[i] < f->begin || docs[i] >= f->end) continue;
        uint64_t to = f->fill[docs[i] - f->begin]++;
        f->terms[to] = t;
        f->tfs[to] = tfs[i];
    }
    return TERN_OK;
}

static void fold_chunk(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const fold *f = arg;
    for (size_t i = begin; i < end; i++) {
        uint64_t at = f->starts[i];
        tern_status st =
            tn_lsa_fold(f->m, f->terms + at, f->tfs + at, (size_t)(f->starts[i + 1] - at),
                        f->out + i * f->m->head.dim, NULL);
        (void)st; /* cannot fail: the whole projection was verified by fold_init */
    }
}

static tern_status fold_init(fold *f, const tn_lsa *m, const tn_inv *inv, tern_error *err) {
    *f = (fold){.m = m, .inv = inv, .n_docs = tn_inv_n_docs(inv)};
    const void *projection;
    tern_status st =
        tn_bfile_view(m->file, m->head.projection_at,
                      (uint64_t)m->head.n_terms * m->head.dim * sizeof(float), &projection, err);
    if (st != TERN_OK) return st;
    f->model_term = tn_calloc((size_t)tn_inv_n_terms(inv) + 1, sizeof *f->model_term);
    f->n_known = tn_calloc((size_t)f->n_docs + 1, sizeof *f->n_known);
    f->starts = tn_calloc(RANGE_DOCS + 1, sizeof *f->starts);
    f->fill = tn_calloc(RANGE_DOCS, sizeof *f->fill);
    f->out = tn_realloc(NULL, (size_t)RANGE_DOCS * m->head.dim, sizeof *f->out);
    if (!f->model_term || !f->n_known || !f->starts || !f->fill || !f->out) return no_memory(err);
    return tn_inv_walk(inv, count_known, f, err);
}

/* The next range after f->end: as many passages as the bounds allow, one at least. */
static tern_status next_range(fold *f, tern_error *err) {
    f->begin = f->end;
    uint64_t n = 0;
    while (f->end < f->n_docs && f->end - f->begin < RANGE_DOCS &&
           (f->end == f->begin || n + f->n_known[f->end] <= RANGE_ENTRIES)) {
        size_t i = f->end - f->begin;
        f->starts[i] = f->fill[i] = n;
        n += f->n_known[f->end++];
        f->starts[i + 1] = n;
    }
    if (TN_GROW(f->terms, f->terms_cap, (size_t)n) != 0 ||
        TN_GROW(f->tfs, f->tfs_cap, (size_t)n) != 0)
        return no_memory(err);
    return tn_inv_walk(f->inv, fill_known, f, err);
}

static tern_status write_rows(const tn_row_source *rows, tn_bwriter *w, const tern_host *host,
                              tern_error *err) {
    const lsa_rows *r = (const lsa_rows *)rows;
    const tn_lsa *m = r->model;
    fold f;
    tn_pool *pool = NULL;
    tern_status st = fold_init(&f, m, r->inv, err);
    if (st == TERN_OK) st = tn_pool_new(host ? host->n_threads : 1, &pool, err);
    while (st == TERN_OK && f.end < f.n_docs) {
        st = tn_rows_progress(host, f.end, f.n_docs, err);
        if (st == TERN_OK) st = next_range(&f, err);
        if (st != TERN_OK) break;
        size_t n = f.end - f.begin;
        tn_pool_for(pool, n, DOCS_PER_CHUNK, fold_chunk, &f);
        st = tn_bwriter_add(w, f.out, n * m->head.dim * sizeof *f.out, err);
    }
    tn_pool_free(pool);
    fold_deinit(&f);
    return st;
}

tern_status tn_vectors_build(const tern_embedder *e, const tn_inv *inv, const char *kind,
                             const char *path, const tern_host *host, tern_error *err) {
    if (strcmp(e->name, "lsa") != 0)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "embedder \"%s\" cannot fold passages in from their terms", e->name);
    const tn_lsa *m = (const tn_lsa *)e;
    lsa_rows rows = {
        {tn_inv_n_docs(inv), m->head.dim, m->head.epoch, write_rows}, .model = m, .inv = inv};
    return tn_vectors_write(&rows.base, kind, path, host, err);
}
