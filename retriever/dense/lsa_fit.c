/* lsa_fit.c - fit LSA on the terms of an index and write the model (lsa_priv.h).
 * Memory is bounded by docs_max and terms_max, not by the corpus: a larger one is sampled evenly
 * (passage g of N is taken when g * docs_max / N steps), the rest is folded in later. The model
 * depends on the kept passages and their order alone: not on threads, nor on how segments cut them,
 * because terms are numbered in byte order.
 *
 * The matrix that is decomposed weighs terms by idf^2, folding by idf: directions are spent on rare
 * words, which tell questions apart. Measured on train questions, Recall@5 of dense search alone
 * and of hybrid at weight 0.1, HotpotQA / MuSiQue / every fifth of NQ (BM25: 76.8 / 49.6 / 87.9):
 *   idf,   64 dimensions    25.8 / 19.0 / 21.2    76.9 / 49.8 / 88.1
 *   idf^2, 64               33.8 / 29.8 / 31.1    76.7 / 49.3 / 88.1
 *   idf,  128               35.7 / 23.7 / 30.4    76.7 / 50.2 / 88.1
 *   idf^2, 128 (chosen)     43.7 / 33.0 / 45.0    76.8 / 49.7 / 88.2
 *   idf^2, 256              52.2 / 37.8 / 57.1    76.5 / 49.7 / 88.4
 * Dividing by the singular values, or leaving out the first direction, changed hybrid by less than
 * 0.3 and dense by less than 2. */
#include "core/base/pool.h"
#include "core/base/strmap.h"
#include "retriever/dense/lsa_priv.h"
#include "retriever/dense/svd.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

static const uint64_t SEED = 20090115; /* of the random directions; any will do */
enum { NOT_SAMPLED = UINT32_MAX };

tn_lsa_params tn_lsa_defaults(void) {
    return (tn_lsa_params){.dim = 128, .docs_max = 100000, .terms_max = 1 << 17};
}

typedef struct fit {
    const tn_inv *const *invs;
    const uint64_t *const *keep;
    size_t n_invs, seg; /* seg: the one being walked */
    uint32_t n_docs;    /* kept */
    uint32_t n_rows;    /* sampled */
    uint32_t **row_of;  /* [n_invs][n_docs of it] row of a passage, or NOT_SAMPLED */
    tn_strmap terms;    /* every term met in a kept passage */
    uint32_t *dfs;      /* [terms.n] in kept passages */
    uint32_t *row_dfs;  /* [terms.n] in sampled ones */
    size_t dfs_cap, row_dfs_cap;
    uint32_t *col_of;  /* [terms.n] column of a modelled term, or NOT_SAMPLED */
    uint32_t *term_of; /* [n_cols] */
    uint32_t n_cols;
    uint64_t *fill;    /* [n_cols] where the next entry of a column goes */
    tn_sparse by_term; /* [n_cols, n_rows] */
} fit;

static void fit_deinit(fit *f) {
    for (size_t s = 0; f->row_of && s < f->n_invs; s++) tn_free(f->row_of[s]);
    tn_free(f->row_of);
    tn_strmap_deinit(&f->terms);
    tn_free(f->dfs);
    tn_free(f->row_dfs);
    tn_free(f->col_of);
    tn_free(f->term_of);
    tn_free(f->fill);
    tn_sparse_deinit(&f->by_term);
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "fitting the embedder: no memory");
}

static bool is_kept(const fit *f, size_t seg, uint32_t doc) {
    const uint64_t *keep = f->keep ? f->keep[seg] : NULL;
    return !keep || (keep[doc / 64] >> doc % 64 & 1);
}

static tern_status sample_docs(fit *f, uint32_t docs_max, tern_error *err) {
    f->row_of = tn_calloc(f->n_invs + 1, sizeof *f->row_of);
    if (!f->row_of) return no_memory(err);
    uint64_t n = 0, g = 0;
    for (size_t s = 0; s < f->n_invs; s++)
        for (uint32_t d = 0; d < tn_inv_n_docs(f->invs[s]); d++) n += is_kept(f, s, d);
    f->n_docs = (uint32_t)n;
    f->n_rows = n < docs_max ? (uint32_t)n : docs_max;
    for (size_t s = 0; s < f->n_invs; s++) {
        uint32_t n_docs = tn_inv_n_docs(f->invs[s]);
        f->row_of[s] = tn_realloc(NULL, n_docs, sizeof **f->row_of);
        if (!f->row_of[s]) return no_memory(err);
        for (uint32_t d = 0; d < n_docs; d++) {
            f->row_of[s][d] = NOT_SAMPLED;
            if (!is_kept(f, s, d)) continue;
            uint64_t row = g * f->n_rows / n, next = (g + 1) * f->n_rows / n;
            if (row != next) f->row_of[s][d] = (uint32_t)row;
            g++;
        }
    }
    return TERN_OK;
}

