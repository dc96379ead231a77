/* rng.c - see rng.h. */
#include "core/base/rng.h"
#include <math.h>

void tn_philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t t1 = c1, t3 = c3;
        c0 = (uint32_t)(p1 >> 32) ^ t1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ t3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

uint64_t tn_rng_u64(tn_rng *r) {
    uint64_t block = r->n >> 1;
    uint32_t ctr[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r->stream,
                       (uint32_t)(r->stream >> 32)};
    uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}, out[4];
    tn_philox4x32(ctr, key, out);
    const uint32_t *half = out + 2 * (r->n++ & 1);
    return half[0] | (uint64_t)half[1] << 32;
}

uint64_t tn_rng_below(tn_rng *r, uint64_t n) {
    uint64_t limit = UINT64_MAX - UINT64_MAX % n; /* a multiple of n: draws above it would bias */
    uint64_t x;
    do x = tn_rng_u64(r);
    while (x >= limit);
    return x % n;
}

double tn_rng_uniform(tn_rng *r) {
    return (double)(tn_rng_u64(r) >> 11) * 0x1p-53;
}

double tn_rng_normal(tn_rng *r) {
    double u = 1.0 - tn_rng_uniform(r), v = tn_rng_uniform(r); /* u in (0, 1] */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
