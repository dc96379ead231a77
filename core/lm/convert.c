/* convert.c - see tern/model.h: a model folder in another element type.
 * Matrices of int8 are stored as NAME (I8, rows x columns) and NAME_scale (F32, rows): w = q scale,
 * symmetric, scale = max |w| / 127 of the row, as the products use it; embeddings then are bf16.
 * config.json gets quantization_config.quant_method "tern-int8", so that no other program mistakes
 * the bytes. The other files of the folder are copied as they are. */
#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/kernels/dtype.h"
#include "core/lm/source.h"
#include "core/lm/weights.h"
#include "tern/model.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

#define COPY_BYTES_MAX ((size_t)1 << 30)

typedef struct converter {
    const char *dir, *out;
    tern_model_type type;
    tn_lm_source *source;
    tern_st_tensor *tensors; /* [2 n]: a tensor and its scales */
    size_t n;
    tn_arena names;
    const tern_host *host;
    tern_error *err;
} converter;

static tern_status no_memory(const converter *c) {
    return tern_fail(c->err, TERN_ERR_NOMEM, 0, "out of memory while converting");
}

static bool is_embedding(const char *name) {
    return strstr(name, "embed") != NULL;
}

static tern_status quantise(converter *c, const tern_st_tensor *t, const float *x) {
    size_t rows = (size_t)t->dims[0], cols = (size_t)t->dims[1], len = strlen(t->name);
    int8_t *q = tn_alloc(rows * cols);
    float *scales = tn_alloc(rows * sizeof *scales);
    char *name = tn_arena_alloc(&c->names, len + sizeof "_scale");
    tern_st_tensor *out = &c->tensors[c->n];
    out[0] = (tern_st_tensor){.name = t->name,
                              .dtype = TERN_ST_I8,
                              .n_dims = 2,
                              .dims = {t->dims[0], t->dims[1]},
                              .data = q};
    out[1] = (tern_st_tensor){
        .name = name, .dtype = TERN_ST_F32, .n_dims = 1, .dims = {t->dims[0]}, .data = scales};
    c->n += 2; /* owned from here on */
    if (!q || !scales || !name) return no_memory(c);
    memcpy(name, t->name, len);
    memcpy(name + len, "_scale", sizeof "_scale");
    for (size_t i = 0; i < rows; i++) {
        float top = 0;
        for (size_t j = 0; j < cols; j++) top = fmaxf(top, fabsf(x[i * cols + j]));
        scales[i] = top > 0 ? top / 127 : 1;
        for (size_t j = 0; j < cols; j++) {
            float v = nearbyintf(x[i * cols + j] / scales[i]);
            q[i * cols + j] = (int8_t)fmaxf(-127, fminf(127, v));
        }
    }
    return TERN_OK;
}

static tern_status convert_tensor(converter *c, const tern_st_tensor *t) {
    size_t n = (size_t)tern_st_count(t->n_dims, t->dims);
    bool int8 = c->type == TERN_MODEL_INT8;
    if (t->dtype == TERN_ST_I8 || t->dtype > TERN_ST_BF16) {
        return tern_fail(c->err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: tensor '%s' is of type %s: convert from the original model", c->dir,
                         t->name, tern_st_dtype_name(t->dtype));
    }
    if (int8 && t->n_dims == 2 && !is_embedding(t->name)) {
        float *x = tn_alloc((n ? n : 1) * sizeof *x);
        tern_status status = x ? tern_st_read_f32(t, x, n, c->err) : no_memory(c);
        if (status == TERN_OK) status = quantise(c, t, x);
        tn_free(x);
        return status;
    }
    bool f32 = c->type == TERN_MODEL_F32;
    void *data = tn_alloc((n ? n : 1) * (f32 ? sizeof(float) : sizeof(tn_bf16)));
    if (!data) return no_memory(c);
    tern_st_tensor *out = &c->tensors[c->n++];
    *out = *t;
    out->dtype = f32 ? TERN_ST_F32 : TERN_ST_BF16;
    out->data = data;
    return f32 ? tern_st_read_f32(t, data, n, c->err) : tern_st_read_bf16(t, data, n, c->err);
}

