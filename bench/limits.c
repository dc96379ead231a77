/* limits.c - see limits.h. */
#include "bench/limits.h"
#include "bench/gemm_peak.h"
#include "core/base/clock.h"
#include "core/kernels/gemm_priv.h"
#include <string.h>

#include "core/base/mem.h"

enum { LOOKS = 8, BANDWIDTH_BYTES = 512 << 20, STEPS = 400000 };

typedef struct peak_job {
    gemm_peak_fn *fn;
    double ops[64];
} peak_job;

static void peak_chunk(void *arg, size_t begin, size_t end, int worker) {
    peak_job *j = arg;
    float sink = 0;
    (void)worker;
    for (size_t i = begin; i < end; i++) j->ops[i] = j->fn(STEPS, &sink);
}

static double peak(tn_pool *pool, gemm_peak_fn *fn) {
    double best = 0;
    size_t n = (size_t)tn_pool_n_threads(pool);
    if (n > 64) n = 64;
    for (int look = 0; look < LOOKS; look++) {
        peak_job job = {.fn = fn};
        double ops = 0;
        uint64_t start = tn_clock_ns();
        tn_pool_for(pool, n, 1, peak_chunk, &job);
        double seconds = (double)(tn_clock_ns() - start) * 1e-9;
        for (size_t i = 0; i < n; i++) ops += job.ops[i];
        if (ops / seconds > best) best = ops / seconds;
    }
    return best;
}

static void read_chunk(void *arg, size_t begin, size_t end, int worker) {
    const uint64_t *words = arg;
    uint64_t sums[8] = {0};
    (void)worker;
    for (size_t i = begin; i < end; i += 8)
        for (size_t j = 0; j < 8; j++) sums[j] += words[i + j];
    volatile uint64_t sink = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6];
    (void)sink;
}

static double bandwidth(tn_pool *pool) {
    size_t n = BANDWIDTH_BYTES / sizeof(uint64_t);
    uint64_t *words = tn_alloc(BANDWIDTH_BYTES);
    double best = 0;
    if (!words) return 0;
    memset(words, 1, BANDWIDTH_BYTES);
    for (int look = 0; look < LOOKS; look++) {
        uint64_t start = tn_clock_ns();
        tn_pool_for(pool, n, n / 64, read_chunk, words);
        double rate = BANDWIDTH_BYTES / ((double)(tn_clock_ns() - start) * 1e-9);
        if (rate > best) best = rate;
    }
    tn_free(words);
    return best;
}

bench_limits bench_measure_limits(tn_pool *pool, const tn_gemm *gemm) {
    const tn_gemm_set *set = gemm->set;
    bench_limits l = {.bf16_name = "no vector instruction"};
    gemm_peak_fn *fn = NULL;
#if defined(__x86_64__)
    if (set->bf16 == &tn_ukr_bf16_amx)
        l.bf16_name = "TDPBF16PS", fn = gemm_peak_amx;
    else if (set->bf16 == &tn_ukr_bf16_avx512bf16)
        l.bf16_name = "VDPBF16PS", fn = gemm_peak_avx512bf16;
    else if (set->f32 == &tn_ukr_f32_avx512)
        l.bf16_name = "VFMADD zmm", fn = gemm_peak_avx512;
    else if (set->f32 == &tn_ukr_f32_avx2)
        l.bf16_name = "VFMADD ymm", fn = gemm_peak_avx2;
#elif defined(__aarch64__)
    l.bf16_name = "FMLA", fn = gemm_peak_neon;
#endif
    (void)set;
    if (fn) l.bf16 = peak(pool, fn);
    l.bytes = bandwidth(pool);
    return l;
}
