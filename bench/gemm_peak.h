/* gemm_peak.h - the limits bench_gemm holds its figures against, measured in the same run. */
#ifndef BENCH_GEMM_PEAK_H
#define BENCH_GEMM_PEAK_H
#include <stddef.h>

/* Issue the instruction `steps` times on 12 independent sums (tiles: 4) that live in registers;
 * returns the operations done (a multiply-add is 2). `sink` keeps the compiler honest. */
typedef double gemm_peak_fn(size_t steps, float *sink);

gemm_peak_fn gemm_peak_avx2, gemm_peak_avx512, gemm_peak_avx512bf16, gemm_peak_avx512vnni,
    gemm_peak_amx, gemm_peak_neon;

#endif
