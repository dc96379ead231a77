/* index_writer.c - opening, committing and abandoning a state of the index; see index_write.h. */
#include "core/base/file.h"
#include "core/base/text.h"
#include "retriever/index_write.h"
#include "retriever/store/lock.h"
#include "retriever/store/tombs.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

/* --- sweeping: files of ours that the committed manifest does not name --- */

static const tn_msegment *named_segment(const tn_manifest *m, const char *name) {
    for (size_t i = 0; i < m->n_segs; i++)
        if (strcmp(m->segs[i].name, name) == 0) return &m->segs[i];
    return NULL;
}

static bool names_file(const tn_msegment *s, const char *name) {
    for (size_t i = 0; i < s->n_files; i++)
        if (strcmp(s->files[i].name, name) == 0) return true;
    return strcmp(s->tombstones.name, name) == 0 || strcmp(s->vectors.name, name) == 0;
}

static bool is_ours(const char *name) {
    return tn_starts_with(name, "seg-") || tn_starts_with(name, "lsa-") ||
           tn_starts_with(name, "neural-") || tn_starts_with(name, "embedded-") ||
           tn_starts_with(name, TN_MANIFEST_FILE ".tmp.") || strcmp(name, TN_MANIFEST_FILE) == 0 ||
           strcmp(name, "lock") == 0;
}

typedef tern_status visit_fn(void *ud, const char *dir, const char *name, tern_error *err);

static tern_status each_entry(const char *dir, visit_fn *visit, void *ud, tern_error *err) {
    DIR *d = opendir(dir);
    if (!d) return tn_fail_errno(err, errno, dir, "cannot open folder");
    tern_status st = TERN_OK;
    for (struct dirent *e; st == TERN_OK && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            st = visit(ud, dir, e->d_name, err);
    closedir(d);
    return st;
}

static tern_status remove_entry(const char *dir, const char *name, tern_error *err) {
    char *path = tn_path_join(dir, name);
    if (!path) return no_memory(err);
    tern_status st = tn_remove_tree(path, err);
    tn_free(path);
    return st;
}

static tern_status sweep_segment_file(void *ud, const char *dir, const char *name,
                                      tern_error *err) {
    const tn_msegment *s = ud;
    return names_file(s, name) ? TERN_OK : remove_entry(dir, name, err);
}

static tern_status sweep_entry(void *ud, const char *dir, const char *name, tern_error *err) {
    const tn_manifest *m = ud;
    if (!is_ours(name) || strcmp(name, "lock") == 0 || strcmp(name, TN_MANIFEST_FILE) == 0 ||
        strcmp(name, m->model.name) == 0)
        return TERN_OK;
    if (tn_starts_with(name, "embedded-")) return TERN_OK; /* a stopped build goes on from it */
    const tn_msegment *s = named_segment(m, name);
    if (!s) return remove_entry(dir, name, err);
    char *path = tn_path_join(dir, name);
    if (!path) return no_memory(err);
    tern_status st = each_entry(path, sweep_segment_file, (void *)(uintptr_t)s, err);
    tn_free(path);
    return st;
}

/* Readers never look at what is swept: they go by the manifest, and what they have mapped stays
 * mapped. */
static tern_status sweep(const char *dir, const tn_manifest *m, tern_error *err) {
    return each_entry(dir, sweep_entry, (void *)(uintptr_t)m, err);
}

static tern_status refuse_stranger(void *ud, const char *dir, const char *name, tern_error *err) {
    (void)ud;
    if (is_ours(name)) return TERN_OK;
    return tern_fail(err, TERN_ERR_ARG, 0,
                     "%s: a folder of other files (%s) and no index; give a new or empty folder",
                     dir, name);
}

/* --- segments --- */

static void segment_close(tn_wsegment *s) {
    tn_docs_close(s->docs);
    tn_inv_close(s->inv);
    tn_free(s->dead);
    tn_free(s->seen);
    *s = (tn_wsegment){0};
}

static uint64_t *copy_bits(const uint64_t *bits, uint32_t n) {
    uint64_t *copy = tn_calloc(tn_bit_words(n), sizeof *copy);
    if (copy && bits) memcpy(copy, bits, tn_bit_words(n) * sizeof *copy);
    return copy;
}

tern_status tn_bits_invert(const uint64_t *bits, uint32_t n, uint64_t **out, tern_error *err) {
    if (!(*out = copy_bits(bits, n))) return no_memory(err);
    for (size_t i = 0; i < tn_bit_words(n); i++) (*out)[i] = ~(*out)[i];
    if (n % 64) (*out)[n / 64] &= (UINT64_C(1) << n % 64) - 1;
    return TERN_OK;
}

static tern_status load_dead(tn_wsegment *s, const char *seg_dir, tern_error *err) {
    if (!s->meta.tombstones.name[0]) return TERN_OK;
    char *path = tn_path_join(seg_dir, s->meta.tombstones.name);
    if (!path) return no_memory(err);
    tn_tombs tombs;
    tern_status st = tn_tombs_open(path, s->meta.n, s->meta.n_dead, &tombs, err);
    tn_free(path);
    if (st != TERN_OK) return st;
    s->dead = copy_bits(tombs.dead, s->meta.n);
    tn_tombs_close(&tombs);
    return s->dead ? TERN_OK : no_memory(err);
}

/* Open the files of s->meta; s->meta.n == 0: not known yet. */
static tern_status segment_open(const char *dir, tn_wsegment *s, tern_error *err) {
    char *seg_dir = tn_path_join(dir, s->meta.name);
    if (!seg_dir) return no_memory(err);
    tern_status st = tn_docs_open(seg_dir, &s->docs, err);
    if (st == TERN_OK) st = tn_inv_open(seg_dir, &s->inv, err);
    if (st == TERN_OK) {
        uint32_t n = tn_docs_n_passages(s->docs);
        if (tn_inv_n_docs(s->inv) != n || (s->meta.n && s->meta.n != n))
            st = tern_fail(err, TERN_ERR_CORRUPT, 0,
                           "%s: %" PRIu32 " passages stored, %" PRIu32 " indexed", seg_dir, n,
                           tn_inv_n_docs(s->inv));
        s->meta.n = n;
    }
    if (st == TERN_OK) st = load_dead(s, seg_dir, err);
    tn_free(seg_dir);
    return st;
}

static tern_status open_committed(tn_index_writer *w, tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = 0; st == TERN_OK && i < w->committed.n_segs; i++) {
        if (TN_GROW(w->segs, w->segs_cap, w->n_segs + 1) != 0) return no_memory(err);
        tn_wsegment *s = &w->segs[w->n_segs++];
        *s = (tn_wsegment){.meta = w->committed.segs[i]};
        st = segment_open(w->dir, s, err);
    }
    return st;
}

