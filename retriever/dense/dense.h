/* dense.h - the vectors of an index and nearest-neighbour search over them, by FAISS.
 * Vectors belong to one embedder epoch. The manifest names the embedder file and, per segment, the
 * vector file of that epoch; segments without one take no part in dense search. */
#ifndef TN_DENSE_H
#define TN_DENSE_H
#include "retriever/text/inverted.h"
#include "tern/embedder.h"
#include "tern/host.h"
#include "tern/search.h"

/* Fit LSA on the given segments (TF-IDF, randomised truncated SVD) and write the model to path.
 *   keep   per segment, bitmap of passages to learn from (NULL entry or NULL: all)
 * Deterministic for the same passages in the same order, whatever the threads. */
TERN_MUST_USE tern_status tn_lsa_fit(const tn_inv *const *invs, const uint64_t *const *keep,
                                     size_t n_invs, const char *language, uint64_t epoch,
                                     const char *path, const tern_host *host, tern_error *err);
TERN_MUST_USE tern_status tn_lsa_open(const char *path, tern_embedder **out, tern_error *err);
/* The embedder of an index: `name` as in its manifest ("lsa", "neural"), `file` its model file. */
TERN_MUST_USE tern_status tn_embedder_open(const char *name, const char *file, tern_embedder **out,
                                           tern_error *err);
/* Share of a segment's tokens (with multiplicity) that the model has never seen, in [0, 1]. */
TERN_MUST_USE tern_status tn_lsa_unknown_share(const tern_embedder *e, const tn_inv *inv,
                                               double *share, tern_error *err);
/* Fold a segment's passages in and write their vectors (with the FAISS structure of `kind`: "flat",
 * "ivf", "hnsw") to path. */
TERN_MUST_USE tern_status tn_vectors_build(const tern_embedder *e, const tn_inv *inv,
                                           const char *kind, const char *path,
                                           const tern_host *host, tern_error *err);

typedef struct tn_vectors tn_vectors; /* one segment's vectors: immutable, any thread */
/* CORRUPT also when dim or epoch differ from the embedder's, or n from n_docs. */
TERN_MUST_USE tern_status tn_vectors_open(const char *path, const tern_embedder *e, uint32_t n_docs,
                                          tn_vectors **out, tern_error *err);
void tn_vectors_close(tn_vectors *v);
/* The k nearest by inner product among docs allowed by the bitmap (NULL: all); flat is exact, and
 * ivf/hnsw fall back to flat until k are found. Negative FAISS ids never come out.
 *   docs, sims: [k] out, by descending sim, ties by doc */
TERN_MUST_USE tern_status tn_vectors_search(const tn_vectors *v, const float *query,
                                            const uint64_t *allow, size_t k, uint32_t *docs,
                                            float *sims, size_t *n, tern_error *err);
/* Inner product of the query with one passage's vector. */
TERN_MUST_USE tern_status tn_vectors_sim(const tn_vectors *v, const float *query, uint32_t doc,
                                         float *sim, tern_error *err);
TERN_MUST_USE tern_status tn_vectors_check(const tn_vectors *v,
                                           void (*bad)(void *ud, const char *text), void *ud,
                                           tern_error *err);
#endif
