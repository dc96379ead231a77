/* tokenizer.c - see tern/tokenizer.h and tokenizer_priv.h: making and freeing a tokenizer, and the
 * way of a text through it. */
#include "core/base/text.h"
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/guarded.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>

#include "core/base/mem.h"

enum { TEXT_MAX = 1 << 30 };

tern_tokenizer *tn_tokenizer_new(void) {
    tern_tokenizer *t = tn_calloc(1, sizeof *t);
    if (!t) return NULL;
    tn_chars_init();
    pthread_mutex_init(&t->lock, NULL);
    t->bpe.unk = t->wordpiece.unk = t->unigram.unk = -1;
    for (int i = 0; i < TERN_SPECIAL_N; i++) t->special[i] = -1;
    return t;
}

void tern_tokenizer_close(tern_tokenizer *t) {
    if (!t) return;
    for (tn_encoder *e = t->idle, *next; e; e = next) {
        next = e->next;
        tn_encoder_free(e);
    }
    pthread_mutex_destroy(&t->lock);
    for (size_t i = 0; i < t->n_norms; i++) tn_norm_deinit(&t->norms[i]);
    for (size_t i = 0; i < t->n_splits; i++) tn_pattern_deinit(&t->splits[i].pattern);
    tn_bpe_deinit(&t->bpe);
    tn_trie_deinit(&t->wordpiece.starts);
    tn_trie_deinit(&t->wordpiece.rests);
    tn_trie_deinit(&t->unigram.trie);
    tn_free(t->unigram.scores);
    tn_sp_close(t->sp);
    tn_added_deinit(t);
    tn_free(t->before);
    tn_free(t->after);
    tn_free(t->chat_template);
    tn_vocab_deinit(&t->vocab);
    tn_arena_deinit(&t->arena);
    tn_free(t);
}