tern_status tn_writer_new_folder(tn_index_writer *w, char name[TN_NAME_BYTES], char **path,
                                 tern_error *err) {
    if (w->next.next_segment >= UINT32_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "%s: segment numbers are used up; build the index "
                         "again in a new folder",
                         w->dir);
    snprintf(name, TN_NAME_BYTES, "seg-%08" PRIx64, w->next.next_segment++);
    *path = tn_path_join(w->dir, name);
    if (!*path) return no_memory(err);
    tern_status st = tn_mkdirs(*path, err);
    if (st == TERN_OK) return TERN_OK;
    tn_free(*path);
    *path = NULL;
    return st;
}

static tern_status list_file(void *ud, const char *dir, const char *name, tern_error *err) {
    tn_msegment *s = ud;
    if (s->n_files == TN_SEGMENT_FILES || strlen(name) >= TN_NAME_BYTES)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: more files than a segment has", dir);
    memcpy(s->files[s->n_files++].name, name, strlen(name) + 1);
    return TERN_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const tn_mfile *)a)->name, ((const tn_mfile *)b)->name);
}

/* Everything in the folder is its content, whichever room wrote it. */
static tern_status list_files(const char *dir, tn_msegment *s, tern_error *err) {
    char *seg_dir = tn_path_join(dir, s->name);
    if (!seg_dir) return no_memory(err);
    tern_status st = each_entry(seg_dir, list_file, s, err);
    qsort(s->files, s->n_files, sizeof *s->files, by_name);
    tn_free(seg_dir);
    return st;
}

