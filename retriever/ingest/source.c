/* source.c - see source.h. */
#include "retriever/ingest/source.h"
#include "core/base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST /* its input is ours to read only */
#include <zlib.h>
#include <zstd.h>

#include "core/base/mem.h"

enum { RAW_SIZE = 128 << 10, WINDOW_SIZE = 256 << 10 };

typedef enum coding { CODING_NONE, CODING_GZIP, CODING_ZSTD } coding;

struct tn_source {
    int fd;            /* -1: memory */
    bool owns_fd;      /* false for standard input */
    bool started;      /* coding is known */
    bool raw_end, end; /* nothing more to read; nothing more to deliver */
    bool in_member;    /* inside a compressed member: the end of the file would be too early */
    coding coding;
    const unsigned char *raw; /* file bytes not yet decoded: raw[raw_pos..raw_len) */
    size_t raw_pos, raw_len;
    uint64_t n_raw;  /* file bytes read */
    uint64_t n_used; /* decoded bytes handed over */
    unsigned char *raw_buf;
    char *window; /* decoded bytes: window[pos..len) */
    size_t pos, len;
    z_stream z;
    ZSTD_DStream *zstd;
    tern_error failed; /* status OK until a read failed */
};

static void *z_alloc(void *ud, unsigned n, unsigned size) {
    (void)ud;
    return tn_calloc(n, size);
}
static void z_free(void *ud, void *p) {
    (void)ud;
    tn_free(p);
}

static tn_source *source_new(void) {
    tn_source *s = tn_calloc(1, sizeof *s);
    if (!s) return NULL;
    s->fd = -1;
    s->window = tn_alloc(WINDOW_SIZE);
    if (s->window) return s;
    tn_free(s);
    return NULL;
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

tern_status tn_source_open(const char *path, tn_source **out, tern_error *err) {
    *out = NULL;
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tn_fail_errno(err, errno, path, "cannot open");
    tn_source *s = source_new();
    unsigned char *raw = tn_alloc(RAW_SIZE);
    if (!s || !raw) {
        if (!is_stdin) close(fd);
        tn_source_close(s);
        tn_free(raw);
        return no_memory(err);
    }
    s->fd = fd;
    s->owns_fd = !is_stdin;
    s->raw = s->raw_buf = raw;
    *out = s;
    return TERN_OK;
}

tern_status tn_source_open_memory(const void *data, size_t n, tn_source **out, tern_error *err) {
    tn_source *s = *out = source_new();
    if (!s) return no_memory(err);
    s->raw = data;
    s->raw_len = n;
    s->n_raw = n;
    return TERN_OK;
}

void tn_source_close(tn_source *s) {
    if (!s) return;
    if (s->coding == CODING_GZIP) inflateEnd(&s->z);
    ZSTD_freeDStream(s->zstd);
    if (s->owns_fd) close(s->fd);
    tn_free(s->raw_buf);
    tn_free(s->window);
    tn_free(s);
}

static tern_status broken(tn_source *s, tern_status st, int code, const char *what) {
    return tern_fail(&s->failed, st, code, "%s", what);
}

/* Make raw[] non-empty unless the file is at its end. */
static tern_status fill_raw(tn_source *s) {
    if (s->raw_pos < s->raw_len || s->raw_end) return TERN_OK;
    if (s->fd < 0) {
        s->raw_end = true;
        return TERN_OK;
    }
    ssize_t n;
    do n = read(s->fd, s->raw_buf, RAW_SIZE);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        int e = errno;
        return tern_fail(&s->failed, TERN_ERR_IO, e, "cannot read: %s", strerror(e));
    }
    s->raw_pos = 0;
    s->raw_len = (size_t)n;
    s->n_raw += (uint64_t)n;
    if (n == 0) s->raw_end = true;
    return TERN_OK;
}

