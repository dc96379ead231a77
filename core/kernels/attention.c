/* attention.c - attention over packed sequences (attention.h). */
#include "core/kernels/attention_priv.h"
#include <math.h>

#include "core/base/mem.h"
#define TN_REAL  float
#define FORWARD  tn_attention
#define BACKWARD tn_attention_backward
#include "core/kernels/attention_ref.h"

tern_status tn_attention_check(const tn_attention_shape *s, bool packed, tern_error *err) {
    size_t q_width = s->n_heads * s->head_dim, kv_width = s->n_kv_heads * s->head_dim;
    if (s->head_dim == 0 || s->head_dim > TN_HEAD_DIM_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "attention: head_dim %zu is not in 1..%d",
                         s->head_dim, TN_HEAD_DIM_MAX);
    if (s->n_kv_heads == 0 || s->n_heads == 0 || s->n_heads % s->n_kv_heads != 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "attention: %zu heads cannot share %zu kv heads",
                         s->n_heads, s->n_kv_heads);
    if (s->q_stride < q_width || (packed && s->kv_stride < kv_width))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "attention: strides %zu and %zu are below the rows of %zu and %zu",
                         s->q_stride, s->kv_stride, q_width, kv_width);
    for (size_t i = 0; packed && i < s->n_seqs; i++)
        if (s->seq_begin[i] < 0 || s->seq_begin[i + 1] < s->seq_begin[i])
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "attention: sequence %zu begins at %d, ends at %d", i,
                             (int)s->seq_begin[i], (int)s->seq_begin[i + 1]);
    return TERN_OK;
}
