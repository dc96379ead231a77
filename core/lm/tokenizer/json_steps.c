/* json_steps.c - see json_load.h. Each function reads one step, or the steps of a Sequence, into
 * the tokenizer's list. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/json_load.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static bool is(const char *type, const char *name) {
    return strcmp(type, name) == 0;
}

static tern_status unknown_type(tn_tok_reader *l, const char *path, const char *type) {
    return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "type '%.60s' is not supported", type);
}

typedef tern_status read_step_fn(tn_tok_reader *l, const json_t *v, const char *path);

/* {"type": "Sequence", <member>: [...]} */
static tern_status read_sequence(tn_tok_reader *l, const json_t *v, const char *path,
                                 const char *member, read_step_fn *read) {
    char known[64];
    snprintf(known, sizeof known, "type %s", member);
    tern_status st = tn_json_members(l, v, path, known);
    const json_t *list = json_object_get(v, member);
    if (st == TERN_OK && !json_is_array(list))
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "%s is not an array", member);
    if (st == TERN_OK && ++l->depth > TN_JSON_DEPTH_MAX)
        st = tn_json_refuse(l, TERN_ERR_LIMIT, path, "too many Sequences inside each other");
    for (size_t i = 0; i < json_array_size(list) && st == TERN_OK; i++) {
        char inner[128];
        snprintf(inner, sizeof inner, "%.80s.%s[%zu]", path, member, i);
        st = read(l, json_array_get(list, i), inner);
    }
    l->depth--;
    return st;
}

/* {"String": "..."} or {"Regex": "..."} */
static tern_status read_pattern(tn_tok_reader *l, const json_t *v, const char *path,
                                tn_pattern *out) {
    char inner[128];
    snprintf(inner, sizeof inner, "%.100s.pattern", path);
    tern_status st = tn_json_members(l, v, inner, "String Regex");
    const json_t *string = json_object_get(v, "String"), *regex = json_object_get(v, "Regex");
    if (st != TERN_OK) return st;
    if (string) {
        st = tn_json_text(l, string, inner, &out->text, &out->len);
        if (st == TERN_OK && out->len == 0)
            st = tn_json_refuse(l, TERN_ERR_FORMAT, inner, "is empty");
        return st;
    }
    if (!json_is_string(regex) || strlen(json_string_value(regex)) != json_string_length(regex))
        return tn_json_refuse(l, TERN_ERR_FORMAT, inner, "is neither String nor Regex");
    tern_error why;
    st = tn_regex_new(json_string_value(regex), &out->regex, &why);
    return st == TERN_OK ? st : tn_json_refuse(l, st, inner, "%s", why.text);
}

/* ---- normalisers ---- */

static tn_norm *add_norm(tn_tok_reader *l, tn_norm_kind kind) {
    tern_tokenizer *t = l->t;
    if (t->n_norms == TN_STEPS_MAX) {
        tern_fail(l->err, TERN_ERR_LIMIT, 0, "normalizer: more than %d steps", TN_STEPS_MAX);
        return NULL;
    }
    t->norms[t->n_norms] = (tn_norm){.kind = kind};
    return &t->norms[t->n_norms++];
}

static tern_status simple_norm(tn_tok_reader *l, const json_t *v, const char *path,
                               tn_norm_kind kind) {
    tern_status st = tn_json_members(l, v, path, "type");
    if (st != TERN_OK) return st;
    return add_norm(l, kind) ? TERN_OK : TERN_ERR_LIMIT;
}

/* clean_text, then ideographs, then accents, then case, as the reference orders them. */
static tern_status bert_norm(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st =
        tn_json_members(l, v, path, "type clean_text handle_chinese_chars strip_accents lowercase");
    if (st != TERN_OK) return st;
    bool lowercase = tn_json_bool(v, "lowercase", true);
    bool accents = tn_json_bool(v, "strip_accents", lowercase); /* null: as lowercase */
    bool ok = true;
    if (tn_json_bool(v, "clean_text", true)) ok &= add_norm(l, TN_NORM_BERT_CLEAN) != NULL;
    if (tn_json_bool(v, "handle_chinese_chars", true)) ok &= add_norm(l, TN_NORM_BERT_CJK) != NULL;
    if (accents) ok &= add_norm(l, TN_NORM_NFD) && add_norm(l, TN_NORM_STRIP_ACCENTS);
    if (lowercase) ok &= add_norm(l, TN_NORM_LOWERCASE) != NULL;
    return ok ? TERN_OK : TERN_ERR_LIMIT;
}

