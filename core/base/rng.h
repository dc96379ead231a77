/* rng.h - counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 * The n-th draw of a stream is a pure function of (seed, stream, n): streams can be handed to
 * episodes or tiles, and results do not depend on how many threads run them. */
#ifndef TN_RNG_H
#define TN_RNG_H
#include <stdint.h>

typedef struct tn_rng {
    uint64_t seed, stream;
    uint64_t n; /* 64-bit draws made so far */
} tn_rng;

/* One Philox block: ctr[4], key[2] -> out[4]. Exposed for tests against the published vectors. */
void tn_philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

static inline tn_rng tn_rng_init(uint64_t seed, uint64_t stream) {
    return (tn_rng){seed, stream, 0};
}
uint64_t tn_rng_u64(tn_rng *r);
uint64_t tn_rng_below(tn_rng *r, uint64_t n); /* uniform in [0, n), unbiased; n >= 1 */
double tn_rng_uniform(tn_rng *r);             /* [0, 1), 53 bits */
double tn_rng_normal(tn_rng *r);              /* N(0, 1), Box-Muller; takes two draws */

#endif
