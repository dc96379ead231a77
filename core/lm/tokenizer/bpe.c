/* bpe.c - byte-pair encoding of a word: of all neighbouring pairs the one merged first in training
 * is joined, leftmost first, until none is left (Sennrich et al. 2016).
 *
 * Short words are scanned for the best pair each round; long ones keep a heap of pairs, so that
 * 100 kB without a space take n log n. A word's ids depend on its bytes alone, so each encoder
 * remembers the last words it saw, one per cache line, replaced on collision.
 *
 * Vocabularies made by SentencePiece take a whole text for one word, U+2581 being its spaces. Where
 * no merge makes a piece with another character before a U+2581, none can reach across such a
 * place: merging the parts alone gives the same ids, and words can be remembered there too. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

enum { SHORT_MAX = 48, MEMO_BYTES = 24, MEMO_IDS = 8 };
#define NO_RANK UINT32_MAX

struct tn_memo_entry {
    uint64_t key[MEMO_BYTES / 8]; /* the word, zero-padded */
    int32_t ids[MEMO_IDS];
    uint8_t len, n_ids; /* len 0: empty */
};

size_t tn_memo_bytes(void) {
    return TN_MEMO_SLOTS * sizeof(struct tn_memo_entry);
}

/* ---- the byte-level alphabet: printable bytes stand for themselves, the rest for U+0100.. ---- */

static bool is_printable(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

uint32_t tn_char_of_byte(unsigned byte) {
    if (is_printable(byte)) return byte;
    uint32_t cp = 0x100;
    for (unsigned b = 0; b < byte; b++) cp += !is_printable(b);
    return cp;
}

int32_t tn_byte_of_char(uint32_t cp) {
    if (cp < 0x100) return is_printable(cp) ? (int32_t)cp : -1;
    if (cp <= 0x120) return cp < 0x121 ? (int32_t)(cp - 0x100) : -1;
    if (cp <= 0x142) return (int32_t)(cp - 0x121 + 0x7F);
    return cp == 0x143 ? 0xAD : -1;
}

/* ---- merges ---- */

static uint32_t slot_of(uint64_t pair, uint32_t mask) {
    return (uint32_t)((pair * 0x9E3779B97F4A7C15u) >> 32) & mask;
}

static inline const tn_merge *find_merge(const tn_bpe *b, int32_t left, int32_t right) {
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint32_t i = slot_of(pair, b->merges_mask);; i = (i + 1) & b->merges_mask) {
        const tn_merge *m = &b->merges[i];
        if (m->pair == pair || m->rank == NO_RANK) return m;
    }
}

tern_status tn_bpe_begin(tern_tokenizer *t, size_t n_merges, tern_error *err) {
    size_t n_slots = 64;
    if (n_merges > TN_VOCAB_ID_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%zu merges, more than the limit of %d", n_merges,
                         TN_VOCAB_ID_MAX);
    while (n_slots < 2 * n_merges) n_slots *= 2;
    t->bpe.merges = tn_alloc(n_slots * sizeof *t->bpe.merges);
    if (!t->bpe.merges) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n_slots; i++)
        t->bpe.merges[i] = (tn_merge){.pair = UINT64_MAX, .rank = NO_RANK};
    t->bpe.merges_mask = (uint32_t)n_slots - 1;
    return TERN_OK;
}

static int shown(size_t len) {
    return len < 60 ? (int)len : 60;
}

