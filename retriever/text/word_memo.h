/* word_memo.h - surface word -> what analysis made of it. One cache line answers for nearly all
 * words: a slot of 32 bytes holds a word of up to 16 bytes itself, and its result. */
#ifndef TN_WORD_MEMO_H
#define TN_WORD_MEMO_H
#include "core/base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TN_MEMO_KEY_BYTES = 16 };

typedef struct tn_memo_key {
    uint64_t bytes[2]; /* the word, zeros after it; of a longer one its hash, and 0 */
    uint64_t hash;
    size_t len;
} tn_memo_key;

typedef struct tn_memo_entry {
    uint64_t key[2];  /* as in tn_memo_key; of a longer word its hash and its address */
    const char *term; /* NULL: not derived yet; set by the caller */
    uint32_t word;    /* 0, 1, 2, ... in order of first sight */
    uint16_t len;     /* of the surface word; 0: the slot is empty */
    uint8_t term_len; /* set by the caller */
    bool is_stop;     /* set by the caller */
} tn_memo_entry;

typedef struct tn_word_memo {
    tn_memo_entry *slots; /* n_slots, a power of two, at most half full */
    uint32_t n_slots, n;
    tn_arena long_words;
} tn_word_memo; /* zero-initialise to start */

void tn_word_memo_deinit(tn_word_memo *m); /* empty again */
/* surface: len bytes, 1..1020, then zeros up to TN_MEMO_KEY_BYTES. */
void tn_word_memo_key(const char *surface, size_t len, tn_memo_key *key);
/* The same for a word of 1..16 ASCII letters and digits straight from the text, in lower case;
 * n_readable >= len bytes may be read at s. */
void tn_word_memo_key_ascii(const char *s, size_t len, size_t n_readable, tn_memo_key *key);
static inline void tn_word_memo_prefetch(const tn_word_memo *m, const tn_memo_key *key) {
    if (m->n_slots) __builtin_prefetch(&m->slots[key->hash & (m->n_slots - 1)]);
}
/* The word's entry, made if it is new; valid until the next call. NULL: no memory. */
tn_memo_entry *tn_word_memo_add(tn_word_memo *m, const tn_memo_key *key, const char *surface);
size_t tn_word_memo_bytes(const tn_word_memo *m);

#endif
