/* docs.h - the stored passages of one segment, read as views into mapped files.
 * Four block files in the segment's folder (little endian, records 8-byte aligned):
 *   text.tn       strings, each followed by a NUL; short ones that repeat (a source, a title, a
 *                 section) are stored once
 *   passages.tn   tn_passage_record each
 *   documents.tn  tn_document_record each
 *   columns.tn    i64 time     [n_passages]   for filters, apart from the records
 *                 u64 id hash  [n_documents]  XXH3-64 of the document ids, ascending
 *                 u32 document [n_documents]  whose hash it is; equal hashes by document
 * A document is a run of passages. A replaced document may stand beside its successor in one
 * segment; tombstones tell them apart, so a lookup takes the segment's tombstones. */
#ifndef TN_DOCS_H
#define TN_DOCS_H
#include "retriever/index_priv.h"
#include "retriever/ingest/ingest.h"
#include <stdbool.h>

/* --- bitmaps over passages: NULL means "no bit set" --- */
static inline bool tn_bit(const uint64_t *bits, uint32_t i) {
    return bits && (bits[i / 64] >> i % 64 & 1);
}
static inline size_t tn_bit_words(uint32_t n) {
    return ((size_t)n + 63) / 64;
}

/* --- building: one thread; text and records go to disk as they come --- */
typedef struct tn_docs_builder tn_docs_builder;
TERN_MUST_USE tern_status tn_docs_builder_new(const char *seg_dir, tn_docs_builder **out,
                                              tern_error *err);
/* Without a tn_docs_builder_write, what was written is unlinked. NULL allowed. */
void tn_docs_builder_free(tn_docs_builder *b);
/* The next document, with the next passages. On failure the builder can only be freed.
 * LIMIT: more passages than a segment can number. */
TERN_MUST_USE tern_status tn_docs_builder_add(tn_docs_builder *b, const tn_doc *doc,
                                              tern_error *err);
size_t tn_docs_builder_bytes(const tn_docs_builder *b); /* memory held, for the budget */
/* The latest document with this id: its content hash and passages [*first, *first + *n). */
bool tn_docs_builder_find(const tn_docs_builder *b, const char *id, uint64_t hash[2],
                          uint32_t *first, uint32_t *n);
TERN_MUST_USE tern_status tn_docs_builder_write(tn_docs_builder *b, tern_error *err);

/* --- reading: immutable after open, any thread --- */
typedef struct tn_document {
    const char *id, *title, *source, *meta; /* NUL-terminated views, "" where there is none */
    int64_t time;                           /* or TERN_NO_TIME */
    uint64_t hash[2];                       /* of its content, tn_doc.hash */
    uint32_t first, n;                      /* its passages */
} tn_document;

TERN_MUST_USE tern_status tn_docs_open(const char *seg_dir, tn_docs **out, tern_error *err);
void tn_docs_close(tn_docs *d); /* NULL allowed */
uint32_t tn_docs_n_passages(const tn_docs *d);
uint32_t tn_docs_n_documents(const tn_docs *d);
/* Errors of all readers: CORRUPT (file and offset), ARG (no such number). */
TERN_MUST_USE tern_status tn_docs_passage(const tn_docs *d, uint32_t passage, tern_passage *out,
                                          tern_error *err);
TERN_MUST_USE tern_status tn_docs_document(const tn_docs *d, uint32_t document, tn_document *out,
                                           tern_error *err);
TERN_MUST_USE tern_status tn_docs_document_of(const tn_docs *d, uint32_t passage,
                                              uint32_t *document, tern_error *err);
/* Its passages alone, without touching any string. */
TERN_MUST_USE tern_status tn_docs_range(const tn_docs *d, uint32_t document, uint32_t *first,
                                        uint32_t *n, tern_error *err);
/* *times: [n_passages], TERN_NO_TIME where a passage has none; valid until close. */
TERN_MUST_USE tern_status tn_docs_times(const tn_docs *d, const int64_t **times, tern_error *err);
/* The document of this id that is not dead. NOT_FOUND (err untouched) if there is none. */
TERN_MUST_USE tern_status tn_docs_find(const tn_docs *d, const uint64_t *dead, const char *id,
                                       size_t id_len, uint32_t *document, tern_error *err);
/* What one live document adds to the hash of an index: sum[0], sum[1] grow by it (mod 2^64), so
 * the hash depends on neither order nor segments. */
void tn_docs_hash(const char *id, const uint64_t hash[2], uint64_t sum[2]);
/* Every block, record and cross-reference. */
TERN_MUST_USE tern_status tn_docs_check(const tn_docs *d, void (*bad)(void *ud, const char *text),
                                        void *ud, tern_error *err);

/* Write the documents of n segments that are not dead into seg_dir, in order. */
TERN_MUST_USE tern_status tn_docs_merge(const tn_docs *const *docs, const uint64_t *const *dead,
                                        size_t n, const char *seg_dir, const tern_host *host,
                                        tern_error *err);

/* --- the records, for the files of this folder only --- */
typedef struct tn_string_ref {
    uint64_t off; /* in text.tn */
    uint64_t len; /* bytes, without the NUL */
} tn_string_ref;
typedef struct tn_passage_record {
    tn_string_ref text, id, section;
    uint64_t byte_begin, byte_end;
    uint32_t document, line_begin, line_end, page;
} tn_passage_record;
typedef struct tn_document_record {
    tn_string_ref id, title, source, meta;
    int64_t time;
    uint64_t hash[2];
    uint32_t first, n;
} tn_document_record;
_Static_assert(sizeof(tn_passage_record) == 80 && sizeof(tn_document_record) == 96,
               "records are stored as they lie in memory");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files are little endian");
enum { TN_DOCS_TEXT, TN_DOCS_PASSAGES, TN_DOCS_DOCUMENTS, TN_DOCS_COLUMNS, TN_DOCS_N_FILES };
typedef struct tn_docs_file {
    const char *name;
    uint32_t kind;
} tn_docs_file;
extern const tn_docs_file tn_docs_files[TN_DOCS_N_FILES];
uint64_t tn_docs_id_hash(const char *id, size_t len);
#endif
