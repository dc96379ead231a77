/* source.h - a file, standard input or memory as one stream of decompressed bytes, and its lines.
 * gzip and zstd are recognised by their first bytes, not by name; concatenated members are one
 * stream. Memory is bounded: one window of the stream, and at most one line of TN_LINE_MAX. */
#ifndef TN_SOURCE_H
#define TN_SOURCE_H
#include "core/base/buf.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_LINE_MAX    ((size_t)64 << 20) /* bytes of a line, or of a document that is one file */
#define TN_SOURCE_PEEK 8192

typedef struct tn_source tn_source;

/* path "-" is standard input. Errors: NOT_FOUND, IO, NOMEM; messages of this file do not name the
 * path except for open's. */
TERN_MUST_USE tern_status tn_source_open(const char *path, tn_source **out, tern_error *err);
/* Over n bytes of the caller's, which outlive the source. */
TERN_MUST_USE tern_status tn_source_open_memory(const void *data, size_t n, tn_source **out,
                                                tern_error *err);
void tn_source_close(tn_source *s); /* NULL allowed */

/* A view of the next bytes, valid until the next call: at least `want` (<= TN_SOURCE_PEEK) unless
 * the stream ends before; *n is 0 only at its end.
 * Errors: FORMAT (compressed stream damaged or cut short; what came before was delivered), IO,
 * NOMEM. The same error comes again on the next call. */
TERN_MUST_USE tern_status tn_source_view(tn_source *s, size_t want, const char **data, size_t *n,
                                         tern_error *err);
void tn_source_advance(tn_source *s, size_t n); /* n bytes of the view are used */

uint64_t tn_source_offset(const tn_source *s); /* decompressed bytes used so far */
uint64_t tn_source_raw(const tn_source *s);    /* bytes read from the file, compressed */
/* The descriptor, when the bytes are the file's own and none has been used; else -1. */
int tn_source_plain_fd(const tn_source *s);

typedef struct tn_line {
    const char *text; /* without its line end ("\n" or "\r\n"); not NUL-terminated */
    size_t len;
    uint64_t begin, end; /* byte range in the stream, line end included in neither */
    uint32_t number;     /* from 1 */
    bool too_long;       /* over TN_LINE_MAX: text is "", the line was passed over */
} tn_line;

typedef struct tn_liner {
    tn_source *source;
    tn_buf joined; /* a line that lies across two windows */
    uint32_t number;
} tn_liner; /* set source, zero the rest */

void tn_liner_deinit(tn_liner *l);
/* The next line; the view is valid until the next call. *more is false at the end. A last line
 * without a line end counts, but not when the stream broke inside it. Errors as tn_source_view. */
TERN_MUST_USE tern_status tn_liner_next(tn_liner *l, tn_line *out, bool *more, tern_error *err);
#endif