static tern_status replace_norm(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type pattern content");
    tn_norm *n = st == TERN_OK ? add_norm(l, TN_NORM_REPLACE) : NULL;
    if (!n) return st == TERN_OK ? TERN_ERR_LIMIT : st;
    st = tn_json_text(l, json_object_get(v, "content"), path, &n->content, &n->content_len);
    if (st != TERN_OK) return st;
    return read_pattern(l, json_object_get(v, "pattern"), path, &n->pattern);
}

static tern_status prepend_norm(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type prepend");
    tn_norm *n = st == TERN_OK ? add_norm(l, TN_NORM_PREPEND) : NULL;
    if (!n) return st == TERN_OK ? TERN_ERR_LIMIT : st;
    return tn_json_text(l, json_object_get(v, "prepend"), path, &n->content, &n->content_len);
}

static tern_status strip_norm(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type strip_left strip_right");
    tn_norm *n = st == TERN_OK ? add_norm(l, TN_NORM_STRIP) : NULL;
    if (!n) return st == TERN_OK ? TERN_ERR_LIMIT : st;
    n->left = tn_json_bool(v, "strip_left", true);
    n->right = tn_json_bool(v, "strip_right", true);
    return TERN_OK;
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* False: not base64. */
static bool decode_base64(const char *s, size_t n, tn_buf *out) {
    while (n > 0 && s[n - 1] == '=') n--;
    uint32_t bits = 0;
    int n_bits = 0;
    for (size_t i = 0; i < n; i++) {
        int v = base64_value(s[i]);
        if (v < 0) return false;
        bits = (bits << 6 | (uint32_t)v) & 0xFFFFFF;
        n_bits += 6;
        if (n_bits < 8) continue;
        n_bits -= 8;
        tn_buf_char(out, (char)(bits >> n_bits));
    }
    return true;
}

static tern_status charsmap_norm(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type precompiled_charsmap");
    if (st != TERN_OK) return st;
    const json_t *text = json_object_get(v, "precompiled_charsmap");
    if (!json_is_string(text)) return TERN_OK; /* null: nothing to map */
    if (json_string_length(text) == 0) return TERN_OK;
    tn_norm *n = add_norm(l, TN_NORM_CHARSMAP);
    if (!n) return TERN_ERR_LIMIT;
    tn_buf blob = {0};
    bool ok = decode_base64(json_string_value(text), json_string_length(text), &blob);
    st = tn_buf_status(&blob, l->err);
    tern_error why;
    if (st == TERN_OK && !ok)
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "precompiled_charsmap is not base64");
    if (st == TERN_OK && (st = tn_charsmap_new(blob.data, blob.len, &n->charsmap, &why)) != TERN_OK)
        st = tn_json_refuse(l, st, path, "%s", why.text);
    tn_buf_deinit(&blob);
    return st;
}

tern_status tn_json_normalizer(tn_tok_reader *l, const json_t *v, const char *path) {
    static const struct {
        const char *type;
        tn_norm_kind kind;
    } simple[] = {{"NFC", TN_NORM_NFC},
                  {"NFD", TN_NORM_NFD},
                  {"NFKC", TN_NORM_NFKC},
                  {"NFKD", TN_NORM_NFKD},
                  {"Nmt", TN_NORM_NMT},
                  {"Lowercase", TN_NORM_LOWERCASE},
                  {"StripAccents", TN_NORM_STRIP_ACCENTS}};
    if (!v || json_is_null(v)) return TERN_OK;
    const char *type = tn_json_str(v, "type", "");
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (is(type, simple[i].type)) return simple_norm(l, v, path, simple[i].kind);
    if (is(type, "Sequence")) return read_sequence(l, v, path, "normalizers", tn_json_normalizer);
    if (is(type, "BertNormalizer")) return bert_norm(l, v, path);
    if (is(type, "Replace")) return replace_norm(l, v, path);
    if (is(type, "Prepend")) return prepend_norm(l, v, path);
    if (is(type, "Strip")) return strip_norm(l, v, path);
    if (is(type, "Precompiled")) return charsmap_norm(l, v, path);
    return unknown_type(l, path, type);
}

