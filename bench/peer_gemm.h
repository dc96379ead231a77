/* peer_gemm.h - somebody else's matrix product: C[m,n] = A[m,k] B[k,n], row-major, no padding. */
#ifndef BENCH_PEER_GEMM_H
#define BENCH_PEER_GEMM_H
#include <stdbool.h>
#include <stddef.h>

typedef enum gemm_type { GEMM_F32, GEMM_BF16, GEMM_I8 } gemm_type; /* C is f32 */

typedef struct gemm_peer {
    const char *name;
    const char *(*version)(int n_threads); /* and set the number of threads */
    /* Prepare a product; `packed`: B may be brought into the peer's own layout now. NULL: the peer
     * cannot. run() computes it; free() ends it. */
    void *(*open)(gemm_type type, size_t m, size_t n, size_t k, const void *a, const void *b,
                  bool packed, float *c);
    void (*run)(void *product);
    void (*free)(void *product);
} gemm_peer;

extern const gemm_peer gemm_peer_openblas, gemm_peer_dnnl;

#endif
