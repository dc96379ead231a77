/* Gradients of the modules, in their inputs and in every parameter. */
#include "tests/grad/gradcheck.h"

typedef struct modules {
    tern_params *p;
    tern_nn_linear linear;
    tern_nn_embedding embedding;
    tern_nn_layer_norm layer_norm;
    tern_nn_rms_norm rms_norm;
    tern_nn_mlp mlp;
    tern_nn_gated_mlp gated;
    tern_nn_attention attention;
    tern_nn_decoder_layer decoder;
    tern_nn_encoder_layer encoder;
} modules;

static modules begin(void) {
    modules m = {0};
    tern_error e;
    CHECK_OK(tern_params_new(&(tern_params_opts){.dtype = TERN_F64, .seed = 3}, &m.p, &e), e);
    return m;
}

static void check(modules *m, tern_graph_fn *fn, size_t n_rows, size_t dim, bool first_order) {
    tern_gradcheck_opts o = {.params = m->p, .first_order_only = first_order};
    const tern_gradcheck_input in = {"x", 2, {n_rows, dim}};
    tern_gradcheck_report r;
    tern_error e;
    CHECK_OK(tern_params_init(m->p, &e), e);
    /* biases start from 0 and norms from 1: move everything off such points */
    double *w = tern_params_values(m->p);
    for (size_t i = 0; i < tern_params_slab_size(m->p); i++) w[i] += 0.1 * sin((double)i);
    CHECK_OK(tern_gradcheck(fn, m, &in, dim ? 1 : 0, &o, &r, &e), e);
    if (!r.passed) FAIL("%s", r.text);
    CHECK(r.n_compared > tern_params_size(m->p));
    tern_params_free(m->p);
}

static tern_tensor *f_linear(tern_graph *g, void *ud, tern_tensor *const *in) {
    return tern_nn_linear_forward(g, &((modules *)ud)->linear, in[0]);
}
static tern_tensor *f_embedding(tern_graph *g, void *ud, tern_tensor *const *in) {
    static const int32_t index[4] = {1, 0, 1, 3};
    (void)in;
    tern_tensor *at = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(4), index);
    return tern_exp(g, tern_nn_embedding_forward(g, &((modules *)ud)->embedding, at));
}
static tern_tensor *f_layer_norm(tern_graph *g, void *ud, tern_tensor *const *in) {
    return tern_nn_layer_norm_forward(g, &((modules *)ud)->layer_norm, in[0]);
}
static tern_tensor *f_rms_norm(tern_graph *g, void *ud, tern_tensor *const *in) {
    return tern_nn_rms_norm_forward(g, &((modules *)ud)->rms_norm, in[0]);
}
static tern_tensor *f_mlp(tern_graph *g, void *ud, tern_tensor *const *in) {
    return tern_nn_mlp_forward(g, &((modules *)ud)->mlp, in[0], in[0]);
}
static tern_tensor *f_gated(tern_graph *g, void *ud, tern_tensor *const *in) {
    return tern_nn_gated_mlp_forward(g, &((modules *)ud)->gated, in[0], NULL);
}

TEST(small_modules) {
    modules m = begin();
    m.linear = tern_nn_linear_new(m.p, "linear", 3, 2, true);
    check(&m, f_linear, 4, 3, false);
    m = begin();
    m.embedding = tern_nn_embedding_new(m.p, "embed", 4, 3);
    check(&m, f_embedding, 0, 0, false);
    m = begin();
    m.layer_norm = tern_nn_layer_norm_new(m.p, "norm", 4, 1e-5);
    check(&m, f_layer_norm, 3, 4, false);
    m = begin();
    m.rms_norm = tern_nn_rms_norm_new(m.p, "norm", 4, 1, 1e-6);
    check(&m, f_rms_norm, 3, 4, false);
}

TEST(feed_forward_blocks) {
    modules m = begin();
    m.mlp = tern_nn_mlp_new(m.p, "mlp", 3, 5, TERN_ACT_GELU);
    check(&m, f_mlp, 2, 3, false);
    m = begin();
    m.gated = tern_nn_gated_mlp_new(m.p, "mlp", 3, 5, TERN_ACT_SILU);
    check(&m, f_gated, 2, 3, false);
    m = begin();
    m.gated = tern_nn_gated_mlp_new(m.p, "mlp", 3, 4, TERN_ACT_GELU_TANH);
    check(&m, f_gated, 2, 3, false);
}

static tern_nn_sequences two_sequences(tern_graph *g, bool causal, size_t rotary) {
    static const int32_t start[3] = {0, 2, 5}, position[5] = {0, 1, 0, 1, 2};
    tern_nn_sequences s = {.attention = {.causal = causal}};
    s.attention.begin = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(3), start);
    if (rotary && tern_rope_tables(g, TERN_F64, position, 5, rotary, 1e4, NULL, &s.cos, &s.sin))
        s.attention.begin = NULL; /* the graph has noted the error */
    return s;
}

static tern_tensor *f_attention(tern_graph *g, void *ud, tern_tensor *const *in) {
    tern_nn_sequences s = two_sequences(g, false, 2);
    return tern_nn_attention_forward(g, &((modules *)ud)->attention, in[0], in[0], &s);
}
static tern_tensor *f_decoder(tern_graph *g, void *ud, tern_tensor *const *in) {
    tern_nn_sequences s = two_sequences(g, true, 2);
    return tern_nn_decoder_layer_forward(g, &((modules *)ud)->decoder, in[0], &s);
}
static tern_tensor *f_encoder(tern_graph *g, void *ud, tern_tensor *const *in) {
    tern_nn_sequences s = two_sequences(g, false, 0);
    return tern_nn_encoder_layer_forward(g, &((modules *)ud)->encoder, in[0], &s);
}

TEST(attention_with_groups_biases_and_normed_heads) {
    modules m = begin();
    tern_nn_attention_opts o = {.dim = 4,
                                .n_heads = 4,
                                .n_kv_heads = 2,
                                .head_dim = 2,
                                .qkv_bias = true,
                                .qk_norm = true,
                                .norm_offset = 1,
                                .norm_eps = 1e-3};
    m.attention = tern_nn_attention_new(m.p, "self_attn", &o);
    check(&m, f_attention, 5, 4, true);
}

TEST(a_decoder_layer) {
    modules m = begin();
    tern_nn_attention_opts o = {.dim = 4, .n_heads = 2, .n_kv_heads = 1, .norm_eps = 1e-3};
    m.decoder = tern_nn_decoder_layer_new(m.p, "model.layers.0", &o, 6, TERN_ACT_SILU);
    CHECK(tern_params_find(m.p, "model.layers.0.self_attn.k_proj.weight") != NULL);
    CHECK(tern_params_find(m.p, "model.layers.0.mlp.down_proj.weight") != NULL);
    check(&m, f_decoder, 5, 4, true);
}

TEST(an_encoder_layer_with_and_without_dropout) {
    for (int dropped = 0; dropped < 2; dropped++) {
        modules m = begin();
        m.encoder = tern_nn_encoder_layer_new(m.p, "encoder.layer.0", 4, 2, 6, TERN_ACT_GELU, 1e-3,
                                              dropped ? 0.25 : 0);
        CHECK(tern_params_find(m.p, "encoder.layer.0.attention.self.query.bias") != NULL);
        check(&m, f_encoder, 5, 4, true);
    }
}

TEST_MAIN
