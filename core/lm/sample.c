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

/* From all n tokens: the block in which the draw falls, then the token in it. */
static uint32_t draw_any(const float *p, size_t n, double u) {
    enum { BLOCK = 512 };
    const tn_kernels *k = tn_kernels_get();
    double total = 0, sum = 0;
    size_t last = 0; /* the last token that can be drawn */
    for (size_t i = 0; i < n; i += BLOCK) total += k->sum(p + i, n - i < BLOCK ? n - i : BLOCK);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = n - i < BLOCK ? n - i : BLOCK;
        double part = k->sum(p + i, m);
        if (u * total >= sum + part) {
            sum += part;
            continue;
        }
        for (size_t j = i; j < i + m; j++) {
            if (p[j] <= 0) continue;
            last = j;
            sum += p[j];
            if (u * total < sum) return (uint32_t)j;
        }
        return (uint32_t)last; /* rounding: the draw lies at the very end of the block */
    }
    for (size_t i = n; i-- > 0;)
        if (p[i] > 0) return (uint32_t)i;
    return 0;
}

/* p = softmax(logits / temperature); returns log sum exp(logits / temperature). NaN is -inf. */
static float spread(const float *logits, size_t n, float temperature, float *p) {
    const tn_kernels *k = tn_kernels_get();
    memcpy(p, logits, n * sizeof *p);
    if (temperature != 1) k->scale(p, 1 / temperature, n);
    float lse = k->softmax(p, p, n);
    if (!isnan(lse)) return lse;
    for (size_t i = 0; i < n; i++) p[i] = isnan(logits[i]) ? -INFINITY : logits[i] / temperature;
    return k->softmax(p, p, n);
}

int32_t tn_sample(const float *logits, size_t n, const tn_sample_opts *o, tn_rng *rng,
                  float *scratch, float *log_prob) {
    float *p = scratch, lse;
    uint32_t *ids = (uint32_t *)(void *)(scratch + n);
    size_t best = argmax(logits, n), token = best;
    if (o->temperature > 0 && isfinite(logits[best])) {
        lse = spread(logits, n, o->temperature, p);
        double u = tn_rng_uniform(rng);
        if (o->top_p >= 1 && o->min_p <= 0 && (o->top_k == 0 || o->top_k >= n)) {
            token = draw_any(p, n, u);
        } else {
            float least = o->min_p * p[best];
            size_t n_ids = 0;
            for (size_t i = 0; i < n; i++)
                if (p[i] > 0 && p[i] >= least) ids[n_ids++] = (uint32_t)i;
            bool all = o->top_p >= 1 && (o->top_k == 0 || o->top_k >= n_ids);
            size_t n_kept = all ? n_ids : keep(p, ids, n_ids, o);
            token = draw(p, ids + (n_ids - n_kept), n_kept, u);
        }
        if (o->temperature != 1) lse = spread(logits, n, 1, p);
    } else {
        lse = spread(logits, n, 1, p);
    }
    *log_prob = isnan(logits[token]) ? -INFINITY : logits[token] - lse;
    return (int32_t)token;
}
