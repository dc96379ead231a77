/* gradcheck.c - signed gradient checks by central differences in double (gradcheck.h).
 * A target is anything with a gradient, an input or a parameter; its values are changed in place,
 * one element at a time. */
#include "tern/gradcheck.h"
#include "core/base/rng.h"
#include "core/graph/graph_priv.h"
#include <math.h>
#include <stdio.h>

#include "core/base/mem.h"

enum { INPUTS_MAX = 16 };
enum { WEIGHTS = 1, VALUES = 2, DIRECTIONS = 3 }; /* streams of random numbers */

typedef struct target {
    const char *name;
    double *x;    /* [size] the values, in our memory or in the registry's slab */
    double *fast; /* [size] what tern_backward says */
    double *ops;  /* [size] what tern_grad says, or the second order */
    size_t size;
    tern_tensor *tensor; /* parameters: theirs; inputs: of the current run */
} target;

typedef struct check {
    tern_graph *g;
    tern_graph_fn *fn;
    void *ud;
    const tern_gradcheck_input *inputs;
    size_t n_inputs, n_targets;
    target *targets; /* inputs, then parameters */
    tern_gradcheck_opts o;
    tern_gradcheck_report *report;
    tn_arena arena;
} check;

/* ---- one run: the loss, or the combination of its gradients ---- */

static tern_tensor *random_like(check *c, const tern_tensor *like, uint64_t stream) {
    tern_tensor *t = like ? tn_result_like(c->g, like) : NULL;
    tn_rng r = tn_rng_init(c->o.seed, stream);
    for (size_t i = 0, n = t ? tn_size(t) : 0; i < n; i++) {
        double v = tn_rng_normal(&r);
        if (tn_is_f64(t))
            ((double *)t->data)[i] = v;
        else
            ((float *)t->data)[i] = (float)v;
    }
    return t;
}

static tern_tensor *weighted_sum(check *c, tern_tensor *y, uint64_t stream) {
    tern_tensor *w = random_like(c, y, stream);
    return tern_sum(c->g, tern_mul(c->g, y, w), TERN_AXES_ALL, false);
}

/* L = <w, fn(x)> on fresh tensors of the inputs. */
static tern_tensor *loss(check *c, tern_dtype dtype) {
    tern_tensor *in[INPUTS_MAX];
    tern_graph_reset(c->g);
    tern_graph_set_rng_counter(c->g, 0);
    for (size_t i = 0; i < c->n_inputs; i++) {
        const tern_gradcheck_input *spec = &c->inputs[i];
        in[i] = tern_tensor_want_grad(tn_result(c->g, dtype, spec->rank, spec->dim));
        c->targets[i].tensor = in[i];
        for (size_t k = 0; in[i] && k < c->targets[i].size; k++) {
            double v = c->targets[i].x[k];
            if (dtype == TERN_F64)
                ((double *)in[i]->data)[k] = v;
            else
                ((float *)in[i]->data)[k] = (float)v;
        }
    }
    return weighted_sum(c, c->fn(c->g, c->ud, in), WEIGHTS);
}

static tern_status gradients(check *c, tern_tensor *y, tern_tensor **dx, tern_error *err) {
    tern_tensor **xs = tn_arena_alloc(&c->g->arena, c->n_targets * sizeof(tern_tensor *));
    if (!xs) return tern_fail(err, TERN_ERR_NOMEM, 0, "gradcheck: no memory");
    for (size_t t = 0; t < c->n_targets; t++) xs[t] = c->targets[t].tensor;
    return tern_grad(c->g, y, xs, c->n_targets, true, dx, err);
}

/* S = sum over targets of <v, dL/dx>: its gradient is the second order. */
static tern_tensor *combination(check *c, tern_error *err) {
    tern_tensor **dx = tn_arena_alloc(&c->arena, c->n_targets * sizeof(tern_tensor *));
    tern_tensor *total = NULL, *y = loss(c, TERN_F64);
    if (!dx || gradients(c, y, dx, err) != TERN_OK) return NULL;
    for (size_t t = 0; t < c->n_targets; t++) {
        tern_tensor *part = weighted_sum(c, dx[t], DIRECTIONS + t);
        total = total ? tern_add(c->g, total, part) : part;
    }
    return total;
}

