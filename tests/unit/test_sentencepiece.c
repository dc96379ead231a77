/* SentencePiece: training, ids equal to the library's own tool, decoding, XLM-R's numbering, and
 * damaged models. */
#include "core/lm/tokenizer/sp_proto.h"
#include "tests/tokenizer_fixture.h"

#include "core/base/mem.h"

enum { N_PIECES = 330 };

/* A corpus of many scripts; the same every time. */
static void write_corpus(void) {
    static const char *const words[] = {"the",  "arctic", "tern",   "flies", "from",
                                        "pole", "to",     "pole",   "and",   "back",
                                        "each", "year",   "search", "agent", "answers"};
    static const char *const ends[] = {"", "", "s", "ing", "ed"};
    tn_buf text = {0}, part = {0};
    tn_rng r = tn_rng_init(11, 0);
    for (int line = 0; line < 600; line++) {
        for (int w = 0; w < 12; w++)
            tn_buf_printf(&text, "%s%s ", words[tn_rng_below(&r, sizeof words / sizeof *words)],
                          ends[tn_rng_below(&r, 5)]);
        tn_buf_reset(&part);
        if (line % 40 == 0) fixture_random_text(&r, 20, &part);
        for (size_t i = 0; i < part.len; i++)
            tn_buf_char(&text, part.data[i] == '\n' || part.data[i] == '\r' ? ' ' : part.data[i]);
        tn_buf_char(&text, '\n');
    }
    fixture_write("corpus.txt", text.data, text.len);
    tn_buf_deinit(&text);
    tn_buf_deinit(&part);
}

static const char *model_path(void) {
    static char path[128];
    if (path[0]) return path;
    write_corpus();
    snprintf(path, sizeof path, "%s/small.model", test_dir());
    char corpus[128];
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", test_dir());
    const char *paths[] = {corpus};
    tern_tokenizer_train_opts o = tern_tokenizer_train_defaults();
    o.vocab_size = N_PIECES;
    o.character_coverage = 0.98;
    tern_error e = {0};
    CHECK_OK(tern_tokenizer_train(paths, 1, &o, path, NULL, &e), e);
    return path;
}

static tern_tokenizer *open_model(const char *path) {
    tern_tokenizer *t = NULL;
    tern_error e = {0};
    CHECK_OK(tern_tokenizer_open(path, &t, &e), e);
    return t;
}

TEST(training_gives_a_model_of_the_size_asked_for) {
    tern_tokenizer *t = open_model(model_path());
    CHECK_EQ(tern_tokenizer_size(t), N_PIECES);
    CHECK_STR(tern_tokenizer_kind(t), "SentencePiece Unigram");
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_UNK), 0);
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_BOS), 1);
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_EOS), 2);
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_PAD), -1);
    CHECK(tern_tokenizer_find(t, "\xE2\x96\x81tern") > 0);
    tern_tokenizer_close(t);
}

TEST(training_twice_gives_the_same_model) {
    char again[128];
    snprintf(again, sizeof again, "%s/again.model", test_dir());
    model_path();
    char corpus[128];
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", test_dir());
    const char *paths[] = {corpus};
    tern_tokenizer_train_opts o = tern_tokenizer_train_defaults();
    o.vocab_size = N_PIECES;
    o.character_coverage = 0.98;
    tern_error e = {0};
    tern_host host = {.n_threads = 3};
    CHECK_OK(tern_tokenizer_train(paths, 1, &o, again, &host, &e), e);
    tn_buf a = {0}, b = {0};
    CHECK_OK(tn_file_read(model_path(), 1 << 24, &a, &e), e);
    CHECK_OK(tn_file_read(again, 1 << 24, &b, &e), e);
    CHECK_EQ(a.len, b.len);
    CHECK(memcmp(a.data, b.data, a.len) == 0);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
}

