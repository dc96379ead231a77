/* word_memo.c - see word_memo.h. Open addressing with linear probing. */
#include "retriever/text/word_memo.h"
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

enum { SLOTS_MIN = 1024 };

_Static_assert(sizeof(tn_memo_entry) == 32, "two slots to a cache line");

void tn_word_memo_deinit(tn_word_memo *m) {
    tn_free(m->slots);
    tn_arena_deinit(&m->long_words);
    *m = (tn_word_memo){0};
}

size_t tn_word_memo_bytes(const tn_word_memo *m) {
    return m->n_slots * sizeof *m->slots + m->long_words.n_bytes;
}

/* Of a short word from its bytes, of a long one from its hash: never from an address. */
static uint64_t hash_of(const uint64_t key[2], size_t len) {
    uint64_t h = key[0] * 0x9E3779B97F4A7C15u;
    if (len <= TN_MEMO_KEY_BYTES) h ^= key[1] * 0xC2B2AE3D27D4EB4Fu;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
}

void tn_word_memo_key(const char *surface, size_t len, tn_memo_key *key) {
    memcpy(key->bytes, surface, sizeof key->bytes);
    if (len > TN_MEMO_KEY_BYTES) key->bytes[0] = XXH3_64bits(surface, len), key->bytes[1] = 0;
    key->len = len;
    key->hash = hash_of(key->bytes, len);
}

/* ASCII capitals of eight letters and digits -> small letters. Letters have bit 6 set, digits do
 * not: moved to bit 5 it is what makes a letter small. */
static uint64_t lower8(uint64_t v) {
    return v | (v & 0x4040404040404040u) >> 1;
}

/* From byte 16 - len on: len bytes to keep, then zeros. A table, as branches on the length of a
 * word are mispredicted. */
static const uint8_t ones_then_zeros[2 * TN_MEMO_KEY_BYTES] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

void tn_word_memo_key_ascii(const char *s, size_t len, size_t n_readable, tn_memo_key *key) {
    uint64_t word[2] = {0, 0}, mask[2];
    if (n_readable >= TN_MEMO_KEY_BYTES)
        memcpy(word, s, TN_MEMO_KEY_BYTES); /* a constant size: two loads */
    else
        memcpy(word, s, len);
    memcpy(mask, ones_then_zeros + TN_MEMO_KEY_BYTES - len, sizeof mask);
    key->bytes[0] = lower8(word[0] & mask[0]);
    key->bytes[1] = lower8(word[1] & mask[1]);
    key->len = len;
    key->hash = hash_of(key->bytes, len);
}

static int rehash(tn_word_memo *m) {
    uint32_t n_slots = m->n_slots ? m->n_slots * 2 : SLOTS_MIN;
    tn_memo_entry *slots = n_slots ? tn_calloc(n_slots, sizeof *slots) : NULL;
    if (!slots) return -1;
    for (uint32_t s = 0; s < m->n_slots; s++) {
        const tn_memo_entry *e = &m->slots[s];
        if (e->len == 0) continue;
        uint64_t i = hash_of(e->key, e->len) & (n_slots - 1);
        while (slots[i].len) i = (i + 1) & (n_slots - 1);
        slots[i] = *e;
    }
    tn_free(m->slots);
    m->slots = slots;
    m->n_slots = n_slots;
    return 0;
}

static bool is_long_word(const tn_memo_entry *e, const char *surface, size_t len) {
    const char *word;
    memcpy(&word, &e->key[1], sizeof word);
    return memcmp(word, surface, len) == 0;
}

tn_memo_entry *tn_word_memo_add(tn_word_memo *m, const tn_memo_key *key, const char *surface) {
    const bool is_long = key->len > TN_MEMO_KEY_BYTES;
    if (m->n >= m->n_slots / 2 && rehash(m) != 0) return NULL;
    uint64_t i = key->hash & (m->n_slots - 1);
    for (; m->slots[i].len; i = (i + 1) & (m->n_slots - 1)) {
        tn_memo_entry *e = &m->slots[i];
        if (e->key[0] != key->bytes[0] || e->len != key->len) continue;
        if (is_long ? is_long_word(e, surface, key->len) : e->key[1] == key->bytes[1]) return e;
    }
    uint64_t second = key->bytes[1];
    if (is_long) {
        const char *word = tn_arena_strndup(&m->long_words, surface, key->len);
        if (!word) return NULL;
        memcpy(&second, &word, sizeof word);
    }
    m->slots[i] =
        (tn_memo_entry){.key = {key->bytes[0], second}, .word = m->n++, .len = (uint16_t)key->len};
    return &m->slots[i];
}
