/* attention_priv.h - what the files of attention share: the shape's check and its mask. */
#ifndef TN_ATTENTION_PRIV_H
#define TN_ATTENTION_PRIV_H
#include "core/kernels/attention.h"

/* The keys that a query sees: every mask here is one range [begin, end), never empty. */
typedef struct tn_key_range {
    size_t begin, end;
} tn_key_range;

/* Query `row` of a sequence of n tokens. */
static inline tn_key_range tn_attention_keys(const tn_attention_shape *s, size_t row, size_t n) {
    tn_key_range r = {0, s->causal ? row + 1 : n};
    if (s->window && row + 1 > s->window) r.begin = row + 1 - s->window;
    if (s->window && s->window < n - row && !s->causal) r.end = row + s->window;
    return r;
}

/* ARG: dimensions that do not fit; `packed`: seq_begin and kv_stride count too. */
tern_status tn_attention_check(const tn_attention_shape *s, bool packed, tern_error *err);

#endif
