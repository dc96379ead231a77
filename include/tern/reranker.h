/* reranker.h - a second look at the best hits of a search.
 * A re-ranker reads query and passage together, which is dearer and better than comparing words or
 * vectors: it orders the first hits of a search anew (tern_search_opts.reranker). Immutable; any
 * thread may use it. */
#ifndef TERN_RERANKER_H
#define TERN_RERANKER_H
#include "tern/host.h"
#include "tern/status.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_reranker {
    const char *name; /* for display and records; lives as long as the re-ranker */
    /* scores[n]: how well each text answers the query, higher is better, finite; comparable within
     * one query. A text's score does not depend on the others. Errors: NOMEM, CORRUPT. */
    tern_status (*score)(const struct tern_reranker *r, const char *query, size_t query_len,
                         const char *const *texts, const size_t *lens, size_t n, float *scores,
                         tern_error *err);
    void (*free)(struct tern_reranker *r);
} tern_reranker;

/* The cross-encoder in folder `path` (a Hugging Face sequence classifier with one label, or two of
 * which the second is "relevant"). host: progress of loading, threads; may be NULL.
 * Errors: NOT_FOUND, IO, CORRUPT, UNSUPPORTED (another kind of model; the message says which),
 * NOMEM.
 */
TERN_API TERN_MUST_USE tern_status tern_reranker_open(const char *path, const tern_host *host,
                                                      tern_reranker **out, tern_error *err);
TERN_API void tern_reranker_free(tern_reranker *r); /* NULL allowed */

#ifdef __cplusplus
}
#endif
#endif
