/* Byte-level BPE and what all tokenizers share: ids, spans, decoding, added tokens, threads. */
#include "tests/tokenizer_fixture.h"
#include <pthread.h>

#include "core/base/mem.h"

static const char *const expected_names[] = {"gpt2", "gpt2", "llama3", "llama3", "qwen2", "qwen2"};

TEST(bpe_ids_equal_the_independent_reference) {
    char *golden = fixture_golden("bpe_expected.jsonl");
    for (int p = 0; p < FIXTURE_N_PRE; p++) {
        tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[p]);
        int n_lines = 0;
        for (const char *line = golden, *end; *line; line = end + 1) {
            end = strchr(line, '\n');
            json_t *v = NULL;
            tern_error e = {0};
            CHECK_OK(tn_json_parse(line, (size_t)(end - line), &v, &e), e);
            if (strcmp(tn_json_str(v, "pattern", ""), expected_names[p]) == 0) {
                const json_t *text = json_object_get(v, "text"), *ids = json_object_get(v, "ids");
                const tern_tokens *got = fixture_encode_n(
                    t, json_string_value(text), json_string_length(text), (tern_encode_opts){0});
                bool same = got->n == json_array_size(ids);
                for (size_t i = 0; i < got->n && same; i++)
                    same = got->ids[i] == json_integer_value(json_array_get(ids, i));
                if (!same) FAIL("pattern %d: '%s' differs", p, json_string_value(text));
                n_lines++;
            }
            json_decref(v);
        }
        CHECK(n_lines > 30);
        tern_tokenizer_close(t);
    }
    tern_tokenizer_free_text(golden);
}

TEST(hand_written_scanners_cut_as_pcre2_does) {
    tn_buf text = {0};
    tn_rng r = tn_rng_init(7, 0);
    for (int p = 0; p < FIXTURE_N_PRE; p += 2) {
        tern_tokenizer *a = fixture_bpe(fixture_pre_tokenizers()[p]);
        tern_tokenizer *b = fixture_bpe(fixture_pre_tokenizers()[p + 1]);
        for (int i = 0; i < 150; i++) {
            fixture_random_text(&r, 200, &text);
            tern_encode_opts o = {.spans = true};
            tern_tokens *x = fixture_encode_n(a, text.data, text.len, o);
            tern_tokens first = *x;
            *x = (tern_tokens){0};
            x = fixture_encode_n(b, text.data, text.len, o);
            CHECK_EQ(x->n, first.n);
            CHECK(memcmp(x->ids, first.ids, x->n * sizeof *x->ids) == 0);
            CHECK(memcmp(x->spans, first.spans, x->n * sizeof *x->spans) == 0);
            tern_tokens_deinit(&first);
        }
        tern_tokenizer_close(a);
        tern_tokenizer_close(b);
    }
    tn_buf_deinit(&text);
}

TEST(every_byte_string_comes_back_exactly) {
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[2]);
    char all[256], some[300];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    fixture_decodes(t, all, sizeof all);
    for (int i = 0; i < 256; i++) fixture_decodes(t, all + i, 1);
    tn_rng r = tn_rng_init(1, 0);
    for (int i = 0; i < 500; i++) {
        size_t n = tn_rng_below(&r, sizeof some);
        for (size_t k = 0; k < n; k++) some[k] = (char)tn_rng_below(&r, i % 2 ? 256 : 128);
        fixture_decodes(t, some, n);
    }
    tern_tokenizer_close(t);
}

TEST(spans_tile_the_text) {
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[4]);
    tn_buf text = {0};
    tn_rng r = tn_rng_init(3, 0);
    for (int i = 0; i < 50; i++) {
        fixture_random_text(&r, 300, &text);
        const tern_tokens *x =
            fixture_encode_n(t, text.data, text.len, (tern_encode_opts){.spans = true});
        uint32_t at = 0;
        for (size_t k = 0; k < x->n; k++) {
            CHECK_EQ(x->spans[k].begin, at);
            at = x->spans[k].end;
        }
        CHECK_EQ(at, text.len);
    }
    tn_buf_deinit(&text);
    tern_tokenizer_close(t);
}

TEST(a_long_word_gets_the_ids_of_the_short_algorithm) {
    /* 100 kB without a space; cut by hand into pieces that no merge crosses ("q" is in none). */
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[0]);
    tn_buf text = {0};
    tern_tokens parts = {0};
    tern_error e = {0};
    while (text.len < 100000) tn_buf_str(&text, "migrationstheAntarcticsearchq");
    const tern_tokens *whole = fixture_encode_n(t, text.data, text.len, (tern_encode_opts){0});
    CHECK_OK(tern_tokenizer_encode(t, "migrationstheAntarcticsearchq", 29, NULL, &parts, &e), e);
    CHECK(parts.n > 4 && whole->n == parts.n * (text.len / 29));
    for (size_t i = 0; i < whole->n; i++) CHECK_EQ(whole->ids[i], parts.ids[i % parts.n]);
    tern_tokens_deinit(&parts);
    tn_buf_deinit(&text);
    tern_tokenizer_close(t);
}

