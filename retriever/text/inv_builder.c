/* inv_builder.c - passages -> an inverted index in memory -> files.
 *
 * Every term owns a chain of slices in one byte pool, each longer than the one before, and appends
 * its occurrences there as they come:
 *   varint (doc - last doc) << 1 | 1, varint position      first occurrence in a passage
 *   varint (position - last position) << 1                 a further one
 * Writing sorts the terms and reads each chain once. About 2 bytes an occurrence. */
#include "core/base/strmap.h"
#include "retriever/text/inverted_priv.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum {
    FIELD_GAP = 64, /* positions between title and text: longer than any run of stop words */
    CHUNK_BITS = 20,
    CHUNK_BYTES = 1 << CHUNK_BITS,
    SLICE_FIRST = 12, /* bytes, the 4 of the link to the next slice included */
    N_LEVELS = 9,     /* 12, 20, 36, ..., 2052 */
    AHEAD = 8         /* occurrences whose place in the pool is fetched ahead */
};

typedef struct build_term {
    uint32_t last_doc, last_position;
    uint32_t df, cf;
    uint32_t head, at, end; /* addresses in the pool: first slice, next byte, link of this slice */
    uint32_t level;
} build_term;

struct tn_inv_builder {
    tn_analyzer *analyzer;
    tn_strmap vocabulary;
    build_term *terms; /* by number in the vocabulary */
    size_t terms_cap;
    uint32_t *term_of_word; /* the analyzer's word number -> term number, or TN_STRMAP_NONE */
    size_t words_cap;
    uint32_t *numbers; /* scratch: of the tokens of one field */
    size_t numbers_cap;
    uint32_t epoch; /* of the analyzer, for which term_of_word holds */
    uint8_t **chunks;
    size_t n_chunks, chunks_cap;
    uint64_t pool_used; /* next free address */
    uint32_t *lens;
    size_t n_docs, lens_cap;
    bool failed;
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while building the inverted index");
}

tern_status tn_inv_builder_new(tn_analyzer *a, tn_inv_builder **out, tern_error *err) {
    *out = tn_calloc(1, sizeof **out);
    if (!*out) return no_memory(err);
    (*out)->analyzer = a;
    (*out)->epoch = tn_analyzer_epoch(a);
    return TERN_OK;
}

void tn_inv_builder_free(tn_inv_builder *b) {
    if (!b) return;
    for (size_t i = 0; i < b->n_chunks; i++) tn_free(b->chunks[i]);
    tn_free(b->chunks);
    tn_strmap_deinit(&b->vocabulary);
    tn_free(b->terms);
    tn_free(b->term_of_word);
    tn_free(b->numbers);
    tn_free(b->lens);
    tn_free(b);
}

size_t tn_inv_builder_bytes(const tn_inv_builder *b) {
    return sizeof *b + tn_strmap_bytes(&b->vocabulary) + b->terms_cap * sizeof *b->terms +
           (b->words_cap + b->numbers_cap) * sizeof(uint32_t) + b->n_chunks * CHUNK_BYTES +
           b->lens_cap * sizeof *b->lens + tn_analyzer_bytes(b->analyzer);
}

/* --- the byte pool --- */

static uint8_t *pool_at(const tn_inv_builder *b, uint32_t address) {
    return b->chunks[address >> CHUNK_BITS] + (address & (CHUNK_BYTES - 1));
}

static uint32_t slice_bytes(uint32_t level) {
    return 4 + ((SLICE_FIRST - 4u) << level);
}

/* A slice of the level; it never straddles two chunks. */
static tern_status new_slice(tn_inv_builder *b, uint32_t level, uint32_t *address,
                             tern_error *err) {
    uint32_t n = slice_bytes(level);
    uint64_t left = b->n_chunks * (uint64_t)CHUNK_BYTES - b->pool_used;
    if (left < n) {
        if ((b->n_chunks + 1) * (uint64_t)CHUNK_BYTES > UINT32_MAX)
            return tern_fail(err, TERN_ERR_LIMIT, 0, "a segment's postings exceed 4 GiB in memory");
        if (TN_GROW(b->chunks, b->chunks_cap, b->n_chunks + 1) != 0) return no_memory(err);
        uint8_t *chunk = tn_alloc(CHUNK_BYTES);
        if (!chunk) return no_memory(err);
        b->pool_used = b->n_chunks * (uint64_t)CHUNK_BYTES;
        b->chunks[b->n_chunks++] = chunk;
    }
    *address = (uint32_t)b->pool_used;
    b->pool_used += n;
    return TERN_OK;
}

static tern_status next_slice(tn_inv_builder *b, build_term *t, tern_error *err) {
    uint32_t address;
    if (t->level + 1 < N_LEVELS) t->level++;
    tern_status st = new_slice(b, t->level, &address, err);
    if (st != TERN_OK) return st;
    memcpy(pool_at(b, t->end), &address, sizeof address);
    t->at = address;
    t->end = address + slice_bytes(t->level) - 4;
    return TERN_OK;
}

