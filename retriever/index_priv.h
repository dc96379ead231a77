/* index_priv.h - what an open index is made of, for the searcher and the tools inside the house. */
#ifndef TN_INDEX_PRIV_H
#define TN_INDEX_PRIV_H
#include "retriever/dense/dense.h"
#include "retriever/text/inverted.h"
#include "tern/index.h"

typedef struct tn_docs tn_docs; /* the stored passages of a segment (retriever/store/docs.h) */

typedef struct tn_segment {
    tn_docs *docs;
    tn_inv *inv;
    tn_vectors *vectors;  /* NULL: no vectors of the current epoch */
    const uint64_t *dead; /* bitmap over its passages; NULL: none removed */
    uint32_t base;        /* ref of its first passage */
    uint32_t n;           /* passages, dead ones included */
} tn_segment;

struct tern_index {
    char *dir;
    tn_segment *segs;
    size_t n_segs;
    uint32_t n_refs;
    tern_embedder *embedder; /* NULL: none. Vectors and model are opened at the first dense search:
                                see tn_index_dense_open */
    tern_index_stats stats;
    void *priv; /* the store's own: manifest, lock, lazily opened parts */
};

/* Open the embedder and the vector files if that has not happened yet (locked inside; BM25-only
 * searches never pay for it). UNSUPPORTED: the index has no vectors. */
TERN_MUST_USE tern_status tn_index_dense_open(const tern_index *ix, tern_error *err);
/* The segment that holds passage `ref` (< n_refs; the index has at least one segment). */
const tn_segment *tn_index_segment_of(const tern_index *ix, uint32_t ref);

#endif
