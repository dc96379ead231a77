/* source.c - see source.h. */
#include "core/lm/source.h"
#include "core/kernels/dtype.h"
#include "core/kernels/kernels.h"
#include <string.h>

#include "core/base/mem.h"

static void free_opened(tn_lm_source *s) {
    tern_st_close(s->st);
    tn_free((char *)(uintptr_t)s->path);
    tn_free(s);
}

tern_status tn_lm_source_open(const char *model_dir, tn_lm_source **out, tern_error *err) {
    *out = NULL;
    tn_lm_source *s = tn_calloc(1, sizeof *s);
    if (!s || !(s->path = tn_strdup(model_dir))) {
        tn_free(s);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %s", model_dir);
    }
    s->free = free_opened;
    tern_status status = tern_st_open(model_dir, &s->st, err);
    if (status != TERN_OK)
        free_opened(s);
    else
        *out = s;
    return status;
}

void tn_lm_source_free(tn_lm_source *s) {
    if (s && s->free) s->free(s);
}

size_t tn_lm_source_size(const tn_lm_source *s) {
    return s->st ? tern_st_n_tensors(s->st) : s->n;
}

const tern_st_tensor *tn_lm_source_at(const tn_lm_source *s, size_t i) {
    return s->st ? tern_st_at(s->st, i) : &s->tensors[i];
}

const tern_st_tensor *tn_lm_source_find(const tn_lm_source *s, const char *name) {
    if (s->st) return tern_st_find(s->st, name);
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->tensors[i].name, name) == 0) return &s->tensors[i];
    return NULL;
}

void tn_lm_row_get(const tern_st_tensor *t, size_t row, float *out) {
    size_t width = (size_t)t->dims[1], size = tern_st_dtype_bytes(t->dtype);
    const char *data = (const char *)t->data + row * width * size;
    if (t->dtype == TERN_ST_F32) {
        memcpy(out, data, width * sizeof *out);
    } else if (t->dtype == TERN_ST_BF16) {
        tn_kernels_get()->f32_from_bf16(out, (const tn_bf16 *)(const void *)data, width);
    } else {
        tern_st_tensor one = {.dtype = t->dtype,
                              .n_dims = 1,
                              .dims = {t->dims[1]},
                              .data = data,
                              .n_bytes = width * size};
        tern_status status = tern_st_read_f32(&one, out, width, NULL);
        (void)status; /* only a wrong count fails */
    }
}
