/* json_load.c - see json_load.h. */
#include "core/lm/tokenizer/json_load.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

tern_status tn_json_refuse(tn_tok_reader *l, tern_status st, const char *path, const char *fmt,
                           ...) {
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return tern_fail(l->err, st, 0, "%s: %s", path, text);
}

static bool is_listed(const char *known, const char *key) {
    size_t n = strlen(key);
    for (const char *at = known; n > 0 && (at = strstr(at, key)); at += n)
        if ((at == known || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

tern_status tn_json_members(tn_tok_reader *l, const json_t *obj, const char *path,
                            const char *known) {
    if (!json_is_object(obj)) return tn_json_refuse(l, TERN_ERR_FORMAT, path, "is not an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)obj, key, value) {
        if (is_listed(known, key) || json_is_null(value) || json_is_false(value)) continue;
        return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "member '%.60s' is not supported",
                              key);
    }
    return TERN_OK;
}

tern_status tn_json_text(tn_tok_reader *l, const json_t *v, const char *path, const char **s,
                         size_t *n) {
    if (!json_is_string(v)) return tn_json_refuse(l, TERN_ERR_FORMAT, path, "is not a string");
    *n = json_string_length(v);
    *s = tn_arena_strndup(&l->t->arena, json_string_value(v), *n);
    return *s ? TERN_OK : tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* ---- the model ---- */

static tern_status read_vocab(tn_tok_reader *l, const json_t *vocab) {
    if (!json_is_object(vocab))
        return tn_json_refuse(l, TERN_ERR_FORMAT, "model.vocab", "is not an object");
    const char *key;
    size_t key_len;
    json_t *value;
    json_object_keylen_foreach((json_t *)vocab, key, key_len, value) {
        if (!json_is_integer(value))
            return tn_json_refuse(l, TERN_ERR_FORMAT, "model.vocab",
                                  "the id of '%.60s' is not an "
                                  "integer",
                                  key);
        tern_error inner;
        tern_status st =
            tn_vocab_add(&l->t->vocab, key, key_len, json_integer_value(value), &inner);
        if (st != TERN_OK) return tn_json_refuse(l, st, "model.vocab", "%s", inner.text);
    }
    return TERN_OK;
}

static tern_status read_merge(tn_tok_reader *l, const json_t *m, size_t i) {
    char path[48];
    snprintf(path, sizeof path, "model.merges[%zu]", i);
    const char *left, *right;
    size_t n_left, n_right;
    if (json_is_string(m)) {
        left = json_string_value(m);
        size_t n = json_string_length(m);
        const char *space = memchr(left, ' ', n);
        n_left = space ? (size_t)(space - left) : 0;
        right = space ? space + 1 : "";
        n_right = space ? n - n_left - 1 : 0;
        if (memchr(right, ' ', n_right)) n_left = 0;
    } else {
        const json_t *a = json_array_get(m, 0), *b = json_array_get(m, 1);
        if (json_array_size(m) != 2 || !json_is_string(a) || !json_is_string(b))
            return tn_json_refuse(l, TERN_ERR_FORMAT, path, "is not a pair of pieces");
        left = json_string_value(a);
        right = json_string_value(b);
        n_left = json_string_length(a);
        n_right = json_string_length(b);
    }
    if (n_left == 0 || n_right == 0)
        return tn_json_refuse(l, TERN_ERR_FORMAT, path, "is not two pieces");
    return tn_bpe_add_merge(l->t, left, n_left, right, n_right, l->err);
}

static bool is_set(const json_t *obj, const char *key) {
    const json_t *v = json_object_get(obj, key);
    return v && !json_is_null(v) && !(json_is_string(v) && json_string_length(v) == 0) &&
           !(json_is_number(v) && json_number_value(v) == 0);
}

/* The id of an unknown token named by a member: -1 when the member is null. */
static tern_status read_unk(tn_tok_reader *l, const json_t *model, int32_t *unk) {
    const json_t *v = json_object_get(model, "unk_token");
    *unk = -1;
    if (!v || json_is_null(v)) return TERN_OK;
    if (!json_is_string(v))
        return tn_json_refuse(l, TERN_ERR_FORMAT, "model.unk_token", "is not a string");
    *unk = tn_vocab_find(&l->t->vocab, json_string_value(v), json_string_length(v));
    if (*unk >= 0) return TERN_OK;
    return tn_json_refuse(l, TERN_ERR_FORMAT, "model.unk_token", "'%.60s' is not in the vocabulary",
                          json_string_value(v));
}

static tern_status read_bpe(tn_tok_reader *l, const json_t *model) {
    tern_tokenizer *t = l->t;
    t->model = TN_MODEL_BPE;
    tern_status st = tn_json_members(l, model, "model",
                                     "type dropout unk_token continuing_subword_prefix "
                                     "end_of_word_suffix fuse_unk byte_fallback ignore_merges "
                                     "vocab merges");
    static const char *const refused[] = {"dropout", "continuing_subword_prefix",
                                          "end_of_word_suffix"};
    for (size_t i = 0; i < 3 && st == TERN_OK; i++)
        if (is_set(model, refused[i]))
            st = tn_json_refuse(l, TERN_ERR_UNSUPPORTED, "model", "member '%s' is not supported",
                                refused[i]);
    if (st == TERN_OK) st = read_vocab(l, json_object_get(model, "vocab"));
    if (st == TERN_OK) st = read_unk(l, model, &t->bpe.unk);
    if (st != TERN_OK) return st;
    t->bpe.fuse_unk = tn_json_bool(model, "fuse_unk", false);
    t->bpe.byte_fallback = tn_json_bool(model, "byte_fallback", false);
    t->bpe.ignore_merges = tn_json_bool(model, "ignore_merges", false);
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_array(merges))
        return tn_json_refuse(l, TERN_ERR_FORMAT, "model.merges", "is not an array");
    st = tn_bpe_begin(t, json_array_size(merges), l->err);
    for (size_t i = 0; i < json_array_size(merges) && st == TERN_OK; i++)
        st = read_merge(l, json_array_get(merges, i), i);
    return st;
}

static tern_status read_wordpiece(tn_tok_reader *l, const json_t *model) {
    tern_tokenizer *t = l->t;
    tn_wordpiece *w = &t->wordpiece;
    t->model = TN_MODEL_WORDPIECE;
    tern_status st = tn_json_members(l, model, "model",
                                     "type unk_token continuing_subword_prefix "
                                     "max_input_chars_per_word vocab");
    if (st == TERN_OK) st = read_vocab(l, json_object_get(model, "vocab"));
    if (st == TERN_OK) st = read_unk(l, model, &w->unk);
    if (st != TERN_OK) return st;
    if (w->unk < 0) return tn_json_refuse(l, TERN_ERR_FORMAT, "model.unk_token", "is missing");
    w->chars_max = (size_t)tn_json_int(model, "max_input_chars_per_word", 100);
    const json_t *prefix = json_object_get(model, "continuing_subword_prefix");
    if (prefix)
        return tn_json_text(l, prefix, "model.continuing_subword_prefix", &w->prefix,
                            &w->prefix_len);
    w->prefix = "##";
    w->prefix_len = 2;
    return TERN_OK;
}

static tern_status read_unigram_piece(tn_tok_reader *l, const json_t *pair, size_t i) {
    tern_tokenizer *t = l->t;
    char path[48];
    snprintf(path, sizeof path, "model.vocab[%zu]", i);
    const json_t *piece = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    if (json_array_size(pair) != 2 || !json_is_string(piece) || !json_is_number(score) ||
        json_string_length(piece) == 0 || !isfinite(json_number_value(score)))
        return tn_json_refuse(l, TERN_ERR_FORMAT, path, "is not [piece, score]");
    const char *s = json_string_value(piece);
    size_t n = json_string_length(piece);
    tern_error inner;
    tern_status st = tn_vocab_add(&t->vocab, s, n, (int64_t)i, &inner);
    if (st != TERN_OK) return tn_json_refuse(l, st, path, "%s", inner.text);
    if (tn_trie_add(&t->unigram.trie, s, n, (int32_t)i) != 0)
        return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory");
    t->unigram.scores[i] = json_number_value(score);
    if (i == 0 || t->unigram.scores[i] - 10 < t->unigram.unk_score)
        t->unigram.unk_score = t->unigram.scores[i] - 10;
    return TERN_OK;
}

static tern_status read_unigram(tn_tok_reader *l, const json_t *model) {
    tern_tokenizer *t = l->t;
    tn_unigram *u = &t->unigram;
    t->model = TN_MODEL_UNIGRAM;
    tern_status st = tn_json_members(l, model, "model", "type unk_id vocab byte_fallback");
    if (st != TERN_OK) return st;
    const json_t *vocab = json_object_get(model, "vocab"), *unk = json_object_get(model, "unk_id");
    size_t n = json_array_size(vocab);
    if (n == 0)
        return tn_json_refuse(l, TERN_ERR_FORMAT, "model.vocab", "is not an array of pieces");
    if (!(u->scores = tn_calloc(n, sizeof *u->scores)))
        return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        st = read_unigram_piece(l, json_array_get(vocab, i), i);
    if (st != TERN_OK) return st;
    u->unk = -1;
    if (unk && !json_is_null(unk)) {
        if (!json_is_integer(unk) || json_integer_value(unk) < 0 ||
            json_integer_value(unk) >= (json_int_t)n)
            return tn_json_refuse(l, TERN_ERR_FORMAT, "model.unk_id", "is no id of the vocabulary");
        u->unk = (int32_t)json_integer_value(unk);
    }
    u->byte_fallback = tn_json_bool(model, "byte_fallback", false);
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        u->byte_id[i] = tn_vocab_find(&t->vocab, name, 6);
    }
    return TERN_OK;
}

static tern_status read_model(tn_tok_reader *l, const json_t *model) {
    const char *type = tn_json_str(model, "type", NULL);
    if (!json_is_object(model)) return tn_json_refuse(l, TERN_ERR_FORMAT, "model", "is missing");
    if (!type) /* old files leave it out */
        type = json_object_get(model, "merges")                 ? "BPE"
               : json_is_array(json_object_get(model, "vocab")) ? "Unigram"
                                                                : "WordPiece";
    if (strcmp(type, "BPE") == 0) return read_bpe(l, model);
    if (strcmp(type, "WordPiece") == 0) return read_wordpiece(l, model);
    if (strcmp(type, "Unigram") == 0) return read_unigram(l, model);
    return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, "model.type", "'%.60s' is not supported", type);
}

