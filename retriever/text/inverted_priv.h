/* inverted_priv.h - files of an inverted index, shared by builder, merger, reader and scorer.
 *
 * terms.tn (little endian):
 *   header     tn_terms_header, 64 bytes
 *   entries    (n_terms + 1) x tn_term_entry in byte order of the terms; the last one only closes
 *              the offsets
 *   slots      n_slots x u64, a power of two: high 32 bits of XXH3(term) << 32 | term number + 1,
 *              or 0; linear probing from XXH3(term) mod n_slots
 *   strings    u8 length, bytes, NUL
 * postings.tn: the lists of postings.h, each padded to 4 bytes.
 * positions.tn: per term, (df - 1) / 128 x u64 (where the positions of blocks 1, 2, ... begin,
 *   from the end of these offsets), then the positions as varints: the first of a passage, then
 *   differences - 1.
 * lengths.tn: n_docs x u32. */
#ifndef TN_INVERTED_PRIV_H
#define TN_INVERTED_PRIV_H
#include "retriever/store/blockfile.h"
#include "retriever/text/inverted.h"
#include "retriever/text/postings.h"

#define TN_KIND_TERMS     TN_KIND('T', 'E', 'R', 'M')
#define TN_KIND_POSTINGS  TN_KIND('P', 'O', 'S', 'T')
#define TN_KIND_POSITIONS TN_KIND('P', 'O', 'S', 'I')
#define TN_KIND_LENGTHS   TN_KIND('L', 'E', 'N', 'S')

typedef struct tn_terms_header {
    uint32_t n_docs, n_terms;
    uint64_t n_tokens;
    uint64_t n_slots, n_string_bytes;
    uint64_t reserved[4]; /* 0 */
} tn_terms_header;

typedef struct tn_term_entry {
    uint64_t postings, positions; /* offsets in the payloads of their files */
    uint32_t df, string;          /* string: offset in strings */
} tn_term_entry;

/* --- writing: terms in byte order, one thread --- */

typedef struct tn_inv_writer tn_inv_writer;
/*   lens  [n_docs], borrowed until commit or abort */
TERN_MUST_USE tern_status tn_inv_writer_open(const char *seg_dir, const uint32_t *lens,
                                             uint32_t n_docs, tn_inv_writer **out, tern_error *err);
/* The next term with its df >= 1 passages, ascending; positions: tfs[0], tfs[1], ... ascending
 * positions, one passage after the other. */
TERN_MUST_USE tern_status tn_inv_writer_add(tn_inv_writer *w, const char *term, size_t term_len,
                                            const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                                            const uint32_t *positions, tern_error *err);
TERN_MUST_USE tern_status tn_inv_writer_commit(tn_inv_writer *w, tern_error *err); /* frees w */
void tn_inv_writer_abort(tn_inv_writer *w); /* unlinks and frees; NULL allowed */

/* --- reading --- */

struct tn_inv {
    tn_bfile *terms, *postings, *positions, *lengths;
    tn_terms_header head;
    uint64_t slots_at, strings_at; /* offsets in terms */
    const uint32_t *lens;          /* [n_docs] */
};

typedef struct tn_term {
    const char *text; /* NUL-terminated view, valid until close */
    uint32_t len, no, df;
    uint64_t postings, postings_size;   /* range in postings.tn */
    uint64_t positions, positions_size; /* range in positions.tn */
} tn_term;

/* Term number no, 0 .. n_terms-1. CORRUPT. */
TERN_MUST_USE tern_status tn_inv_term(const tn_inv *inv, uint32_t no, tn_term *out,
                                      tern_error *err);
/* Look a term up; *found false if the segment lacks it. CORRUPT. */
TERN_MUST_USE tern_status tn_inv_find(const tn_inv *inv, const char *term, size_t len, bool *found,
                                      tn_term *out, tern_error *err);
/* The term's list, every byte verified now: decoding it later touches no checksum. */
TERN_MUST_USE tern_status tn_inv_postings(const tn_inv *inv, const tn_term *t, tn_postings *out,
                                          tern_error *err);
/* CORRUPT, naming the file and the term whose list cannot be right. */
tern_status tn_inv_corrupt(const tn_inv *inv, const tn_bfile *file, const tn_term *t,
                           tern_error *err);

/* Positions of one term, all of them verified at open. */
typedef struct tn_positions {
    const uint8_t *offsets, *data, *end;
    uint64_t n_offsets;
} tn_positions;
TERN_MUST_USE tern_status tn_inv_positions(const tn_inv *inv, const tn_term *t, tn_positions *out,
                                           tern_error *err);
/* Where block `block`'s positions begin, or NULL: damaged. */
const uint8_t *tn_positions_block(const tn_positions *p, uint32_t block);
/* Read tf positions at *at into out (NULL: skip them), ascending; false: damaged. */
bool tn_positions_read(const tn_positions *p, const uint8_t **at, uint32_t tf, uint32_t *out);

#endif
