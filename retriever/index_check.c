/* index_check.c - read every byte of an index and check everything that can be known about it.
 * First each file by itself (size, first bytes, every block); then, for segments whose files are
 * whole, what they say about each other. A damaged part is reported and the check goes on. */
#include "core/base/file.h"
#include "retriever/index_write.h"
#include "retriever/store/blockfile.h"
#include "retriever/store/tombs.h"
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"

typedef struct checker {
    const char *dir;
    const tern_host *host;
    const tn_manifest *m;
    uint64_t n_defects;
    bool file_is_gone; /* perhaps swept by a writer that committed meanwhile */
    tern_embedder *embedder;
    uint64_t n_bytes_done, n_bytes;
} checker;

typedef struct checked_segment {
    const tn_msegment *meta;
    char *path;
    tn_docs *docs; /* NULL: damaged */
    tn_inv *inv;
    tn_tombs tombs;
} checked_segment;

static void report(void *ud, const char *text) {
    checker *c = ud;
    c->n_defects++;
    tn_host_log(c->host, TERN_LOG_ERROR, "%s", text);
}

/* A status that says the check cannot go on, as against one that is a finding. */
static bool is_finding(tern_status st) {
    return st == TERN_ERR_CORRUPT || st == TERN_ERR_NOT_FOUND || st == TERN_ERR_VERSION;
}

/* Report a finding and go on (OK), or pass the failure up. */
static tern_status found(checker *c, tern_status st, const tern_error *what, tern_error *err) {
    if (st == TERN_OK) return st;
    if (!is_finding(st)) {
        if (err) *err = *what;
        return st;
    }
    c->file_is_gone |= st == TERN_ERR_NOT_FOUND;
    report(c, what->text);
    return TERN_OK;
}

static void report_segment(checker *c, const checked_segment *s, const char *what) {
    tern_error e;
    tern_fail(&e, TERN_ERR_CORRUPT, 0, "%s: %s", s->path, what);
    report(c, e.text);
}

/* --- files by themselves --- */

static tern_status check_file(checker *c, const char *dir, const tn_mfile *f, tern_error *err) {
    if (!f->name[0]) return TERN_OK;
    tern_error what;
    tern_status st = tn_host_check(c->host, err);
    if (st != TERN_OK) return st;
    tn_host_progress(c->host, "checking", "bytes", c->n_bytes_done, c->n_bytes);
    c->n_bytes_done += f->size;
    st = tn_mfile_check(dir, f, &what);
    if (st != TERN_OK) return found(c, st, &what, err);
    char *path = tn_path_join(dir, f->name);
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tn_bfile *file = NULL;
    st = tn_bfile_open(path, TN_BLOCK_ANY_KIND, &file, &what);
    if (st == TERN_OK) st = tn_bfile_check(file, report, c, &what);
    tn_bfile_close(file);
    tn_free(path);
    return found(c, st, &what, err);
}

static tern_status check_files(checker *c, const checked_segment *s, tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 0; st == TERN_OK && i < s->meta->n_files; i++)
        st = check_file(c, s->path, &s->meta->files[i], err);
    if (st == TERN_OK) st = check_file(c, s->path, &s->meta->tombstones, err);
    if (st == TERN_OK) st = check_file(c, s->path, &s->meta->vectors, err);
    return st;
}

/* --- what the files of one segment say about each other --- */

static tern_status open_parts(checker *c, checked_segment *s, tern_error *err) {
    tern_error what;
    tern_status st = tn_docs_open(s->path, &s->docs, &what);
    if (st == TERN_OK) st = tn_inv_open(s->path, &s->inv, &what);
    if (st == TERN_OK && s->meta->tombstones.name[0]) {
        char *path = tn_path_join(s->path, s->meta->tombstones.name);
        st = path ? tn_tombs_open(path, s->meta->n, s->meta->n_dead, &s->tombs, &what)
                  : tern_fail(&what, TERN_ERR_NOMEM, 0, "out of memory");
        tn_free(path);
    }
    return found(c, st, &what, err);
}

static tern_status check_vectors(checker *c, const checked_segment *s, tern_error *err) {
    if (!s->meta->vectors.name[0] || !c->embedder) return TERN_OK;
    tern_error what;
    tn_vectors *v = NULL;
    char *path = tn_path_join(s->path, s->meta->vectors.name);
    tern_status st = path ? tn_vectors_open(path, c->embedder, s->meta->n, &v, &what)
                          : tern_fail(&what, TERN_ERR_NOMEM, 0, "out of memory");
    if (st == TERN_OK) st = tn_vectors_check(v, report, c, &what);
    tn_vectors_close(v);
    tn_free(path);
    return found(c, st, &what, err);
}

/* A document is removed as a whole, and as many live ones are left as the manifest says. */
static void check_tombs(checker *c, const checked_segment *s) {
    uint32_t n_live = 0;
    for (uint32_t k = 0; k < tn_docs_n_documents(s->docs); k++) {
        uint32_t first = 0, n = 0;
        tern_error what;
        if (tn_docs_range(s->docs, k, &first, &n, &what) != TERN_OK) return; /* reported before */
        bool is_dead = tn_bit(s->tombs.dead, first);
        n_live += !is_dead;
        for (uint32_t i = first + 1; i < first + n; i++)
            if (tn_bit(s->tombs.dead, i) != is_dead)
                report_segment(c, s, "a document is removed in part");
    }
    if (n_live != s->meta->n_live_docs)
        report_segment(c, s, "the manifest and the tombstones do not agree on live documents");
}

