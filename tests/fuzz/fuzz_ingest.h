/* fuzz_ingest.h - the body of the fuzz targets that read documents: whatever the bytes, what comes
 * out is well-formed, bounded, and lies inside the input. */
#ifndef TN_FUZZ_INGEST_H
#define TN_FUZZ_INGEST_H
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/ingest_priv.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(int holds) {
    if (!holds) abort();
}

typedef struct fuzz_input {
    const char *data;
    size_t size;
    bool verbatim; /* passages spell the bytes they name */
} fuzz_input;

static inline void check_string(const char *s, size_t n) {
    must(strlen(s) == n && tn_utf8_valid(s, n));
    for (size_t i = 0; i < n; i++)
        must((unsigned char)s[i] >= 0x20 || s[i] == '\n' || s[i] == '\t');
}

static inline tern_status check_doc(void *ud, const tn_doc *d, tern_error *err) {
    const fuzz_input *in = ud;
    (void)err;
    check_string(d->id, strlen(d->id));
    check_string(d->title, strlen(d->title));
    must(d->n_chunks >= 1 && d->line >= 1 && d->id[0]);
    if (d->meta[0]) {
        json_t *o = NULL;
        must(tn_json_parse(d->meta, strlen(d->meta), &o, NULL) == TERN_OK && json_is_object(o));
        json_decref(o);
    }
    for (size_t i = 0; i < d->n_chunks; i++) {
        const tn_chunk *c = &d->chunks[i];
        check_string(c->text, c->text_len);
        check_string(c->section, strlen(c->section));
        must(c->byte_begin <= c->byte_end && c->byte_end <= in->size);
        must(c->line_begin >= 1 && c->line_begin <= c->line_end);
        if (!in->verbatim || d->repaired) continue;
        must(c->byte_end - c->byte_begin == c->text_len);
        for (size_t k = 0; k < c->text_len; k++)
            must(c->text[k] == in->data[c->byte_begin + k] || c->text[k] == ' ');
    }
    return TERN_OK;
}

static inline void fuzz_ingest(const char *format, const uint8_t *data, size_t size,
                               bool verbatim) {
    /* A compressed input is another file than its text. */
    bool packed = size >= 4 && (data[0] == 0x1F || data[0] == 0x28);
    fuzz_input in = {(const char *)data, packed ? SIZE_MAX : size, verbatim && !packed};
    tern_index_opts opts = {.chunk_tokens = 12, .chunk_overlap = 4, .record_tokens = 40};
    tn_ingest_sink sink = {&in, check_doc, NULL};
    tern_error err;
    tern_status st = tn_ingest_memory(format, "fuzz", data, size, &opts, &sink, NULL, &err);
    must(st == TERN_OK || st == TERN_ERR_NOMEM);
}
#endif
