/* bm25_heap.c - the k best hits, by descending score, ties by ascending ref. */
#include "retriever/text/bm25_priv.h"

static void sift_down(tern_hit *h, size_t n, size_t i) {
    const tern_hit moved = h[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && tn_hit_is_worse(h[child + 1].score, h[child + 1].ref, &h[child]))
            child++;
        if (!tn_hit_is_worse(h[child].score, h[child].ref, &moved)) break;
        h[i] = h[child];
    }
    h[i] = moved;
}

static void sift_up(tern_hit *h, size_t i) {
    const tern_hit moved = h[i];
    for (size_t parent; i > 0; i = parent) {
        parent = (i - 1) / 2;
        if (!tn_hit_is_worse(moved.score, moved.ref, &h[parent])) break;
        h[i] = h[parent];
    }
    h[i] = moved;
}

void tn_hit_heap_add(tn_hit_heap *h, uint32_t ref, float score) {
    const tern_hit hit = {.ref = ref, .score = score, .bm25 = score};
    if (h->n < h->k) {
        h->hits[h->n] = hit;
        sift_up(h->hits, h->n++);
    } else if (!tn_hit_is_worse(score, ref, &h->hits[0])) {
        h->hits[0] = hit;
        sift_down(h->hits, h->n, 0);
    }
}

void tn_hit_heap_sort(tn_hit_heap *h) {
    for (size_t n = h->n; n > 1; n--) {
        const tern_hit worst = h->hits[0];
        h->hits[0] = h->hits[n - 1];
        h->hits[n - 1] = worst;
        sift_down(h->hits, n - 1, 0);
    }
    for (size_t i = 0; i < h->n; i++) h->hits[i].rank_bm25 = (uint32_t)i + 1;
}
