/* test_lm_train.c - models on the tape: outputs, losses, every gradient and AdamW steps against
 * numbers of independent implementations, and equality with the inference engine. */
#include "core/lm/decoder.h"
#include "core/lm/encoder.h"
#include "tern/checkpoint.h"
#include "tern/optim.h"
#include "tests/unit/lm_reference.h"

#include "core/base/mem.h"

static const char *const models[] = {"llama3",      "mistral",     "qwen2",      "qwen3",
                                     "gemma3",      "llama-score", "bert-pairs", "bert-tokens",
                                     "bert-masked", "xlmr-masked", "roberta"};
enum { N_MODELS = sizeof models / sizeof *models };
static const char *const fixtures[] = {"llama-gqa", "llama-tied-mha", "qwen2",      "qwen3",
                                       "gemma3",    "bert",           "xlm-roberta"};
enum { N_FIXTURES = sizeof fixtures / sizeof *fixtures };

/* The rows of a stored [B, T, width] that were tokens, packed. */
static float *packed(reference *r, const char *name, size_t width) {
    size_t n;
    float *all = st_f32(r, r->expected, name, &n);
    if (!all) return NULL;
    float *out = tn_arena_alloc(&r->arena, r->batch.n_tokens * width * sizeof *out);
    CHECK(out && n == r->n_rows * r->width * width);
    for (size_t i = 0; i < r->batch.n_tokens; i++)
        memcpy(out + i * width, all + r->place[i] * width, width * sizeof *out);
    return out;
}

static void check_forward(reference *r, double tol) {
    tern_error e = {0};
    tn_lm_tape *t = reference_tape(r);
    tern_graph *g = graph_of(1, false);
    const tn_lm_batch *b = &r->batch;
    size_t n_out = tn_lm_n_outputs(&r->config), n;
    tern_tensor *hidden = tern_tensor_keep(tn_lm_tape_hidden(t, g, b, false));
    CHECK_OK(tern_graph_status(g, &e), e);
    float *want = packed(r, "hidden.last", r->config.hidden);
    CHECK(want != NULL);
    check_near(r->dir, "hidden", tern_tensor_data(hidden), want, b->n_tokens * r->config.hidden,
               tol, 0);
    const tern_st_tensor *logits = tern_st_find(r->expected, "logits");
    if (logits && n_out) {
        tern_tensor *y = tn_lm_tape_logits(t, g, b, hidden);
        CHECK_OK(tern_graph_status(g, &e), e);
        want =
            logits->n_dims == 3 ? packed(r, "logits", n_out) : st_f32(r, r->expected, "logits", &n);
        check_near(r->dir, "logits", tern_tensor_data(y), want, tern_tensor_size(y), tol, 0);
    }
    const struct {
        const char *name;
        tn_lm_pool pool;
    } pools[] = {{"pooled.cls_l2", TN_LM_POOL_CLS}, {"pooled.mean_l2", TN_LM_POOL_MEAN}};
    for (int i = 0; i < 2; i++) {
        if (!(want = st_f32(r, r->expected, pools[i].name, &n))) continue;
        tern_tensor *y = tn_lm_tape_pooled(t, g, b, hidden, pools[i].pool, true);
        CHECK_OK(tern_graph_status(g, &e), e);
        check_near(r->dir, pools[i].name, tern_tensor_data(y), want, n, tol, 0);
    }
    tern_graph_free(g);
    tn_lm_tape_free(t);
}

static const float *grad_of(const tn_lm_tape *t, size_t i) {
    const tern_params *p = tn_lm_tape_params(t);
    return (const float *)tern_params_grads(p) + tern_params_get(p, i).offset;
}