static tern_status count_term(void *ud, uint32_t term_no, const char *term, size_t len,
                              const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                              tern_error *err) {
    (void)term_no;
    (void)tfs;
    fit *f = ud;
    uint32_t n_kept = 0, n_sampled = 0;
    for (uint32_t i = 0; i < df; i++) {
        n_kept += is_kept(f, f->seg, docs[i]);
        n_sampled += f->row_of[f->seg][docs[i]] != NOT_SAMPLED;
    }
    if (n_kept == 0) return TERN_OK;
    uint32_t n = f->terms.n, t = tn_strmap_add(&f->terms, term, len);
    if (t == TN_STRMAP_NONE || TN_GROW(f->dfs, f->dfs_cap, (size_t)t + 1) != 0 ||
        TN_GROW(f->row_dfs, f->row_dfs_cap, (size_t)t + 1) != 0)
        return no_memory(err);
    if (t == n) f->dfs[t] = f->row_dfs[t] = 0;
    f->dfs[t] += n_kept;
    f->row_dfs[t] += n_sampled;
    return TERN_OK;
}

static tern_status walk_all(fit *f, tn_inv_visit *visit, tern_error *err) {
    tern_status st = TERN_OK;
    for (f->seg = 0; st == TERN_OK && f->seg < f->n_invs; f->seg++)
        st = tn_inv_walk(f->invs[f->seg], visit, f, err);
    return st;
}

typedef struct candidate {
    const char *s;
    uint32_t len, term, df;
} candidate;

static int by_bytes(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    int c = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static int by_df(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->df != y->df) return x->df < y->df ? 1 : -1;
    return by_bytes(a, b);
}

/* A term of one sampled passage relates it to nothing: columns are terms of two or more. */
static tern_status choose_columns(fit *f, uint32_t terms_max, tern_error *err) {
    candidate *c = tn_calloc((size_t)f->terms.n + 1, sizeof *c);
    f->col_of = tn_realloc(NULL, f->terms.n, sizeof *f->col_of);
    if (!c || !f->col_of) {
        tn_free(c);
        return no_memory(err);
    }
    uint32_t n = 0;
    for (uint32_t t = 0; t < f->terms.n; t++) {
        f->col_of[t] = NOT_SAMPLED;
        if (f->row_dfs[t] < 2) continue;
        c[n++] = (candidate){f->terms.keys[t].s, f->terms.keys[t].len, t, f->row_dfs[t]};
    }
    qsort(c, n, sizeof *c, by_df);
    if (n > terms_max) n = terms_max;
    qsort(c, n, sizeof *c, by_bytes);
    f->n_cols = n;
    f->term_of = tn_realloc(NULL, n, sizeof *f->term_of);
    f->fill = tn_realloc(NULL, n, sizeof *f->fill);
    for (uint32_t j = 0; f->term_of && j < n; j++) {
        f->term_of[j] = c[j].term;
        f->col_of[c[j].term] = j;
    }
    tn_free(c);
    return f->term_of && f->fill ? TERN_OK : no_memory(err);
}

static double idf(const fit *f, uint32_t col) {
    return log((1.0 + f->n_docs) / (1.0 + f->dfs[f->term_of[col]])) + 1;
}

static tern_status fill_term(void *ud, uint32_t term_no, const char *term, size_t len,
                             const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                             tern_error *err) {
    (void)term_no;
    (void)err;
    fit *f = ud;
    uint32_t t = tn_strmap_find(&f->terms, term, len);
    uint32_t col = t == TN_STRMAP_NONE ? NOT_SAMPLED : f->col_of[t];
    if (col == NOT_SAMPLED) return TERN_OK;
    float w = (float)(idf(f, col) * idf(f, col));
    for (uint32_t i = 0; i < df; i++) {
        uint32_t row = f->row_of[f->seg][docs[i]];
        if (row == NOT_SAMPLED) continue;
        uint64_t to = f->fill[col]++;
        f->by_term.cols[to] = row;
        f->by_term.vals[to] = w * tn_lsa_tf_weight(tfs[i]);
    }
    return TERN_OK;
}

