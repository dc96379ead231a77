/* ingest.h - files -> documents -> passages.
 * tn_ingest walks the inputs in a fixed order (arguments in order, folders sorted by name) and
 * hands each document, cut into passages, to a sink. A bad line or file is reported and skipped,
 * or stops the walk in strict mode; nothing is dropped silently.
 *
 * Formats, by the name of the file, else by its content, any text being txt (opts->format: one of
 * these for all inputs). Binary files are refused; so are, in folders, those whose name says that
 * they are no documents (styles, scripts, drawings, keys, locks).
 *   jsonl  one object per line: id|_id, title, text|contents, timestamp|date; the rest is
 * metadata
 *   tsv    a line of column names, then records (DPR); two unnamed columns are id and text
 *   csv    the same with commas or semicolons; a .csv without a text column is read as txt
 *   md     Markdown: headings are sections; front matter gives title and date
 *   html   headings are sections; scripts, styles and navigation are left out
 *   pdf    through pdftotext, if it is installed
 *   txt    paragraphs
 * each also as a gzip or zstd stream. Records stay whole up to opts->record_tokens words. Lines,
 * and files that are one document, are refused above 64 MiB. Memory: that, a few times over. */
#ifndef TN_INGEST_H
#define TN_INGEST_H
#include "tern/host.h"
#include "tern/index.h"
#include "tern/status.h"

/* One passage of a document; strings NUL-terminated valid UTF-8, borrowed for the sink call. */
typedef struct tn_chunk {
    const char *text;
    size_t text_len;
    const char *section; /* "Guide > Install"; "" if none */
    /* In the decompressed source file. txt and md: text is these very bytes, but that a control
     * character is a space. Other formats: the range of the source lines the text was read from; of
     * a PDF the whole file. */
    uint64_t byte_begin, byte_end;
    uint32_t line_begin, line_end; /* from 1; 0 in a PDF */
    uint32_t page;                 /* PDF page from 1; 0 elsewhere */
} tn_chunk;

typedef struct tn_doc {
    const char *id; /* the record's id ("path:line" if it has none), or the file's path as given */
    const char *title;  /* "" if none */
    const char *source; /* file path as given; "-" for standard input */
    const char *meta;   /* JSON object of further fields; "" if none */
    int64_t time;       /* TERN_NO_TIME if none */
    uint64_t hash[2];   /* XXH3-128 of all content: title, texts, sections, meta, time */
    const tn_chunk *chunks;
    size_t n_chunks; /* >= 1 */
    uint32_t line;   /* where the document starts in its source */
    bool repaired;   /* invalid UTF-8 was replaced */
} tn_doc;

typedef struct tn_ingest_sink {
    void *ud;
    /* One document, in input order. Any status but OK stops the walk and is returned. */
    tern_status (*doc)(void *ud, const tn_doc *doc, tern_error *err);
    /* A line or file that could not be used: text is "file:line: what". */
    void (*bad)(void *ud, const char *text);
} tn_ingest_sink;

typedef struct tn_ingest_counts {
    uint64_t n_docs, n_bad, n_repaired;
    uint64_t n_bytes; /* read, after decompression */
} tn_ingest_counts;

/* Uses of opts: format, chunk_tokens, chunk_overlap, record_tokens, strict.
 * Errors: NOT_FOUND (an input does not exist), IO, FORMAT (strict), CANCELLED, NOMEM, the sink's.
 */
TERN_MUST_USE tern_status tn_ingest(const char *const *inputs, size_t n_inputs,
                                    const tern_index_opts *opts, const tern_host *host,
                                    const tn_ingest_sink *sink, tn_ingest_counts *counts,
                                    tern_error *err);
#endif
