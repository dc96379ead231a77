/* decoder.h - the network of bench_train: a decoder of Llama's architecture with the names of
 * Hugging Face models. RMSNorm before attention and before a SwiGLU, rotary positions, no biases,
 * head tied to the embedding. train_torch.py has the same in PyTorch. */
#ifndef BENCH_DECODER_H
#define BENCH_DECODER_H
#include "tern/checkpoint.h"

typedef struct decoder_shape {
    const char *name;
    size_t n_layers, width, n_heads, ffn, vocab;
    size_t length, batch; /* of a timed step: tokens of a row, rows */
} decoder_shape;

const decoder_shape *decoder_shape_find(const char *name); /* "tiny", "15M", "125M"; or NULL */

typedef struct decoder decoder;

/* Parameters from seed; batches of `batch` rows of `length` tokens. bf16: products in bf16.
 * AdamW (0.9, 0.95), decay 0.1 except on norms, gradients clipped to norm 1. */
TERN_MUST_USE tern_status decoder_new(const decoder_shape *shape, size_t batch, size_t length,
                                      bool bf16, int n_threads, uint64_t seed, decoder **out,
                                      tern_error *err);
void decoder_free(decoder *d); /* NULL allowed */
/* One training step. rows [batch, length + 1]: each token predicts the next. *loss out: the mean,
 * in nats, before the step. */
TERN_MUST_USE tern_status decoder_step(decoder *d, const int32_t *rows, double lr, double *loss,
                                       tern_error *err);
tern_params *decoder_params(decoder *d);
tern_graph *decoder_graph(decoder *d);

#endif
