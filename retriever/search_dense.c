/* search_dense.c - the dense half of a search: embed the query, ask each segment, merge.
 * Cosines of different segments compare because all vectors are of one embedder epoch. */
#include "retriever/fusion.h"
#include "retriever/search_priv.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

tern_status tn_search_embed(tern_searcher *s, const char *query, size_t query_len,
                            tern_error *err) {
    tern_status st = tn_index_dense_open(s->ix, err);
    if (st != TERN_OK) return st;
    const tern_embedder *e = s->ix->embedder;
    if (TN_GROW(s->query, s->query_cap, e->dim) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "dense search: no memory");
    return e->embed(e, &query, &query_len, 1, true, s->query, err);
}

/* Bits [base, base + n) of `from`, moved to bit 0 of `to`; the bits past n are clear. */
static void copy_bits(const uint64_t *from, uint32_t base, uint32_t n, uint64_t *to) {
    size_t words = ((size_t)n + 63) / 64, at = base / 64, last = ((size_t)base + n - 1) / 64;
    unsigned shift = base % 64;
    for (size_t i = 0; i < words; i++) {
        uint64_t w = from[at + i] >> shift;
        if (shift && at + i + 1 <= last) w |= from[at + i + 1] << (64 - shift);
        to[i] = w;
    }
    if (n % 64) to[words - 1] &= (UINT64_C(1) << (n % 64)) - 1;
}

static tern_status grow_scratch(tern_searcher *s, size_t k, tern_error *err) {
    uint32_t n_max = 0;
    for (size_t i = 0; i < s->ix->n_segs; i++)
        if (s->ix->segs[i].n > n_max) n_max = s->ix->segs[i].n;
    if (!s->seg_bits) s->seg_bits = tn_alloc(((size_t)n_max / 64 + 1) * sizeof *s->seg_bits);
    if (!s->seg_bits || TN_GROW(s->docs, s->docs_cap, k) != 0 ||
        TN_GROW(s->sims, s->sims_cap, k) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "dense search: no memory");
    return TERN_OK;
}

/* Merge docs[0..n) of a segment, best first, into hits[0..*n_hits), which keeps the best k. */
static void merge(tern_hit *hits, size_t *n_hits, size_t k, const tn_segment *seg,
                  const uint32_t *docs, const float *sims, size_t n) {
    size_t old = *n_hits, total = old + n < k ? old + n : k;
    /* Count how many of the new ones survive, then fill from the back: no second array. */
    size_t take_old = 0, take_new = 0;
    while (take_old + take_new < total) {
        bool from_old =
            take_old < old && (take_new >= n || hits[take_old].cosine >= sims[take_new]);
        if (from_old)
            take_old++;
        else
            take_new++;
    }
    *n_hits = total;
    while (total-- > 0) {
        bool from_new =
            take_new > 0 && (take_old == 0 || hits[take_old - 1].cosine >= sims[take_new - 1]);
        if (from_new) {
            take_new--;
            hits[total] = (tern_hit){.ref = seg->base + docs[take_new], .cosine = sims[take_new]};
        } else {
            hits[total] = hits[--take_old];
        }
    }
}

static bool is_zero(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return true;
}

tern_status tn_search_dense(tern_searcher *s, const uint64_t *allow, size_t k, tern_hit *hits,
                            size_t *n_hits, tern_error *err) {
    *n_hits = 0;
    if (is_zero(s->query, s->ix->embedder->dim)) return TERN_OK;
    tern_status st = grow_scratch(s, k, err);
    for (size_t i = 0; st == TERN_OK && i < s->ix->n_segs; i++) {
        const tn_segment *seg = &s->ix->segs[i];
        if (!seg->vectors || seg->n == 0) continue;
        if (allow) copy_bits(allow, seg->base, seg->n, s->seg_bits);
        size_t n;
        st = tn_vectors_search(seg->vectors, s->query, allow ? s->seg_bits : NULL, k, s->docs,
                               s->sims, &n, err);
        if (st == TERN_OK) merge(hits, n_hits, k, seg, s->docs, s->sims, n);
    }
    for (size_t i = 0; i < *n_hits; i++) hits[i].rank_dense = (uint32_t)i + 1;
    return st;
}

tern_status tn_search_cosine(const tern_searcher *s, uint32_t ref, float *cosine, tern_error *err) {
    *cosine = 0;
    const tn_segment *seg = tn_index_segment_of(s->ix, ref);
    if (!seg->vectors || is_zero(s->query, s->ix->embedder->dim)) return TERN_OK;
    return tn_vectors_sim(seg->vectors, s->query, ref - seg->base, cosine, err);
}

/* Append the quoted parts of the query, quotes included; false: nothing is quoted. */
static bool quoted_parts(const char *query, size_t n, tn_buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (query[i] != '"') continue;
        const char *end = memchr(query + i + 1, '"', n - i - 1);
        if (!end) break;
        size_t len = (size_t)(end - (query + i)) + 1;
        tn_buf_add(out, query + i, len);
        tn_buf_char(out, ' ');
        i += len - 1;
    }
    return out->len > 0;
}

tern_status tn_search_phrases(tern_searcher *s, const char *query, size_t query_len,
                              const uint64_t *allow, const uint64_t **out, tern_error *err) {
    *out = allow;
    if (!memchr(query, '"', query_len)) return TERN_OK;
    tn_buf quoted = {0};
    size_t n_words = ((size_t)s->ix->n_refs + 63) / 64, n = 0;
    tern_hit *hits = NULL;
    bool any = quoted_parts(query, query_len, &quoted);
    tern_status st = tn_buf_status(&quoted, err);
    if (st != TERN_OK || !any) goto done;
    if (!s->bits) s->bits = tn_alloc(n_words * sizeof *s->bits);
    hits = tn_calloc(s->ix->n_refs, sizeof *hits);
    if (!s->bits || !hits) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "search for a phrase: no memory");
        goto done;
    }
    st = tn_bm25_search(s->bm25, quoted.data, quoted.len, 1.2f, 0.75f, allow, true, s->ix->n_refs,
                        hits, &n, err);
    if (st != TERN_OK) goto done;
    memset(s->bits, 0, n_words * sizeof *s->bits);
    for (size_t i = 0; i < n; i++) s->bits[hits[i].ref / 64] |= UINT64_C(1) << (hits[i].ref % 64);
    *out = s->bits;
done:
    tn_free(hits);
    tn_buf_deinit(&quoted);
    return st;
}