/* Returns the number of gradients compared. */
static size_t check_gradients(reference *r, double tol) {
    tn_lm_tape *t = reference_tape(r);
    tern_graph *g = graph_of(1, false);
    const tern_params *params = tn_lm_tape_params(t);
    size_t n_params = tern_params_count(params), n, n_compared = 0;
    double loss = step_of(g, t, &r->batch, &r->loss), largest = 0;
    float *want = st_f32(r, r->grads, "loss", &n);
    CHECK(want != NULL);
    CHECK_NEAR(loss, want[0], tol * fabs(want[0]));
    for (size_t i = 0; i < n_params; i++)
        for (size_t k = 0; k < tern_params_get(params, i).size; k++)
            largest = fmax(largest, fabs((double)grad_of(t, i)[k]));
    for (size_t i = 0; i < tern_st_n_tensors(r->grads); i++) {
        const char *name = tern_st_at(r->grads, i)->name;
        if (strncmp(name, "grad.", 5) != 0) continue;
        size_t p = 0;
        for (; p < n_params; p++) { /* a body's prefix may be missing */
            const char *own = tern_params_get(params, p).name;
            size_t a = strlen(own), b = strlen(name);
            if (b >= a && strcmp(name + b - a, own) == 0) break;
        }
        if (p == n_params) FAIL("%s: no parameter for %s", r->dir, name);
        want = st_f32(r, r->grads, name, &n);
        CHECK_EQ(n, tern_params_get(params, p).size);
        /* The gradient of a key bias without rotation is 0: what stands there is rounding. */
        check_near(r->dir, name, grad_of(t, p), want, n, tol, 1e-6 * largest);
        n_compared++;
    }
    tern_graph_free(g);
    tn_lm_tape_free(t);
    return n_compared;
}

static void check_adamw(reference *r, double lr, float beta2, float decay, double tol) {
    tern_error e = {0};
    if (!tern_st_find(r->grads, "loss.after_adamw_1")) return;
    tn_lm_tape *t = reference_tape(r);
    tern_graph *g = graph_of(1, false);
    size_t m;
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    o.beta2 = beta2;
    o.weight_decay = decay;
    tern_optim *adamw;
    CHECK_OK(tern_optim_new(&o, tn_lm_tape_params(t), g, &adamw, &e), e);
    for (int step = 0; step <= 3; step++) {
        char name[32];
        double loss = step_of(g, t, &r->batch, &r->loss);
        snprintf(name, sizeof name, "loss.after_adamw_%d", step);
        float *want = step ? st_f32(r, r->grads, name, &m) : NULL;
        if (want && !(fabs(loss - want[0]) <= tol * fabs(want[0])))
            FAIL("%s: %s is %.7g, expected %.7g", tn_path_base(r->dir), name, loss, want[0]);
        CHECK_OK(tern_optim_step(adamw, lr, 1, NULL, &e), e);
    }
    tern_optim_free(adamw);
    tern_graph_free(g);
    tn_lm_tape_free(t);
}

TEST(every_family_gives_the_independent_outputs) {
    for (size_t i = 0; i < N_MODELS; i++) {
        reference r = reference_open(golden_dir(models[i]), "grads.safetensors");
        if (r.loss.objective == TN_LM_PAIRS) reference_pack(&r, 1);
        check_forward(&r, 1e-4);
        reference_close(&r);
    }
}

TEST(every_gradient_of_every_family_is_the_independent_one) {
    for (size_t i = 0; i < N_MODELS; i++) {
        reference r = reference_open(golden_dir(models[i]), "grads.safetensors");
        CHECK(check_gradients(&r, 1e-4) >= 20);
        reference_close(&r);
    }
}

TEST(three_steps_of_adamw_give_the_independent_losses) {
    for (size_t i = 0; i < N_MODELS; i++) {
        reference r = reference_open(golden_dir(models[i]), "grads.safetensors");
        check_adamw(&r, 1e-3, 0.999f, 0.01f, 1e-4);
        reference_close(&r);
    }
}

TEST(outputs_and_gradients_are_those_of_transformers) {
    for (size_t i = 0; i < N_FIXTURES; i++) {
        reference r = reference_open(fixture_dir(fixtures[i]), "expected.safetensors");
        check_forward(&r, 1e-4);
        CHECK(check_gradients(&r, 1e-4) >= 20);
        reference_close(&r);
    }
}

/* The fixtures' settings, found by trying: lr 0.01, betas 0.9 and 0.95, decay 0.1 of all weights.
 */
TEST(three_steps_of_adamw_give_the_losses_of_transformers) {
    for (size_t i = 0; i < N_FIXTURES; i++) {
        reference r = reference_open(fixture_dir(fixtures[i]), "expected.safetensors");
        check_adamw(&r, 1e-2, 0.95f, 0.1f, 1e-4);
        reference_close(&r);
    }
}

/* ---- the two drivers ---- */

