/* gate.h - which embedders may take part in ranking unasked.
 * A dense side is mixed into the default mode only after it has shown no loss: hybrid Recall@5 not
 * below BM25's on every set of the table in gate.c. */
#ifndef TN_GATE_H
#define TN_GATE_H
#include <stdbool.h>

bool tn_gate_is_passed(const char *embedder);
#endif
