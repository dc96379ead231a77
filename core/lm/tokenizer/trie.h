/* trie.h - byte strings -> numbers, walked a byte at a time: common prefixes in one pass.
 * One hash table of (node, byte) -> node, so that a large vocabulary costs 12 bytes an edge. */
#ifndef TN_TOK_TRIE_H
#define TN_TOK_TRIE_H
#include <stddef.h>
#include <stdint.h>

enum { TN_TRIE_ROOT = 0, TN_TRIE_NONE = -1 };

typedef struct tn_trie {
    struct tn_trie_edge {
        uint32_t from_plus1; /* 0: empty slot */
        uint32_t to;
        uint8_t byte;
    } * edges;
    uint32_t n_edges, n_slots; /* n_slots: power of two, or 0 */
    int32_t *values;           /* by node; TN_TRIE_NONE: no string ends here */
    size_t n_nodes, nodes_cap;
} tn_trie; /* zero-initialise to start */

void tn_trie_deinit(tn_trie *t);
/* Map a string (len >= 1) to a value >= 0, replacing the former one. 0, or -1: no memory. */
int tn_trie_add(tn_trie *t, const char *s, size_t len, int32_t value);
/* The node after one more byte, or TN_TRIE_NONE. */
int64_t tn_trie_step(const tn_trie *t, int64_t node, uint8_t byte);
static inline int32_t tn_trie_value(const tn_trie *t, int64_t node) {
    return t->values[node];
}

#endif
