/* postings.c - see postings.h. The unpacking loops are plain C over GCC's vector type of four u32;
 * with the bit width a constant the compiler unrolls each into straight vector code. */
#include "retriever/text/postings.h"
#include <string.h>

#include "core/base/mem.h"

enum { BLOCK = TN_POSTINGS_BLOCK, ROWS = BLOCK / 4, VARINT_MAX = 5 };

typedef uint32_t row4 __attribute__((vector_size(16)));

_Static_assert(sizeof(tn_block_meta) == 16, "a block meta is stored as it is");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little endian");

/* Row r holds values 4r .. 4r+3; column c of the packed words holds values c, c+4, c+8, ... */
static inline __attribute__((always_inline)) void pack_rows(const uint32_t *values, unsigned bits,
                                                            uint8_t *packed) {
    row4 word = {0};
    unsigned used = 0;
    for (unsigned r = 0; r < ROWS; r++) {
        row4 v;
        memcpy(&v, values + 4 * r, sizeof v);
        word |= v << used;
        used += bits;
        if (used < 32) continue;
        memcpy(packed, &word, sizeof word);
        packed += sizeof word;
        used -= 32;
        word = used ? v >> (bits - used) : (row4){0};
    }
}

static inline __attribute__((always_inline)) void unpack_rows(const uint8_t *packed, unsigned bits,
                                                              uint32_t *values) {
    const uint32_t mask = bits == 32 ? UINT32_MAX : (1u << bits) - 1;
    row4 word;
    memcpy(&word, packed, sizeof word);
    unsigned used = 0;
#pragma GCC unroll 32
    for (unsigned r = 0; r < ROWS; r++) {
        row4 v = word >> used;
        used += bits;
        if (used >= 32 && r + 1 < ROWS) {
            packed += sizeof word;
            memcpy(&word, packed, sizeof word);
            used -= 32;
            if (used) v |= word << (bits - used);
        }
        v &= mask;
        memcpy(values + 4 * r, &v, sizeof v);
    }
}

void tn_pack128(const uint32_t values[128], unsigned bits, uint8_t *packed) {
    if (bits) pack_rows(values, bits, packed);
}

#define WIDTHS(X)                                                                                  \
    X(1)                                                                                           \
    X(2)                                                                                           \
    X(3)                                                                                           \
    X(4)                                                                                           \
    X(5)                                                                                           \
    X(6)                                                                                           \
    X(7)                                                                                           \
    X(8)                                                                                           \
    X(9)                                                                                           \
    X(10)                                                                                          \
    X(11)                                                                                          \
    X(12)                                                                                          \
    X(13)                                                                                          \
    X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28)      \
        X(29) X(30) X(31) X(32)

void tn_unpack128(const uint8_t *packed, unsigned bits, uint32_t values[128]) {
    switch (bits) {
#define UNPACK(b)                                                                                  \
    case b:                                                                                        \
        unpack_rows(packed, b, values);                                                            \
        return;
        WIDTHS(UNPACK)
#undef UNPACK
    default:
        memset(values, 0, BLOCK * sizeof *values);
    }
}

void tn_varint_add(tn_buf *out, uint32_t v) {
    if (out->cap - out->len < VARINT_MAX + 1) tn_buf_reserve(out, VARINT_MAX + 1);
    if (out->failed) return;
    for (; v >= 0x80; v >>= 7) out->data[out->len++] = (char)(v | 0x80);
    out->data[out->len++] = (char)v;
    out->data[out->len] = '\0';
}

/* --- encoding --- */

static unsigned bits_of(const uint32_t values[BLOCK]) {
    uint32_t any = 0;
    for (unsigned i = 0; i < BLOCK; i++) any |= values[i];
    return any ? 32u - (unsigned)__builtin_clz(any) : 0;
}

static tn_block_meta encode_block(const uint32_t *docs, const uint32_t *tfs, uint32_t before,
                                  const uint32_t *lens, size_t metas_end, tn_buf *out) {
    uint32_t deltas[BLOCK], counts[BLOCK], max_tf = 0, min_len = UINT32_MAX;
    for (unsigned i = 0; i < BLOCK; i++) {
        deltas[i] = docs[i] - before;
        before = docs[i] + 1;
        counts[i] = tfs[i] - 1;
        if (tfs[i] > max_tf) max_tf = tfs[i];
        if (lens[docs[i]] < min_len) min_len = lens[docs[i]];
    }
    tn_block_meta m = {.last_doc = docs[BLOCK - 1], .min_len = min_len};
    m.offset = (uint32_t)((out->len - metas_end) / 16);
    m.max_tf = max_tf < TN_TF_SATURATED ? (uint16_t)max_tf : TN_TF_SATURATED;
    m.doc_bits = (uint8_t)bits_of(deltas);
    m.tf_bits = (uint8_t)bits_of(counts);
    uint8_t packed[2 * 16 * 32];
    tn_pack128(deltas, m.doc_bits, packed);
    tn_pack128(counts, m.tf_bits, packed + 16 * m.doc_bits);
    tn_buf_add(out, packed, 16 * ((size_t)m.doc_bits + m.tf_bits));
    return m;
}

