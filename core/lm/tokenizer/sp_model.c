/* sp_model.c - a SentencePiece model: the library encodes, this file keeps its pieces and numbers
 * and decodes, to exact bytes (the library turns byte pieces that are no UTF-8 into U+FFFD). */
#include "core/lm/tokenizer/sp_proto.h"
#include "core/lm/tokenizer/sp_shim.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

struct tn_sp {
    tn_sp_lib *lib;
    tn_sp_proto proto;
    uint8_t *type; /* by id of ours; 0: no piece of the model's */
    size_t type_cap;
    int32_t *id_of; /* by number of the library's */
    size_t n_pieces, id_cap;
    bool fairseq;
};

void tn_sp_close(struct tn_sp *sp) {
    if (!sp) return;
    tn_sp_lib_close(sp->lib);
    tn_free(sp->type);
    tn_free(sp->id_of);
    tn_free(sp);
}

static int32_t our_id(const struct tn_sp *sp, size_t number) {
    static const int32_t first[] = {3, 0, 2}; /* <unk>, <s>, </s> */
    if (!sp->fairseq) return (int32_t)number;
    return number < 3 ? first[number] : (int32_t)number + 1;
}

static tern_status add_piece(void *ud, tn_sp_bytes piece, int type, tern_error *err) {
    tern_tokenizer *t = ud;
    struct tn_sp *sp = t->sp;
    int32_t id = our_id(sp, sp->n_pieces);
    size_t had = sp->type_cap;
    tern_status st = tn_vocab_add(&t->vocab, piece.s, piece.n, id, err);
    if (st != TERN_OK) return st;
    if (TN_GROW(sp->id_of, sp->id_cap, sp->n_pieces + 1) != 0 ||
        TN_GROW(sp->type, sp->type_cap, (size_t)id + 3) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (sp->type_cap > had) memset(sp->type + had, 0, sp->type_cap - had);
    sp->type[id] = (uint8_t)type;
    sp->id_of[sp->n_pieces++] = id;
    return TERN_OK;
}

static int32_t find_control(const tern_tokenizer *t, tn_sp_bytes piece, int type) {
    int32_t id = tn_vocab_find(&t->vocab, piece.s, piece.n);
    return id >= 0 && t->sp->type[id] == type ? id : -1;
}

/* Control and unknown pieces are special tokens. The library takes them for text where they are
 * written out, so a bare model does too; a tokenizer_config.json that names them, or XLM-R's
 * conventions, make ids of them. */
static tern_status add_special(tern_tokenizer *t, int32_t id, tern_error *err) {
    size_t len;
    const char *piece = tn_vocab_piece(&t->vocab, id, &len);
    tn_added a = {.content = piece, .len = len, .id = id, .special = true};
    a.unwritten = !t->sp->fairseq;
    return tn_added_add(t, &a, err);
}

static tern_status add_fairseq_tokens(tern_tokenizer *t, tern_error *err) {
    static const char mask[] = "<mask>";
    tern_status st = tn_vocab_add(&t->vocab, "<pad>", 5, 1, err);
    int32_t mask_id = (int32_t)t->sp->n_pieces + 1;
    if (st == TERN_OK) st = add_special(t, 1, err);
    if (st == TERN_OK)
        st = tn_added_add(
            t,
            &(tn_added){.content = mask, .len = 6, .id = mask_id, .special = true, .lstrip = true},
            err);
    t->special[TERN_SPECIAL_PAD] = 1;
    t->special[TERN_SPECIAL_MASK] = mask_id;
    t->special[TERN_SPECIAL_CLS] = t->special[TERN_SPECIAL_BOS];
    t->special[TERN_SPECIAL_SEP] = t->special[TERN_SPECIAL_EOS];
    return st;
}

static tern_status open_library(struct tn_sp *sp, const void *data, size_t n, tern_error *err) {
    char why[256] = "";
    switch (tn_sp_lib_open(data, n, &sp->lib, why, sizeof why)) {
    case TN_SP_OK:
        return TERN_OK;
    case TN_SP_NOMEM:
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    default:
        return tern_fail(err, TERN_ERR_FORMAT, 0, "SentencePiece refuses the model: %s", why);
    }
}

static tern_status load(tern_tokenizer *t, const void *data, size_t n, tern_error *err) {
    struct tn_sp *sp = t->sp;
    tern_status st = tn_sp_proto_read(data, n, &sp->proto, add_piece, t, err);
    if (st != TERN_OK) return st;
    const tn_sp_proto *p = &sp->proto;
    if (p->model_type != TN_SP_UNIGRAM && p->model_type != TN_SP_BPE)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "trainer_spec.model_type %d is neither unigram nor bpe", p->model_type);
    if (sp->fairseq && sp->n_pieces < 4)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "too few pieces for XLM-R's numbering");
    t->kind = p->model_type == TN_SP_BPE ? "SentencePiece BPE" : "SentencePiece Unigram";
    t->special[TERN_SPECIAL_UNK] = find_control(t, p->unk_piece, TN_SP_UNKNOWN);
    t->special[TERN_SPECIAL_BOS] = find_control(t, p->bos_piece, TN_SP_CONTROL);
    t->special[TERN_SPECIAL_EOS] = find_control(t, p->eos_piece, TN_SP_CONTROL);
    t->special[TERN_SPECIAL_PAD] = find_control(t, p->pad_piece, TN_SP_CONTROL);
    if ((st = open_library(sp, data, n, err)) != TERN_OK) return st;
    for (size_t i = 0; i < sp->n_pieces && st == TERN_OK; i++) {
        int type = sp->type[sp->id_of[i]];
        if (type == TN_SP_CONTROL || type == TN_SP_UNKNOWN) st = add_special(t, sp->id_of[i], err);
    }
    if (st == TERN_OK && sp->fairseq) st = add_fairseq_tokens(t, err);
    /* The views into the file end with this call. */
    sp->proto.unk_piece.s = sp->proto.bos_piece.s = NULL;
    sp->proto.eos_piece.s = sp->proto.pad_piece.s = NULL;
    return st;
}

