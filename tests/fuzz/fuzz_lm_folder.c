/* A whole tiny model: two bytes with the length of config.json, that many bytes of it, the rest is
 * model.safetensors. Whatever loads must run: a step, a few generated tokens, an encoded text. */
#include "core/graph/safetensors.h"
#include "core/lm/encoder.h"
#include "core/lm/generate.h"

#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARAMS_MAX = 1 << 20, LAYERS_MAX = 8, POSITIONS_MAX = 4096 };

static void write_text(const tn_lm *lm) {
    tern_error e;
    tn_generator *g = NULL;
    tn_generator_opts o = tn_generator_defaults();
    bool busy = true;
    o.max_seqs = 4;
    if (tn_generator_new(lm, NULL, &o, &g, &e) != TERN_OK) return;
    tn_gen_request r = {.prompt = (const int32_t[]){0, 0, 0},
                        .n_prompt = 3,
                        .n_samples = 2,
                        .sample = {.temperature = 1, .top_p = .9f, .top_k = 5},
                        .max_tokens = 4};
    if (tn_generator_add(g, &r, &e) == TERN_OK)
        while (busy && tn_generator_step(g, &busy, &e) == TERN_OK) {
        }
    tn_generator_free(g);
}

static void read_text(const tn_lm *lm) {
    tern_error e;
    tn_lm_encoder *encoder = NULL;
    const int32_t begin[] = {0, 2, 3}, tokens[] = {0, 0, 0};
    tn_lm_texts texts = {.tokens = tokens, .seq_begin = begin, .n_seqs = 2};
    float *hidden = tn_alloc(3 * lm->config.hidden * sizeof *hidden);
    if (hidden && tn_lm_encoder_new(lm, NULL, &encoder, &e) == TERN_OK) {
        tern_status s = tn_lm_encoder_run(encoder, &texts, hidden, NULL, &e);
        (void)s; /* an error is an answer, too */
    }
    tn_lm_encoder_free(encoder);
    tn_free(hidden);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_lm_config c;
    tern_error e;
    tern_st st = {.path = "model"};
    tn_lm *lm = NULL;
    size_t n = size >= 2 ? data[0] + 256u * data[1] : 0;
    if (size < 2 + n) return 0;
    if (tn_lm_config_parse((const char *)data + 2, n, "config.json", &c, &e) != TERN_OK) return 0;
    if (tn_lm_param_count(&c) > PARAMS_MAX || c.n_layers > LAYERS_MAX ||
        tn_lm_context(&c) > POSITIONS_MAX)
        return 0;
    tn_lm_source source = {.path = "model", .st = &st};
    if (tn_st_parse(&st, "model", data + 2 + n, size - 2 - n, &e) == TERN_OK &&
        tn_lm_load_take(&c, &source, TN_WEIGHT_BF16, NULL, NULL, &lm, &e) == TERN_OK) {
        if (c.family == TN_LM_ENCODER)
            read_text(lm);
        else
            write_text(lm);
    }
    tn_lm_free(lm);
    tn_st_deinit(&st);
    return 0;
}
