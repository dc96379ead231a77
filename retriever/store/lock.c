/* lock.c - see lock.h. */
#include "retriever/store/lock.h"
#include "core/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/mem.h"

static tern_status locked_by_other(int fd, const char *dir, tern_error *err) {
    char text[32] = {0};
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return tern_fail(err, TERN_ERR_LOCKED, EWOULDBLOCK,
                         "%s: process %ld is writing to this index; wait for it or stop it", dir,
                         pid);
    return tern_fail(err, TERN_ERR_LOCKED, EWOULDBLOCK,
                     "%s: another process is writing to this index; wait for it or stop it", dir);
}

tern_status tn_lock_acquire(const char *dir, int *fd, tern_error *err) {
    *fd = -1;
    char *path = tn_path_join(dir, "lock");
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status st = TERN_OK;
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f < 0) {
        st = tn_fail_errno(err, errno, path, "cannot write to the index");
    } else if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        st = errno == EWOULDBLOCK ? locked_by_other(f, dir, err)
                                  : tn_fail_errno(err, errno, path, "cannot lock");
    } else {
        char text[32];
        int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(f, 0) != 0 || pwrite(f, text, (size_t)n, 0) != n)
            st = tn_fail_errno(err, errno, path, "cannot write to the index");
    }
    if (st == TERN_OK)
        *fd = f;
    else if (f >= 0)
        close(f);
    tn_free(path);
    return st;
}

void tn_lock_release(int fd) {
    if (fd < 0) return;
    /* Should this fail, a stale pid stays behind, which only shows while someone holds the lock. */
    int ignored = ftruncate(fd, 0);
    (void)ignored;
    close(fd);
}
