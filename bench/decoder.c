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

struct decoder {
    decoder_shape shape;
    size_t batch, length;
    tern_graph *graph;
    tern_params *params;
    tern_optim *optim;
    tern_nn_embedding embed;
    tern_nn_decoder_layer *layers;
    tern_nn_rms_norm norm;
    int32_t *input, *target, *position, *begin; /* [batch x length], the last [batch + 1] */
};

static void add_parameters(decoder *d) {
    char name[64];
    tern_nn_attention_opts attention = {
        .dim = d->shape.width, .n_heads = d->shape.n_heads, .norm_eps = NORM_EPS};
    tern_params_set_init(d->params, (tern_init){TERN_INIT_NORMAL, 0.02});
    d->embed =
        tern_nn_embedding_new(d->params, "model.embed_tokens", d->shape.vocab, d->shape.width);
    for (size_t i = 0; i < d->shape.n_layers; i++) {
        snprintf(name, sizeof name, "model.layers.%zu", i);
        d->layers[i] =
            tern_nn_decoder_layer_new(d->params, name, &attention, d->shape.ffn, TERN_ACT_SILU);
    }
    d->norm = tern_nn_rms_norm_new(d->params, "model.norm", d->shape.width, 0, NORM_EPS);
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
    tern_nn_sequences seqs = {.attention.causal = true};
    seqs.attention.begin = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(d->batch + 1), d->begin);
    tern_status st =
        tern_rope_tables(g, TERN_F32, d->position, n, d->shape.width / d->shape.n_heads, ROPE_THETA,
                         NULL, &seqs.cos, &seqs.sin);
    if (st != TERN_OK) return tern_graph_status(g, err);
    tern_tensor *input = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(n), d->input);
    tern_tensor *target = tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(n), d->target);
    tern_tensor *x = tern_nn_embedding_forward(g, &d->embed, input);
    for (size_t i = 0; i < d->shape.n_layers; i++) {
        tern_tensor *inner = x;
        x = tern_nn_decoder_layer_forward(g, &d->layers[i], inner, &seqs);
        tern_tensor_release(g, inner);
    }
    tern_tensor *hidden = tern_nn_rms_norm_forward(g, &d->norm, x);
    tern_tensor *y = tern_linear_cross_entropy(g, hidden, d->embed.weight, target);
    st = tern_backward(g, y, err);
    if (st != TERN_OK) return st;
    *loss = tern_tensor_get(y, 0);
    return tern_optim_step(d->optim, lr, 1, NULL, err);
}
