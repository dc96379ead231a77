/* test_lm_config.c - what a config.json may say, and what is refused by name. */
#include "core/lm/weights.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_status parse(const char *json, tn_lm_config *c, tern_error *e) {
    e->text[0] = '\0';
    return tn_lm_config_parse(json, strlen(json), "config.json", c, e);
}

static void refused(const char *json, tern_status want, const char *part) {
    tn_lm_config c;
    tern_error e;
    CHECK_EQ(parse(json, &c, &e), want);
    CHECK_HAS(e.text, "config.json");
    CHECK_HAS(e.text, part);
}

#define SMALL                                                                                      \
    "\"hidden_size\":64,\"num_attention_heads\":4,\"num_hidden_layers\":6,\"vocab_size\":100,"     \
    "\"num_key_value_heads\":2"

TEST(fields_left_out_have_the_defaults_of_the_family) {
    tn_lm_config c;
    tern_error e;
    CHECK_OK(parse("{\"model_type\":\"llama\"}", &c, &e), e);
    CHECK_EQ(c.hidden, 4096);
    CHECK_EQ(c.n_kv_heads, 32);
    CHECK_EQ(c.head_dim, 128);
    CHECK_EQ(c.head, TN_LM_HEAD_CAUSAL);
    CHECK(!c.tied && !c.qkv_bias);
    CHECK_OK(parse("{\"model_type\":\"mistral\"}", &c, &e), e);
    CHECK_EQ(c.window, 4096);
    CHECK_EQ(c.n_kv_heads, 8);
    CHECK_OK(parse("{\"model_type\":\"mistral\",\"sliding_window\":null}", &c, &e), e);
    CHECK_EQ(c.window, 0);
    CHECK_OK(parse("{\"model_type\":\"gemma3_text\"}", &c, &e), e);
    CHECK(c.tied && c.qk_norm && c.post_norms);
    CHECK_EQ(c.head_dim, 256);
    CHECK(c.sliding[0] && c.sliding[4] && !c.sliding[5] && c.sliding[6]);
    CHECK_OK(parse("{\"model_type\":\"bert\"}", &c, &e), e);
    CHECK_EQ(c.head, TN_LM_HEAD_NONE);
    CHECK_NEAR(c.norm_eps, 1e-12, 1e-18);
    CHECK_OK(parse("{\"model_type\":\"xlm-roberta\",\"pad_token_id\":1}", &c, &e), e);
    CHECK_EQ(c.position_offset, 2);
    CHECK_EQ(tn_lm_context(&c), 510);
}

TEST(windows_follow_the_family_or_the_list_of_layer_types) {
    tn_lm_config c;
    tern_error e;
    CHECK_OK(parse("{\"model_type\":\"qwen2\"," SMALL ",\"use_sliding_window\":true,"
                   "\"sliding_window\":8,\"max_window_layers\":4}",
                   &c, &e),
             e);
    CHECK(!c.sliding[3] && c.sliding[4] && c.sliding[5]);
    CHECK_OK(parse("{\"model_type\":\"qwen3\"," SMALL ",\"sliding_window\":8}", &c, &e), e);
    CHECK(c.window == 0 && !c.sliding[5]);
    CHECK_OK(parse("{\"model_type\":\"gemma3_text\"," SMALL ",\"layer_types\":"
                   "[\"full_attention\",\"sliding_attention\",\"full_attention\","
                   "\"full_attention\",\"full_attention\",\"full_attention\"]}",
                   &c, &e),
             e);
    CHECK(!c.sliding[0] && c.sliding[1] && !c.sliding[2]);
    refused("{\"model_type\":\"gemma3_text\"," SMALL ",\"layer_types\":[\"full_attention\"]}",
            TERN_ERR_FORMAT, "layer_types");
}

TEST(rotary_scaling_is_read_in_both_spellings) {
    tn_lm_config c;
    tern_error e;
    const char *llama3 = "{\"model_type\":\"llama\",\"rope_theta\":500000,\"rope_scaling\":{"
                         "\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
                         "\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}}";
    CHECK_OK(parse(llama3, &c, &e), e);
    float f[64];
    tn_lm_rope_frequencies(&c.rope, 128, f);
    CHECK_NEAR(f[0], 1, 1e-7);
    CHECK_NEAR(f[63], pow(500000, -126.0 / 128) / 8, 1e-10);
    CHECK_OK(parse("{\"model_type\":\"llama\",\"rope_parameters\":{\"rope_type\":\"linear\","
                   "\"factor\":4,\"rope_theta\":100}}",
                   &c, &e),
             e);
    CHECK(c.rope.kind == TN_LM_ROPE_LINEAR && c.rope.theta == 100);
    CHECK_OK(parse("{\"model_type\":\"gemma3_text\",\"rope_parameters\":{\"full_attention\":{"
                   "\"rope_type\":\"linear\",\"factor\":8,\"rope_theta\":1e6},"
                   "\"sliding_attention\":{\"rope_type\":\"default\",\"rope_theta\":5000}}}",
                   &c, &e),
             e);
    CHECK(c.rope.factor == 8 && c.rope_local.theta == 5000);
    CHECK_EQ(c.rope_local.kind, TN_LM_ROPE_PLAIN);
}