tern_status tn_bpe_add_merge(tern_tokenizer *t, const char *left, size_t left_len,
                             const char *right, size_t right_len, tern_error *err) {
    tn_arena_mark mark = tn_arena_get_mark(&t->arena);
    char *both = tn_arena_alloc(&t->arena, left_len + right_len + 1);
    if (!both) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    memcpy(both, left, left_len);
    memcpy(both + left_len, right, right_len);
    int32_t l = tn_vocab_find(&t->vocab, left, left_len);
    int32_t r = tn_vocab_find(&t->vocab, right, right_len);
    int32_t id = tn_vocab_find(&t->vocab, both, left_len + right_len);
    tn_arena_rewind(&t->arena, mark);
    if (l < 0 || r < 0 || id < 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "merge %u, '%.*s' + '%.*s': %s is not in the vocabulary",
                         t->bpe.n_merges + 1, shown(left_len), left, shown(right_len), right,
                         l < 0   ? "the left piece"
                         : r < 0 ? "the right piece"
                                 : "the joined piece");
    tn_merge *m = (tn_merge *)find_merge(&t->bpe, l, r);
    *m = (tn_merge){(uint64_t)(uint32_t)l << 32 | (uint32_t)r, t->bpe.n_merges++, id};
    return TERN_OK;
}

/* ---- what the vocabulary says about single bytes, characters and words ---- */

/* The bytes a byte-level piece stands for, or false if a character is not of the alphabet. */
static bool unmap(const char *piece, size_t len, char *out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        i += tn_char_next(piece + i, len - i, &cp);
        int32_t byte = tn_byte_of_char(cp);
        if (byte < 0) return false;
        out[n++] = (char)byte;
    }
    *n_out = n;
    return true;
}

static tern_status index_piece(tern_tokenizer *t, int32_t id, tn_buf *bytes, tern_error *err) {
    tn_bpe *b = &t->bpe;
    size_t len, n = 0;
    const char *piece = tn_vocab_piece(&t->vocab, id, &len);
    if (!piece) return TERN_OK;
    b->id_len[id] = (uint32_t)len;
    if (!b->byte_level) return TERN_OK;
    tn_buf_reset(bytes);
    tn_buf_reserve(bytes, len + 1);
    tern_status st = tn_buf_status(bytes, err);
    if (st != TERN_OK || !unmap(piece, len, bytes->data, &n)) return st;
    b->id_len[id] = (uint32_t)n;
    if (n == 1) b->byte_id[(unsigned char)bytes->data[0]] = id;
    if (!b->ignore_merges) return TERN_OK;
    uint32_t number = tn_strmap_add(&b->words, bytes->data, n);
    if (number == TN_STRMAP_NONE) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    b->word_ids[number] = id;
    return TERN_OK;
}

#define MARK "\xE2\x96\x81" /* U+2581 */

/* The next place after `at` with a U+2581 behind another character, or n. */
static size_t next_cut(const char *s, size_t n, size_t at) {
    bool was_mark = true;
    while (at < n) {
        bool mark = n - at >= 3 && memcmp(s + at, MARK, 3) == 0;
        if (mark && !was_mark) return at;
        was_mark = mark;
        at += mark ? 3 : 1;
    }
    return n;
}

tern_status tn_bpe_finish(tern_tokenizer *t, tern_error *err) {
    tn_bpe *b = &t->bpe;
    size_t size = (size_t)t->vocab.size;
    b->id_len = tn_calloc(size + 1, sizeof *b->id_len);
    b->word_ids = tn_calloc(size + 1, sizeof *b->word_ids);
    if (!b->id_len || !b->word_ids) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        b->byte_id[i] = b->byte_fallback && !b->byte_level ? tn_vocab_find(&t->vocab, name, 6) : -1;
    }
    for (int i = 0; i < 128; i++) b->ascii_id[i] = tn_vocab_find(&t->vocab, (char[]){(char)i}, 1);
    tn_buf bytes = {0};
    tern_status st = TERN_OK;
    for (size_t id = 0; id < size && st == TERN_OK; id++)
        st = index_piece(t, (int32_t)id, &bytes, err);
    tn_buf_deinit(&bytes);
    for (int i = 0; i < 256 && !b->byte_level; i++)
        if (b->byte_id[i] >= 0) b->id_len[b->byte_id[i]] = 1;
    bool all_bytes = true, keeps = b->unk >= 0; /* no character is ever dropped */
    for (int i = 0; i < 256; i++) all_bytes &= b->byte_id[i] >= 0;
    keeps |= b->byte_fallback && all_bytes;
    b->cuts =
        keeps && !b->byte_level && !b->ignore_merges && tn_vocab_find(&t->vocab, MARK, 3) >= 0;
    for (uint32_t i = 0; i <= b->merges_mask && b->cuts; i++) {
        size_t n;
        if (b->merges[i].rank == NO_RANK) continue;
        const char *piece = tn_vocab_piece(&t->vocab, b->merges[i].id, &n);
        b->cuts = next_cut(piece, n, 0) == n;
    }
    return st;
}