tern_status tn_writer_adopt(tn_index_writer *w, const char *name, size_t at, tern_error *err) {
    if (TN_GROW(w->segs, w->segs_cap, w->n_segs + 1) != 0) return no_memory(err);
    tn_wsegment s = {.is_new = true};
    snprintf(s.meta.name, sizeof s.meta.name, "%s", name);
    tern_status st = list_files(w->dir, &s.meta, err);
    if (st == TERN_OK) st = segment_open(w->dir, &s, err);
    if (st != TERN_OK) {
        segment_close(&s);
        return st;
    }
    s.meta.n_live_docs = tn_docs_n_documents(s.docs);
    memmove(&w->segs[at + 1], &w->segs[at], (w->n_segs - at) * sizeof *w->segs);
    w->segs[at] = s;
    w->n_segs++;
    return TERN_OK;
}

/* Take segments [begin, end) out; folders that nobody else can know are removed at once. */
static tern_status drop_segments(tn_index_writer *w, size_t begin, size_t end, tern_error *err) {
    tern_status st = TERN_OK;
    for (size_t i = begin; i < end; i++) {
        bool is_new = w->segs[i].is_new;
        char name[TN_NAME_BYTES];
        memcpy(name, w->segs[i].meta.name, sizeof name);
        segment_close(&w->segs[i]);
        if (is_new && st == TERN_OK) st = remove_entry(w->dir, name, err);
    }
    memmove(&w->segs[begin], &w->segs[end], (w->n_segs - end) * sizeof *w->segs);
    w->n_segs -= end - begin;
    return st;
}

/* --- documents --- */

tern_status tn_writer_find(const tn_index_writer *w, const char *id, size_t *seg,
                           uint32_t *document, tern_error *err) {
    size_t len = strlen(id);
    for (size_t i = w->n_segs; i-- > 0;) {
        tern_status st = tn_docs_find(w->segs[i].docs, w->segs[i].dead, id, len, document, err);
        if (st == TERN_OK) *seg = i;
        if (st != TERN_ERR_NOT_FOUND) return st;
    }
    return TERN_ERR_NOT_FOUND;
}

tern_status tn_writer_kill(tn_index_writer *w, size_t seg, uint32_t document, tern_error *err) {
    tn_wsegment *s = &w->segs[seg];
    tn_document doc;
    tern_status st = tn_docs_document(s->docs, document, &doc, err);
    if (st != TERN_OK) return st;
    if (!s->dead && !(s->dead = copy_bits(NULL, s->meta.n))) return no_memory(err);
    for (uint32_t i = doc.first; i < doc.first + doc.n; i++)
        s->dead[i / 64] |= UINT64_C(1) << i % 64;
    s->dead_changed = true;
    s->meta.n_dead += doc.n;
    s->meta.n_live_docs--;
    uint64_t sum[2] = {0};
    tn_docs_hash(doc.id, doc.hash, sum);
    w->next.hash[0] -= sum[0];
    w->next.hash[1] -= sum[1];
    return TERN_OK;
}

uint64_t tn_writer_n_live(const tn_index_writer *w) {
    uint64_t n = 0;
    for (size_t i = 0; i < w->n_segs; i++) n += w->segs[i].meta.n - w->segs[i].meta.n_dead;
    return n;
}

/* --- merging --- */

typedef struct merge_parts {
    const tn_docs **docs;
    const tn_inv **invs;
    const uint64_t **dead;
    uint64_t **keep; /* the complement of dead; NULL entry: all */
    size_t n;
} merge_parts;

static void parts_free(merge_parts *p) {
    for (size_t i = 0; p->keep && i < p->n; i++) tn_free(p->keep[i]);
    tn_free(p->docs);
    tn_free(p->invs);
    tn_free(p->dead);
    tn_free(p->keep);
}