TEST(ids_equal_the_librarys_own_tool) {
    if (system("command -v spm_encode >/dev/null") != 0) SKIP("no spm_encode here");
    tn_buf text = {0}, ours = {0}, theirs = {0};
    tern_error e = {0};
    tern_tokenizer *t = open_model(model_path());
    char corpus[128], command[512];
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", test_dir());
    snprintf(command, sizeof command, "spm_encode --model=%s --output_format=id <%s >%s/theirs",
             model_path(), corpus, test_dir());
    CHECK_EQ(system(command), 0);
    CHECK_OK(tn_file_read(corpus, 1 << 24, &text, &e), e);
    for (char *line = text.data, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        const tern_tokens *x =
            fixture_encode_n(t, line, (size_t)(end - line), (tern_encode_opts){0});
        for (size_t i = 0; i < x->n; i++)
            tn_buf_printf(&ours, "%s%d", i ? " " : "", (int)x->ids[i]);
        tn_buf_char(&ours, '\n');
    }
    CHECK_OK(tn_file_read(fixture_path("theirs"), 1 << 24, &theirs, &e), e);
    CHECK_STR(ours.data, theirs.data);
    tn_buf_deinit(&text);
    tn_buf_deinit(&ours);
    tn_buf_deinit(&theirs);
    tern_tokenizer_close(t);
}

