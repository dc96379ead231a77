/* index.c - an index open for reading: a committed state, mapped and never locked.
 * Opening reads the manifest and the headers of the files it names; everything else is checked when
 * it is touched. A compaction may unlink files at any time: what is mapped stays mapped, and what
 * is opened later (the embedder and the vectors) is held by a descriptor from the start. */
#include "core/base/file.h"
#include "retriever/index_priv.h"
#include "retriever/store/docs.h"
#include "retriever/store/manifest.h"
#include "retriever/store/tombs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { OPEN_TRIES = 50 };

/* A file to be opened later. */
typedef struct held_file {
    char *path; /* NULL: there is none */
    int fd;
} held_file;

typedef struct index_private {
    tn_manifest manifest;
    tn_tombs *tombs;    /* [n_segs] */
    held_file *vectors; /* [n_segs] */
    held_file model;
    pthread_mutex_t dense_lock; /* guards embedder and vectors of the index until dense_is_open */
    bool dense_is_open;
} index_private;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static index_private *priv_of(const tern_index *ix) {
    return ix->priv;
}

/* --- opening --- */

static tern_status hold(const char *dir, const tn_mfile *f, held_file *out, tern_error *err) {
    if (!f->name[0]) return TERN_OK;
    if (!(out->path = tn_path_join(dir, f->name))) return no_memory(err);
    out->fd = open(out->path, O_RDONLY | O_CLOEXEC);
    return out->fd >= 0 ? TERN_OK : tn_fail_errno(err, errno, out->path, "cannot open");
}

static void let_go(held_file *f) {
    if (f->path && f->fd >= 0) close(f->fd);
    tn_free(f->path);
    *f = (held_file){0};
}

static tern_status open_tombs(const char *seg_dir, const tn_msegment *meta, tn_tombs *out,
                              tern_error *err) {
    if (!meta->tombstones.name[0]) return TERN_OK;
    char *path = tn_path_join(seg_dir, meta->tombstones.name);
    tern_status st = path ? tn_tombs_open(path, meta->n, meta->n_dead, out, err) : no_memory(err);
    tn_free(path);
    return st;
}

static tern_status check_files(const char *seg_dir, const tn_msegment *meta, tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 0; st == TERN_OK && i < meta->n_files; i++)
        st = tn_mfile_check(seg_dir, &meta->files[i], err);
    if (st == TERN_OK && meta->tombstones.name[0])
        st = tn_mfile_check(seg_dir, &meta->tombstones, err);
    if (st == TERN_OK && meta->vectors.name[0]) st = tn_mfile_check(seg_dir, &meta->vectors, err);
    return st;
}

static tern_status open_segment(tern_index *ix, size_t i, tern_error *err) {
    index_private *p = priv_of(ix);
    const tn_msegment *meta = &p->manifest.segs[i];
    tn_segment *s = &ix->segs[i];
    char *seg_dir = tn_path_join(ix->dir, meta->name);
    if (!seg_dir) return no_memory(err);
    tern_status st = check_files(seg_dir, meta, err);
    if (st == TERN_OK) st = tn_docs_open(seg_dir, &s->docs, err);
    if (st == TERN_OK) st = tn_inv_open(seg_dir, &s->inv, err);
    if (st == TERN_OK)
        if (tn_docs_n_passages(s->docs) != meta->n || tn_inv_n_docs(s->inv) != meta->n)
            st = tern_fail(err, TERN_ERR_CORRUPT, 0,
                           "%s: %" PRIu32 " passages in the manifest, %" PRIu32 " stored, %" PRIu32
                           " indexed",
                           seg_dir, meta->n, tn_docs_n_passages(s->docs), tn_inv_n_docs(s->inv));
    if (st == TERN_OK) st = open_tombs(seg_dir, meta, &p->tombs[i], err);
    if (st == TERN_OK) st = hold(seg_dir, &meta->vectors, &p->vectors[i], err);
    s->dead = p->tombs[i].dead;
    s->n = meta->n;
    s->base = ix->n_refs;
    ix->n_refs += meta->n;
    tn_free(seg_dir);
    return st;
}

static void count_file(tern_index_stats *stats, const tn_mfile *f) {
    stats->n_bytes += f->size; /* 0 if there is none */
}