void tn_bpe_deinit(tn_bpe *b) {
    tn_free(b->merges);
    tn_free(b->id_len);
    tn_free(b->word_ids);
    tn_strmap_deinit(&b->words);
}

/* ---- merging ---- */

static void rank_pair(const tn_bpe *b, struct tn_symbol *left, const struct tn_symbol *right) {
    const tn_merge *m = find_merge(b, left->id, right->id);
    left->rank = m->rank;
    left->merged = m->id;
}

/* Returns the number of symbols left, in order at the front. */
static size_t merge_short(const tn_bpe *b, struct tn_symbol *s, size_t n) {
    for (size_t i = 0; i + 1 < n; i++) rank_pair(b, &s[i], &s[i + 1]);
    s[n - 1].rank = NO_RANK;
    for (;;) {
        size_t best = 0;
        uint32_t rank = NO_RANK;
        for (size_t i = 0; i + 1 < n; i++) {
            if (s[i].rank >= rank) continue;
            rank = s[i].rank;
            best = i;
        }
        if (rank == NO_RANK) return n;
        s[best].id = s[best].merged;
        s[best].end = s[best + 1].end;
        s[best].rank = NO_RANK;
        n--;
        memmove(&s[best + 1], &s[best + 2], (n - best - 1) * sizeof *s);
        if (best + 1 < n) rank_pair(b, &s[best], &s[best + 1]);
        if (best > 0) rank_pair(b, &s[best - 1], &s[best]);
    }
}

static bool before(struct tn_heap_item a, struct tn_heap_item b) {
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static bool push_pair(tn_encoder *e, int32_t at) {
    const tn_bpe *b = &e->t->bpe;
    int32_t next = e->symbols[at].next;
    if (next < 0) return true;
    int32_t left = e->symbols[at].id, right = e->symbols[next].id;
    uint32_t rank = find_merge(b, left, right)->rank;
    if (rank == NO_RANK) return true;
    if (TN_GROW(e->heap, e->heap_cap, e->n_heap + 1) != 0) return false;
    struct tn_heap_item item = {rank, at, left, right};
    size_t i = e->n_heap++;
    for (; i > 0 && before(item, e->heap[(i - 1) / 2]); i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = item;
    return true;
}

static struct tn_heap_item pop_pair(tn_encoder *e) {
    struct tn_heap_item top = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < e->n_heap; i = child) {
        if (child + 1 < e->n_heap && before(e->heap[child + 1], e->heap[child])) child++;
        if (!before(e->heap[child], last)) break;
        e->heap[i] = e->heap[child];
    }
    e->heap[i] = last;
    return top;
}

static size_t merge_long(tn_encoder *e, size_t n) {
    const tn_bpe *b = &e->t->bpe;
    struct tn_symbol *s = e->symbols;
    e->n_heap = 0;
    for (size_t i = 0; i < n; i++) {
        s[i].prev = (int32_t)i - 1;
        s[i].next = i + 1 < n ? (int32_t)i + 1 : -1;
    }
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) ok = push_pair(e, (int32_t)i);
    while (ok && e->n_heap > 0) {
        struct tn_heap_item p = pop_pair(e);
        struct tn_symbol *left = &s[p.at];
        if (left->id != p.left || left->next < 0 || s[left->next].id != p.right) continue; /* old */
        struct tn_symbol *right = &s[left->next];
        left->id = find_merge(b, p.left, p.right)->id;
        left->end = right->end;
        right->id = -1; /* gone */
        left->next = right->next;
        if (left->next >= 0) s[left->next].prev = p.at;
        ok = push_pair(e, p.at) && (left->prev < 0 || push_pair(e, left->prev));
    }
    if (!ok) tn_encoder_nomem(e);
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++)
        if (s[i].id >= 0) s[n_left++] = s[i];
    return n_left;
}