static tern_status append(tn_inv_builder *b, build_term *t, uint64_t v, tern_error *err) {
    if (v < 0x80 && t->at < t->end) {
        *pool_at(b, t->at++) = (uint8_t)v;
        return TERN_OK;
    }
    for (;; v >>= 7) {
        if (t->at == t->end) {
            tern_status st = next_slice(b, t, err);
            if (st != TERN_OK) return st;
        }
        *pool_at(b, t->at++) = (uint8_t)(v < 0x80 ? v : v | 0x80);
        if (v < 0x80) return TERN_OK;
    }
}

/* --- adding a passage --- */

static tern_status add_term(tn_inv_builder *b, const tn_token *token, uint32_t *no,
                            tern_error *err) {
    uint32_t n_known = b->vocabulary.n;
    if (TN_GROW(b->terms, b->terms_cap, (size_t)n_known + 1) != 0) return no_memory(err);
    *no = tn_strmap_add(&b->vocabulary, token->term, token->term_len);
    if (*no == TN_STRMAP_NONE) return no_memory(err);
    if (*no < n_known) return TERN_OK;
    build_term *t = &b->terms[*no];
    *t = (build_term){.last_doc = UINT32_MAX};
    tern_status st = new_slice(b, 0, &t->head, err);
    t->at = t->head;
    t->end = t->head + slice_bytes(0) - 4;
    return st;
}

/* The number of the token's term: by the analyzer's word number, without hashing, once known. */
static tern_status term_number(tn_inv_builder *b, const tn_token *token, uint32_t *no,
                               tern_error *err) {
    if (token->word >= b->words_cap) {
        size_t before = b->words_cap;
        if (TN_GROW(b->term_of_word, b->words_cap, (size_t)token->word + 1) != 0)
            return no_memory(err);
        memset(b->term_of_word + before, 0xFF, (b->words_cap - before) * sizeof *b->term_of_word);
    }
    uint32_t *known = &b->term_of_word[token->word];
    tern_status st = TERN_OK;
    if (*known == TN_STRMAP_NONE) st = add_term(b, token, known, err);
    *no = *known;
    return st;
}

static tern_status add_occurrence(tn_inv_builder *b, build_term *t, uint32_t position,
                                  tern_error *err) {
    uint32_t doc = (uint32_t)b->n_docs;
    tern_status st;
    if (t->last_doc != doc) {
        uint64_t delta = t->df ? doc - t->last_doc : doc;
        st = append(b, t, delta << 1 | 1, err);
        if (st == TERN_OK) st = append(b, t, position, err);
        t->last_doc = doc;
        t->df++;
    } else {
        st = append(b, t, (uint64_t)(position - t->last_position) << 1, err);
    }
    t->last_position = position;
    t->cf++;
    return st;
}

/* The term numbers of the tokens that count, in b->numbers. Looking them up ahead of use lets the
 * processor fetch the terms' records meanwhile. */
static tern_status number_terms(tn_inv_builder *b, const tn_token *tokens, size_t n,
                                tern_error *err) {
    if (b->epoch != tn_analyzer_epoch(b->analyzer)) {
        if (b->words_cap) memset(b->term_of_word, 0xFF, b->words_cap * sizeof *b->term_of_word);
        b->epoch = tn_analyzer_epoch(b->analyzer);
    }
    if (TN_GROW(b->numbers, b->numbers_cap, n) != 0) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n && tokens[i + AHEAD].word < b->words_cap)
            __builtin_prefetch(&b->term_of_word[tokens[i + AHEAD].word]);
        b->numbers[i] = TN_STRMAP_NONE;
        if (tokens[i].is_stop) continue;
        tern_status st = term_number(b, &tokens[i], &b->numbers[i], err);
        if (st != TERN_OK) return st;
        __builtin_prefetch(&b->terms[b->numbers[i]], 1);
    }
    return TERN_OK;
}

/* Index one field from position *position on, which moves behind it. */
static tern_status add_field(tn_inv_builder *b, const char *text, size_t len, uint32_t *position,
                             tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status st = tn_analyze(b->analyzer, text, len, &tokens, &n, err);
    if (st == TERN_OK) st = number_terms(b, tokens, n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        if (i + AHEAD < n && b->numbers[i + AHEAD] != TN_STRMAP_NONE)
            __builtin_prefetch(pool_at(b, b->terms[b->numbers[i + AHEAD]].at), 1);
        if (b->numbers[i] == TN_STRMAP_NONE) continue;
        st = add_occurrence(b, &b->terms[b->numbers[i]], *position + tokens[i].position, err);
        b->lens[b->n_docs]++;
    }
    if (n) *position += tokens[n - 1].position + 1;
    return st;
}

tern_status tn_inv_builder_add(tn_inv_builder *b, const char *title, size_t title_len,
                               const char *text, size_t text_len, tern_error *err) {
    if (b->failed) return tern_fail(err, TERN_ERR_ARG, 0, "the index builder failed before");
    if (b->n_docs >= INT32_MAX || title_len > INT32_MAX || text_len > INT32_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "a segment holds at most 2^31 passages of at most 2 GiB");
    if (TN_GROW(b->lens, b->lens_cap, b->n_docs + 1) != 0) return no_memory(err);
    b->lens[b->n_docs] = 0;
    uint32_t position = 0;
    tern_status st = add_field(b, title, title_len, &position, err);
    if (position) position += FIELD_GAP;
    if (st == TERN_OK) st = add_field(b, text, text_len, &position, err);
    b->failed = st != TERN_OK;
    b->n_docs++;
    return st;
}

