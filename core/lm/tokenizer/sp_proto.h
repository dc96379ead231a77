/* sp_proto.h - a SentencePiece model file (protocol buffers, message ModelProto) as far as tern
 * reads it, checked so that the library can be trusted with it:
 *   1 pieces, each { 1 piece, 2 score (float), 3 type }
 *   2 trainer_spec { 3 model_type, 35 byte_fallback, 45-48 unk, bos, eos, pad piece }
 *   3 normalizer_spec { 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces }
 *   5 denormalizer_spec */
#ifndef TN_SP_PROTO_H
#define TN_SP_PROTO_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TN_SP_NORMAL = 1, TN_SP_UNKNOWN, TN_SP_CONTROL, TN_SP_USER, TN_SP_UNUSED, TN_SP_BYTE };
enum { TN_SP_UNIGRAM = 1, TN_SP_BPE, TN_SP_WORD, TN_SP_CHAR };

typedef struct tn_sp_bytes {
    const char *s; /* a view of the file; NULL: the field is absent */
    size_t n;
} tn_sp_bytes;

typedef struct tn_sp_proto {
    int model_type;
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces;
    tn_sp_bytes unk_piece, bos_piece, eos_piece, pad_piece; /* defaults filled in */
    size_t n_pieces;
} tn_sp_proto;

/* Called for each piece in order; a status other than OK ends the reading. */
typedef tern_status tn_sp_piece_fn(void *ud, tn_sp_bytes piece, int type, tern_error *err);

/* Errors: FORMAT (not such a file, or damaged: at which byte), UNSUPPORTED (a denormaliser), and
 * what fn returns. */
TERN_MUST_USE tern_status tn_sp_proto_read(const void *data, size_t n, tn_sp_proto *out,
                                           tn_sp_piece_fn *fn, void *ud, tern_error *err);

#endif
