/* model_folder.h - small models with random weights in Hugging Face folders, for tests of what is
 * built on models: an encoder that embeds, a cross-encoder, a decoder that writes. Every ASCII text
 * has tokens in them. */
#ifndef TN_MODEL_FOLDER_H
#define TN_MODEL_FOLDER_H
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "tern/safetensors.h"
#include "tests/test.h"

#include "core/base/mem.h"

typedef enum model_kind { MODEL_ENCODER, MODEL_CROSS_ENCODER, MODEL_DECODER } model_kind;

enum { MODEL_HIDDEN = 16, MODEL_LAYERS = 2, MODEL_POSITIONS = 256, MODEL_TENSORS_MAX = 64 };

typedef struct model_tensors {
    tern_st_tensor list[MODEL_TENSORS_MAX];
    char names[MODEL_TENSORS_MAX][128];
    size_t n;
    tn_rng rng;
} model_tensors;

/* [rows, cols], or [rows] when cols is 0: normal with this deviation, around `mean`. */
static inline void model_add(model_tensors *t, const char *name, int64_t rows, int64_t cols,
                             double mean, double deviation) {
    CHECK(t->n < MODEL_TENSORS_MAX);
    size_t n = (size_t)(rows * (cols ? cols : 1));
    float *data = tn_realloc(NULL, n, sizeof *data);
    CHECK(data != NULL);
    for (size_t i = 0; i < n; i++) data[i] = (float)(mean + deviation * tn_rng_normal(&t->rng));
    snprintf(t->names[t->n], sizeof t->names[0], "%s", name);
    t->list[t->n] = (tern_st_tensor){.name = t->names[t->n],
                                     .dtype = TERN_ST_F32,
                                     .n_dims = cols ? 2 : 1,
                                     .dims = {rows, cols},
                                     .data = data};
    t->n++;
}

static inline void model_linear(model_tensors *t, const char *name, int64_t out, int64_t in,
                                bool bias) {
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    model_add(t, full, out, in, 0, 0.2);
    snprintf(full, sizeof full, "%s.bias", name);
    if (bias) model_add(t, full, out, 0, 0, 0.02);
}

static inline void model_norm(model_tensors *t, const char *name, bool bias) {
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    model_add(t, full, MODEL_HIDDEN, 0, 1, 0.02);
    snprintf(full, sizeof full, "%s.bias", name);
    if (bias) model_add(t, full, MODEL_HIDDEN, 0, 0, 0.02);
}

static inline void model_put(const char *dir, const char *name, const char *text, size_t len) {
    tern_error e = {0};
    char *path = tn_path_join(dir, name);
    CHECK_OK(tn_file_replace(path, text, len, &e), e);
    tn_free(path);
}

/* WordPiece over single characters: any ASCII word is its letters. Returns the vocabulary's size.
 */
static inline int64_t model_wordpiece(const char *dir) {
    tn_buf b = {0};
    int64_t n = 5;
    tn_buf_str(&b, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (char c = '!'; c <= '~'; c++) {
        if (c >= 'A' && c <= 'Z') continue;
        tn_buf_printf(&b, "%c\n##%c\n", c, c);
        n += 2;
    }
    model_put(dir, "vocab.txt", b.data, b.len);
    tn_buf_deinit(&b);
    const char *config = "{\"tokenizer_class\":\"BertTokenizer\",\"do_lower_case\":true}";
    model_put(dir, "tokenizer_config.json", config, strlen(config));
    return n;
}

/* Byte-level BPE without merges: a token is a byte, written as GPT-2 writes bytes. */
static inline int64_t model_bytes(const char *dir) {
    tn_buf b = {0};
    uint32_t spare = 256;
    tn_buf_char(&b, '{');
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        char utf8[4];
        size_t n = tn_utf8_encode(printable ? byte : spare++, utf8);
        tn_buf_printf(&b, "%s\"", byte ? "," : "");
        if (byte == '"' || byte == '\\') tn_buf_char(&b, '\\');
        tn_buf_add(&b, utf8, n);
        tn_buf_printf(&b, "\":%u", byte);
    }
    tn_buf_str(&b, ",\"<|endoftext|>\":256}");
    model_put(dir, "vocab.json", b.data, b.len);
    tn_buf_deinit(&b);
    model_put(dir, "merges.txt", "#version: 0.2\n", 14);
    const char *config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"<|endoftext|>\"}";
    model_put(dir, "tokenizer_config.json", config, strlen(config));
    return 257;
}

