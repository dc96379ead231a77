/* vectors_priv.h - the vector file of a segment (block file, kind VECS, little endian):
 *   tn_vectors_header, 128 bytes
 *   rows       n x dim x f32, row-major, 64-byte aligned
 * flat: row i is passage i.
 * ivf: rows stand list after list, ascending by passage within a list; then
 *   centroids  n_lists x dim x f32
 *   starts     (n_lists + 1) x u64, first row of each list
 *   ids        n x i64, the passage of each row
 *   places     n x u32, the row of each passage
 * hnsw: row i is passage i; then
 *   levels     n x i32
 *   links      n_links x i32, as in tn_faiss_graph
 * Each part begins at a multiple of 64. FAISS works on the parts where they are mapped: its own
 * file format would have to be read into the heap first, and its reader trusts the sizes it reads.
 */
#ifndef TN_VECTORS_PRIV_H
#define TN_VECTORS_PRIV_H
#include "retriever/dense/dense.h"
#include "retriever/dense/faiss_extra.h"
#include "retriever/store/blockfile.h"
#include <pthread.h>
#include <stdatomic.h>

#define TN_KIND_VECTORS TN_KIND('V', 'E', 'C', 'S')

typedef enum tn_vectors_kind { TN_VECTORS_FLAT, TN_VECTORS_IVF, TN_VECTORS_HNSW } tn_vectors_kind;

typedef struct tn_vectors_header {
    uint32_t format, kind; /* format: 1; kind: tn_vectors_kind */
    uint32_t n, dim;
    uint64_t epoch;
    uint64_t rows_at;
    uint32_t n_lists, m;
    int64_t entry; /* hnsw; -1: no nodes */
    uint64_t n_links;
    uint64_t parts_at[4]; /* centroids, starts, ids, places; or levels, links */
    uint64_t reserved[5]; /* 0 */
} tn_vectors_header;
_Static_assert(sizeof(tn_vectors_header) == 128, "the header is stored as it lies in memory");

struct tn_vectors {
    tn_bfile *file;
    tn_vectors_header head;
    const float *rows;      /* mapped; blocks are verified when touched */
    const uint64_t *starts; /* ivf */
    const int64_t *ids;
    const uint32_t *places;
    tn_faiss_searcher *searcher; /* NULL: flat */
};

/* HNSW: links per node and the width of the search while building. Recall@10 and @100 of exact
 * search on 10,406 NQ passages, 1,000 questions: 80 wide .919 / .970, 200 wide .945 / .985. */
enum { TN_HNSW_M = 32, TN_HNSW_EF_BUILD = 200 };

/* A run of rows, verified. */
TERN_MUST_USE tern_status tn_vectors_rows(const tn_vectors *v, size_t begin, size_t n,
                                          const float **rows, tern_error *err);
#endif
