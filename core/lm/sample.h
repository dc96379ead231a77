/* sample.h - from logits to a token.
 * The order is that of transformers: temperature, top-k, top-p, min-p. */
#ifndef TN_LM_SAMPLE_H
#define TN_LM_SAMPLE_H
#include "core/base/rng.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tn_sample_opts {
    float temperature; /* 0: the best token, the lowest id among equals; nothing else counts */
    uint32_t top_k;    /* only the k likeliest; 0: all */
    float top_p;       /* only the likeliest that together reach p of what top-k left; 1: all */
    float min_p;       /* only tokens of at least min_p times the likeliest one's probability */
} tn_sample_opts;

/* Draw from logits[n]; n >= 1. scratch [2 n] floats. Takes one draw of rng unless temperature is 0.
 * Returns the token and its log-probability under softmax(logits), natural, whatever the options:
 * what the model says of the token, comparable between them. NaN counts as -inf. */
int32_t tn_sample(const float *logits, size_t n, const tn_sample_opts *opts, tn_rng *rng,
                  float *scratch, float *log_prob);

#endif
