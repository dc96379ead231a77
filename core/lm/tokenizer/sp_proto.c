/* sp_proto.c - see sp_proto.h. */
#include "core/lm/tokenizer/sp_proto.h"
#include "core/base/text.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

typedef struct reader {
    const uint8_t *start, *p, *end;
} reader;

typedef struct field {
    uint32_t number;
    int wire; /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
    uint64_t value;
    tn_sp_bytes bytes;
} field;

static bool read_varint(reader *r, uint64_t *out) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;
        v |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool read_field(reader *r, field *f) {
    uint64_t tag;
    if (!read_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return false;
    *f = (field){.number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7)};
    size_t left = (size_t)(r->end - r->p);
    switch (f->wire) {
    case 0:
        return read_varint(r, &f->value);
    case 1:
    case 5: {
        size_t n = f->wire == 1 ? 8 : 4;
        if (left < n) return false;
        memcpy(&f->value, r->p, n);
        r->p += n;
        return true;
    }
    case 2:
        if (!read_varint(r, &f->value)) return false;
        left = (size_t)(r->end - r->p);
        if (f->value > left) return false;
        f->bytes = (tn_sp_bytes){(const char *)r->p, (size_t)f->value};
        r->p += f->value;
        return true;
    default:
        return false;
    }
}

static reader inside(tn_sp_bytes b) {
    const uint8_t *p = (const uint8_t *)b.s;
    return (reader){p, p, p + b.n};
}

static tern_status damaged(const reader *file, const void *at, tern_error *err) {
    return tern_fail(err, TERN_ERR_FORMAT, 0, "byte %zu: not a SentencePiece model, or damaged",
                     (size_t)((const uint8_t *)at - file->start));
}

static tern_status read_piece(const reader *file, tn_sp_bytes message, tn_sp_piece_fn *fn, void *ud,
                              tern_error *err) {
    tn_sp_bytes piece = {0};
    int type = TN_SP_NORMAL;
    reader r = inside(message);
    while (r.p < r.end) {
        field f;
        if (!read_field(&r, &f)) return damaged(file, r.p, err);
        if (f.number == 1 && f.wire == 2)
            piece = f.bytes;
        else if (f.number == 2 && f.wire == 5)
            continue; /* the score is the library's affair */
        else if (f.number == 3 && f.wire == 0 && f.value >= TN_SP_NORMAL && f.value <= TN_SP_BYTE)
            type = (int)f.value;
        else if (f.number <= 3)
            return damaged(file, r.p, err);
    }
    if (piece.n == 0 || !tn_utf8_valid(piece.s, piece.n) || memchr(piece.s, '\0', piece.n))
        return damaged(file, message.s, err);
    return fn(ud, piece, type, err);
}

static tern_status read_trainer(const reader *file, tn_sp_bytes message, tn_sp_proto *out,
                                tern_error *err) {
    reader r = inside(message);
    while (r.p < r.end) {
        field f;
        if (!read_field(&r, &f)) return damaged(file, r.p, err);
        tn_sp_bytes *text = f.number == 45   ? &out->unk_piece
                            : f.number == 46 ? &out->bos_piece
                            : f.number == 47 ? &out->eos_piece
                            : f.number == 48 ? &out->pad_piece
                                             : NULL;
        if (f.number == 3 && f.wire == 0) out->model_type = f.value < 5 ? (int)f.value : 0;
        if (f.number == 35 && f.wire == 0) out->byte_fallback = f.value != 0;
        if (text && f.wire == 2) *text = f.bytes;
    }
    return TERN_OK;
}

static tern_status read_normalizer(const reader *file, tn_sp_bytes message, tn_sp_proto *out,
                                   tern_error *err) {
    reader r = inside(message);
    while (r.p < r.end) {
        field f;
        if (!read_field(&r, &f)) return damaged(file, r.p, err);
        if (f.number == 2 && f.wire == 2 && f.bytes.n > 0) {
            tern_status st = tn_charsmap_check(f.bytes.s, f.bytes.n, err);
            if (st != TERN_OK) return st;
        }
        if (f.number == 3 && f.wire == 0) out->add_dummy_prefix = f.value != 0;
        if (f.number == 4 && f.wire == 0) out->remove_extra_whitespaces = f.value != 0;
    }
    return TERN_OK;
}

static tern_status read_denormalizer(const reader *file, tn_sp_bytes message, tern_error *err) {
    reader r = inside(message);
    while (r.p < r.end) {
        field f;
        if (!read_field(&r, &f)) return damaged(file, r.p, err);
        if (f.number == 2 && f.bytes.n > 0)
            return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                             "denormalizer_spec.precompiled_charsmap is not supported");
    }
    return TERN_OK;
}

tern_status tn_sp_proto_read(const void *data, size_t n, tn_sp_proto *out, tn_sp_piece_fn *fn,
                             void *ud, tern_error *err) {
    *out = (tn_sp_proto){.model_type = TN_SP_UNIGRAM,
                         .add_dummy_prefix = true,
                         .remove_extra_whitespaces = true,
                         .unk_piece = {"<unk>", 5},
                         .bos_piece = {"<s>", 3},
                         .eos_piece = {"</s>", 4},
                         .pad_piece = {"<pad>", 5}};
    reader r = inside((tn_sp_bytes){data, n});
    const reader file = r;
    tern_status st = TERN_OK;
    while (r.p < r.end && st == TERN_OK) {
        field f;
        if (!read_field(&r, &f) || (f.number <= 5 && f.wire != 2)) return damaged(&file, r.p, err);
        if (f.number == 1) {
            out->n_pieces++;
            st = read_piece(&file, f.bytes, fn, ud, err);
        } else if (f.number == 2) {
            st = read_trainer(&file, f.bytes, out, err);
        } else if (f.number == 3) {
            st = read_normalizer(&file, f.bytes, out, err);
        } else if (f.number == 5) {
            st = read_denormalizer(&file, f.bytes, err);
        }
    }
    if (st == TERN_OK && out->n_pieces == 0) st = damaged(&file, file.start, err);
    return st;
}
