/* walk.h - the inputs of a call as one list of files, in a fixed order.
 * Arguments in order; folders depth first, sorted by the bytes of the names. Hidden names are left
 * out. Links are followed, and each folder is read once, so that a loop ends.
 * In the folder of a data set (one that holds corpus.jsonl) only the corpus is documents; the
 * folder of an index holds none. */
#ifndef TN_WALK_H
#define TN_WALK_H
#include "core/base/arena.h"
#include "core/base/strmap.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_walk_file {
    const char *path;
    uint64_t size; /* of the file as stored; 0 if unknown */
    bool named;    /* an argument itself, not found in a folder */
} tn_walk_file;

typedef struct tn_walk {
    tn_walk_file *files;
    size_t n_files, files_cap;
    uint64_t n_bytes; /* of all files; 0 if that of one is unknown */
    bool size_unknown;
    tn_arena arena;    /* the paths */
    tn_strmap folders; /* device and inode of those read */
    /* What is left out on the way: a folder that cannot be read, a socket (bad = true), the
     * questions beside a corpus (bad = false). Returns OK to go on. */
    tern_status (*skipped)(void *ud, const char *path, bool bad, const char *why, tern_error *err);
    void *ud;
} tn_walk; /* set skipped and ud, zero the rest */

void tn_walk_deinit(tn_walk *w);
/* Errors: NOT_FOUND or IO (an argument that cannot be used), NOMEM, and what `skipped` returns. */
TERN_MUST_USE tern_status tn_walk_add(tn_walk *w, const char *input, tern_error *err);
#endif
