/* fuzz_run.c - any bytes as a TREC run: parsed or refused, and what was parsed can be judged. */
#include "tern/eval.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char judged[] = "q 0 d 1\nq 0 e 2\nr 0 d 1\n";
    tern_run *r;
    tern_qrels *q;
    tern_error err;
    if (tern_run_parse((const char *)data, size, "fuzz", &r, &err) != TERN_OK) return 0;
    if (tern_qrels_parse(judged, strlen(judged), "qrels", &q, &err) != TERN_OK) abort();
    tern_measure m[] = {{TERN_MEASURE_NDCG, 10}, {TERN_MEASURE_MAP, 0}, {TERN_MEASURE_RECALL, 5}};
    tern_scores s;
    if (tern_evaluate(q, r, m, 3, false, &s, &err) != TERN_OK) abort();
    for (int i = 0; i < 3; i++)
        if (!(s.means[i] >= 0 && s.means[i] <= 1 + 1e-12)) abort();
    tern_scores_free(&s);
    tern_qrels_free(q);
    tern_run_free(r);
    return 0;
}