/* Scale every passage to length 1, so that long ones do not own the leading directions. */
static tern_status normalise_rows(fit *f, tern_error *err) {
    double *sums = tn_calloc((size_t)f->n_rows + 1, sizeof *sums);
    if (!sums) return no_memory(err);
    tn_sparse *a = &f->by_term;
    uint64_t n = a->starts[f->n_cols];
    for (uint64_t i = 0; i < n; i++) sums[a->cols[i]] += (double)a->vals[i] * (double)a->vals[i];
    for (uint64_t i = 0; i < n; i++) a->vals[i] = (float)(a->vals[i] / sqrt(sums[a->cols[i]]));
    tn_free(sums);
    return TERN_OK;
}

static tern_status build_matrix(fit *f, tern_error *err) {
    uint64_t n = 0;
    for (uint32_t j = 0; j < f->n_cols; j++) n += f->row_dfs[f->term_of[j]];
    tern_status st = tn_sparse_init(&f->by_term, f->n_cols, f->n_rows, n, err);
    if (st != TERN_OK) return st;
    for (uint32_t j = 0; j < f->n_cols; j++) {
        f->fill[j] = f->by_term.starts[j];
        f->by_term.starts[j + 1] = f->fill[j] + f->row_dfs[f->term_of[j]];
    }
    st = walk_all(f, fill_term, err);
    return st == TERN_OK ? normalise_rows(f, err) : st;
}

/* --- writing --- */

static uint64_t round_up(uint64_t n) {
    return (n + 63) & ~UINT64_C(63);
}

/* Sizes of all parts follow from the counts, so the header can be written first. */
static tn_lsa_header lay_out(const fit *f, size_t rank, const char *language, uint64_t epoch) {
    tn_lsa_header h = {.format = 1,
                       .dim = rank ? (uint32_t)rank : 1,
                       .epoch = epoch,
                       .n_terms = rank ? f->n_cols : 0,
                       .n_slots = 16,
                       .n_seen = f->terms.n - (rank ? f->n_cols : 0),
                       .n_docs = f->n_docs};
    snprintf(h.language, sizeof h.language, "%s", language);
    while (h.n_slots < 2 * (uint64_t)h.n_terms) h.n_slots *= 2;
    for (uint32_t j = 0; j < h.n_terms; j++) h.n_string_bytes += f->terms.keys[f->term_of[j]].len;
    h.slots_at = round_up(sizeof h);
    h.offsets_at = round_up(h.slots_at + (uint64_t)h.n_slots * 4);
    h.strings_at = round_up(h.offsets_at + ((uint64_t)h.n_terms + 1) * 4);
    h.seen_at = round_up(h.strings_at + h.n_string_bytes);
    h.projection_at = round_up(h.seen_at + h.n_seen * 8);
    return h;
}

static tern_status write_slots(const fit *f, const tn_lsa_header *h, tn_bwriter *w,
                               tern_error *err) {
    uint32_t *slots = tn_calloc(h->n_slots, sizeof *slots);
    if (!slots) return no_memory(err);
    for (uint32_t j = 0; j < h->n_terms; j++) {
        const struct tn_strmap_key *key = &f->terms.keys[f->term_of[j]];
        uint32_t at = (uint32_t)XXH3_64bits(key->s, key->len) & (h->n_slots - 1);
        while (slots[at]) at = (at + 1) & (h->n_slots - 1);
        slots[at] = j + 1;
    }
    tern_status st = tn_bwriter_add(w, slots, h->n_slots * sizeof *slots, err);
    tn_free(slots);
    return st == TERN_OK ? tn_bwriter_align(w, 64, err) : st;
}

static tern_status write_strings(const fit *f, const tn_lsa_header *h, tn_bwriter *w,
                                 tern_error *err) {
    uint32_t offset = 0;
    tern_status st = tn_bwriter_add(w, &offset, sizeof offset, err);
    for (uint32_t j = 0; st == TERN_OK && j < h->n_terms; j++) {
        offset += f->terms.keys[f->term_of[j]].len;
        st = tn_bwriter_add(w, &offset, sizeof offset, err);
    }
    if (st == TERN_OK) st = tn_bwriter_align(w, 64, err);
    for (uint32_t j = 0; st == TERN_OK && j < h->n_terms; j++) {
        const struct tn_strmap_key *key = &f->terms.keys[f->term_of[j]];
        st = tn_bwriter_add(w, key->s, key->len, err);
    }
    return st == TERN_OK ? tn_bwriter_align(w, 64, err) : st;
}

