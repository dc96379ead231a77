/* safetensors.c - the bytes of one file -> checked views; see tern/safetensors.h for the format.
 * After tn_st_parse every view lies inside the file, no two share a byte, and each one's size is
 * its shape times its type: a reader needs no further check. */
#include "core/graph/safetensors.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"

static const struct {
    const char *name;
    size_t n_bytes;
} dtypes[] = {
#define ROW(name, size) {#name, size},
    TERN_ST_DTYPE_MAP(ROW)
#undef ROW
};

const char *tern_st_dtype_name(tern_st_dtype dtype) {
    return dtypes[dtype].name;
}

size_t tern_st_dtype_bytes(tern_st_dtype dtype) {
    return dtypes[dtype].n_bytes;
}

int tn_st_dtype_find(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0) return (int)i;
    return -1;
}

int64_t tern_st_count(int n_dims, const int64_t *dims) {
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++)
        if (dims[i] < 0) return -1;
    for (int i = 0; i < n_dims; i++)
        if (dims[i] == 0) return 0;
    for (int i = 0; i < n_dims; i++) {
        if (n > (INT64_C(1) << 62) / dims[i]) return -1;
        n *= dims[i];
    }
    return n;
}

tn_st_shown tn_st_show(const char *name) {
    tn_st_shown s;
    size_t n = strlen(name), max = sizeof s.text - 4;
    size_t cut = n <= max ? n : tn_utf8_floor(name, n, max);
    for (size_t i = 0; i < cut; i++) {
        unsigned char c = (unsigned char)name[i];
        s.text[i] = c < 0x20 || c == 0x7f ? '?' : name[i];
    }
    strcpy(s.text + cut, cut < n ? "..." : "");
    return s;
}

/* One tensor on its way in. */
typedef struct entry {
    tern_st_tensor t;
    uint64_t begin, end; /* bytes of the data part */
} entry;

static int by_offset(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->t.name, y->t.name); /* empty tensors: some order, always the same */
}

static tern_status read_offsets(const json_t *v, uint64_t n_data, const char *path,
                                const char *name, entry *out, tern_error *err) {
    const json_t *a = json_array_get(v, 0), *b = json_array_get(v, 1);
    if (json_array_size(v) != 2 || !json_is_integer(a) || !json_is_integer(b))
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: tensor '%s': data_offsets is not a pair of integers", path, name);
    int64_t begin = json_integer_value(a), end = json_integer_value(b);
    if (begin < 0 || begin > end || (uint64_t)end > n_data)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: tensor '%s': data_offsets %" PRId64 "..%" PRId64
                         " do not lie in the %" PRIu64 " bytes of data%s",
                         path, name, begin, end, n_data,
                         begin >= 0 && begin <= end ? "; is the file cut short?" : "");
    out->begin = (uint64_t)begin;
    out->end = (uint64_t)end;
    return TERN_OK;
}

static tern_status read_shape(const json_t *v, const char *path, const char *name,
                              tern_st_tensor *t, tern_error *err) {
    size_t n = json_array_size(v);
    if (!json_is_array(v))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s': shape is not a list", path,
                         name);
    if (n > TERN_ST_DIMS_MAX)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s': %zu dimensions, more than %d",
                         path, name, n, TERN_ST_DIMS_MAX);
    t->n_dims = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(v, i);
        t->dims[i] = json_is_integer(d) ? json_integer_value(d) : -1;
        if (t->dims[i] < 0)
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: tensor '%s': dimension %zu is not an integer from 0 up", path,
                             name, i);
    }
    return TERN_OK;
}

static tern_status read_entry(const char *key, const json_t *v, uint64_t n_data, const char *path,
                              entry *out, tern_error *err) {
    tn_st_shown shown = tn_st_show(key);
    const char *name = shown.text;
    *out = (entry){.t.name = key};
    if (!json_is_object(v))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: tensor '%s' is not an object", path, name);
    const char *dtype = tn_json_str(v, "dtype", NULL);
    int code = dtype ? tn_st_dtype_find(dtype) : -1;
    if (code < 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: tensor '%s': dtype %s is not one of F64 F32 F16 BF16 I64 I32 I16 I8 "
                         "U8 BOOL",
                         path, name, dtype ? tn_st_show(dtype).text : "(missing)");
    out->t.dtype = (tern_st_dtype)code;
    tern_status st = read_shape(json_object_get(v, "shape"), path, name, &out->t, err);
    if (st == TERN_OK)
        st = read_offsets(json_object_get(v, "data_offsets"), n_data, path, name, out, err);
    if (st != TERN_OK) return st;
    int64_t count = tern_st_count(out->t.n_dims, out->t.dims);
    uint64_t size = dtypes[code].n_bytes, n_bytes = out->end - out->begin;
    if (count < 0 || (uint64_t)count > UINT64_MAX / size || (uint64_t)count * size != n_bytes)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: tensor '%s': %" PRIu64 " bytes at %" PRIu64 "..%" PRIu64
                         " of the data, but its shape of %" PRId64
                         " elements of %s needs another size",
                         path, name, n_bytes, out->begin, out->end, count, dtype);
    out->t.n_bytes = (size_t)n_bytes;
    return TERN_OK;
}

