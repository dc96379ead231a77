/* lines.h - the lines of a text file, plain or .gz, or of a piece of memory. */
#ifndef TN_LINES_H
#define TN_LINES_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>

enum { TN_LINE_BYTES_MAX = 64 << 20 };

typedef struct tn_lines tn_lines;
/* Errors: NOT_FOUND, IO, NOMEM. */
TERN_MUST_USE tern_status tn_lines_open(const char *path, tn_lines **out, tern_error *err);
/* text is borrowed until tn_lines_close. */
TERN_MUST_USE tern_status tn_lines_view(const char *text, size_t len, const char *name,
                                        tn_lines **out, tern_error *err);
void tn_lines_close(tn_lines *l); /* NULL allowed */
/* The next line without its "\n" or "\r\n", NUL-terminated, writable, valid until the next call;
 * *line is NULL at the end. LIMIT: longer than TN_LINE_BYTES_MAX; FORMAT: damaged gzip data. */
TERN_MUST_USE tern_status tn_lines_next(tn_lines *l, char **line, size_t *len, tern_error *err);
/* FORMAT with "name:line: message" of the line read last. */
tern_status tn_lines_bad(const tn_lines *l, tern_error *err, const char *fmt, ...)
    TERN_PRINTF(3, 4);
size_t tn_lines_no(const tn_lines *l); /* number of the line read last, from 1 */

/* Cut a line into at most cap words at runs of blanks and tabs, in place. Returns their number, or
 * cap + 1 if there are more. */
size_t tn_words(char *line, char **words, size_t cap);
#endif
