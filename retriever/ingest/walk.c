/* walk.c - see walk.h. The list is made before anything is read: all arguments are known to exist,
 * the amount of work is known, and files that appear meanwhile do not matter. */
#include "retriever/ingest/walk.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/mem.h"

enum { DEPTH_MAX = 512 }; /* folders inside folders; real trees end long before */

void tn_walk_deinit(tn_walk *w) {
    tn_free(w->files);
    tn_arena_deinit(&w->arena);
    tn_strmap_deinit(&w->folders);
    w->files = NULL;
    w->n_files = w->files_cap = 0;
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static tern_status add_file(tn_walk *w, const char *path, const struct stat *sb, bool named,
                            tern_error *err) {
    char *copy = tn_arena_strndup(&w->arena, path, strlen(path));
    if (!copy || TN_GROW(w->files, w->files_cap, w->n_files + 1) != 0) return no_memory(err);
    bool known = sb && S_ISREG(sb->st_mode);
    uint64_t size = known ? (uint64_t)sb->st_size : 0;
    w->files[w->n_files++] = (tn_walk_file){copy, size, named};
    w->n_bytes += size;
    if (!known) w->size_unknown = true;
    if (w->size_unknown) w->n_bytes = 0;
    return TERN_OK;
}

typedef struct names {
    char **v;
    size_t n, cap;
} names;

static void names_deinit(names *l) {
    for (size_t i = 0; i < l->n; i++) tn_free(l->v[i]);
    tn_free(l->v);
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The visible names in the folder, sorted. IO: errno in *e. */
static tern_status list_folder(const char *path, names *out, int *e, tern_error *err) {
    DIR *d = opendir(path);
    *e = errno;
    if (!d) return TERN_ERR_IO;
    tern_status st = TERN_OK;
    for (struct dirent *entry; st == TERN_OK && (entry = readdir(d));) {
        if (entry->d_name[0] == '.') continue;
        char *name = tn_strdup(entry->d_name);
        if (!name || TN_GROW(out->v, out->cap, out->n + 1) != 0) {
            tn_free(name);
            st = no_memory(err);
        } else {
            out->v[out->n++] = name;
        }
    }
    closedir(d);
    if (out->n) qsort(out->v, out->n, sizeof *out->v, by_bytes);
    return st;
}

/* The corpus of a BEIR data set, or NULL: the other files there ask questions or judge answers. */
static const char *corpus_among(const names *l) {
    static const char *const corpora[] = {"corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst"};
    for (size_t c = 0; c < sizeof corpora / sizeof *corpora; c++)
        for (size_t i = 0; i < l->n; i++)
            if (strcmp(l->v[i], corpora[c]) == 0) return l->v[i];
    return NULL;
}

/* Is this the folder of an index? Its files say nothing to a reader. */
static bool is_index(const names *l) {
    bool manifest = false, segment = false;
    for (size_t i = 0; i < l->n; i++) {
        manifest |= strcmp(l->v[i], "manifest.json") == 0;
        segment |= tn_starts_with(l->v[i], "seg-");
    }
    return manifest && segment;
}

static tern_status walk_folder(tn_walk *w, const char *path, int depth, tern_error *err);

static tern_status walk_entry(tn_walk *w, const char *path, int depth, tern_error *err) {
    struct stat sb;
    if (stat(path, &sb) != 0) return w->skipped(w->ud, path, true, strerror(errno), err);
    if (S_ISREG(sb.st_mode)) return add_file(w, path, &sb, false, err);
    if (!S_ISDIR(sb.st_mode)) return w->skipped(w->ud, path, true, "not a regular file", err);
    if (depth >= DEPTH_MAX) return w->skipped(w->ud, path, true, "folders nested too deep", err);
    uint64_t key[2] = {(uint64_t)sb.st_dev, (uint64_t)sb.st_ino};
    uint32_t n_before = w->folders.n;
    if (tn_strmap_add(&w->folders, (const char *)key, sizeof key) == TN_STRMAP_NONE)
        return no_memory(err);
    if (w->folders.n == n_before)
        return w->skipped(w->ud, path, false, "folder already read under another name", err);
    return walk_folder(w, path, depth, err);
}

static tern_status walk_folder(tn_walk *w, const char *path, int depth, tern_error *err) {
    names l = {0};
    int e = 0;
    tern_status st = list_folder(path, &l, &e, err);
    if (st == TERN_ERR_IO) {
        names_deinit(&l);
        return depth == 0 ? tn_fail_errno(err, e, path, "cannot read folder")
                          : w->skipped(w->ud, path, true, strerror(e), err);
    }
    if (st == TERN_OK && is_index(&l)) {
        names_deinit(&l);
        return w->skipped(w->ud, path, false, "an index, not documents", err);
    }
    const char *corpus = corpus_among(&l);
    if (st == TERN_OK && corpus && l.n > 1)
        st = w->skipped(w->ud, path, false, "a data set: only its corpus is documents", err);
    for (size_t i = 0; st == TERN_OK && i < l.n; i++) {
        if (corpus && l.v[i] != corpus) continue;
        char *child = tn_path_join(path, l.v[i]);
        st = child ? walk_entry(w, child, depth + 1, err) : no_memory(err);
        tn_free(child);
    }
    names_deinit(&l);
    return st;
}

tern_status tn_walk_add(tn_walk *w, const char *input, tern_error *err) {
    if (strcmp(input, "-") == 0) return add_file(w, input, NULL, true, err);
    struct stat sb;
    if (stat(input, &sb) != 0) return tn_fail_errno(err, errno, input, "cannot index");
    if (!S_ISDIR(sb.st_mode)) return add_file(w, input, &sb, true, err);
    return walk_entry(w, input, 0, err);
}
