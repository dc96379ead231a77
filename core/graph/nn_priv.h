/* nn_priv.h - what the files of modules share. */
#ifndef TN_NN_PRIV_H
#define TN_NN_PRIV_H
#include "core/graph/graph_priv.h"
#include "tern/nn.h"

/* Fill t, a named parameter, from (seed, name). */
void tn_init_draw(tern_tensor *t, tern_init init, uint64_t seed);

/* "prefix.leaf", or leaf alone for an empty prefix, into buf; too long a name is cut, and refused
 * by tern_params_add. Returns buf. */
enum { TN_NAME_BYTES = 256 };
const char *tn_nn_name(char *buf /* [TN_NAME_BYTES] */, const char *prefix, const char *leaf);

#endif
