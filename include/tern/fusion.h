/* fusion.h - one ranking out of several, by reciprocal ranks.
 * For retrievers whose scores do not compare (BM25 beside a neural encoder, several queries for one
 * question). Scores that do compare are better joined as scores: see tern_search's hybrid mode. */
#ifndef TERN_FUSION_H
#define TERN_FUSION_H
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_RRF_OFFSET 60 /* Cormack et al. (SIGIR 2009): damps the very first ranks */

typedef struct tern_ranking {
    const uint32_t *refs; /* [n] best first; a ref that repeats counts once, at its better rank */
    size_t n;
    float weight; /* >= 0 and finite */
} tern_ranking;

/* score(ref) = sum over the lists that hold it, in list order, of weight / (60 + rank), rank
 * from 1. refs, scores  [k] out, by descending score, ties by ascending ref n             out; at
 * most k Errors: ARG (k is 0, a weight is negative or not finite), NOMEM; *n is then 0. */
TERN_API TERN_MUST_USE tern_status tern_fuse_rrf(const tern_ranking *lists, size_t n_lists,
                                                 size_t k, uint32_t *refs, float *scores, size_t *n,
                                                 tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
