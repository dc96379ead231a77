/* The parts of tokenizer.json one by one, WordPiece and Unigram, and what is refused by name. */
#include "tests/tokenizer_fixture.h"

#include "core/base/mem.h"

/* ---- WordPiece ---- */

#define BERT_VOCAB                                                                                 \
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"un\":5,\"##aff\":"  \
    "6,"                                                                                           \
    "\"##able\":7,\"runn\":8,\"##ing\":9,\"caf\":10,\"##e\":11,\"!\":12,\"\xE5\x8C\x97\":13,"      \
    "\"\xE6\xA5\xB5\":14,\"a\":15,\"##a\":16,\"Un\":17}"
#define BERT(lower)                                                                                \
    "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","                                  \
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100," BERT_VOCAB "},"       \
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"                             \
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":" lower "},"               \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"                                           \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["                             \
    "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":" \
    "0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{"    \
    "\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]\"]},"                             \
    "\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[3],\"tokens\":[\"[SEP]\"]}}},"                           \
    "\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"special\":true,\"lstrip\":true}],"       \
    "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}}"

TEST(wordpiece_takes_the_longest_piece_from_the_left) {
    tern_tokenizer *t = fixture_open(BERT("true"));
    CHECK_STR(tern_tokenizer_kind(t), "WordPiece");
    CHECK_PIECES(t, "unaffable running", "[CLS]|un|##aff|##able|runn|##ing|[SEP]");
    CHECK_PIECES(t, "Unaffable! caf\xC3\xA9", "[CLS]|un|##aff|##able|!|caf|##e|[SEP]");
    CHECK_PIECES(t, "\xE5\x8C\x97\xE6\xA5\xB5", "[CLS]|\xE5\x8C\x97|\xE6\xA5\xB5|[SEP]");
    CHECK_PIECES(t, "una unx [MASK]", "[CLS]|un|##a|[UNK]|[MASK]|[SEP]");
    CHECK_PIECES(t, "u\x01n\tun", "[CLS]|un|un|[SEP]");
    CHECK_PIECES(t, "\xFF", "[CLS]|[SEP]"); /* U+FFFD is cleaned away */
    CHECK_PIECES(t, "", "[CLS]|[SEP]");
    tern_tokenizer_close(t);
    t = fixture_open(BERT("false"));
    CHECK_PIECES(t, "Una una", "[CLS]|Un|##a|un|##a|[SEP]");
    tern_tokenizer_close(t);
}

TEST(a_word_of_more_than_100_characters_is_unknown) {
    tern_tokenizer *t = fixture_open(BERT("true"));
    char word[102];
    memset(word, 'a', sizeof word);
    word[101] = '\0';
    CHECK_PIECES(t, word, "[CLS]|[UNK]|[SEP]");
    word[100] = '\0';
    CHECK_EQ(fixture_encode_n(t, word, 100, tern_encode_defaults())->n, 102);
    tern_tokenizer_close(t);
}

TEST(spans_lead_back_through_the_normaliser) {
    tern_tokenizer *t = fixture_open(BERT("true"));
    /* an accent that goes, an ideograph that gets spaces, and a control character */
    const char *text = "CAF\xC3\x89 \xE5\x8C\x97u\x01n";
    const tern_tokens *x =
        fixture_encode_n(t, text, strlen(text), (tern_encode_opts){.spans = true});
    static const tern_token_span expected[] = {{0, 3}, {3, 5}, {6, 9}, {9, 12}};
    CHECK_EQ(x->n, 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(x->spans[i].begin, expected[i].begin);
        CHECK_EQ(x->spans[i].end, expected[i].end);
    }
    tern_tokenizer_close(t);
}

TEST(wordpiece_text_is_joined_and_cleaned_up) {
    tern_tokenizer *t = fixture_open(BERT("true"));
    static const int32_t ids[] = {2, 5, 6, 7, 8, 9, 12, 3};
    char *text = NULL;
    size_t len;
    tern_error e = {0};
    CHECK_OK(tern_tokenizer_decode(t, ids, 8, false, &text, &len, &e), e);
    CHECK_STR(text, "[CLS] unaffable running! [SEP]");
    tern_tokenizer_free_text(text);
    tern_tokenizer_close(t);
}

TEST(vocab_txt_is_bert) {
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nUn\r\n";
    static const char config[] = "{\"do_lower_case\":false,\"model_max_length\":"
                                 "1000000000000000019884624838656,\"cls_token\":\"[CLS]\"}";
    tern_tokenizer *t = NULL;
    tern_error e = {0};
    fixture_write("vocab.txt", vocab, strlen(vocab));
    CHECK_OK(tern_tokenizer_open(fixture_path("vocab.txt"), &t, &e), e);
    CHECK_PIECES(t, "Unaffable", "[CLS]|un|##aff|##able|[SEP]");
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_MASK), 4);
    tern_tokenizer_close(t);
    fixture_write("tokenizer_config.json", config, strlen(config));
    CHECK_OK(tern_tokenizer_open(fixture_path("vocab.txt"), &t, &e), e);
    CHECK_PIECES(t, "Unaffable", "[CLS]|Un|##aff|##able|[SEP]");
    tern_tokenizer_close(t);
    unlink(fixture_path("tokenizer_config.json"));
}

