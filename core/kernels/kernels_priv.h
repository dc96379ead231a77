/* kernels_priv.h - one function per level: it overwrites the entries that the level does better.
 * Call only those that the processor has. */
#ifndef TN_KERNELS_PRIV_H
#define TN_KERNELS_PRIV_H
#include "core/kernels/kernels.h"

void tn_kernels_fill_ref(tn_kernels *k); /* fills every entry */
void tn_kernels_fill_ref_f64(tn_kernels_f64 *k);
void tn_kernels_fill_neon(tn_kernels *k);
void tn_kernels_fill_avx2(tn_kernels *k);
void tn_kernels_fill_avx512(tn_kernels *k);
void tn_kernels_fill_avx512vnni(tn_kernels *k);

#endif
