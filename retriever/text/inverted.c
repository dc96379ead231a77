/* inverted.c - opens and reads the files of an inverted index (see inverted_priv.h).
 * Bytes are believed only after their checksum was seen, and even then every offset and count is
 * checked before use: a file may be intact and still written by someone else. */
#include "core/base/file.h"
#include "retriever/text/inverted_priv.h"
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

_Static_assert(sizeof(tn_terms_header) == 64, "stored as it is");
_Static_assert(sizeof(tn_term_entry) == 24, "stored as it is");

static tern_status open_file(const char *dir, const char *name, uint32_t kind, tn_bfile **out,
                             tern_error *err) {
    char *path = tn_path_join(dir, name);
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while opening %s", name);
    tern_status st = tn_bfile_open(path, kind, out, err);
    tn_free(path);
    return st;
}

static tern_status bad_header(const tn_inv *inv, const char *what, tern_error *err) {
    return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: %s: rebuild the index",
                     tn_bfile_path(inv->terms), what);
}

static tern_status read_header(tn_inv *inv, tern_error *err) {
    const void *p;
    tern_status st = tn_bfile_view(inv->terms, 0, sizeof inv->head, &p, err);
    if (st != TERN_OK) return st;
    memcpy(&inv->head, p, sizeof inv->head);
    const tn_terms_header *h = &inv->head;
    uint64_t size = tn_bfile_size(inv->terms);
    uint64_t n_entry_bytes = ((uint64_t)h->n_terms + 1) * sizeof(tn_term_entry);
    if (h->n_slots == 0 || (h->n_slots & (h->n_slots - 1)) != 0 || h->n_slots > size / 8 ||
        h->n_string_bytes > size ||
        sizeof *h + n_entry_bytes + h->n_slots * 8 + h->n_string_bytes != size)
        return bad_header(inv, "the sections do not add up to the file's size", err);
    if (tn_bfile_size(inv->lengths) != (uint64_t)h->n_docs * sizeof *inv->lens)
        return bad_header(inv, "the number of passages differs from lengths.tn", err);
    inv->slots_at = sizeof *h + n_entry_bytes;
    inv->strings_at = inv->slots_at + h->n_slots * 8;
    st = tn_bfile_view(inv->lengths, 0, tn_bfile_size(inv->lengths), &p, err);
    inv->lens = p;
    return st;
}

tern_status tn_inv_open(const char *seg_dir, tn_inv **out, tern_error *err) {
    *out = NULL;
    tn_inv *inv = tn_calloc(1, sizeof *inv);
    if (!inv) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while opening %s", seg_dir);
    tern_status st = open_file(seg_dir, "terms.tn", TN_KIND_TERMS, &inv->terms, err);
    if (st == TERN_OK)
        st = open_file(seg_dir, "postings.tn", TN_KIND_POSTINGS, &inv->postings, err);
    if (st == TERN_OK)
        st = open_file(seg_dir, "positions.tn", TN_KIND_POSITIONS, &inv->positions, err);
    if (st == TERN_OK) st = open_file(seg_dir, "lengths.tn", TN_KIND_LENGTHS, &inv->lengths, err);
    if (st == TERN_OK) st = read_header(inv, err);
    if (st != TERN_OK) {
        tn_inv_close(inv);
        return st;
    }
    *out = inv;
    return TERN_OK;
}

void tn_inv_close(tn_inv *inv) {
    if (!inv) return;
    tn_bfile_close(inv->terms);
    tn_bfile_close(inv->postings);
    tn_bfile_close(inv->positions);
    tn_bfile_close(inv->lengths);
    tn_free(inv);
}

uint32_t tn_inv_n_docs(const tn_inv *inv) {
    return inv->head.n_docs;
}
uint32_t tn_inv_n_terms(const tn_inv *inv) {
    return inv->head.n_terms;
}
uint64_t tn_inv_n_tokens(const tn_inv *inv) {
    return inv->head.n_tokens;
}