/* ---- pre-tokenizers ---- */

static tn_split *add_split(tn_tok_reader *l, const char *path, tn_split_kind kind) {
    tern_tokenizer *t = l->t;
    if (t->n_splits == TN_STEPS_MAX || t->bpe.byte_level) {
        if (t->bpe.byte_level)
            tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "a step behind ByteLevel");
        else
            tn_json_refuse(l, TERN_ERR_LIMIT, path, "more than %d steps", TN_STEPS_MAX);
        return NULL;
    }
    t->splits[t->n_splits] = (tn_split){.kind = kind, .behavior = TN_ISOLATED};
    return &t->splits[t->n_splits++];
}

static tern_status refused_split(const tn_tok_reader *l) {
    return l->t->bpe.byte_level ? TERN_ERR_UNSUPPORTED : TERN_ERR_LIMIT;
}

static tern_status read_behavior(tn_tok_reader *l, const json_t *v, const char *path,
                                 tn_behavior *out) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name = tn_json_str(v, "behavior", "Isolated");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!is(name, names[i])) continue;
        *out = (tn_behavior)i;
        return TERN_OK;
    }
    return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "behavior '%.60s' is not supported", name);
}

static tern_status byte_level(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type add_prefix_space trim_offsets use_regex");
    if (st != TERN_OK) return st;
    if (l->t->model != TN_MODEL_BPE)
        return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path,
                              "ByteLevel before a model other than BPE");
    if (tn_json_bool(v, "add_prefix_space", true) && !add_split(l, path, TN_SPLIT_PREFIX_SPACE))
        return refused_split(l);
    if (tn_json_bool(v, "use_regex", true)) {
        tn_split *s = add_split(l, path, TN_SPLIT_SCAN);
        if (!s) return refused_split(l);
        s->scan = TN_SCAN_GPT2;
    }
    l->t->bpe.byte_level = true;
    return TERN_OK;
}

static tern_status split(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type pattern behavior invert");
    tn_split *s = st == TERN_OK ? add_split(l, path, TN_SPLIT_PATTERN) : NULL;
    if (!s) return st == TERN_OK ? refused_split(l) : st;
    s->invert = tn_json_bool(v, "invert", false);
    st = read_behavior(l, v, path, &s->behavior);
    if (st != TERN_OK) return st;
    const json_t *pattern = json_object_get(v, "pattern");
    const char *regex = tn_json_str(pattern, "Regex", NULL);
    s->scan = regex ? tn_scan_of_regex(regex) : TN_SCAN_NONE;
    /* The known patterns match every byte, so all that counts is where matches end. */
    bool all_match =
        (s->behavior == TN_ISOLATED && !s->invert) || (s->behavior == TN_REMOVED && s->invert);
    if (s->scan != TN_SCAN_NONE && all_match) {
        s->kind = TN_SPLIT_SCAN;
        return TERN_OK;
    }
    return read_pattern(l, pattern, path, &s->pattern);
}

static tern_status class_split(tn_tok_reader *l, const json_t *v, const char *path,
                               const char *known, unsigned mask, tn_behavior behavior) {
    tern_status st = tn_json_members(l, v, path, known);
    tn_split *s = st == TERN_OK ? add_split(l, path, TN_SPLIT_CLASS) : NULL;
    if (!s) return st == TERN_OK ? refused_split(l) : st;
    s->class_mask = mask;
    s->behavior = behavior;
    return TERN_OK;
}

static tern_status bert_split(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = class_split(l, v, path, "type", TN_CH_SPACE, TN_REMOVED);
    return st == TERN_OK ? class_split(l, v, path, "type", TN_CH_PUNCT, TN_ISOLATED) : st;
}

static tern_status punctuation(tn_tok_reader *l, const json_t *v, const char *path) {
    tn_behavior behavior = TN_ISOLATED;
    tern_status st = read_behavior(l, v, path, &behavior);
    return st == TERN_OK ? class_split(l, v, path, "type behavior", TN_CH_PUNCT, behavior) : st;
}

