/* optim.c - see tern/optim.h.
 * A step passes over the gradients twice: the first pass sums squares, each chunk into its own
 * slot, added up in chunk order; only when that sum is finite does the second pass move anything.
 */
#include "core/graph/optim.h"
#include "core/graph/graph_priv.h"
#include "core/kernels/kernels.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

/* Elements a chunk: 64 KiB of each array, so that the four of AdamW stay in a core's L2. */
enum { CHUNK = 16384 };

const char *const tn_optim_moment_names[2] = {"m", "v"};

tern_optim_opts tern_optim_defaults(tern_optim_kind kind) {
    if (kind == TERN_OPTIM_SGD) return (tern_optim_opts){.kind = kind, .momentum = 0.9f};
    return (tern_optim_opts){
        .kind = kind, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.01f};
}

static bool in_range(float x, float lo, float hi) {
    return x >= lo && x < hi; /* false for NaN */
}

static tern_status check_opts(const tern_optim_opts *o, tern_error *err) {
    const char *bad = NULL;
    if (o->kind != TERN_OPTIM_ADAMW && o->kind != TERN_OPTIM_SGD)
        bad = "kind is none of tern_optim_kind";
    else if (!in_range(o->weight_decay, 0, INFINITY))
        bad = "weight_decay is below 0 or not finite";
    else if (!in_range(o->grad_norm_max, 0, INFINITY))
        bad = "grad_norm_max is below 0 or not finite";
    else if (o->kind == TERN_OPTIM_SGD && !in_range(o->momentum, 0, 1))
        bad = "momentum is not in [0, 1)";
    else if (o->kind == TERN_OPTIM_SGD && o->nesterov && o->momentum == 0)
        bad = "nesterov needs a momentum";
    else if (o->kind == TERN_OPTIM_ADAMW &&
             (!in_range(o->beta1, 0, 1) || !in_range(o->beta2, 0, 1)))
        bad = "beta1 or beta2 is not in [0, 1)";
    else if (o->kind == TERN_OPTIM_ADAMW && !(o->eps > 0 && isfinite(o->eps)))
        bad = "eps is not above 0";
    return bad ? tern_fail(err, TERN_ERR_ARG, 0, "optimiser: %s", bad) : TERN_OK;
}

static tern_status check_param(const tn_optim_param *p, tern_error *err) {
    if (!p->name || !p->name[0]) return tern_fail(err, TERN_ERR_ARG, 0, "a parameter has no name");
    if (p->n_dims < 0 || p->n_dims > TERN_ST_DIMS_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "parameter '%s': %d dimensions", p->name, p->n_dims);
    uint64_t n = 1;
    for (int d = 0; d < p->n_dims; d++)
        if (p->dims[d] < 0 || __builtin_mul_overflow(n, (uint64_t)p->dims[d], &n))
            return tern_fail(err, TERN_ERR_ARG, 0, "parameter '%s': dimension %d is out of range",
                             p->name, d);
    if (n != p->n || (n && (!p->value || !p->grad)))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "parameter '%s': %zu elements, dimensions for %llu%s", p->name, p->n,
                         (unsigned long long)n, n == p->n ? ", but no value or gradient" : "");
    return TERN_OK;
}

static void cut_chunks(tern_optim *o) {
    tn_optim_chunk *c = o->chunks;
    for (size_t i = 0; i < o->n; i++)
        for (size_t at = 0; at < o->params[i].n; at += CHUNK, c++) {
            size_t left = o->params[i].n - at;
            *c = (tn_optim_chunk){(uint32_t)i, (uint32_t)(left < CHUNK ? left : CHUNK), at, 0};
        }
}

int tn_optim_n_moments(const tern_optim *o) {
    return o->opts.kind == TERN_OPTIM_ADAMW ? 2 : o->opts.momentum > 0;
}

