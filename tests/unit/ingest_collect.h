/* ingest_collect.h - for tests of ingest: a sink that keeps what it is handed. */
#ifndef TN_INGEST_COLLECT_H
#define TN_INGEST_COLLECT_H
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "retriever/ingest/ingest_priv.h"
#include "tests/test.h"

typedef struct collected {
    tn_doc docs[64]; /* copies; only the first 64 are kept */
    size_t n_docs;
    char bad[64][1024];
    size_t n_bad;
    tn_arena arena;
    tn_ingest_counts counts;
    tern_error err;
} collected;

static const char *keep(collected *c, const char *s) {
    char *copy = tn_arena_strndup(&c->arena, s, strlen(s));
    return copy ? copy : "";
}

static tern_status collect_doc(void *ud, const tn_doc *d, tern_error *err) {
    collected *c = ud;
    (void)err;
    if (c->n_docs < 64) {
        tn_doc *k = &c->docs[c->n_docs];
        *k = *d;
        k->id = keep(c, d->id);
        k->title = keep(c, d->title);
        k->source = keep(c, d->source);
        k->meta = keep(c, d->meta);
        tn_chunk *chunks = tn_arena_calloc(&c->arena, d->n_chunks, sizeof *chunks);
        if (!chunks) return TERN_ERR_NOMEM;
        for (size_t i = 0; i < d->n_chunks; i++) {
            chunks[i] = d->chunks[i];
            chunks[i].text = keep(c, d->chunks[i].text);
            chunks[i].section = keep(c, d->chunks[i].section);
        }
        k->chunks = chunks;
    }
    c->n_docs++;
    return TERN_OK;
}

static void collect_bad(void *ud, const char *text) {
    collected *c = ud;
    if (c->n_bad < 64) snprintf(c->bad[c->n_bad], sizeof c->bad[0], "%s", text);
    c->n_bad++;
}

static inline tern_index_opts ingest_opts(void) {
    return (tern_index_opts){.chunk_tokens = 200, .chunk_overlap = 30, .record_tokens = 1024};
}

static inline void collected_reset(collected *c) {
    tn_arena_deinit(&c->arena);
    memset(c, 0, sizeof *c);
}

/* Read `text` in memory as `format`. */
static inline tern_status ingest_text(collected *c, const char *format, const char *text, size_t n,
                                      const tern_index_opts *opts) {
    tn_ingest_sink sink = {c, collect_doc, collect_bad};
    collected_reset(c);
    return tn_ingest_memory(format, "mem", text, n, opts, &sink, &c->counts, &c->err);
}

/* Read one input as `tern index` would. */
static inline tern_status ingest_path(collected *c, const char *path, const tern_index_opts *opts) {
    tn_ingest_sink sink = {c, collect_doc, collect_bad};
    collected_reset(c);
    return tn_ingest(&path, 1, opts, NULL, &sink, &c->counts, &c->err);
}

/* A file of the test's own folder; returns its path, valid until the next four calls. */
static inline const char *test_file(const char *name, const void *data, size_t n) {
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_dir(), name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n) FAIL("cannot write %s", path);
    fclose(f);
    return path;
}
static inline const char *test_file_str(const char *name, const char *text) {
    return test_file(name, text, strlen(text));
}

/* Does every passage spell the bytes of the file that it names? */
static inline void check_ranges(const collected *c, const char *data, size_t n) {
    for (size_t d = 0; d < c->n_docs && d < 64; d++) {
        for (size_t i = 0; i < c->docs[d].n_chunks; i++) {
            const tn_chunk *k = &c->docs[d].chunks[i];
            CHECK(k->byte_begin < k->byte_end && k->byte_end <= n);
            CHECK_EQ(k->byte_end - k->byte_begin, k->text_len);
            for (size_t j = 0; j < k->text_len; j++) {
                char in_file = data[k->byte_begin + j];
                if (k->text[j] != in_file) CHECK(in_file == '\r' && k->text[j] == ' ');
            }
            uint32_t line = 1;
            for (size_t j = 0; j < k->byte_begin; j++) line += data[j] == '\n';
            CHECK_EQ(k->line_begin, line);
            for (size_t j = k->byte_begin; j < k->byte_end; j++) line += data[j] == '\n';
            CHECK_EQ(k->line_end, line);
        }
    }
}
#endif
