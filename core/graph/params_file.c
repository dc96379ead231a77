/* params_file.c - a registry's parameters to and from safetensors; see tern/checkpoint.h. Loading
 * looks at every name and shape before it sets the first value. */
#include "core/graph/graph_priv.h"
#include "tern/checkpoint.h"

#include "core/base/mem.h"

static tern_status list_params(const tern_params *p, tern_st_tensor **out, tern_error *err) {
    size_t n = tern_params_count(p);
    const float *values = tern_params_values(p);
    *out = NULL;
    if (!values) return tern_fail(err, TERN_ERR_ARG, 0, "tern_params_init has not been called");
    tern_st_tensor *t = tn_calloc(n + 1, sizeof *t);
    if (!t) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        tern_param q = tern_params_get(p, i);
        if (q.tensor->dtype != TERN_F32) {
            tn_free(t);
            return tern_fail(err, TERN_ERR_ARG, 0, "parameter '%s' is not F32", q.name);
        }
        t[i] = (tern_st_tensor){.name = q.name,
                                .dtype = TERN_ST_F32,
                                .n_dims = (int)q.tensor->rank,
                                .data = values + q.offset,
                                .n_bytes = q.size * sizeof(float)};
        for (size_t d = 0; d < q.tensor->rank; d++) t[i].dims[d] = (int64_t)q.tensor->dim[d];
    }
    *out = t;
    return TERN_OK;
}

tern_status tern_params_save(const char *path, const tern_params *p, const tern_st_meta *meta,
                             size_t n_meta, tern_error *err) {
    tern_st_tensor *t;
    tern_status s = list_params(p, &t, err);
    if (s == TERN_OK) s = tern_st_save(path, t, tern_params_count(p), meta, n_meta, err);
    tn_free(t);
    return s;
}

tern_status tern_params_load(const char *path, tern_params *p, tern_error *err) {
    tern_st *st = NULL;
    tern_st_tensor *t;
    const tern_st_tensor *have;
    size_t n = tern_params_count(p);
    tern_status s = list_params(p, &t, err);
    if (s == TERN_OK) s = tern_st_open(path, &st, err);
    for (size_t i = 0; i < n && s == TERN_OK; i++)
        s = tern_st_get(st, t[i].name, t[i].n_dims, t[i].dims, &have, err);
    for (size_t i = 0; i < n && s == TERN_OK; i++) {
        float *value = (float *)tern_params_values(p) + tern_params_get(p, i).offset;
        s = tern_st_read_f32(tern_st_find(st, t[i].name), value, t[i].n_bytes / sizeof(float), err);
    }
    tern_st_close(st);
    tn_free(t);
    return s;
}
