/* checkpoint_dir.c - the checkpoints of one run in a folder: the newest few are kept.
 * Files are removed only after the new one has been synced and renamed into place. */
#include "core/base/file.h"
#include "core/base/text.h"
#include "tern/checkpoint.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

#define SUFFIX ".safetensors"

typedef struct names {
    char **at;
    size_t n, cap;
} names;

static void names_deinit(names *v) {
    for (size_t i = 0; i < v->n; i++) tn_free(v->at[i]);
    tn_free(v->at);
    *v = (names){0};
}

/* "step-" and digits and the suffix; *rest: what follows it. */
static bool is_checkpoint(const char *name, const char **rest) {
    if (!tn_starts_with(name, "step-")) return false;
    const char *digits = name + 5, *s = digits;
    while (*s >= '0' && *s <= '9') s++;
    if (s == digits || !tn_starts_with(s, SUFFIX)) return false;
    *rest = s + strlen(SUFFIX);
    return true;
}

/* By step: numbers have at least ten digits, so longer ones are greater. */
static int by_step(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    size_t m = strlen(x), n = strlen(y);
    return m != n ? (m < n ? -1 : 1) : strcmp(x, y);
}

/* Full paths of the folder's checkpoints by step, and of files that a killed save has left. */
static tern_status list(const char *dir, names *whole, names *left_over, tern_error *err) {
    DIR *d = opendir(dir);
    if (!d) return tn_fail_errno(err, errno, dir, "cannot open folder");
    tern_status st = TERN_OK;
    for (struct dirent *e; st == TERN_OK && (e = readdir(d));) {
        const char *rest;
        if (!is_checkpoint(e->d_name, &rest)) continue;
        names *v = !*rest ? whole : tn_starts_with(rest, ".tmp.") ? left_over : NULL;
        if (!v) continue;
        char *path = tn_path_join(dir, e->d_name);
        if (path && TN_GROW(v->at, v->cap, v->n + 1) == 0) {
            v->at[v->n++] = path;
        } else {
            tn_free(path);
            st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        }
    }
    closedir(d);
    if (whole->n) qsort(whole->at, whole->n, sizeof *whole->at, by_step);
    return st;
}

/* Files of later steps than `saved` are of another run, and not ours to count. */
static tern_status remove_old(const char *dir, const char *saved, size_t n_keep, tern_error *err) {
    names whole = {0}, left_over = {0};
    tern_status st = list(dir, &whole, &left_over, err);
    size_t n = 0;
    while (n < whole.n && by_step(&whole.at[n], &saved) <= 0) n++;
    size_t n_old = n_keep && n > n_keep ? n - n_keep : 0;
    for (size_t i = 0; st == TERN_OK && i < n_old; i++)
        if (unlink(whole.at[i]) != 0) st = tn_fail_errno(err, errno, whole.at[i], "cannot remove");
    for (size_t i = 0; st == TERN_OK && i < left_over.n; i++)
        if (unlink(left_over.at[i]) != 0 && errno != ENOENT)
            st = tn_fail_errno(err, errno, left_over.at[i], "cannot remove");
    names_deinit(&whole);
    names_deinit(&left_over);
    return st;
}

tern_status tern_checkpoint_save_in(const char *dir, size_t n_keep, const tern_optim *o,
                                    const tern_train_state *s, tern_error *err) {
    char name[64];
    snprintf(name, sizeof name, "step-%010" PRIu64 SUFFIX, tern_optim_n_steps(o));
    char *path = tn_path_join(dir, name);
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status st = tn_mkdirs(dir, err);
    if (st == TERN_OK) st = tern_checkpoint_save(path, o, s, err);
    if (st == TERN_OK) st = remove_old(dir, path, n_keep, err);
    tn_free(path);
    return st;
}

tern_status tern_checkpoint_load_latest(const char *dir, tern_optim *o, uint64_t recipe_hash,
                                        tern_train_state *s, tern_error *err) {
    *s = (tern_train_state){0};
    names whole = {0}, left_over = {0};
    tern_status st = list(dir, &whole, &left_over, err);
    if (st == TERN_OK && whole.n == 0)
        st = tern_fail(err, TERN_ERR_NOT_FOUND, 0, "%s: no checkpoint (step-*" SUFFIX ")", dir);
    if (st == TERN_OK) st = tern_checkpoint_load(whole.at[whole.n - 1], o, recipe_hash, s, err);
    names_deinit(&whole);
    names_deinit(&left_over);
    return st;
}
