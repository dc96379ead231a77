/* optim.h - the inside of an optimiser, for checkpoints. */
#ifndef TN_OPTIM_H
#define TN_OPTIM_H
#include "core/base/arena.h"
#include "core/base/pool.h"
#include "tern/optim.h"
#include "tern/safetensors.h"

/* One parameter tensor and its factors. */
typedef struct tn_optim_param {
    const char *name;  /* unique; UTF-8; as in checkpoints */
    float *value;      /* [n] in place */
    const float *grad; /* [n] */
    size_t n;          /* product of dims */
    int n_dims;
    int64_t dims[TERN_ST_DIMS_MAX];
    float lr_scale, decay_scale;
    unsigned group;
    bool no_decay;
    const tern_tensor *tensor; /* says whether there is a gradient; NULL: there always is */
} tn_optim_param;

/* A run of elements of one parameter: the unit of work and of summing. */
typedef struct tn_optim_chunk {
    uint32_t param;
    uint32_t n;
    size_t begin;
    double squares; /* of its gradient in the step under way */
} tn_optim_chunk;

struct tern_optim {
    tern_optim_opts opts;
    tn_optim_param *params; /* [n] */
    size_t *offsets;        /* [n] of each parameter in the moments' slabs */
    size_t n, n_elements;
    tn_optim_chunk *chunks;
    size_t n_chunks;
    float *moments[2]; /* [n_elements] AdamW: m, v; SGD: m, NULL or both NULL */
    uint64_t n_steps;
    tn_pool *pool;
};

/* An optimiser of any list of parameters (copied; names, values, gradients borrowed). */
TERN_MUST_USE tern_status tn_optim_new(const tern_optim_opts *opts, const tn_optim_param *params,
                                       size_t n, tn_pool *pool, tern_optim **out, tern_error *err);
/* Slabs of moments this optimiser keeps, 0..2, and their names in a checkpoint. */
int tn_optim_n_moments(const tern_optim *o);
extern const char *const tn_optim_moment_names[2];

#endif
