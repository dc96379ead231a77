/* open.c - which file of a folder is the tokenizer, and what belongs to it. */
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lm/tokenizer/load_lists.h"
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

enum { FILE_MAX = 1 << 28 }; /* bytes; Gemma's tokenizer.json has 3 * 2^23 */

typedef struct opening {
    char *dir;  /* of the file, or the folder itself */
    char *name; /* of the file in it */
    XXH3_state_t *hash;
    tn_tok_config config;
    tern_error *err;
} opening;

static tern_status no_memory(const opening *o) {
    return tern_fail(o->err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* Read dir/name and add it to the hash; NOT_FOUND is no failure when `optional`, and *found. */
static tern_status read_file(opening *o, const char *name, bool optional, tn_buf *out,
                             bool *found) {
    char *path = tn_path_join(o->dir, name);
    if (!path) return no_memory(o);
    *found = tn_file_exists(path) && !tn_is_dir(path);
    tern_status st = *found || !optional ? tn_file_read(path, FILE_MAX, out, o->err) : TERN_OK;
    if (st == TERN_OK && *found) {
        uint64_t n = out->len;
        XXH3_128bits_update(o->hash, name, strlen(name) + 1);
        XXH3_128bits_update(o->hash, &n, sizeof n);
        XXH3_128bits_update(o->hash, out->data ? out->data : "", out->len);
    }
    tn_free(path);
    return st;
}

/* Some configurations write "no limit" as an integer of 31 digits: make such numbers real. */
static void tame_integers(const tn_buf *in, tn_buf *out) {
    bool quoted = false;
    size_t n_digits = 0;
    for (size_t i = 0; i < in->len; i++) {
        char c = in->data[i];
        bool digit = !quoted && c >= '0' && c <= '9';
        if (!digit && n_digits > 18 && !strchr(".eE", c)) tn_buf_str(out, "e0");
        n_digits = digit ? n_digits + 1 : 0;
        tn_buf_char(out, c);
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\' && i + 1 < in->len) tn_buf_char(out, in->data[++i]);
    }
}

static tern_status read_json(opening *o, const char *name, json_t **out) {
    tn_buf text = {0}, tame = {0};
    bool found;
    tern_status st = read_file(o, name, true, &text, &found);
    if (st == TERN_OK && found) {
        tern_error inner;
        tame_integers(&text, &tame);
        st = tn_buf_status(&tame, &inner);
        if (st == TERN_OK) st = tn_json_parse(tn_buf_cstr(&tame), tame.len, out, &inner);
        if (st != TERN_OK) st = tern_fail(o->err, st, 0, "%s/%s: %s", o->dir, name, inner.text);
    }
    tn_buf_deinit(&text);
    tn_buf_deinit(&tame);
    return st;
}

static bool has(const opening *o, const char *name) {
    char path[4096]; /* no allocation: one that failed would look like a missing file */
    int n = snprintf(path, sizeof path, "%s/%s", o->dir, name);
    return n > 0 && (size_t)n < sizeof path && tn_file_exists(path) && !tn_is_dir(path);
}

/* The tokenizer's file in a folder, by what models ship. */
static const char *file_of_folder(const opening *o) {
    static const char *const names[] = {
        "tokenizer.json", "tokenizer.model", "sentencepiece.bpe.model",
        "spiece.model",   "source.spm",      "vocab.json",
        "vocab.txt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has(o, names[i]) && (strcmp(names[i], "vocab.json") != 0 || has(o, "merges.txt")))
            return names[i];
    return NULL;
}

static tern_status locate(opening *o, const char *path) {
    const char *base = tn_path_base(path), *name = base;
    if (tn_is_dir(path)) {
        o->dir = tn_strdup(path);
        if (!o->dir) return no_memory(o);
        name = file_of_folder(o);
        if (!name)
            return tern_fail(o->err, TERN_ERR_NOT_FOUND, 0,
                             "%s: no tokenizer here (tokenizer.json, tokenizer.model, vocab.json "
                             "with merges.txt, vocab.txt)",
                             path);
    } else {
        o->dir = base == path ? tn_strdup(".") : tn_strndup(path, (size_t)(base - path));
        if (strcmp(base, "merges.txt") == 0) name = "vocab.json";
    }
    o->name = tn_strdup(name);
    return o->dir && o->name ? TERN_OK : no_memory(o);
}

static tern_status load_merges(opening *o, tern_tokenizer *t, const tn_buf *vocab) {
    tn_buf merges = {0};
    bool found;
    tern_status st = read_file(o, "merges.txt", false, &merges, &found);
    if (st == TERN_OK)
        st =
            tn_load_vocab_merges(t, o->name, tn_buf_cstr((tn_buf *)vocab), vocab->len, "merges.txt",
                                 tn_buf_cstr(&merges), merges.len, &o->config, o->err);
    tn_buf_deinit(&merges);
    return st;
}

/* A JSON file is a tokenizer.json if it has a model, else a vocabulary with its merges beside. */
static tern_status load_any(opening *o, tern_tokenizer *t, const tn_buf *text, bool *own_template) {
    const char *s = tn_buf_cstr((tn_buf *)text), *start = s;
    size_t n = text->len, n_trimmed = n;
    *own_template = false;
    tn_trim(&start, &n_trimmed);
    if (strcmp(o->name, "vocab.json") == 0) return load_merges(o, t, text);
    if (n_trimmed && *start == '{') {
        *own_template = true;
        return tn_load_json(t, o->name, s, n, o->err);
    }
    if (tn_ends_with(o->name, ".txt"))
        return tn_load_vocab_txt(t, o->name, s, n, &o->config, o->err);
    bool fairseq = strcmp(o->name, "sentencepiece.bpe.model") == 0 ||
                   tn_tok_config_class_has(&o->config, "XLMRoberta");
    if (fairseq && !*o->config.class) o->config.class = "XLMRobertaTokenizer";
    return tn_load_sp(t, o->name, s, n, fairseq, o->err);
}

static tern_status keep_jinja(opening *o, tern_tokenizer *t) {
    tn_buf text = {0};
    bool found;
    tern_status st = read_file(o, "chat_template.jinja", true, &text, &found);
    if (st == TERN_OK && found && !(t->chat_template = tn_buf_take(&text))) st = no_memory(o);
    tn_buf_deinit(&text);
    return st;
}

static tern_status load(opening *o, tern_tokenizer *t) {
    tn_buf text = {0};
    bool found, own_template = false;
    tern_status st = read_json(o, "tokenizer_config.json", &o->config.config);
    if (st == TERN_OK) st = read_json(o, "special_tokens_map.json", &o->config.map);
    if (st == TERN_OK) st = read_json(o, "added_tokens.json", &o->config.added);
    o->config.class = tn_json_str(o->config.config, "tokenizer_class", "");
    if (st == TERN_OK) st = read_file(o, o->name, false, &text, &found);
    if (st == TERN_OK) st = load_any(o, t, &text, &own_template);
    if (st == TERN_OK) st = keep_jinja(o, t);
    if (st == TERN_OK) st = tn_tok_config_apply(t, &o->config, own_template, o->err);
    if (st == TERN_OK) st = tn_tokenizer_finish(t, o->err);
    XXH128_hash_t h = XXH3_128bits_digest(o->hash);
    snprintf(t->hash, sizeof t->hash, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
    tn_buf_deinit(&text);
    return st;
}

tern_status tern_tokenizer_open(const char *path, tern_tokenizer **out, tern_error *err) {
    *out = NULL;
    opening o = {.err = err, .hash = XXH3_createState(), .config.class = ""};
    tern_tokenizer *t = tn_tokenizer_new();
    tern_status st = t && o.hash ? TERN_OK : no_memory(&o);
    if (st == TERN_OK) {
        XXH3_128bits_reset(o.hash);
        st = locate(&o, path);
    }
    if (st == TERN_OK) st = load(&o, t);
    if (st == TERN_OK)
        *out = t;
    else
        tern_tokenizer_close(t);
    json_decref(o.config.config);
    json_decref(o.config.map);
    json_decref(o.config.added);
    XXH3_freeState(o.hash);
    tn_free(o.dir);
    tn_free(o.name);
    return st;
}
