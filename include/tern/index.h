/* index.h - a folder of documents made searchable: build it, keep it in step, read it.
 *
 * An index is a directory: immutable segments plus one manifest that names them. A commit is one
 * atomic rename of the manifest, so a crash at any moment leaves the last committed state.
 * One writer at a time (a second gets LOCKED); any number of readers, which see the state that was
 * committed when they opened. */
#ifndef TERN_INDEX_H
#define TERN_INDEX_H
#include "tern/host.h"
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_NO_TIME INT64_MIN /* a passage without a date */

typedef struct tern_index_opts {
    const char *language;   /* Snowball stemmer: "english" (default), "german", ...; "none" */
    const char *embedder;   /* "lsa" (default), "none", or the path of a model */
    const char *vectors;    /* FAISS index kind: "flat" (default), "ivf", "hnsw" */
    const char *format;     /* NULL: by file name and content; else "jsonl", "tsv", "md", ... */
    uint32_t chunk_tokens;  /* passage limit for prose files, in words; default 200 */
    uint32_t chunk_overlap; /* words repeated from the passage before; default 30 */
    uint32_t record_tokens; /* records (JSONL, TSV) are split only above this; default 1024 */
    uint64_t memory_bytes;  /* budget of the builder; default 512 MiB */
    bool strict;            /* stop at the first bad line instead of counting it */
} tern_index_opts;
TERN_API tern_index_opts tern_index_defaults(void);

/* What a sync, remove or compact did. */
typedef struct tern_index_report {
    uint64_t n_added, n_replaced, n_unchanged, n_removed; /* documents */
    uint64_t n_passages;                                  /* live passages after the call */
    uint64_t n_bad;        /* inputs lines or files skipped, each logged as file:line: what */
    uint64_t n_repaired;   /* documents whose text was not valid UTF-8 and was repaired */
    uint64_t n_duplicates; /* ids seen twice in this call; the last one stands, each is logged */
    uint64_t n_bytes;      /* input bytes read, after decompression */
    double seconds;
} tern_index_report;

/* Bring `dir` in step with the inputs: documents whose content hash is unchanged are left alone,
 * new ones added, changed ones replaced; documents of other inputs stay. Creates the index.
 *   inputs   files, folders (recursive), BEIR folders, or "-" for standard input (JSONL)
 *   opts     NULL: defaults. On an existing index the analysis options must match or be default
 *   report   out, may be NULL; filled also on CANCELLED
 * Errors: ARG, IO, FULL, LOCKED, CORRUPT, VERSION, FORMAT (strict), CANCELLED, NOMEM. Whatever the
 * error, the index holds the last committed state. */
TERN_API TERN_MUST_USE tern_status tern_index_sync(const char *dir, const char *const *inputs,
                                                   size_t n_inputs, const tern_index_opts *opts,
                                                   const tern_host *host, tern_index_report *report,
                                                   tern_error *err);
/* Remove documents by document id (all their passages). Ids that are not there: NOT_FOUND with the
 * first such id in err, and nothing is removed. */
TERN_API TERN_MUST_USE tern_status tern_index_remove(const char *dir, const char *const *doc_ids,
                                                     size_t n_ids, const tern_host *host,
                                                     tern_index_report *report, tern_error *err);
/* Merge all segments into one without the removed passages; refits the embedder. Search results
 * afterwards equal those of a fresh build of the same documents, bit for bit. Passages keep their
 * order of arrival: a document stands where it was added, or last replaced. */
TERN_API TERN_MUST_USE tern_status tern_index_compact(const char *dir, const tern_host *host,
                                                      tern_index_report *report, tern_error *err);
/* Read every byte of the index and check every checksum and cross-reference. Each defect is
 * reported through host->log as an error; *n_defects counts them. OK means the check itself ran. */
TERN_API TERN_MUST_USE tern_status tern_index_check(const char *dir, const tern_host *host,
                                                    uint64_t *n_defects, tern_error *err);

/* A committed state, open for reading. Immutable: any thread may use it without locks. */
typedef struct tern_index tern_index;

/* Errors: NOT_FOUND (no index there), VERSION, CORRUPT, IO, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_index_open(const char *dir, tern_index **out,
                                                   tern_error *err);
TERN_API void tern_index_close(tern_index *ix); /* NULL allowed; no view or searcher outlives it */

typedef struct tern_index_stats {
    uint64_t n_passages;   /* live */
    uint64_t n_tombstones; /* removed, still counted in the term statistics until compaction */
    uint64_t n_documents;  /* live */
    uint64_t n_terms;      /* distinct terms, summed over segments */
    uint64_t n_bytes;      /* on disk */
    uint32_t n_segments;
    uint32_t dim;        /* of the vectors; 0 if the index has none */
    uint64_t generation; /* grows with each commit */
    char hash[33];       /* of the live documents' ids and contents; equal content, equal hash */
    char language[32], embedder[32], vectors[16];
} tern_index_stats;
TERN_API tern_index_stats tern_index_get_stats(const tern_index *ix);

/* One passage. All strings are NUL-terminated UTF-8 views, valid until tern_index_close; "" where
 * there is nothing to say. */
typedef struct tern_passage {
    const char *id; /* unique; equal to doc_id when the document is one passage, else doc_id#n */
    const char *doc_id;
    const char *title;   /* of the document */
    const char *section; /* headings down to this passage: "Guide > Install"; "" if none */
    const char *text;
    const char *source;            /* the file it was read from, as given to sync */
    const char *meta;              /* further fields: a JSON object, "" if none */
    size_t text_len;               /* bytes */
    uint64_t byte_begin, byte_end; /* range in the (decompressed) source */
    uint32_t line_begin, line_end; /* from 1 */
    uint32_t page;                 /* of a PDF, from 1; 0 elsewhere */
    int64_t time;                  /* seconds since 1970 UTC, or TERN_NO_TIME */
} tern_passage;

/* Passage number `ref`, 0 .. refs-1 (tombstones included: they have numbers too).
 * Errors: ARG (no such ref), CORRUPT (a damaged block: file and offset in err). */
TERN_API TERN_MUST_USE tern_status tern_index_passage(const tern_index *ix, uint32_t ref,
                                                      tern_passage *out, tern_error *err);
TERN_API uint32_t tern_index_n_refs(const tern_index *ix);
/* The first passage of a document by document id, or a passage by passage id (should a document be
 * named like a passage of another, the document is meant). NOT_FOUND if absent. */
TERN_API TERN_MUST_USE tern_status tern_index_find(const tern_index *ix, const char *id,
                                                   uint32_t *ref, tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