/* ---- added tokens ---- */

static tern_status read_added(tn_tok_reader *l, const json_t *list) {
    if (!list || json_is_null(list)) return TERN_OK;
    if (!json_is_array(list))
        return tn_json_refuse(l, TERN_ERR_FORMAT, "added_tokens", "is not an array");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i), *id = json_object_get(v, "id");
        char path[48];
        snprintf(path, sizeof path, "added_tokens[%zu]", i);
        tn_added a = {.special = tn_json_bool(v, "special", false),
                      .single_word = tn_json_bool(v, "single_word", false),
                      .lstrip = tn_json_bool(v, "lstrip", false),
                      .rstrip = tn_json_bool(v, "rstrip", false)};
        a.normalized = tn_json_bool(v, "normalized", !a.special);
        tern_status st =
            tn_json_members(l, v, path, "id content single_word lstrip rstrip normalized special");
        if (st == TERN_OK)
            st = tn_json_text(l, json_object_get(v, "content"), path, &a.content, &a.len);
        if (st == TERN_OK && (!json_is_integer(id) || json_integer_value(id) < 0 ||
                              json_integer_value(id) >= TN_VOCAB_ID_MAX || a.len == 0))
            st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "lacks an id or a content");
        if (st != TERN_OK) return st;
        a.id = (int32_t)json_integer_value(id);
        tern_error inner;
        st = tn_added_add(l->t, &a, &inner);
        if (st != TERN_OK) return tn_json_refuse(l, st, path, "%s", inner.text);
    }
    return TERN_OK;
}

