/* safetensors_save.c - tensors in memory -> one file or a set of shards.
 * Elements go to the file from where they are; only the header is built. What is written, this
 * library's reader and Hugging Face's accept. */
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/graph/safetensors.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

size_t tn_st_bytes(const tern_st_tensor *t) {
    return (size_t)tern_st_count(t->n_dims, t->dims) * tern_st_dtype_bytes(t->dtype);
}

static void print_string(const char *s, tn_buf *out) {
    tn_json_escape(s, strlen(s), out);
}

void tn_st_header(const tern_st_tensor *tensors, const size_t *order, size_t n,
                  const tern_st_meta *meta, size_t n_meta, tn_buf *out) {
    static const char room[8] = {0}, spaces[8] = "        ";
    tn_buf_reset(out);
    tn_buf_add(out, room, 8);
    tn_buf_char(out, '{');
    for (size_t i = 0; i < n_meta; i++) {
        tn_buf_str(out, i ? "," : "\"__metadata__\":{");
        print_string(meta[i].key, out);
        tn_buf_char(out, ':');
        print_string(meta[i].value, out);
    }
    if (n_meta) tn_buf_str(out, n ? "}," : "}");
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const tern_st_tensor *t = &tensors[order[i]];
        if (i) tn_buf_char(out, ',');
        print_string(t->name, out);
        tn_buf_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", tern_st_dtype_name(t->dtype));
        for (int d = 0; d < t->n_dims; d++)
            tn_buf_printf(out, "%s%lld", d ? "," : "", (long long)t->dims[d]);
        uint64_t end = at + tn_st_bytes(t);
        tn_buf_printf(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                      (unsigned long long)end);
        at = end;
    }
    tn_buf_char(out, '}');
    tn_buf_add(out, spaces, -out->len & 7);
    if (out->failed) return;
    for (int i = 0; i < 8; i++) out->data[i] = (char)((out->len - 8) >> 8 * i);
}

static tern_status check_tensor(const tern_st_tensor *t, tern_error *err) {
    if (!t->name || !*t->name || strcmp(t->name, "__metadata__") == 0 ||
        !tn_utf8_valid(t->name, strlen(t->name)))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "a tensor's name is empty, __metadata__ or not UTF-8");
    if (t->n_dims < 0 || t->n_dims > TERN_ST_DIMS_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "tensor '%s': %d dimensions, more than %d", t->name,
                         t->n_dims, TERN_ST_DIMS_MAX);
    int64_t n = tern_st_count(t->n_dims, t->dims);
    if (n < 0 || n > (INT64_C(1) << 59))
        return tern_fail(err, TERN_ERR_SHAPE, 0, "tensor '%s': its dimensions are out of range",
                         t->name);
    if (n && !t->data) return tern_fail(err, TERN_ERR_ARG, 0, "tensor '%s': no data", t->name);
    return TERN_OK;
}

tern_status tn_st_plan(const tern_st_tensor *tensors, size_t n, size_t *order, tern_error *err) {
    tn_strmap names = {0};
    tern_status s = TERN_OK;
    for (size_t i = 0; i < n && s == TERN_OK; i++) {
        s = check_tensor(&tensors[i], err);
        if (s != TERN_OK) break;
        uint32_t id = tn_strmap_add(&names, tensors[i].name, strlen(tensors[i].name));
        if (id == TN_STRMAP_NONE)
            s = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        else if (id != i)
            s = tern_fail(err, TERN_ERR_ARG, 0, "two tensors are named '%s'", tensors[i].name);
    }
    size_t k = 0;
    for (size_t size = 8; size; size /= 2)
        for (size_t i = 0; i < n && s == TERN_OK; i++)
            if (tern_st_dtype_bytes(tensors[i].dtype) == size) order[k++] = i;
    tn_strmap_deinit(&names);
    return s;
}

tern_status tn_st_write(const char *path, const tn_buf *header, const tern_st_tensor *tensors,
                        const size_t *order, size_t n, tern_error *err) {
    tern_status s = tn_buf_status(header, err);
    if (s != TERN_OK) return s;
    if (header->len - 8 > TN_ST_HEADER_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "%s: the header of %zu bytes is beyond the limit of %u", path,
                         header->len - 8, TN_ST_HEADER_MAX);
    tn_file_new f;
    s = tn_file_new_open(&f, path, err);
    if (s != TERN_OK) return s;
    s = tn_write_all(f.fd, header->data, header->len, path, err);
    for (size_t i = 0; i < n && s == TERN_OK; i++) {
        const tern_st_tensor *t = &tensors[order[i]];
        s = tn_write_all(f.fd, t->data, tn_st_bytes(t), path, err);
    }
    return tn_file_new_close(&f, s, err);
}

static tern_status save_one(const char *path, const tern_st_tensor *tensors, const size_t *order,
                            size_t n, const tern_st_meta *meta, size_t n_meta, tern_error *err) {
    tn_buf header = {0};
    tn_st_header(tensors, order, n, meta, n_meta, &header);
    tern_status s = tn_st_write(path, &header, tensors, order, n, err);
    tn_buf_deinit(&header);
    return s;
}