tern_status tn_optim_new(const tern_optim_opts *opts, const tn_optim_param *params, size_t n,
                         tn_pool *pool, tern_optim **out, tern_error *err) {
    *out = NULL;
    tern_status st = check_opts(opts, err);
    if (st != TERN_OK) return st;
    if (n > UINT32_MAX) return tern_fail(err, TERN_ERR_ARG, 0, "optimiser: %zu parameters", n);
    size_t n_chunks = 0, n_elements = 0;
    for (size_t i = 0; i < n; i++) {
        if ((st = check_param(&params[i], err)) != TERN_OK) return st;
        n_chunks += params[i].n / CHUNK + (params[i].n % CHUNK != 0);
        n_elements += params[i].n;
    }
    tern_optim *o = tn_calloc(1, sizeof *o);
    if (!o) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    o->opts = *opts;
    o->n = n;
    o->n_chunks = n_chunks;
    o->n_elements = n_elements;
    o->pool = pool;
    o->params = tn_calloc(n + 1, sizeof *o->params);
    o->offsets = tn_calloc(n + 1, sizeof *o->offsets);
    o->chunks = tn_calloc(n_chunks + 1, sizeof *o->chunks);
    bool whole = o->params && o->offsets && o->chunks;
    for (int k = 0; k < tn_optim_n_moments(o); k++) {
        o->moments[k] = tn_calloc(n_elements + 1, sizeof(float));
        whole &= o->moments[k] != NULL;
    }
    if (!whole) {
        tern_optim_free(o);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the moments of %zu parameters",
                         n_elements);
    }
    if (n) memcpy(o->params, params, n * sizeof *params);
    for (size_t i = 0, at = 0; i < n; at += params[i++].n) o->offsets[i] = at;
    cut_chunks(o);
    *out = o;
    return TERN_OK;
}

tern_status tern_optim_new(const tern_optim_opts *opts, tern_params *params, tern_graph *g,
                           tern_optim **out, tern_error *err) {
    *out = NULL;
    size_t n = tern_params_count(params);
    const char *bad = !tern_params_values(params)  ? "tern_params_init has not been called"
                      : !tern_params_grads(params) ? "the registry is for inference"
                                                   : NULL;
    tn_optim_param *list = tn_calloc(n + 1, sizeof *list);
    if (!list) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n && !bad; i++) {
        tern_param p = tern_params_get(params, i);
        if (p.tensor->dtype != TERN_F32) bad = "parameters are not F32";
        list[i] = (tn_optim_param){.name = p.name,
                                   .value = (float *)tern_params_values(params) + p.offset,
                                   .grad = (float *)tern_params_grads(params) + p.offset,
                                   .n = p.size,
                                   .n_dims = (int)p.tensor->rank,
                                   .lr_scale = 1,
                                   .decay_scale = 1,
                                   .group = p.group,
                                   .no_decay = p.flags & TERN_PARAM_NO_DECAY,
                                   .tensor = p.tensor};
        for (size_t d = 0; d < p.tensor->rank; d++) list[i].dims[d] = (int64_t)p.tensor->dim[d];
    }
    tern_status st = bad ? tern_fail(err, TERN_ERR_ARG, 0, "optimiser: %s", bad)
                         : tn_optim_new(opts, list, n, g ? g->pool : NULL, out, err);
    tn_free(list);
    return st;
}

size_t tern_optim_set_group(tern_optim *o, unsigned group, double lr_scale, double decay_scale) {
    size_t n = 0;
    for (size_t i = 0; i < o->n; i++) {
        if (o->params[i].group != group) continue;
        o->params[i].lr_scale = (float)lr_scale;
        o->params[i].decay_scale = (float)decay_scale;
        n++;
    }
    return n;
}

void tern_optim_free(tern_optim *o) {
    if (!o) return;
    tn_free(o->moments[0]);
    tn_free(o->moments[1]);
    tn_free(o->chunks);
    tn_free(o->offsets);
    tn_free(o->params);
    tn_free(o);
}

static bool has_grad(const tn_optim_param *p) {
    return !p->tensor || (p->tensor->grad_set && p->tensor->requires_grad);
}

static void sum_chunk(void *arg, size_t begin, size_t end, int worker) {
    tern_optim *o = arg;
    const tn_kernels *k = tn_kernels_get();
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        tn_optim_chunk *c = &o->chunks[i];
        if (!has_grad(&o->params[c->param])) {
            c->squares = 0;
            continue;
        }
        c->squares = k->sum_squares(o->params[c->param].grad + c->begin, c->n);
    }
}

