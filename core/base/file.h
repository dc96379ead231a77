/* file.h - files, whole or mapped, and replacing them without ever leaving half of one. */
#ifndef TN_FILE_H
#define TN_FILE_H
#include "core/base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* errno -> status: ENOENT NOT_FOUND, ENOSPC/EDQUOT FULL, ENOMEM NOMEM, EEXIST EXISTS, else IO; the
 * message is "path: what: strerror". */
tern_status tn_fail_errno(tern_error *err, int errno_value, const char *path, const char *what);

/* Append the whole file. LIMIT if it holds more than n_max bytes. */
TERN_MUST_USE tern_status tn_file_read(const char *path, size_t n_max, tn_buf *out,
                                       tern_error *err);
/* Write path.tmp.PID, fsync, rename over path, fsync the folder. On failure the old file stands and
 * the temporary one is gone. */
TERN_MUST_USE tern_status tn_file_replace(const char *path, const void *data, size_t n,
                                          tern_error *err);
/* The same for a file that is written in pieces: open, tn_write_all to fd, close. Close commits
 * when `so_far` is OK and drops the temporary file otherwise; it returns so_far or its own failure.
 */
typedef struct tn_file_new {
    int fd;
    char *tmp;        /* path.tmp.PID */
    const char *path; /* the caller's, borrowed until close */
} tn_file_new;
TERN_MUST_USE tern_status tn_file_new_open(tn_file_new *f, const char *path, tern_error *err);
TERN_MUST_USE tern_status tn_file_new_close(tn_file_new *f, tern_status so_far, tern_error *err);
TERN_MUST_USE tern_status tn_dir_sync(const char *path, tern_error *err);
TERN_MUST_USE tern_status tn_mkdirs(const char *path, tern_error *err); /* like mkdir -p */
TERN_MUST_USE tern_status tn_remove_tree(const char *path,
                                         tern_error *err); /* like rm -r; missing is ok */
bool tn_file_exists(const char *path);
bool tn_is_dir(const char *path);
/* write(2) until all is written; IO or FULL. */
TERN_MUST_USE tern_status tn_write_all(int fd, const void *data, size_t n, const char *path,
                                       tern_error *err);

/* "dir/name", heap, tn_free; NULL: no memory. */
char *tn_path_join(const char *dir, const char *name);
const char *tn_path_base(const char *path); /* view of the part after the last '/' */
/* The path from the root, without . and .. and links, heap, tn_free. It must exist. */
TERN_MUST_USE tern_status tn_path_absolute(const char *path, char **out, tern_error *err);

/* A file mapped read-only. An empty file has data "" and size 0. */
typedef struct tn_map {
    const uint8_t *data; /* valid until tn_map_close */
    size_t size;         /* bytes */
} tn_map;
TERN_MUST_USE tern_status tn_map_open(const char *path, tn_map *out, tern_error *err);
void tn_map_close(tn_map *m); /* zeroed map allowed */

#endif