/* Sorted entries must follow each other without overlap or hole from 0 to n_data. */
static tern_status check_cover(const entry *e, size_t n, uint64_t n_data, const char *path,
                               tern_error *err) {
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].begin != at)
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: tensor '%s' begins at byte %" PRIu64
                             " of the data, but what stands before it ends at %" PRIu64 ": %s",
                             path, tn_st_show(e[i].t.name).text, e[i].begin, at,
                             e[i].begin < at ? "they overlap" : "there is a hole");
        at = e[i].end;
    }
    if (at != n_data)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: the tensors end at byte %" PRIu64 " of the data, which has %" PRIu64,
                         path, at, n_data);
    return TERN_OK;
}

static tern_status add_meta(tern_st *st, json_t *meta, const char *path, tern_error *err) {
    const char *key;
    json_t *v;
    if (!json_is_object(meta))
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: __metadata__ is not an object", path);
    if (TN_GROW(st->meta, st->meta_cap, st->n_meta + json_object_size(meta)) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    json_object_foreach(meta, key, v) {
        if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: __metadata__: the value of '%s' is not a plain string", path,
                             tn_st_show(key).text);
        tern_st_meta m = {
            tn_arena_strndup(&st->names.arena, key, strlen(key)),
            tn_arena_strndup(&st->names.arena, json_string_value(v), json_string_length(v))};
        if (!m.key || !m.value) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        st->meta[st->n_meta++] = m;
    }
    return TERN_OK;
}

static tern_status add_tensors(tern_st *st, const entry *e, size_t n, const uint8_t *data,
                               const char *path, tern_error *err) {
    if (TN_GROW(st->tensors, st->cap, st->n + n) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < n; i++) {
        uint32_t id = tn_strmap_add(&st->names, e[i].t.name, strlen(e[i].t.name));
        if (id == TN_STRMAP_NONE) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        if (id != st->n)
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: tensor '%s' is already in another file of the model", path,
                             tn_st_show(e[i].t.name).text);
        tern_st_tensor *t = &st->tensors[st->n++];
        *t = e[i].t;
        t->name = st->names.keys[id].s;
        t->data = data + e[i].begin;
    }
    return TERN_OK;
}

static tern_status read_header(tern_st *st, json_t *root, const char *path, const uint8_t *data,
                               uint64_t n_data, tern_error *err) {
    size_t n = 0;
    entry *e = tn_calloc(json_object_size(root) + 1, sizeof *e);
    if (!e) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status s = TERN_OK;
    const char *key;
    json_t *v;
    json_object_foreach(root, key, v) {
        if (strcmp(key, "__metadata__") == 0)
            s = add_meta(st, v, path, err);
        else
            s = read_entry(key, v, n_data, path, &e[n++], err);
        if (s != TERN_OK) goto done;
    }
    qsort(e, n, sizeof *e, by_offset);
    s = check_cover(e, n, n_data, path, err);
    if (s == TERN_OK) s = add_tensors(st, e, n, data, path, err);
done:
    tn_free(e);
    return s;
}

tern_status tn_st_parse(tern_st *st, const char *path, const uint8_t *data, size_t size,
                        tern_error *err) {
    if (size < 8)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: %zu bytes, too short for a safetensors file",
                         path, size);
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) n |= (uint64_t)data[i] << 8 * i;
    if (n > size - 8)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: byte 0: a header of %" PRIu64
                         " bytes in a file of %zu; not a safetensors file, or cut short",
                         path, n, size);
    if (n > TN_ST_HEADER_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "%s: byte 0: a header of %" PRIu64 " bytes, more than the limit of %u",
                         path, n, TN_ST_HEADER_MAX);
    const char *text = (const char *)data + 8;
    json_t *root = NULL;
    tern_error inner = {0};
    tern_status s = tn_json_parse_unique(text, (size_t)n, &root, &inner);
    if (s != TERN_OK) return tern_fail(err, s, 0, "%s: header at byte 8: %s", path, inner.text);
    if (json_is_object(root) && text[0] == '{')
        s = read_header(st, root, path, data + 8 + n, size - 8 - n, err);
    else
        s = tern_fail(err, TERN_ERR_FORMAT, 0, "%s: byte 8: the header is not a JSON object", path);
    json_decref(root);
    return s;
}

void tn_st_deinit(tern_st *st) {
    for (size_t i = 0; i < st->n_files; i++) tn_map_close(&st->files[i].map);
    tn_free(st->files);
    tn_free(st->tensors);
    tn_free(st->meta);
    tn_strmap_deinit(&st->names);
    *st = (tern_st){0};
}
