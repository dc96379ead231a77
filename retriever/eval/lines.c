/* lines.c - see lines.h. zlib reads plain files as they are, so one path serves both. */
#include "retriever/eval/lines.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "core/base/mem.h"

enum { CHUNK_BYTES = 64 << 10 };

struct tn_lines {
    gzFile file; /* NULL: memory */
    char *name;
    const char *text; /* what is left to cut: of the memory, or of the chunk */
    size_t text_len;
    char *chunk;
    tn_buf line;
    size_t line_no;
    bool at_end;
};

void tn_lines_close(tn_lines *l) {
    if (!l) return;
    if (l->file) gzclose(l->file);
    tn_buf_deinit(&l->line);
    tn_free(l->chunk);
    tn_free(l->name);
    tn_free(l);
}

static tn_lines *lines_new(const char *name) {
    tn_lines *l = tn_calloc(1, sizeof *l);
    if (!l) return NULL;
    l->name = tn_strdup(name);
    if (l->name) return l;
    tn_lines_close(l);
    return NULL;
}

tern_status tn_lines_open(const char *path, tn_lines **out, tern_error *err) {
    if (tn_is_dir(path)) return tern_fail(err, TERN_ERR_IO, EISDIR, "%s: is a folder", path);
    tn_lines *l = lines_new(path);
    if (!l) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    l->chunk = tn_alloc(CHUNK_BYTES);
    if (!l->chunk) {
        tn_lines_close(l);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    errno = 0;
    l->file = gzopen(path, "rb");
    if (!l->file) {
        int e = errno ? errno : ENOMEM;
        tn_lines_close(l);
        return tn_fail_errno(err, e, path, "cannot open");
    }
    *out = l;
    return TERN_OK;
}

tern_status tn_lines_view(const char *text, size_t len, const char *name, tn_lines **out,
                          tern_error *err) {
    tn_lines *l = lines_new(name);
    if (!l) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    l->text = text;
    l->text_len = len;
    *out = l;
    return TERN_OK;
}

static tern_status refill(tn_lines *l, tern_error *err) {
    l->at_end = true;
    if (!l->file) return TERN_OK;
    int n = gzread(l->file, l->chunk, CHUNK_BYTES);
    int code;
    const char *what = gzerror(l->file, &code);
    if (n < 0 || code == Z_BUF_ERROR) {
        if (code == Z_ERRNO) return tn_fail_errno(err, errno, l->name, "cannot read");
        return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: damaged gzip data after line %zu: %s",
                         l->name, l->line_no, what);
    }
    l->text = l->chunk;
    l->text_len = (size_t)n;
    l->at_end = n == 0;
    return TERN_OK;
}

tern_status tn_lines_next(tn_lines *l, char **line, size_t *len, tern_error *err) {
    *line = NULL;
    *len = 0;
    tn_buf_reset(&l->line);
    bool ended = false;
    while (!ended) {
        if (l->text_len == 0) {
            tern_status status = refill(l, err);
            if (status != TERN_OK) return status;
            if (!l->at_end) continue;
            if (l->line.len == 0 && !l->line.failed) return TERN_OK;
            break;
        }
        const char *end = memchr(l->text, '\n', l->text_len);
        size_t n = end ? (size_t)(end - l->text) : l->text_len;
        if (l->line.len + n > TN_LINE_BYTES_MAX)
            return tern_fail(err, TERN_ERR_LIMIT, 0, "%s:%zu: line is longer than %d MiB", l->name,
                             l->line_no + 1, TN_LINE_BYTES_MAX >> 20);
        tn_buf_add(&l->line, l->text, n);
        ended = end != NULL;
        l->text += n + ended;
        l->text_len -= n + ended;
    }
    l->line_no++;
    (void)tn_buf_cstr(&l->line); /* an empty line needs its NUL too */
    tern_status status = tn_buf_status(&l->line, err);
    if (status != TERN_OK) return status;
    size_t n = l->line.len;
    if (n && l->line.data[n - 1] == '\r') n--;
    l->line.data[n] = '\0';
    *line = l->line.data;
    *len = n;
    return TERN_OK;
}

tern_status tn_lines_bad(const tn_lines *l, tern_error *err, const char *fmt, ...) {
    char text[384];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return tern_fail(err, TERN_ERR_FORMAT, 0, "%s:%zu: %s", l->name, l->line_no, text);
}

size_t tn_lines_no(const tn_lines *l) {
    return l->line_no;
}

size_t tn_words(char *line, char **words, size_t cap) {
    size_t n = 0;
    for (char *p = line + strspn(line, " \t"); *p; p += strspn(p, " \t")) {
        if (n == cap) return cap + 1;
        words[n++] = p;
        p += strcspn(p, " \t");
        if (*p) *p++ = '\0';
    }
    return n;
}
