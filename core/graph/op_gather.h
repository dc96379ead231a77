/* op_gather.h - the sum that undoes tern_index_rows; sets are summed with it too. */
#ifndef TN_OP_GATHER_H
#define TN_OP_GATHER_H
#include "core/graph/graph_priv.h"

/* y[n_rows, W], y[index[i],:] = sum of x[i,:]: x holds size(index) rows of W elements. */
tern_tensor *tn_scatter_rows(tern_graph *g, tern_tensor *x, tern_tensor *index, size_t n_rows);

#endif