/* ---- the template ---- */

static tern_status add_around(tn_tok_reader *l, bool before, int64_t id, const char *path) {
    tern_tokenizer *t = l->t;
    if (!tn_vocab_piece(&t->vocab, id, NULL))
        return tn_json_refuse(l, TERN_ERR_FORMAT, path, "id %lld is not in the vocabulary",
                              (long long)id);
    int rc = before ? TN_GROW(t->before, t->before_cap, t->n_before + 1)
                    : TN_GROW(t->after, t->after_cap, t->n_after + 1);
    if (rc != 0) return tern_fail(l->err, TERN_ERR_NOMEM, 0, "out of memory");
    if (before)
        t->before[t->n_before++] = (int32_t)id;
    else
        t->after[t->n_after++] = (int32_t)id;
    return TERN_OK;
}

static tern_status read_template(tn_tok_reader *l, const json_t *v, const char *path) {
    const json_t *single = json_object_get(v, "single");
    tern_status st = tn_json_members(l, v, path, "type single pair special_tokens");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(single) && st == TERN_OK; i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *token = json_object_get(item, "SpecialToken");
        if (!token) {
            if (seen || !json_object_get(item, "Sequence"))
                return tn_json_refuse(l, TERN_ERR_FORMAT, path, "single has no one Sequence");
            seen = true;
            continue;
        }
        const char *name = tn_json_str(token, "id", "");
        const json_t *ids =
            json_object_get(json_object_get(json_object_get(v, "special_tokens"), name), "ids");
        if (json_array_size(ids) == 0)
            return tn_json_refuse(l, TERN_ERR_FORMAT, path, "special_tokens lacks '%.60s'", name);
        for (size_t k = 0; k < json_array_size(ids) && st == TERN_OK; k++)
            st = add_around(l, !seen, json_integer_value(json_array_get(ids, k)), path);
    }
    if (st == TERN_OK && !seen)
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "single has no Sequence");
    return st;
}