static void fill_stats(tern_index *ix) {
    const tn_manifest *m = &priv_of(ix)->manifest;
    tern_index_stats *stats = &ix->stats;
    for (size_t i = 0; i < m->n_segs; i++) {
        const tn_msegment *s = &m->segs[i];
        stats->n_passages += s->n - s->n_dead;
        stats->n_tombstones += s->n_dead;
        stats->n_documents += s->n_live_docs;
        stats->n_terms += tn_inv_n_terms(ix->segs[i].inv);
        for (size_t k = 0; k < s->n_files; k++) count_file(stats, &s->files[k]);
        count_file(stats, &s->tombstones);
        count_file(stats, &s->vectors);
    }
    count_file(stats, &m->model);
    stats->n_segments = (uint32_t)m->n_segs;
    stats->dim = m->dim;
    stats->generation = m->generation;
    snprintf(stats->hash, sizeof stats->hash, "%016" PRIx64 "%016" PRIx64, m->hash[1], m->hash[0]);
    snprintf(stats->language, sizeof stats->language, "%s", m->language);
    snprintf(stats->embedder, sizeof stats->embedder, "%s", m->embedder);
    snprintf(stats->vectors, sizeof stats->vectors, "%s", m->vectors);
}

static tern_status open_named(tern_index *ix, tern_error *err) {
    index_private *p = priv_of(ix);
    size_t n = p->manifest.n_segs;
    ix->segs = tn_calloc(n + 1, sizeof *ix->segs);
    p->tombs = tn_calloc(n + 1, sizeof *p->tombs);
    p->vectors = tn_calloc(n + 1, sizeof *p->vectors);
    if (!ix->segs || !p->tombs || !p->vectors) return no_memory(err);
    tern_status st = TERN_OK;
    for (; st == TERN_OK && ix->n_segs < n; ix->n_segs++) st = open_segment(ix, ix->n_segs, err);
    if (st == TERN_OK && p->manifest.model.name[0])
        st = tn_mfile_check(ix->dir, &p->manifest.model, err);
    if (st == TERN_OK) st = hold(ix->dir, &p->manifest.model, &p->model, err);
    if (st == TERN_OK) fill_stats(ix);
    return st;
}

static tern_status index_alloc(const char *dir, tern_index **out, tern_error *err) {
    tern_index *ix = tn_calloc(1, sizeof *ix);
    index_private *p = tn_calloc(1, sizeof *p);
    char *copy = tn_strdup(dir);
    if (!ix || !p || !copy) {
        tn_free(ix);
        tn_free(p);
        tn_free(copy);
        return no_memory(err);
    }
    pthread_mutex_init(&p->dense_lock, NULL);
    ix->dir = copy;
    ix->priv = p;
    *out = ix;
    return TERN_OK;
}

/* One attempt. *generation: of the manifest that was read, 0 if none was. */
static tern_status try_open(const char *dir, uint64_t *generation, tern_index **out,
                            tern_error *err) {
    tern_index *ix = NULL;
    *generation = 0;
    tern_status st = index_alloc(dir, &ix, err);
    if (st != TERN_OK) return st;
    st = tn_manifest_load(dir, &priv_of(ix)->manifest, err);
    if (st == TERN_OK) {
        *generation = priv_of(ix)->manifest.generation;
        st = open_named(ix, err);
    }
    if (st == TERN_OK)
        *out = ix;
    else
        tern_index_close(ix);
    return st;
}

tern_status tern_index_open(const char *dir, tern_index **out, tern_error *err) {
    *out = NULL;
    uint64_t last = 0;
    for (int i = 0;; i++) {
        uint64_t generation;
        tern_error why = {0};
        tern_status st = try_open(dir, &generation, out, &why);
        if (st == TERN_OK) return st;
        /* A file named by a manifest is gone: a writer committed and swept in between, and another
         * look shows the newer manifest. The same manifest twice is damage. */
        if (st == TERN_ERR_NOT_FOUND && generation != 0) {
            if (generation != last && i < OPEN_TRIES) {
                last = generation;
                continue;
            }
            st = TERN_ERR_CORRUPT;
        }
        return tern_fail(err, st, why.os_code, "%s", why.text);
    }
}

void tern_index_close(tern_index *ix) {
    if (!ix) return;
    index_private *p = priv_of(ix);
    for (size_t i = 0; i < p->manifest.n_segs; i++) {
        if (ix->segs) {
            tn_vectors_close(ix->segs[i].vectors);
            tn_inv_close(ix->segs[i].inv);
            tn_docs_close(ix->segs[i].docs);
        }
        if (p->tombs) tn_tombs_close(&p->tombs[i]);
        if (p->vectors) let_go(&p->vectors[i]);
    }
    if (ix->embedder) ix->embedder->free(ix->embedder);
    let_go(&p->model);
    tn_manifest_deinit(&p->manifest);
    pthread_mutex_destroy(&p->dense_lock);
    tn_free(p->tombs);
    tn_free(p->vectors);
    tn_free(p);
    tn_free(ix->segs);
    tn_free(ix->dir);
    tn_free(ix);
}

