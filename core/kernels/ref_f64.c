/* ref_f64.c - the double table: the bodies of ref.c, compiled for double. */
#include "core/kernels/kernels_priv.h"
#define TN_REAL double
#include "core/kernels/ref_body.h"

void tn_kernels_fill_ref_f64(tn_kernels_f64 *k) {
    *k = (tn_kernels_f64){TN_REF_ENTRIES};
}
