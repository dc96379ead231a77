/* test_lm_encode.c - texts to vectors and pairs to scores, against independent numbers. */
#include "core/base/file.h"
#include "core/lm/sentence.h"
#include "tern/encode.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *golden(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    return path;
}

static tern_model *load(const char *name, bool tokenizer) {
    tern_error e;
    tern_model *m = NULL;
    tern_model_opts o = tern_model_defaults();
    o.weights = TERN_WEIGHTS_F32;
    o.tokenizer = tokenizer;
    CHECK_OK(tern_model_open(golden(name), &o, NULL, &m, &e), e);
    return m;
}

static void expected(const char *file, const char *name, float *out, size_t n) {
    tern_error e;
    tern_st *st = NULL;
    CHECK_OK(tern_st_open(golden(file), &st, &e), e);
    const tern_st_tensor *t = tern_st_find(st, name);
    CHECK(t != NULL);
    CHECK_OK(tern_st_read_f32(t, out, n, &e), e);
    tern_st_close(st);
}

static const char *const texts[] = {"a c b", "z",
                                    "q q x y a b c d e f g h i j k l m n o p q r s t"};
static const size_t lens[] = {5, 1, 47};

TEST(embeddings_are_pooled_projected_cut_and_prompted_as_the_folder_says) {
    tern_model *m = load("bert-sentence", true);
    tern_error e;
    float want[6 * 7], got[6 * 7];
    tern_model_info info = tern_model_get_info(m);
    CHECK(info.embeds && !info.generates && !info.scores);
    CHECK_EQ(info.dim, 7);
    CHECK_EQ(info.context, 12);
    CHECK_STR(info.pooling, "cls");
    expected("bert-sentence/vectors.safetensors", "vectors", want, 6 * 7);
    CHECK_OK(tern_model_embed(m, texts, lens, 3, NULL, got, NULL, &e), e);
    CHECK_OK(tern_model_embed(m, texts, lens, 3, "query", got + 3 * 7, NULL, &e), e);
    for (size_t i = 0; i < 6 * 7; i++) CHECK_NEAR(got[i], want[i], 2e-6);
    CHECK_EQ(tern_model_embed(m, texts, lens, 3, "qurey", got, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "query, document");
    tern_model_close(m);
}

TEST(pairs_are_framed_cut_and_scored_as_the_family_does) {
    tern_model *m = load("bert-pairs", true);
    tern_error e;
    float want[4 * 3], got[4 * 3];
    const tern_pair pairs[] = {{"a b", 3, "c d e", 5},
                               {"x", 1, "y z", 3},
                               {texts[2], lens[2], "k k k", 5},
                               {texts[2], lens[2], texts[2], lens[2]}};
    expected("bert-pairs/scores.safetensors", "scores", want, 4 * 3);
    CHECK_OK(tern_model_score(m, pairs, 4, got, NULL, &e), e);
    for (size_t i = 0; i < 4 * 3; i++) CHECK_NEAR(got[i], want[i], 2e-6);
    tern_model_close(m);
}

TEST(a_text_alone_and_in_a_large_batch_gives_the_same_vector) {
    enum { N = 2000 };
    tern_model *m = load("bert-sentence", true);
    tern_error e;
    float one[7], *all = tn_calloc(N * 7, sizeof *all);
    const char **t = tn_calloc(N, sizeof *t);
    size_t *n = tn_calloc(N, sizeof *n);
    for (size_t i = 0; i < N; i++) t[i] = texts[i % 3], n[i] = lens[i % 3];
    CHECK_OK(tern_model_embed(m, t, n, N, NULL, all, NULL, &e), e);
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(tern_model_embed(m, &texts[i], &lens[i], 1, NULL, one, NULL, &e), e);
        for (size_t j = 0; j < 7; j++) {
            CHECK_NEAR(all[i * 7 + j], one[j], 1e-5);
            CHECK_NEAR(all[(1995 + i) * 7 + j], one[j], 1e-5);
        }
    }
    tn_free(all);
    tn_free(t);
    tn_free(n);
    tern_model_close(m);
}

