/* test_lm_model.c - a model's tensors must be those of its config. */
#include "core/base/file.h"
#include "core/lm/model.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *dir(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, TERN_SOURCE_DIR "/tests/golden/lm/%s", name);
    return path;
}

/* Tensors of the folder `name` as the model of `config_of`. */
static tern_status load(const char *name, const char *config_of, const char *without,
                        const char *renamed, const char *new_name, tern_error *e) {
    static tern_st_tensor tensors[128];
    tn_lm_config c;
    tn_lm_source *opened = NULL;
    tn_lm *lm = NULL;
    CHECK_OK(tn_lm_config_load(dir(config_of), &c, e), *e);
    CHECK_OK(tn_lm_source_open(dir(name), &opened, e), *e);
    tn_lm_source some = {.path = "model", .tensors = tensors};
    for (size_t i = 0; i < tn_lm_source_size(opened); i++) {
        tern_st_tensor t = *tn_lm_source_at(opened, i);
        if (without && strcmp(t.name, without) == 0) continue;
        if (renamed && strcmp(t.name, renamed) == 0) t.name = new_name;
        tensors[some.n++] = t;
    }
    tern_status s = tn_lm_load_take(&c, &some, TN_WEIGHT_F32, NULL, NULL, &lm, e);
    tn_lm_free(lm);
    tn_lm_source_free(opened);
    return s;
}

TEST(a_missing_tensor_is_named) {
    tern_error e;
    CHECK_EQ(load("llama3", "llama3", "model.layers.1.mlp.up_proj.weight", NULL, NULL, &e),
             TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "'model.layers.1.mlp.up_proj.weight' is missing");
    CHECK_EQ(load("llama3", "llama3", "model.embed_tokens.weight", NULL, NULL, &e),
             TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "embed_tokens");
    CHECK_EQ(load("llama3", "llama3", "lm_head.weight", NULL, NULL, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "lm_head.weight");
}

TEST(an_unexpected_tensor_is_named) {
    tern_error e;
    CHECK_EQ(load("qwen3", "qwen3", NULL, "model.norm.weight", "model.layers.7.mlp.bias", &e),
             TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "model.norm.weight");
    CHECK_EQ(load("llama3", "mistral", NULL, NULL, NULL, &e), TERN_ERR_SHAPE);
}

TEST(a_wrong_shape_is_told_beside_the_right_one) {
    tern_error e;
    CHECK_EQ(load("llama3", "qwen3", NULL, NULL, NULL, &e), TERN_ERR_SHAPE);
    CHECK_HAS(e.text, "the config says");
    CHECK_HAS(e.text, "'model.");
}

TEST(names_of_older_files_and_other_prefixes_are_known) {
    tern_error e;
    CHECK_OK(load("bert-masked", "bert-masked", NULL, "bert.embeddings.LayerNorm.weight",
                  "bert.embeddings.LayerNorm.gamma", &e),
             e);
    CHECK_OK(load("llama3", "llama3", NULL, NULL, NULL, &e), e);
}

static bool at_once(void *ud) {
    (void)ud;
    return true;
}

TEST(loading_can_be_cancelled) {
    tern_error e;
    tn_lm_config c;
    tn_lm_source *source = NULL;
    tn_lm *lm = NULL;
    tern_host host = {.cancelled = at_once};
    CHECK_OK(tn_lm_config_load(dir("llama3"), &c, &e), e);
    CHECK_OK(tn_lm_source_open(dir("llama3"), &source, &e), e);
    CHECK_EQ(tn_lm_load_take(&c, source, TN_WEIGHT_F32, NULL, &host, &lm, &e), TERN_ERR_CANCELLED);
    tn_lm_source_free(source);
}

TEST_MAIN
