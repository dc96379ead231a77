/* blas.c - the one file that includes OpenBLAS's header (blas.h). */
#include "core/kernels/blas.h"
#include <cblas.h>
#include <math.h>
#include <pthread.h>

#include "core/base/mem.h"

/* LAPACK's symmetric eigensolver, part of OpenBLAS; Debian ships no header for it there. */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
             double *work, const int *lwork, int *iwork, const int *liwork, int *info,
             size_t jobz_len, size_t uplo_len);

enum { BUILD_SERIAL, BUILD_PTHREAD, BUILD_OPENMP }; /* as openblas_get_parallel answers */

tn_blas_info tn_blas_get_info(void) {
    static const char *const builds[] = {"serial", "pthread", "openmp"};
    int build = openblas_get_parallel();
    return (tn_blas_info){openblas_get_config(), openblas_get_corename(),
                          build >= 0 && build <= BUILD_OPENMP ? builds[build] : "unknown"};
}

static void use_one_thread(void) {
    openblas_set_num_threads(1);
}

tern_status tn_blas_check(tern_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (openblas_get_parallel() == BUILD_SERIAL)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "the OpenBLAS in use (%s) is the serial build, which returns wrong "
                         "results under concurrent calls; install libopenblas0-pthread and select "
                         "it with: update-alternatives --config libopenblas.so.0-%s",
                         openblas_get_config(), "$(uname -m)-linux-gnu");
    pthread_once(&once, use_one_thread);
    return TERN_OK;
}

void tn_blas_gram(size_t m, size_t n, const float *x, float *g) {
    int ld = (int)n;
    cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, ld, (int)m, 1, x, ld, 0, g, ld);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) g[i * n + j] = g[j * n + i];
}

void tn_blas_mul(size_t m, size_t n, size_t k, const float *x, const float *a, float *y) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, x, (int)k, a,
                (int)n, 0, y, (int)n);
}

tern_status tn_blas_eigen(size_t n, double *a, double *values, tern_error *err) {
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "eigenvectors: the matrix is not finite");
    int order = (int)n, info = 0;
    int n_work = 1 + 6 * order + 2 * order * order, n_iwork = 3 + 5 * order; /* as dsyevd asks */
    double *work = tn_calloc((size_t)n_work, sizeof *work);
    int *iwork = tn_calloc((size_t)n_iwork, sizeof *iwork);
    tern_status st = TERN_OK;
    if (!work || !iwork) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "eigenvectors of order %zu: no memory", n);
    } else {
        dsyevd_("V", "U", &order, a, &order, values, work, &n_work, iwork, &n_iwork, &info, 1, 1);
        if (info != 0)
            st = tern_fail(err, TERN_ERR_FORMAT, info, "eigenvectors: no convergence (info %d)",
                           info);
    }
    tn_free(work);
    tn_free(iwork);
    return st;
}
