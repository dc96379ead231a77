/* manifest.h - the one file that says what an index is: DIR/manifest.json.
 * A commit replaces it atomically after everything it names is on disk; what it does not name does
 * not exist. It is JSON for people to read, and its last member is a CRC-32C of all text before
 * that member, so that a flipped byte is damage and not another index. Files are named with their
 * size and a CRC of their first 60 bytes; a block file's header vouches for the rest. */
#ifndef TN_MANIFEST_H
#define TN_MANIFEST_H
#include "core/base/buf.h"
#include "tern/status.h"
#include <stdint.h>

#define TN_MANIFEST_FILE "manifest.json"
enum {
    TN_MANIFEST_FORMAT = 1,
    TN_SEGMENT_FILES = 12,  /* most files of one segment, without tombstones and vectors */
    TN_SEGMENTS_MAX = 4096, /* a bound for reading; writers keep to a few */
    TN_NAME_BYTES = 48
};

/* name "" : there is no such file. */
typedef struct tn_mfile {
    char name[TN_NAME_BYTES]; /* within its folder */
    uint64_t size;            /* bytes */
    uint32_t crc;             /* CRC-32C of the first 60 bytes, or of all if there are fewer */
} tn_mfile;

typedef struct tn_msegment {
    char name[TN_NAME_BYTES]; /* its folder: "seg-0000002a" */
    uint32_t n, n_dead;       /* passages; those with a tombstone */
    uint32_t n_live_docs;     /* documents */
    tn_mfile files[TN_SEGMENT_FILES];
    size_t n_files;
    tn_mfile tombstones, vectors;
} tn_msegment;

typedef struct tn_manifest {
    uint64_t generation;   /* 1 at the first commit; 0: nothing committed yet */
    uint64_t next_segment; /* number of the next segment folder; never used twice */
    char language[32], embedder[32], vectors[16];
    uint32_t chunk_tokens, chunk_overlap, record_tokens;
    uint64_t hash[2]; /* tn_docs_hash summed over live documents */
    tn_mfile model;   /* the fitted embedder */
    uint64_t epoch;   /* of the model; 0: none */
    uint32_t dim;
    tn_msegment *segs;
    size_t n_segs, segs_cap;
} tn_manifest;

void tn_manifest_deinit(tn_manifest *m);
/* Errors: NOT_FOUND (no index in dir; the message says how to make one), CORRUPT, VERSION, IO,
 * NOMEM; *m is then empty. */
TERN_MUST_USE tern_status tn_manifest_load(const char *dir, tn_manifest *m, tern_error *err);
/* The same of n bytes in memory; path is for messages. Every count and name is bounded. */
TERN_MUST_USE tern_status tn_manifest_parse(const char *text, size_t n, const char *path,
                                            tn_manifest *m, tern_error *err);
void tn_manifest_print(const tn_manifest *m, tn_buf *out);
/* Replace DIR/manifest.json; the commit itself. */
TERN_MUST_USE tern_status tn_manifest_save(const tn_manifest *m, const char *dir, tern_error *err);
/* Room for one more segment, zeroed, not counted yet; NULL: no memory. */
tn_msegment *tn_manifest_grow(tn_manifest *m);

/* Fill size and crc of dir/f->name, after an fsync. */
TERN_MUST_USE tern_status tn_mfile_stamp(const char *dir, tn_mfile *f, tern_error *err);
/* Is dir/f->name the file that was stamped? NOT_FOUND, CORRUPT (other size or first bytes), IO. */
TERN_MUST_USE tern_status tn_mfile_check(const char *dir, const tn_mfile *f, tern_error *err);
#endif