/* What one step multiplies by. */
typedef struct move {
    tern_optim *o;
    float lr, grad_scale;
    double correction1, correction2;
} move;

/* w, m and the gradient of one chunk by SGD; m NULL: without momentum. */
static void sgd(float *w, const float *grad, float *m, size_t n, float lr, float decay, float scale,
                const tern_optim_opts *opts) {
    float mu = opts->momentum;
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] * scale + decay * w[i];
        if (m) {
            m[i] = mu * m[i] + g;
            g = opts->nesterov ? g + mu * m[i] : m[i];
        }
        w[i] -= lr * g;
    }
}

static void move_chunk(void *arg, size_t begin, size_t end, int worker) {
    const move *mv = arg;
    tern_optim *o = mv->o;
    const tn_kernels *k = tn_kernels_get();
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const tn_optim_chunk *c = &o->chunks[i];
        const tn_optim_param *p = &o->params[c->param];
        size_t at = o->offsets[c->param] + c->begin;
        float lr = mv->lr * p->lr_scale;
        float decay = p->no_decay ? 0 : o->opts.weight_decay * p->decay_scale;
        float *w = p->value + c->begin;
        const float *g = p->grad + c->begin;
        if (lr == 0 || !has_grad(p)) continue;
        if (o->opts.kind == TERN_OPTIM_SGD) {
            sgd(w, g, o->moments[0] ? o->moments[0] + at : NULL, c->n, lr, decay, mv->grad_scale,
                &o->opts);
            continue;
        }
        tn_adamw_args a = {.lr = lr,
                           .beta1 = o->opts.beta1,
                           .beta2 = o->opts.beta2,
                           .eps = o->opts.eps,
                           .weight_decay = decay,
                           .correction1 = (float)mv->correction1,
                           .correction2 = (float)mv->correction2,
                           .grad_scale = mv->grad_scale};
        k->adamw(w, g, o->moments[0] + at, o->moments[1] + at, &a, c->n);
    }
}

static tern_status not_finite(const tern_optim *o, tern_error *err) {
    for (size_t i = 0; i < o->n_chunks; i++)
        if (!isfinite(o->chunks[i].squares))
            return tern_fail(err, TERN_ERR_LIMIT, 0,
                             "step %llu: the gradient of parameter '%s' is not finite; nothing was "
                             "changed",
                             (unsigned long long)o->n_steps + 1,
                             o->params[o->chunks[i].param].name);
    return tern_fail(err, TERN_ERR_LIMIT, 0,
                     "step %llu: the norm of the gradients is not finite; nothing was changed",
                     (unsigned long long)o->n_steps + 1);
}

tern_status tern_optim_step(tern_optim *o, double lr, double grad_scale, double *grad_norm,
                            tern_error *err) {
    if (!(lr >= 0) || !isfinite(lr) || !isfinite(grad_scale))
        return tern_fail(err, TERN_ERR_ARG, 0, "optimiser: lr %g, grad_scale %g", lr, grad_scale);
    tn_pool_for(o->pool, o->n_chunks, 1, sum_chunk, o);
    double squares = 0;
    for (size_t i = 0; i < o->n_chunks; i++) squares += o->chunks[i].squares;
    double norm = sqrt(squares) * fabs(grad_scale);
    if (grad_norm) *grad_norm = norm;
    if (!isfinite(norm)) return not_finite(o, err);
    /* 1e-6 as in torch.nn.utils.clip_grad_norm_ */
    double clip = o->opts.grad_norm_max > 0 ? o->opts.grad_norm_max / (norm + 1e-6) : 1;
    if (clip < 1) grad_scale *= clip;
    double t = (double)++o->n_steps;
    move mv = {.o = o,
               .lr = (float)lr,
               .grad_scale = (float)grad_scale,
               .correction1 = 1 - pow(o->opts.beta1, t),
               .correction2 = 1 - pow(o->opts.beta2, t)};
    tn_pool_for(o->pool, o->n_chunks, 1, move_chunk, &mv);
    return TERN_OK;
}

uint64_t tern_optim_n_steps(const tern_optim *o) {
    return o->n_steps;
}
