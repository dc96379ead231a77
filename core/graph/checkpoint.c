/* checkpoint.c - see tern/checkpoint.h.
 * The checksum stands at a fixed place, first in the header, so that it covers every other byte of
 * the file, lengths and names included: what passes it is what was saved. Only then is a byte of
 * the file interpreted, and only when all of it fits does the optimiser change. */
#include "core/graph/checkpoint.h"
#include "core/base/crc32c.h"
#include "core/graph/safetensors.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static const char FORMAT[] = "tern-checkpoint", VERSION[] = "1";
static const char BEGIN[] = "{\"__metadata__\":{\"crc32c\":\"", ZEROS[] = "00000000";
enum { DIGITS_AT = 8 + sizeof BEGIN - 1, N_DIGITS = 8 };

static const char *kind_name(const tern_optim *o) {
    return o->opts.kind == TERN_OPTIM_ADAMW ? "adamw" : "sgd";
}

void tern_train_state_deinit(tern_train_state *s) {
    tn_free(s->user);
    *s = (tern_train_state){0};
}

/* ---- saving ---- */

/* All tensors of a checkpoint: parameters, then each slab of moments. Names of moments are built in
 * the arena. */
static tern_status list_tensors(const tern_optim *o, tn_arena *arena, tern_st_tensor *out,
                                tern_error *err) {
    int n_moments = tn_optim_n_moments(o);
    for (int k = -1; k < n_moments; k++)
        for (size_t i = 0; i < o->n; i++) {
            const tn_optim_param *p = &o->params[i];
            tern_st_tensor *t = out++;
            *t = (tern_st_tensor){.dtype = TERN_ST_F32, .n_dims = p->n_dims};
            memcpy(t->dims, p->dims, sizeof p->dims);
            t->data = k < 0 ? p->value : o->moments[k] + o->offsets[i];
            t->name = p->name;
            if (k < 0) continue;
            size_t n = strlen(p->name) + 16;
            char *name = tn_arena_alloc(arena, n);
            if (!name) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
            snprintf(name, n, "optim.%s.%s", tn_optim_moment_names[k], p->name);
            t->name = name;
        }
    return TERN_OK;
}

/* The digits into a header that has zeros there. */
static void seal(tn_buf *header, const tern_st_tensor *t, const size_t *order, size_t n) {
    if (header->failed) return;
    uint32_t crc = tn_crc32c(0, header->data, header->len);
    for (size_t i = 0; i < n; i++)
        crc = tn_crc32c(crc, t[order[i]].data, tn_st_bytes(&t[order[i]]));
    char digits[N_DIGITS + 1];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    memcpy(header->data + DIGITS_AT, digits, N_DIGITS);
}

tern_status tern_checkpoint_save(const char *path, const tern_optim *o, const tern_train_state *s,
                                 tern_error *err) {
    size_t n = o->n * (size_t)(1 + tn_optim_n_moments(o));
    tn_arena arena = {0};
    tn_buf header = {0};
    tern_st_tensor *t = tn_calloc(n + 1, sizeof *t);
    size_t *order = tn_calloc(n + 1, sizeof *order);
    tern_status st;
    if (!t || !order) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        goto done;
    }
    uint64_t numbers[] = {o->n_steps,    s->cursor, s->rng_seed,
                          s->rng_stream, s->rng_n,  s->recipe_hash};
    char text[6][24];
    for (int i = 0; i < 6; i++) snprintf(text[i], sizeof text[i], "%" PRIu64, numbers[i]);
    const tern_st_meta meta[] = {
        {"crc32c", ZEROS},  {"format", FORMAT},  {"version", VERSION},  {"optimizer", kind_name(o)},
        {"step", text[0]},  {"cursor", text[1]}, {"rng_seed", text[2]}, {"rng_stream", text[3]},
        {"rng_n", text[4]}, {"recipe", text[5]}, {"user", s->user}};
    size_t n_meta = sizeof meta / sizeof *meta - (s->user == NULL);
    if ((st = tn_st_check_meta(meta, n_meta, err)) != TERN_OK) goto done;
    if ((st = list_tensors(o, &arena, t, err)) != TERN_OK) goto done;
    if ((st = tn_st_plan(t, n, order, err)) != TERN_OK) goto done;
    tn_st_header(t, order, n, meta, n_meta, &header);
    seal(&header, t, order, n);
    st = tn_st_write(path, &header, t, order, n, err);
done:
    tn_buf_deinit(&header);
    tn_arena_deinit(&arena);
    tn_free(order);
    tn_free(t);
    return st;
}

/* ---- loading ---- */

const char *tn_train_state_digits(const uint8_t *data, size_t size) {
    bool begun = size >= DIGITS_AT + N_DIGITS && memcmp(data + 8, BEGIN, sizeof BEGIN - 1) == 0;
    return begun ? (const char *)data + DIGITS_AT : NULL;
}

uint32_t tn_train_state_crc(const uint8_t *data, size_t size) {
    uint32_t crc = tn_crc32c(0, data, DIGITS_AT);
    crc = tn_crc32c(crc, ZEROS, N_DIGITS);
    return tn_crc32c(crc, data + DIGITS_AT + N_DIGITS, size - DIGITS_AT - N_DIGITS);
}

