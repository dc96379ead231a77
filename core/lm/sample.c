/* sample.c - see sample.h. Candidates come off a heap in order of probability, so that a short
 * list of a large vocabulary is found without sorting it. */
#include "core/lm/sample.h"
#include "core/kernels/kernels.h"
#include <math.h>
#include <stdbool.h>

#include "core/base/mem.h"

static size_t argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best] || isnan(x[best])) best = i;
    return best;
}

/* Likelier first; among equals the lower id. */
static bool before(const float *p, uint32_t a, uint32_t b) {
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sift(const float *p, uint32_t *heap, size_t n, size_t i) {
    uint32_t moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(p, heap[child + 1], heap[child])) child++;
        if (!before(p, heap[child], moving)) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static uint32_t pop(const float *p, uint32_t *heap, size_t *n) {
    uint32_t top = heap[0];
    heap[0] = heap[--*n];
    if (*n > 0) sift(p, heap, *n, 0);
    return top;
}

/* Move the kept candidates, likeliest first, to the end of heap[n]: the k-th popped stands at
 * heap[n - 1 - k], where the shrinking heap left room. Returns how many. */
static size_t keep(const float *p, uint32_t *heap, size_t n, const tn_sample_opts *o) {
    size_t left = n, k_max = o->top_k > 0 && o->top_k < n ? o->top_k : n, n_kept = 0;
    double mass = 0, reached = 0;
    for (size_t i = n / 2; i-- > 0;) sift(p, heap, n, i);
    if (o->top_p < 1 && k_max == n) {
        for (size_t i = 0; i < n; i++) mass += p[heap[i]];
    } else if (o->top_p < 1) { /* top-p is a share of what top-k leaves */
        while (n_kept < k_max) {
            uint32_t id = pop(p, heap, &left);
            heap[n - 1 - n_kept++] = id;
            mass += p[id];
        }
        for (size_t i = 0; i < n_kept; i++) {
            reached += p[heap[n - 1 - i]];
            if (reached >= o->top_p * mass) return i + 1;
        }
        return n_kept;
    }
    while (n_kept < k_max && (o->top_p >= 1 || n_kept == 0 || reached < o->top_p * mass)) {
        uint32_t id = pop(p, heap, &left);
        heap[n - 1 - n_kept++] = id;
        reached += p[id];
    }
    return n_kept;
}

static uint32_t draw(const float *p, const uint32_t *ids, size_t n, double u) {
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) total += p[ids[i]];
    for (size_t i = 0; i < n; i++) {
        sum += p[ids[i]];
        if (u * total < sum) return ids[i];
    }
    return ids[n - 1];
}

int32_t tn_sample(const float *logits, size_t n, const tn_sample_opts *o, tn_rng *rng,
                  float *scratch, float *log_prob) {
    const tn_kernels *k = tn_kernels_get();
    float *p = scratch;
    uint32_t *ids = (uint32_t *)(void *)(scratch + n);
    size_t best = argmax(logits, n), token = best;
    for (size_t i = 0; i < n; i++) p[i] = isnan(logits[i]) ? -INFINITY : logits[i];
    if (o->temperature > 0 && isfinite(logits[best])) {
        k->scale(p, 1 / o->temperature, n);
        k->softmax(p, p, n);
        float least = o->min_p * p[best];
        size_t n_ids = 0;
        for (size_t i = 0; i < n; i++)
            if (p[i] > 0 && p[i] >= least) ids[n_ids++] = (uint32_t)i;
        bool all = o->top_p >= 1 && (o->top_k == 0 || o->top_k >= n_ids);
        size_t n_kept = all ? n_ids : keep(p, ids, n_ids, o);
        token = draw(p, ids + (n_ids - n_kept), n_kept, tn_rng_uniform(rng));
        for (size_t i = 0; i < n; i++) p[i] = isnan(logits[i]) ? -INFINITY : logits[i];
    }
    float lse = k->softmax(p, p, n);
    *log_prob = isnan(logits[token]) ? -INFINITY : logits[token] - lse;
    return (int32_t)token;
}