void tn_postings_encode(const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                        const uint32_t *lens, tn_buf *out) {
    uint32_t n_blocks = df / BLOCK, before = 0;
    size_t metas_at = out->len, metas_end = metas_at + n_blocks * sizeof(tn_block_meta);
    tn_buf_reserve(out, n_blocks * sizeof(tn_block_meta));
    if (out->failed) return;
    if (n_blocks) memset(out->data + metas_at, 0, metas_end - metas_at);
    out->len = metas_end;
    for (uint32_t b = 0; b < n_blocks; b++) {
        const uint32_t i = b * BLOCK;
        tn_block_meta m = encode_block(docs + i, tfs + i, before, lens, metas_end, out);
        if (out->failed) return;
        memcpy(out->data + metas_at + b * sizeof m, &m, sizeof m);
        before = m.last_doc + 1;
    }
    for (uint32_t i = n_blocks * BLOCK; i < df; i++) {
        tn_varint_add(out, docs[i] - before);
        tn_varint_add(out, tfs[i] - 1);
        before = docs[i] + 1;
    }
}

/* --- reading --- */

tern_status tn_postings_view(const void *data, uint64_t size, uint32_t df, uint32_t n_docs,
                             tn_postings *out) {
    const uint8_t *p = data, *end = p + size;
    uint32_t n_blocks = df / BLOCK;
    *out = (tn_postings){.df = df, .n_blocks = n_blocks, .n_tail = df % BLOCK, .n_docs = n_docs};
    uint64_t metas_bytes = (uint64_t)n_blocks * sizeof(tn_block_meta);
    if (df > n_docs || metas_bytes > size) return TERN_ERR_CORRUPT;
    if (n_blocks && (uintptr_t)p % 4 != 0) return TERN_ERR_CORRUPT;
    out->metas = (const tn_block_meta *)(const void *)p;
    out->blocks = out->tail = p + metas_bytes;
    out->end = end;
    if (n_blocks) {
        const tn_block_meta *m = &out->metas[n_blocks - 1];
        uint64_t used = ((uint64_t)m->offset + m->doc_bits + m->tf_bits) * 16;
        if (used > size - metas_bytes) return TERN_ERR_CORRUPT;
        out->tail += used;
    }
    return TERN_OK;
}

/* docs[i] = before + i + sum of deltas[0..i], in place. */
static void sum_deltas(uint32_t docs[BLOCK], uint32_t before) {
    row4 carry = {before, before, before, before};
    const row4 steps = {0, 1, 2, 3};
    for (unsigned r = 0; r < ROWS; r++) {
        row4 v;
        memcpy(&v, docs + 4 * r, sizeof v);
        v += __builtin_shufflevector(v, (row4){0}, 4, 0, 1, 2);
        v += __builtin_shufflevector(v, (row4){0}, 4, 5, 0, 1);
        v += carry;
        carry = __builtin_shufflevector(v, v, 3, 3, 3, 3) + 4;
        v += steps;
        memcpy(docs + 4 * r, &v, sizeof v);
    }
}

static bool sum_deltas_checked(uint32_t docs[BLOCK], uint32_t before) {
    uint64_t doc = before;
    for (unsigned i = 0; i < BLOCK; i++) {
        doc += docs[i];
        if (doc >= UINT32_MAX) return false;
        docs[i] = (uint32_t)doc++;
    }
    return true;
}

static const uint8_t *block_words(const tn_postings *p, const tn_block_meta *m) {
    uint64_t at = (uint64_t)m->offset * 16, n = ((uint64_t)m->doc_bits + m->tf_bits) * 16;
    if (m->doc_bits > 32 || m->tf_bits > 32) return NULL;
    return at + n <= (uint64_t)(p->end - p->blocks) ? p->blocks + at : NULL;
}

static tern_status decode_tail(const tn_postings *p, uint32_t *docs, uint32_t *tfs) {
    const uint8_t *at = p->tail;
    uint64_t doc = p->n_blocks ? (uint64_t)p->metas[p->n_blocks - 1].last_doc + 1 : 0;
    for (uint32_t i = 0; i < p->n_tail; i++) {
        uint32_t delta, count;
        if (!tn_varint_get(&at, p->end, &delta) || !tn_varint_get(&at, p->end, &count))
            return TERN_ERR_CORRUPT;
        doc += delta;
        if (doc >= p->n_docs) return TERN_ERR_CORRUPT;
        docs[i] = (uint32_t)doc;
        if (tfs) tfs[i] = count + 1;
        doc++;
    }
    return TERN_OK;
}

static void add_one(uint32_t tfs[BLOCK]) {
    for (unsigned i = 0; i < BLOCK; i++) tfs[i]++;
}

tern_status tn_postings_decode(const tn_postings *p, uint32_t i, uint32_t docs[128],
                               uint32_t tfs[128], uint32_t *n) {
    *n = i < p->n_blocks ? BLOCK : p->n_tail;
    if (i >= p->n_blocks) return decode_tail(p, docs, tfs);
    const tn_block_meta *m = &p->metas[i];
    const uint8_t *words = block_words(p, m);
    if (!words || m->last_doc >= p->n_docs) return TERN_ERR_CORRUPT;
    uint64_t before = i ? (uint64_t)p->metas[i - 1].last_doc + 1 : 0;
    tn_unpack128(words, m->doc_bits, docs);
    /* Narrow deltas cannot wrap a u32; then ascending docs that end below n_docs all are. */
    if (before + ((uint64_t)BLOCK << m->doc_bits) <= UINT32_MAX)
        sum_deltas(docs, (uint32_t)before);
    else if (before > UINT32_MAX || !sum_deltas_checked(docs, (uint32_t)before))
        return TERN_ERR_CORRUPT;
    if (docs[BLOCK - 1] != m->last_doc) return TERN_ERR_CORRUPT;
    if (tfs) {
        tn_unpack128(words + 16 * (size_t)m->doc_bits, m->tf_bits, tfs);
        add_one(tfs);
    }
    return TERN_OK;
}
