/* decode.c - ids -> text: the decoder's steps on each piece as it comes, so that a stream and a
 * whole text are the same. Steps behind Fuse see the text from its beginning; only Strip at the
 * start makes sense there, and the loader allows nothing else. */
#include "core/base/text.h"
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

struct tern_detok {
    const tern_tokenizer *t;
    bool skip_special;
    bool first;        /* no token yet */
    bool at_start;     /* no text yet (SentencePiece) */
    size_t n_to_strip; /* of Strip behind Fuse: copies that may still go */
    tn_buf out;        /* decoded, not all of it given out */
    size_t given;      /* of out, by the last call */
    tn_buf piece, spare;
};

static void start_text(tern_detok *d) {
    d->first = d->at_start = true;
    d->n_to_strip = 0;
    bool fused = false;
    for (size_t i = 0; i < d->t->n_decs; i++) {
        fused |= d->t->decs[i].kind == TN_DEC_FUSE;
        if (fused && d->t->decs[i].kind == TN_DEC_STRIP) d->n_to_strip = d->t->decs[i].start;
    }
}

tern_status tern_detok_new(const tern_tokenizer *t, bool skip_special, tern_detok **out,
                           tern_error *err) {
    *out = tn_calloc(1, sizeof **out);
    if (!*out) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    (*out)->t = t;
    (*out)->skip_special = skip_special;
    start_text(*out);
    return TERN_OK;
}

void tern_detok_free(tern_detok *d) {
    if (!d) return;
    tn_buf_deinit(&d->out);
    tn_buf_deinit(&d->piece);
    tn_buf_deinit(&d->spare);
    tn_free(d);
}

/* ---- steps on one piece ---- */

static void replace_all(const tn_buf *in, const char *what, size_t n, const char *with,
                        size_t n_with, tn_buf *out) {
    size_t at = 0;
    while (at < in->len && n) {
        const char *hit = memmem(in->data + at, in->len - at, what, n);
        if (!hit) break;
        tn_buf_add(out, in->data + at, (size_t)(hit - in->data) - at);
        tn_buf_add(out, with, n_with);
        at = (size_t)(hit - in->data) + n;
    }
    tn_buf_add(out, in->data + at, in->len - at);
}

static void unmap_bytes(const tn_buf *in, tn_buf *out) {
    for (size_t at = 0; at < in->len;) {
        uint32_t cp;
        at += tn_char_next(in->data + at, in->len - at, &cp);
        int32_t byte = tn_byte_of_char(cp);
        if (byte < 0) { /* not of the alphabet (an added token): as it is */
            tn_buf_reset(out);
            tn_buf_add(out, in->data, in->len);
            return;
        }
        tn_buf_char(out, (char)byte);
    }
}

static int hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static void byte_of_name(const tn_buf *in, tn_buf *out) {
    const char *s = in->data;
    bool is_byte =
        in->len == 6 && memcmp(s, "<0x", 3) == 0 && s[5] == '>' && hex(s[3]) >= 0 && hex(s[4]) >= 0;
    if (is_byte)
        tn_buf_char(out, (char)(hex(s[3]) << 4 | hex(s[4])));
    else
        tn_buf_add(out, s, in->len);
}

static void strip_ends(const tn_buf *in, const tn_dec *d, tn_buf *out) {
    size_t begin = 0, end = in->len;
    for (size_t i = 0; i < d->start && end - begin >= d->len; i++, begin += d->len)
        if (memcmp(in->data + begin, d->text, d->len) != 0) break;
    for (size_t i = 0; i < d->stop && end - begin >= d->len; i++, end -= d->len)
        if (memcmp(in->data + end - d->len, d->text, d->len) != 0) break;
    tn_buf_add(out, in->data + begin, end - begin);
}

/* Spaces that WordPiece's joining puts where English has none. */
static void clean_up(tn_buf *piece, tn_buf *spare) {
    static const char *const pairs[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tn_buf_reset(spare);
        replace_all(piece, pairs[i][0], strlen(pairs[i][0]), pairs[i][1], strlen(pairs[i][1]),
                    spare);
        tn_buf swap = *piece;
        *piece = *spare;
        *spare = swap;
    }
}

static void wordpiece(const tn_buf *in, const tn_dec *d, bool first, tn_buf *out) {
    bool goes_on = in->len >= d->len && memcmp(in->data, d->text, d->len) == 0;
    if (!first && goes_on) {
        tn_buf_add(out, in->data + d->len, in->len - d->len);
        return;
    }
    if (!first) tn_buf_char(out, ' ');
    tn_buf_add(out, in->data, in->len);
}

