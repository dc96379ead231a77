/* nn_params.c - the parameter registry (nn.h): names, two slabs, and where each tensor lies.
 * Each parameter starts on a multiple of 16 elements; the padding between stays zero. */
#include "core/graph/graph_priv.h"
#include "core/graph/nn_priv.h"
#include <stdarg.h>
#include <stdio.h>

#include "core/base/mem.h"

enum { ALIGN_ELEMENTS = 16, ALIGN_BYTES = 64, NAME_MAX_BYTES = 200 };

typedef struct entry {
    tern_param param;
    tern_init init;
    tern_tensor tensor, grad; /* headers; data lies in the slabs */
} entry;

struct tern_params {
    tern_params_opts opts;
    tern_error error; /* sticky while adding */
    tern_init init;   /* TERN_INIT_DEFAULT means this */
    tn_arena arena;   /* entries and names: their addresses last */
    entry **entries;
    size_t n, cap;
    size_t n_slab, n_elements;
    void *raw_values, *raw_grads; /* as the heap gave them */
    void *values, *grads;         /* 64-byte aligned */
};

static tern_tensor *fail(tern_params *p, tern_status status, const char *fmt, ...)
    TERN_PRINTF(3, 4);
static tern_tensor *fail(tern_params *p, tern_status status, const char *fmt, ...) {
    if (!p->error.status) {
        va_list ap;
        va_start(ap, fmt);
        p->error.status = status;
        vsnprintf(p->error.text, sizeof p->error.text, fmt, ap);
        va_end(ap);
    }
    return NULL;
}

tern_status tern_params_new(const tern_params_opts *opts, tern_params **out, tern_error *err) {
    *out = NULL;
    if (opts && opts->dtype != TERN_F32 && opts->dtype != TERN_F64)
        return tern_fail(err, TERN_ERR_ARG, 0, "parameters are F32 or F64");
    tern_params *p = tn_calloc(1, sizeof *p);
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "no memory for a parameter registry");
    if (opts) p->opts = *opts;
    p->init = (tern_init){TERN_INIT_FAN_IN, 1};
    *out = p;
    return TERN_OK;
}

void tern_params_free(tern_params *p) {
    if (!p) return;
    tn_free(p->raw_values);
    tn_free(p->raw_grads);
    tn_free(p->entries);
    tn_arena_deinit(&p->arena);
    tn_free(p);
}

void tern_params_set_init(tern_params *p, tern_init init) {
    if (init.kind != TERN_INIT_DEFAULT) p->init = init;
}

static entry *find(const tern_params *p, const char *name) {
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->entries[i]->param.name, name) == 0) return p->entries[i];
    return NULL;
}

tern_tensor *tern_params_add(tern_params *p, const char *name, size_t rank, const size_t *dims,
                             tern_init init, unsigned flags) {
    size_t n = 1, len = strlen(name);
    if (p->error.status) return NULL;
    if (p->values) return fail(p, TERN_ERR_ARG, "%.200s: added after tern_params_init", name);
    if (len > NAME_MAX_BYTES)
        return fail(p, TERN_ERR_LIMIT, "%.60s...: a name of more than %d bytes", name,
                    NAME_MAX_BYTES);
    if (find(p, name)) return fail(p, TERN_ERR_EXISTS, "%s: there is such a parameter", name);
    bool ok = rank <= TERN_RANK_MAX;
    for (size_t i = 0; ok && i < rank; i++) ok = !__builtin_mul_overflow(n, dims[i], &n);
    if (!ok || n > PTRDIFF_MAX / 16 - p->n_slab)
        return fail(p, TERN_ERR_SHAPE, "%s: too many axes or elements", name);
    entry *e = tn_arena_calloc(&p->arena, 1, sizeof *e);
    char *copy = tn_arena_strndup(&p->arena, name, len);
    if (!e || !copy || TN_GROW(p->entries, p->cap, p->n + 1) != 0)
        return fail(p, TERN_ERR_NOMEM, "%s: no memory for a parameter", name);
    e->init = init.kind == TERN_INIT_DEFAULT ? p->init : init;
    e->param = (tern_param){
        .name = copy, .tensor = &e->tensor, .flags = flags, .offset = p->n_slab, .size = n};
    e->tensor = (tern_tensor){
        .dtype = p->opts.dtype, .n_holds = 1, .handle = true, .kept = true, .name = copy};
    e->grad = e->tensor;
    tn_set_shape(&e->tensor, rank, dims);
    tn_set_shape(&e->grad, rank, dims);
    e->tensor.requires_grad = !p->opts.inference && !(flags & TERN_PARAM_FROZEN);
    p->entries[p->n++] = e;
    p->n_slab += (n + ALIGN_ELEMENTS - 1) / ALIGN_ELEMENTS * ALIGN_ELEMENTS;
    p->n_elements += n;
    return &e->tensor;
}

