/* ingest_priv.h - what the readers of formats share: one file on its way in.
 * A reader takes bytes from in->source, and hands on records (already one passage, split only when
 * very long) or prose (a document with structure, cut by it). Strings it hands on may hold any
 * bytes: emitting repairs ill-formed UTF-8 and blanks control characters. */
#ifndef TN_INGEST_PRIV_H
#define TN_INGEST_PRIV_H
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "retriever/ingest/chunk.h"
#include "retriever/ingest/ingest.h"
#include "retriever/ingest/source.h"

typedef struct tn_intake {
    const tern_index_opts *opts;
    const tern_host *host; /* may be NULL */
    const tn_ingest_sink *sink;
    tn_ingest_counts *counts;
    const char *path; /* of the file being read, as messages and documents name it */
    tn_source *source;
    tn_arena arena;        /* of the document being built; reset after each */
    tn_buf scratch;        /* repairing */
    uint64_t n_raw_before; /* bytes of the files before this one */
    uint64_t n_raw_total;  /* of all; 0 if unknown */
} tn_intake;

/* A view of n bytes. */
typedef struct tn_str {
    const char *s;
    size_t n;
} tn_str;
#define TN_STR(literal) ((tn_str){literal, sizeof(literal) - 1})

/* A document as its reader found it. */
typedef struct tn_draft {
    tn_str id; /* blank: the file's path, and of a record "path:line" */
    tn_str title, text;
    const char *meta; /* JSON object, NULL if none */
    int64_t time;
    uint32_t line;          /* where it starts in its file, from 1 */
    const tn_block *blocks; /* of text; NULL: a record, kept whole up to opts->record_tokens */
    size_t n_blocks;
    bool repaired;
    /* Where text[begin, end) stands in the file: fills bytes, lines and page of *out. */
    void (*locate)(const void *ud, size_t begin, size_t end, tn_chunk *out);
    const void *ud;
} tn_draft;

/* Report "path:line: what" (line 0: "path: what"), count it, and go on (OK), or in strict mode stop
 * (FORMAT, the same text in err). */
TERN_MUST_USE tern_status tn_intake_bad(tn_intake *in, uint64_t line, tern_error *err,
                                        const char *fmt, ...) TERN_PRINTF(4, 5);
/* What a failed read means for the file: memory ends the call, damage is a bad file. */
TERN_MUST_USE tern_status tn_intake_broken(tn_intake *in, uint64_t line, const tern_error *failed,
                                           tern_error *err);
void tn_intake_log(const tn_intake *in, tern_log_level level, const char *fmt, ...)
    TERN_PRINTF(3, 4);
/* The rest of the stream as one document. *usable is false, and the reason reported, when there is
 * nothing to use: more than TN_LINE_MAX, or nothing but white space. */
TERN_MUST_USE tern_status tn_intake_slurp(tn_intake *in, tn_buf *out, bool *usable,
                                          tern_error *err);
/* The next line of a format of one record per line. Lines too long are reported and passed over;
 * *more is false at the end, and behind damage, which is reported. */
TERN_MUST_USE tern_status tn_intake_line(tn_intake *in, tn_liner *liner, tn_line *out, bool *more,
                                         tern_error *err);
/* Hand one document to the sink; resets the arena. A document without any text or title is bad. */
TERN_MUST_USE tern_status tn_intake_emit(tn_intake *in, const tn_draft *d, tern_error *err);
/* The file's name without folders and extensions: the title of a document that states none. */
tn_str tn_intake_stem(const tn_intake *in);
/* Where the lines of a text (of at most TN_LINE_MAX bytes) begin, to turn byte offsets into line
 * numbers. */
typedef struct tn_line_table {
    size_t len;      /* of the text */
    uint64_t base;   /* of text[0] in the file */
    uint32_t *start; /* start[i]: offset of line i + 1 */
    size_t n, cap;
} tn_line_table;
TERN_MUST_USE tern_status tn_line_table_build(tn_line_table *t, const char *text, size_t len,
                                              uint64_t base, tern_error *err);
void tn_line_table_deinit(tn_line_table *t);
uint32_t tn_line_table_find(const tn_line_table *t, size_t offset); /* line number, from 1 */
/* For prose whose text is the file itself: ud is the tn_line_table. */
void tn_line_table_locate(const void *ud, size_t begin, size_t end, tn_chunk *out);

/* Of a record: every passage covers the lines it was read from; ud is the tn_line. */
void tn_line_locate(const void *ud, size_t begin, size_t end, tn_chunk *out);

/* Paragraphs and lists of plain text; blocks in the arena. NOMEM only. */
TERN_MUST_USE tern_status tn_plain_blocks(tn_arena *arena, const char *text, size_t len,
                                          const tn_block **out, size_t *n_out, tern_error *err);
bool tn_is_list_line(const char *s, size_t n); /* "- item", "2) item", "| cell" */

/* The formats. Each reads in->source to its end. */
tern_status tn_read_jsonl(tn_intake *in, tern_error *err);
tern_status tn_read_tsv(tn_intake *in, tern_error *err);
tern_status tn_read_csv(tn_intake *in, tern_error *err);
bool tn_csv_names_text(const char *head, size_t n); /* has the first line a text column? */
tern_status tn_read_markdown(tn_intake *in, tern_error *err);
tern_status tn_read_plain(tn_intake *in, tern_error *err);
tern_status tn_read_html(tn_intake *in, tern_error *err);
tern_status tn_read_pdf(tn_intake *in, tern_error *err);

/* tn_ingest over one document in memory, named `name`, in the given format. For tests. */
TERN_MUST_USE tern_status tn_ingest_memory(const char *format, const char *name, const void *data,
                                           size_t n, const tern_index_opts *opts,
                                           const tn_ingest_sink *sink, tn_ingest_counts *counts,
                                           tern_error *err);
#endif
