/* postings.h - one term's postings list: blocks of 128 packed integers, and a tail.
 *
 * A list of df postings (doc, tf), docs ascending, is laid out as
 *   metas    df / 128 x 16 bytes: u32 last doc, u32 min length, u32 offset of the block's words
 *            from the end of the metas in units of 16 bytes, u16 max tf (65535: that or more),
 *            u8 bits of a doc delta, u8 bits of a tf
 *   blocks   16 x bits bytes of doc deltas, then 16 x bits bytes of tfs: 128 values in four
 *            interleaved columns, so that plain C on vectors of four unpacks them
 *   tail     df % 128 pairs of varints: doc delta, tf - 1
 * A delta is doc - previous doc - 1 (the first: doc), a packed tf is tf - 1. Lists with blocks
 * start at a multiple of 4. (max tf, min length) bound a block's scores for any k1 and b; for the
 * tail they are found by decoding it. Positions: see tn_positions.
 *
 * Readers trust nothing: whatever the bytes, decoded docs are ascending and below n_docs, or the
 * call fails with CORRUPT. */
#ifndef TN_POSTINGS_H
#define TN_POSTINGS_H
#include "core/base/buf.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TN_POSTINGS_BLOCK = 128, TN_TF_SATURATED = UINT16_MAX };

typedef struct tn_block_meta {
    uint32_t last_doc, min_len, offset;
    uint16_t max_tf;
    uint8_t doc_bits, tf_bits;
} tn_block_meta;

/* --- packing --- */

/* 128 values of `bits` bits (0..32) <-> 16 x bits bytes. No alignment asked of `packed`. */
void tn_pack128(const uint32_t values[128], unsigned bits, uint8_t *packed);
void tn_unpack128(const uint8_t *packed, unsigned bits, uint32_t values[128]);

void tn_varint_add(tn_buf *out, uint32_t v);
/* Read a varint at *p before end; false: cut short or too long. */
static inline bool tn_varint_get(const uint8_t **p, const uint8_t *end, uint32_t *v) {
    const uint8_t *q = *p;
    uint32_t x = 0;
    for (unsigned shift = 0; q < end && shift < 35; shift += 7) {
        uint8_t c = *q++;
        x |= (uint32_t)(c & 0x7F) << shift;
        if (c < 0x80) {
            *p = q;
            *v = x;
            return true;
        }
    }
    return false;
}

/* --- encoding one list --- */

/* Append the list to out, which must hold a multiple of 4 bytes; lens[doc] are the lengths. */
void tn_postings_encode(const uint32_t *docs, const uint32_t *tfs, uint32_t df,
                        const uint32_t *lens, tn_buf *out);

/* --- reading one list --- */

typedef struct tn_postings {
    uint32_t df, n_blocks, n_tail;
    uint32_t n_docs; /* of the segment: every doc is below */
    const tn_block_meta *metas;
    const uint8_t *blocks, *tail, *end;
} tn_postings;

/* View the list in [data, data + size). CORRUPT without a message: sizes do not fit. */
tern_status tn_postings_view(const void *data, uint64_t size, uint32_t df, uint32_t n_docs,
                             tn_postings *out);
/* Decode block `i` (i == n_blocks: the tail); *n values, at most 128. tfs may be NULL. */
tern_status tn_postings_decode(const tn_postings *p, uint32_t i, uint32_t docs[128],
                               uint32_t tfs[128], uint32_t *n);

#endif
