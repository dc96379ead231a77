/* fuzz_annotated.c - any bytes as a line of annotated text: counted or refused, and no more is
 * hidden than was marked. */
#include "trainer/mask_recall.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static tn_masker *m;
    tern_error err;
    if (!m && tn_masker_new(&m, &err) != TERN_OK) return 0;
    for (int lower = 0; lower < 2; lower++) {
        tn_mask_recall r = {0};
        if (tn_mask_recall_line(m, (const char *)data, size, lower, &r, &err) != TERN_OK) continue;
        const tn_mask_count *c = &r.all;
        if (c->n_whole > c->n_touched || c->n_touched > c->n_marked) abort();
        if (c->n_letters_hidden > c->n_letters || r.n_spans_right > r.n_spans) abort();
    }
    return 0;
}