static tern_status check_parts(checker *c, checked_segment *s, tern_error *err) {
    tern_error what;
    uint64_t n_before = c->n_defects;
    tern_status st = open_parts(c, s, err);
    if (st != TERN_OK || c->n_defects != n_before) return st;
    st = found(c, tn_docs_check(s->docs, report, c, &what), &what, err);
    if (st == TERN_OK) st = found(c, tn_inv_check(s->inv, report, c, &what), &what, err);
    if (st == TERN_OK) st = check_vectors(c, s, err);
    if (tn_docs_n_passages(s->docs) != s->meta->n || tn_inv_n_docs(s->inv) != s->meta->n)
        report_segment(c, s, "manifest, stored and indexed passages differ in number");
    else if (c->n_defects == n_before)
        check_tombs(c, s);
    return st;
}

/* --- the index as a whole --- */

/* The live document of an id is the only one, and all together hash to what the manifest says. */
static void check_documents(checker *c, const checked_segment *segs, size_t n) {
    uint64_t sum[2] = {0};
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < tn_docs_n_documents(segs[i].docs); k++) {
            tn_document doc;
            tern_error what;
            if (tn_docs_document(segs[i].docs, k, &doc, &what) != TERN_OK) return;
            if (tn_bit(segs[i].tombs.dead, doc.first)) continue;
            tn_docs_hash(doc.id, doc.hash, sum);
            for (size_t j = i; j < n; j++) {
                uint32_t other = k;
                tern_status st = tn_docs_find(segs[j].docs, segs[j].tombs.dead, doc.id,
                                              strlen(doc.id), &other, &what);
                if (j == i ? st != TERN_OK || other != k : st != TERN_ERR_NOT_FOUND) {
                    tern_fail(&what, TERN_ERR_CORRUPT, 0,
                              "%s: id \"%.200s\" is there twice, or "
                              "not found",
                              segs[j].path, doc.id);
                    report(c, what.text);
                }
            }
        }
    }
    if (sum[0] != c->m->hash[0] || sum[1] != c->m->hash[1])
        report(c, "manifest.json: the hash of the documents is not that of the manifest");
}

static tern_status open_model(checker *c, tern_error *err) {
    if (!c->m->model.name[0]) return TERN_OK;
    uint64_t n_before = c->n_defects;
    tern_status st = check_file(c, c->dir, &c->m->model, err);
    if (st != TERN_OK || c->n_defects != n_before) return st;
    tern_error what;
    char *path = tn_path_join(c->dir, c->m->model.name);
    st = path ? tn_embedder_open(c->m->embedder, path, &c->embedder, &what)
              : tern_fail(&what, TERN_ERR_NOMEM, 0, "out of memory");
    tn_free(path);
    if (st == TERN_OK && (c->embedder->epoch != c->m->epoch || c->embedder->dim != c->m->dim))
        st = tern_fail(&what, TERN_ERR_CORRUPT, 0,
                       "%s/%s: not the embedder of epoch %" PRIu64 " the manifest names", c->dir,
                       c->m->model.name, c->m->epoch);
    return found(c, st, &what, err);
}

static tern_status check_all(checker *c, checked_segment *segs, tern_error *err) {
    for (size_t i = 0; i < c->m->n_segs; i++) {
        const tn_msegment *s = &c->m->segs[i];
        for (size_t k = 0; k < s->n_files; k++) c->n_bytes += s->files[k].size;
        c->n_bytes += s->tombstones.size + s->vectors.size;
    }
    c->n_bytes += c->m->model.size;
    tern_status st = open_model(c, err);
    for (size_t i = 0; st == TERN_OK && i < c->m->n_segs; i++) {
        uint64_t n_before = c->n_defects;
        segs[i].meta = &c->m->segs[i];
        segs[i].path = tn_path_join(c->dir, segs[i].meta->name);
        if (!segs[i].path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        st = check_files(c, &segs[i], err);
        if (st == TERN_OK && c->n_defects == n_before) st = check_parts(c, &segs[i], err);
    }
    if (st == TERN_OK && c->n_defects == 0) check_documents(c, segs, c->m->n_segs);
    return st;
}

/* One pass over the state of one manifest. */
static tern_status check_state(checker *c, tern_error *err) {
    checked_segment *segs = tn_calloc(c->m->n_segs + 1, sizeof *segs);
    if (!segs) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status st = check_all(c, segs, err);
    for (size_t i = 0; i < c->m->n_segs; i++) {
        tn_docs_close(segs[i].docs);
        tn_inv_close(segs[i].inv);
        tn_tombs_close(&segs[i].tombs);
        tn_free(segs[i].path);
    }
    tn_free(segs);
    if (c->embedder) c->embedder->free(c->embedder);
    c->embedder = NULL;
    return st;
}

tern_status tern_index_check(const char *dir, const tern_host *host, uint64_t *n_defects,
                             tern_error *err) {
    *n_defects = 0;
    for (uint64_t last = 0;;) {
        tn_manifest m;
        tern_error what;
        checker c = {.dir = dir, .host = host, .m = &m};
        tern_status st = tn_manifest_load(dir, &m, &what);
        if (st == TERN_ERR_CORRUPT) {
            report(&c, what.text);
            *n_defects = c.n_defects;
            return TERN_OK;
        }
        if (st != TERN_OK) {
            if (err) *err = what;
            return st;
        }
        uint64_t generation = m.generation;
        st = check_state(&c, err);
        tn_manifest_deinit(&m);
        /* Files that vanish while a writer commits are no defect: look at what it committed. */
        if (st == TERN_OK && c.file_is_gone && generation != last) {
            last = generation;
            continue;
        }
        *n_defects = c.n_defects;
        return st;
    }
}