static void *slab_new(const tern_params *p, void **raw) {
    *raw = tn_calloc(p->n_slab * tn_dtype_size((tn_dtype)p->opts.dtype) + ALIGN_BYTES, 1);
    return *raw ? (char *)*raw + (ALIGN_BYTES - (uintptr_t)*raw % ALIGN_BYTES) : NULL;
}

tern_status tern_params_init(tern_params *p, tern_error *err) {
    if (p->error.status) {
        if (err) *err = p->error;
        return p->error.status;
    }
    if (p->values) return tern_fail(err, TERN_ERR_ARG, 0, "tern_params_init: called twice");
    size_t unit = tn_dtype_size((tn_dtype)p->opts.dtype);
    void *values = slab_new(p, &p->raw_values);
    if (!p->opts.inference) p->grads = slab_new(p, &p->raw_grads);
    if (!values || (!p->opts.inference && !p->grads)) {
        tn_free(p->raw_values);
        tn_free(p->raw_grads);
        p->raw_values = p->raw_grads = p->grads = NULL;
        return tern_fail(err, TERN_ERR_NOMEM, 0, "no memory for %zu parameters", p->n_elements);
    }
    p->values = values;
    for (size_t i = 0; i < p->n; i++) {
        entry *e = p->entries[i];
        e->tensor.data = (char *)p->values + e->param.offset * unit;
        if (p->grads) {
            e->grad.data = (char *)p->grads + e->param.offset * unit;
            e->tensor.grad = &e->grad;
        }
        tn_init_draw(&e->tensor, e->init, p->opts.seed);
    }
    return TERN_OK;
}

size_t tern_params_count(const tern_params *p) {
    return p->n;
}

tern_param tern_params_get(const tern_params *p, size_t i) {
    return p->entries[i]->param;
}

tern_tensor *tern_params_find(const tern_params *p, const char *name) {
    entry *e = find(p, name);
    return e ? &e->tensor : NULL;
}

size_t tern_params_size(const tern_params *p) {
    return p->n_elements;
}

void *tern_params_values(const tern_params *p) {
    return p->values;
}

void *tern_params_grads(const tern_params *p) {
    return p->grads;
}

size_t tern_params_slab_size(const tern_params *p) {
    return p->n_slab;
}

static bool starts_with(const entry *e, const char *prefix) {
    return strncmp(e->param.name, prefix, strlen(prefix)) == 0;
}

size_t tern_params_freeze(tern_params *p, const char *prefix, bool frozen) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        entry *e = p->entries[i];
        if (!starts_with(e, prefix)) continue;
        e->param.flags &= ~(unsigned)TERN_PARAM_FROZEN;
        if (frozen) e->param.flags |= TERN_PARAM_FROZEN, e->tensor.grad_set = false;
        e->tensor.requires_grad = !frozen && !p->opts.inference;
        n++;
    }
    return n;
}

size_t tern_params_set_group(tern_params *p, const char *prefix, unsigned group) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (starts_with(p->entries[i], prefix)) p->entries[i]->param.group = group, n++;
    return n;
}

void tern_params_zero_grad(tern_params *p) {
    for (size_t i = 0; i < p->n; i++) p->entries[i]->tensor.grad_set = false;
}
