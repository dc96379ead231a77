/* index_embed.c - when the LSA embedder of an index is fitted, and which vectors belong to it (of a
 * neural one: index_embed_neural.c). One model at a time: its file is DIR/lsa-EPOCH.tn, and each
 * segment has a vector file of that epoch or none. A model is fitted at the first commit and again
 * when it no longer knows the corpus; in between, new segments are folded in, which costs no more
 * than reading them. */
#include "core/base/file.h"
#include "retriever/dense/neural.h"
#include "retriever/index_write.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static const double unknown_max = 0.10; /* share of new tokens; above it the model is refitted */

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static tern_status open_model(const tn_index_writer *w, tern_embedder **out, tern_error *err) {
    *out = NULL;
    char *path = tn_path_join(w->dir, w->next.model.name);
    tern_status st = path ? tn_lsa_open(path, out, err) : no_memory(err);
    tn_free(path);
    return st;
}

tern_status tn_writer_note_unknown(tn_index_writer *w, const tn_wsegment *s, tern_error *err) {
    if (!w->next.model.name[0] || strcmp(w->next.embedder, "lsa") != 0) return TERN_OK;
    tern_embedder *e;
    double share = 0;
    tern_status st = open_model(w, &e, err);
    if (st != TERN_OK) return st;
    st = tn_lsa_unknown_share(e, s->inv, &share, err);
    e->free(e);
    double n = (double)tn_inv_n_tokens(s->inv);
    w->n_new_tokens += n;
    w->n_unknown_tokens += share * n;
    return st;
}

/* Fit on the live passages of all segments and write the model of the coming generation. */
static tern_status fit_model(tn_index_writer *w, tern_error *err) {
    const tn_inv **invs = tn_calloc(w->n_segs + 1, sizeof *invs);
    uint64_t **keep = tn_calloc(w->n_segs + 1, sizeof *keep);
    tern_status st = invs && keep ? TERN_OK : no_memory(err);
    for (size_t i = 0; st == TERN_OK && i < w->n_segs; i++) {
        const tn_wsegment *s = &w->segs[i];
        invs[i] = s->inv;
        if (s->dead) st = tn_bits_invert(s->dead, s->meta.n, &keep[i], err);
    }
    uint64_t epoch = w->committed.generation + 1;
    tn_mfile model = {0};
    snprintf(model.name, sizeof model.name, "lsa-%08" PRIx64 ".tn", epoch);
    char *path = tn_path_join(w->dir, model.name);
    if (st == TERN_OK && !path) st = no_memory(err);
    if (st == TERN_OK)
        st = tn_lsa_fit(invs, (const uint64_t *const *)keep, w->n_segs, w->next.language, epoch,
                        path, w->host, err);
    if (st == TERN_ERR_UNSUPPORTED) { /* nothing to fit on: searched by its words alone */
        tn_host_log(w->host, TERN_LOG_INFO, "%s: no vectors: %s", w->dir, err ? err->text : "");
        model = (tn_mfile){0};
        st = TERN_OK;
    } else if (st == TERN_OK) {
        st = tn_mfile_stamp(w->dir, &model, err);
    }
    if (st == TERN_OK) {
        w->next.model = model;
        w->next.epoch = epoch;
        for (size_t i = 0; i < w->n_segs; i++) w->segs[i].meta.vectors = (tn_mfile){0};
    }
    for (size_t i = 0; keep && i < w->n_segs; i++) tn_free(keep[i]);
    tn_free(keep);
    tn_free(invs);
    tn_free(path);
    return st;
}

static tern_status fold_in(tn_index_writer *w, const tern_embedder *e, tn_wsegment *s,
                           tern_error *err) {
    char *seg_dir = tn_path_join(w->dir, s->meta.name), *path = NULL;
    tn_mfile f = {0};
    snprintf(f.name, sizeof f.name, "vectors-%08" PRIx64 ".tn", w->next.epoch);
    if (seg_dir) path = tn_path_join(seg_dir, f.name);
    tern_status st =
        path ? tn_vectors_build(e, s->inv, w->next.vectors, path, w->host, err) : no_memory(err);
    if (st == TERN_OK) s->meta.vectors = f; /* stamped by the commit */
    tn_free(path);
    tn_free(seg_dir);
    return st;
}

static bool all_have_vectors(const tn_index_writer *w) {
    for (size_t i = 0; i < w->n_segs; i++)
        if (!w->segs[i].meta.vectors.name[0]) return false;
    return true;
}

tern_status tn_writer_embed(tn_index_writer *w, bool refit, tern_error *err) {
    if (strcmp(w->next.embedder, "none") == 0) return TERN_OK;
    if (strcmp(w->next.embedder, TN_NEURAL) == 0) return tn_writer_embed_neural(w, refit, err);
    if (tn_writer_n_live(w) == 0) { /* nothing to learn from, nothing to find */
        w->next.model = (tn_mfile){0};
        w->next.epoch = 0;
        w->next.dim = 0;
        for (size_t i = 0; i < w->n_segs; i++) w->segs[i].meta.vectors = (tn_mfile){0};
        return TERN_OK;
    }
    bool is_stale = w->n_unknown_tokens > unknown_max * w->n_new_tokens;
    tern_status st = TERN_OK;
    if (refit || is_stale || !w->next.model.name[0]) st = fit_model(w, err);
    if (st != TERN_OK || !w->next.model.name[0] || all_have_vectors(w)) return st;
    tern_embedder *e;
    st = open_model(w, &e, err);
    if (st != TERN_OK) return st;
    w->next.dim = e->dim;
    for (size_t i = 0; st == TERN_OK && i < w->n_segs; i++)
        if (!w->segs[i].meta.vectors.name[0]) st = fold_in(w, e, &w->segs[i], err);
    e->free(e);
    return st;
}
