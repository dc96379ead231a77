/* fuzz_lsa.c - an embedder model with right checksums and any contents: it opens or is refused, and
 * what opens can embed. The input is the payload of a model file. */
#include "retriever/dense/lsa_priv.h"
#include "tests/fuzz/fuzz_blockfile.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_wrap(data, size, TN_KIND_LSA);
    tern_embedder *e;
    tern_error err;
    if (tn_lsa_open(path, &e, &err) == TERN_OK) {
        const char *text = "t1w1 t2w2 common3 common7 of the t1w1";
        size_t len = strlen(text);
        float *out = calloc(e->dim, sizeof *out);
        if (out && e->embed(e, &text, &len, 1, true, out, &err) != TERN_OK) out[0] = 0;
        free(out);
        e->free(e);
    }
    unlink(path);
    return 0;
}
