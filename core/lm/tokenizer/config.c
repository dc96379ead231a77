/* config.c - see config.h. */
#include "core/lm/tokenizer/config.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

bool tn_tok_config_class_has(const tn_tok_config *c, const char *name) {
    return strstr(c->class, name) != NULL;
}

bool tn_tok_config_bool(const tn_tok_config *c, const char *key, bool fallback) {
    return tn_json_bool(c->config, key, fallback);
}

/* ---- added tokens ---- */

static tern_status add_one(tern_tokenizer *t, const char *content, size_t len, int64_t id,
                           const json_t *flags, tern_error *err) {
    int32_t there = tn_vocab_find(&t->vocab, content, len);
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].id != there) continue;
        t->added[i].unwritten = false;
        return TERN_OK; /* the tokenizer's own file said the rest */
    }
    if (there >= 0) id = there;
    if (there < 0 && tn_vocab_piece(&t->vocab, id, NULL)) return TERN_OK;
    if (len == 0 || id < 0 || id >= TN_VOCAB_ID_MAX)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "added token '%.60s' has no usable id", content);
    tn_added a = {.content = tn_arena_strndup(&t->arena, content, len),
                  .len = len,
                  .id = (int32_t)id,
                  .special = tn_json_bool(flags, "special", false),
                  .single_word = tn_json_bool(flags, "single_word", false),
                  .lstrip = tn_json_bool(flags, "lstrip", false),
                  .rstrip = tn_json_bool(flags, "rstrip", false)};
    a.normalized = tn_json_bool(flags, "normalized", false);
    if (!a.content) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    return tn_added_add(t, &a, err);
}

