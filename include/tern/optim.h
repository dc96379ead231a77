/* optim.h - how parameters move: AdamW and SGD, clipping, learning-rate schedules.
 * An optimiser borrows the parameters and their gradients and owns the moments. A step either moves
 * every parameter or, when a gradient is not finite, none. Steps have the same bits for any number
 * of threads: chunks and the order of their sums are fixed by the parameters' sizes. */
#ifndef TERN_OPTIM_H
#define TERN_OPTIM_H
#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tern_optim_kind {
    TERN_OPTIM_ADAMW, /* Loshchilov and Hutter, ICLR 2019 */
    TERN_OPTIM_SGD,   /* with momentum, plain or Nesterov's */
} tern_optim_kind;

/* With g the gradient after grad_scale and clipping, t = 1, 2, ... the step:
 *   AdamW   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2;   w -= lr weight_decay w;
 *           w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 *   SGD     g += weight_decay w;   m = momentum m + g;
 *           w -= lr m, or lr (g + momentum m) with nesterov
 * as torch.optim.AdamW and torch.optim.SGD have them. */
typedef struct tern_optim_opts {
    tern_optim_kind kind;
    float beta1, beta2, eps; /* AdamW: 0.9, 0.999, 1e-8 */
    float momentum;          /* SGD: 0.9; 0 keeps no moments */
    bool nesterov;           /* SGD: false */
    float weight_decay;      /* AdamW 0.01, SGD 0 */
    float grad_norm_max;     /* clip gradients to this global 2-norm; 0 (default): never */
} tern_optim_opts;
TERN_API tern_optim_opts tern_optim_defaults(tern_optim_kind kind);

typedef struct tern_optim tern_optim; /* one thread at a time */

/* An optimiser of a registry that has been initialised, of F32; moments zero. Registry and graph
 * are borrowed until free; the graph lends its threads (NULL: the calling thread alone).
 * Parameters with TERN_PARAM_NO_DECAY are not decayed. Errors: ARG, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_optim_new(const tern_optim_opts *opts, tern_params *params,
                                                  tern_graph *g, tern_optim **out, tern_error *err);
TERN_API void tern_optim_free(tern_optim *o); /* NULL allowed */
/* Factors on the learning rate and the weight decay of a group (tern_params_set_group, before
 * tern_optim_new); 1 and 1 unless set. Returns how many parameters the group has. */
TERN_API size_t tern_optim_set_group(tern_optim *o, unsigned group, double lr_scale,
                                     double decay_scale);

/* One step of every parameter that has a gradient; then tern_params_zero_grad is the caller's.
 *   lr           learning rate, of a schedule or constant
 *   grad_scale   each gradient is multiplied by it first: 1 / (number of accumulated batches)
 *   grad_norm    out, may be NULL: global 2-norm after grad_scale, before clipping
 * Errors: ARG; LIMIT: a gradient holds a NaN or an infinity. The message names the first such
 * parameter, and nothing has changed. */
TERN_API TERN_MUST_USE tern_status tern_optim_step(tern_optim *o, double lr, double grad_scale,
                                                   double *grad_norm, tern_error *err);
TERN_API uint64_t tern_optim_n_steps(const tern_optim *o); /* steps made */

/* Learning rates by step. Warm-up goes in a line to lr_max, which step n_warmup - 1 has; from there
 * the rate stays, falls in a line, or by half a cosine, to lr_min at step n_steps - 1 and after. */
typedef enum tern_lr_kind { TERN_LR_CONSTANT, TERN_LR_LINEAR, TERN_LR_COSINE } tern_lr_kind;
typedef struct tern_lr {
    tern_lr_kind kind;
    double lr_max, lr_min;
    uint64_t n_warmup; /* 0: none */
    uint64_t n_steps;  /* of the whole run; CONSTANT ignores it */
} tern_lr;
/* The rate of step 0, 1, ... */
TERN_API double tern_lr_at(const tern_lr *s, uint64_t step);

#ifdef __cplusplus
}
#endif
#endif