/* ---- comparing ---- */

static void compare(check *c, const target *t, size_t i, const char *what, double says,
                    double reference, bool f32) {
    tern_gradcheck_report *r = c->report;
    double error = fabs(says - reference) / (1 + fabs(reference));
    double limit = f32 ? c->o.tolerance_f32 : c->o.tolerance;
    double *worst = f32 ? &r->worst_f32 : &r->worst;
    r->n_compared++;
    if (!(error <= *worst)) *worst = error;
    if (error <= limit || !r->passed) return; /* NaN fails */
    r->passed = false;
    snprintf(r->text, sizeof r->text, "%s[%zu]: %s is %.9g, expected %.9g", t->name, i, what, says,
             reference);
}

typedef tern_tensor *value_fn(check *c, tern_error *err);

static tern_tensor *plain_loss(check *c, tern_error *err) {
    (void)err;
    return loss(c, TERN_F64);
}

static tern_status value_at(check *c, value_fn *f, double *x, double v, double *out,
                            tern_error *err) {
    double was = *x;
    *x = v;
    tern_tensor *y = f(c, err);
    *out = tern_tensor_get(y, 0);
    *x = was;
    return tern_graph_status(c->g, err);
}

/* fast (and ops, if there) against central differences of f, everywhere. */
static tern_status differences(check *c, value_fn *f, const char *fast, const char *ops,
                               tern_error *err) {
    for (size_t k = 0; k < c->n_targets; k++) {
        const target *t = &c->targets[k];
        for (size_t i = 0; i < t->size; i++) {
            double h = c->o.step, x = t->x[i], up = 0, down = 0;
            tern_status st = value_at(c, f, &t->x[i], x + h, &up, err);
            if (st == TERN_OK) st = value_at(c, f, &t->x[i], x - h, &down, err);
            if (st != TERN_OK) return st;
            double slope = (up - down) / ((x + h) - (x - h));
            compare(c, t, i, fast, t->fast[i], slope, false);
            if (ops) compare(c, t, i, ops, t->ops[i], slope, false);
        }
    }
    return TERN_OK;
}

/* What tern_backward leaves, into fast. */
static tern_status by_backward(check *c, tern_tensor *y, tern_error *err) {
    if (c->o.params) tern_params_zero_grad(c->o.params);
    tern_status st = tern_backward(c->g, y, err);
    for (size_t k = 0; st == TERN_OK && k < c->n_targets; k++) {
        const tern_tensor *dx = tern_tensor_grad(c->targets[k].tensor);
        for (size_t i = 0; i < c->targets[k].size; i++)
            c->targets[k].fast[i] = dx ? tern_tensor_get(dx, i) : 0;
    }
    return st;
}

static tern_status by_operations(check *c, tern_error *err) {
    tern_tensor **dx = tn_arena_alloc(&c->arena, c->n_targets * sizeof(tern_tensor *));
    if (!dx) return tern_fail(err, TERN_ERR_NOMEM, 0, "gradcheck: no memory");
    tern_status st = gradients(c, loss(c, TERN_F64), dx, err);
    for (size_t k = 0; st == TERN_OK && k < c->n_targets; k++)
        for (size_t i = 0; i < c->targets[k].size; i++)
            c->targets[k].ops[i] = tern_tensor_get(dx[k], i);
    return st;
}

static tern_status first_order(check *c, tern_error *err) {
    bool ops = !c->o.first_order_only;
    tern_status st = by_backward(c, loss(c, TERN_F64), err);
    if (st == TERN_OK && ops) st = by_operations(c, err);
    if (st == TERN_OK)
        st = differences(c, plain_loss, "the gradient by kernels",
                         ops ? "the gradient in operations" : NULL, err);
    return st;
}

static tern_status in_f32(check *c, tern_error *err) {
    if (c->o.params) return TERN_OK;
    tern_status st = tern_backward(c->g, loss(c, TERN_F32), err);
    for (size_t k = 0; st == TERN_OK && k < c->n_targets; k++) {
        const tern_tensor *dx = tern_tensor_grad(c->targets[k].tensor);
        for (size_t i = 0; i < c->targets[k].size; i++)
            compare(c, &c->targets[k], i, "the gradient in f32", dx ? tern_tensor_get(dx, i) : 0,
                    c->targets[k].fast[i], true);
    }
    return st;
}

