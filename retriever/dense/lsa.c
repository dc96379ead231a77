/* lsa.c - a fitted LSA model, mapped: find terms, fold text in (lsa_priv.h).
 * Deerwester et al. (JASIS 1990), with logarithmic term frequencies and unit-length vectors. The
 * singular values are left out on both sides: a passage is its weighted terms projected, not
 * rescaled, so queries, passages and later passages are treated alike. */
#include "retriever/dense/lsa_priv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

float tn_lsa_tf_weight(uint32_t tf) {
    return 1 + logf((float)tf);
}

static size_t term_len(const tn_lsa *m, uint32_t term) {
    return m->offsets[term + 1] - m->offsets[term];
}

uint32_t tn_lsa_find(const tn_lsa *m, const char *term, size_t len) {
    uint32_t mask = m->head.n_slots - 1;
    uint32_t at = (uint32_t)XXH3_64bits(term, len) & mask;
    for (uint32_t i = 0; i < m->head.n_slots; i++, at = (at + 1) & mask) {
        uint32_t slot = m->slots[at];
        if (slot == 0) break;
        uint32_t t = slot - 1;
        if (term_len(m, t) == len && memcmp(m->strings + m->offsets[t], term, len) == 0) return t;
    }
    return TN_LSA_NO_TERM;
}

static bool was_seen(const tn_lsa *m, const char *term, size_t len) {
    uint64_t hash = XXH3_64bits(term, len);
    size_t lo = 0, hi = m->head.n_seen;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->seen[mid] < hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < m->head.n_seen && m->seen[lo] == hash;
}

tern_status tn_lsa_row(const tn_lsa *m, uint32_t term, const float **row, tern_error *err) {
    uint64_t bytes = (uint64_t)m->head.dim * sizeof(float);
    const void *view;
    tern_status st =
        tn_bfile_view(m->file, m->head.projection_at + term * bytes, bytes, &view, err);
    *row = view;
    return st;
}

static void scale_to_unit(float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    if (!(sum > 0)) return;
    float scale = (float)(1 / sqrt(sum));
    for (size_t i = 0; i < n; i++) x[i] *= scale;
}

tern_status tn_lsa_fold(const tn_lsa *m, const uint32_t *terms, const uint32_t *tfs, size_t n,
                        float *out, tern_error *err) {
    size_t dim = m->head.dim;
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const float *row;
        tern_status st = tn_lsa_row(m, terms[i], &row, err);
        if (st != TERN_OK) return st;
        float w = tn_lsa_tf_weight(tfs[i]);
        for (size_t j = 0; j < dim; j++) out[j] += w * row[j];
    }
    scale_to_unit(out, dim);
    return TERN_OK;
}

/* --- embedding text --- */

static tern_status borrow_analyzer(tn_lsa *m, tn_analyzer **a, tern_error *err) {
    *a = NULL;
    pthread_mutex_lock(&m->lock);
    if (m->n_spare) *a = m->spare[--m->n_spare];
    pthread_mutex_unlock(&m->lock);
    return *a ? TERN_OK : tn_analyzer_new(m->head.language, a, err);
}