/* ---- Unigram ---- */

#define UNIGRAM(rest)                                                                              \
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],"           \
    "[\"b\",-1],[\"c\",-1],[\"d\",-1],[\"cd\",-1.5],[\"ab\",-1.2],[\"abc\",-1.1],"                 \
    "[\"abcd\",-3],[\"\xE2\x96\x81\",-2],[\"<0xE5>\",-9],[\"<0x8C>\",-9],[\"<0x97>\",-9]]" rest

TEST(unigram_finds_the_most_probable_segmentation) {
    tern_tokenizer *t = fixture_open(UNIGRAM("}}"));
    CHECK_PIECES(t, "abcd", "abc|d"); /* -2.1 beats ab|cd at -2.7 and abcd at -3 */
    CHECK_PIECES(t, "abcdcd", "abc|d|cd");
    CHECK_PIECES(t, "axyb", "a|<unk>|b"); /* neighbours are one unknown */
    CHECK_PIECES(t, "\xE5\x8C\x97", "<unk>");
    tern_tokenizer_close(t);
    t = fixture_open(UNIGRAM(",\"byte_fallback\":true}}"));
    CHECK_PIECES(t, "a\xE5\x8C\x97", "a|<0xE5>|<0x8C>|<0x97>");
    CHECK_PIECES(t, "xa", "<unk>|a");
    tern_tokenizer_close(t);
}

TEST(metaspace_marks_words_by_its_scheme) {
    static const char pre[] = "},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
                              "\"\xE2\x96\x81\",\"prepend_scheme\":\"%s\",\"split\":true},"
                              "\"added_tokens\":[{\"id\":13,\"content\":\"<x>\",\"special\":true,"
                              "\"normalized\":false}],\"decoder\":{\"type\":\"Metaspace\","
                              "\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"%s\"}}";
    static const char *const schemes[] = {"always", "first", "never"};
    static const char *const expected[] = {"_|a|_|b|<x>|_|c", "_|a|_|b|<x>|c", "a|_|b|<x>|c"};
    for (int i = 0; i < 3; i++) {
        char rest[512], json[2048], want[64] = "";
        snprintf(rest, sizeof rest, pre, schemes[i], schemes[i]);
        snprintf(json, sizeof json, "%s%s", UNIGRAM(""), rest);
        tern_tokenizer *t = fixture_open(json);
        for (const char *c = expected[i]; *c; c++)
            strcat(want, *c == '_' ? "\xE2\x96\x81" : (char[]){*c, 0});
        CHECK_PIECES(t, "a b<x>c", want);
        fixture_decodes(t, "a b", 3);
        tern_tokenizer_close(t);
    }
}

TEST(a_precompiled_charsmap_maps_graphemes) {
    /* A double array that maps U+FF21 (EF BC A1) to "a": units 0, then one block per byte. */
    enum { N = 5 * 256 };
    static uint32_t units[N];
    static uint8_t blob[4 + 4 * N + 2];
    static const uint8_t bytes[] = {0xEF, 0xBC, 0xA1};
    size_t at = 256;
    memset(units, 0, sizeof units);
    units[0] = (uint32_t)(at << 10);
    for (int i = 0; i < 3; i++) {
        size_t node = at ^ bytes[i], next = (size_t)(i + 2) * 256;
        units[node] = (uint32_t)(node ^ next) << 10 | bytes[i] | (i == 2 ? 1u << 8 : 0);
        at = next;
    }
    units[at] = 1u << 31; /* the value 0: text at 0 */
    uint32_t n_trie = sizeof units;
    memcpy(blob, &n_trie, 4);
    memcpy(blob + 4, units, sizeof units);
    memcpy(blob + 4 + sizeof units, "a", 2);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    tn_buf json = {0};
    tn_buf_str(&json,
               UNIGRAM("},\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\""));
    for (size_t i = 0; i < sizeof blob; i += 3) {
        uint32_t v = (uint32_t)blob[i] << 16 | (i + 1 < sizeof blob ? blob[i + 1] << 8 : 0) |
                     (i + 2 < sizeof blob ? blob[i + 2] : 0u);
        for (int k = 0; k < 4; k++) tn_buf_char(&json, digits[v >> (18 - 6 * k) & 63]);
    }
    /* the last group holds what is left; '=' in the place of what it does not */
    for (size_t k = 0; k < (3 - sizeof blob % 3) % 3; k++) json.data[json.len - 1 - k] = '=';
    size_t intact = json.len;
    tn_buf_str(&json, "\"}}");
    tern_tokenizer *t = fixture_open(tn_buf_cstr(&json));
    CHECK_PIECES(t,
                 "\xEF\xBC\xA1"
                 "b",
                 "ab");
    const tern_tokens *x = fixture_encode_n(t,
                                            "\xEF\xBC\xA1"
                                            "b",
                                            4, (tern_encode_opts){.spans = true});
    CHECK_EQ(x->spans[0].end, 4);
    tern_tokenizer_close(t);

    memset(json.data + intact - 2000, '/', 1000); /* offsets that leave the trie */
    tern_error e = {0};
    CHECK_EQ(fixture_try(tn_buf_cstr(&json), &t, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "normalizer: the precompiled charsmap is damaged");
    tn_buf_deinit(&json);
}

/* ---- BPE over characters ---- */

#define LLAMA2(rest)                                                                               \
    "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":"    \
    "true,\"vocab\":{\"<unk>\":0,\"<s>\":1,\"<0xE5>\":2,\"<0x8C>\":3,\"<0x97>\":4,"                \
    "\"\xE2\x96\x81\":5,\"a\":6,\"b\":7,\"ab\":8,\"\xE2\x96\x81"                                   \
    "ab\":9},"                                                                                     \
    "\"merges\":[\"a b\",\"\xE2\x96\x81 ab\"]},"                                                   \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"    \
    "\"\xE2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"          \
    "\"\xE2\x96\x81\"}]},\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","  \
    "\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"    \
    "{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}" rest

TEST(sentencepiece_style_bpe_falls_back_to_bytes) {
    tern_tokenizer *t = fixture_open(LLAMA2("}"));
    CHECK_STR(tern_tokenizer_kind(t), "BPE");
    CHECK_PIECES(t, "ab a",
                 "\xE2\x96\x81"
                 "ab|\xE2\x96\x81|a");
    CHECK_PIECES(t, "\xE5\x8C\x97", "\xE2\x96\x81|<0xE5>|<0x8C>|<0x97>");
    CHECK_PIECES(t, "xyab", "\xE2\x96\x81|<unk>|ab");
    fixture_decodes(t, "ab a\xE5\x8C\x97", 7);
    fixture_decodes(t, "  ab ", 5);
    tern_tokenizer_close(t);
}

TEST(llama_templates_follow_the_two_switches) {
    static const char config[] = "{\"tokenizer_class\":\"LlamaTokenizer\",\"bos_token\":\"<s>\","
                                 "\"add_bos_token\":true,\"add_eos_token\":false}";
    fixture_write("tokenizer_config.json", config, strlen(config));
    tern_tokenizer *t = fixture_open(LLAMA2("}"));
    CHECK_PIECES(t, "ab",
                 "<s>|\xE2\x96\x81"
                 "ab");
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_BOS), 1);
    CHECK(tern_tokenizer_is_special(t, 1));
    tern_tokenizer_close(t);
    unlink(fixture_path("tokenizer_config.json"));
}

