/* dot.h - inner products of one vector with many rows. */
#ifndef TN_DOT_H
#define TN_DOT_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* out[i] = <x, row i> for i < n; rows[n][dim], any alignment. Products are summed in 32 lanes, and
 * the lanes in a fixed order, without fused multiply-adds: a row gives the same bits alone, among
 * others, and on every processor. */
void tn_dot_rows(const float *x, const float *rows, size_t dim, size_t n, float *out);
/* The same for rows of bytes: exact; dim < 2^17. */
void tn_dot_rows_i8(const int8_t *x, const int8_t *rows, size_t dim, size_t n, int32_t *out);

#ifdef __cplusplus
}
#endif
#endif