static tn_lm_config config_of(const char *json) {
    tern_error e = {0};
    tn_lm_config c;
    CHECK_OK(tn_lm_config_parse(json, strlen(json), "config", &c, &e), e);
    return c;
}

static const char gemma[] =
    "{\"model_type\":\"gemma3_text\",\"architectures\":[\"Gemma3ForCausalLM\"],\"vocab_size\":300,"
    "\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
    "\"num_key_value_heads\":2,\"head_dim\":16,\"max_position_embeddings\":256,"
    "\"hidden_activation\":\"gelu_pytorch_tanh\",\"rms_norm_eps\":1e-6,\"rope_theta\":1000000.0,"
    "\"rope_local_base_freq\":10000.0,\"sliding_window\":17,\"sliding_window_pattern\":2,"
    "\"query_pre_attn_scalar\":16,\"tie_word_embeddings\":true}";
static const char qwen[] =
    "{\"model_type\":\"qwen2\",\"architectures\":[\"Qwen2ForCausalLM\"],\"vocab_size\":300,"
    "\"hidden_size\":64,\"intermediate_size\":160,\"num_hidden_layers\":4,"
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":256,"
    "\"hidden_act\":\"silu\",\"rms_norm_eps\":1e-6,\"rope_theta\":10000.0,"
    "\"tie_word_embeddings\":false}";
static const char bert[] =
    "{\"model_type\":\"bert\",\"architectures\":[\"BertForMaskedLM\"],\"vocab_size\":300,"
    "\"hidden_size\":64,\"intermediate_size\":128,\"num_hidden_layers\":3,"
    "\"num_attention_heads\":4,\"max_position_embeddings\":128,\"type_vocab_size\":2,"
    "\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-12,\"pad_token_id\":0}";

/* Three sequences of 90, 1 and 37 tokens. */
static tn_lm_batch random_batch(void) {
    static int32_t ids[128], targets[128], begin[] = {0, 90, 91, 128};
    uint64_t x = 7;
    for (int i = 0; i < 128; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ids[i] = (int32_t)(x >> 33) % 300;
        targets[i] = i % 3 ? (int32_t)(x >> 40) % 300 : TN_LM_IGNORE;
    }
    tn_lm_batch b = {
        .n_tokens = 128, .n_seqs = 3, .ids = ids, .seq_begin = begin, .targets = targets};
    for (int i = 0; i < 128; i++) b.n_targets += targets[i] != TN_LM_IGNORE;
    return b;
}

static tn_lm_tape *random_tape(const char *json) {
    tern_error e = {0};
    tn_lm_config c = config_of(json);
    tn_lm_tape *t;
    CHECK_OK(tn_lm_tape_new(&c, &(tn_lm_tape_opts){0.1, 5, false}, &t, &e), e);
    return t;
}

/* Logits of every token by the paged engine, or the encoder, from the file that the tape saves. */
static void engine_logits(tn_lm_tape *t, const tn_lm_batch *b, bool bf16, float *out) {
    tern_error e = {0};
    const tn_lm_config *c = tn_lm_tape_config(t);
    tn_lm_source *source;
    tn_lm *lm;
    char path[128];
    snprintf(path, sizeof path, "%s/model.safetensors", test_dir());
    CHECK_OK(tern_params_save(path, tn_lm_tape_params(t), NULL, 0, &e), e);
    CHECK_OK(tn_lm_source_open(test_dir(), &source, &e), e);
    tn_weight_format format = bf16 ? TN_WEIGHT_BF16 : TN_WEIGHT_F32;
    CHECK_OK(tn_lm_load_take(c, source, format, NULL, NULL, &lm, &e), e);
    if (c->family == TN_LM_ENCODER) {
        tn_lm_encoder *encoder;
        tn_lm_texts texts = {.tokens = b->ids, .seq_begin = b->seq_begin, .n_seqs = b->n_seqs};
        CHECK_OK(tn_lm_encoder_new(lm, NULL, &encoder, &e), e);
        CHECK_OK(tn_lm_encoder_run(encoder, &texts, NULL, out, &e), e);
        tn_lm_encoder_free(encoder);
    } else {
        tn_lm_engine *engine;
        tn_lm_engine_opts o = {.cache_type = bf16 ? TN_BF16 : TN_F32};
        CHECK_OK(tn_lm_engine_new(lm, NULL, &o, &engine, &e), e);
        for (size_t s = 0; s < b->n_seqs; s++) {
            tn_kv_seq seq = {0};
            for (int32_t i = b->seq_begin[s]; i < b->seq_begin[s + 1]; i++) { /* token by token */
                uint32_t row = 0;
                tn_lm_span span = {.seq = &seq, .n_rows = 1};
                tn_lm_step step = {.spans = &span,
                                   .n_spans = 1,
                                   .tokens = b->ids + i,
                                   .out_rows = &row,
                                   .n_out = 1,
                                   .logits = out + (size_t)i * c->vocab};
                CHECK_OK(tn_lm_engine_step(engine, &step, &e), e);
            }
            tn_kv_seq_deinit(tn_lm_engine_cache(engine), &seq);
        }
        tn_lm_engine_free(engine);
    }
    tn_lm_free(lm);
}

