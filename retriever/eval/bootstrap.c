/* bootstrap.c - the paired bootstrap test (Efron and Tibshirani; Koehn 2004 for its use on
 * systems): resample the queries with replacement and see how the difference of means scatters. */
#include "core/base/rng.h"
#include "tern/eval.h"
#include <stdlib.h>

#include "core/base/mem.h"

static int ascending(const void *pa, const void *pb) {
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double resampled_mean(const double *a, const double *b, size_t n, tn_rng *rng) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = (size_t)tn_rng_below(rng, n);
        sum += a[k] - b[k];
    }
    return sum / (double)n;
}

tern_status tern_bootstrap_paired(const double *a, const double *b, size_t n, size_t n_samples,
                                  uint64_t seed, tern_bootstrap *out, tern_error *err) {
    *out = (tern_bootstrap){0};
    if (n == 0 || n_samples == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "the bootstrap needs queries and samples");
    double *diffs = tn_alloc(n_samples * sizeof *diffs);
    if (!diffs) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the bootstrap");
    for (size_t i = 0; i < n; i++) out->diff += a[i] - b[i];
    out->diff /= (double)n;
    size_t n_up = 0, n_down = 0;
    for (size_t s = 0; s < n_samples; s++) {
        tn_rng rng = tn_rng_init(seed, s);
        diffs[s] = resampled_mean(a, b, n, &rng);
        n_up += diffs[s] >= 0;
        n_down += diffs[s] <= 0;
    }
    qsort(diffs, n_samples, sizeof *diffs, ascending);
    out->low = diffs[(size_t)(0.025 * (double)(n_samples - 1))];
    out->high = diffs[(size_t)(0.975 * (double)(n_samples - 1) + 0.5)];
    double p = 2 * (double)(n_up < n_down ? n_up : n_down) / (double)n_samples;
    out->p = p < 1 ? p : 1;
    tn_free(diffs);
    return TERN_OK;
}
