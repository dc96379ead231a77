/* test_lm_run.c - runs from recipe to model folder: every task learns, nothing but the recipe
 * decides the losses, and what goes wrong is said. */
#include "core/lm/model.h"
#include "tests/unit/lm_run_fixture.h"
#include <math.h>

#include "core/base/mem.h"

/* ---- small tasks that can be learned ---- */

/* Sentences in which each word decides the next. */
static void write_chain(const char *name, int n) {
    tn_buf b = {0};
    for (int i = 0; i < n; i++) {
        int at = i * 7 % 26;
        tn_buf_str(&b, "{\"text\":\"");
        for (int k = 0; k < 12; k++, at = (at * 3 + 5) % 26)
            tn_buf_printf(&b, "%s%c", k ? " " : "", 'a' + at);
        tn_buf_str(&b, "\"}\n");
    }
    write_data(name, &b);
}

/* Text of first or second half of the alphabet; label: as a class, a number, words of tags. */
static void write_halves(const char *name, const char *kind, int n) {
    tn_buf b = {0};
    for (int i = 0; i < n; i++) {
        int half = i % 2;
        tn_buf words = {0}, list = {0}, tags = {0};
        for (int k = 0; k < 6; k++) {
            char c = (char)('a' + 13 * half + (i * 5 + k * 3) % 13);
            tn_buf_printf(&words, "%s%c", k ? " " : "", c);
            tn_buf_printf(&list, "%s\"%c\"", k ? "," : "", c);
            tn_buf_printf(&tags, "%s\"%s\"", k ? "," : "", c % 2 ? "odd" : "even");
        }
        if (strcmp(kind, "class") == 0)
            tn_buf_printf(&b, "{\"text\":\"%s\",\"label\":\"%s\"}\n", tn_buf_cstr(&words),
                          half ? "late" : "early");
        else if (strcmp(kind, "number") == 0)
            tn_buf_printf(&b, "{\"query\":\"%s\",\"passage\":\"x\",\"label\":%d}\n",
                          tn_buf_cstr(&words), half);
        else if (strcmp(kind, "tags") == 0)
            tn_buf_printf(&b, "{\"words\":[%s],\"labels\":[%s]}\n", tn_buf_cstr(&list),
                          tn_buf_cstr(&tags));
        tn_buf_deinit(&words);
        tn_buf_deinit(&list);
        tn_buf_deinit(&tags);
    }
    write_data(name, &b);
}

/* A query is a letter, its passage the pair of letters that begins with it. */
static void write_letter_pairs(const char *name) {
    tn_buf b = {0};
    for (int i = 0; i < 26; i++) {
        int j = (i + 5) % 26;
        tn_buf_printf(&b, "{\"query\":\"%c\",\"positive\":\"%c%c\",\"negatives\":[\"%c%c\"]}\n",
                      'a' + i, 'a' + i, 'z' - i, 'a' + j, 'z' - j);
    }
    write_data(name, &b);
}

static void write_talk(const char *name) {
    tn_buf b = {0};
    for (int i = 0; i < 10; i++)
        tn_buf_printf(&b,
                      "{\"messages\":[{\"role\":\"user\",\"content\":\"%d\"},{\"role\":"
                      "\"assistant\",\"content\":\"%d\"}]}\n",
                      i, (i + 1) % 10);
    write_data(name, &b);
}

static tn_lm_run_result learn(tn_lm_recipe r, const char *out) {
    tern_error e;
    tn_lm_run_result x;
    CHECK_OK(run_in(&r, out, NULL, &x, &e), e);
    tn_lm_recipe_deinit(&r);
    return x;
}

/* The folder loads as a model of the inference engine. */
static void check_model(const char *out) {
    char dir[256];
    tern_error e = {0};
    tn_lm_config c;
    tn_lm_source *source;
    tn_lm *lm;
    snprintf(dir, sizeof dir, "%s/%s/model", test_dir(), out);
    CHECK_OK(tn_lm_config_load(dir, &c, &e), e);
    CHECK_OK(tn_lm_source_open(dir, &source, &e), e);
    CHECK_OK(tn_lm_load_take(&c, source, TN_WEIGHT_F32, NULL, NULL, &lm, &e), e);
    tn_lm_free(lm);
    tern_tokenizer *t;
    CHECK_OK(tern_tokenizer_open(dir, &t, &e), e);
    tern_tokenizer_close(t);
}

#define COMMON "\"tokenizer\":\"%s\",\"data\":\"%s\",\"lr\":0.01,\"held_out\":8,\"log_every\":10,"

