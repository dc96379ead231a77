/* blas.h - the door to OpenBLAS: the build we accept, and the few operations we ask of it.
 * Every call is made for one fixed tile with one BLAS thread, inside or outside our pool: the
 * library adds in another order when it splits a product among threads, and our results must not
 * depend on their number. Matrices are row-major without padding. */
#ifndef TN_BLAS_H
#define TN_BLAS_H
#include "tern/status.h"
#include <stddef.h>

typedef struct tn_blas_info {
    const char *config; /* version and build options; static */
    const char *core;   /* the kernels it chose for this processor; static */
    const char *build;  /* "serial", "pthread" or "openmp" */
} tn_blas_info;
tn_blas_info tn_blas_get_info(void);

/* Set one BLAS thread, once per process. UNSUPPORTED: the serial build, which returns wrong results
 * under concurrent calls; the message says what to install. */
TERN_MUST_USE tern_status tn_blas_check(tern_error *err);

/* g[n,n] = x[m,n]^T x[m,n], both triangles filled. */
void tn_blas_gram(size_t m, size_t n, const float *x, float *g);
/* y[m,n] = x[m,k] a[k,n] */
void tn_blas_mul(size_t m, size_t n, size_t k, const float *x, const float *a, float *y);
/* Eigenvalues of the symmetric a[n,n], ascending, into values[n]; a becomes the eigenvectors, one
 * per row. NOMEM; FORMAT: not finite, or no convergence. */
TERN_MUST_USE tern_status tn_blas_eigen(size_t n, double *a, double *values, tern_error *err);

#endif