static tern_status delimiter(tn_tok_reader *l, const json_t *v, const char *path) {
    tern_status st = tn_json_members(l, v, path, "type delimiter");
    tn_split *s = st == TERN_OK ? add_split(l, path, TN_SPLIT_PATTERN) : NULL;
    if (!s) return st == TERN_OK ? refused_split(l) : st;
    s->behavior = TN_REMOVED;
    st = tn_json_text(l, json_object_get(v, "delimiter"), path, &s->pattern.text, &s->pattern.len);
    if (st == TERN_OK && s->pattern.len == 0)
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "the delimiter is empty");
    return st;
}

/* add_prefix_space is the older spelling of prepend_scheme. */
static tern_status read_prepend(tn_tok_reader *l, const json_t *v, const char *path,
                                tn_prepend *out) {
    static const char *const names[] = {"never", "first", "always"};
    bool prefix = tn_json_bool(v, "add_prefix_space", true);
    const char *name = tn_json_str(v, "prepend_scheme", prefix ? "always" : "never");
    for (size_t i = 0; i < 3; i++) {
        if (!is(name, names[i])) continue;
        *out = (tn_prepend)i;
        return TERN_OK;
    }
    return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "prepend_scheme '%.60s' is not supported",
                          name);
}

static tern_status read_mark(tn_tok_reader *l, const json_t *v, const char *path, const char **mark,
                             size_t *n) {
    tern_status st = tn_json_members(
        l, v, path, "type replacement str_rep add_prefix_space prepend_scheme split");
    if (st == TERN_OK) st = tn_json_text(l, json_object_get(v, "replacement"), path, mark, n);
    if (st == TERN_OK && (*n == 0 || *n > 4))
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "replacement is not one character");
    return st;
}

static tern_status metaspace(tn_tok_reader *l, const json_t *v, const char *path) {
    const char *mark;
    size_t n;
    tern_status st = read_mark(l, v, path, &mark, &n);
    tn_split *s = st == TERN_OK ? add_split(l, path, TN_SPLIT_METASPACE) : NULL;
    if (!s) return st == TERN_OK ? refused_split(l) : st;
    memcpy(s->mark, mark, n);
    s->mark_len = n;
    s->cut = tn_json_bool(v, "split", true);
    return read_prepend(l, v, path, &s->prepend);
}

tern_status tn_json_pre_tokenizer(tn_tok_reader *l, const json_t *v, const char *path) {
    if (!v || json_is_null(v)) return TERN_OK;
    const char *type = tn_json_str(v, "type", "");
    if (is(type, "Sequence"))
        return read_sequence(l, v, path, "pretokenizers", tn_json_pre_tokenizer);
    if (is(type, "ByteLevel")) return byte_level(l, v, path);
    if (is(type, "Split")) return split(l, v, path);
    if (is(type, "Metaspace")) return metaspace(l, v, path);
    if (is(type, "BertPreTokenizer")) return bert_split(l, v, path);
    if (is(type, "WhitespaceSplit"))
        return class_split(l, v, path, "type", TN_CH_SPACE, TN_REMOVED);
    if (is(type, "Punctuation")) return punctuation(l, v, path);
    if (is(type, "Digits"))
        return class_split(l, v, path, "type individual_digits", TN_CH_NUMBER,
                           tn_json_bool(v, "individual_digits", false) ? TN_ISOLATED
                                                                       : TN_CONTIGUOUS);
    if (is(type, "CharDelimiterSplit")) return delimiter(l, v, path);
    if (is(type, "Whitespace")) {
        tern_status st = tn_json_members(l, v, path, "type");
        if (st != TERN_OK) return st;
        return add_split(l, path, TN_SPLIT_WORDS) ? TERN_OK : refused_split(l);
    }
    return unknown_type(l, path, type);
}

/* ---- decoders ---- */

static tern_status read_strip(tn_tok_reader *l, const json_t *v, const char *path, tn_dec *d,
                              bool fused) {
    tern_status st = tn_json_members(l, v, path, "type content start stop");
    if (st == TERN_OK) st = tn_json_text(l, json_object_get(v, "content"), path, &d->text, &d->len);
    int64_t start = tn_json_int(v, "start", 0), stop = tn_json_int(v, "stop", 0);
    if (st == TERN_OK && (start < 0 || stop < 0 || d->len == 0))
        st = tn_json_refuse(l, TERN_ERR_FORMAT, path, "start, stop or content out of range");
    if (st == TERN_OK && fused && stop > 0)
        st = tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "stop behind Fuse is not supported");
    d->start = (size_t)start;
    d->stop = (size_t)stop;
    return st;
}

