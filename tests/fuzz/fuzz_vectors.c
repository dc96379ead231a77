/* fuzz_vectors.c - a vector file with right checksums and any contents: it opens or is refused, and
 * what opens can be searched. The input is the payload of a vector file. */
#include "retriever/dense/vectors_priv.h"
#include "tests/fuzz/fuzz_blockfile.h"
#include <string.h>

enum { DIM_MAX = 64, DOCS_MAX = 4096, K = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_vectors_header head;
    if (size < sizeof head) return 0;
    memcpy(&head, data, sizeof head);
    if (head.dim > DIM_MAX || head.n > DOCS_MAX) return 0;
    const char *path = fuzz_wrap(data, size, TN_KIND_VECTORS);
    tern_embedder e = {.name = "lsa", .dim = head.dim, .epoch = head.epoch};
    tn_vectors *v;
    tern_error err;
    if (tn_vectors_open(path, &e, head.n, &v, &err) == TERN_OK) {
        static const uint64_t some[DOCS_MAX / 64] = {0x5555555555555555, 0xff};
        float query[DIM_MAX], sims[K], sim;
        uint32_t docs[K];
        size_t n;
        for (int i = 0; i < DIM_MAX; i++) query[i] = (float)(i % 5) - 2;
        if (tn_vectors_search(v, query, NULL, K, docs, sims, &n, &err) == TERN_OK)
            for (size_t i = 0; i < n; i++)
                if (docs[i] >= head.n) abort();
        if (tn_vectors_search(v, query, some, K, docs, sims, &n, &err) == TERN_OK)
            for (size_t i = 0; i < n; i++)
                if (docs[i] >= head.n || !(some[docs[i] / 64] >> docs[i] % 64 & 1)) abort();
        if (tn_vectors_sim(v, query, head.n / 2, &sim, &err) == TERN_OK) (void)sim;
        tn_vectors_close(v);
    }
    unlink(path);
    return 0;
}
