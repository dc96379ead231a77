/* Claims about exp, tanh and sigmoid: their error in units of the last place, over all floats. */
#include "core/kernels/kernels.h"
#include "tests/test.h"

enum { BATCH = 4096 };

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The distance between neighbours of the float nearest to x. */
static double ulp_at(double x) {
    float size = fabsf((float)x);
    if (size < 1.17549435e-38f) return ldexp(1, -149);
    return ldexp(1, ilogbf(size > 3.4e38f ? 3.4e38f : size) - 23);
}

typedef void row_fn(float *y, const float *x, size_t n);

static double worst_ulp(row_fn *fn, double (*exact)(double), float *where) {
    static float x[BATCH], y[BATCH];
    double worst = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX;) { /* a prime step through all bit patterns */
        size_t n = 0;
        for (; n < BATCH && bits <= UINT32_MAX; bits += 1543) x[n++] = from_bits((uint32_t)bits);
        fn(y, x, n);
        for (size_t i = 0; i < n; i++) {
            if (isnan(x[i]) != isnan(y[i])) FAIL("f(%a) is %a", (double)x[i], (double)y[i]);
            if (isnan(x[i])) continue;
            double e = exact((double)x[i]);
            if (fabs(e) > 3.40282357e38) { /* past the halfway point to infinity */
                CHECK(isinf(y[i]) || fabs(e) < 3.4028236e38);
                continue;
            }
            double error = fabs((double)y[i] - e) / ulp_at(e);
            if (error > worst) worst = error, *where = x[i];
        }
    }
    return worst;
}

static double sigmoid(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static void check_ulp(row_fn *fn, double (*exact)(double), double limit, const char *what) {
    float where = 0;
    double worst = worst_ulp(fn, exact, &where);
    if (!(worst <= limit)) FAIL("%s is off by %.3f ulp at %a", what, worst, (double)where);
    printf("%s: %.2f ulp at %g\n", what, worst, (double)where);
}

TEST(exp_tanh_and_sigmoid_keep_their_ulp_at_every_level) {
    for (tn_cpu_level level = TN_CPU_REF; level <= TN_CPU_AVX512; level++) {
        const tn_kernels *k = tn_kernels_of(level);
        if (!k) continue;
        check_ulp(k->exp, exp, 2, "exp");
        check_ulp(k->tanh, tanh, 2, "tanh");
        check_ulp(k->sigmoid, sigmoid, 3, "sigmoid");
    }
}

TEST_MAIN