tern_status tn_inv_corrupt(const tn_inv *inv, const tn_bfile *file, const tn_term *t,
                           tern_error *err) {
    (void)inv;
    return tern_fail(err, TERN_ERR_CORRUPT, 0,
                     "%s: the list of term %u \"%.60s\" at byte %llu is damaged: rebuild the index",
                     tn_bfile_path(file), t->no, t->text,
                     (unsigned long long)(file == inv->positions ? t->positions : t->postings) +
                         TN_BLOCK_HEADER_BYTES);
}

/* --- the dictionary --- */

/* text and len of t from the strings section. */
static tern_status read_string(const tn_inv *inv, uint32_t at, tn_term *t, tern_error *err) {
    const void *p;
    const uint64_t n = inv->head.n_string_bytes;
    if (at >= n) return bad_header(inv, "a term's string lies outside the file", err);
    tern_status st = tn_bfile_view(inv->terms, inv->strings_at + at, 1, &p, err);
    if (st != TERN_OK) return st;
    t->len = *(const uint8_t *)p;
    if (at + (uint64_t)t->len + 2 > n)
        return bad_header(inv, "a term's string lies outside the file", err);
    st = tn_bfile_view(inv->terms, inv->strings_at + at + 1, t->len + 1u, &p, err);
    if (st != TERN_OK) return st;
    t->text = p;
    if (t->text[t->len] != '\0') return bad_header(inv, "a term is not terminated", err);
    return TERN_OK;
}

tern_status tn_inv_term(const tn_inv *inv, uint32_t no, tn_term *out, tern_error *err) {
    const void *p;
    if (no >= inv->head.n_terms) return bad_header(inv, "there is no such term", err);
    uint64_t at = sizeof inv->head + (uint64_t)no * sizeof(tn_term_entry);
    tern_status st = tn_bfile_view(inv->terms, at, 2 * sizeof(tn_term_entry), &p, err);
    if (st != TERN_OK) return st;
    const tn_term_entry *e = p;
    st = read_string(inv, e[0].string, out, err);
    if (st != TERN_OK) return st;
    out->no = no;
    out->df = e[0].df;
    out->postings = e[0].postings;
    out->positions = e[0].positions;
    if (e[1].postings < e[0].postings || e[1].positions < e[0].positions || e[0].df == 0 ||
        e[0].df > inv->head.n_docs)
        return bad_header(inv, "a term's entry is damaged", err);
    out->postings_size = e[1].postings - e[0].postings;
    out->positions_size = e[1].positions - e[0].positions;
    return TERN_OK;
}

tern_status tn_inv_find(const tn_inv *inv, const char *term, size_t len, bool *found, tn_term *out,
                        tern_error *err) {
    const uint64_t hash = XXH3_64bits(term, len), mask = inv->head.n_slots - 1;
    *found = false;
    for (uint64_t probe = 0; probe <= mask; probe++) {
        const void *p;
        uint64_t slot, at = inv->slots_at + ((hash + probe) & mask) * sizeof slot;
        tern_status st = tn_bfile_view(inv->terms, at, sizeof slot, &p, err);
        if (st != TERN_OK) return st;
        memcpy(&slot, p, sizeof slot);
        if (slot == 0) return TERN_OK;
        if (slot >> 32 != hash >> 32) continue;
        st = tn_inv_term(inv, (uint32_t)slot - 1, out, err);
        if (st != TERN_OK) return st;
        if (out->len == len && memcmp(out->text, term, len) == 0) {
            *found = true;
            return TERN_OK;
        }
    }
    return TERN_OK;
}

tern_status tn_inv_df(const tn_inv *inv, const char *term, size_t len, uint32_t *df,
                      tern_error *err) {
    bool found = false;
    tn_term t;
    tern_status st = tn_inv_find(inv, term, len, &found, &t, err);
    *df = st == TERN_OK && found ? t.df : 0;
    return st;
}