static tern_status parts_collect(const tn_index_writer *w, size_t begin, size_t end, merge_parts *p,
                                 tern_error *err) {
    size_t n = p->n = end - begin;
    p->docs = tn_calloc(n, sizeof *p->docs);
    p->invs = tn_calloc(n, sizeof *p->invs);
    p->dead = tn_calloc(n, sizeof *p->dead);
    p->keep = tn_calloc(n, sizeof *p->keep);
    if (!p->docs || !p->invs || !p->dead || !p->keep) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const tn_wsegment *s = &w->segs[begin + i];
        p->docs[i] = s->docs;
        p->invs[i] = s->inv;
        p->dead[i] = s->dead;
        tern_status st = s->dead ? tn_bits_invert(s->dead, s->meta.n, &p->keep[i], err) : TERN_OK;
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

static tern_status merge_into_folder(tn_index_writer *w, size_t begin, size_t end, const char *path,
                                     tern_error *err) {
    merge_parts p = {0};
    tern_status st = parts_collect(w, begin, end, &p, err);
    if (st == TERN_OK) st = tn_docs_merge(p.docs, p.dead, p.n, path, w->host, err);
    if (st == TERN_OK)
        st = tn_inv_merge(p.invs, (const uint64_t *const *)p.keep, p.n, path, w->host, err);
    parts_free(&p);
    return st;
}

tern_status tn_writer_merge(tn_index_writer *w, size_t begin, size_t end, tern_error *err) {
    uint64_t n_kept = 0;
    for (size_t i = begin; i < end; i++) n_kept += w->segs[i].meta.n - w->segs[i].meta.n_dead;
    if (n_kept == 0) return drop_segments(w, begin, end, err);
    if (n_kept >= UINT32_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: too many passages for one segment", w->dir);
    char name[TN_NAME_BYTES], *path = NULL;
    tern_status st = tn_writer_new_folder(w, name, &path, err);
    if (st == TERN_OK) st = merge_into_folder(w, begin, end, path, err);
    if (st == TERN_OK) st = tn_writer_adopt(w, name, end, err);
    if (st == TERN_OK) st = drop_segments(w, begin, end, err);
    tn_free(path);
    return st;
}

tern_status tn_writer_tidy(tn_index_writer *w, size_t first, tern_error *err) {
    tern_status st = TERN_OK;
    while (st == TERN_OK && w->n_segs - first > TN_SEGMENTS_KEPT) {
        /* Passages copied per segment saved: merges like sizes, so each passage is copied only a
         * logarithmic number of times. */
        size_t begin = 0, end = 0;
        double best = INFINITY;
        for (size_t i = first; i < w->n_segs; i++) {
            double cost = w->segs[i].meta.n;
            for (size_t k = i + 1; k < w->n_segs; k++) {
                cost += w->segs[k].meta.n;
                if (cost / (double)(k - i) >= best) continue;
                best = cost / (double)(k - i);
                begin = i;
                end = k + 1;
            }
        }
        st = tn_writer_merge(w, begin, end, err);
    }
    return st;
}

/* --- open, commit, close --- */

static tern_status prepare_folder(const char *dir, tern_error *err) {
    char *manifest = tn_path_join(dir, TN_MANIFEST_FILE);
    if (!manifest) return no_memory(err);
    bool is_there = tn_file_exists(manifest);
    tn_free(manifest);
    if (is_there) return TERN_OK;
    tern_status st = tn_mkdirs(dir, err);
    return st == TERN_OK ? each_entry(dir, refuse_stranger, NULL, err) : st;
}

static tern_status writer_start(tn_index_writer *w, bool create, tern_error *err) {
    tern_status st = TERN_OK;
    if (create) {
        st = prepare_folder(w->dir, err);
    } else { /* so that a wrong folder does not get a lock file */
        st = tn_manifest_load(w->dir, &w->committed, err);
        tn_manifest_deinit(&w->committed);
    }
    if (st == TERN_OK) st = tn_lock_acquire(w->dir, &w->lock, err);
    if (st != TERN_OK) return st;
    st = tn_manifest_load(w->dir, &w->committed, err);
    if (st == TERN_ERR_NOT_FOUND && create) st = TERN_OK;
    if (st == TERN_OK) st = sweep(w->dir, &w->committed, err);
    if (st == TERN_OK) st = open_committed(w, err);
    if (st != TERN_OK) return st;
    w->next = w->committed;
    w->next.segs = NULL;
    w->next.n_segs = w->next.segs_cap = 0;
    return TERN_OK;
}

tern_status tn_writer_open(const char *dir, bool create, const tern_host *host,
                           tn_index_writer **out, tern_error *err) {
    *out = NULL;
    tn_index_writer *w = tn_calloc(1, sizeof *w);
    if (!w) return no_memory(err);
    w->lock = -1;
    w->host = host;
    w->dir = tn_strdup(dir);
    tern_status st = w->dir ? writer_start(w, create, err) : no_memory(err);
    if (st != TERN_OK) {
        tn_writer_close(w);
        return st;
    }
    *out = w;
    return TERN_OK;
}

void tn_writer_close(tn_index_writer *w) {
    if (!w) return;
    for (size_t i = 0; i < w->n_segs; i++) segment_close(&w->segs[i]);
    tn_free(w->segs);
    tn_manifest_deinit(&w->next);
    if (w->lock >= 0) {
        /* What is on disk decides, not what we believe: a commit may have failed after its rename.
         * Should the sweep fail, the next writer does it. */
        tn_manifest_deinit(&w->committed);
        tern_error ignored;
        tern_status st = tn_manifest_load(w->dir, &w->committed, &ignored);
        if (st == TERN_OK || st == TERN_ERR_NOT_FOUND) st = sweep(w->dir, &w->committed, &ignored);
        (void)st;
    }
    tn_manifest_deinit(&w->committed);
    tn_lock_release(w->lock);
    tn_free(w->dir);
    tn_free(w);
}

static tern_status write_tombs(tn_index_writer *w, tn_wsegment *s, const char *seg_dir,
                               tern_error *err) {
    tn_mfile *f = &s->meta.tombstones;
    snprintf(f->name, sizeof f->name, "dead-%08" PRIx64 ".tn", w->next.generation);
    char *path = tn_path_join(seg_dir, f->name);
    tern_status st = path ? tn_tombs_write(path, s->dead, s->meta.n, err) : no_memory(err);
    tn_free(path);
    return st == TERN_OK ? tn_mfile_stamp(seg_dir, f, err) : st;
}

/* Put on disk, for good, what the manifest is about to name. */
static tern_status settle_segment(tn_index_writer *w, tn_wsegment *s, tern_error *err) {
    char *seg_dir = tn_path_join(w->dir, s->meta.name);
    tern_status st = seg_dir ? TERN_OK : no_memory(err);
    if (st == TERN_OK && s->dead_changed) st = write_tombs(w, s, seg_dir, err);
    for (size_t i = 0; st == TERN_OK && s->is_new && i < s->meta.n_files; i++)
        st = tn_mfile_stamp(seg_dir, &s->meta.files[i], err);
    tn_mfile *v = &s->meta.vectors; /* without a size: built since the last commit */
    if (st == TERN_OK && v->name[0] && v->size == 0) st = tn_mfile_stamp(seg_dir, v, err);
    if (st == TERN_OK) st = tn_dir_sync(seg_dir, err);
    tn_free(seg_dir);
    return st;
}

tern_status tn_writer_commit(tn_index_writer *w, tern_error *err) {
    tern_status st = tn_host_check(w->host, err);
    if (st != TERN_OK) return st;
    w->next.generation = w->committed.generation + 1;
    w->next.n_segs = 0;
    for (size_t i = 0; st == TERN_OK && i < w->n_segs; i++) {
        st = settle_segment(w, &w->segs[i], err);
        tn_msegment *meta = st == TERN_OK ? tn_manifest_grow(&w->next) : NULL;
        if (st == TERN_OK && !meta) st = no_memory(err);
        if (meta) {
            *meta = w->segs[i].meta;
            w->next.n_segs++;
        }
    }
    if (st == TERN_OK) st = tn_dir_sync(w->dir, err);
    if (st == TERN_OK) st = tn_manifest_save(&w->next, w->dir, err);
    return st;
}

/* --- the host --- */

bool tn_host_is_cancelled(const tern_host *host) {
    return host && host->cancelled && host->cancelled(host->ud);
}

tern_status tn_host_check(const tern_host *host, tern_error *err) {
    return tn_host_is_cancelled(host) ? tern_fail(err, TERN_ERR_CANCELLED, 0, "cancelled")
                                      : TERN_OK;
}

void tn_host_log(const tern_host *host, tern_log_level level, const char *fmt, ...) {
    if (!host || !host->log) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    host->log(host->ud, level, text);
}

void tn_host_progress(const tern_host *host, const char *what, const char *unit, uint64_t done,
                      uint64_t total) {
    if (!host || !host->progress) return;
    tern_progress p = {what, unit, done, total};
    host->progress(host->ud, &p);
}
