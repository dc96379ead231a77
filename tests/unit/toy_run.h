/* toy_run.h - a training run without a network, for tests of checkpoints: two parameters pulled to
 * targets by noisy gradients, so that parameters, moments, step, noise and data all matter. */
#ifndef TOY_RUN_H
#define TOY_RUN_H
#include "core/base/rng.h"
#include "core/graph/optim.h"
#include "tern/checkpoint.h"
#include "tests/test.h"

enum { TOY_N = 40, TOY_RECIPE = 77 };

typedef struct toy {
    float w[TOY_N], g[TOY_N];
    tern_optim *o;
    tn_rng rng;
    uint64_t cursor;
} toy;

static inline tern_status toy_init(toy *t, tern_optim_kind kind, tern_error *e) {
    *t = (toy){.rng = tn_rng_init(5, 1)};
    tn_optim_param p[2] = {{"embed.weight", t->w, t->g, 30, 2, {5, 6}, 1, 1},
                           {"norm.bias", t->w + 30, t->g + 30, 10, 1, {10}, 1, 0}};
    tern_optim_opts opts = tern_optim_defaults(kind);
    return tn_optim_new(&opts, p, 2, NULL, &t->o, e);
}

static inline double toy_step(toy *t) {
    double loss = 0;
    tern_error e;
    for (int i = 0; i < TOY_N; i++) {
        float target = (float)((t->cursor * 7 + (uint64_t)i) % 11) / 11;
        t->g[i] = t->w[i] - target + 0.1f * (float)tn_rng_normal(&t->rng);
        loss += (t->w[i] - target) * (t->w[i] - target);
    }
    t->cursor += 3;
    CHECK_OK(tern_optim_step(t->o, 0.05, 1, NULL, &e), e);
    return loss;
}

static inline tern_train_state toy_state(const toy *t, char *user) {
    return (tern_train_state){t->cursor, t->rng.seed, t->rng.stream, t->rng.n, TOY_RECIPE, user};
}

static inline void toy_resume(toy *t, const tern_train_state *s) {
    t->cursor = s->cursor;
    t->rng = (tn_rng){s->rng_seed, s->rng_stream, s->rng_n};
}
#endif