/* ---- normalisers and pre-tokenizers on a vocabulary of single bytes ---- */

static void check_steps(const char *steps, const char *text, const char *expected) {
    tn_buf json = {0};
    tn_buf_printf(&json,
                  "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"vocab\":{\"?\":0}},%s}",
                  steps);
    /* Every word is unknown: spans show how the text was cut. */
    tern_tokenizer *t = fixture_open(tn_buf_cstr(&json));
    const tern_tokens *x =
        fixture_encode_n(t, text, strlen(text), (tern_encode_opts){.spans = true});
    char got[512] = "";
    for (size_t i = 0; i < x->n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? "|" : "",
                 (int)(x->spans[i].end - x->spans[i].begin), text + x->spans[i].begin);
    if (strcmp(got, expected) != 0) FAIL("%s: '%s', expected '%s'", steps, got, expected);
    tern_tokenizer_close(t);
    tn_buf_deinit(&json);
}

#define PRE(step)  "\"pre_tokenizer\":{" step "}"
#define SPLIT(how) PRE("\"type\":\"Split\",\"pattern\":{\"Regex\":\"-+\"}," how)

TEST(pre_tokenizers_cut_as_the_reference_does) {
    check_steps(SPLIT("\"behavior\":\"Isolated\""), "a--b-c", "a|--|b|-|c");
    check_steps(SPLIT("\"behavior\":\"Removed\""), "a--b-c", "a|b|c");
    check_steps(SPLIT("\"behavior\":\"MergedWithPrevious\""), "-a--b-c", "-|a--|b-|c");
    check_steps(SPLIT("\"behavior\":\"MergedWithNext\""), "a--b-c-", "a|--b|-c|-");
    check_steps(SPLIT("\"behavior\":\"Contiguous\""), "a--b", "a|--|b");
    check_steps(SPLIT("\"behavior\":\"Removed\",\"invert\":true"), "a--b-c", "--|-");
    check_steps(SPLIT("\"behavior\":\"Isolated\""), "a-\xFF-b", "a|-|\xFF|-|b");
    check_steps(PRE("\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\w+|[^\\\\w\\\\s]+\"},"
                    "\"behavior\":\"Removed\",\"invert\":true"),
                "e\xCC\x81z, x_y\xE2\x80\x83!? ", "e\xCC\x81z|,|x_y|!?");
    check_steps(PRE("\"type\":\"Whitespace\""), "Hi, x_y  z!?", "Hi|,|x_y|z|!?");
    check_steps(PRE("\"type\":\"WhitespaceSplit\""), " Hi,\tx\xE3\x80\x80y ", "Hi,|x|y");
    check_steps(PRE("\"type\":\"Punctuation\""), "a,b!!", "a|,|b|!|!");
    check_steps(PRE("\"type\":\"Digits\",\"individual_digits\":true"), "a12b", "a|1|2|b");
    check_steps(PRE("\"type\":\"Digits\""), "a12b", "a|12|b");
    check_steps(PRE("\"type\":\"CharDelimiterSplit\",\"delimiter\":\"|\""), "a|b", "a|b");
    check_steps(PRE("\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},"
                    "{\"type\":\"Punctuation\"}]"),
                "a, b", "a|,|b");
}

