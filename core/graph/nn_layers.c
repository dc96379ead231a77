/* nn_layers.c - the small modules: linear, embedding, norms (nn.h). */
#include "core/graph/nn_priv.h"
#include <math.h>
#include <stdio.h>

#include "core/base/mem.h"

const char *tn_nn_name(char *buf, const char *prefix, const char *leaf) {
    snprintf(buf, TN_NAME_BYTES, "%s%s%s", prefix, *prefix ? "." : "", leaf);
    return buf;
}

tern_nn_linear tern_nn_linear_new(tern_params *p, const char *name, size_t n_in, size_t n_out,
                                  bool bias) {
    char full[TN_NAME_BYTES];
    tern_nn_linear m = {0};
    m.weight = tern_params_add(p, tn_nn_name(full, name, "weight"), TERN_SHAPE(n_out, n_in),
                               (tern_init){TERN_INIT_DEFAULT, 0}, 0);
    if (bias)
        m.bias = tern_params_add(p, tn_nn_name(full, name, "bias"), TERN_SHAPE(n_out),
                                 (tern_init){TERN_INIT_ZEROS, 0}, TERN_PARAM_NO_DECAY);
    return m;
}

tern_tensor *tern_nn_linear_forward(tern_graph *g, const tern_nn_linear *m, tern_tensor *x) {
    return tern_linear(g, x, m->weight, m->bias);
}

tern_nn_embedding tern_nn_embedding_new(tern_params *p, const char *name, size_t n_rows,
                                        size_t dim) {
    char full[TN_NAME_BYTES];
    return (tern_nn_embedding){tern_params_add(p, tn_nn_name(full, name, "weight"),
                                               TERN_SHAPE(n_rows, dim),
                                               (tern_init){TERN_INIT_DEFAULT, 0}, 0)};
}

tern_tensor *tern_nn_embedding_forward(tern_graph *g, const tern_nn_embedding *m,
                                       tern_tensor *index) {
    return tern_index_rows(g, m->weight, index);
}

tern_nn_layer_norm tern_nn_layer_norm_new(tern_params *p, const char *name, size_t dim,
                                          double eps) {
    char full[TN_NAME_BYTES];
    tern_nn_layer_norm m = {.eps = eps};
    m.weight = tern_params_add(p, tn_nn_name(full, name, "weight"), TERN_SHAPE(dim),
                               (tern_init){TERN_INIT_ONES, 0}, TERN_PARAM_NO_DECAY);
    m.bias = tern_params_add(p, tn_nn_name(full, name, "bias"), TERN_SHAPE(dim),
                             (tern_init){TERN_INIT_ZEROS, 0}, TERN_PARAM_NO_DECAY);
    return m;
}

tern_tensor *tern_nn_layer_norm_forward(tern_graph *g, const tern_nn_layer_norm *m,
                                        tern_tensor *x) {
    return tern_layer_norm(g, x, m->weight, m->bias, m->eps);
}

tern_nn_rms_norm tern_nn_rms_norm_new(tern_params *p, const char *name, size_t dim, double offset,
                                      double eps) {
    char full[TN_NAME_BYTES];
    tern_init init = {offset == 0 ? TERN_INIT_ONES : TERN_INIT_ZEROS, 0};
    tern_tensor *weight = tern_params_add(p, tn_nn_name(full, name, "weight"), TERN_SHAPE(dim),
                                          init, TERN_PARAM_NO_DECAY);
    return (tern_nn_rms_norm){weight, offset, eps};
}

tern_tensor *tern_nn_rms_norm_forward(tern_graph *g, const tern_nn_rms_norm *m, tern_tensor *x) {
    return tern_rms_norm(g, x, m->weight, m->offset, m->eps);
}
