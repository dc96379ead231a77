/* index_embed_neural.c - the vectors of an index whose embedder is a neural encoder.
 * DIR/neural-GENERATION.tn says which encoder and where; it is written when the index is made, and
 * again when the same encoder has moved. Nothing is ever fitted, so a passage keeps its vector as
 * long as its text stays the same. */
#include "core/base/file.h"
#include "retriever/dense/neural.h"
#include "retriever/index_write.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* Is the encoder in folder `path` the one the committed description points at? */
static tern_status is_described(const tn_index_writer *w, const char *path, bool *same,
                                tern_error *err) {
    *same = false;
    if (!w->next.model.name[0]) return TERN_OK;
    char *file = tn_path_join(w->dir, w->next.model.name), *have = NULL, *want = NULL;
    tern_status st = file ? tn_neural_path(file, &have, err) : no_memory(err);
    if (st == TERN_OK) st = tn_path_absolute(path, &want, err);
    if (st == TERN_OK) *same = strcmp(have, want) == 0;
    tn_free(file);
    tn_free(have);
    tn_free(want);
    return st;
}

static tern_status take_description(tn_index_writer *w, const char *path, const tn_mfile *model,
                                    const char *file, tern_error *err) {
    tern_embedder *e;
    tern_status st = tn_neural_open(file, 0, &e, err);
    if (st != TERN_OK) return st;
    if (w->next.model.name[0] && e->epoch != w->next.epoch)
        st = tern_fail(err, TERN_ERR_ARG, 0,
                       "%s: its vectors were made by another model than the one in %s, and do not "
                       "compare; build a new index, or name the folder of the model it was built "
                       "with",
                       w->dir, path);
    if (st == TERN_OK) {
        w->next.model = *model;
        w->next.epoch = e->epoch;
        w->next.dim = e->dim;
    }
    e->free(e);
    return st;
}

tern_status tn_writer_name_encoder(tn_index_writer *w, const char *path, bool *changed,
                                   tern_error *err) {
    bool same;
    tern_status st = is_described(w, path, &same, err);
    if (st != TERN_OK || same) return st;
    tn_mfile model = {0};
    snprintf(model.name, sizeof model.name, "neural-%08" PRIx64 ".tn", w->committed.generation + 1);
    char *file = tn_path_join(w->dir, model.name);
    st = file ? tn_neural_describe(path, file, err) : no_memory(err);
    if (st == TERN_OK) st = tn_mfile_stamp(w->dir, &model, err);
    if (st == TERN_OK) st = take_description(w, path, &model, file, err);
    if (st == TERN_OK) *changed = true;
    tn_free(file);
    return st;
}

static tern_status embed_segment(tn_index_writer *w, const tern_embedder *e, tn_wsegment *s,
                                 tn_embed_cache *cache, tern_error *err) {
    char *seg_dir = tn_path_join(w->dir, s->meta.name), *path = NULL;
    tn_mfile f = {0};
    snprintf(f.name, sizeof f.name, "vectors-%08" PRIx64 ".tn", w->committed.generation + 1);
    if (seg_dir) path = tn_path_join(seg_dir, f.name);
    tern_status st =
        path ? tn_neural_build(e, s->docs, s->dead, cache, w->next.vectors, path, w->host, err)
             : no_memory(err);
    if (st == TERN_OK) s->meta.vectors = f; /* stamped by the commit */
    tn_free(path);
    tn_free(seg_dir);
    return st;
}

tern_status tn_writer_embed_neural(tn_index_writer *w, bool again, tern_error *err) {
    char *file = tn_path_join(w->dir, w->next.model.name);
    tern_embedder *e = NULL;
    tn_embed_cache *cache = NULL;
    int n_threads = w->host ? w->host->n_threads : 1;
    tern_status st = file ? tn_neural_open(file, n_threads, &e, err) : no_memory(err);
    if (st == TERN_OK) st = tn_embed_cache_open(w->dir, e->epoch, e->dim, &cache, err);
    for (size_t i = 0; st == TERN_OK && i < w->n_segs; i++)
        if (again || !w->segs[i].meta.vectors.name[0])
            st = embed_segment(w, e, &w->segs[i], cache, err);
    if (st == TERN_OK && again) st = tn_embed_cache_prune(cache, err);
    tn_embed_cache_close(cache);
    if (e) e->free(e);
    tn_free(file);
    return st;
}
