/* bm25_cursor.c - decoding, scoring and bounding one term's list. */
#include "retriever/text/bm25_priv.h"

#include "core/base/mem.h"

enum { NONE = -1 };

tern_status tn_cursor_open(tn_cursor *c, const tn_inv *inv, const tn_term *term, float weight,
                           tern_error *err) {
    c->term = *term;
    c->weight = weight;
    c->is_scored = false;
    c->block = UINT32_MAX;
    c->next = c->n = c->at = 0;
    c->tail_bound = NONE;
    return tn_inv_postings(inv, term, &c->list, err);
}

tern_status tn_cursor_load(const tn_seg_search *g, tn_cursor *c, uint32_t block) {
    if (c->block == block) return TERN_OK;
    c->block = block;
    c->at = 0;
    c->is_scored = false;
    if (tn_postings_decode(&c->list, block, c->docs, c->tfs, &c->n) == TERN_OK) return TERN_OK;
    c->block = UINT32_MAX;
    return tn_inv_corrupt(g->inv, g->inv->postings, &c->term, g->err);
}

void tn_cursor_score(const tn_seg_search *g, tn_cursor *c) {
    if (c->is_scored) return;
    uint32_t lens[TN_POSTINGS_BLOCK];
    const tn_bm25_norm norm = g->norm;
    const float weight = c->weight;
    for (uint32_t i = 0; i < c->n; i++) lens[i] = g->inv->lens[c->docs[i]];
    for (uint32_t i = 0; i < c->n; i++)
        c->scores[i] = tn_bm25_score(weight, norm, c->tfs[i], lens[i]);
    c->is_scored = true;
}

float tn_cursor_block_bound(const tn_seg_search *g, const tn_cursor *c, uint32_t block) {
    if (block == c->list.n_blocks) return c->tail_bound;
    const tn_block_meta *m = &c->list.metas[block];
    /* tf / (tf + K) < 1 bounds a block whose greatest tf did not fit its field. */
    if (m->max_tf == TN_TF_SATURATED) return c->weight;
    return tn_bm25_score(c->weight, g->norm, m->max_tf, m->min_len);
}

static tern_status bound_tail(const tn_seg_search *g, tn_cursor *c) {
    tern_status st = tn_cursor_load(g, c, c->list.n_blocks);
    if (st != TERN_OK) return st;
    tn_cursor_score(g, c);
    c->tail_bound = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->scores[i] > c->tail_bound) c->tail_bound = c->scores[i];
    return TERN_OK;
}

tern_status tn_cursor_bound(const tn_seg_search *g, tn_cursor *c, uint32_t begin, uint32_t end,
                            float *bound, uint64_t *n) {
    const tn_block_meta *metas = c->list.metas;
    const uint32_t n_blocks = c->list.n_blocks;
    while (c->next < n_blocks && metas[c->next].last_doc < begin) c->next++;
    float most = 0;
    uint32_t b = c->next;
    for (; b < n_blocks && (b == c->next || metas[b - 1].last_doc + 1 < end); b++) {
        float bound_b = tn_cursor_block_bound(g, c, b);
        if (bound_b > most) most = bound_b;
    }
    *n = (uint64_t)(b - c->next) * TN_POSTINGS_BLOCK;
    if (b == n_blocks && (b == 0 || metas[b - 1].last_doc + 1 < end)) {
        if (c->tail_bound < 0) {
            tern_status st = bound_tail(g, c);
            if (st != TERN_OK) return st;
        }
        if (c->tail_bound > most) most = c->tail_bound;
        *n += c->list.n_tail;
    }
    *bound = most;
    return TERN_OK;
}

uint32_t tn_cursor_block_of(const tn_cursor *c, uint32_t doc) {
    const tn_block_meta *metas = c->list.metas;
    const uint32_t n_blocks = c->list.n_blocks;
    uint32_t b = c->next;
    if (c->block != UINT32_MAX && c->block > b && metas[c->block - 1].last_doc < doc) b = c->block;
    while (b < n_blocks && metas[b].last_doc < doc) b++;
    return b;
}

tern_status tn_cursor_find(const tn_seg_search *g, tn_cursor *c, uint32_t block, uint32_t doc,
                           uint32_t *at) {
    *at = UINT32_MAX;
    tern_status st = tn_cursor_load(g, c, block);
    if (st != TERN_OK || c->n == 0) return st;
    uint32_t low = 0;
    for (uint32_t n = c->n;
         n > 1;) { /* docs[low] is the last one known to be <= doc, or the first */
        uint32_t half = n / 2;
        low = c->docs[low + half] <= doc ? low + half : low;
        n -= half;
    }
    if (c->docs[low] == doc) *at = low;
    return TERN_OK;
}
