/* fuzz_blockfile.h - wrap fuzzed bytes as a block file with right checksums, so that what is tested
 * is the reader behind them. */
#ifndef FUZZ_BLOCKFILE_H
#define FUZZ_BLOCKFILE_H
#include "retriever/store/blockfile.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The path of a file holding the payload; the same for every run of a process. */
static inline const char *fuzz_wrap(const uint8_t *payload, size_t n, uint32_t kind) {
    static char path[64];
    tn_bwriter *w;
    tern_error err;
    if (!path[0]) snprintf(path, sizeof path, "/tmp/tern-fuzz-%d.tn", (int)getpid());
    if (tn_bwriter_open(path, kind, &w, &err) != TERN_OK) abort();
    if (tn_bwriter_add(w, payload, n, &err) != TERN_OK) abort();
    if (tn_bwriter_commit(w, &err) != TERN_OK) abort();
    return path;
}
#endif
