/* Any bytes as text for three fixed tokenizers: byte-level BPE gives every byte back. */
#include "tests/fuzz/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDPIECE                                                                                  \
    "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"a\":1,"   \
    "\"##a\":2,\"b\":3,\"e\":4}},\"normalizer\":{\"type\":\"BertNormalizer\"},"                    \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"decoder\":{\"type\":\"WordPiece\","       \
    "\"prefix\":\"##\"},\"added_tokens\":[{\"id\":0,\"content\":\"[UNK]\",\"special\":true,"       \
    "\"lstrip\":true,\"rstrip\":true}]}"
#define METASPACE                                                                                  \
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"ab\","   \
    "-1.5],[\"\xE2\x96\x81\",-2],[\"\xE2\x96\x81"                                                  \
    "a\",-2.5]]},\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},"      \
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}]},"                \
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\"}}"

static tern_tokenizer *open_json(const char *json, size_t n) {
    tern_error err;
    tern_tokenizer *t = tn_tokenizer_new();
    if (!t || tn_load_json(t, "fixed", json, n, &err) != TERN_OK ||
        tn_tokenizer_finish(t, &err) != TERN_OK)
        abort();
    return t;
}

/* All 256 bytes and a few merges, cut by Llama-3's pattern. */
static tern_tokenizer *open_bytes(void) {
    tn_buf b = {0};
    tn_buf_str(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (unsigned byte = 0; byte < 256; byte++) {
        char utf8[4];
        size_t n = tn_utf8_encode(tn_char_of_byte(byte), utf8);
        tn_buf_char(&b, byte ? ',' : ' ');
        tn_json_escape(utf8, n, &b);
        tn_buf_printf(&b, ":%u", byte);
    }
    tn_buf_str(&b,
               ",\"th\":256,\"the\":257,\"aa\":258,\"aaaa\":259},\"merges\":[\"t h\",\"th e\","
               "\"a a\",\"aa aa\"]},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":"
               "[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
               "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"
               "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},\"behavior\":"
               "\"Isolated\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":"
               "false}]},\"decoder\":{\"type\":\"ByteLevel\"}}");
    tern_tokenizer *t = open_json(tn_buf_cstr(&b), b.len);
    tn_buf_deinit(&b);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static tern_tokenizer *bytes, *words, *unigram;
    if (!bytes) {
        bytes = open_bytes();
        words = open_json(WORDPIECE, strlen(WORDPIECE));
        unigram = open_json(METASPACE, strlen(METASPACE));
    }
    fuzz_encode(bytes, (const char *)data, size, true);
    fuzz_encode(words, (const char *)data, size, false);
    fuzz_encode(unigram, (const char *)data, size, false);
    return 0;
}