static void check_drivers(const char *json, bool bf16, double tol) {
    tern_error e = {0};
    tn_lm_tape *t = random_tape(json);
    tn_lm_batch b = random_batch();
    tern_graph *g = graph_of(1, bf16);
    size_t n = b.n_tokens * tn_lm_tape_config(t)->vocab;
    float *engine = tn_alloc(n * sizeof *engine);
    CHECK(engine != NULL);
    tern_tensor *y = tn_lm_tape_logits(t, g, &b, tn_lm_tape_hidden(t, g, &b, false));
    CHECK_OK(tern_graph_status(g, &e), e);
    engine_logits(t, &b, bf16, engine);
    check_near(json, "logits", tern_tensor_data(y), engine, n, tol, 0);
    tn_free(engine);
    tern_graph_free(g);
    tn_lm_tape_free(t);
}

TEST(tape_and_engine_agree_token_by_token_in_f32) {
    check_drivers(gemma, false, 1e-4);
    check_drivers(qwen, false, 1e-4);
    check_drivers(bert, false, 1e-4);
}

TEST(tape_and_engine_agree_token_by_token_in_bf16) {
    check_drivers(gemma, true, 2e-2);
    check_drivers(qwen, true, 2e-2);
    check_drivers(bert, true, 2e-2);
}

/* ---- what must not matter ---- */

TEST(threads_and_recomputation_change_no_bit_of_a_gradient) {
    const char *const configs[] = {gemma, qwen, bert};
    for (int k = 0; k < 3; k++) {
        tn_lm_tape *t = random_tape(configs[k]);
        tn_lm_batch b = random_batch();
        size_t n = tern_params_slab_size(tn_lm_tape_params(t));
        const float *grads = tern_params_grads(tn_lm_tape_params(t));
        float *first = tn_alloc(n * sizeof *first);
        CHECK(first != NULL);
        for (int variant = 0; variant < 4; variant++) { /* 1, 2, 3 threads; recomputation */
            tn_lm_loss_opts o = {.objective = k == 2 ? TN_LM_MASKED : TN_LM_NEXT_TOKEN,
                                 .recompute = variant == 3};
            tern_graph *g = graph_of(variant < 3 ? variant + 1 : 2, false);
            step_of(g, t, &b, &o);
            if (variant == 0) memcpy(first, grads, n * sizeof *first);
            CHECK_EQ(memcmp(first, grads, n * sizeof *grads), 0);
            tern_graph_free(g);
        }
        tn_free(first);
        tn_lm_tape_free(t);
    }
}

TEST(what_does_not_fit_the_model_is_refused_by_name) {
    tern_error e = {0};
    tn_lm_config decoder = config_of(qwen), encoder = config_of(bert);
    CHECK_EQ(tn_lm_check_objective(&decoder, TN_LM_PAIRS, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "contrastive training is for encoders");
    CHECK_EQ(tn_lm_check_objective(&encoder, TN_LM_SEQ_CLASS, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "ForSequenceClassification");
    tn_lm_batch b = random_batch();
    int32_t kept = b.ids[3];
    b.ids[3] = 300;
    CHECK_EQ(tn_lm_check_batch(&decoder, &b, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "300");
    b.ids[3] = kept;
    encoder.max_positions = 80;
    CHECK_EQ(tn_lm_check_batch(&encoder, &b, &e), TERN_ERR_LIMIT);
    CHECK_HAS(e.text, "90 tokens");
    CHECK_OK(tn_lm_check_batch(&decoder, &b, &e), e);
}

TEST_MAIN