static tern_status read_replace(tn_tok_reader *l, const json_t *v, const char *path, tn_dec *d) {
    tern_status st = tn_json_members(l, v, path, "type pattern content");
    const json_t *string = json_object_get(json_object_get(v, "pattern"), "String");
    if (st == TERN_OK && !string)
        st = tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "a pattern other than String");
    if (st == TERN_OK) st = tn_json_text(l, string, path, &d->text, &d->len);
    if (st == TERN_OK)
        st = tn_json_text(l, json_object_get(v, "content"), path, &d->content, &d->content_len);
    return st;
}

static tern_status read_word_prefix(tn_tok_reader *l, const json_t *v, const char *path,
                                    tn_dec *d) {
    tern_status st = tn_json_members(l, v, path, "type prefix cleanup");
    d->cleanup = tn_json_bool(v, "cleanup", true);
    if (st != TERN_OK) return st;
    return tn_json_text(l, json_object_get(v, "prefix"), path, &d->text, &d->len);
}

static tern_status read_unmark(tn_tok_reader *l, const json_t *v, const char *path, tn_dec *d) {
    tn_prepend prepend = TN_PREPEND_ALWAYS;
    tern_status st = read_mark(l, v, path, &d->text, &d->len);
    if (st == TERN_OK) st = read_prepend(l, v, path, &prepend);
    d->prefix = prepend != TN_PREPEND_NEVER;
    return st;
}

tern_status tn_json_decoder(tn_tok_reader *l, const json_t *v, const char *path) {
    static const struct {
        const char *type;
        tn_dec_kind kind;
    } kinds[] = {{"ByteLevel", TN_DEC_BYTE_LEVEL},
                 {"Metaspace", TN_DEC_METASPACE},
                 {"WordPiece", TN_DEC_WORDPIECE},
                 {"ByteFallback", TN_DEC_BYTE_FALLBACK},
                 {"Fuse", TN_DEC_FUSE},
                 {"Strip", TN_DEC_STRIP},
                 {"Replace", TN_DEC_REPLACE}};
    tern_tokenizer *t = l->t;
    if (!v || json_is_null(v)) {
        t->join_with_space = t->n_decs == 0;
        return TERN_OK;
    }
    const char *type = tn_json_str(v, "type", "");
    if (is(type, "Sequence")) return read_sequence(l, v, path, "decoders", tn_json_decoder);
    size_t k = 0;
    while (k < sizeof kinds / sizeof *kinds && !is(type, kinds[k].type)) k++;
    if (k == sizeof kinds / sizeof *kinds) return unknown_type(l, path, type);
    if (t->n_decs == TN_STEPS_MAX)
        return tn_json_refuse(l, TERN_ERR_LIMIT, path, "more than %d steps", TN_STEPS_MAX);
    bool fused = false;
    for (size_t i = 0; i < t->n_decs; i++) fused |= t->decs[i].kind == TN_DEC_FUSE;
    if (fused && kinds[k].kind != TN_DEC_STRIP && kinds[k].kind != TN_DEC_FUSE)
        return tn_json_refuse(l, TERN_ERR_UNSUPPORTED, path, "'%s' behind Fuse is not supported",
                              type);
    tn_dec *d = &t->decs[t->n_decs++];
    *d = (tn_dec){.kind = kinds[k].kind};
    switch (d->kind) {
    case TN_DEC_STRIP:
        return read_strip(l, v, path, d, fused);
    case TN_DEC_REPLACE:
        return read_replace(l, v, path, d);
    case TN_DEC_WORDPIECE:
        return read_word_prefix(l, v, path, d);
    case TN_DEC_METASPACE:
        return read_unmark(l, v, path, d);
    case TN_DEC_BYTE_LEVEL:
        return tn_json_members(l, v, path, "type add_prefix_space trim_offsets use_regex");
    default:
        return tn_json_members(l, v, path, "type");
    }
}
