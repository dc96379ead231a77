/* embedder.c - the embedders an index may have, by the name its manifest gives. */
#include "retriever/dense/neural.h"
#include <string.h>

tern_status tn_embedder_open(const char *name, const char *file, tern_embedder **out,
                             tern_error *err) {
    return strcmp(name, TN_NEURAL) == 0 ? tn_neural_open(file, 0, out, err)
                                        : tn_lsa_open(file, out, err);
}
