/* embedder.h - text -> vectors, behind one interface. The corpus-fitted LSA embedder is the first;
 * neural encoders join through the same table. */
#ifndef TERN_EMBEDDER_H
#define TERN_EMBEDDER_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_embedder {
    const char *name; /* "lsa"; stored in the index, which refuses vectors of another */
    uint32_t dim;
    uint64_t epoch; /* identifies the fitted state: vectors of two epochs are never compared */
    /* Embed n texts into out[n][dim], unit length (or all zero: nothing known in the text).
     * Thread-safe. Errors: NOMEM, CORRUPT. */
    tern_status (*embed)(const struct tern_embedder *e, const char *const *texts,
                         const size_t *lens, size_t n, bool is_query, float *out, tern_error *err);
    void (*free)(struct tern_embedder *e);
} tern_embedder;

#ifdef __cplusplus
}
#endif
#endif
