/* faiss_extra.h - what we need of FAISS and its C API does not offer: search under an ID bitmap,
 * and structures that search rows lying in our mapped files instead of copies on the heap.
 * Implemented in faiss_shim.cpp. Functions return 0, TN_FAISS_NOMEM or another FaissErrorCode, with
 * the reason in tn_faiss_last_error(). FAISS runs on the calling thread alone. */
#ifndef TN_FAISS_EXTRA_H
#define TN_FAISS_EXTRA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TN_FAISS_NOMEM = -8 };
const char *tn_faiss_last_error(void); /* of this thread's last failed call, static storage */
const char *tn_faiss_version(void);    /* of the headers we were built with: "1.7.3" */

/* FAISS uses OpenMP; this makes it use the calling thread only. Call before functions of the C
 * API; those below do it themselves. */
void tn_faiss_use_one_thread(void);

/* Mapped rows, borrowed. touch() is called before rows [begin, end) are read and says whether they
 * may be; after a false the search goes on without them and then fails. */
typedef struct tn_faiss_rows {
    const float *data; /* [n][dim] */
    size_t n, dim;
} tn_faiss_rows;
typedef struct tn_faiss_guard {
    bool (*touch)(void *ud, size_t begin, size_t end);
    void *ud;
} tn_faiss_guard;

typedef struct tn_faiss_searcher tn_faiss_searcher; /* immutable: any thread may search it */
void tn_faiss_searcher_free(tn_faiss_searcher *s);  /* NULL allowed */

/* Inverted lists: list l is rows [starts[l], starts[l+1]), whose ids are ids[row]. All borrowed. */
typedef struct tn_faiss_lists {
    size_t n_lists;
    const float *centroids; /* [n_lists][dim] */
    const uint64_t *starts; /* [n_lists + 1] */
    const int64_t *ids;     /* [rows.n] */
} tn_faiss_lists;
int tn_faiss_ivf_open(const tn_faiss_rows *rows, const tn_faiss_lists *lists,
                      tn_faiss_searcher **out);

/* An HNSW graph. Node i has levels[i] >= 1 levels; its links stand after those of node i - 1:
 * 2 * m on level 0, m on each further one, -1 where there is none. The links must be valid. */
typedef struct tn_faiss_graph {
    int m, entry; /* entry: -1 only when there are no nodes */
    size_t n_links;
    const int32_t *levels; /* [rows.n] */
    const int32_t *links;  /* [n_links] */
} tn_faiss_graph;
int tn_faiss_hnsw_open(const tn_faiss_rows *rows, const tn_faiss_graph *graph,
                       tn_faiss_searcher **out); /* copies the graph */

/* Build a graph over the rows, in row order on one thread, so that builds repeat. */
int tn_faiss_hnsw_build(const tn_faiss_rows *rows, int m, int ef, tn_faiss_searcher **out);
/* The graph of a built searcher, as views valid until it is freed. */
void tn_faiss_hnsw_view(const tn_faiss_searcher *s, tn_faiss_graph *graph);

/* The k nearest by inner product; fewer end in id -1.
 *   allow   bit id % 8 of byte id / 8: may be returned; [allow_bytes], NULL: all
 *   effort  lists probed, or efSearch of the graph
 *   sims, ids  [k] out, by descending sim */
int tn_faiss_search(const tn_faiss_searcher *s, const float *query, size_t k, size_t effort,
                    const uint8_t *allow, size_t allow_bytes, const tn_faiss_guard *guard,
                    float *sims, int64_t *ids);

#ifdef __cplusplus
}
#endif
#endif
