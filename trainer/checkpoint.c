/* checkpoint.c - see checkpoint.h. */
#include "trainer/checkpoint.h"
#include "core/base/file.h"
#include <endian.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

static const char magic[8] = {'t', 'e', 'r', 'n', 'c', 'p', '0', '2'};
enum { HEAD_BYTES = 8 + 6 * 8 };

static void put_u64(tn_buf *b, uint64_t v) {
    v = htole64(v);
    tn_buf_add(b, &v, sizeof v);
}

static void put_doubles(tn_buf *b, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        put_u64(b, bits);
    }
}

static uint64_t get_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return le64toh(v);
}

static void get_doubles(const uint8_t *p, double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = get_u64(p + 8 * i);
        memcpy(&x[i], &bits, sizeof bits);
    }
}

tern_status tn_checkpoint_save(const tn_checkpoint *c, const char *path, tern_error *err) {
    tn_buf b = {0};
    tn_buf_reserve(&b, HEAD_BYTES + 3 * 8 * c->n_params + 8);
    tn_buf_add(&b, magic, sizeof magic);
    put_u64(&b, c->run);
    put_u64(&b, c->step);
    put_u64(&b, c->metrics_bytes);
    put_u64(&b, c->events_bytes);
    put_u64(&b, c->trace_bytes);
    put_u64(&b, c->n_params);
    put_doubles(&b, c->params, c->n_params);
    put_doubles(&b, c->m, c->n_params);
    put_doubles(&b, c->v, c->n_params);
    if (!b.failed) put_u64(&b, XXH3_64bits(b.data, b.len));
    tern_status st = tn_buf_status(&b, err);
    if (st == TERN_OK) st = tn_file_replace(path, b.data, b.len, err);
    tn_buf_deinit(&b);
    return st;
}

static tern_status read_all(tn_checkpoint *c, const tn_map *f, const char *path, tern_error *err) {
    if (f->size < HEAD_BYTES + 8 || memcmp(f->data, magic, sizeof magic) != 0)
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: not a checkpoint of this version", path);
    if (get_u64(f->data + f->size - 8) != XXH3_64bits(f->data, f->size - 8))
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: checksum differs, the file is damaged",
                         path);
    if (get_u64(f->data + 8) != c->run)
        return tern_fail(err, TERN_ERR_EXISTS, 0,
                         "%s is of another run (recipe, index or questions differ): choose another "
                         "--out, or remove it to start again",
                         path);
    if (get_u64(f->data + 48) != c->n_params || f->size != HEAD_BYTES + 24 * c->n_params + 8)
        return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: holds another number of parameters", path);
    c->step = get_u64(f->data + 16);
    c->metrics_bytes = get_u64(f->data + 24);
    c->events_bytes = get_u64(f->data + 32);
    c->trace_bytes = get_u64(f->data + 40);
    const uint8_t *p = f->data + HEAD_BYTES;
    get_doubles(p, c->params, c->n_params);
    get_doubles(p + 8 * c->n_params, c->m, c->n_params);
    get_doubles(p + 16 * c->n_params, c->v, c->n_params);
    return TERN_OK;
}

tern_status tn_checkpoint_load(tn_checkpoint *c, const char *path, tern_error *err) {
    tn_map f;
    tern_status st = tn_map_open(path, &f, err);
    if (st != TERN_OK) return st;
    st = read_all(c, &f, path, err);
    tn_map_close(&f);
    return st;
}