/* ---- a word ---- */

static void push_symbol(tn_encoder *e, size_t *n, int32_t id, size_t begin, size_t end) {
    e->symbols[(*n)++] =
        (struct tn_symbol){.id = id, .begin = (uint32_t)begin, .end = (uint32_t)end};
}

static size_t symbols_of_bytes(tn_encoder *e, const char *s, size_t n) {
    const tn_bpe *b = &e->t->bpe;
    size_t n_symbols = 0;
    bool was_unk = false;
    for (size_t i = 0; i < n; i++) {
        int32_t id = b->byte_id[(unsigned char)s[i]];
        bool unk = id < 0;
        if (unk && b->unk < 0) continue; /* dropped */
        if (unk && was_unk && b->fuse_unk)
            e->symbols[n_symbols - 1].end = (uint32_t)i + 1;
        else
            push_symbol(e, &n_symbols, unk ? b->unk : id, i, i + 1);
        was_unk = unk;
    }
    return n_symbols;
}

static bool falls_back(const tn_bpe *b, const char *s, size_t len) {
    if (!b->byte_fallback) return false;
    for (size_t i = 0; i < len; i++)
        if (b->byte_id[(unsigned char)s[i]] < 0) return false;
    return true;
}

static size_t symbols_of_chars(tn_encoder *e, const char *s, size_t n) {
    const tn_bpe *b = &e->t->bpe;
    size_t n_symbols = 0, len;
    bool was_unk = false;
    for (size_t i = 0; i < n; i += len) {
        uint32_t cp;
        len = tn_char_next(s + i, n - i, &cp);
        int32_t id = cp < 0x80 ? b->ascii_id[cp] : tn_vocab_find(&e->t->vocab, s + i, len);
        bool unk = false;
        if (id >= 0) {
            push_symbol(e, &n_symbols, id, i, i + len);
        } else if (falls_back(b, s + i, len)) {
            for (size_t k = i; k < i + len; k++)
                push_symbol(e, &n_symbols, b->byte_id[(unsigned char)s[k]], k, k + 1);
        } else if (b->unk >= 0) {
            unk = true;
            if (was_unk && b->fuse_unk)
                e->symbols[n_symbols - 1].end = (uint32_t)(i + len);
            else
                push_symbol(e, &n_symbols, b->unk, i, i + len);
        }
        was_unk = unk;
    }
    return n_symbols;
}

/* The word as one piece, when merges are to be ignored for such; else -1. */
static int32_t whole_word(const tern_tokenizer *t, const char *s, size_t n) {
    const tn_bpe *b = &t->bpe;
    if (!b->ignore_merges) return -1;
    if (!b->byte_level) return tn_vocab_find(&t->vocab, s, n);
    uint32_t number = tn_strmap_find(&b->words, s, n);
    return number == TN_STRMAP_NONE ? -1 : b->word_ids[number];
}

static void encode_word(tn_encoder *e, const tn_stretch *w) {
    const tn_bpe *b = &e->t->bpe;
    int32_t whole = whole_word(e->t, w->s, w->n);
    if (whole >= 0) {
        tn_emit(e, w, whole, 0, w->n);
        return;
    }
    if (TN_GROW(e->symbols, e->symbols_cap, w->n) != 0) {
        tn_encoder_nomem(e);
        return;
    }
    size_t n = b->byte_level ? symbols_of_bytes(e, w->s, w->n) : symbols_of_chars(e, w->s, w->n);
    if (n == 0) return;
    n = n <= SHORT_MAX ? merge_short(b, e->symbols, n) : merge_long(e, n);
    for (size_t i = 0; i < n; i++)
        tn_emit(e, w, e->symbols[i].id, e->symbols[i].begin, e->symbols[i].end);
}

