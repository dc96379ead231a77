/* fuzz_lm_tokens.c - a token file of any bytes, its checksums set right, opens or is refused; what
 * opens can be read to the end. */
#include "core/base/crc32c.h"
#include "trainer/lm/tokens_priv.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *p = malloc(size + 1); /* malloc's alignment is enough for a view */
    if (!p) return 0;
    memcpy(p, data, size);
    if (size >= TN_TOKENS_HEAD) {
        uint32_t body = tn_crc32c(0, p + TN_TOKENS_HEAD, size - TN_TOKENS_HEAD);
        memcpy(p + TN_TOKENS_BODY_CRC, &body, 4);
        uint32_t head = tn_crc32c(0, p, TN_TOKENS_HEAD_CRC);
        memcpy(p + TN_TOKENS_HEAD_CRC, &head, 4);
    }
    tn_tokens t;
    if (tn_tokens_view(p, size, "fuzz", &t, NULL) == TERN_OK) {
        int64_t sum = 0;
        for (uint64_t d = 0; d < t.n_docs; d++)
            for (uint64_t i = t.doc_begin[d]; i < t.doc_begin[d + 1]; i++)
                sum += tn_tokens_id(&t, i) + (t.tags ? t.tags[i] : 0);
        for (uint64_t r = 0; r < t.n_records * t.kind.n_targets; r++) sum += t.targets[r] > 0;
        if (sum == INT64_MIN) abort(); /* never: but all of it was read */
        static volatile int64_t kept;  /* so that nothing of it is left out */
        kept = sum;
        (void)kept;
    }
    free(p);
    return 0;
}
