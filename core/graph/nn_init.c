/* nn_init.c - initial values of parameters. The stream of random numbers is named by the parameter,
 * so a network's start does not depend on the order in which its modules were made. */
#include "core/base/rng.h"
#include "core/graph/nn_priv.h"
#include <math.h>

#include "core/base/mem.h"

static uint64_t hash_name(const char *s) { /* FNV-1a */
    uint64_t h = 0xcbf29ce484222325u;
    for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return h;
}

static double draw(tn_rng *r, tern_init_kind kind, double scale) {
    double x;
    switch (kind) {
    case TERN_INIT_ONES:
        return 1;
    case TERN_INIT_NORMAL:
    case TERN_INIT_KAIMING:
        return scale * tn_rng_normal(r);
    case TERN_INIT_TRUNC_NORMAL:
        do x = tn_rng_normal(r);
        while (fabs(x) > 2);
        return scale * x;
    case TERN_INIT_UNIFORM:
    case TERN_INIT_XAVIER:
    case TERN_INIT_FAN_IN:
        return scale * (2 * tn_rng_uniform(r) - 1);
    default:
        return 0;
    }
}

void tn_init_draw(tern_tensor *t, tern_init init, uint64_t seed) {
    tn_rng r = tn_rng_init(seed, hash_name(t->name));
    size_t n = tn_size(t), field = 1; /* [out, in, kernel..] */
    double scale = init.scale != 0 ? init.scale : 1;
    for (size_t i = 2; i < t->rank; i++) field *= t->dim[i];
    double fan_out = (double)field * (double)(t->rank ? t->dim[0] : 1);
    double fan_in = t->rank > 1 ? (double)field * (double)t->dim[1] : fan_out;
    if (init.kind == TERN_INIT_XAVIER) scale *= sqrt(6 / (fan_in + fan_out));
    if (init.kind == TERN_INIT_KAIMING) scale *= sqrt(2 / fan_in);
    if (init.kind == TERN_INIT_FAN_IN) scale /= sqrt(fan_in);
    for (size_t i = 0; i < n; i++) {
        double x = draw(&r, init.kind, scale);
        if (tn_is_f64(t))
            ((double *)t->data)[i] = x;
        else
            ((float *)t->data)[i] = (float)x;
    }
}
