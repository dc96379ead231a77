/* load_lists.c - the older layouts: vocab.json with merges.txt (byte-level BPE), and vocab.txt
 * (WordPiece), with the pre-tokenizers that their families imply. */
#include "core/lm/tokenizer/load_lists.h"
#include "core/base/text.h"
#include "core/lm/tokenizer/chars.h"
#include <string.h>

#include "core/base/mem.h"

static tern_status fail_at(tern_error *err, tern_status st, const char *where, size_t line,
                           const char *what) {
    return tern_fail(err, st, 0, "%s, line %zu: %s", where, line, what);
}

/* The next line of [*s, end), without its end; false: no more. */
static bool next_line(const char **s, const char *end, const char **line, size_t *n) {
    if (*s >= end) return false;
    const char *nl = memchr(*s, '\n', (size_t)(end - *s));
    *line = *s;
    *n = (size_t)((nl ? nl : end) - *s);
    *s = nl ? nl + 1 : end;
    if (*n && (*line)[*n - 1] == '\r') (*n)--;
    return true;
}

static tern_status read_vocab(tern_tokenizer *t, const char *where, const char *text, size_t n,
                              tern_error *err) {
    json_t *root = NULL;
    const char *key;
    size_t len;
    json_t *v;
    tern_error inner = {0};
    tern_status st = tn_json_parse(text, n, &root, &inner);
    if (st == TERN_OK && (!json_is_object(root) || json_object_size(root) == 0))
        st = tern_fail(&inner, TERN_ERR_FORMAT, 0, "is not an object of pieces and ids");
    if (st == TERN_OK) {
        json_object_keylen_foreach(root, key, len, v) {
            int64_t id = json_is_integer(v) ? json_integer_value(v) : -1;
            if ((st = tn_vocab_add(&t->vocab, key, len, id, &inner)) != TERN_OK) break;
        }
    }
    json_decref(root);
    return st == TERN_OK ? st : tern_fail(err, st, 0, "%s: %s", where, inner.text);
}

static tern_status read_merges(tern_tokenizer *t, const char *where, const char *text, size_t n,
                               tern_error *err) {
    size_t n_lines = 1;
    for (size_t i = 0; i < n; i++) n_lines += text[i] == '\n';
    tern_status st = tn_bpe_begin(t, n_lines, err);
    const char *s = text, *end = text + n, *line;
    size_t len;
    for (size_t no = 1; st == TERN_OK && next_line(&s, end, &line, &len); no++) {
        const char *space = memchr(line, ' ', len);
        if (len == 0 || (len >= 8 && memcmp(line, "#version", 8) == 0)) continue;
        size_t left = space ? (size_t)(space - line) : 0, right = space ? len - left - 1 : 0;
        if (left == 0 || right == 0 || memchr(space + 1, ' ', right))
            return fail_at(err, TERN_ERR_FORMAT, where, no, "is not two pieces");
        tern_error inner;
        st = tn_bpe_add_merge(t, line, left, space + 1, right, &inner);
        if (st != TERN_OK) st = fail_at(err, st, where, no, inner.text);
    }
    return st;
}

tern_status tn_load_vocab_merges(tern_tokenizer *t, const char *vocab_where, const char *vocab,
                                 size_t n_vocab, const char *merges_where, const char *merges,
                                 size_t n_merges, const tn_tok_config *c, tern_error *err) {
    t->model = TN_MODEL_BPE;
    t->bpe.byte_level = true;
    tern_status st = read_vocab(t, vocab_where, vocab, n_vocab, err);
    if (st == TERN_OK) st = read_merges(t, merges_where, merges, n_merges, err);
    bool qwen = tn_tok_config_class_has(c, "Qwen2");
    if (qwen) t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_NFC};
    if (tn_tok_config_bool(c, "add_prefix_space", false))
        t->splits[t->n_splits++] = (tn_split){.kind = TN_SPLIT_PREFIX_SPACE};
    t->splits[t->n_splits++] =
        (tn_split){.kind = TN_SPLIT_SCAN, .scan = qwen ? TN_SCAN_QWEN2 : TN_SCAN_GPT2};
    t->decs[t->n_decs++] = (tn_dec){.kind = TN_DEC_BYTE_LEVEL};
    return st;
}

/* A line a piece; the line number from 0 is the id. */
static tern_status read_lines(tern_tokenizer *t, const char *where, const char *text, size_t n,
                              tern_error *err) {
    const char *s = text, *end = text + n, *line;
    size_t len;
    for (int64_t id = 0; next_line(&s, end, &line, &len); id++) {
        tern_error inner;
        if (!tn_utf8_valid(line, len))
            return fail_at(err, TERN_ERR_FORMAT, where, (size_t)id + 1, "is not UTF-8");
        if (len == 0) continue; /* keeps its number */
        tern_status st = tn_vocab_add(&t->vocab, line, len, id, &inner);
        if (st != TERN_OK) return fail_at(err, st, where, (size_t)id + 1, inner.text);
    }
    return TERN_OK;
}

tern_status tn_load_vocab_txt(tern_tokenizer *t, const char *where, const char *text, size_t n,
                              const tn_tok_config *c, tern_error *err) {
    static const char *const bracketed[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    tn_wordpiece *w = &t->wordpiece;
    t->model = TN_MODEL_WORDPIECE;
    tern_status st = read_lines(t, where, text, n, err);
    if (st != TERN_OK) return st;
    w->prefix = "##";
    w->prefix_len = 2;
    w->chars_max = 100;
    w->unk = tern_tokenizer_find(t, "[UNK]");
    if (w->unk < 0) return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: has no [UNK]", where);
    for (size_t i = 0; i < sizeof bracketed / sizeof *bracketed && st == TERN_OK; i++) {
        int32_t id = tern_tokenizer_find(t, bracketed[i]);
        tn_added a = {
            .content = bracketed[i], .len = strlen(bracketed[i]), .id = id, .special = true};
        if (id >= 0) st = tn_added_add(t, &a, err);
    }
    bool lower = tn_tok_config_bool(c, "do_lower_case", true);
    t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_BERT_CLEAN};
    if (tn_tok_config_bool(c, "tokenize_chinese_chars", true))
        t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_BERT_CJK};
    if (tn_tok_config_bool(c, "strip_accents", lower)) {
        t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_NFD};
        t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_STRIP_ACCENTS};
    }
    if (lower) t->norms[t->n_norms++] = (tn_norm){.kind = TN_NORM_LOWERCASE};
    t->splits[t->n_splits++] =
        (tn_split){.kind = TN_SPLIT_CLASS, .class_mask = TN_CH_SPACE, .behavior = TN_REMOVED};
    t->splits[t->n_splits++] =
        (tn_split){.kind = TN_SPLIT_CLASS, .class_mask = TN_CH_PUNCT, .behavior = TN_ISOLATED};
    t->decs[t->n_decs++] =
        (tn_dec){.kind = TN_DEC_WORDPIECE, .text = "##", .len = 2, .cleanup = true};
    return st;
}
