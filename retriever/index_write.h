/* index_write.h - the one writer of an index: holds the lock, the committed manifest, and the
 * segments of the state being made. Nothing of that state can be seen by a reader before
 * tn_writer_commit; closing without it removes every trace.
 * One thread. */
#ifndef TN_INDEX_WRITE_H
#define TN_INDEX_WRITE_H
#include "retriever/index_priv.h"
#include "retriever/store/docs.h"
#include "retriever/store/manifest.h"
#include "tern/host.h"

enum { TN_SEGMENTS_KEPT = 8 }; /* more than these are merged */

/* A segment of the state being made. */
typedef struct tn_wsegment {
    tn_msegment meta;
    tn_docs *docs;
    tn_inv *inv;
    uint64_t *dead; /* owned bitmap; NULL: none */
    uint64_t *seen; /* owned bitmap over first passages: documents that this sync has met; NULL:
                       none. Not kept for a new segment, all of which was met */
    bool is_new;    /* its folder is not named by the committed manifest */
    bool dead_changed;
} tn_wsegment;

typedef struct tn_index_writer {
    char *dir;
    int lock;
    const tern_host *host;
    tn_manifest committed; /* as on disk */
    tn_manifest next;      /* settings and sums of the state being made; its list of segments is
                              filled in by the commit */
    tn_wsegment *segs;
    size_t n_segs, segs_cap;
    double n_new_tokens, n_unknown_tokens; /* of new segments, as the current model sees them */
} tn_index_writer;

/* Lock dir and read its state. create: an index that is not there yet is made (with an empty
 * manifest in memory); else NOT_FOUND. Leftovers of a writer that crashed are removed.
 * Errors: NOT_FOUND, LOCKED, CORRUPT, VERSION, IO, FULL, ARG (a folder of other files), NOMEM. */
TERN_MUST_USE tern_status tn_writer_open(const char *dir, bool create, const tern_host *host,
                                         tn_index_writer **out, tern_error *err);
/* Without a commit, what was written is removed. NULL allowed. */
void tn_writer_close(tn_index_writer *w);

/* A new, empty segment folder. *path: heap, tn_free. */
TERN_MUST_USE tern_status tn_writer_new_folder(tn_index_writer *w, char name[TN_NAME_BYTES],
                                               char **path, tern_error *err);
/* Its files are complete: open it as segment number `at`, moving later ones up. */
TERN_MUST_USE tern_status tn_writer_adopt(tn_index_writer *w, const char *name, size_t at,
                                          tern_error *err);
/* Mark the passages of one live document removed. */
TERN_MUST_USE tern_status tn_writer_kill(tn_index_writer *w, size_t seg, uint32_t document,
                                         tern_error *err);
/* The live document of that id. NOT_FOUND (err untouched) if there is none. */
TERN_MUST_USE tern_status tn_writer_find(const tn_index_writer *w, const char *id, size_t *seg,
                                         uint32_t *document, tern_error *err);
/* Merge segments [begin, end) into one, in order, without their dead passages. */
TERN_MUST_USE tern_status tn_writer_merge(tn_index_writer *w, size_t begin, size_t end,
                                          tern_error *err);
/* While there are more than TN_SEGMENTS_KEPT segments from `first` on, merge the neighbours among
 * them that cost least. */
TERN_MUST_USE tern_status tn_writer_tidy(tn_index_writer *w, size_t first, tern_error *err);
/* Give every segment vectors of the current model; fit one first if there is none, if `refit` is
 * set, or if over 10 % of the new tokens are unknown to it. */
TERN_MUST_USE tern_status tn_writer_embed(tn_index_writer *w, bool refit, tern_error *err);
/* The index is embedded by the neural encoder in folder `path`. *changed becomes true if the index
 * did not know that, or knew the encoder by another path. ARG: its vectors are of another one. */
TERN_MUST_USE tern_status tn_writer_name_encoder(tn_index_writer *w, const char *path,
                                                 bool *changed, tern_error *err);
/* tn_writer_embed of such an index; `again`: write all vectors anew from the cache, and prune it.
 */
TERN_MUST_USE tern_status tn_writer_embed_neural(tn_index_writer *w, bool again, tern_error *err);
/* Count what the model does not know of a new segment (before merging dilutes it). */
TERN_MUST_USE tern_status tn_writer_note_unknown(tn_index_writer *w, const tn_wsegment *s,
                                                 tern_error *err);
TERN_MUST_USE tern_status tn_writer_commit(tn_index_writer *w, tern_error *err);
/* *out: heap, the n bits of `bits` inverted: which passages to keep, given the dead. */
TERN_MUST_USE tern_status tn_bits_invert(const uint64_t *bits, uint32_t n, uint64_t **out,
                                         tern_error *err);
uint64_t tn_writer_n_live(const tn_index_writer *w); /* passages */

/* --- host callbacks, all optional --- */
bool tn_host_is_cancelled(const tern_host *host);
TERN_MUST_USE tern_status tn_host_check(const tern_host *host, tern_error *err); /* CANCELLED */
void tn_host_log(const tern_host *host, tern_log_level level, const char *fmt, ...)
    TERN_PRINTF(3, 4);
void tn_host_progress(const tern_host *host, const char *what, const char *unit, uint64_t done,
                      uint64_t total);
#endif