/* --- writing --- */

typedef struct chain {
    const tn_inv_builder *b;
    const uint8_t *at, *end; /* of the slice; the link to the next follows */
    uint32_t level;
} chain;

static chain chain_open(const tn_inv_builder *b, const build_term *t) {
    const uint8_t *head = pool_at(b, t->head);
    return (chain){b, head, head + slice_bytes(0) - 4, 0};
}

static uint64_t chain_read(chain *c) {
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (c->at == c->end) {
            uint32_t next;
            memcpy(&next, c->end, sizeof next);
            if (c->level + 1 < N_LEVELS) c->level++;
            c->at = pool_at(c->b, next);
            c->end = c->at + slice_bytes(c->level) - 4;
        }
        uint8_t byte = *c->at++;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return v;
    }
}

typedef struct unpacked {
    uint32_t *docs, *tfs, *positions;
    size_t docs_cap, tfs_cap, positions_cap;
} unpacked;

static tern_status unpack_term(const tn_inv_builder *b, const build_term *t, unpacked *u,
                               tern_error *err) {
    if (TN_GROW(u->docs, u->docs_cap, t->df) != 0 || TN_GROW(u->tfs, u->tfs_cap, t->df) != 0 ||
        TN_GROW(u->positions, u->positions_cap, t->cf) != 0)
        return no_memory(err);
    chain c = chain_open(b, t);
    uint32_t doc = 0, position = 0, n = 0;
    for (uint32_t i = 0; i < t->cf; i++) {
        uint64_t v = chain_read(&c);
        if (v & 1) {
            doc += (uint32_t)(v >> 1);
            position = (uint32_t)chain_read(&c);
            u->docs[n] = doc;
            u->tfs[n++] = 0;
        } else {
            position += (uint32_t)(v >> 1);
        }
        u->tfs[n - 1]++;
        u->positions[i] = position;
    }
    return TERN_OK;
}

typedef struct sort_key {
    uint64_t prefix; /* the first 8 bytes, so that most comparisons touch nothing else */
    const struct tn_strmap_key *term;
    uint32_t no;
} sort_key;

static int compare_terms(const void *pa, const void *pb) {
    const sort_key *a = pa, *b = pb;
    if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
    return strcmp(a->term->s, b->term->s);
}

static sort_key *sort_terms(const tn_inv_builder *b) {
    sort_key *keys = tn_alloc(b->vocabulary.n * sizeof *keys);
    if (!keys) return NULL;
    for (uint32_t i = 0; i < b->vocabulary.n; i++) {
        const struct tn_strmap_key *term = &b->vocabulary.keys[i];
        uint64_t prefix = 0;
        memcpy(&prefix, term->s, term->len < 8 ? term->len : 8);
        keys[i] = (sort_key){__builtin_bswap64(prefix), term, i};
    }
    qsort(keys, b->vocabulary.n, sizeof *keys, compare_terms);
    return keys;
}

static tern_status write_all(const tn_inv_builder *b, tn_inv_writer *w, const sort_key *keys,
                             unpacked *u, tern_error *err) {
    tern_status st = TERN_OK;
    for (uint32_t i = 0; i < b->vocabulary.n && st == TERN_OK; i++) {
        const build_term *t = &b->terms[keys[i].no];
        if (i + 2 * AHEAD < b->vocabulary.n) { /* terms come in an order the memory does not have */
            __builtin_prefetch(&b->terms[keys[i + 2 * AHEAD].no]);
            __builtin_prefetch(pool_at(b, b->terms[keys[i + AHEAD].no].head));
        }
        st = unpack_term(b, t, u, err);
        if (st == TERN_OK)
            st = tn_inv_writer_add(w, keys[i].term->s, keys[i].term->len, u->docs, u->tfs, t->df,
                                   u->positions, err);
    }
    return st;
}

tern_status tn_inv_builder_write(tn_inv_builder *b, const char *seg_dir, tern_error *err) {
    if (b->failed) return tern_fail(err, TERN_ERR_ARG, 0, "the index builder failed before");
    tn_inv_writer *w = NULL;
    unpacked u = {0};
    sort_key *keys = sort_terms(b);
    tern_status st =
        keys ? tn_inv_writer_open(seg_dir, b->lens, (uint32_t)b->n_docs, &w, err) : no_memory(err);
    if (st == TERN_OK) st = write_all(b, w, keys, &u, err);
    if (st == TERN_OK)
        st = tn_inv_writer_commit(w, err);
    else
        tn_inv_writer_abort(w);
    tn_free(u.docs);
    tn_free(u.tfs);
    tn_free(u.positions);
    tn_free(keys);
    return st;
}
