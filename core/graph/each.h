/* each.h - loops over the elements of tensors with any strides, and over rows.
 * Work is cut by size alone (TN_GRAIN), so results do not depend on the number of threads. */
#ifndef TN_EACH_H
#define TN_EACH_H
#include "core/graph/graph_priv.h"

enum { TN_EACH_MAX = 3 };

/* One run of n elements: operand k starts at offset at[k] and goes on by step[k]. */
typedef void tn_each_fn(void *ud, const size_t *at, const size_t *step, size_t n);

/* Call fn for runs that together cover the shape of t[0]; t[1 .. n_operands) are stretched to it.
 * Axes are merged where all operands allow it. Runs write disjoint elements of t[0]. */
void tn_each(tern_graph *g, tern_tensor *const *t, size_t n_operands, tn_each_fn *fn, void *ud);

/* to = from, or to += from; from is stretched to the shape of to. F32 or F64, any strides. */
void tn_copy(tern_graph *g, tern_tensor *to, const tern_tensor *from, bool add);

#endif
