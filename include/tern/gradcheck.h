/* gradcheck.h - are the gradients of a function right?
 *
 * fn is run in double on values drawn from a seed, its output is turned into one number by fixed
 * random weights, and every gradient is compared, element by element and with its sign, with the
 * central difference (L(x + h) - L(x - h)) / 2h. Compared are
 *   - what tern_backward leaves (the kernels),
 *   - what tern_grad gives in operations, where fn has second order,
 *   - the gradient of a random combination of those gradients, against differences of them,
 *   - the gradients of the same function in f32, against those in double. */
#ifndef TERN_GRADCHECK_H
#define TERN_GRADCHECK_H
#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_gradcheck_input {
    const char *name;
    size_t rank, dim[TERN_RANK_MAX];
    double low, high; /* values are drawn uniformly between; both 0: -1 and 1 */
} tern_gradcheck_input;

typedef struct tern_gradcheck_opts {
    tern_params *params;   /* F64 registry that fn uses besides its inputs, checked too, or NULL */
    uint64_t seed;         /* of inputs and weights */
    double step;           /* h; 0: 1e-5 */
    double tolerance;      /* of |difference| / (1 + |gradient|); 0: 1e-7 */
    double tolerance_f32;  /* the same for f32 against double; 0: 2e-4 */
    bool first_order_only; /* fn has operations marked (1) */
} tern_gradcheck_opts;     /* zero-initialised: the defaults */

typedef struct tern_gradcheck_report {
    bool passed;
    size_t n_compared; /* gradient elements, over all comparisons */
    double worst;      /* largest |difference| / (1 + |gradient|) in double */
    double worst_f32;  /* the same of f32 against double */
    char text[256];    /* the first failure: which tensor, element, comparison and both numbers */
} tern_gradcheck_report;

/* Errors: those of fn; ARG (more than 16 inputs, params not F64); NOMEM. A wrong gradient is no
 * error: see report->passed. f32 is compared where there are no params. */
TERN_API TERN_MUST_USE tern_status tern_gradcheck(tern_graph_fn *fn, void *ud,
                                                  const tern_gradcheck_input *inputs, size_t n,
                                                  const tern_gradcheck_opts *opts,
                                                  tern_gradcheck_report *report, tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
