/* tombs.c - see tombs.h. */
#include "retriever/store/tombs.h"
#include "retriever/store/blockfile.h"
#include <inttypes.h>

#include "core/base/mem.h"

static const uint32_t kind = TN_KIND('D', 'E', 'A', 'D');

uint32_t tn_tombs_count(const uint64_t *dead, uint32_t n) {
    uint32_t count = 0;
    for (size_t w = 0; dead && w < ((size_t)n + 63) / 64; w++)
        count += (uint32_t)__builtin_popcountll(dead[w]);
    return count;
}

tern_status tn_tombs_write(const char *path, const uint64_t *dead, uint32_t n, tern_error *err) {
    tn_bwriter *w;
    tern_status st = tn_bwriter_open(path, kind, &w, err);
    if (st != TERN_OK) return st;
    uint32_t head[2] = {n, tn_tombs_count(dead, n)};
    st = tn_bwriter_add(w, head, sizeof head, err);
    if (st == TERN_OK) st = tn_bwriter_add(w, dead, ((size_t)n + 63) / 64 * sizeof *dead, err);
    if (st == TERN_OK) return tn_bwriter_commit(w, err);
    tn_bwriter_abort(w);
    return st;
}

tern_status tn_tombs_open(const char *path, uint32_t n, uint32_t n_dead, tn_tombs *out,
                          tern_error *err) {
    *out = (tn_tombs){0};
    const void *p = NULL;
    uint64_t n_bytes = 8 + ((uint64_t)n + 63) / 64 * sizeof(uint64_t);
    tern_status st = tn_bfile_open(path, kind, &out->file, err);
    if (st == TERN_OK) st = tn_bfile_view(out->file, 0, n_bytes, &p, err);
    if (st == TERN_OK) {
        const uint32_t *head = p;
        out->dead = (const uint64_t *)p + 1;
        bool beyond = n % 64 != 0 && out->dead[n / 64] >> n % 64 != 0;
        if (tn_bfile_size(out->file) != n_bytes || head[0] != n || head[1] != n_dead || beyond ||
            tn_tombs_count(out->dead, n) != n_dead)
            st = tern_fail(err, TERN_ERR_CORRUPT, 0,
                           "%s: offset 64: not the tombstones of %" PRIu32 " passages, %" PRIu32
                           " removed",
                           path, n, n_dead);
    }
    if (st != TERN_OK) tn_tombs_close(out);
    return st;
}

void tn_tombs_close(tn_tombs *t) {
    tn_bfile_close(t->file);
    *t = (tn_tombs){0};
}
