/* fusion.h - joining the lexical and the dense list of one query by score.
 *   score = bm25 / bm25_max + weight * cosine
 * bm25_max is the best BM25 score among the passages allowed, so the lexical part lies in [0, 1]
 * like the cosine. Every candidate carries both scores exactly, whichever list it came from: a
 * candidate's score depends on the query and the passage, never on how deep the lists were. */
#ifndef TN_FUSION_H
#define TN_FUSION_H
#include "tern/fusion.h"
#include "tern/search.h"

/* Order of hits everywhere: descending score, ties by ascending ref. For qsort. */
int tn_hit_cmp(const void *a, const void *b);

/* The joined score of one candidate; bm25_max is 0 when nothing matched lexically. */
float tn_fuse_score(float bm25, float bm25_max, float cosine, float weight);

/* Union of two lists in place: c[0..n) holds both, c[..].rank_bm25 / rank_dense tell them apart.
 * Sorts by ref and folds the two entries of one ref into one; returns the number left. */
size_t tn_fuse_union(tern_hit *c, size_t n);
#endif