static tern_status convert_tensors(converter *c) {
    size_t n = tn_lm_source_size(c->source);
    tern_status status = TERN_OK;
    c->tensors = tn_calloc(2 * n + 1, sizeof *c->tensors);
    if (!c->tensors) return no_memory(c);
    for (size_t i = 0; i < n && status == TERN_OK; i++) {
        status = convert_tensor(c, tn_lm_source_at(c->source, i));
        if (c->host && c->host->progress) {
            tern_progress p = {.what = "converting", .unit = "tensors", .done = i + 1, .total = n};
            c->host->progress(c->host->ud, &p);
        }
        if (status == TERN_OK && c->host && c->host->cancelled && c->host->cancelled(c->host->ud))
            status = tern_fail(c->err, TERN_ERR_CANCELLED, 0, "interrupted while converting");
    }
    return status;
}

/* ---- the files beside the weights ---- */

static tern_status write_config(converter *c, const char *from, const char *to) {
    static const char *const names[] = {"bfloat16", "float32", "bfloat16"};
    json_t *root = NULL;
    tn_buf b = {0};
    tern_status status = tn_json_load(from, &root, c->err);
    if (status != TERN_OK) return status;
    int failed = json_object_set_new(root, "torch_dtype", json_string(names[c->type]));
    if (c->type == TERN_MODEL_INT8)
        failed |= json_object_set_new(root, "quantization_config",
                                      json_pack("{s:s}", "quant_method", "tern-int8"));
    if (!failed) tn_json_dump_pretty(root, &b);
    tn_buf_char(&b, '\n');
    status = failed ? no_memory(c) : tn_buf_status(&b, c->err);
    if (status == TERN_OK) status = tn_file_replace(to, b.data, b.len, c->err);
    tn_buf_deinit(&b);
    json_decref(root);
    return status;
}

static bool is_copied(const char *name) {
    return name[0] != '.' && !tn_ends_with(name, ".safetensors") &&
           !tn_ends_with(name, ".safetensors.index.json") &&
           (tn_ends_with(name, ".json") || tn_ends_with(name, ".txt") ||
            tn_ends_with(name, ".model") || tn_ends_with(name, ".jinja") ||
            tn_ends_with(name, ".md"));
}

static tern_status copy_file(converter *c, const char *name) {
    char *from = tn_path_join(c->dir, name), *to = tn_path_join(c->out, name);
    tn_buf b = {0};
    tern_status status = from && to ? TERN_OK : no_memory(c);
    if (status == TERN_OK && strcmp(name, "config.json") == 0) {
        status = write_config(c, from, to);
    } else if (status == TERN_OK && !tn_is_dir(from)) {
        status = tn_file_read(from, COPY_BYTES_MAX, &b, c->err);
        if (status == TERN_OK) status = tn_file_replace(to, tn_buf_cstr(&b), b.len, c->err);
    }
    tn_buf_deinit(&b);
    tn_free(from);
    tn_free(to);
    return status;
}

static tern_status copy_files(converter *c) {
    DIR *d = opendir(c->dir);
    tern_status status = TERN_OK;
    if (!d) return tn_fail_errno(c->err, errno, c->dir, "cannot read the folder");
    for (struct dirent *e; status == TERN_OK && (e = readdir(d));)
        if (is_copied(e->d_name)) status = copy_file(c, e->d_name);
    closedir(d);
    return status;
}

static tern_status save(converter *c) {
    char *path = tn_path_join(c->out, "model.safetensors");
    tern_st_meta meta = {"format", "pt"};
    tern_status status =
        path ? tern_st_save(path, c->tensors, c->n, &meta, 1, c->err) : no_memory(c);
    tn_free(path);
    return status;
}

tern_status tern_model_convert(const char *dir, const char *out, tern_model_type type,
                               const tern_host *host, tern_error *err) {
    converter c = {.dir = dir, .out = out, .type = type, .host = host, .err = err};
    tn_lm_config config;
    if (tn_file_exists(out))
        return tern_fail(err, TERN_ERR_EXISTS, 0, "%s exists: give a new folder", out);
    tern_status status = tn_lm_config_load(dir, &config, err);
    if (status == TERN_OK) status = tn_lm_source_open(dir, &c.source, err);
    if (status == TERN_OK) status = convert_tensors(&c);
    if (status == TERN_OK) status = tn_mkdirs(out, err);
    if (status == TERN_OK) status = copy_files(&c);
    if (status == TERN_OK) status = save(&c); /* last: a folder with weights is whole */
    for (size_t i = 0; i < c.n; i++) tn_free((void *)(uintptr_t)c.tensors[i].data);
    tn_free(c.tensors);
    tn_arena_deinit(&c.names);
    tn_lm_source_free(c.source);
    return status;
}
