/* tokenizer_fixture.h - small tokenizers for tests, written into the test's folder and opened. */
#ifndef TN_TOKENIZER_FIXTURE_H
#define TN_TOKENIZER_FIXTURE_H
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "tern/tokenizer.h"
#include "tests/test.h"
#include <stdarg.h>
#include <sys/stat.h>

static inline const char *fixture_path(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static inline void fixture_write(const char *name, const char *text, size_t n) {
    tern_error e = {0};
    CHECK_OK(tn_file_replace(fixture_path(name), text, n, &e), e);
}

static inline tern_status fixture_try(const char *json, tern_tokenizer **t, tern_error *e) {
    fixture_write("tokenizer.json", json, strlen(json));
    return tern_tokenizer_open(fixture_path("tokenizer.json"), t, e);
}

static inline tern_tokenizer *fixture_open(const char *json) {
    tern_tokenizer *t = NULL;
    tern_error e = {0};
    CHECK_OK(fixture_try(json, &t, &e), e);
    return t;
}

static inline char *fixture_golden(const char *name) {
    tn_buf text = {0};
    tern_error e = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/tokenizer/%s", TERN_SOURCE_DIR, name);
    CHECK_OK(tn_file_read(path, 1 << 20, &text, &e), e);
    return tn_buf_take(&text);
}

/* The golden byte-level vocabulary as a tokenizer.json; `rest`: further members, after a comma. */
static inline tern_tokenizer *fixture_bpe(const char *rest) {
    char *golden = fixture_golden("bpe.json");
    tn_buf json = {0};
    tn_buf_printf(&json, "{\"model\":{\"type\":\"BPE\",%s%s}", golden + 1, rest);
    tern_tokenizer *t = fixture_open(tn_buf_cstr(&json));
    tn_buf_deinit(&json);
    tern_tokenizer_free_text(golden);
    return t;
}

static inline const char *const *fixture_pre_tokenizers(void) {
#define TN_FIXTURE_SPLIT(regex)                                                                    \
    ",\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","            \
    "\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false},"           \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]},"                   \
    "\"decoder\":{\"type\":\"ByteLevel\"}"
#define TN_FIXTURE_GPT2                                                                            \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|" \
    "\\\\s+"
#define TN_FIXTURE_LLAMA(digits)                                                                   \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" digits         \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
    /* Pairs: the pattern, and the same in brackets, which no scanner of ours knows. */
    static const char *const list[] = {TN_FIXTURE_SPLIT(TN_FIXTURE_GPT2),
                                       TN_FIXTURE_SPLIT("(?:" TN_FIXTURE_GPT2 ")"),
                                       TN_FIXTURE_SPLIT(TN_FIXTURE_LLAMA("{1,3}")),
                                       TN_FIXTURE_SPLIT("(?:" TN_FIXTURE_LLAMA("{1,3}") ")"),
                                       TN_FIXTURE_SPLIT(TN_FIXTURE_LLAMA("")),
                                       TN_FIXTURE_SPLIT("(?:" TN_FIXTURE_LLAMA("") ")")};
    return list;
}
enum { FIXTURE_N_PRE = 6 };

/* Encode; the ids stay valid until the next call. */
static inline tern_tokens *fixture_encode_n(const tern_tokenizer *t, const char *text, size_t n,
                                            tern_encode_opts opts) {
    static tern_tokens tokens;
    tern_error e = {0};
    CHECK_OK(tern_tokenizer_encode(t, text, n, &opts, &tokens, &e), e);
    return &tokens;
}

/* The pieces, separated by '|'. */
static inline const char *fixture_pieces(const tern_tokenizer *t, const char *text,
                                         tern_encode_opts opts) {
    static char out[4096];
    const tern_tokens *tokens = fixture_encode_n(t, text, strlen(text), opts);
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < tokens->n && at < sizeof out; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", i ? "|" : "",
                               tern_tokenizer_piece(t, tokens->ids[i]));
    return out;
}

#define CHECK_PIECES(t, text, expected)                                                            \
    CHECK_STR(fixture_pieces(t, text, tern_encode_defaults()), expected)

static inline void fixture_decodes(const tern_tokenizer *t, const char *text, size_t n) {
    char *back = NULL;
    size_t len;
    tern_error e = {0};
    const tern_tokens *tokens = fixture_encode_n(t, text, n, (tern_encode_opts){0});
    CHECK_OK(tern_tokenizer_decode(t, tokens->ids, tokens->n, false, &back, &len, &e), e);
    if (len != n || memcmp(back, text, n) != 0) FAIL("'%s' came back as '%s'", text, back);
    tern_tokenizer_free_text(back);
}

/* n bytes of UTF-8 of many scripts, with spaces, digits and apostrophes between. */
static inline void fixture_random_text(tn_rng *r, size_t n, tn_buf *out) {
    static const uint32_t starts[] = {0x41,   0x61,   0xE0,   0x300,  0x3B1,   0x430,  0x5D0,
                                      0x627,  0x915,  0xE01,  0x1100, 0x1E00,  0x2000, 0x2460,
                                      0x3041, 0x4E00, 0xAC00, 0xFF01, 0x1F600, 0x20000};
    static const char *const between[] = {" ", "  ", "\n",  "\r\n", "\t",       "'s", "'LL", "12",
                                          "1", "!",  "...", " \n ", "\xC2\xA0", "'",  "-"};
    tn_buf_reset(out);
    while (out->len < n) {
        uint32_t start = starts[tn_rng_below(r, sizeof starts / sizeof *starts)];
        for (uint64_t k = tn_rng_below(r, 6); k > 0; k--) {
            char utf8[4];
            tn_buf_add(out, utf8, tn_utf8_encode(start + (uint32_t)tn_rng_below(r, 26), utf8));
        }
        tn_buf_str(out, between[tn_rng_below(r, sizeof between / sizeof *between)]);
    }
}

#endif