tern_status tn_inv_postings(const tn_inv *inv, const tn_term *t, tn_postings *out,
                            tern_error *err) {
    const void *p;
    tern_status st = tn_bfile_view(inv->postings, t->postings, t->postings_size, &p, err);
    if (st != TERN_OK) return st;
    st = tn_postings_view(p, t->postings_size, t->df, inv->head.n_docs, out);
    return st == TERN_OK ? st : tn_inv_corrupt(inv, inv->postings, t, err);
}

/* --- positions --- */

tern_status tn_inv_positions(const tn_inv *inv, const tn_term *t, tn_positions *out,
                             tern_error *err) {
    const void *p;
    tern_status st = tn_bfile_view(inv->positions, t->positions, t->positions_size, &p, err);
    if (st != TERN_OK) return st;
    out->n_offsets = (t->df - 1) / TN_POSTINGS_BLOCK;
    out->offsets = p;
    out->end = out->offsets + t->positions_size;
    if (out->n_offsets * 8 > t->positions_size) return tn_inv_corrupt(inv, inv->positions, t, err);
    out->data = out->offsets + out->n_offsets * 8;
    return TERN_OK;
}

const uint8_t *tn_positions_block(const tn_positions *p, uint32_t block) {
    uint64_t offset = 0;
    if (block > p->n_offsets) return NULL;
    if (block > 0) memcpy(&offset, p->offsets + (block - 1) * 8u, sizeof offset);
    return offset <= (uint64_t)(p->end - p->data) ? p->data + offset : NULL;
}

bool tn_positions_read(const tn_positions *p, const uint8_t **at, uint32_t tf, uint32_t *out) {
    uint64_t position = 0;
    for (uint32_t i = 0; i < tf; i++) {
        uint32_t delta;
        if (!tn_varint_get(at, p->end, &delta)) return false;
        position += delta;
        if (position >= UINT32_MAX) return false;
        if (out) out[i] = (uint32_t)position;
        position++;
    }
    return true;
}

/* --- walking --- */

static tern_status decode_list(const tn_inv *inv, const tn_term *t, uint32_t *docs, uint32_t *tfs,
                               tern_error *err) {
    tn_postings list;
    tern_status st = tn_inv_postings(inv, t, &list, err);
    if (st != TERN_OK) return st;
    uint32_t block_docs[TN_POSTINGS_BLOCK], block_tfs[TN_POSTINGS_BLOCK], n;
    for (uint32_t b = 0; b <= list.n_blocks; b++) {
        if (tn_postings_decode(&list, b, block_docs, block_tfs, &n) != TERN_OK)
            return tn_inv_corrupt(inv, inv->postings, t, err);
        memcpy(docs + (size_t)b * TN_POSTINGS_BLOCK, block_docs, n * sizeof *docs);
        memcpy(tfs + (size_t)b * TN_POSTINGS_BLOCK, block_tfs, n * sizeof *tfs);
    }
    return TERN_OK;
}

tern_status tn_inv_walk(const tn_inv *inv, tn_inv_visit *visit, void *ud, tern_error *err) {
    uint32_t *docs = NULL, *tfs = NULL;
    size_t docs_cap = 0, tfs_cap = 0;
    tern_status st = TERN_OK;
    for (uint32_t no = 0; no < inv->head.n_terms && st == TERN_OK; no++) {
        tn_term t;
        st = tn_inv_term(inv, no, &t, err);
        if (st != TERN_OK) break;
        if (TN_GROW(docs, docs_cap, t.df) != 0 || TN_GROW(tfs, tfs_cap, t.df) != 0)
            st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while walking the terms");
        if (st == TERN_OK) st = decode_list(inv, &t, docs, tfs, err);
        if (st == TERN_OK) st = visit(ud, no, t.text, t.len, docs, tfs, t.df, err);
    }
    tn_free(docs);
    tn_free(tfs);
    return st;
}