tern_status tn_load_sp(tern_tokenizer *t, const char *where, const void *data, size_t n,
                       bool fairseq, tern_error *err) {
    t->model = TN_MODEL_SENTENCEPIECE;
    t->sp = tn_calloc(1, sizeof *t->sp);
    if (!t->sp) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    t->sp->fairseq = fairseq;
    tern_error inner;
    tern_status st = load(t, data, n, &inner);
    return st == TERN_OK ? st : tern_fail(err, st, 0, "%s: %s", where, inner.text);
}

/* ---- encoding ---- */

typedef struct emitting {
    tn_encoder *e;
    const tn_stretch *x;
} emitting;

static void emit_token(void *ud, int number, uint32_t begin, uint32_t end) {
    emitting *m = ud;
    const struct tn_sp *sp = m->e->t->sp;
    if (number < 0 || (size_t)number >= sp->n_pieces || m->e->st != TERN_OK) return;
    if (end > m->x->n) end = (uint32_t)m->x->n;
    if (begin > end) begin = end;
    tn_emit(m->e, m->x, sp->id_of[number], begin, end);
}

void tn_sp_model_encode(tn_encoder *e, const tn_stretch *x) {
    char why[256] = "";
    emitting m = {e, x};
    switch (tn_sp_lib_encode(e->t->sp->lib, x->s, x->n, e->opts->spans, emit_token, &m, why,
                             sizeof why)) {
    case TN_SP_OK:
        return;
    case TN_SP_NOMEM:
        tn_encoder_nomem(e);
        return;
    default:
        if (e->st == TERN_OK)
            e->st = tern_fail(e->err, TERN_ERR_FORMAT, 0, "SentencePiece: %s", why);
    }
}

/* ---- decoding ---- */

static const char space[] = "\xE2\x96\x81"; /* U+2581 */

static unsigned nibble(char c) {
    return c <= '9' ? (unsigned)(c - '0') : ((unsigned)c & 0xDF) - 'A' + 10;
}

/* "<0xE2>" */
static char byte_of(const char *piece, size_t n) {
    return n == 6 ? (char)((nibble(piece[3]) & 15) << 4 | (nibble(piece[4]) & 15)) : '?';
}

void tn_sp_piece_text(const tern_tokenizer *t, int32_t id, bool *at_start, tn_buf *out) {
    const struct tn_sp *sp = t->sp;
    size_t n, before = out->len;
    const char *s = tn_vocab_piece(&t->vocab, id, &n);
    int type = sp->type[id];
    if (type == TN_SP_BYTE) {
        tn_buf_char(out, byte_of(s, n));
    } else {
        bool strips =
            *at_start && (sp->proto.add_dummy_prefix || sp->proto.remove_extra_whitespaces);
        if (strips && n >= 3 && memcmp(s, space, 3) == 0) {
            s += 3;
            n -= 3;
            if (!sp->proto.remove_extra_whitespaces) *at_start = false;
        }
        while (n > 0) {
            bool is_space = n >= 3 && memcmp(s, space, 3) == 0;
            tn_buf_add(out, is_space ? " " : s, 1);
            s += is_space ? 3 : 1;
            n -= is_space ? 3 : 1;
        }
    }
    if (out->len > before) *at_start = false;
}
