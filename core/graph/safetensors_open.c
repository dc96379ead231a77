/* safetensors_open.c - a model on disk, one file or a folder of shards, as one set of tensors.
 * With an index, the shards and the index must tell the same story: every tensor that the index
 * names lies in the file it says, and no file holds another. */
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/graph/safetensors.h"
#include <string.h>

#include "core/base/mem.h"

static const char ONE_FILE[] = "model.safetensors", INDEX[] = "model.safetensors.index.json";

/* Map and parse one file as the next of st->files, which has room for it. */
static tern_status add_file(tern_st *st, const char *path, tern_error *err) {
    struct tn_st_file *f = &st->files[st->n_files];
    *f = (struct tn_st_file){.begin = st->n, .end = st->n};
    f->path = tn_arena_strndup(&st->names.arena, path, strlen(path));
    if (!f->path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status s = tn_map_open(path, &f->map, err);
    if (s != TERN_OK) return s;
    st->n_files++;
    s = tn_st_parse(st, f->path, f->map.data, f->map.size, err);
    f->end = st->n;
    return s;
}

static tern_status open_one(tern_st *st, const char *path, tern_error *err) {
    st->files = tn_calloc(1, sizeof *st->files);
    if (!st->files) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    return add_file(st, path, err);
}

/* A shard lies beside its index: a plain name, so that no index reaches out of its folder. */
static bool plain_name(const char *name) {
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static tern_status check_map(json_t *map, const char *path, tern_error *err) {
    const char *key;
    json_t *v;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: no \"weight_map\"", path);
    json_object_foreach(map, key, v) {
        const char *file = json_string_value(v);
        if (!file || strlen(file) != json_string_length(v) || !plain_name(file))
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: tensor '%s': its file %s is not a plain file name", path,
                             tn_st_show(key).text, file ? tn_st_show(file).text : "(no string)");
    }
    return TERN_OK;
}

/* Open every file that the map names, in the order of the map. */
static tern_status open_shards(tern_st *st, json_t *map, const char *path, tern_error *err) {
    tn_strmap files = {0};
    const char *key;
    json_t *v;
    tern_status s = TERN_OK;
    size_t n_dir = (size_t)(tn_path_base(path) - path);
    json_object_foreach(map, key, v) {
        if (tn_strmap_add(&files, json_string_value(v), json_string_length(v)) == TN_STRMAP_NONE) {
            s = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
            goto done;
        }
    }
    st->files = tn_calloc(files.n, sizeof *st->files);
    if (!st->files) s = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tn_buf shard = {0};
    for (uint32_t i = 0; s == TERN_OK && i < files.n; i++) {
        tn_buf_reset(&shard);
        tn_buf_add(&shard, path, n_dir);
        tn_buf_str(&shard, files.keys[i].s);
        s = tn_buf_status(&shard, err);
        if (s == TERN_OK) s = add_file(st, shard.data, err);
    }
    tn_buf_deinit(&shard);
done:
    tn_strmap_deinit(&files);
    return s;
}

static tern_status check_agreement(const tern_st *st, json_t *map, const char *path,
                                   tern_error *err) {
    for (size_t f = 0; f < st->n_files; f++)
        for (size_t i = st->files[f].begin; i < st->files[f].end; i++) {
            const char *name = st->tensors[i].name;
            const char *said = tn_json_str(map, name, NULL);
            if (!said || strcmp(said, tn_path_base(st->files[f].path)) != 0)
                return tern_fail(err, TERN_ERR_FORMAT, 0,
                                 "%s: tensor '%s' lies in %s, but the index says %s", path,
                                 tn_st_show(name).text, tn_path_base(st->files[f].path),
                                 said ? said : "nothing of it");
        }
    const char *key;
    json_t *v;
    json_object_foreach(map, key, v) {
        if (!tern_st_find(st, key))
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s' is not in %s", path,
                             tn_st_show(key).text, json_string_value(v));
    }
    return TERN_OK;
}