static int by_hash(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static tern_status write_seen(const fit *f, const tn_lsa_header *h, tn_bwriter *w,
                              tern_error *err) {
    size_t n = 0;
    uint64_t *seen = tn_calloc(h->n_seen + 1, sizeof *seen);
    if (!seen) return no_memory(err);
    for (uint32_t t = 0; t < f->terms.n; t++)
        if (h->n_terms == 0 || f->col_of[t] == NOT_SAMPLED)
            seen[n++] = XXH3_64bits(f->terms.keys[t].s, f->terms.keys[t].len);
    qsort(seen, n, sizeof *seen, by_hash);
    tern_status st = tn_bwriter_add(w, seen, n * sizeof *seen, err);
    tn_free(seen);
    return st == TERN_OK ? tn_bwriter_align(w, 64, err) : st;
}

static tern_status write_projection(const fit *f, const tn_lsa_header *h, const float *v,
                                    tn_bwriter *w, tern_error *err) {
    float *row = tn_calloc(h->dim, sizeof *row);
    tern_status st = row ? TERN_OK : no_memory(err);
    for (uint32_t j = 0; st == TERN_OK && j < h->n_terms; j++) {
        float weight = (float)idf(f, j);
        for (size_t i = 0; i < h->dim; i++) row[i] = weight * v[(size_t)j * h->dim + i];
        st = tn_bwriter_add(w, row, h->dim * sizeof *row, err);
    }
    tn_free(row);
    return st;
}

static tern_status write_model(const fit *f, const float *v, size_t rank, const char *language,
                               uint64_t epoch, const char *path, tern_error *err) {
    tn_lsa_header h = lay_out(f, rank, language, epoch);
    tn_bwriter *w;
    tern_status st = tn_bwriter_open(path, TN_KIND_LSA, &w, err);
    if (st != TERN_OK) return st;
    st = tn_bwriter_add(w, &h, sizeof h, err);
    if (st == TERN_OK) st = tn_bwriter_align(w, 64, err);
    if (st == TERN_OK) st = write_slots(f, &h, w, err);
    if (st == TERN_OK) st = write_strings(f, &h, w, err);
    if (st == TERN_OK) st = write_seen(f, &h, w, err);
    if (st == TERN_OK) st = write_projection(f, &h, v, w, err);
    if (st == TERN_OK) return tn_bwriter_commit(w, err);
    tn_bwriter_abort(w);
    return st;
}

/* A quarter of the passages at most: as many directions as passages would only spell the
 * passages out again, and nothing would be near anything else. */
static size_t rank_for(const fit *f, uint32_t dim) {
    size_t quarter = f->n_rows / 4;
    if (quarter < 2) quarter = f->n_rows < 2 ? f->n_rows : 2;
    return quarter < dim ? quarter : dim;
}

static tern_status decompose(fit *f, const tn_lsa_params *params, const tern_host *host, float **v,
                             size_t *rank, tern_error *err) {
    tn_pool *pool = NULL;
    tn_sparse by_doc = {0};
    tern_status st = tn_pool_new(host ? host->n_threads : 1, &pool, err);
    if (st == TERN_OK) st = tn_sparse_transpose(&f->by_term, &by_doc, err);
    if (st == TERN_OK)
        st = tn_svd(pool, &by_doc, &f->by_term, rank_for(f, params->dim), SEED, host, v, NULL, rank,
                    err);
    tn_sparse_deinit(&by_doc);
    tn_pool_free(pool);
    return st;
}

tern_status tn_lsa_fit_with(const tn_lsa_params *params, const tn_inv *const *invs,
                            const uint64_t *const *keep, size_t n_invs, const char *language,
                            uint64_t epoch, const char *path, const tern_host *host,
                            tern_error *err) {
    fit f = {.invs = invs, .keep = keep, .n_invs = n_invs};
    float *v = NULL;
    size_t rank = 0;
    tern_status st = sample_docs(&f, params->docs_max, err);
    if (st == TERN_OK) st = walk_all(&f, count_term, err);
    if (st == TERN_OK) st = choose_columns(&f, params->terms_max, err);
    if (st == TERN_OK) st = build_matrix(&f, err);
    if (st == TERN_OK && f.n_cols > 0) st = decompose(&f, params, host, &v, &rank, err);
    if (st == TERN_OK) st = write_model(&f, v, rank, language, epoch, path, err);
    tn_free(v);
    fit_deinit(&f);
    return st;
}

tern_status tn_lsa_fit(const tn_inv *const *invs, const uint64_t *const *keep, size_t n_invs,
                       const char *language, uint64_t epoch, const char *path,
                       const tern_host *host, tern_error *err) {
    tn_lsa_params params = tn_lsa_defaults();
    return tn_lsa_fit_with(&params, invs, keep, n_invs, language, epoch, path, host, err);
}
