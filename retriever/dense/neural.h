/* neural.h - a neural encoder as the embedder of an index.
 * The weights stay where they are: the index holds a description (block file, kind NEUR, JSON
 * {"path", "fingerprint", "dim"}), and an encoder whose files no longer hash to the fingerprint is
 * refused, since its vectors would not compare with those stored. */
#ifndef TN_NEURAL_H
#define TN_NEURAL_H
#include "retriever/dense/embed_cache.h"
#include "retriever/index_priv.h"
#include "tern/embedder.h"
#include "tern/host.h"

#define TN_NEURAL "neural" /* the embedder's name in the manifest */

/* Hash and dimension of the encoder in folder `path` (which becomes absolute), written to `file`.
 * Errors: those of opening a model; IO, FULL, NOMEM. */
TERN_MUST_USE tern_status tn_neural_describe(const char *path, const char *file, tern_error *err);
/* The embedder that `file` describes, to run on n_threads (0: one per core): epoch is the
 * fingerprint. The weights are loaded when a text is first embedded; that call fails with NOT_FOUND
 * (no model there any more) or CORRUPT (another model), saying what to do. Here: NOT_FOUND,
 * CORRUPT, NOMEM. */
TERN_MUST_USE tern_status tn_neural_open(const char *file, int n_threads, tern_embedder **out,
                                         tern_error *err);
/* The path a description names, heap, tn_free. */
TERN_MUST_USE tern_status tn_neural_path(const char *file, char **out, tern_error *err);

/* Write the vectors of a segment's passages ("title\ntext" each; removed ones become zero rows) to
 * path, taking from the cache what is there and adding what is not.
 * Errors: ARG (kind), IO, FULL, NOMEM, CANCELLED (what was embedded stays in the cache), and the
 * embedder's. */
TERN_MUST_USE tern_status tn_neural_build(const tern_embedder *e, const tn_docs *docs,
                                          const uint64_t *dead, tn_embed_cache *cache,
                                          const char *kind, const char *path, const tern_host *host,
                                          tern_error *err);
#endif
