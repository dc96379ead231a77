/* snapshot.h - one committed state of an index, open for a number of workers. A request keeps the
 * snapshot it started with until it ends, so a reload never mixes two states in one answer. */
#ifndef TN_SNAPSHOT_H
#define TN_SNAPSHOT_H
#include "tern/search.h"
#include <stdatomic.h>

typedef struct tn_snapshot {
    tern_index *ix;
    tern_index_stats stats;
    tern_searcher **searchers; /* [n_searchers] one per worker */
    int n_searchers;
    atomic_int n_refs;
} tn_snapshot;

/* Open the index and run one search in the wanted mode, so that what cannot work (vectors asked of
 * an index without) fails here and what is opened late is open. The caller holds one reference. */
TERN_MUST_USE tern_status tn_snapshot_open(const char *dir, const tern_search_opts *search,
                                           int n_searchers, tn_snapshot **out, tern_error *err);
void tn_snapshot_ref(tn_snapshot *s);
void tn_snapshot_unref(tn_snapshot *s); /* NULL allowed; the last one closes the index */

#endif