static tern_status finish_wordpiece(tern_tokenizer *t, tern_error *err) {
    tn_wordpiece *w = &t->wordpiece;
    for (int32_t id = 0; id < t->vocab.size; id++) {
        size_t n;
        const char *s = tn_vocab_piece(&t->vocab, id, &n);
        if (!s || n == 0) continue;
        bool rest = n > w->prefix_len && memcmp(s, w->prefix, w->prefix_len) == 0;
        if (tn_trie_add(&w->starts, s, n, id) != 0 ||
            (rest && tn_trie_add(&w->rests, s + w->prefix_len, n - w->prefix_len, id) != 0))
            return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    return TERN_OK;
}

tern_status tn_tokenizer_finish(tern_tokenizer *t, tern_error *err) {
    tern_status st = TERN_OK;
    switch (t->model) {
    case TN_MODEL_BPE:
        t->kind = t->bpe.byte_level ? "byte-level BPE" : "BPE";
        st = tn_bpe_finish(t, err);
        break;
    case TN_MODEL_WORDPIECE:
        t->kind = "WordPiece";
        st = finish_wordpiece(t, err);
        break;
    case TN_MODEL_UNIGRAM:
        t->kind = "Unigram";
        break;
    case TN_MODEL_SENTENCEPIECE: /* which of the two, its loader said */
        break;
    }
    return st == TERN_OK ? tn_added_finish(t, err) : st;
}

/* ---- encoding ---- */

tern_encode_opts tern_encode_defaults(void) {
    return (tern_encode_opts){.add_special = true, .parse_special = true};
}

void tern_tokens_deinit(tern_tokens *tokens) {
    tn_free(tokens->ids);
    tn_free(tokens->spans);
    *tokens = (tern_tokens){0};
}

static void encode_normal(tn_encoder *e, const tn_stretch *x) {
    if (e->t->model == TN_MODEL_SENTENCEPIECE)
        tn_sp_model_encode(e, x);
    else
        tn_pretokenize(e, x);
}

static void encode_raw(tn_encoder *e, const tn_stretch *x) {
    tn_stretch normal = tn_normalize(e, x);
    if (e->st == TERN_OK) tn_added_cut(e, &normal, &e->t->added_normalized, encode_normal);
}

/* The text with every maximal ill-formed part as U+FFFD, for models that know characters alone. */
static tn_stretch repaired(tn_encoder *e, const tn_stretch *x) {
    tn_writer w = tn_writer_begin(e, x->n + x->n / 8);
    for (size_t at = 0, len; at < x->n && e->st == TERN_OK; at += len) {
        uint32_t cp;
        len = tn_utf8_decode(x->s + at, x->n - at, &cp);
        if (len) {
            tn_write_copy(&w, x, at, at + len);
        } else {
            len = tn_utf8_bad_len(x->s + at, x->n - at);
            tn_write(&w, "\xEF\xBF\xBD", 3, tn_stretch_span(x, at, at + len));
        }
    }
    return tn_writer_end(&w, x);
}

static void encode_text(tn_encoder *e, const char *text, size_t len) {
    const tern_tokenizer *t = e->t;
    uint32_t end = (uint32_t)len;
    tn_stretch x = {.s = text, .n = len};
    bool keeps_bytes = t->model == TN_MODEL_SENTENCEPIECE || /* the library repairs by its rules */
                       (t->model == TN_MODEL_BPE && t->bpe.byte_level);
    if (!keeps_bytes && !tn_utf8_valid(text, len)) x = repaired(e, &x);
    for (size_t i = 0; e->opts->add_special && i < t->n_before; i++)
        tn_emit_at(e, t->before[i], 0, 0);
    if (x.n > 0 && e->st == TERN_OK) tn_added_cut(e, &x, &t->added_raw, encode_raw);
    for (size_t i = 0; e->opts->add_special && i < t->n_after; i++)
        tn_emit_at(e, t->after[i], end, end);
}

tern_status tn_encode_guarded(const tern_tokenizer *t, const char *text, size_t len,
                              const tern_token_span *guarded, size_t n_guarded,
                              const tern_encode_opts *opts, tern_tokens *tokens, tern_error *err) {
    tern_encode_opts defaults = tern_encode_defaults();
    tokens->n = 0;
    if (len > TEXT_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "a text of %zu bytes; at most %d", len, TEXT_MAX);
    tn_encoder *e = tn_encoder_take(t);
    if (!e) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    e->opts = opts ? opts : &defaults;
    e->guarded = guarded;
    e->n_guarded = n_guarded;
    e->out = tokens;
    e->err = err;
    e->st = TERN_OK;
    encode_text(e, text, len);
    tern_status st = e->st;
    tn_encoder_give(e);
    if (st != TERN_OK) tokens->n = 0;
    return st;
}

tern_status tern_tokenizer_encode(const tern_tokenizer *t, const char *text, size_t len,
                                  const tern_encode_opts *opts, tern_tokens *tokens,
                                  tern_error *err) {
    return tn_encode_guarded(t, text, len, NULL, 0, opts, tokens, err);
}

/* ---- the vocabulary ---- */

int32_t tern_tokenizer_size(const tern_tokenizer *t) {
    return t->vocab.size;
}

const char *tern_tokenizer_piece(const tern_tokenizer *t, int32_t id) {
    return tn_vocab_piece(&t->vocab, id, NULL);
}

int32_t tern_tokenizer_find(const tern_tokenizer *t, const char *piece) {
    return tn_vocab_find(&t->vocab, piece, strlen(piece));
}

int32_t tern_tokenizer_special(const tern_tokenizer *t, tern_special which) {
    return (unsigned)which < TERN_SPECIAL_N ? t->special[which] : -1;
}

bool tern_tokenizer_is_special(const tern_tokenizer *t, int32_t id) {
    if (id < 0 || id >= t->vocab.size || !t->added_of[id]) return false;
    return t->added[t->added_of[id] - 1].special;
}

const char *tern_tokenizer_hash(const tern_tokenizer *t) {
    return t->hash;
}

const char *tern_tokenizer_kind(const tern_tokenizer *t) {
    return t->kind;
}

const char *tern_tokenizer_chat_template(const tern_tokenizer *t) {
    return t->chat_template;
}