/* tokenizer_config.json: added_tokens_decoder { "id": { content, special, ... } } */
static tern_status add_decoder_tokens(tern_tokenizer *t, const json_t *list, tern_error *err) {
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)list, key, v) {
        const json_t *content = json_object_get(v, "content");
        char *end;
        long long id = strtoll(key, &end, 10);
        if (*end || end == key || !json_is_string(content))
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "tokenizer_config.json: added_tokens_decoder['%.40s'] is damaged",
                             key);
        tern_status st =
            add_one(t, json_string_value(content), json_string_length(content), id, v, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* added_tokens.json: { content: id } */
static tern_status add_listed_tokens(tern_tokenizer *t, const json_t *list, tern_error *err) {
    const char *key;
    size_t len;
    json_t *v;
    json_object_keylen_foreach((json_t *)list, key, len, v) {
        tern_status st =
            add_one(t, key, len, json_is_integer(v) ? json_integer_value(v) : -1, NULL, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* ---- special ids ---- */

static const struct {
    const char *key;
    const char *usual[6]; /* contents that mean it when no file says so */
} specials[TERN_SPECIAL_N] = {
    [TERN_SPECIAL_BOS] = {"bos_token", {"<s>", "<bos>", "<|begin_of_text|>"}},
    [TERN_SPECIAL_EOS] = {"eos_token",
                          {"</s>", "<eos>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>"}},
    [TERN_SPECIAL_PAD] = {"pad_token", {"<pad>", "[PAD]"}},
    [TERN_SPECIAL_UNK] = {"unk_token", {"<unk>", "[UNK]"}},
    [TERN_SPECIAL_CLS] = {"cls_token", {"[CLS]"}},
    [TERN_SPECIAL_SEP] = {"sep_token", {"[SEP]"}},
    [TERN_SPECIAL_MASK] = {"mask_token", {"<mask>", "[MASK]"}},
};

/* "text" or {"content": "text", ...} */
static const char *token_text(const json_t *file, const char *key) {
    const json_t *v = json_object_get(file, key);
    if (json_is_object(v)) v = json_object_get(v, "content");
    return json_is_string(v) ? json_string_value(v) : NULL;
}

static tern_status make_special(tern_tokenizer *t, int32_t id, const json_t *v, tern_error *err) {
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].id != id) continue;
        t->added[i].special = true;
        t->added[i].unwritten = false;
        return TERN_OK;
    }
    size_t len;
    const char *content = tn_vocab_piece(&t->vocab, id, &len);
    tn_added a = {.content = content,
                  .len = len,
                  .id = id,
                  .special = true,
                  .lstrip = tn_json_bool(v, "lstrip", false),
                  .rstrip = tn_json_bool(v, "rstrip", false)};
    return tn_added_add(t, &a, err);
}

/* What usual content the vocabulary has; a tokenizer.json must list it as special, for "<s>" may be
 * a piece like others. -1: none. */
static int32_t guess_special(const tern_tokenizer *t, int k, bool own_template) {
    for (int i = 0; i < 6 && specials[k].usual[i]; i++) {
        int32_t id = tern_tokenizer_find(t, specials[k].usual[i]);
        if (id >= 0 && !own_template) return id;
        for (size_t a = 0; id >= 0 && a < t->n_added; a++)
            if (t->added[a].id == id && t->added[a].special) return id;
    }
    return -1;
}

static tern_status find_specials(tern_tokenizer *t, const tn_tok_config *c, bool own_template,
                                 tern_error *err) {
    tern_status st = TERN_OK;
    int32_t unk = t->model == TN_MODEL_BPE         ? t->bpe.unk
                  : t->model == TN_MODEL_WORDPIECE ? t->wordpiece.unk
                                                   : t->unigram.unk;
    if (unk >= 0) t->special[TERN_SPECIAL_UNK] = unk;
    for (int k = 0; k < TERN_SPECIAL_N && st == TERN_OK; k++) {
        const json_t *file = c->config;
        const char *text = token_text(file, specials[k].key);
        if (!text) text = token_text(file = c->map, specials[k].key);
        bool named = text != NULL, none = json_is_null(json_object_get(c->config, specials[k].key));
        int32_t id = text ? tern_tokenizer_find(t, text) : -1;
        if (!named && !none && t->special[k] < 0) id = guess_special(t, k, own_template);
        if (id < 0) continue;
        t->special[k] = id;
        /* A tokenizer.json and a SentencePiece model say themselves what is looked for in texts. */
        if (named || (!own_template && !t->sp))
            st = make_special(t, id, json_object_get(file, specials[k].key), err);
    }
    return st;
}

/* ---- the template ---- */

static tern_status put_around(tern_tokenizer *t, int32_t before, int32_t after, tern_error *err) {
    t->n_before = t->n_after = 0;
    if (TN_GROW(t->before, t->before_cap, 1) != 0 || TN_GROW(t->after, t->after_cap, 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (before >= 0) t->before[t->n_before++] = before;
    if (after >= 0) t->after[t->n_after++] = after;
    return TERN_OK;
}

static tern_status find_template(tern_tokenizer *t, const tn_tok_config *c, bool own_template,
                                 tern_error *err) {
    int32_t bos = t->special[TERN_SPECIAL_BOS], eos = t->special[TERN_SPECIAL_EOS];
    bool llama = tn_tok_config_class_has(c, "Llama") || tn_tok_config_class_has(c, "Gemma");
    bool told = json_is_boolean(json_object_get(c->config, "add_bos_token")) ||
                json_is_boolean(json_object_get(c->config, "add_eos_token"));
    /* The reference rebuilds these families' templates from the two switches. */
    if (own_template && !(llama && told)) return TERN_OK;
    if (tn_tok_config_class_has(c, "Roberta")) return put_around(t, bos, eos, err);
    if (t->model == TN_MODEL_WORDPIECE)
        return put_around(t, t->special[TERN_SPECIAL_CLS], t->special[TERN_SPECIAL_SEP], err);
    bool add_bos = tn_tok_config_bool(c, "add_bos_token", llama);
    bool add_eos = tn_tok_config_bool(c, "add_eos_token", tn_tok_config_class_has(c, "T5"));
    return put_around(t, add_bos ? bos : -1, add_eos ? eos : -1, err);
}

/* chat_template: a string, or a list of { name, template } of which "default" counts. */
static tern_status keep_chat_template(tern_tokenizer *t, const tn_tok_config *c, tern_error *err) {
    const json_t *v = json_object_get(c->config, "chat_template");
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
        const json_t *item = json_array_get(v, i);
        if (strcmp(tn_json_str(item, "name", ""), "default") != 0) continue;
        v = json_object_get(item, "template");
        break;
    }
    if (!json_is_string(v) || t->chat_template) return TERN_OK;
    t->chat_template = tn_strdup(json_string_value(v));
    return t->chat_template ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

tern_status tn_tok_config_apply(tern_tokenizer *t, const tn_tok_config *c, bool own_template,
                                tern_error *err) {
    tern_status st = add_decoder_tokens(t, json_object_get(c->config, "added_tokens_decoder"), err);
    if (st == TERN_OK) st = add_listed_tokens(t, c->added, err);
    if (st == TERN_OK) st = find_specials(t, c, own_template, err);
    if (st == TERN_OK) st = find_template(t, c, own_template, err);
    if (st == TERN_OK) st = keep_chat_template(t, c, err);
    return st;
}