static void run_step(tern_detok *d, const tn_dec *step) {
    tn_buf *in = &d->piece, *out = &d->spare;
    tn_buf_reset(out);
    switch (step->kind) {
    case TN_DEC_BYTE_LEVEL:
        unmap_bytes(in, out);
        break;
    case TN_DEC_METASPACE:
        replace_all(in, step->text, step->len, " ", d->first && step->prefix ? 0 : 1, out);
        break;
    case TN_DEC_WORDPIECE:
        wordpiece(in, step, d->first, out);
        if (step->cleanup) clean_up(out, in);
        break;
    case TN_DEC_BYTE_FALLBACK:
        byte_of_name(in, out);
        break;
    case TN_DEC_STRIP:
        strip_ends(in, step, out);
        break;
    case TN_DEC_REPLACE:
        replace_all(in, step->text, step->len, step->content, step->content_len, out);
        break;
    case TN_DEC_FUSE:
        return;
    }
    tn_buf swap = *in;
    *in = *out;
    *out = swap;
}

/* Strip behind Fuse: from the very beginning of the text. */
static void strip_start(tern_detok *d, const tn_dec *step) {
    size_t begin = 0;
    while (d->n_to_strip > 0 && d->piece.len - begin >= step->len && step->len > 0 &&
           memcmp(d->piece.data + begin, step->text, step->len) == 0) {
        begin += step->len;
        d->n_to_strip--;
    }
    if (begin < d->piece.len) d->n_to_strip = 0;
    memmove(d->piece.data, d->piece.data + begin, d->piece.len - begin);
    d->piece.len -= begin;
}

static tern_status decode_one(tern_detok *d, int32_t id, tern_error *err) {
    const tern_tokenizer *t = d->t;
    size_t len;
    const char *piece = tn_vocab_piece(&t->vocab, id, &len);
    if (!piece)
        return tern_fail(err, TERN_ERR_ARG, 0, "id %d is not in the vocabulary of %d", id,
                         t->vocab.size);
    if (d->skip_special && tern_tokenizer_is_special(t, id)) return TERN_OK;
    tn_buf_reset(&d->piece);
    if (t->sp && !t->added_of[id])
        tn_sp_piece_text(t, id, &d->at_start, &d->piece);
    else
        tn_buf_add(&d->piece, piece, len);
    if (t->join_with_space && !d->first) tn_buf_char(&d->out, ' ');
    bool fused = false;
    for (size_t i = 0; i < t->n_decs && !d->piece.failed && !d->spare.failed; i++) {
        fused |= t->decs[i].kind == TN_DEC_FUSE;
        if (fused && t->decs[i].kind == TN_DEC_STRIP)
            strip_start(d, &t->decs[i]);
        else
            run_step(d, &t->decs[i]);
    }
    d->first = false;
    if (d->piece.failed || d->spare.failed) tn_buf_fail(&d->out);
    tn_buf_add(&d->out, d->piece.data, d->piece.len);
    return tn_buf_status(&d->out, err);
}

/* ---- streams ---- */

static void drop_given(tern_detok *d) {
    if (d->given == 0) return;
    memmove(d->out.data, d->out.data + d->given, d->out.len - d->given);
    d->out.len -= d->given;
    d->given = 0;
}

/* Bytes at the end that may yet become a character: a lead byte and well-formed continuations. */
static size_t unfinished(const char *s, size_t n) {
    for (size_t len = 1; len <= 3 && len <= n; len++) {
        unsigned char lead = (unsigned char)s[n - len];
        if ((lead & 0xC0) == 0x80) continue;
        size_t want = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
        return lead <= 0xF4 && want > len ? len : 0;
    }
    return 0;
}

tern_status tern_detok_add(tern_detok *d, int32_t id, const char **text, size_t *len,
                           tern_error *err) {
    *text = "";
    *len = 0;
    drop_given(d);
    tern_status st = decode_one(d, id, err);
    if (st != TERN_OK) {
        if (d->out.failed) tn_buf_reset(&d->out);
        return st;
    }
    if (d->out.len == 0) return TERN_OK;
    d->given = d->out.len - unfinished(d->out.data, d->out.len);
    *text = d->out.data;
    *len = d->given;
    return TERN_OK;
}

tern_status tern_detok_end(tern_detok *d, const char **text, size_t *len, tern_error *err) {
    (void)err;
    drop_given(d);
    *text = d->out.len ? d->out.data : "";
    *len = d->given = d->out.len;
    start_text(d);
    return TERN_OK;
}

tern_status tern_tokenizer_decode(const tern_tokenizer *t, const int32_t *ids, size_t n,
                                  bool skip_special, char **text, size_t *len, tern_error *err) {
    *text = NULL;
    *len = 0;
    tern_detok d = {.t = t, .skip_special = skip_special};
    start_text(&d);
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        tern_error inner;
        st = decode_one(&d, ids[i], &inner);
        if (st != TERN_OK) st = tern_fail(err, st, 0, "token %zu of %zu: %s", i + 1, n, inner.text);
    }
    if (st == TERN_OK) {
        *len = d.out.len;
        *text = tn_buf_take(&d.out);
        if (!*text) *text = tn_strdup("");
        if (!*text) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    tn_buf_deinit(&d.out);
    tn_buf_deinit(&d.piece);
    tn_buf_deinit(&d.spare);
    return st;
}

void tern_tokenizer_free_text(char *text) {
    tn_free(text);
}