TEST(what_a_model_cannot_do_is_said) {
    tern_model *bert = load("bert-sentence", true), *llama = load("llama3", true);
    tern_model *mute = load("bert-pairs", false);
    tern_error e;
    float x[64];
    const tern_pair pair = {"a", 1, "b", 1};
    CHECK_EQ(tern_model_score(bert, &pair, 1, x, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "no sequence classifier");
    CHECK_EQ(tern_model_embed(llama, texts, lens, 1, NULL, x, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "modules.json");
    CHECK_EQ(tern_model_score(mute, &pair, 1, x, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "tokenizer");
    tern_model_close(bert);
    tern_model_close(llama);
    tern_model_close(mute);
}

static void write_file(const char *dir, const char *name, const char *text) {
    tern_error e;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    CHECK_OK(tn_mkdirs(path, &e), e);
    *slash = '/';
    CHECK_OK(tn_file_replace(path, text, strlen(text), &e), e);
}

static void refused(const char *modules, const char *pooling, const char *part) {
    tern_error e;
    tn_sentence s;
    char dir[512];
    snprintf(dir, sizeof dir, "%s/st", test_dir());
    write_file(dir, "modules.json", modules);
    write_file(dir, "1_Pooling/config.json", pooling);
    CHECK(tn_sentence_load(dir, NULL, &s, &e) != TERN_OK);
    CHECK_HAS(e.text, part);
}

#define MODULES(more)                                                                              \
    "[{\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"                      \
    "{\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"}" more "]"

TEST(unknown_modules_and_modes_are_refused_by_name) {
    const char *mean = "{\"pooling_mode_mean_tokens\":true}";
    refused("{}", mean, "not a list");
    refused(MODULES(",{\"path\":\"2\",\"type\":\"sentence_transformers.models.LSTM\"}"), mean,
            "LSTM");
    refused(MODULES(""), "{\"pooling_mode_max_tokens\":true}", "pooling_mode_max_tokens");
    refused(MODULES(""), "{\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true}",
            "2 pooling modes");
    refused(MODULES(""), "{\"pooling_mode_mean_tokens\":true,\"include_prompt\":false}",
            "include_prompt");
    refused(MODULES(",{\"path\":\"../x\",\"type\":\"a.Dense\"}"), mean, "out of the model");
}

TEST(a_converted_model_gives_the_numbers_of_the_original) {
    tern_error e;
    char out[512], reference[1024];
    const tern_model_type types[] = {TERN_MODEL_F32, TERN_MODEL_BF16, TERN_MODEL_INT8};
    const double tolerances[] = {1e-4, 0.05, 0.15};
    snprintf(reference, sizeof reference, "%s", golden("llama3/expected.safetensors"));
    for (size_t i = 0; i < 3; i++) {
        tern_model *m = NULL;
        tern_model_verdict v;
        tern_model_opts o = tern_model_defaults();
        o.weights = TERN_WEIGHTS_F32;
        snprintf(out, sizeof out, "%s/out%zu", test_dir(), i);
        CHECK_OK(tern_model_convert(golden("llama3"), out, types[i], NULL, &e), e);
        CHECK_OK(tern_model_open(out, &o, NULL, &m, &e), e);
        CHECK(tern_model_tokenizer(m) != NULL);
        CHECK_OK(tern_model_verify(m, reference, tolerances[i], &v, &e), e);
        CHECK(v.passed);
        tern_model_close(m);
        CHECK_EQ(tern_model_convert(golden("llama3"), out, types[i], NULL, &e), TERN_ERR_EXISTS);
    }
    char again[512];
    snprintf(again, sizeof again, "%s/again", test_dir());
    CHECK_EQ(tern_model_convert(out, again, TERN_MODEL_BF16, NULL, &e), TERN_ERR_UNSUPPORTED);
}

TEST_MAIN