static tern_status open_index(tern_st *st, const char *path, tern_error *err) {
    tn_buf text = {0};
    json_t *root = NULL;
    tern_status s = tn_file_read(path, TN_ST_HEADER_MAX, &text, err);
    if (s != TERN_OK) goto done;
    tern_error inner = {0};
    s = tn_json_parse_unique(tn_buf_cstr(&text), text.len, &root, &inner);
    if (s != TERN_OK) {
        s = tern_fail(err, s, 0, "%s: %s", path, inner.text);
        goto done;
    }
    json_t *map = json_object_get(root, "weight_map");
    s = check_map(map, path, err);
    if (s == TERN_OK) s = open_shards(st, map, path, err);
    if (s == TERN_OK) s = check_agreement(st, map, path, err);
done:
    json_decref(root);
    tn_buf_deinit(&text);
    return s;
}

static tern_status open_folder(tern_st *st, const char *dir, tern_error *err) {
    char *one = tn_path_join(dir, ONE_FILE), *index = tn_path_join(dir, INDEX);
    tern_status s;
    if (!one || !index)
        s = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    else if (tn_file_exists(one))
        s = open_one(st, one, err);
    else if (tn_file_exists(index))
        s = open_index(st, index, err);
    else
        s = tern_fail(err, TERN_ERR_NOT_FOUND, 0, "%s: the folder has neither %s nor %s", dir,
                      ONE_FILE, INDEX);
    tn_free(one);
    tn_free(index);
    return s;
}

tern_status tern_st_open(const char *path, tern_st **out, tern_error *err) {
    *out = NULL;
    tern_st *st = tn_calloc(1, sizeof *st);
    if (!st) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status s;
    st->path = tn_arena_strndup(&st->names.arena, path, strlen(path));
    if (!st->path)
        s = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    else if (tn_is_dir(path))
        s = open_folder(st, path, err);
    else if (tn_ends_with(path, ".index.json"))
        s = open_index(st, path, err);
    else
        s = open_one(st, path, err);
    if (s == TERN_OK)
        *out = st;
    else
        tern_st_close(st);
    return s;
}

void tern_st_close(tern_st *st) {
    if (!st) return;
    tn_st_deinit(st);
    tn_free(st);
}

size_t tern_st_n_tensors(const tern_st *st) {
    return st->n;
}

const tern_st_tensor *tern_st_at(const tern_st *st, size_t i) {
    return i < st->n ? &st->tensors[i] : NULL;
}

const tern_st_tensor *tern_st_find(const tern_st *st, const char *name) {
    uint32_t i = tn_strmap_find(&st->names, name, strlen(name));
    return i == TN_STRMAP_NONE ? NULL : &st->tensors[i];
}

static void print_shape(int n_dims, const int64_t *dims, tn_buf *out) {
    tn_buf_char(out, '[');
    for (int i = 0; i < n_dims; i++)
        tn_buf_printf(out, "%s%lld", i ? ", " : "", (long long)dims[i]);
    tn_buf_char(out, ']');
}

tern_status tern_st_get(const tern_st *st, const char *name, int n_dims, const int64_t *dims,
                        const tern_st_tensor **out, tern_error *err) {
    const tern_st_tensor *t = *out = tern_st_find(st, name);
    if (!t) return tern_fail(err, TERN_ERR_NOT_FOUND, 0, "%s: no tensor '%s'", st->path, name);
    if (t->n_dims == n_dims && memcmp(t->dims, dims, sizeof *dims * (size_t)n_dims) == 0)
        return TERN_OK;
    tn_buf has = {0}, wanted = {0};
    print_shape(t->n_dims, t->dims, &has);
    print_shape(n_dims, dims, &wanted);
    tern_status s =
        tern_fail(err, TERN_ERR_SHAPE, 0, "%s: tensor '%s' has shape %s, expected %s", st->path,
                  tn_st_show(name).text, tn_buf_cstr(&has), tn_buf_cstr(&wanted));
    tn_buf_deinit(&has);
    tn_buf_deinit(&wanted);
    *out = NULL;
    return s;
}

const char *tern_st_meta_find(const tern_st *st, const char *key) {
    for (size_t i = 0; i < st->n_meta; i++)
        if (strcmp(st->meta[i].key, key) == 0) return st->meta[i].value;
    return NULL;
}