TEST(ignore_merges_takes_a_word_of_the_vocabulary_whole) {
    /* "abc" cannot be reached: no merge joins "ab" and "c". */
    static const char model[] =
        "{\"model\":{\"type\":\"BPE\",%s\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4},"
        "\"merges\":[[\"a\",\"b\"]]},\"pre_tokenizer\":{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false}}";
    char json[512];
    snprintf(json, sizeof json, model, "");
    tern_tokenizer *t = fixture_open(json);
    CHECK_PIECES(t, "abc", "ab|c");
    tern_tokenizer_close(t);
    snprintf(json, sizeof json, model, "\"ignore_merges\":true,");
    t = fixture_open(json);
    CHECK_PIECES(t, "abc", "abc");
    CHECK_PIECES(t, "abca", "ab|c|a");
    tern_tokenizer_close(t);
}

TEST(a_stream_never_splits_a_character_and_gives_the_same_text) {
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[0]);
    static const char text[] = "a\xE5\x8C\x97\xF0\x9F\x98\x80 z\xE2\x82";
    tern_tokens *x = fixture_encode_n(t, text, sizeof text - 1, (tern_encode_opts){0});
    tern_detok *d = NULL;
    tern_error e = {0};
    tn_buf got = {0};
    const char *part;
    size_t len;
    CHECK_OK(tern_detok_new(t, false, &d, &e), e);
    for (int pass = 0; pass < 2; pass++) {
        tn_buf_reset(&got);
        for (size_t i = 0; i < x->n; i++) {
            CHECK_OK(tern_detok_add(d, x->ids[i], &part, &len, &e), e);
            CHECK(tn_utf8_valid(part, len));
            tn_buf_add(&got, part, len);
        }
        CHECK_EQ(got.len, sizeof text - 3);
        CHECK_OK(tern_detok_end(d, &part, &len, &e), e);
        CHECK_EQ(len, 2); /* the unfinished character */
        tn_buf_add(&got, part, len);
        CHECK_STR(got.data, text);
    }
    CHECK_EQ(tern_detok_add(d, 100000, &part, &len, &e), TERN_ERR_ARG);
    tern_detok_free(d);
    tn_buf_deinit(&got);
    tern_tokenizer_close(t);
}

