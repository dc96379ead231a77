/* fuzz_qrels.c - any bytes as relevance judgements: parsed or refused, and what was parsed can be
 * looked up. */
#include "tern/eval.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_qrels *q;
    tern_error err;
    if (tern_qrels_parse((const char *)data, size, "fuzz", &q, &err) != TERN_OK) return 0;
    uint64_t n = 0;
    for (uint32_t i = 0; i < tern_qrels_n_queries(q) && i < 64; i++)
        for (uint32_t d = 0; d < tern_qrels_n_docs(q) && d < 64; d++)
            n += tern_qrels_get(q, tern_qrels_query(q, i), tern_qrels_doc(q, d)) != TERN_UNJUDGED;
    if (n > tern_qrels_n_judgements(q)) abort();
    if (tern_qrels_n_judgements(q) && !n && tern_qrels_n_queries(q) <= 64 &&
        tern_qrels_n_docs(q) <= 64)
        abort();
    tern_qrels_free(q);
    return 0;
}