static tern_status start_coding(tn_source *s) {
    s->started = true;
    tern_status st = fill_raw(s);
    const unsigned char *p = s->raw + s->raw_pos;
    size_t n = s->raw_len - s->raw_pos;
    if (st != TERN_OK || n < 4) return st;
    if (p[0] == 0x1F && p[1] == 0x8B && p[2] == 8) {
        s->z = (z_stream){.zalloc = z_alloc, .zfree = z_free};
        if (inflateInit2(&s->z, 15 + 16) != Z_OK)
            return broken(s, TERN_ERR_NOMEM, 0, "out of memory");
        s->coding = CODING_GZIP;
        s->in_member = true;
    } else if (p[0] == 0x28 && p[1] == 0xB5 && p[2] == 0x2F && p[3] == 0xFD) {
        s->zstd = ZSTD_createDStream();
        if (!s->zstd) return broken(s, TERN_ERR_NOMEM, 0, "out of memory");
        s->coding = CODING_ZSTD;
        s->in_member = true;
    }
    return TERN_OK;
}

static tern_status decode_none(tn_source *s) {
    size_t n = s->raw_len - s->raw_pos;
    if (n > WINDOW_SIZE - s->len) n = WINDOW_SIZE - s->len;
    memcpy(s->window + s->len, s->raw + s->raw_pos, n);
    s->raw_pos += n;
    s->len += n;
    return TERN_OK;
}

/* After a gzip member: another one, zero padding, or something that does not belong there. */
static tern_status next_member(tn_source *s) {
    while (s->raw_pos < s->raw_len && s->raw[s->raw_pos] == 0) s->raw_pos++;
    if (s->raw_pos == s->raw_len) return TERN_OK;
    if (s->raw[s->raw_pos] != 0x1F)
        return broken(s, TERN_ERR_FORMAT, 0, "bytes after the end of the gzip stream");
    if (inflateReset(&s->z) != Z_OK) return broken(s, TERN_ERR_FORMAT, 0, "gzip stream damaged");
    s->in_member = true;
    return TERN_OK;
}

static tern_status decode_gzip(tn_source *s) {
    if (!s->in_member) {
        tern_status st = next_member(s);
        if (st != TERN_OK || !s->in_member) return st;
    }
    size_t n_in = s->raw_len - s->raw_pos;
    if (n_in > 1u << 30) n_in = 1u << 30;
    s->z.next_in = s->raw + s->raw_pos;
    s->z.avail_in = (unsigned)n_in;
    s->z.next_out = (unsigned char *)s->window + s->len;
    s->z.avail_out = (unsigned)(WINDOW_SIZE - s->len);
    int rc = inflate(&s->z, Z_NO_FLUSH);
    s->raw_pos += n_in - s->z.avail_in;
    s->len = WINDOW_SIZE - s->z.avail_out;
    if (rc == Z_STREAM_END)
        s->in_member = false;
    else if (rc == Z_MEM_ERROR)
        return broken(s, TERN_ERR_NOMEM, 0, "out of memory");
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return tern_fail(&s->failed, TERN_ERR_FORMAT, rc, "gzip stream damaged: %s",
                         s->z.msg ? s->z.msg : "bad data");
    return TERN_OK;
}

static tern_status decode_zstd(tn_source *s) {
    if (!s->in_member && s->raw_pos == s->raw_len) return TERN_OK; /* between frames, at the end */
    ZSTD_inBuffer in = {s->raw, s->raw_len, s->raw_pos};
    ZSTD_outBuffer out = {s->window, WINDOW_SIZE, s->len};
    size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
    s->raw_pos = in.pos;
    s->len = out.pos;
    if (ZSTD_isError(rc))
        return tern_fail(&s->failed, TERN_ERR_FORMAT, 0, "zstd stream damaged: %s",
                         ZSTD_getErrorName(rc));
    s->in_member = rc != 0;
    return TERN_OK;
}