static tern_status second_order(check *c, tern_error *err) {
    tern_tensor *s = combination(c, err);
    if (!s) return tern_graph_status(c->g, err);
    if (!s->requires_grad) /* linear in everything: the differences must be 0 */
        for (size_t k = 0; k < c->n_targets; k++)
            memset(c->targets[k].fast, 0, c->targets[k].size * sizeof(double));
    else {
        tern_status st = by_backward(c, s, err);
        if (st != TERN_OK) return st;
    }
    return differences(c, combination, "the second derivative", NULL, err);
}

/* ---- setting up ---- */

static bool target_init(check *c, target *t, const char *name, size_t size) {
    *t = (target){.name = name, .size = size};
    t->fast = tn_arena_calloc(&c->arena, size, sizeof *t->fast);
    t->ops = tn_arena_calloc(&c->arena, size, sizeof *t->ops);
    return t->fast && t->ops;
}

static tern_status set_up(check *c, tern_error *err) {
    tern_params *p = c->o.params;
    size_t n_params = p ? tern_params_count(p) : 0;
    c->n_targets = c->n_inputs + n_params;
    c->targets = tn_arena_calloc(&c->arena, c->n_targets + 1, sizeof *c->targets);
    bool ok = c->targets != NULL;
    tn_rng r = tn_rng_init(c->o.seed, VALUES << 16);
    for (size_t i = 0; ok && i < c->n_inputs; i++) {
        const tern_gradcheck_input *spec = &c->inputs[i];
        double low = spec->low, high = spec->high;
        size_t size = 1;
        if (low == 0 && high == 0) low = -1, high = 1;
        for (size_t k = 0; k < spec->rank; k++) size *= spec->dim[k];
        ok = target_init(c, &c->targets[i], spec->name, size);
        if (ok) c->targets[i].x = tn_arena_alloc(&c->arena, size * sizeof(double));
        ok = ok && c->targets[i].x;
        for (size_t k = 0; ok && k < size; k++)
            c->targets[i].x[k] = low + (high - low) * tn_rng_uniform(&r);
    }
    for (size_t i = 0; ok && i < n_params; i++) {
        tern_param q = tern_params_get(p, i);
        target *t = &c->targets[c->n_inputs + i];
        if (q.flags & TERN_PARAM_FROZEN || q.tensor->dtype != TERN_F64)
            return tern_fail(err, TERN_ERR_ARG, 0, "gradcheck: parameters must be F64, not frozen");
        ok = target_init(c, t, q.name, q.size);
        t->x = tern_tensor_data(q.tensor);
        t->tensor = q.tensor;
    }
    return ok ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "gradcheck: no memory");
}

tern_status tern_gradcheck(tern_graph_fn *fn, void *ud, const tern_gradcheck_input *inputs,
                           size_t n, const tern_gradcheck_opts *opts, tern_gradcheck_report *report,
                           tern_error *err) {
    check c = {.fn = fn, .ud = ud, .inputs = inputs, .n_inputs = n, .report = report};
    *report = (tern_gradcheck_report){.passed = true};
    if (opts) c.o = *opts;
    if (c.o.step <= 0) c.o.step = 1e-5;
    if (c.o.tolerance <= 0) c.o.tolerance = 1e-7;
    if (c.o.tolerance_f32 <= 0) c.o.tolerance_f32 = 2e-4;
    if (n > INPUTS_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "gradcheck: %zu inputs, at most %d", n, INPUTS_MAX);
    tern_status st = set_up(&c, err);
    if (st == TERN_OK) st = tern_graph_new(&(tern_graph_opts){.n_threads = 1}, &c.g, err);
    if (st == TERN_OK) st = first_order(&c, err);
    if (st == TERN_OK) st = in_f32(&c, err);
    if (st == TERN_OK && !c.o.first_order_only) st = second_order(&c, err);
    if (c.o.params) tern_params_zero_grad(c.o.params);
    tern_graph_free(c.g);
    tn_arena_deinit(&c.arena);
    return st;
}
