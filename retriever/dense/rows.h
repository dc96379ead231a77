/* rows.h - where the vectors of a segment come from: folded in from its postings (lsa_rows.c), or
 * embedded from its text (neural_rows.c). */
#ifndef TN_ROWS_H
#define TN_ROWS_H
#include "retriever/store/blockfile.h"
#include "tern/host.h"

/* The first member of each source. */
typedef struct tn_row_source {
    uint32_t n, dim; /* rows in order of passages, each of dim f32, unit length or all zero */
    uint64_t epoch;
    /* Append all n rows to w. */
    tern_status (*write)(const struct tn_row_source *rows, tn_bwriter *w, const tern_host *host,
                         tern_error *err);
} tn_row_source;

/* Write the rows with the FAISS structure of `kind` ("flat", "ivf", "hnsw") to path.
 * Errors: ARG (kind), IO, FULL, NOMEM, CANCELLED, and what the source meets. */
TERN_MUST_USE tern_status tn_vectors_write(const tn_row_source *rows, const char *kind,
                                           const char *path, const tern_host *host,
                                           tern_error *err);

/* Report `done` of `total` passages embedded; CANCELLED if the host wants to stop. */
TERN_MUST_USE tern_status tn_rows_progress(const tern_host *host, uint64_t done, uint64_t total,
                                           tern_error *err);
#endif