static inline void model_bert(model_tensors *t, const char *dir, bool pairs) {
    const char *p = pairs ? "bert." : "";
    int64_t vocab = model_wordpiece(dir), h = MODEL_HIDDEN;
    tn_buf config = {0};
    char name[96];
    tn_buf_printf(&config,
                  "{\"architectures\":[\"%s\"],\"model_type\":\"bert\",\"hidden_size\":%d,"
                  "\"num_hidden_layers\":%d,\"num_attention_heads\":2,\"intermediate_size\":%d,"
                  "\"hidden_act\":\"gelu\",\"vocab_size\":%lld,\"max_position_embeddings\":%d,"
                  "\"type_vocab_size\":2,\"layer_norm_eps\":1e-12,\"pad_token_id\":0%s}",
                  pairs ? "BertForSequenceClassification" : "BertModel", MODEL_HIDDEN, MODEL_LAYERS,
                  2 * MODEL_HIDDEN, (long long)vocab, MODEL_POSITIONS,
                  pairs ? ",\"id2label\":{\"0\":\"LABEL_0\"}" : "");
    model_put(dir, "config.json", config.data, config.len);
    tn_buf_deinit(&config);
#define MODEL_NAME(...) (snprintf(name, sizeof name, __VA_ARGS__), name)
    model_add(t, MODEL_NAME("%sembeddings.word_embeddings.weight", p), vocab, h, 0, 1);
    model_add(t, MODEL_NAME("%sembeddings.position_embeddings.weight", p), MODEL_POSITIONS, h, 0,
              .02);
    model_add(t, MODEL_NAME("%sembeddings.token_type_embeddings.weight", p), 2, h, 0, .02);
    model_norm(t, MODEL_NAME("%sembeddings.LayerNorm", p), true);
    for (int i = 0; i < MODEL_LAYERS; i++) {
        static const char *const square[] = {"attention.self.query", "attention.self.key",
                                             "attention.self.value", "attention.output.dense"};
        for (int k = 0; k < 4; k++)
            model_linear(t, MODEL_NAME("%sencoder.layer.%d.%s", p, i, square[k]), h, h, true);
        model_norm(t, MODEL_NAME("%sencoder.layer.%d.attention.output.LayerNorm", p, i), true);
        model_linear(t, MODEL_NAME("%sencoder.layer.%d.intermediate.dense", p, i), 2 * h, h, true);
        model_linear(t, MODEL_NAME("%sencoder.layer.%d.output.dense", p, i), h, 2 * h, true);
        model_norm(t, MODEL_NAME("%sencoder.layer.%d.output.LayerNorm", p, i), true);
    }
    model_linear(t, MODEL_NAME("%spooler.dense", p), h, h, true);
    if (pairs) model_linear(t, "classifier", 1, h, true);
}

static inline void model_llama(model_tensors *t, const char *dir) {
    int64_t vocab = model_bytes(dir), h = MODEL_HIDDEN;
    tn_buf config = {0};
    char name[96];
    tn_buf_printf(&config,
                  "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\","
                  "\"hidden_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":2,"
                  "\"num_key_value_heads\":1,\"intermediate_size\":%d,\"hidden_act\":\"silu\","
                  "\"vocab_size\":%lld,\"max_position_embeddings\":8192,\"rms_norm_eps\":1e-5,"
                  "\"rope_theta\":10000.0,\"tie_word_embeddings\":true,\"bos_token_id\":256,"
                  "\"eos_token_id\":256}",
                  MODEL_HIDDEN, MODEL_LAYERS, 2 * MODEL_HIDDEN, (long long)vocab);
    model_put(dir, "config.json", config.data, config.len);
    tn_buf_deinit(&config);
    model_add(t, "model.embed_tokens.weight", vocab, h, 0, 0.5);
    for (int i = 0; i < MODEL_LAYERS; i++) {
        model_norm(t, MODEL_NAME("model.layers.%d.input_layernorm", i), false);
        model_linear(t, MODEL_NAME("model.layers.%d.self_attn.q_proj", i), h, h, false);
        model_linear(t, MODEL_NAME("model.layers.%d.self_attn.k_proj", i), h / 2, h, false);
        model_linear(t, MODEL_NAME("model.layers.%d.self_attn.v_proj", i), h / 2, h, false);
        model_linear(t, MODEL_NAME("model.layers.%d.self_attn.o_proj", i), h, h, false);
        model_norm(t, MODEL_NAME("model.layers.%d.post_attention_layernorm", i), false);
        model_linear(t, MODEL_NAME("model.layers.%d.mlp.gate_proj", i), 2 * h, h, false);
        model_linear(t, MODEL_NAME("model.layers.%d.mlp.up_proj", i), 2 * h, h, false);
        model_linear(t, MODEL_NAME("model.layers.%d.mlp.down_proj", i), h, 2 * h, false);
    }
#undef MODEL_NAME
    model_norm(t, "model.norm", false);
}

/* Make a folder `name` in the test's folder; two seeds are two models. */
static inline const char *model_folder(const char *name, model_kind kind, uint64_t seed) {
    static char paths[8][256];
    static int n_paths;
    static model_tensors t;
    char *dir = paths[n_paths++ % 8];
    tern_error e = {0};
    snprintf(dir, sizeof paths[0], "%s/%s", test_dir(), name);
    CHECK_OK(tn_mkdirs(dir, &e), e);
    t = (model_tensors){.rng = tn_rng_init(seed, 0)};
    if (kind == MODEL_DECODER)
        model_llama(&t, dir);
    else
        model_bert(&t, dir, kind == MODEL_CROSS_ENCODER);
    char *path = tn_path_join(dir, "model.safetensors");
    CHECK_OK(tern_st_save(path, t.list, t.n, NULL, 0, &e), e);
    tn_free(path);
    for (size_t i = 0; i < t.n; i++) tn_free((void *)(uintptr_t)t.list[i].data);
    return dir;
}

#endif