tern_status tn_st_check_meta(const tern_st_meta *meta, size_t n, tern_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (!tn_utf8_valid(meta[i].key, strlen(meta[i].key)) ||
            !tn_utf8_valid(meta[i].value, strlen(meta[i].value)))
            return tern_fail(err, TERN_ERR_ARG, 0, "metadata entry %zu is not UTF-8", i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(meta[i].key, meta[j].key) == 0)
                return tern_fail(err, TERN_ERR_ARG, 0, "two metadata entries have the key '%s'",
                                 meta[i].key);
    }
    return TERN_OK;
}

/* Checks, and a heap-allocated order of writing. */
static tern_status prepare(const tern_st_tensor *tensors, size_t n, const tern_st_meta *meta,
                           size_t n_meta, size_t **order, tern_error *err) {
    *order = tn_alloc(n * sizeof **order);
    if (!*order) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status s = tn_st_check_meta(meta, n_meta, err);
    return s == TERN_OK ? tn_st_plan(tensors, n, *order, err) : s;
}

tern_status tern_st_save(const char *path, const tern_st_tensor *tensors, size_t n,
                         const tern_st_meta *meta, size_t n_meta, tern_error *err) {
    size_t *order = NULL;
    tern_status s = prepare(tensors, n, meta, n_meta, &order, err);
    if (s == TERN_OK) s = save_one(path, tensors, order, n, meta, n_meta, err);
    tn_free(order);
    return s;
}

/* The end of the shard that begins at `begin`: at least one tensor, at most n_max bytes. */
static size_t shard_end(const tern_st_tensor *tensors, const size_t *order, size_t begin, size_t n,
                        uint64_t n_max) {
    uint64_t n_bytes = 0;
    size_t i = begin;
    for (; i < n; i++) {
        n_bytes += tn_st_bytes(&tensors[order[i]]);
        if (i > begin && n_bytes > n_max) break;
    }
    return i;
}

typedef struct sharding {
    const char *dir;
    const tern_st_tensor *tensors;
    const size_t *order;
    size_t n, n_shards;
    uint64_t n_max;
    const tern_st_meta *meta;
    size_t n_meta;
} sharding;

/* Write the shards, and into `index` the text of the index that names them. */
static tern_status write_shards(const sharding *sh, tn_buf *index, tern_error *err) {
    uint64_t total = 0;
    for (size_t i = 0; i < sh->n; i++) total += tn_st_bytes(&sh->tensors[i]);
    tn_buf_printf(index, "{\n  \"metadata\": {\"total_size\": %llu},\n  \"weight_map\": {",
                  (unsigned long long)total);
    tern_status s = TERN_OK;
    for (size_t k = 0, begin = 0, end; k < sh->n_shards && s == TERN_OK; k++, begin = end) {
        char name[64];
        snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", k + 1, sh->n_shards);
        end = shard_end(sh->tensors, sh->order, begin, sh->n, sh->n_max);
        char *path = tn_path_join(sh->dir, name);
        s = path ? save_one(path, sh->tensors, sh->order + begin, end - begin, sh->meta, sh->n_meta,
                            err)
                 : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        tn_free(path);
        for (size_t i = begin; i < end; i++) {
            tn_buf_str(index, i ? ",\n    " : "\n    ");
            print_string(sh->tensors[sh->order[i]].name, index);
            tn_buf_printf(index, ": \"%s\"", name);
        }
    }
    tn_buf_str(index, "\n  }\n}\n");
    return s == TERN_OK ? tn_buf_status(index, err) : s;
}

tern_status tern_st_save_sharded(const char *dir, const tern_st_tensor *tensors, size_t n,
                                 uint64_t shard_bytes_max, const tern_st_meta *meta, size_t n_meta,
                                 tern_error *err) {
    if (n == 0 || shard_bytes_max == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: no tensors, or shards of no bytes", dir);
    size_t *order = NULL;
    tn_buf index = {0};
    char *one = tn_path_join(dir, "model.safetensors");
    char *path = tn_path_join(dir, "model.safetensors.index.json");
    tern_status s = one && path ? prepare(tensors, n, meta, n_meta, &order, err)
                                : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (s == TERN_OK) s = tn_mkdirs(dir, err);
    if (s == TERN_OK && (tn_file_exists(one) || tn_file_exists(path)))
        s = tern_fail(err, TERN_ERR_EXISTS, 0,
                      "%s: the folder holds a model; save a sharded one to a fresh folder", dir);
    if (s != TERN_OK) goto done;
    sharding sh = {dir, tensors, order, n, 0, shard_bytes_max, meta, n_meta};
    for (size_t i = 0; i < n; sh.n_shards++) i = shard_end(tensors, order, i, n, shard_bytes_max);
    s = write_shards(&sh, &index, err);
    if (s == TERN_OK) s = tn_file_replace(path, index.data, index.len, err);
done:
    tn_buf_deinit(&index);
    tn_free(order);
    tn_free(one);
    tn_free(path);
    return s;
}