TEST(unknown_characters_are_bytes_and_come_back) {
    tern_tokenizer *t = open_model(model_path());
    static const char *const texts[] = {"the tern", "a \xF0\x9F\xA6\x89 owl", "x\xE2\x98\x83y", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        fixture_decodes(t, texts[i], strlen(texts[i]));
    const char *pieces = fixture_pieces(t, "\xF0\x9F\xA6\x89", tern_encode_defaults());
    CHECK_HAS(pieces, "<0xF0>|<0x9F>|<0xA6>|<0x89>");
    /* A byte that is no UTF-8 is U+FFFD to the library. */
    CHECK_HAS(fixture_pieces(t, "tern\xFF", tern_encode_defaults()), "<0xEF>|<0xBF>|<0xBD>");
    tern_tokenizer_close(t);
}

TEST(spans_are_bytes_of_the_text) {
    tern_tokenizer *t = open_model(model_path());
    const char *text = "the tern";
    const tern_tokens *x = fixture_encode_n(t, text, 8, (tern_encode_opts){.spans = true});
    CHECK_EQ(x->spans[0].begin, 0);
    CHECK_EQ(x->spans[x->n - 1].end, 8);
    for (size_t i = 1; i < x->n; i++) CHECK_EQ(x->spans[i].begin, x->spans[i - 1].end);
    tern_tokenizer_close(t);
}

TEST(control_pieces_are_text_to_a_bare_model_and_ids_where_a_configuration_names_them) {
    tern_tokenizer *t = open_model(model_path());
    CHECK(strstr(fixture_pieces(t, "tern</s>", tern_encode_defaults()), "|</s>") == NULL);
    CHECK(tern_tokenizer_is_special(t, 2));
    tern_tokenizer_close(t);
    static const char config[] = "{\"tokenizer_class\":\"LlamaTokenizer\",\"eos_token\":"
                                 "{\"content\":\"</s>\"},\"bos_token\":\"<s>\"}";
    fixture_write("tokenizer_config.json", config, strlen(config));
    t = open_model(model_path());
    CHECK_HAS(fixture_pieces(t, "tern</s>", tern_encode_defaults()), "|</s>");
    CHECK_HAS(fixture_pieces(t, "tern", tern_encode_defaults()), "<s>|");
    tern_encode_opts plain = {0};
    CHECK(strstr(fixture_pieces(t, "tern</s>", plain), "|</s>") == NULL);
    tern_tokenizer_close(t);
    unlink(fixture_path("tokenizer_config.json"));
}

TEST(xlm_r_counts_from_fairseqs_four) {
    tn_buf model = {0};
    tern_error e = {0};
    CHECK_OK(tn_file_read(model_path(), 1 << 24, &model, &e), e);
    char dir[128], path[160];
    snprintf(dir, sizeof dir, "%s/xlmr", test_dir());
    mkdir(dir, 0777);
    fixture_write("xlmr/sentencepiece.bpe.model", model.data, model.len);
    snprintf(path, sizeof path, "%s", dir);
    tern_tokenizer *plain = open_model(model_path()), *t = open_model(path);
    CHECK_EQ(tern_tokenizer_size(t), N_PIECES + 2);
    static const char *const pieces[] = {"<s>", "<pad>", "</s>", "<unk>"};
    for (int i = 0; i < 4; i++) CHECK_STR(tern_tokenizer_piece(t, i), pieces[i]);
    CHECK_EQ(tern_tokenizer_find(t, "<mask>"), N_PIECES + 1);
    CHECK_EQ(tern_tokenizer_special(t, TERN_SPECIAL_CLS), 0);
    int32_t tern = tern_tokenizer_find(plain, "\xE2\x96\x81tern");
    const tern_tokens *x = fixture_encode_n(t, "tern<mask>", 10, tern_encode_defaults());
    CHECK_EQ(x->n, 4);
    CHECK_EQ(x->ids[0], 0);
    CHECK_EQ(x->ids[1], tern + 1);
    CHECK_EQ(x->ids[2], N_PIECES + 1);
    CHECK_EQ(x->ids[3], 2);
    fixture_decodes(t, "the arctic tern", 15);
    tern_tokenizer_close(t);
    tern_tokenizer_close(plain);
    tn_buf_deinit(&model);
}

TEST(a_damaged_model_is_refused_with_its_place) {
    tn_buf model = {0};
    tern_error e = {0};
    tern_tokenizer *t = NULL;
    CHECK_OK(tn_file_read(model_path(), 1 << 24, &model, &e), e);
    static const size_t cuts[] = {0, 1, 7, 100, 3000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        fixture_write("cut.model", model.data, cuts[i]);
        tern_status st = tern_tokenizer_open(fixture_path("cut.model"), &t, &e);
        CHECK_EQ(st, TERN_ERR_FORMAT);
        CHECK_HAS(e.text, "cut.model: ");
    }
    tn_rng r = tn_rng_init(5, 0);
    for (int i = 0; i < 60; i++) { /* whatever a flipped byte does, nothing breaks */
        size_t at = tn_rng_below(&r, model.len);
        char was = model.data[at];
        model.data[at] ^= (char)(1 + tn_rng_below(&r, 255));
        fixture_write("cut.model", model.data, model.len);
        if (tern_tokenizer_open(fixture_path("cut.model"), &t, &e) == TERN_OK) {
            fixture_encode_n(t, "the arctic tern\xF0\x9F\xA6\x89", 19, tern_encode_defaults());
            tern_tokenizer_close(t);
        }
        model.data[at] = was;
    }
    tn_buf_deinit(&model);
}

TEST(training_says_what_it_cannot_do) {
    tern_error e = {0};
    tern_tokenizer_train_opts o = tern_tokenizer_train_defaults();
    char out[128], empty[128];
    snprintf(out, sizeof out, "%s/none.model", test_dir());
    snprintf(empty, sizeof empty, "%s/empty.txt", test_dir());
    fixture_write("empty.txt", "\n \n", 3);
    const char *paths[] = {empty};
    CHECK_EQ(tern_tokenizer_train(paths, 0, &o, out, NULL, &e), TERN_ERR_ARG);
    CHECK_EQ(tern_tokenizer_train(paths, 1, &o, out, NULL, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "no line of text");
    o.vocab_size = 20;
    CHECK_EQ(tern_tokenizer_train(paths, 1, &o, out, NULL, &e), TERN_ERR_ARG);
    o.vocab_size = 8000;
    fixture_write("empty.txt", "a b c\n", 6);
    CHECK_EQ(tern_tokenizer_train(paths, 1, &o, out, NULL, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "SentencePiece cannot learn this");
    CHECK(!tn_file_exists(out));
}

static bool yes(void *ud) {
    (void)ud;
    return true;
}

TEST(training_can_be_cancelled_and_writes_nothing) {
    model_path();
    char corpus[128], out[128];
    snprintf(corpus, sizeof corpus, "%s/corpus.txt", test_dir());
    snprintf(out, sizeof out, "%s/none.model", test_dir());
    const char *paths[] = {corpus};
    tern_host host = {.cancelled = yes};
    tern_error e = {0};
    CHECK_EQ(tern_tokenizer_train(paths, 1, NULL, out, &host, &e), TERN_ERR_CANCELLED);
    CHECK(!tn_file_exists(out));
}

TEST_MAIN
