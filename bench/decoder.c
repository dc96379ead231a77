/* decoder.c - see decoder.h. */
#include "bench/decoder.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static const double NORM_EPS = 1e-5, ROPE_THETA = 10000;

static const decoder_shape shapes[] = {
    {"tiny", 2, 64, 4, 128, 256, 64, 4},
    {"15M", 6, 288, 6, 768, 8192, 512, 16},
    {"125M", 12, 768, 12, 2048, 32000, 512, 8},
};

const decoder_shape *decoder_shape_find(const char *name) {
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
    return NULL;
}

typedef struct layer {
    tern_nn_rms_norm attention_norm, mlp_norm;
    tern_nn_linear q, k, v, o, gate, up, down;
} layer;

struct decoder {
    decoder_shape shape;
    size_t batch, length;
    tern_graph *graph;
    tern_params *params;
    tern_optim *optim;
    tern_nn_embedding embed;
    layer *layers;
    tern_nn_rms_norm norm;
    int32_t *input, *target, *position, *begin; /* [batch x length], the last [batch + 1] */
};

static tern_nn_linear linear_of(decoder *d, size_t i, const char *name, size_t n_in, size_t n_out) {
    char full[96];
    snprintf(full, sizeof full, "model.layers.%zu.%s_proj", i, name);
    return tern_nn_linear_new(d->params, full, n_in, n_out, false);
}

static tern_nn_rms_norm norm_of(decoder *d, size_t i, const char *name) {
    char full[96];
    snprintf(full, sizeof full, "model.layers.%zu.%s", i, name);
    return tern_nn_rms_norm_new(d->params, full, d->shape.width, 0, NORM_EPS);
}

static void add_parameters(decoder *d) {
    size_t width = d->shape.width, ffn = d->shape.ffn;
    tern_params_set_init(d->params, (tern_init){TERN_INIT_NORMAL, 0.02});
    d->embed = tern_nn_embedding_new(d->params, "model.embed_tokens", d->shape.vocab, width);
    for (size_t i = 0; i < d->shape.n_layers; i++)
        d->layers[i] = (layer){.attention_norm = norm_of(d, i, "input_layernorm"),
                               .q = linear_of(d, i, "self_attn.q", width, width),
                               .k = linear_of(d, i, "self_attn.k", width, width),
                               .v = linear_of(d, i, "self_attn.v", width, width),
                               .o = linear_of(d, i, "self_attn.o", width, width),
                               .mlp_norm = norm_of(d, i, "post_attention_layernorm"),
                               .gate = linear_of(d, i, "mlp.gate", width, ffn),
                               .up = linear_of(d, i, "mlp.up", width, ffn),
                               .down = linear_of(d, i, "mlp.down", ffn, width)};
    d->norm = tern_nn_rms_norm_new(d->params, "model.norm", width, 0, NORM_EPS);
}

static bool make_buffers(decoder *d) {
    size_t n = d->batch * d->length;
    d->layers = tn_calloc(d->shape.n_layers, sizeof *d->layers);
    d->input = tn_alloc(n * sizeof *d->input);
    d->target = tn_alloc(n * sizeof *d->target);
    d->position = tn_alloc(n * sizeof *d->position);
    d->begin = tn_alloc((d->batch + 1) * sizeof *d->begin);
    if (!d->layers || !d->input || !d->target || !d->position || !d->begin) return false;
    for (size_t i = 0; i < n; i++) d->position[i] = (int32_t)(i % d->length);
    for (size_t i = 0; i <= d->batch; i++) d->begin[i] = (int32_t)(i * d->length);
    return true;
}

tern_status decoder_new(const decoder_shape *shape, size_t batch, size_t length, bool bf16,
                        int n_threads, uint64_t seed, decoder **out, tern_error *err) {
    *out = NULL;
    decoder *d = tn_calloc(1, sizeof *d);
    if (!d) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    *d = (decoder){.shape = *shape, .batch = batch, .length = length};
    tern_graph_opts graph_opts = {.n_threads = n_threads, .bf16 = bf16};
    tern_params_opts params_opts = {.seed = seed};
    tern_optim_opts optim_opts = tern_optim_defaults(TERN_OPTIM_ADAMW);
    optim_opts.beta2 = 0.95f;
    optim_opts.weight_decay = 0.1f;
    optim_opts.grad_norm_max = 1;
    tern_status st = make_buffers(d) ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (st == TERN_OK) st = tern_graph_new(&graph_opts, &d->graph, err);
    if (st == TERN_OK) st = tern_params_new(&params_opts, &d->params, err);
    if (st == TERN_OK) add_parameters(d);
    if (st == TERN_OK) st = tern_params_init(d->params, err);
    if (st == TERN_OK) st = tern_optim_new(&optim_opts, d->params, d->graph, &d->optim, err);
    if (st == TERN_OK)
        *out = d;
    else
        decoder_free(d);
    return st;
}

