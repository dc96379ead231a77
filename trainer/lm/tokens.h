/* tokens.h - token files: a corpus as ids, memory-mapped, with what a task needs to know of them.
 *
 * A file holds records. A record is what a batch takes at once and has one document (a text, a
 * conversation) or, for contrastive training, several: a query, its positive, mined negatives.
 * Every token may carry a tag (its class; or, for fine-tuning on conversations, whether it is
 * learned), every document a second part (the passage of a query-passage pair), every record
 * target numbers.
 *
 * Bytes, little endian; each section starts at a multiple of 8, the gap is zeros:
 *   0    8   "terntok1"
 *   8    4   u32 bytes of a token id: 2 or 4
 *   12   4   u32 vocab: every id is below it
 *   16   4   u32 flags: 1 tags, 2 second parts
 *   20   4   u32 n_targets: numbers per record
 *   24   8   u64 n_records
 *   32   8   u64 n_docs
 *   40   8   u64 n_tokens
 *   48   32  hash of the tokenizer, hex digits
 *   80   8   text of the task, padded with NUL
 *   88   4   u32 n_tags: every tag is below it (0 without tags)
 *   92   4   u32 CRC-32C of all bytes from 104 to the end
 *   96   4   u32 CRC-32C of bytes 0..95
 *   100  4   0
 *   104      ids          u16 or u32 [n_tokens]
 *            doc_begin    u64 [n_docs + 1], non-decreasing from 0 to n_tokens
 *            record_begin u64 [n_records + 1], increasing from 0 to n_docs
 *            tags         i16 [n_tokens], -100: none            (flag 1)
 *            second       u32 [n_docs], tokens before the part  (flag 2)
 *            targets      f32 [n_records * n_targets]
 * Opening reads the whole file once and refuses it if a sum or a number is wrong, so that nothing
 * read later can be out of range. */
#ifndef TN_LM_TOKENS_H
#define TN_LM_TOKENS_H
#include "core/base/file.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stdint.h>

enum { TN_TAG_NONE = -100, TN_TOKENS_FLAG_TAGS = 1, TN_TOKENS_FLAG_SECOND = 2 };
enum { TN_TAGS_MAX = 32767, TN_TARGETS_MAX = 4096 };

/* What makes a token file one and not another. */
typedef struct tn_tokens_kind {
    uint32_t vocab;
    bool tags, second;
    uint32_t n_tags;         /* with tags: every tag is TN_TAG_NONE or in [0, n_tags) */
    uint32_t n_targets;      /* per record, <= TN_TARGETS_MAX */
    char tokenizer_hash[33]; /* 32 hex digits */
    char task[9];
} tn_tokens_kind;

typedef struct tn_tokens { /* immutable; any thread */
    tn_tokens_kind kind;
    uint64_t n_records, n_docs, n_tokens;
    uint32_t crc; /* of the contents: what a run records of its data */
    unsigned width;
    const void *ids; /* views into the map; the map is page-aligned, and so are they to 8 bytes */
    const uint64_t *doc_begin, *record_begin;
    const int16_t *tags;    /* NULL: none */
    const uint32_t *second; /* NULL: none */
    const float *targets;   /* NULL: none */
    tn_map map;
} tn_tokens;

/* Errors: NOT_FOUND, IO, CORRUPT (says what is wrong at which byte), VERSION, UNSUPPORTED (a
 * big-endian machine). On failure *out is zeroed. */
TERN_MUST_USE tern_status tn_tokens_open(const char *path, tn_tokens *out, tern_error *err);
void tn_tokens_close(tn_tokens *t); /* zeroed allowed */
/* The same over the caller's bytes, 8-byte aligned, which outlive t; do not close. */
TERN_MUST_USE tern_status tn_tokens_view(const uint8_t *data, size_t size, const char *name,
                                         tn_tokens *out, tern_error *err);

static inline int32_t tn_tokens_id(const tn_tokens *t, uint64_t i) {
    return t->width == 2 ? ((const uint16_t *)t->ids)[i] : (int32_t)((const uint32_t *)t->ids)[i];
}

/* Writing: ids go to a temporary file as they come, the rest waits in memory (8 bytes a document,
 * 2 a tag); the file appears under its name when it is whole. One thread. */
typedef struct tn_tokens_writer tn_tokens_writer;
TERN_MUST_USE tern_status tn_tokens_writer_new(const char *path, const tn_tokens_kind *kind,
                                               tn_tokens_writer **out, tern_error *err);
void tn_tokens_writer_free(tn_tokens_writer *w); /* NULL allowed; an unfinished file is removed */
/* Add a document to the current record. tags NULL: none (without tags in the kind, ignored).
 * second is the number of tokens before the second part, n if there is none. ARG: an id or tag out
 * of range. */
TERN_MUST_USE tern_status tn_tokens_add_doc(tn_tokens_writer *w, const int32_t *ids,
                                            const int16_t *tags, size_t n, size_t second,
                                            tern_error *err);
/* Close the record: its documents are those added since the last. targets [kind.n_targets]. */
TERN_MUST_USE tern_status tn_tokens_end_record(tn_tokens_writer *w, const float *targets,
                                               tern_error *err);
uint64_t tn_tokens_written(const tn_tokens_writer *w); /* tokens so far */
uint64_t tn_tokens_records(const tn_tokens_writer *w); /* records so far */
/* Sync and rename. ARG: no record was added. */
TERN_MUST_USE tern_status tn_tokens_finish(tn_tokens_writer *w, tern_error *err);

#endif
