/* recipe.h - everything that decides how a training run comes out, in one struct.
 * Two runs with equal recipes on the same index and questions end with the same weights, bit for
 * bit, whatever the number of threads and however often they were interrupted. */
#ifndef TN_RECIPE_H
#define TN_RECIPE_H
#include "core/base/json.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct tn_recipe {
    char reward[32];   /* an arm of reward.h; default "ccs-lexical" */
    char start[512];   /* "embedded" (default), "hand-set", "uniform", or a policy file */
    char advantage[8]; /* "grpo" (default) or "rloo" */
    uint32_t steps;    /* updates; default 80 */
    uint32_t batch;    /* questions a step; default 16 */
    uint32_t group;    /* rollouts a question, 2..64; default 8 */
    uint32_t hidden;   /* tanh units beside the linear part; default 0, the best on dev. A file has
                      its own */
    uint32_t turns, top_k; /* of the episode; default 4, 3 */
    uint32_t held_out;     /* questions kept from training to judge it; default 50, at most a
                              fifth of the file */
    uint32_t eval_every;   /* steps between looks at the held-out questions; default 10; 0: only
                              before and after */
    double lr;             /* of Adam; default 0.01; from the uniform start 0.05 is better */
    double kl;             /* weight of k3 against the start policy; default 0.001 */
    double temperature;    /* of the rollouts; default 1 */
    double spread_min;     /* groups whose rewards' standard deviation is below are dropped; 1e-3 */
    double clip_norm;      /* of the gradient; default 1; 0: none */
    bool backstop;         /* psi_mask also hides what query and question share; default true */
    uint64_t seed;
} tn_recipe;

tn_recipe tn_recipe_defaults(void);
/* Members of a JSON object replace those of *r; an unknown member or a wrong type is FORMAT and
 * names it, with `where` in front. */
TERN_MUST_USE tern_status tn_recipe_read(tn_recipe *r, const json_t *obj, const char *where,
                                         tern_error *err);
/* ARG: a value out of its range, an unknown arm. */
TERN_MUST_USE tern_status tn_recipe_check(const tn_recipe *r, tern_error *err);
/* A new reference with all members; NULL: no memory. */
json_t *tn_recipe_json(const tn_recipe *r);

#endif
