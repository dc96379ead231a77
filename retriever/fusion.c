/* fusion.c - reciprocal rank fusion, and the union behind the join by score (fusion.h).
 * Sums run in list order and ties break by ref, so a fused ranking is a function of its input. */
#include "retriever/fusion.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

int tn_hit_cmp(const void *a, const void *b) {
    const tern_hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->ref > y->ref) - (x->ref < y->ref);
}

float tn_fuse_score(float bm25, float bm25_max, float cosine, float weight) {
    float lexical = bm25_max > 0 ? bm25 / bm25_max : 0;
    return lexical + weight * cosine;
}

static int by_ref(const void *a, const void *b) {
    const tern_hit *x = a, *y = b;
    return (x->ref > y->ref) - (x->ref < y->ref);
}

size_t tn_fuse_union(tern_hit *c, size_t n) {
    qsort(c, n, sizeof *c, by_ref);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (m == 0 || c[m - 1].ref != c[i].ref) {
            c[m++] = c[i];
            continue;
        }
        tern_hit *to = &c[m - 1];
        if (c[i].rank_bm25) {
            to->rank_bm25 = c[i].rank_bm25;
            to->bm25 = c[i].bm25;
        }
        if (c[i].rank_dense) {
            to->rank_dense = c[i].rank_dense;
            to->cosine = c[i].cosine;
        }
    }
    return m;
}

typedef struct vote {
    uint32_t ref, list, rank;
    double score;
} vote;

static int by_ref_list_rank(const void *a, const void *b) {
    const vote *x = a, *y = b;
    if (x->ref != y->ref) return x->ref < y->ref ? -1 : 1;
    if (x->list != y->list) return x->list < y->list ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_score(const void *a, const void *b) {
    const vote *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->ref > y->ref) - (x->ref < y->ref);
}

/* Fold sorted votes into one per ref. */
static size_t count_votes(vote *v, size_t n, const tern_ranking *lists) {
    size_t m = 0;
    uint32_t last_list = 0;
    for (size_t i = 0; i < n; i++) {
        bool same = m > 0 && v[m - 1].ref == v[i].ref;
        if (same && last_list == v[i].list) continue;
        last_list = v[i].list;
        double part = (double)lists[v[i].list].weight / (TERN_RRF_OFFSET + v[i].rank);
        if (same) {
            v[m - 1].score += part;
        } else {
            v[m] = v[i];
            v[m++].score = part;
        }
    }
    return m;
}

tern_status tern_fuse_rrf(const tern_ranking *lists, size_t n_lists, size_t k, uint32_t *refs,
                          float *scores, size_t *n, tern_error *err) {
    *n = 0;
    if (k == 0) return tern_fail(err, TERN_ERR_ARG, 0, "rank fusion: k is 0");
    size_t total = 0;
    for (size_t i = 0; i < n_lists; i++) {
        if (!(lists[i].weight >= 0) || isinf(lists[i].weight))
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "rank fusion: the weight of list %zu is %g; it must be finite and "
                             "not negative",
                             i, (double)lists[i].weight);
        total += lists[i].n;
    }
    vote *v = tn_calloc(total + 1, sizeof *v);
    if (!v) return tern_fail(err, TERN_ERR_NOMEM, 0, "rank fusion of %zu hits: no memory", total);
    size_t at = 0;
    for (size_t i = 0; i < n_lists; i++)
        for (size_t j = 0; j < lists[i].n; j++)
            v[at++] = (vote){lists[i].refs[j], (uint32_t)i, (uint32_t)j + 1, 0};
    qsort(v, total, sizeof *v, by_ref_list_rank);
    size_t m = count_votes(v, total, lists);
    qsort(v, m, sizeof *v, by_score);
    *n = m < k ? m : k;
    for (size_t i = 0; i < *n; i++) {
        refs[i] = v[i].ref;
        scores[i] = (float)v[i].score;
    }
    tn_free(v);
    return TERN_OK;
}