/* The normalised text itself, through a vocabulary of characters. */
static void check_normal(const char *normalizer, const char *text, const char *expected) {
    tn_buf json = {0};
    tn_buf_printf(
        &json,
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"%s\",-1]]},"
        "\"normalizer\":%s}",
        expected, normalizer);
    tern_tokenizer *t = fixture_open(tn_buf_cstr(&json));
    CHECK_PIECES(t, text, expected);
    for (int spans = 0; spans < 2; spans++) {
        const tern_tokens *x =
            fixture_encode_n(t, text, strlen(text), (tern_encode_opts){.spans = spans});
        CHECK_EQ(x->n, 1);
        if (spans) CHECK_EQ(x->spans[0].end - x->spans[0].begin, strlen(text));
    }
    tern_tokenizer_close(t);
    tn_buf_deinit(&json);
}

TEST(normalisers_do_what_their_names_say) {
    check_normal("{\"type\":\"NFC\"}", "e\xCC\x81z", "\xC3\xA9z");
    check_normal("{\"type\":\"NFD\"}", "\xC3\xA9", "e\xCC\x81");
    check_normal("{\"type\":\"NFKC\"}", "\xEF\xAC\x81\xC2\xBD",
                 "fi1\xE2\x81\x84"
                 "2");
    check_normal("{\"type\":\"NFKC\"}", "\xEF\xBD\xB6\xEF\xBE\x9E",
                 "\xE3\x82\xAC"); /* ka + voicing */
    check_normal("{\"type\":\"NFC\"}", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB",
                 "\xED\x95\x9C"); /* jamo */
    check_normal("{\"type\":\"NFKD\"}", "\xEF\xAC\x81\xC3\xA9", "fie\xCC\x81");
    check_normal("{\"type\":\"Lowercase\"}", "\xC3\x89\xC4\xB0Z", "\xC3\xA9i\xCC\x87z");
    check_normal(
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"}]}",
        "\xC3\xA9t\xC3\xA9", "ete");
    check_normal("{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},\"content\":\"_\"}",
                 "a  b c", "a_b_c");
    check_normal("{\"type\":\"Prepend\",\"prepend\":\"_\"}", "ab", "_ab");
    check_normal("{\"type\":\"Nmt\"}",
                 "a\tb\xE2\x80\x8B"
                 "c",
                 "a b c");
}

