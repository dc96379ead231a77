/* grown_file.c - see grown_file.h. */
#include "trainer/grown_file.h"
#include "core/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the files of a run");
}

tern_status tn_grown_open(const char *dir, const char *name, uint64_t n_bytes, int *fd,
                          tern_error *err) {
    char *path = tn_path_join(dir, name);
    if (!path) return no_memory(err);
    tern_status st = TERN_OK;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0 || ftruncate(*fd, (off_t)n_bytes) != 0 || lseek(*fd, (off_t)n_bytes, SEEK_SET) < 0)
        st = tn_fail_errno(err, errno, path, "cannot open for writing");
    tn_free(path);
    return st;
}

tern_status tn_grown_add(const char *dir, const char *name, int fd, const tn_buf *b,
                         uint64_t *n_bytes, tern_error *err) {
    char *path = tn_path_join(dir, name);
    tern_status st = path ? tn_buf_status(b, err) : no_memory(err);
    if (st == TERN_OK) st = tn_write_all(fd, b->data, b->len, path, err);
    if (st == TERN_OK) *n_bytes += b->len;
    tn_free(path);
    return st;
}
