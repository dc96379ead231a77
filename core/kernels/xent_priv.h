/* xent_priv.h - the double form of cross-entropy, and the check of its arguments. */
#ifndef TN_XENT_PRIV_H
#define TN_XENT_PRIV_H
#include "core/kernels/xent.h"

tern_status tn_xent_check(const tn_xent_args *a, tern_error *err);
tern_status tn_xent_f64(const tn_xent_args *a, double *loss, double *lse, tern_error *err);
tern_status tn_xent_backward_f64(const tn_xent_args *a, const double *lse, const double *dloss,
                                 double *dh, double *dw, tern_error *err);

#endif