TEST(what_would_change_the_numbers_is_refused_by_name) {
    refused("{\"model_type\":\"mamba\"}", TERN_ERR_UNSUPPORTED, "llama, mistral, qwen2");
    refused("{}", TERN_ERR_FORMAT, "model_type");
    refused("{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}}",
            TERN_ERR_UNSUPPORTED, "yarn");
    refused("{\"model_type\":\"llama\",\"hidden_act\":\"quick_gelu\"}", TERN_ERR_UNSUPPORTED,
            "quick_gelu");
    refused("{\"model_type\":\"llama\",\"quantization_config\":{\"bits\":4}}", TERN_ERR_UNSUPPORTED,
            "quantization_config");
    refused("{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5}", TERN_ERR_UNSUPPORTED,
            "partial_rotary_factor");
    refused("{\"model_type\":\"qwen2\",\"is_causal\":false}", TERN_ERR_UNSUPPORTED, "is_causal");
    refused("{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}",
            TERN_ERR_UNSUPPORTED, "relative_key");
    refused("{\"model_type\":\"bert\",\"is_decoder\":true}", TERN_ERR_UNSUPPORTED, "is_decoder");
    refused("{\"model_type\":\"bert\",\"architectures\":[\"BertForQuestionAnswering\"]}",
            TERN_ERR_UNSUPPORTED, "BertForQuestionAnswering");
    refused("{\"model_type\":\"bert\",\"architectures\":[\"BertForCausalLM\"]}",
            TERN_ERR_UNSUPPORTED, "BertForCausalLM");
}

TEST(malformed_fields_are_refused_by_name) {
    refused("{\"model_type\":\"llama\"", TERN_ERR_FORMAT, "");
    refused("[1]", TERN_ERR_FORMAT, "object");
    refused("{\"model_type\":7}", TERN_ERR_FORMAT, "model_type");
    refused("{\"model_type\":\"llama\",\"hidden_size\":\"64\"}", TERN_ERR_FORMAT, "hidden_size");
    refused("{\"model_type\":\"llama\",\"num_hidden_layers\":-1}", TERN_ERR_FORMAT,
            "num_hidden_layers");
    refused("{\"model_type\":\"llama\",\"num_attention_heads\":0}", TERN_ERR_FORMAT,
            "num_attention_heads");
    refused("{\"model_type\":\"llama\",\"num_attention_heads\":6,\"num_key_value_heads\":4}",
            TERN_ERR_FORMAT, "num_key_value_heads");
    refused("{\"model_type\":\"llama\",\"head_dim\":7}", TERN_ERR_UNSUPPORTED, "head_dim");
    refused("{\"model_type\":\"bert\",\"hidden_size\":10,\"num_attention_heads\":4}",
            TERN_ERR_FORMAT, "hidden_size");
    refused("{\"model_type\":\"llama\",\"rms_norm_eps\":true}", TERN_ERR_FORMAT, "rms_norm_eps");
    refused("{\"model_type\":\"llama\",\"eos_token_id\":[1,\"x\"]}", TERN_ERR_FORMAT,
            "eos_token_id");
    refused("{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8}}",
            TERN_ERR_FORMAT, "original_max_position_embeddings");
}

TEST(the_table_lists_what_the_switches_ask_for) {
    tn_lm_config c;
    tern_error e;
    static tn_lm_param p[400];
    CHECK_OK(parse("{\"model_type\":\"qwen2\"," SMALL ",\"intermediate_size\":80,"
                   "\"tie_word_embeddings\":true}",
                   &c, &e),
             e);
    size_t n = tn_lm_params(&c, p);
    CHECK_EQ(n, 1 + 6 * 12 + 1); /* embedding; 7 matrices, 3 biases, 2 norms a layer; last norm */
    CHECK_STR(p[0].name, "embed_tokens.weight");
    CHECK_STR(p[1].name, "layers.0.input_layernorm.weight");
    CHECK_STR(p[n - 2].name, "layers.5.mlp.down_proj.weight");
    CHECK_EQ(p[3].rows, 32); /* keys: 2 heads of 16 */
    CHECK_EQ(p[3].cols, 64);
    CHECK_EQ(tn_lm_param_count(&c),
             100 * 64 + 6 * (64 * 64 * 2 + 2 * 32 * 64 + 64 + 64 + 3 * 64 * 80 + 2 * 64) + 64);
}

TEST_MAIN