static tern_status check_bytes(const char *path, const uint8_t *data, size_t size,
                               tern_error *err) {
    const char *digits = tn_train_state_digits(data, size);
    if (!digits)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: byte 8: not a checkpoint of tern", path);
    char found[N_DIGITS + 1] = {0}, expected[N_DIGITS + 1];
    memcpy(found, digits, N_DIGITS);
    snprintf(expected, sizeof expected, "%08" PRIx32, tn_train_state_crc(data, size));
    if (memcmp(found, expected, N_DIGITS) == 0) return TERN_OK;
    return tern_fail(err, TERN_ERR_CORRUPT, 0,
                     "%s: the checkpoint is damaged or cut short: checksum %s, its %zu bytes have "
                     "%s; go on from an older one",
                     path, tn_st_show(found).text, size, expected);
}

static bool read_number(const tern_st *f, const char *key, uint64_t *out) {
    const char *s = tern_st_meta_find(f, key);
    if (!s || !*s) return false;
    uint64_t n = 0;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

static tern_status read_state(const tern_st *f, const char *path, const tern_optim *o,
                              uint64_t *step, tern_train_state *s, tern_error *err) {
    const char *format = tern_st_meta_find(f, "format"), *version = tern_st_meta_find(f, "version");
    const char *kind = tern_st_meta_find(f, "optimizer"), *user = tern_st_meta_find(f, "user");
    if (!format || strcmp(format, FORMAT) != 0 || !version || !kind)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: not a checkpoint of tern", path);
    if (strcmp(version, VERSION) != 0)
        return tern_fail(err, TERN_ERR_VERSION, 0,
                         "%s: a checkpoint of version %s; this program reads %s", path,
                         tn_st_show(version).text, VERSION);
    if (strcmp(kind, kind_name(o)) != 0)
        return tern_fail(err, TERN_ERR_SHAPE, 0, "%s: saved with optimiser %s, not %s", path,
                         tn_st_show(kind).text, kind_name(o));
    if (!read_number(f, "step", step) || !read_number(f, "cursor", &s->cursor) ||
        !read_number(f, "rng_seed", &s->rng_seed) ||
        !read_number(f, "rng_stream", &s->rng_stream) || !read_number(f, "rng_n", &s->rng_n) ||
        !read_number(f, "recipe", &s->recipe_hash))
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: the metadata lacks step, cursor, rng or recipe", path);
    if (user && !(s->user = tn_strdup(user)))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    return TERN_OK;
}

/* Every tensor the optimiser has is in the file, f32 and of its shape, and no other. */
static tern_status match_tensors(const tern_st *f, const char *path, const tern_st_tensor *t,
                                 size_t n, tern_error *err) {
    for (size_t i = 0; i < n; i++) {
        const tern_st_tensor *have;
        tern_status st = tern_st_get(f, t[i].name, t[i].n_dims, t[i].dims, &have, err);
        if (st != TERN_OK) return st == TERN_ERR_NOT_FOUND ? TERN_ERR_SHAPE : st;
        if (have->dtype != TERN_ST_F32)
            return tern_fail(err, TERN_ERR_SHAPE, 0, "%s: tensor '%s' is %s, not F32", path,
                             t[i].name, tern_st_dtype_name(have->dtype));
    }
    if (f->n != n)
        return tern_fail(err, TERN_ERR_SHAPE, 0,
                         "%s: %zu tensors, but these parameters and moments are %zu", path, f->n,
                         n);
    return TERN_OK;
}

tern_status tn_train_state_read(const char *path, const uint8_t *data, size_t size, tern_optim *o,
                                uint64_t recipe_hash, tern_train_state *s, tern_error *err) {
    *s = (tern_train_state){0};
    size_t n = o->n * (size_t)(1 + tn_optim_n_moments(o));
    uint64_t step = 0;
    tern_st f = {.path = path};
    tn_arena arena = {0};
    tern_st_tensor *t = NULL;
    tern_status st = check_bytes(path, data, size, err);
    if (st == TERN_OK) st = tn_st_parse(&f, path, data, size, err);
    if (st == TERN_OK) st = read_state(&f, path, o, &step, s, err);
    if (st == TERN_OK && s->recipe_hash != recipe_hash)
        st = tern_fail(err, TERN_ERR_ARG, 0,
                       "%s: saved with recipe %016" PRIx64 ", this run has %016" PRIx64
                       ": start anew, or use the settings of that run",
                       path, s->recipe_hash, recipe_hash);
    if (st != TERN_OK) goto done;
    t = tn_calloc(n + 1, sizeof *t);
    st = t ? list_tensors(o, &arena, t, err) : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    if (st == TERN_OK) st = match_tensors(&f, path, t, n, err);
    if (st != TERN_OK) goto done;
    o->n_steps = step;
    for (size_t i = 0; i < n; i++) { /* list_tensors gave the optimiser's own memory */
        const tern_st_tensor *have = tern_st_find(&f, t[i].name);
        if (have->n_bytes) memcpy((void *)(uintptr_t)t[i].data, have->data, have->n_bytes);
    }
done:
    if (st != TERN_OK) tern_train_state_deinit(s);
    tn_st_deinit(&f);
    tn_arena_deinit(&arena);
    tn_free(t);
    return st;
}

tern_status tern_checkpoint_load(const char *path, tern_optim *o, uint64_t recipe_hash,
                                 tern_train_state *s, tern_error *err) {
    *s = (tern_train_state){0};
    tn_map map;
    tern_status st = tn_map_open(path, &map, err);
    if (st == TERN_OK) st = tn_train_state_read(path, map.data, map.size, o, recipe_hash, s, err);
    tn_map_close(&map);
    return st;
}