/* ---- the memo ---- */

/* The first n <= 8 bytes of s as a number, little end first, without reading past them. */
static inline uint64_t load_upto8(const char *s, size_t n) {
    uint64_t v = 0;
    if (n >= 8) {
        memcpy(&v, s, 8);
    } else if (n >= 4) {
        uint32_t lo, hi;
        memcpy(&lo, s, 4);
        memcpy(&hi, s + n - 4, 4);
        v = lo | (uint64_t)hi << 8 * (n - 4);
    } else if (n > 0) {
        v = (unsigned char)s[0] | (uint64_t)(unsigned char)s[n / 2] << 8 * (n / 2) |
            (uint64_t)(unsigned char)s[n - 1] << 8 * (n - 1);
    }
    return v;
}

static inline struct tn_memo_entry *memo_slot(tn_encoder *e, const char *s, size_t n,
                                              uint64_t key[3]) {
    key[0] = load_upto8(s, n);
    key[1] = n > 8 ? load_upto8(s + 8, n - 8) : 0;
    key[2] = n > 16 ? load_upto8(s + 16, n - 16) : 0;
    uint64_t h = (key[0] ^ n) * 0x9E3779B97F4A7C15u;
    h = ((h ^ h >> 29) + key[1]) * 0xBF58476D1CE4E5B9u;
    h = ((h ^ h >> 32) + key[2]) * 0x94D049BB133111EBu;
    return &e->memo[h >> 49]; /* 15 bits */
}

static void recall(tn_encoder *e, const tn_stretch *w, const struct tn_memo_entry *m) {
    tern_tokens *out = e->out;
    if (!e->opts->spans && out->cap - out->n >= MEMO_IDS) {
        memcpy(out->ids + out->n, m->ids, sizeof m->ids); /* all eight: a fixed length is faster */
        out->n += m->n_ids;
        return;
    }
    size_t at = 0;
    for (int i = 0; i < m->n_ids; i++) {
        size_t len = e->t->bpe.id_len[m->ids[i]];
        tn_emit(e, w, m->ids[i], at, at + len);
        at += len;
    }
}

/* Worth remembering: few ids, which cover the word byte by byte (so not if it has an unknown). */
static bool memorable(const tn_encoder *e, size_t n, const int32_t *ids, size_t n_ids) {
    const tn_bpe *b = &e->t->bpe;
    size_t covered = 0;
    if (e->st != TERN_OK || n_ids > MEMO_IDS) return false;
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] == b->unk) return false;
        covered += b->id_len[ids[i]];
    }
    return covered == n;
}

static void encode_part(tn_encoder *e, const tn_stretch *w) {
    if (w->n > MEMO_BYTES) {
        encode_word(e, w);
        return;
    }
    uint64_t key[3];
    struct tn_memo_entry *m = memo_slot(e, w->s, w->n, key);
    if (m->len == w->n && m->key[0] == key[0] && m->key[1] == key[1] && m->key[2] == key[2]) {
        recall(e, w, m);
        return;
    }
    size_t first = e->out->n;
    encode_word(e, w);
    size_t n_ids = e->out->n - first;
    if (n_ids == 0 || !memorable(e, w->n, e->out->ids + first, n_ids)) return;
    memcpy(m->key, key, sizeof m->key);
    memcpy(m->ids, e->out->ids + first, n_ids * sizeof *m->ids);
    m->len = (uint8_t)w->n;
    m->n_ids = (uint8_t)n_ids;
}

void tn_bpe_encode(tn_encoder *e, const tn_stretch *w) {
    if (!e->t->bpe.cuts) {
        encode_part(e, w);
        return;
    }
    for (size_t at = 0, end; at < w->n && e->st == TERN_OK; at = end) {
        end = next_cut(w->s, w->n, at);
        tn_stretch part = tn_stretch_cut(w, at, end);
        encode_part(e, &part);
    }
}
