/* strmap.c - see strmap.h. Open addressing with linear probing over XXH3, at most 3/4 full. */
#include "core/base/strmap.h"
#include "core/base/mem.h"
#include <string.h>
#include <xxhash.h>

void tn_strmap_deinit(tn_strmap *m) {
    tn_free(m->slots);
    tn_free(m->keys);
    tn_arena_deinit(&m->arena);
    *m = (tn_strmap){0};
}

static uint32_t *slot_of(const tn_strmap *m, const char *key, size_t len, uint32_t hash) {
    uint32_t mask = m->n_slots - 1;
    for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t k = m->slots[i];
        if (k == 0) return &m->slots[i];
        const struct tn_strmap_key *e = &m->keys[k - 1];
        if (e->hash == hash && e->len == len && memcmp(e->s, key, len) == 0) return &m->slots[i];
    }
}

static int rehash(tn_strmap *m, uint32_t n_slots) {
    uint32_t *slots = tn_calloc(n_slots, sizeof *slots);
    if (!slots) return -1;
    for (uint32_t k = 0; k < m->n; k++) {
        uint32_t i = m->keys[k].hash & (n_slots - 1);
        while (slots[i]) i = (i + 1) & (n_slots - 1);
        slots[i] = k + 1;
    }
    tn_free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    return 0;
}

uint32_t tn_strmap_add(tn_strmap *m, const char *key, size_t len) {
    if (len > UINT32_MAX || m->n >= UINT32_MAX / 2) return TN_STRMAP_NONE;
    if (m->n_slots == 0 || (uint64_t)(m->n + 1) * 4 > (uint64_t)m->n_slots * 3)
        if (rehash(m, m->n_slots ? m->n_slots * 2 : 64) != 0) return TN_STRMAP_NONE;
    uint32_t hash = (uint32_t)XXH3_64bits(key, len);
    uint32_t *slot = slot_of(m, key, len, hash);
    if (*slot) return *slot - 1;
    if (TN_GROW(m->keys, m->keys_cap, m->n + 1) != 0) return TN_STRMAP_NONE;
    char *copy = tn_arena_strndup(&m->arena, key, len);
    if (!copy) return TN_STRMAP_NONE;
    m->keys[m->n] = (struct tn_strmap_key){copy, (uint32_t)len, hash};
    *slot = ++m->n;
    return m->n - 1;
}

uint32_t tn_strmap_find(const tn_strmap *m, const char *key, size_t len) {
    if (m->n_slots == 0) return TN_STRMAP_NONE;
    uint32_t k = *slot_of(m, key, len, (uint32_t)XXH3_64bits(key, len));
    return k ? k - 1 : TN_STRMAP_NONE;
}

size_t tn_strmap_bytes(const tn_strmap *m) {
    return m->n_slots * sizeof *m->slots + m->keys_cap * sizeof *m->keys + m->arena.n_bytes;
}
