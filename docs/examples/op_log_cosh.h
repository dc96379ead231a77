/* op_log_cosh.h - y = log cosh x. (An operation of the library is declared in tern/graph.h.) */
#ifndef TN_OP_LOG_COSH_H
#define TN_OP_LOG_COSH_H
#include "core/graph/graph_priv.h"

tern_tensor *tern_log_cosh(tern_graph *g, tern_tensor *x);

#endif