static const char *data(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

TEST(pretraining_learns_the_chain) {
    write_chain("chain", 60);
    tn_lm_run_result x = learn(recipe_of("{\"task\":\"pretrain\",\"model\":" LLAMA "," COMMON
                                         "\"context\":24,\"batch\":4,\"steps\":60}",
                                         bytelevel(), data("chain")),
                               "pretrain");
    CHECK(x.valid_first > 4);
    CHECK(x.valid < 1.2);
    check_model("pretrain");
}

TEST(fine_tuning_learns_the_replies) {
    write_talk("talk");
    tn_lm_run_result x = learn(recipe_of("{\"task\":\"sft\",\"chat\":\"chatml\",\"model\":" LLAMA
                                         ",\"tokenizer\":\"%s\",\"data\":\"%s\",\"lr\":0.01,"
                                         "\"context\":64,\"batch\":5,\"steps\":80}",
                                         bytelevel(), data("talk")),
                               "sft");
    CHECK(x.loss < 0.3);
    check_model("sft");
}

TEST(masked_training_learns_the_chain) {
    write_chain("masked", 60);
    tn_lm_run_result x =
        learn(recipe_of("{\"task\":\"mlm\",\"model\":" BERT(
                            "ForMaskedLM") "," COMMON "\"context\":16,\"batch\":8,\"steps\":150}",
                        wordpiece(), data("masked")),
              "mlm");
    CHECK(x.valid < 0.6 * x.valid_first);
    check_model("mlm");
}

TEST(contrastive_training_finds_the_passages) {
    write_letter_pairs("pairs.jsonl");
    tn_lm_run_result x = learn(
        recipe_of(
            "{\"task\":\"contrastive\",\"model\":" BERT(
                "Model") ",\"tokenizer\":\"%s\",\"data\":\"%s\",\"validation\":\"%s\",\"lr\":0.005,"
                         "\"context\":8,\"batch\":13,\"negatives\":1,\"steps\":60}",
            wordpiece(), data("pairs.jsonl"), data("pairs.jsonl")),
        "pairs");
    CHECK(x.valid < 0.3 * x.valid_first);
    check_model("pairs");
    CHECK(tn_file_exists(data("pairs/model/1_Pooling/config.json")));
}

TEST(classifiers_of_texts_learn_classes_and_numbers) {
    static const char *const losses[] = {"cross_entropy", "bce", "mse"};
    for (int i = 0; i < 3; i++) {
        char out[32];
        snprintf(out, sizeof out, "classify%d", i);
        write_halves("halves", i ? "number" : "class", 60);
        tn_lm_run_result x =
            learn(recipe_of("{\"task\":\"classify\",\"loss\":\"%s\",%s\"model\":" BERT(
                                "Model") "," COMMON "\"context\":16,\"batch\":8,\"steps\":40}",
                            losses[i], i ? "" : "\"labels\":[\"early\",\"late\"],", wordpiece(),
                            data("halves")),
                  out);
        CHECK(x.valid < 0.2 * x.valid_first);
        if (i == 0) CHECK_NEAR(x.accuracy, 1, 0);
        check_model(out);
    }
}

TEST(classifiers_of_tokens_learn_the_tags) {
    write_halves("tags", "tags", 60);
    tn_lm_run_result x =
        learn(recipe_of("{\"task\":\"tag\",\"labels\":[\"even\",\"odd\"],\"model\":" BERT(
                            "ForTokenClassification") "," COMMON
                                                      "\"context\":16,\"batch\":8,\"steps\":60}",
                        wordpiece(), data("tags")),
              "tags_run");
    CHECK_NEAR(x.accuracy, 1, 0.02);
    check_model("tags_run");
}

/* ---- what decides the losses ---- */

/* The values of a tag in a run's metrics, in order. */
static size_t losses_of(const char *out, const char *tag, double *y, size_t cap) {
    char path[256], key[64];
    tn_buf text = {0};
    tern_error e = {0};
    size_t n = 0;
    snprintf(path, sizeof path, "%s/%s/metrics.jsonl", test_dir(), out);
    snprintf(key, sizeof key, "\"%s\":", tag);
    CHECK_OK(tn_file_read(path, 1 << 20, &text, &e), e);
    for (const char *p = tn_buf_cstr(&text); (p = strstr(p, key)) && n < cap; p++)
        y[n++] = strtod(p + strlen(key), NULL);
    tn_buf_deinit(&text);
    return n;
}

static void check_same_losses(const char *a, const char *b) {
    static const char *const tags[] = {"train/loss", "valid/loss", "train/grad_norm"};
    double x[64], y[64];
    for (int t = 0; t < 3; t++) {
        size_t n = losses_of(a, tags[t], x, 64);
        CHECK(n > 1);
        CHECK_EQ(losses_of(b, tags[t], y, 64), n);
        for (size_t i = 0; i < n; i++) CHECK(x[i] == y[i]);
    }
}

static tn_lm_recipe short_run(void) {
    return recipe_of("{\"task\":\"pretrain\",\"model\":" LLAMA
                     ",\"tokenizer\":\"%s\",\"data\":\"%s\",\"held_out\":4,\"context\":24,"
                     "\"batch\":3,\"accumulate\":2,\"steps\":12,\"validate_every\":5,"
                     "\"checkpoint_every\":4}",
                     bytelevel(), data("chain"));
}

TEST(any_number_of_threads_gives_the_same_losses) {
    write_chain("chain", 60);
    for (int n = 1; n <= 3; n++) {
        char out[32];
        tern_host host = {.n_threads = n};
        tn_lm_recipe r = short_run();
        tn_lm_run_result x;
        tern_error e;
        snprintf(out, sizeof out, "threads%d", n);
        CHECK_OK(run_in(&r, out, &host, &x, &e), e);
        tn_lm_recipe_deinit(&r);
        if (n > 1) check_same_losses("threads1", out);
    }
}

typedef struct patience {
    int left;
} patience;

static bool impatient(void *ud) {
    patience *p = ud;
    return p->left-- <= 0;
}

TEST(a_run_stopped_again_and_again_has_the_losses_of_one_that_was_not) {
    write_chain("chain", 60);
    tn_lm_recipe r = short_run();
    tn_lm_run_result x;
    tern_error e;
    CHECK_OK(run_in(&r, "whole", NULL, &x, &e), e);
    tern_status st = TERN_ERR_CANCELLED;
    int n_stops = 0;
    for (; st == TERN_ERR_CANCELLED && n_stops < 20; n_stops++) {
        patience p = {.left = 3};
        tern_host host = {.cancelled = impatient, .ud = &p, .n_threads = 1};
        st = run_in(&r, "parts", &host, &x, &e);
        if (st == TERN_ERR_CANCELLED) CHECK_HAS(e.text, "the same command goes on");
    }
    CHECK_OK(st, e);
    CHECK(n_stops > 2);
    check_same_losses("whole", "parts");
    CHECK_OK(run_in(&r, "parts", NULL, &x, &e), e); /* a finished run has nothing to do */
    CHECK_EQ(x.tokens, 0);
    check_same_losses("whole", "parts");
    r.lr = 1e-4;
    CHECK_EQ(run_in(&r, "parts", NULL, &x, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "holds another run");
    tn_lm_recipe_deinit(&r);
}

TEST(accumulated_batches_are_one_large_batch) {
    write_chain("chain", 60);
    tn_lm_recipe r = short_run();
    tn_lm_run_result x;
    tern_error e;
    double a[64], b[64];
    CHECK_OK(run_in(&r, "small", NULL, &x, &e), e);
    r.batch = 6;
    r.accumulate = 1;
    CHECK_OK(run_in(&r, "large", NULL, &x, &e), e);
    size_t n = losses_of("small", "train/loss", a, 64);
    CHECK_EQ(losses_of("large", "train/loss", b, 64), n);
    for (size_t i = 0; i < n; i++) CHECK_NEAR(a[i], b[i], 1e-4);
    tn_lm_recipe_deinit(&r);
}

TEST(recomputing_layers_changes_no_loss) {
    write_chain("chain", 60);
    tn_lm_recipe r = short_run();
    tn_lm_run_result x;
    tern_error e;
    CHECK_OK(run_in(&r, "kept", NULL, &x, &e), e);
    r.recompute = true;
    CHECK_OK(run_in(&r, "recomputed", NULL, &x, &e), e);
    check_same_losses("kept", "recomputed");
    tn_lm_recipe_deinit(&r);
}

/* ---- what goes wrong ---- */

TEST(a_loss_that_is_not_finite_stops_the_run_and_saves_the_batch) {
    write_chain("chain", 60);
    tn_lm_recipe r = short_run();
    tn_lm_run_result x;
    tern_error e = {0};
    CHECK_OK(run_in(&r, "healthy", NULL, &x, &e), e);
    const char *path = data("healthy/model/model.safetensors");
    tn_buf weights = {0};
    CHECK_OK(tn_file_read(path, 1 << 24, &weights, &e), e);
    memset(weights.data + weights.len - 4, 0xff, 4); /* a NaN */
    CHECK_OK(tn_file_replace(path, weights.data, weights.len, &e), e);
    tn_buf_deinit(&weights);
    json_decref(r.config);
    r.config = NULL;
    snprintf(r.model, sizeof r.model, "%s", data("healthy/model"));
    CHECK_EQ(run_in(&r, "sick", NULL, &x, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "step 1: the loss is not finite");
    CHECK_HAS(e.text, "failed_batch.jsonl");
    tn_buf batch = {0};
    CHECK_OK(tn_file_read(data("sick/failed_batch.jsonl"), 1 << 20, &batch, &e), e);
    CHECK_HAS(tn_buf_cstr(&batch), "\"ids\":[");
    tn_buf_deinit(&batch);
    tn_lm_recipe_deinit(&r);
}

static void refused(tn_lm_recipe r, const char *why) {
    tern_error e;
    tn_lm_run_result x;
    CHECK(run_in(&r, "refused", NULL, &x, &e) != TERN_OK);
    CHECK_HAS(e.text, why);
    tn_lm_recipe_deinit(&r);
}

TEST(wrong_input_is_refused_with_what_to_do) {
    write_chain("chain", 60);
    fixture_write("empty", "", 0);
    fixture_write("one", "{\"text\":\"a\"}\n", 13);
    const char *bl = bytelevel(), *wp = wordpiece();
    refused(recipe_of("{\"model\":" LLAMA "}"), "there is no \"task\"");
    refused(recipe_of("{\"task\":\"sing\",\"model\":" LLAMA "}"), "must be one of pretrain");
    refused(recipe_of("{\"task\":\"pretrain\",\"data\":\"x\"}"), "there is no \"model\"");
    refused(recipe_of("{\"task\":\"pretrain\",\"model\":" LLAMA "}"), "there is no \"data\"");
    refused(recipe_of("{\"task\":\"pretrain\",\"data\":\"x\",\"model\":" LLAMA "}"),
            "there is no \"tokenizer\"");
    refused(
        recipe_of("{\"task\":\"pretrain\",\"tokenizer\":\"%s\",\"data\":\"/none\",\"model\":" LLAMA
                  "}",
                  bl),
        "/none");
    refused(recipe_of("{\"task\":\"pretrain\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"model\":" LLAMA
                      "}",
                      bl, data("empty")),
            "there is no text in it");
    refused(
        recipe_of("{\"task\":\"contrastive\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"model\":" LLAMA
                  "}",
                  bl, data("one")),
        "for encoders");
    refused(recipe_of(
                "{\"task\":\"mlm\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"lr\":-1,\"model\":" BERT(
                    "Model") "}",
                wp, data("one")),
            "lr is -1");
    refused(recipe_of("{\"task\":\"pretrain\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"model\":{"
                      "\"model_type\":\"mamba\"}}",
                      bl, data("one")),
            "mamba");
    tern_error e = {0};
    json_t *o = json_pack("{s:i}", "learning_rate", 1);
    tn_lm_recipe r = tn_lm_recipe_defaults();
    CHECK_EQ(tn_lm_recipe_read(&r, o, "my.json", &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "my.json: a recipe has no member \"learning_rate\"; there are task, model");
    json_decref(o);
    tn_lm_recipe_deinit(&r);
}

TEST(one_short_text_is_enough_to_train_on) {
    fixture_write("one", "{\"text\":\"a b\"}\n", 15);
    tn_lm_run_result x = learn(recipe_of("{\"task\":\"pretrain\",\"model\":" LLAMA
                                         ",\"tokenizer\":\"%s\",\"data\":\"%s\",\"steps\":2}",
                                         bytelevel(), data("one")),
                               "short");
    CHECK_EQ(x.step, 2);
}

TEST(a_token_file_of_another_tokenizer_or_task_is_refused) {
    write_chain("chain", 60);
    tn_lm_recipe r = short_run();
    tn_prepared p;
    tern_error e = {0};
    char out[256];
    snprintf(out, sizeof out, "%s/chain.tokens", test_dir());
    CHECK_OK(tn_lm_make_tokens(&r, out, NULL, &p, &e), e);
    tn_lm_recipe_deinit(&r);
    refused(recipe_of("{\"task\":\"sft\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"model\":" LLAMA "}",
                      bytelevel(), out),
            "was made for task \"pretrain\"");
    refused(recipe_of("{\"task\":\"pretrain\",\"tokenizer\":\"%s\",\"data\":\"%s\",\"model\":{"
                      "\"vocab_size\":20,\"eos_token_id\":2,%s}",
                      bytelevel(), out, &LLAMA[1]),
            "do not belong together");
}

TEST_MAIN