/* --- the dense part, at its first use --- */

/* The path to open a held file by: its own, or that of the descriptor if it was unlinked since. */
static const char *path_of(const held_file *f, char buf[64]) {
    if (tn_file_exists(f->path)) return f->path;
    snprintf(buf, 64, "/proc/self/fd/%d", f->fd);
    return buf;
}

static tern_status open_dense(tern_index *ix, tern_error *err) {
    index_private *p = priv_of(ix);
    char buf[64];
    tern_status st = TERN_OK;
    if (!ix->embedder)
        st = tn_embedder_open(p->manifest.embedder, path_of(&p->model, buf), &ix->embedder, err);
    for (size_t i = 0; st == TERN_OK && i < ix->n_segs; i++) {
        if (ix->segs[i].vectors || !p->vectors[i].path) continue;
        st = tn_vectors_open(path_of(&p->vectors[i], buf), ix->embedder, ix->segs[i].n,
                             &ix->segs[i].vectors, err);
    }
    return st;
}

tern_status tn_index_dense_open(const tern_index *cix, tern_error *err) {
    tern_index *ix = (tern_index *)(uintptr_t)cix; /* what it shows to readers does not change */
    index_private *p = priv_of(ix);
    if (!p->model.path)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: the index has no vectors; build it with --embedder lsa for dense or "
                         "hybrid search",
                         ix->dir);
    pthread_mutex_lock(&p->dense_lock);
    tern_status st = p->dense_is_open ? TERN_OK : open_dense(ix, err);
    p->dense_is_open = st == TERN_OK;
    pthread_mutex_unlock(&p->dense_lock);
    return st;
}

/* --- reading --- */

tern_index_stats tern_index_get_stats(const tern_index *ix) {
    return ix->stats;
}
uint32_t tern_index_n_refs(const tern_index *ix) {
    return ix->n_refs;
}

const tn_segment *tn_index_segment_of(const tern_index *ix, uint32_t ref) {
    size_t lo = 0, hi = ix->n_segs;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (ix->segs[mid].base <= ref)
            lo = mid;
        else
            hi = mid;
    }
    return &ix->segs[lo];
}

tern_status tern_index_passage(const tern_index *ix, uint32_t ref, tern_passage *out,
                               tern_error *err) {
    if (ref >= ix->n_refs)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: no passage %" PRIu32 " among %" PRIu32, ix->dir,
                         ref, ix->n_refs);
    const tn_segment *s = tn_index_segment_of(ix, ref);
    return tn_docs_passage(s->docs, ref - s->base, out, err);
}

static tern_status find_document(const tern_index *ix, const char *id, size_t len, uint32_t *first,
                                 uint32_t *n, tern_error *err) {
    for (size_t i = ix->n_segs; i-- > 0;) {
        const tn_segment *s = &ix->segs[i];
        uint32_t document;
        tern_status st = tn_docs_find(s->docs, s->dead, id, len, &document, err);
        if (st == TERN_ERR_NOT_FOUND) continue;
        if (st == TERN_OK) st = tn_docs_range(s->docs, document, first, n, err);
        *first += s->base;
        return st;
    }
    return TERN_ERR_NOT_FOUND;
}

/* "doc#7" -> its seventh passage, when doc has several. */
static tern_status find_numbered(const tern_index *ix, const char *id, uint32_t *ref,
                                 tern_error *err) {
    const char *mark = strrchr(id, '#');
    if (!mark || mark[1] < '1' || mark[1] > '9') return TERN_ERR_NOT_FOUND;
    uint64_t number = 0;
    for (const char *s = mark + 1; *s; s++) {
        if (*s < '0' || *s > '9' || number > UINT32_MAX) return TERN_ERR_NOT_FOUND;
        number = number * 10 + (uint64_t)(*s - '0');
    }
    uint32_t first = 0, n = 0;
    tern_status st = find_document(ix, id, (size_t)(mark - id), &first, &n, err);
    if (st == TERN_OK && (n == 1 || number > n)) st = TERN_ERR_NOT_FOUND;
    if (st == TERN_OK) *ref = first + (uint32_t)number - 1;
    return st;
}

tern_status tern_index_find(const tern_index *ix, const char *id, uint32_t *ref, tern_error *err) {
    uint32_t n = 0;
    tern_status st = find_document(ix, id, strlen(id), ref, &n, err);
    if (st == TERN_ERR_NOT_FOUND) st = find_numbered(ix, id, ref, err);
    if (st == TERN_ERR_NOT_FOUND)
        return tern_fail(err, st, 0, "%s: no document or passage \"%s\"", ix->dir, id);
    return st;
}
