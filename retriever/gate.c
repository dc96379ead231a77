/* gate.c - the no-loss gate, as a table of what was measured. */
#include "retriever/gate.h"
#include <stddef.h>
#include <string.h>

/* Recall@2 / Recall@5 in percent, the searcher's defaults (k1 1.2, b 0.75, weight 0.1), each
 * question as prose without quotation marks. Dimension and weight were chosen on the train
 * questions, where hybrid is not below; on the test questions it is, so LSA waits to be asked for.
 *
 *   lsa, 128 dimensions      bm25            hybrid          dense
 *   train  HotpotQA pool     58.7 / 76.77    58.5 / 76.83    29.4 / 43.7      917 questions
 *          MuSiQue pool      42.0 / 49.58    40.0 / 49.67    21.1 / 33.0      100
 *          NQ-gold           78.4 / 87.89    78.4 / 88.08    31.5 / 44.9    7,167
 *   test   HotpotQA pool     57.3 / 74.95    57.1 / 74.70    26.7 / 40.1    1,000
 *          MuSiQue pool      38.4 / 47.09    37.7 / 46.86    18.0 / 28.3      292
 *          NQ-gold           78.6 / 87.49    78.8 / 87.46    32.6 / 45.8    2,990 */
static const struct gate {
    const char *embedder;
    bool passed;
} gates[] = {
    {"lsa", false},
};

bool tn_gate_is_passed(const char *embedder) {
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++)
        if (strcmp(gates[i].embedder, embedder) == 0) return gates[i].passed;
    return false;
}
