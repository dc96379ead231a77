/* inv_writer.c - writes the four files of an inverted index from terms given in order.
 * Postings and positions stream out; the dictionary stays in memory until the commit (about 45
 * bytes a term), because its hash table needs the number of terms. */
#include "core/base/file.h"
#include "retriever/text/inverted_priv.h"
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

struct tn_inv_writer {
    tn_bwriter *terms, *postings, *positions, *lengths;
    const uint32_t *lens;
    uint32_t n_docs, n_terms;
    tn_buf entries, strings; /* tn_term_entry[], and the strings section */
    tn_buf list;             /* the list being encoded */
    tn_buf offsets;
};

static tern_status open_file(const char *dir, const char *name, uint32_t kind, tn_bwriter **out,
                             tern_error *err) {
    char *path = tn_path_join(dir, name);
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while opening %s", name);
    tern_status st = tn_bwriter_open(path, kind, out, err);
    tn_free(path);
    return st;
}

tern_status tn_inv_writer_open(const char *seg_dir, const uint32_t *lens, uint32_t n_docs,
                               tn_inv_writer **out, tern_error *err) {
    *out = NULL;
    tn_inv_writer *w = tn_calloc(1, sizeof *w);
    if (!w) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the index writer");
    w->lens = lens;
    w->n_docs = n_docs;
    tern_status st = open_file(seg_dir, "terms.tn", TN_KIND_TERMS, &w->terms, err);
    if (st == TERN_OK) st = open_file(seg_dir, "postings.tn", TN_KIND_POSTINGS, &w->postings, err);
    if (st == TERN_OK)
        st = open_file(seg_dir, "positions.tn", TN_KIND_POSITIONS, &w->positions, err);
    if (st == TERN_OK) st = open_file(seg_dir, "lengths.tn", TN_KIND_LENGTHS, &w->lengths, err);
    if (st != TERN_OK) {
        tn_inv_writer_abort(w);
        return st;
    }
    *out = w;
    return TERN_OK;
}

static void writer_free(tn_inv_writer *w) {
    tn_buf_deinit(&w->entries);
    tn_buf_deinit(&w->strings);
    tn_buf_deinit(&w->list);
    tn_buf_deinit(&w->offsets);
    tn_free(w);
}

void tn_inv_writer_abort(tn_inv_writer *w) {
    if (!w) return;
    tn_bwriter_abort(w->terms);
    tn_bwriter_abort(w->postings);
    tn_bwriter_abort(w->positions);
    tn_bwriter_abort(w->lengths);
    writer_free(w);
}

static tern_status add_entry(tn_inv_writer *w, uint32_t df, tern_error *err) {
    if (w->strings.len > UINT32_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "the terms of a segment exceed 4 GiB");
    tn_term_entry e = {tn_bwriter_tell(w->postings), tn_bwriter_tell(w->positions), df,
                       (uint32_t)w->strings.len};
    tn_buf_add(&w->entries, &e, sizeof e);
    return tn_buf_status(&w->entries, err);
}

/* Append a passage's positions to the list buffer. */
static const uint32_t *encode_positions(tn_inv_writer *w, const uint32_t *positions, uint32_t tf) {
    uint32_t before = 0;
    for (uint32_t i = 0; i < tf; i++) {
        tn_varint_add(&w->list, positions[i] - before);
        before = positions[i] + 1;
    }
    return positions + tf;
}

static tern_status add_positions(tn_inv_writer *w, const uint32_t *tfs, uint32_t df,
                                 const uint32_t *positions, tern_error *err) {
    tn_buf_reset(&w->list);
    tn_buf_reset(&w->offsets);
    for (uint32_t i = 0; i < df; i++) {
        uint64_t at = w->list.len;
        if (i > 0 && i % TN_POSTINGS_BLOCK == 0) tn_buf_add(&w->offsets, &at, sizeof at);
        positions = encode_positions(w, positions, tfs[i]);
    }
    tern_status st = tn_buf_status(&w->list, err);
    if (st == TERN_OK) st = tn_buf_status(&w->offsets, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->positions, w->offsets.data, w->offsets.len, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->positions, w->list.data, w->list.len, err);
    return st;
}

tern_status tn_inv_writer_add(tn_inv_writer *w, const char *term, size_t term_len,
                              const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                              const uint32_t *positions, tern_error *err) {
    tern_status st = add_entry(w, df, err);
    if (st != TERN_OK) return st;
    tn_buf_char(&w->strings, (char)term_len);
    tn_buf_add(&w->strings, term, term_len);
    tn_buf_char(&w->strings, '\0');
    w->n_terms++;
    tn_buf_reset(&w->list);
    tn_postings_encode(docs, tfs, df, w->lens, &w->list);
    st = tn_buf_status(&w->list, err);
    if (st == TERN_OK) st = tn_buf_status(&w->strings, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->postings, w->list.data, w->list.len, err);
    if (st == TERN_OK) st = tn_bwriter_align(w->postings, 4, err);
    return st == TERN_OK ? add_positions(w, tfs, df, positions, err) : st;
}

/* At most two thirds full, and a power of two; 1 for no terms, so that a probe finds an end. */
static uint64_t slots_for(uint32_t n_terms) {
    uint64_t n = 1;
    while (n * 2 < (uint64_t)n_terms * 3) n *= 2;
    return n;
}

static void fill_slots(const tn_inv_writer *w, uint64_t *slots, uint64_t n_slots) {
    const tn_term_entry *entries = (const tn_term_entry *)(const void *)w->entries.data;
    for (uint32_t no = 0; no < w->n_terms; no++) {
        const uint8_t *s = (const uint8_t *)w->strings.data + entries[no].string;
        uint64_t hash = XXH3_64bits(s + 1, s[0]);
        uint64_t i = hash & (n_slots - 1);
        while (slots[i]) i = (i + 1) & (n_slots - 1);
        slots[i] = (hash >> 32 << 32) | (no + 1);
    }
}

static tern_status write_terms(tn_inv_writer *w, tern_error *err) {
    tn_terms_header head = {.n_docs = w->n_docs, .n_terms = w->n_terms};
    for (uint32_t d = 0; d < w->n_docs; d++) head.n_tokens += w->lens[d];
    head.n_slots = slots_for(w->n_terms);
    head.n_string_bytes = w->strings.len;
    tern_status st = add_entry(w, 0, err);
    if (st != TERN_OK) return st;
    uint64_t *slots = tn_calloc(head.n_slots, sizeof *slots);
    if (!slots) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the term table");
    fill_slots(w, slots, head.n_slots);
    st = tn_bwriter_add(w->terms, &head, sizeof head, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->terms, w->entries.data, w->entries.len, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->terms, slots, head.n_slots * sizeof *slots, err);
    if (st == TERN_OK) st = tn_bwriter_add(w->terms, w->strings.data, w->strings.len, err);
    tn_free(slots);
    return st;
}

tern_status tn_inv_writer_commit(tn_inv_writer *w, tern_error *err) {
    tern_status st = write_terms(w, err);
    if (st == TERN_OK)
        st = tn_bwriter_add(w->lengths, w->lens, (size_t)w->n_docs * sizeof *w->lens, err);
    tn_bwriter **files[] = {&w->terms, &w->postings, &w->positions, &w->lengths};
    for (size_t i = 0; i < 4 && st == TERN_OK; i++) {
        tn_bwriter *file = *files[i];
        *files[i] = NULL; /* freed whatever the outcome */
        st = tn_bwriter_commit(file, err);
    }
    if (st == TERN_OK)
        writer_free(w);
    else
        tn_inv_writer_abort(w);
    return st;
}
