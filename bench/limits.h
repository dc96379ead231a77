/* limits.h - what this machine can do, measured in the run that is held against it. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H
#include "core/base/pool.h"
#include "core/kernels/gemm.h"

typedef struct bench_limits {
    double bf16;           /* operations per second of the instruction bf16 products are made of */
    const char *bf16_name; /* "VDPBF16PS" */
    double bytes;          /* read bandwidth, per second, beyond the caches */
} bench_limits;

/* The best of several looks, all threads of the pool. */
bench_limits bench_measure_limits(tn_pool *pool, const tn_gemm *gemm);

#endif