/* BertProcessing, RobertaProcessing: cls A sep */
static tern_status read_cls_sep(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type sep cls trim_offsets add_prefix_space");
    const json_t *cls = json_array_get(json_object_get(v, "cls"), 1);
    const json_t *sep = json_array_get(json_object_get(v, "sep"), 1);
    if (st == TERN_OK && (!json_is_integer(cls) || !json_is_integer(sep)))
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "lacks cls or sep");
    if (st == TERN_OK) st = add_around(l, true, json_integer_value(cls), path);
    if (st == TERN_OK) st = add_around(l, false, json_integer_value(sep), path);
    return st;
}

static tern_status read_post(tn_tok_reader *l, const json_t *v, const char *path) {
    if (!v || json_is_null(v)) return TERN_OK;
    const char *type = tn_json_str(v, "type", "");
    if (strcmp(type, "ByteLevel") == 0) /* trims offsets alone; ours say what they cover */
        return tn_json_members(l, v, path, "type add_prefix_space trim_offsets use_regex");
    if (l->t->n_before + l->t->n_after > 0)
        return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "a second template");
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(l, v, path);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return read_cls_sep(l, v, path);
    if (strcmp(type, "Sequence") != 0 || ++l->depth > TN_JSON_DEPTH_MAX)
        return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "type '%.60s' is not supported", type);
    const json_t *list = json_object_get(v, "processors");
    tern_status st = tn_json_members(l, v, path, "type processors");
    for (size_t i = 0; i < json_array_size(list) && st == TERN_OK; i++) {
        char inner[128];
        snprintf(inner, sizeof inner, "%.80s.processors[%zu]", path, i);
        st = read_post(l, json_array_get(list, i), inner);
    }
    l->depth--;
    return st;
}

/* ---- the whole ---- */

static tern_status load_parts(tn_tok_reader *l, const json_t *root) {
    tern_status st = tn_json_members(l, root, "(root)",
                                     "version truncation padding added_tokens normalizer "
                                     "pre_tokenizer post_processor decoder model");
    if (st == TERN_OK) st = read_model(l, json_object_get(root, "model"));
    if (st == TERN_OK) st = read_added(l, json_object_get(root, "added_tokens"));
    if (st == TERN_OK)
        st = tn_json_normalizer(l, json_object_get(root, "normalizer"), "normalizer");
    if (st == TERN_OK)
        st = tn_json_pre_tokenizer(l, json_object_get(root, "pre_tokenizer"), "pre_tokenizer");
    if (st == TERN_OK) st = read_post(l, json_object_get(root, "post_processor"), "post_processor");
    if (st == TERN_OK) st = tn_json_decoder(l, json_object_get(root, "decoder"), "decoder");
    return st;
}

tern_status tn_load_json(tern_tokenizer *t, const char *where, const char *text, size_t n,
                         tern_error *err) {
    tern_error inner = {0};
    json_t *root = NULL;
    tn_tok_reader l = {.t = t, .err = &inner};
    tern_status st = tn_json_parse(text, n, &root, &inner);
    if (st == TERN_OK) st = load_parts(&l, root);
    json_decref(root);
    return st == TERN_OK ? st : tern_fail(err, st, 0, "%s: %s", where, inner.text);
}
