/* lm_run_fixture.h - small tokenizers, texts and runs for the tests of language-model training. */
#ifndef TN_TEST_LM_RUN_FIXTURE_H
#define TN_TEST_LM_RUN_FIXTURE_H
#include "tests/tokenizer_fixture.h"
#include "trainer/lm/run.h"

#define BERT(head)                                                                                 \
    "{\"model_type\":\"bert\",\"architectures\":[\"Bert" head "\"],\"hidden_size\":32,"            \
    "\"intermediate_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                  \
    "\"max_position_embeddings\":48,\"type_vocab_size\":2,\"hidden_act\":\"gelu\","                \
    "\"layer_norm_eps\":1e-12,\"initializer_range\":0.1}"
#define LLAMA                                                                                      \
    "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":32,"       \
    "\"intermediate_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                  \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,"              \
    "\"rope_theta\":10000.0,\"hidden_act\":\"silu\",\"tie_word_embeddings\":true,"                 \
    "\"initializer_range\":0.1}"

/* A word-piece folder: 26 words of one letter, 26 of two, and what BERT needs. */
static inline const char *wordpiece(void) {
    static char path[256];
    tn_buf vocab = {0};
    snprintf(path, sizeof path, "%s/wordpiece", test_dir());
    mkdir(path, 0777);
    tn_buf_str(&vocab, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (int i = 0; i < 26; i++) tn_buf_printf(&vocab, "%c\n", 'a' + i);
    for (int i = 0; i < 26; i++) tn_buf_printf(&vocab, "%c%c\n", 'a' + i, 'z' - i);
    tn_buf_str(&vocab, "##s\n");
    fixture_write("wordpiece/vocab.txt", vocab.data, vocab.len);
    tn_buf_deinit(&vocab);
    static const char config[] = "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true}";
    fixture_write("wordpiece/tokenizer_config.json", config, strlen(config));
    return path;
}

/* A byte-level folder with the marks of chatml; its end token is <|im_end|>. */
static inline const char *bytelevel(void) {
    static char path[256];
    static const char config[] = "{\"eos_token\":\"<|im_end|>\"}";
    char *golden = fixture_golden("bpe.json");
    tn_buf json = {0};
    tern_error e = {0};
    json_t *model;
    CHECK_OK(tn_json_parse(golden, strlen(golden), &model, &e), e);
    size_t n = json_object_size(json_object_get(model, "vocab"));
    json_decref(model);
    tn_buf_printf(&json, "{\"model\":{\"type\":\"BPE\",%s,\"added_tokens\":[", golden + 1);
    for (int i = 0; i < 2; i++)
        tn_buf_printf(&json, "%s{\"id\":%zu,\"content\":\"<|im_%s|>\",\"special\":true}",
                      i ? "," : "", n + (size_t)i, i ? "end" : "start");
    tn_buf_printf(&json, "]%s}", fixture_pre_tokenizers()[0]);
    snprintf(path, sizeof path, "%s/bytelevel", test_dir());
    mkdir(path, 0777);
    fixture_write("bytelevel/tokenizer.json", tn_buf_cstr(&json), json.len);
    fixture_write("bytelevel/tokenizer_config.json", config, strlen(config));
    tn_buf_deinit(&json);
    tern_tokenizer_free_text(golden);
    return path;
}

static inline void write_data(const char *name, tn_buf *b) {
    fixture_write(name, tn_buf_cstr(b), b->len);
    tn_buf_deinit(b);
}

static inline tn_lm_recipe recipe_of(const char *fmt, ...) TERN_PRINTF(1, 2);
static inline tn_lm_recipe recipe_of(const char *fmt, ...) {
    char text[4096];
    tern_error e = {0};
    json_t *o = NULL;
    tn_lm_recipe r = tn_lm_recipe_defaults();
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK_OK(tn_json_parse(text, strlen(text), &o, &e), e);
    CHECK_OK(tn_lm_recipe_read(&r, o, "test", &e), e);
    json_decref(o);
    return r;
}

static inline tern_status run_in(const tn_lm_recipe *r, const char *out, const tern_host *host,
                                 tn_lm_run_result *result, tern_error *e) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), out);
    tn_lm_run_opts o = {.recipe = r, .out = path};
    *e = (tern_error){0};
    return tn_lm_train(&o, host, result, e);
}

#endif