static void return_analyzer(tn_lsa *m, tn_analyzer *a) {
    if (!a) return;
    pthread_mutex_lock(&m->lock);
    if (TN_GROW(m->spare, m->spare_cap, m->n_spare + 1) == 0) {
        m->spare[m->n_spare++] = a;
        a = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    tn_analyzer_free(a);
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Known terms of a text, ascending, into terms[n_tokens] with counts in tfs; returns how many. */
static size_t count_terms(const tn_lsa *m, const tn_token *tokens, size_t n_tokens, uint32_t *terms,
                          uint32_t *tfs) {
    size_t n = 0, n_distinct = 0;
    for (size_t i = 0; i < n_tokens; i++) {
        if (tokens[i].is_stop) continue;
        uint32_t t = tn_lsa_find(m, tokens[i].term, tokens[i].term_len);
        if (t != TN_LSA_NO_TERM) terms[n++] = t;
    }
    qsort(terms, n, sizeof *terms, by_number);
    for (size_t i = 0; i < n; i++) {
        if (n_distinct == 0 || terms[n_distinct - 1] != terms[i]) {
            terms[n_distinct] = terms[i];
            tfs[n_distinct++] = 0;
        }
        tfs[n_distinct - 1]++;
    }
    return n_distinct;
}

static tern_status embed_one(tn_lsa *m, tn_analyzer *a, const char *text, size_t len, float *out,
                             tern_error *err) {
    const tn_token *tokens;
    size_t n_tokens;
    tern_status st = tn_analyze(a, text, len, &tokens, &n_tokens, err);
    if (st != TERN_OK) return st;
    uint32_t *terms = tn_realloc(NULL, n_tokens, 2 * sizeof *terms);
    if (!terms) return tern_fail(err, TERN_ERR_NOMEM, 0, "embedding a text: no memory");
    size_t n = count_terms(m, tokens, n_tokens, terms, terms + n_tokens);
    st = tn_lsa_fold(m, terms, terms + n_tokens, n, out, err);
    tn_free(terms);
    return st;
}

static tern_status lsa_embed(const tern_embedder *e, const char *const *texts, const size_t *lens,
                             size_t n, bool is_query, float *out, tern_error *err) {
    (void)is_query;                     /* queries and passages are folded in alike */
    tn_lsa *m = (tn_lsa *)(uintptr_t)e; /* only the analyzers behind the lock change */
    tn_analyzer *a;
    tern_status st = borrow_analyzer(m, &a, err);
    for (size_t i = 0; st == TERN_OK && i < n; i++)
        st = embed_one(m, a, texts[i], lens[i], out + i * m->head.dim, err);
    return_analyzer(m, a);
    return st;
}

static void lsa_free(tern_embedder *e) {
    tn_lsa *m = (tn_lsa *)e;
    if (!m) return;
    for (size_t i = 0; i < m->n_spare; i++) tn_analyzer_free(m->spare[i]);
    tn_free(m->spare);
    pthread_mutex_destroy(&m->lock);
    tn_bfile_close(m->file);
    tn_free(m);
}

/* --- opening --- */

static tern_status damaged(const tn_lsa *m, const char *what, tern_error *err) {
    return tern_fail(err, TERN_ERR_CORRUPT, 0,
                     "%s: embedder model: %s; rebuild it with tern compact", tn_bfile_path(m->file),
                     what);
}

static tern_status view_part(const tn_lsa *m, uint64_t at, uint64_t n, size_t size,
                             const void **out, tern_error *err) {
    if (at % 64 || n > tn_bfile_size(m->file) / size)
        return damaged(m, "a part is out of place", err);
    return tn_bfile_view(m->file, at, n * size, out, err);
}

static tern_status check_header(const tn_lsa *m, tern_error *err) {
    const tn_lsa_header *h = &m->head;
    if (h->format != 1)
        return tern_fail(err, TERN_ERR_VERSION, 0,
                         "%s: embedder model of format %u, this program reads 1; rebuild the index",
                         tn_bfile_path(m->file), h->format);
    if (h->dim == 0 || h->dim > 4096) return damaged(m, "the dimension is out of range", err);
    if (h->n_slots == 0 || (h->n_slots & (h->n_slots - 1)) || h->n_terms >= h->n_slots)
        return damaged(m, "the term table has a wrong size", err);
    if (!memchr(h->language, 0, sizeof h->language)) return damaged(m, "no language", err);
    uint64_t size = tn_bfile_size(m->file);
    if (h->projection_at % 64 || h->projection_at > size ||
        (size - h->projection_at) / (h->dim * sizeof(float)) < h->n_terms)
        return damaged(m, "the projection is cut short", err);
    return TERN_OK;
}

static tern_status open_tables(tn_lsa *m, tern_error *err) {
    const tn_lsa_header *h = &m->head;
    const void *slots, *offsets, *strings, *seen;
    tern_status st = view_part(m, h->slots_at, h->n_slots, 4, &slots, err);
    if (st == TERN_OK) st = view_part(m, h->offsets_at, (uint64_t)h->n_terms + 1, 4, &offsets, err);
    if (st == TERN_OK) st = view_part(m, h->strings_at, h->n_string_bytes, 1, &strings, err);
    if (st == TERN_OK) st = view_part(m, h->seen_at, h->n_seen, 8, &seen, err);
    if (st != TERN_OK) return st;
    m->slots = slots;
    m->offsets = offsets;
    m->strings = strings;
    m->seen = seen;
    for (uint32_t i = 0; i < h->n_slots; i++)
        if (m->slots[i] > h->n_terms) return damaged(m, "a slot names no term", err);
    for (uint32_t i = 0; i < h->n_terms; i++)
        if (m->offsets[i] > m->offsets[i + 1]) return damaged(m, "terms are out of order", err);
    if (m->offsets[h->n_terms] > h->n_string_bytes) return damaged(m, "terms are cut short", err);
    return TERN_OK;
}

tern_status tn_lsa_open(const char *path, tern_embedder **out, tern_error *err) {
    *out = NULL;
    tn_lsa *m = tn_calloc(1, sizeof *m);
    if (!m) return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: no memory", path);
    pthread_mutex_init(&m->lock, NULL);
    const void *head;
    tern_status st = tn_bfile_open(path, TN_KIND_LSA, &m->file, err);
    if (st == TERN_OK) st = tn_bfile_view(m->file, 0, sizeof m->head, &head, err);
    if (st == TERN_OK) memcpy(&m->head, head, sizeof m->head);
    if (st == TERN_OK) st = check_header(m, err);
    if (st == TERN_OK) st = open_tables(m, err);
    if (st != TERN_OK) {
        lsa_free(&m->base);
        return st;
    }
    m->base = (tern_embedder){"lsa", m->head.dim, m->head.epoch, lsa_embed, lsa_free};
    *out = &m->base;
    return TERN_OK;
}

/* --- how much of a segment is new --- */

typedef struct novelty {
    const tn_lsa *m;
    uint64_t n_tokens, n_unknown;
} novelty;

static tern_status count_unknown(void *ud, uint32_t term_no, const char *term, size_t len,
                                 const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                                 tern_error *err) {
    (void)term_no;
    (void)docs;
    (void)err;
    novelty *n = ud;
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < df; i++) tokens += tfs[i];
    n->n_tokens += tokens;
    if (tn_lsa_find(n->m, term, len) == TN_LSA_NO_TERM && !was_seen(n->m, term, len))
        n->n_unknown += tokens;
    return TERN_OK;
}

tern_status tn_lsa_unknown_share(const tern_embedder *e, const tn_inv *inv, double *share,
                                 tern_error *err) {
    novelty n = {.m = (const tn_lsa *)e};
    tern_status st = tn_inv_walk(inv, count_unknown, &n, err);
    *share = st == TERN_OK && n.n_tokens ? (double)n.n_unknown / (double)n.n_tokens : 0;
    return st;
}
