/* optim.h - the inside of an optimiser, for checkpoints. */
#ifndef TN_OPTIM_H
#define TN_OPTIM_H
#include "core/base/arena.h"
#include "core/base/pool.h"
#include "tern/optim.h"

/* A run of elements of one parameter: the unit of work and of summing. */
typedef struct tn_optim_chunk {
    uint32_t param;
    uint32_t n;
    size_t begin;
    double squares; /* of its gradient in the step under way */
} tn_optim_chunk;

struct tern_optim {
    tern_optim_opts opts;
    tern_optim_param *params; /* [n] */
    size_t *offsets;          /* [n] of each parameter in the moments' slabs */
    size_t n, n_elements;
    tn_optim_chunk *chunks;
    size_t n_chunks;
    float *moments[2]; /* [n_elements] AdamW: m, v; SGD: m, NULL or both NULL */
    uint64_t n_steps;
    tn_pool *pool;
};

/* Slabs of moments this optimiser keeps, 0..2, and their names in a checkpoint. */
int tn_optim_n_moments(const tern_optim *o);
extern const char *const tn_optim_moment_names[2];

#endif