void decoder_free(decoder *d) {
    if (!d) return;
    tern_optim_free(d->optim);
    tern_params_free(d->params);
    tern_graph_free(d->graph);
    tn_free(d->layers);
    tn_free(d->input);
    tn_free(d->target);
    tn_free(d->position);
    tn_free(d->begin);
    tn_free(d);
}

tern_params *decoder_params(decoder *d) {
    return d->params;
}

tern_graph *decoder_graph(decoder *d) {
    return d->graph;
}

/* What every layer of a step shares. */
typedef struct rotary {
    tern_tensor *begin, *cos, *sin;
} rotary;

/* x [tokens, width] by w, as heads [tokens, heads, width / heads] */
static tern_tensor *heads(decoder *d, const tern_nn_linear *w, tern_tensor *x) {
    size_t n = d->batch * d->length, n_heads = d->shape.n_heads;
    return tern_reshape(d->graph, tern_nn_linear_forward(d->graph, w, x),
                        TERN_SHAPE(n, n_heads, d->shape.width / n_heads));
}

static tern_tensor *layer_forward(decoder *d, const layer *l, const rotary *r, tern_tensor *x) {
    tern_graph *g = d->graph;
    tern_tensor *h = tern_nn_rms_norm_forward(g, &l->attention_norm, x);
    tern_tensor *q = tern_rope(g, heads(d, &l->q, h), r->cos, r->sin);
    tern_tensor *k = tern_rope(g, heads(d, &l->k, h), r->cos, r->sin);
    tern_attention_opts opts = {.begin = r->begin, .causal = true};
    tern_tensor *a = tern_attention(g, q, k, heads(d, &l->v, h), &opts);
    a = tern_reshape(g, a, TERN_SHAPE(d->batch * d->length, d->shape.width));
    x = tern_linear_residual(g, a, l->o.weight, NULL, x);
    h = tern_nn_rms_norm_forward(g, &l->mlp_norm, x);
    h = tern_swiglu(g, tern_nn_linear_forward(g, &l->gate, h),
                    tern_nn_linear_forward(g, &l->up, h));
    return tern_linear_residual(g, h, l->down.weight, NULL, x);
}

tern_status decoder_step(decoder *d, const int32_t *rows, double lr, double *loss,
                         tern_error *err) {
    tern_graph *g = d->graph;
    size_t n = d->batch * d->length;
    for (size_t b = 0; b < d->batch; b++) {
        const int32_t *row = rows + b * (d->length + 1);
        memcpy(d->input + b * d->length, row, d->length * sizeof *row);
        memcpy(d->target + b * d->length, row + 1, d->length * sizeof *row);
    }
    tern_graph_reset(g);
    tern_params_zero_grad(d->params);
    rotary r = {.begin = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(d->batch + 1), d->begin)};
    tern_status st =
        tern_rope_tables(g, TERN_F32, d->position, n, d->shape.width / d->shape.n_heads, ROPE_THETA,
                         NULL, &r.cos, &r.sin);
    if (st != TERN_OK) return tern_graph_status(g, err);
    tern_tensor *input = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(n), d->input);
    tern_tensor *target = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(n), d->target);
    tern_tensor *x = tern_nn_embedding_forward(g, &d->embed, input);
    for (size_t i = 0; i < d->shape.n_layers; i++) x = layer_forward(d, &d->layers[i], &r, x);
    x = tern_nn_rms_norm_forward(g, &d->norm, x);
    tern_tensor *y = tern_linear_cross_entropy(g, x, d->embed.weight, target);
    st = tern_backward(g, y, err);
    if (st != TERN_OK) return st;
    *loss = tern_tensor_get(y, 0);
    return tern_optim_step(d->optim, lr, 1, NULL, err);
}
