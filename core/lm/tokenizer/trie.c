/* trie.c - see trie.h. Linear probing, at most 3/4 full. */
#include "core/lm/tokenizer/trie.h"
#include "core/base/mem.h"

void tn_trie_deinit(tn_trie *t) {
    tn_free(t->edges);
    tn_free(t->values);
    *t = (tn_trie){0};
}

static uint32_t slot_of(uint32_t from, uint8_t byte, uint32_t mask) {
    uint64_t h = ((uint64_t)from << 8 | byte) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32) & mask;
}

static struct tn_trie_edge *find(const tn_trie *t, uint32_t from, uint8_t byte) {
    uint32_t mask = t->n_slots - 1, i = slot_of(from, byte, mask);
    while (t->edges[i].from_plus1 &&
           !(t->edges[i].from_plus1 == from + 1 && t->edges[i].byte == byte))
        i = (i + 1) & mask;
    return &t->edges[i];
}

int64_t tn_trie_step(const tn_trie *t, int64_t node, uint8_t byte) {
    if (t->n_slots == 0) return TN_TRIE_NONE;
    const struct tn_trie_edge *e = find(t, (uint32_t)node, byte);
    return e->from_plus1 ? (int64_t)e->to : TN_TRIE_NONE;
}

static int rehash(tn_trie *t, uint32_t n_slots) {
    struct tn_trie_edge *old = t->edges, *edges = tn_calloc(n_slots, sizeof *edges);
    if (!edges) return -1;
    uint32_t n_old = t->n_slots;
    t->edges = edges;
    t->n_slots = n_slots;
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i].from_plus1) *find(t, old[i].from_plus1 - 1, old[i].byte) = old[i];
    tn_free(old);
    return 0;
}

static int add_node(tn_trie *t) {
    if (t->n_nodes >= UINT32_MAX / 2 || TN_GROW(t->values, t->nodes_cap, t->n_nodes + 1) != 0)
        return -1;
    t->values[t->n_nodes++] = TN_TRIE_NONE;
    return 0;
}

int tn_trie_add(tn_trie *t, const char *s, size_t len, int32_t value) {
    if (t->n_nodes == 0 && add_node(t) != 0) return -1;
    uint32_t node = TN_TRIE_ROOT;
    for (size_t i = 0; i < len; i++) {
        if ((uint64_t)(t->n_edges + 1) * 4 > (uint64_t)t->n_slots * 3 &&
            rehash(t, t->n_slots ? 2 * t->n_slots : 64) != 0)
            return -1;
        struct tn_trie_edge *e = find(t, node, (uint8_t)s[i]);
        if (!e->from_plus1) {
            if (add_node(t) != 0) return -1;
            *e = (struct tn_trie_edge){node + 1, (uint32_t)t->n_nodes - 1, (uint8_t)s[i]};
            t->n_edges++;
        }
        node = e->to;
    }
    t->values[node] = value;
    return 0;
}
