/* op_matmul.h - the product behind matmul and linear. */
#ifndef TN_OP_MATMUL_H
#define TN_OP_MATMUL_H
#include "core/graph/graph_priv.h"

/* c = a b, or c += a b; the last two axes are matrices, leading ones broadcast to those of c, which
 * is contiguous. epilogue: F32 only. false: error noted. */
bool tn_product(tern_graph *g, tern_tensor *c, tern_tensor *a, tern_tensor *b, bool add,
                const tn_epilogue *epilogue);
/* A header over t with the last two axes exchanged. */
tern_tensor tn_transposed(const tern_tensor *t);

#endif