/* ---- what is refused ---- */

#define MODEL                                                                                      \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

TEST(what_is_not_supported_is_refused_by_its_path) {
    static const struct {
        const char *json, *says;
        tern_status status;
    } cases[] = {
        {"{", "tokenizer.json: JSON", TERN_ERR_FORMAT},
        {"{}", "model: is missing", TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}",
         "model.type: 'WordLevel' is not supported", TERN_ERR_UNSUPPORTED},
        {"{\"\":1}", "(root): member ''", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"extra\":1}", "(root): member 'extra'", TERN_ERR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}",
         "model: member 'dropout'", TERN_ERR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</"
         "w>\",\"vocab\":{\"a\":0},\"merges\":[]}}",
         "member 'end_of_word_suffix'", TERN_ERR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a z\"]}}",
         "merge 1, 'a' + 'z': the right piece is not in the vocabulary", TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
         "id 0 is given to 'a' and to 'b'", TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":999999999},\"merges\":[]}}", "model.vocab",
         TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
         "model.merges[0]: is not two pieces", TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"vocab\":{\"a\":0}}}",
         "model.unk_token: '?' is not in", TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":4,\"vocab\":[[\"a\",0]]}}", "model.unk_id",
         TERN_ERR_FORMAT},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"x\"]]}}", "model.vocab[0]",
         TERN_ERR_FORMAT},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
         "{\"type\":\"Klingon\"}]}}",
         "normalizer.normalizers[1]: type 'Klingon'", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"normalizer\":{\"type\":\"NFC\",\"mode\":\"fast\"}}",
         "normalizer: member 'mode' is not supported", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}",
         "pre_tokenizer: type 'UnicodeScripts'", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}}}",
         "pre_tokenizer.pattern: regular expression", TERN_ERR_FORMAT},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},"
         "\"behavior\":\"Odd\"}}",
         "behavior 'Odd'", TERN_ERR_UNSUPPORTED},
        {"{" MODEL
         ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-z&&[^b]]\"}}}",
         "an intersection of brackets is not supported", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\bx\"}}}",
         "an escape such as \\b", TERN_ERR_UNSUPPORTED},
        {"{" MODEL ",\"decoder\":{\"type\":\"CTC\"}}", "decoder: type 'CTC'", TERN_ERR_UNSUPPORTED},
        {"{" MODEL
         ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
         "{\"id\":\"<s>\"}}],\"special_tokens\":{}}}",
         "post_processor: special_tokens lacks '<s>'", TERN_ERR_FORMAT},
        {"{" MODEL ",\"added_tokens\":[{\"id\":7,\"content\":\"a\"}]}",
         "added_tokens[0]: added token 'a' has id 7, but the vocabulary gives it 0",
         TERN_ERR_FORMAT},
        {"{" MODEL ",\"added_tokens\":[{\"content\":\"x\"}]}", "added_tokens[0]: lacks an id",
         TERN_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_tokenizer *t = NULL;
        tern_error e = {0};
        tern_status st = fixture_try(cases[i].json, &t, &e);
        CHECK(t == NULL);
        CHECK_HAS(e.text, cases[i].says);
        CHECK_EQ(st, cases[i].status);
    }
}

TEST(sequences_inside_each_other_are_bounded) {
    tn_buf json = {0};
    tn_buf_str(&json, "{" MODEL ",\"normalizer\":");
    for (int i = 0; i < 40; i++) tn_buf_str(&json, "{\"type\":\"Sequence\",\"normalizers\":[");
    for (int i = 0; i < 40; i++) tn_buf_str(&json, "]}");
    tn_buf_str(&json, "}");
    tern_tokenizer *t = NULL;
    tern_error e = {0};
    CHECK_EQ(fixture_try(tn_buf_cstr(&json), &t, &e), TERN_ERR_LIMIT);
    tn_buf_deinit(&json);
}

TEST(a_folder_without_a_tokenizer_says_what_it_looked_for) {
    tern_tokenizer *t = NULL;
    tern_error e = {0};
    char dir[128];
    snprintf(dir, sizeof dir, "%s/empty", test_dir());
    mkdir(dir, 0777);
    CHECK_EQ(tern_tokenizer_open(dir, &t, &e), TERN_ERR_NOT_FOUND);
    CHECK_HAS(e.text, "no tokenizer here (tokenizer.json, tokenizer.model");
    CHECK_EQ(tern_tokenizer_open(fixture_path("nowhere.json"), &t, &e), TERN_ERR_NOT_FOUND);
}

TEST_MAIN
