/* gate.c - the no-loss gate, as a table of what was measured. */
#include "retriever/gate.h"
#include <stddef.h>
#include <string.h>

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
