/* neural_rows.c - the vectors of a segment's passages, embedded from their text. */
#include "core/base/buf.h"
#include "retriever/dense/neural.h"
#include "retriever/dense/rows.h"
#include "retriever/store/docs.h"
#include <string.h>

#include "core/base/mem.h"

enum { BATCH = 64 }; /* passages embedded at a time: what a stopped build loses at most */

typedef struct neural_rows {
    tn_row_source base;
    const tern_embedder *embedder;
    const tn_docs *docs;
    const uint64_t *dead;
    tn_embed_cache *cache;
} neural_rows;

typedef struct batch {
    float *rows;                /* [BATCH][dim] */
    float *fresh;               /* [BATCH][dim] vectors of the texts below */
    tn_text_hash hashes[BATCH]; /* of the passages not in the cache */
    size_t places[BATCH];       /* their rows */
    const char *texts[BATCH];
    size_t lens[BATCH], begins[BATCH];
    size_t n_fresh;
    tn_buf text; /* of all of them, one after the other */
} batch;

/* Append "title\ntext" of a passage and take its row from the cache, or list it. */
static tern_status look_up(const neural_rows *r, batch *b, uint32_t passage, size_t row,
                           tern_error *err) {
    float *out = b->rows + row * r->base.dim;
    memset(out, 0, r->base.dim * sizeof *out);
    if (tn_bit(r->dead, passage)) return TERN_OK;
    tern_passage p;
    tern_status st = tn_docs_passage(r->docs, passage, &p, err);
    if (st != TERN_OK) return st;
    size_t begin = b->text.len;
    if (*p.title) {
        tn_buf_str(&b->text, p.title);
        tn_buf_char(&b->text, '\n');
    }
    tn_buf_add(&b->text, p.text, p.text_len);
    st = tn_buf_status(&b->text, err);
    if (st != TERN_OK) return st;
    tn_text_hash hash = tn_text_hash_of(b->text.data + begin, b->text.len - begin);
    if (tn_embed_cache_get(r->cache, hash, out)) {
        b->text.len = begin;
        return TERN_OK;
    }
    size_t i = b->n_fresh++;
    b->hashes[i] = hash;
    b->places[i] = row;
    b->begins[i] = begin;
    b->lens[i] = b->text.len - begin;
    return TERN_OK;
}

static tern_status embed_fresh(const neural_rows *r, batch *b, tern_error *err) {
    if (b->n_fresh == 0) return TERN_OK;
    for (size_t i = 0; i < b->n_fresh; i++) b->texts[i] = b->text.data + b->begins[i];
    tern_status st =
        r->embedder->embed(r->embedder, b->texts, b->lens, b->n_fresh, false, b->fresh, err);
    size_t dim = r->base.dim;
    for (size_t i = 0; st == TERN_OK && i < b->n_fresh; i++) {
        const float *v = b->fresh + i * dim;
        memcpy(b->rows + b->places[i] * dim, v, dim * sizeof *v);
        st = tn_embed_cache_add(r->cache, b->hashes[i], v, err);
    }
    return st;
}

static tern_status write_batches(const neural_rows *r, batch *b, tn_bwriter *w,
                                 const tern_host *host, tern_error *err) {
    uint32_t n = r->base.n;
    for (uint32_t at = 0; at < n; at += BATCH) {
        uint32_t end = n - at < BATCH ? n : at + BATCH;
        tern_status st = tn_rows_progress(host, at, n, err);
        tn_buf_reset(&b->text);
        b->n_fresh = 0;
        for (uint32_t i = at; st == TERN_OK && i < end; i++) st = look_up(r, b, i, i - at, err);
        if (st == TERN_OK) st = embed_fresh(r, b, err);
        if (st == TERN_OK)
            st = tn_bwriter_add(w, b->rows, (end - at) * r->base.dim * sizeof *b->rows, err);
        if (st != TERN_OK) return st;
    }
    return tn_embed_cache_sync(r->cache, err);
}

static tern_status write_rows(const tn_row_source *rows, tn_bwriter *w, const tern_host *host,
                              tern_error *err) {
    const neural_rows *r = (const neural_rows *)rows;
    batch *b = tn_calloc(1, sizeof *b);
    tern_status st = TERN_OK;
    if (b) {
        b->rows = tn_realloc(NULL, (size_t)BATCH * rows->dim, sizeof *b->rows);
        b->fresh = tn_realloc(NULL, (size_t)BATCH * rows->dim, sizeof *b->fresh);
    }
    if (!b || !b->rows || !b->fresh)
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for vectors");
    else
        st = write_batches(r, b, w, host, err);
    if (b) {
        tn_free(b->rows);
        tn_free(b->fresh);
        tn_buf_deinit(&b->text);
    }
    tn_free(b);
    return st;
}

tern_status tn_neural_build(const tern_embedder *e, const tn_docs *docs, const uint64_t *dead,
                            tn_embed_cache *cache, const char *kind, const char *path,
                            const tern_host *host, tern_error *err) {
    neural_rows rows = {{tn_docs_n_passages(docs), e->dim, e->epoch, write_rows},
                        .embedder = e,
                        .docs = docs,
                        .dead = dead,
                        .cache = cache};
    return tn_vectors_write(&rows.base, kind, path, host, err);
}