TEST(an_id_outside_the_vocabulary_is_an_error_that_names_it) {
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[0]);
    int32_t ids[] = {65, -1, 99999};
    char *text = NULL;
    size_t len;
    tern_error e = {0};
    CHECK_EQ(tern_tokenizer_decode(t, ids, 2, false, &text, &len, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "token 2 of 2: id -1");
    CHECK(text == NULL);
    ids[1] = 66;
    CHECK_EQ(tern_tokenizer_decode(t, ids, 3, false, &text, &len, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "99999");
    CHECK(tern_tokenizer_piece(t, 99999) == NULL);
    CHECK_EQ(tern_tokenizer_find(t, "no such piece"), -1);
    CHECK_OK(tern_tokenizer_decode(t, ids, 0, false, &text, &len, &e), e);
    CHECK_STR(text, "");
    tern_tokenizer_free_text(text);
    tern_tokenizer_close(t);
}

#define ADDED                                                                                      \
    ",\"added_tokens\":["                                                                          \
    "{\"id\":600,\"content\":\"<|end|>\",\"special\":true},"                                       \
    "{\"id\":601,\"content\":\"<|end|><|end|>\",\"special\":false,\"normalized\":false},"          \
    "{\"id\":602,\"content\":\"<L>\",\"lstrip\":true,\"special\":true},"                           \
    "{\"id\":603,\"content\":\"<R>\",\"rstrip\":true,\"special\":true},"                           \
    "{\"id\":604,\"content\":\"tern\",\"single_word\":true,\"special\":false}]"                    \
    ",\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"                      \
    "\"decoder\":{\"type\":\"ByteLevel\"}"

TEST(added_tokens_are_found_by_their_rules) {
    tern_tokenizer *t = fixture_bpe(ADDED);
    CHECK_PIECES(t, "<|end|>", "<|end|>");
    CHECK_PIECES(t, "<|end|><|end|><|end|>", "<|end|><|end|>|<|end|>");
    CHECK_PIECES(t, "x \t<L> y", "x|<L>|\xC4\xA0|y");
    CHECK_PIECES(t, "x <R> \n y", "x|\xC4\xA0|<R>|y");
    CHECK_PIECES(t, "tern!", "tern|!");
    const char *inside = fixture_pieces(t, "terns", tern_encode_defaults());
    CHECK(strstr(inside, "tern|") == NULL);
    const tern_tokens *x =
        fixture_encode_n(t, "x \t<L> y", 9, (tern_encode_opts){false, true, true});
    CHECK_EQ(x->spans[1].begin, 1);
    CHECK_EQ(x->spans[1].end, 6);
    tern_tokenizer_close(t);
}

TEST(special_tokens_in_plain_text_are_only_text) {
    tern_tokenizer *t = fixture_bpe(ADDED);
    tern_encode_opts plain = {.parse_special = false};
    CHECK(strstr(fixture_pieces(t, "a<|end|>b", plain), "<|end|>") == NULL);
    CHECK_STR(fixture_pieces(t, "<|end|><|end|>", plain), "<|end|><|end|>"); /* not a special one */
    char *text = NULL;
    size_t len;
    tern_error e = {0};
    const int32_t ids[] = {65, 600, 66};
    CHECK_OK(tern_tokenizer_decode(t, ids, 3, true, &text, &len, &e), e);
    CHECK_STR(text, "AB");
    tern_tokenizer_free_text(text);
    CHECK_OK(tern_tokenizer_decode(t, ids, 3, false, &text, &len, &e), e);
    CHECK_STR(text, "A<|end|>B");
    tern_tokenizer_free_text(text);
    tern_tokenizer_close(t);
}

TEST(vocab_json_with_merges_txt_is_the_same_tokenizer) {
    char *golden = fixture_golden("bpe.json");
    json_t *v = NULL;
    tern_error e = {0};
    CHECK_OK(tn_json_parse(golden, strlen(golden), &v, &e), e);
    tn_buf vocab = {0}, merges = {0};
    tn_json_dump(json_object_get(v, "vocab"), &vocab);
    tn_buf_str(&merges, "#version: 0.2\n");
    for (size_t i = 0; i < json_array_size(json_object_get(v, "merges")); i++)
        tn_buf_printf(&merges, "%s\n",
                      json_string_value(json_array_get(json_object_get(v, "merges"), i)));
    char dir[128];
    snprintf(dir, sizeof dir, "%s/gpt2", test_dir());
    mkdir(dir, 0777);
    fixture_write("gpt2/vocab.json", vocab.data, vocab.len);
    fixture_write("gpt2/merges.txt", merges.data, merges.len);
    tern_tokenizer *a = NULL, *b = fixture_bpe(fixture_pre_tokenizers()[0]);
    CHECK_OK(tern_tokenizer_open(dir, &a, &e), e);
    CHECK_STR(tern_tokenizer_kind(a), "byte-level BPE");
    const char *text = "The terns aren't 1982 gulls";
    char first[4096];
    snprintf(first, sizeof first, "%s", fixture_pieces(a, text, tern_encode_defaults()));
    CHECK_STR(fixture_pieces(b, text, tern_encode_defaults()), first);
    tern_tokenizer_close(a);
    tern_tokenizer_close(b);

    tn_buf_str(&merges, "one two three\n");
    fixture_write("gpt2/merges.txt", merges.data, merges.len);
    CHECK_EQ(tern_tokenizer_open(dir, &a, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "merges.txt, line 242: is not two pieces");
    tn_buf_deinit(&vocab);
    tn_buf_deinit(&merges);
    json_decref(v);
    tern_tokenizer_free_text(golden);
}

static void *encode_much(void *arg) {
    const tern_tokenizer *t = arg;
    tern_tokens x = {0};
    tern_error e = {0};
    uintptr_t sum = 0;
    for (int i = 0; i < 200; i++) {
        if (tern_tokenizer_encode(t, "The Arctic tern's migration, 22,000 km", 38, NULL, &x, &e) !=
            TERN_OK)
            return NULL;
        for (size_t k = 0; k < x.n; k++) sum = sum * 31 + (uintptr_t)x.ids[k];
    }
    tern_tokens_deinit(&x);
    return (void *)sum;
}

TEST(threads_share_a_tokenizer) {
    tern_tokenizer *t = fixture_bpe(fixture_pre_tokenizers()[2]);
    pthread_t threads[4];
    void *alone = encode_much(t), *got;
    CHECK(alone != NULL);
    for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&threads[i], NULL, encode_much, t), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &got);
        CHECK(got == alone);
    }
    tern_tokenizer_close(t);
}

TEST_MAIN
