/* file.c - see file.h. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

tern_status tn_fail_errno(tern_error *err, int e, const char *path, const char *what) {
    tern_status st = e == ENOENT                     ? TERN_ERR_NOT_FOUND
                     : e == ENOSPC || e == EDQUOT    ? TERN_ERR_FULL
                     : e == ENOMEM                   ? TERN_ERR_NOMEM
                     : e == EEXIST || e == ENOTEMPTY ? TERN_ERR_EXISTS
                                                     : TERN_ERR_IO;
    return tern_fail(err, st, e, "%s: %s: %s", path, what, strerror(e));
}

tern_status tn_file_read(const char *path, size_t n_max, tn_buf *out, tern_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tn_fail_errno(err, errno, path, "cannot open");
    struct stat sb;
    if (fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_size > 0) {
        if ((uint64_t)sb.st_size > n_max) {
            close(fd);
            return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: %lld bytes, more than the limit of %zu",
                             path, (long long)sb.st_size, n_max);
        }
        tn_buf_reserve(out, (size_t)sb.st_size);
    }
    tern_status st = TERN_OK;
    size_t total = 0;
    for (;;) {
        tn_buf_reserve(out, 1 << 16);
        if ((st = tn_buf_status(out, err)) != TERN_OK) break;
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) st = tn_fail_errno(err, errno, path, "cannot read");
        if (n <= 0) break;
        total += (size_t)n;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (total > n_max) {
            st = tern_fail(err, TERN_ERR_LIMIT, 0, "%s: more than the limit of %zu bytes", path,
                           n_max);
            break;
        }
    }
    close(fd);
    return st;
}

tern_status tn_write_all(int fd, const void *data, size_t n, const char *path, tern_error *err) {
    const char *p = data;
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return tn_fail_errno(err, errno, path, "cannot write");
        p += k;
        n -= (size_t)k;
    }
    return TERN_OK;
}

static tern_status sync_parent(const char *path, tern_error *err) {
    const char *slash = strrchr(path, '/');
    char *dir =
        slash ? tn_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : tn_strdup(".");
    if (!dir) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status st = tn_dir_sync(dir, err);
    tn_free(dir);
    return st;
}

tern_status tn_file_new_open(tn_file_new *f, const char *path, tern_error *err) {
    tn_buf tmp = {0};
    tn_buf_printf(&tmp, "%s.tmp.%ld", path, (long)getpid());
    *f = (tn_file_new){-1, tn_buf_take(&tmp), path};
    if (!f->tmp) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    f->fd = open(f->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (f->fd >= 0) return TERN_OK;
    tern_status st = tn_fail_errno(err, errno, path, "cannot create");
    tn_free(f->tmp);
    return st;
}

tern_status tn_file_new_close(tn_file_new *f, tern_status st, tern_error *err) {
    if (st == TERN_OK && fsync(f->fd) != 0) st = tn_fail_errno(err, errno, f->path, "cannot sync");
    if (close(f->fd) != 0 && st == TERN_OK) st = tn_fail_errno(err, errno, f->path, "cannot close");
    if (st == TERN_OK && rename(f->tmp, f->path) != 0)
        st = tn_fail_errno(err, errno, f->path, "cannot replace");
    if (st != TERN_OK)
        unlink(f->tmp);
    else
        st = sync_parent(f->path, err);
    tn_free(f->tmp);
    return st;
}

tern_status tn_file_replace(const char *path, const void *data, size_t n, tern_error *err) {
    tn_file_new f;
    tern_status st = tn_file_new_open(&f, path, err);
    if (st != TERN_OK) return st;
    return tn_file_new_close(&f, tn_write_all(f.fd, data, n, path, err), err);
}

tern_status tn_dir_sync(const char *path, tern_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return tn_fail_errno(err, errno, path, "cannot open folder");
    tern_status st = TERN_OK;
    /* EINVAL: the file system has no directory sync (some network and fuse mounts). */
    if (fsync(fd) != 0 && errno != EINVAL) st = tn_fail_errno(err, errno, path, "cannot sync");
    close(fd);
    return st;
}

tern_status tn_mkdirs(const char *path, tern_error *err) {
    char *p = tn_strdup(path);
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    tern_status st = TERN_OK;
    for (char *s = p + 1; st == TERN_OK; s++) {
        if (*s && *s != '/') continue;
        char c = *s;
        *s = '\0';
        if (mkdir(p, 0777) != 0 && !(errno == EEXIST && tn_is_dir(p)))
            st = tn_fail_errno(err, errno == EEXIST ? ENOTDIR : errno, p, "cannot create folder");
        *s = c;
        if (!c) break;
    }
    tn_free(p);
    return st;
}

tern_status tn_remove_tree(const char *path, tern_error *err) {
    struct stat sb;
    if (lstat(path, &sb) != 0)
        return errno == ENOENT ? TERN_OK : tn_fail_errno(err, errno, path, "cannot remove");
    if (!S_ISDIR(sb.st_mode))
        return unlink(path) == 0 ? TERN_OK : tn_fail_errno(err, errno, path, "cannot remove");
    DIR *d = opendir(path);
    if (!d) return tn_fail_errno(err, errno, path, "cannot open folder");
    tern_status st = TERN_OK;
    for (struct dirent *e; st == TERN_OK && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *child = tn_path_join(path, e->d_name);
        st =
            child ? tn_remove_tree(child, err) : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        tn_free(child);
    }
    closedir(d);
    if (st == TERN_OK && rmdir(path) != 0) st = tn_fail_errno(err, errno, path, "cannot remove");
    return st;
}

bool tn_file_exists(const char *path) {
    return access(path, F_OK) == 0;
}

bool tn_is_dir(const char *path) {
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

char *tn_path_join(const char *dir, const char *name) {
    tn_buf b = {0};
    size_t n = strlen(dir);
    tn_buf_str(&b, dir);
    if (n && dir[n - 1] != '/') tn_buf_char(&b, '/');
    tn_buf_str(&b, name);
    return tn_buf_take(&b);
}

const char *tn_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

tern_status tn_path_absolute(const char *path, char **out, tern_error *err) {
    char *real = realpath(path, NULL);
    *out = real ? tn_strdup(real) : NULL;
    if (!real) return tn_fail_errno(err, errno, path, "cannot find");
    free(real); /* the C library's own block */
    return *out ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", path);
}

tern_status tn_map_open(const char *path, tn_map *out, tern_error *err) {
    *out = (tn_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tn_fail_errno(err, errno, path, "cannot open");
    struct stat sb;
    tern_status st = TERN_OK;
    if (fstat(fd, &sb) != 0) {
        st = tn_fail_errno(err, errno, path, "cannot stat");
    } else if (!S_ISREG(sb.st_mode)) {
        st = tern_fail(err, TERN_ERR_IO, 0, "%s: not a regular file", path);
    } else if (sb.st_size == 0) {
        *out = (tn_map){(const uint8_t *)"", 0};
    } else {
        void *p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            st = tn_fail_errno(err, errno, path, "cannot map");
        else
            *out = (tn_map){p, (size_t)sb.st_size};
    }
    close(fd);
    return st;
}

void tn_map_close(tn_map *m) {
    if (m->size) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (tn_map){0};
}
