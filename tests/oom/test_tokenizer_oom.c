/* Every allocation of opening, encoding, decoding and chat rendering fails once: each call says so,
 * and nothing leaks. */
#include "tern/chat.h"
#include "tests/tokenizer_fixture.h"

#include "core/base/mem.h"

enum { STRIDE_AFTER = 60 };

static const char *path;
static const char text[] = "The arctic tern's  caf\xC3\xA9 e\xCC\x81 \xE5\x8C\x97 1982 <|end|>\xFF";

static int64_t next_k(int64_t k) {
    return k < STRIDE_AFTER ? k + 1 : k + 1 + k / 16;
}

static tern_status use(const tern_tokenizer *t, tern_error *err) {
    static const tern_chat_message talk[] = {{"user", text}};
    tern_tokens x = {0};
    tern_detok *d = NULL;
    tern_encode_opts o = {true, true, true};
    char *back = NULL;
    const char *part;
    size_t len;
    tern_status st = tern_tokenizer_encode(t, text, sizeof text - 1, &o, &x, err);
    if (st == TERN_OK) st = tern_tokenizer_decode(t, x.ids, x.n, true, &back, &len, err);
    if (st == TERN_OK) st = tern_detok_new(t, false, &d, err);
    for (size_t i = 0; i < x.n && st == TERN_OK; i++)
        st = tern_detok_add(d, x.ids[i], &part, &len, err);
    if (st == TERN_OK) st = tern_chat_encode(t, TERN_CHAT_CHATML, talk, 1, NULL, &x, err);
    tern_detok_free(d);
    tern_tokenizer_free_text(back);
    tern_tokens_deinit(&x);
    return st;
}

static tern_status open_and_use(tern_error *err) {
    tern_tokenizer *t = NULL;
    tern_status st = tern_tokenizer_open(path, &t, err);
    if (st == TERN_OK)
        st = use(t, err);
    else if (t)
        return TERN_ERR_ARG;
    tern_tokenizer_close(t);
    return st;
}

static void sweep(const char *name) {
    tern_error e = {0};
    path = fixture_path(name);
    CHECK_OK(open_and_use(&e), e);
    uint64_t before = tn_mem_n_allocs();
    CHECK_OK(open_and_use(&e), e);
    int64_t n = (int64_t)(tn_mem_n_allocs() - before);
    for (int64_t k = 0; k < n; k = next_k(k)) {
        tn_mem_fail_after(k, 0);
        tern_status st = open_and_use(&e);
        tn_mem_fail_after(-1, 0);
        /* PCRE2 does without its just-in-time code where that cannot be had. */
        if (st != TERN_ERR_NOMEM && st != TERN_OK)
            FAIL("allocation %lld: %s", (long long)k, e.text);
    }
}

TEST(byte_level_bpe_survives_every_failed_allocation) {
    tn_buf json = {0};
    char *golden = fixture_golden("bpe.json");
    tn_buf_printf(
        &json,
        "{\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,%s,\"normalizer\":{\"type\":"
        "\"NFC\"},\"added_tokens\":[{\"id\":600,\"content\":\"<|end|>\",\"special\":true},"
        "{\"id\":601,\"content\":\"<|im_start|>\",\"special\":true}]%s}",
        golden + 1, fixture_pre_tokenizers()[1]);
    fixture_write("bpe.json", json.data, json.len);
    sweep("bpe.json");
    tn_buf_deinit(&json);
    tern_tokenizer_free_text(golden);
}

TEST(wordpiece_survives_every_failed_allocation) {
    static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ntern\n##s\ncafe\n";
    static const char config[] = "{\"tokenizer_class\":\"BertTokenizer\",\"added_tokens_decoder\":"
                                 "{\"9\":{\"content\":\"<|end|>\",\"special\":true}},"
                                 "\"chat_template\":\"x\",\"cls_token\":\"[CLS]\"}";
    fixture_write("vocab.txt", vocab, strlen(vocab));
    fixture_write("tokenizer_config.json", config, strlen(config));
    sweep("vocab.txt");
    unlink(fixture_path("tokenizer_config.json"));
}

TEST(unigram_survives_every_failed_allocation) {
    static const char json[] =
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],"
        "[\"er\",-2],[\"\xE2\x96\x81t\",-2]]},\"normalizer\":{\"type\":\"Sequence\","
        "\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},"
        "\"content\":\" \"}]},\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":"
        "\"\xE2\x96\x81\"},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\"}}";
    fixture_write("unigram.json", json, strlen(json));
    sweep("unigram.json");
}

TEST(sentencepiece_survives_every_failed_allocation) {
    tn_buf model = {0};
    tern_error e = {0};
    char seed[512];
    snprintf(seed, sizeof seed, "%s/tests/fuzz/seeds/fuzz_sp_model/bpe.model", TERN_SOURCE_DIR);
    CHECK_OK(tn_file_read(seed, 1 << 20, &model, &e), e);
    fixture_write("small.model", model.data, model.len);
    sweep("small.model");
    tn_buf_deinit(&model);
}

TEST_MAIN