/* Add decoded bytes to the window until it holds `want` or the stream ends. */
static tern_status fill(tn_source *s, size_t want) {
    if (!s->started) {
        tern_status st = start_coding(s);
        if (st != TERN_OK) return st;
    }
    while (s->len - s->pos < want && !s->end) {
        if (s->pos > 0) {
            memmove(s->window, s->window + s->pos, s->len - s->pos);
            s->len -= s->pos;
            s->pos = 0;
        }
        tern_status st = fill_raw(s);
        if (st != TERN_OK) return st;
        size_t before = s->len;
        switch (s->coding) {
        case CODING_NONE:
            st = decode_none(s);
            break;
        case CODING_GZIP:
            st = decode_gzip(s);
            break;
        case CODING_ZSTD:
            st = decode_zstd(s);
            break;
        }
        if (st != TERN_OK) return st;
        if (!s->raw_end || s->len > before) continue;
        s->end = true;
        if (s->in_member)
            return broken(s, TERN_ERR_FORMAT, 0,
                          "compressed stream ends too early; it was cut short");
    }
    return TERN_OK;
}

tern_status tn_source_view(tn_source *s, size_t want, const char **data, size_t *n,
                           tern_error *err) {
    if (want == 0) want = 1;
    /* Everything decoded before a failure is delivered first. */
    if (s->failed.status == TERN_OK && s->len - s->pos < want) (void)fill(s, want);
    *data = s->window + s->pos;
    *n = s->len - s->pos;
    if (*n > 0 || s->failed.status == TERN_OK) return TERN_OK;
    if (err) *err = s->failed;
    return s->failed.status;
}

void tn_source_advance(tn_source *s, size_t n) {
    s->pos += n;
    s->n_used += n;
}

uint64_t tn_source_offset(const tn_source *s) {
    return s->n_used;
}

uint64_t tn_source_raw(const tn_source *s) {
    return s->n_raw;
}

int tn_source_plain_fd(const tn_source *s) {
    return s->coding == CODING_NONE && s->n_used == 0 ? s->fd : -1;
}

void tn_liner_deinit(tn_liner *l) {
    tn_buf_deinit(&l->joined);
}

/* Take in one line, in the window or, across windows, joined. */
static tern_status gather(tn_liner *l, tn_line *out, bool *more, tern_error *err) {
    bool any = false;
    for (;;) {
        const char *data;
        size_t n;
        tern_status st = tn_source_view(l->source, 1, &data, &n, err);
        if (st != TERN_OK) return st;
        if (n == 0) { /* the end: what is joined, if anything, is the last line */
            *more = any;
            break;
        }
        any = *more = true;
        const char *nl = memchr(data, '\n', n);
        size_t k = nl ? (size_t)(nl - data) : n;
        bool whole = nl && l->joined.len == 0 && !out->too_long;
        if (!out->too_long && l->joined.len + k > TN_LINE_MAX) {
            out->too_long = true;
            tn_buf_deinit(&l->joined);
        }
        if (!whole && !out->too_long) tn_buf_add(&l->joined, data, k);
        if ((st = tn_buf_status(&l->joined, err)) != TERN_OK) return st;
        tn_source_advance(l->source, nl ? k + 1 : k);
        out->end += k;
        if (whole) { /* advancing does not touch the window */
            out->text = data;
            out->len = k;
            return TERN_OK;
        }
        if (nl) break;
    }
    out->text = l->joined.data ? l->joined.data : "";
    out->len = l->joined.len;
    return TERN_OK;
}

tern_status tn_liner_next(tn_liner *l, tn_line *out, bool *more, tern_error *err) {
    uint64_t begin = tn_source_offset(l->source);
    *out = (tn_line){.text = "", .begin = begin, .end = begin, .number = l->number + 1};
    *more = false;
    if (l->joined.cap > 1u << 20) tn_buf_deinit(&l->joined); /* one long line does not stay */
    tn_buf_reset(&l->joined);
    tern_status st = gather(l, out, more, err);
    if (st != TERN_OK || !*more) return st;
    l->number++;
    if (out->too_long) {
        out->text = "";
        out->len = 0;
    } else if (out->len && out->text[out->len - 1] == '\r') {
        out->len--;
        out->end--;
    }
    return TERN_OK;
}
