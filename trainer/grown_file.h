/* grown_file.h - a file of a run that grows record by record. A checkpoint holds its length; going
 * on from there cuts what was written after it, so a resumed file equals one of an unbroken run. */
#ifndef TN_GROWN_FILE_H
#define TN_GROWN_FILE_H
#include "core/base/buf.h"
#include <stdint.h>

/* Open DIR/name for appending at n_bytes, making it if need be; *fd is the caller's to close, and
 * negative if it could not be opened. Errors: IO, FULL, NOMEM. */
TERN_MUST_USE tern_status tn_grown_open(const char *dir, const char *name, uint64_t n_bytes,
                                        int *fd, tern_error *err);
/* Append b and count its bytes. Errors: those of b; IO, FULL, NOMEM. */
TERN_MUST_USE tern_status tn_grown_add(const char *dir, const char *name, int fd, const tn_buf *b,
                                       uint64_t *n_bytes, tern_error *err);
#endif
