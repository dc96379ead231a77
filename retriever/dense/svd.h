/* svd.h - the leading right singular vectors of a sparse matrix, by random projection.
 * Halko, Martinsson and Tropp (SIAM Review 53, 2011): project on random directions, iterate with
 * the matrix and its transpose, orthonormalise in between. It departs from them in using signs
 * instead of Gaussians, and in orthonormalising by the eigenvectors of the Gram matrix: cut into
 * fixed tiles, this gives the same bits for any number of threads, and directions that the matrix
 * does not have drop out instead of turning into noise. */
#ifndef TN_SVD_H
#define TN_SVD_H
#include "retriever/dense/sparse.h"
#include "tern/host.h"

/*   a      [n_rows, n_cols] and at, its transpose
 *   rank   vectors wanted; *n_found may be less: the matrix has no more
 *   seed   of the random directions
 *   v      [n_cols, *n_found] out, row-major, tn_free; column j belongs to the j-th largest value
 *   sigma  [rank] out, descending; NULL allowed
 * Deterministic for any pool. Errors: NOMEM, CANCELLED, FORMAT (entries not finite),
 * UNSUPPORTED (serial OpenBLAS). */
TERN_MUST_USE tern_status tn_svd(tn_pool *pool, const tn_sparse *a, const tn_sparse *at,
                                 size_t rank, uint64_t seed, const tern_host *host, float **v,
                                 float *sigma, size_t *n_found, tern_error *err);

#endif
