/* docs_build.c - writing the stored passages of a segment, from documents or from segments.
 * Everything but the columns goes to disk as it comes, so that memory does not grow with the text:
 * 24 bytes a passage or document, plus the id lookup that a sync needs. */
#include "core/base/file.h"
#include "core/base/strmap.h"
#include "retriever/store/blockfile.h"
#include "retriever/store/docs.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum {
    SHARED_MAX = 255,        /* bytes; longer strings are not looked up for repetition */
    SHARED_BYTES = 32 << 20, /* memory for remembering them; beyond it, start afresh */
    PROGRESS_EVERY = 4096    /* documents */
};

typedef struct id_entry {
    uint64_t hash;
    uint32_t document;
} id_entry;

typedef struct doc_note {
    uint64_t hash[2];
    uint32_t first, n;
} doc_note;

struct tn_docs_builder {
    tn_bwriter *files[TN_DOCS_COLUMNS]; /* open until written */
    char *columns_path;
    bool keeps_ids;
    uint32_t n_passages, n_documents;
    int64_t *times; /* [n_passages] */
    size_t times_cap;
    id_entry *id_table; /* [n_documents] */
    size_t id_table_cap;

    tn_strmap ids;   /* document id -> notes[], when keeps_ids */
    doc_note *notes; /* [ids.n], the newest document of each id */
    size_t notes_cap;
    tn_strmap shared;           /* short strings already in text.tn -> shared_refs[] */
    tn_string_ref *shared_refs; /* [shared.n] */
    size_t shared_cap;
};

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static tern_status builder_new(const char *seg_dir, bool keeps_ids, tn_docs_builder **out,
                               tern_error *err) {
    *out = NULL;
    tn_docs_builder *b = tn_calloc(1, sizeof *b);
    if (!b) return no_memory(err);
    b->keeps_ids = keeps_ids;
    b->columns_path = tn_path_join(seg_dir, tn_docs_files[TN_DOCS_COLUMNS].name);
    tern_status st = b->columns_path ? TERN_OK : no_memory(err);
    for (int i = 0; st == TERN_OK && i < TN_DOCS_COLUMNS; i++) {
        char *path = tn_path_join(seg_dir, tn_docs_files[i].name);
        st =
            path ? tn_bwriter_open(path, tn_docs_files[i].kind, &b->files[i], err) : no_memory(err);
        tn_free(path);
    }
    if (st != TERN_OK) {
        tn_docs_builder_free(b);
        return st;
    }
    *out = b;
    return TERN_OK;
}

tern_status tn_docs_builder_new(const char *seg_dir, tn_docs_builder **out, tern_error *err) {
    return builder_new(seg_dir, true, out, err);
}

void tn_docs_builder_free(tn_docs_builder *b) {
    if (!b) return;
    for (int i = 0; i < TN_DOCS_COLUMNS; i++) tn_bwriter_abort(b->files[i]);
    tn_strmap_deinit(&b->ids);
    tn_strmap_deinit(&b->shared);
    tn_free(b->columns_path);
    tn_free(b->times);
    tn_free(b->id_table);
    tn_free(b->notes);
    tn_free(b->shared_refs);
    tn_free(b);
}

size_t tn_docs_builder_bytes(const tn_docs_builder *b) {
    return b->times_cap * sizeof *b->times + b->id_table_cap * sizeof *b->id_table +
           b->notes_cap * sizeof *b->notes + b->shared_cap * sizeof *b->shared_refs +
           tn_strmap_bytes(&b->ids) + tn_strmap_bytes(&b->shared);
}

bool tn_docs_builder_find(const tn_docs_builder *b, const char *id, uint64_t hash[2],
                          uint32_t *first, uint32_t *n) {
    uint32_t key = tn_strmap_find(&b->ids, id, strlen(id));
    if (key == TN_STRMAP_NONE) return false;
    const doc_note *note = &b->notes[key];
    hash[0] = note->hash[0];
    hash[1] = note->hash[1];
    *first = note->first;
    *n = note->n;
    return true;
}

static tern_status write_string(tn_docs_builder *b, const char *s, size_t len, tn_string_ref *out,
                                tern_error *err) {
    tn_bwriter *w = b->files[TN_DOCS_TEXT];
    *out = (tn_string_ref){tn_bwriter_tell(w), len};
    tern_status st = tn_bwriter_add(w, s, len, err);
    return st == TERN_OK ? tn_bwriter_add(w, "", 1, err) : st;
}

static tern_status share_string(tn_docs_builder *b, const char *s, tn_string_ref *out,
                                tern_error *err) {
    size_t len = strlen(s);
    if (len > SHARED_MAX) return write_string(b, s, len, out, err);
    if (tn_strmap_bytes(&b->shared) > SHARED_BYTES) tn_strmap_deinit(&b->shared);
    if (TN_GROW(b->shared_refs, b->shared_cap, (size_t)b->shared.n + 1) != 0) return no_memory(err);
    uint32_t n_before = b->shared.n, key = tn_strmap_add(&b->shared, s, len);
    if (key == TN_STRMAP_NONE) return no_memory(err);
    tern_status st = TERN_OK;
    if (key == n_before) st = write_string(b, s, len, &b->shared_refs[key], err);
    *out = b->shared_refs[key];
    return st;
}

static tern_status note_id(tn_docs_builder *b, const tn_doc *doc, tern_error *err) {
    size_t len = strlen(doc->id);
    if (TN_GROW(b->id_table, b->id_table_cap, (size_t)b->n_documents + 1) != 0)
        return no_memory(err);
    b->id_table[b->n_documents] = (id_entry){tn_docs_id_hash(doc->id, len), b->n_documents};
    if (!b->keeps_ids) return TERN_OK;
    if (TN_GROW(b->notes, b->notes_cap, (size_t)b->ids.n + 1) != 0) return no_memory(err);
    uint32_t key = tn_strmap_add(&b->ids, doc->id, len);
    if (key == TN_STRMAP_NONE) return no_memory(err);
    b->notes[key] =
        (doc_note){{doc->hash[0], doc->hash[1]}, b->n_passages, (uint32_t)doc->n_chunks};
    return TERN_OK;
}

static tern_status add_passage(tn_docs_builder *b, const tn_doc *doc, size_t i,
                               tn_string_ref doc_id, tern_error *err) {
    const tn_chunk *c = &doc->chunks[i];
    tn_passage_record p = {.id = doc_id,
                           .byte_begin = c->byte_begin,
                           .byte_end = c->byte_end,
                           .document = b->n_documents,
                           .line_begin = c->line_begin,
                           .line_end = c->line_end,
                           .page = c->page};
    tern_status st = share_string(b, c->section, &p.section, err);
    if (st == TERN_OK && doc->n_chunks > 1) {
        tn_buf id = {0};
        tn_buf_printf(&id, "%s#%zu", doc->id, i + 1);
        st = tn_buf_status(&id, err);
        if (st == TERN_OK) st = write_string(b, id.data, id.len, &p.id, err);
        tn_buf_deinit(&id);
    }
    if (st == TERN_OK) st = write_string(b, c->text, c->text_len, &p.text, err);
    if (st == TERN_OK) st = tn_bwriter_add(b->files[TN_DOCS_PASSAGES], &p, sizeof p, err);
    if (st == TERN_OK) b->times[b->n_passages++] = doc->time;
    return st;
}

tern_status tn_docs_builder_add(tn_docs_builder *b, const tn_doc *doc, tern_error *err) {
    if (doc->n_chunks == 0 || doc->n_chunks >= UINT32_MAX - b->n_passages)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "%s: a segment cannot number %zu more passages",
                         doc->id, doc->n_chunks);
    if (TN_GROW(b->times, b->times_cap, b->n_passages + doc->n_chunks) != 0) return no_memory(err);
    tn_document_record r = {.time = doc->time,
                            .hash = {doc->hash[0], doc->hash[1]},
                            .first = b->n_passages,
                            .n = (uint32_t)doc->n_chunks};
    tern_status st = note_id(b, doc, err);
    if (st == TERN_OK) st = write_string(b, doc->id, strlen(doc->id), &r.id, err);
    if (st == TERN_OK) st = share_string(b, doc->title, &r.title, err);
    if (st == TERN_OK) st = share_string(b, doc->source, &r.source, err);
    if (st == TERN_OK) st = share_string(b, doc->meta, &r.meta, err);
    for (size_t i = 0; st == TERN_OK && i < doc->n_chunks; i++)
        st = add_passage(b, doc, i, r.id, err);
    if (st == TERN_OK) st = tn_bwriter_add(b->files[TN_DOCS_DOCUMENTS], &r, sizeof r, err);
    if (st == TERN_OK) b->n_documents++;
    return st;
}

static int by_hash_then_document(const void *pa, const void *pb) {
    const id_entry *a = pa, *b = pb;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return a->document < b->document ? -1 : a->document > b->document;
}

static tern_status write_columns(tn_docs_builder *b, tern_error *err) {
    tn_bwriter *w;
    tern_status st = tn_bwriter_open(b->columns_path, tn_docs_files[TN_DOCS_COLUMNS].kind, &w, err);
    if (st != TERN_OK) return st;
    if (b->n_documents)
        qsort(b->id_table, b->n_documents, sizeof *b->id_table, by_hash_then_document);
    st = tn_bwriter_add(w, b->times, b->n_passages * sizeof *b->times, err);
    for (uint32_t i = 0; st == TERN_OK && i < b->n_documents; i++)
        st = tn_bwriter_add(w, &b->id_table[i].hash, sizeof b->id_table[i].hash, err);
    for (uint32_t i = 0; st == TERN_OK && i < b->n_documents; i++)
        st = tn_bwriter_add(w, &b->id_table[i].document, sizeof b->id_table[i].document, err);
    if (st == TERN_OK) return tn_bwriter_commit(w, err);
    tn_bwriter_abort(w);
    return st;
}

tern_status tn_docs_builder_write(tn_docs_builder *b, tern_error *err) {
    tern_status st = write_columns(b, err);
    for (int i = 0; st == TERN_OK && i < TN_DOCS_COLUMNS; i++) {
        tn_bwriter *w = b->files[i];
        b->files[i] = NULL; /* commit frees it whatever the outcome */
        st = tn_bwriter_commit(w, err);
    }
    return st;
}

/* --- merging --- */

typedef struct merger {
    tn_docs_builder *b;
    tn_chunk *chunks; /* of the document at hand */
    size_t chunks_cap;
} merger;

static tern_status copy_document(merger *m, const tn_docs *d, const tn_document *doc,
                                 tern_error *err) {
    if (TN_GROW(m->chunks, m->chunks_cap, doc->n) != 0) return no_memory(err);
    for (uint32_t i = 0; i < doc->n; i++) {
        tern_passage p;
        tern_status st = tn_docs_passage(d, doc->first + i, &p, err);
        if (st != TERN_OK) return st;
        m->chunks[i] = (tn_chunk){.text = p.text,
                                  .text_len = p.text_len,
                                  .section = p.section,
                                  .byte_begin = p.byte_begin,
                                  .byte_end = p.byte_end,
                                  .line_begin = p.line_begin,
                                  .line_end = p.line_end,
                                  .page = p.page};
    }
    tn_doc copy = {.id = doc->id,
                   .title = doc->title,
                   .source = doc->source,
                   .meta = doc->meta,
                   .time = doc->time,
                   .hash = {doc->hash[0], doc->hash[1]},
                   .chunks = m->chunks,
                   .n_chunks = doc->n};
    return tn_docs_builder_add(m->b, &copy, err);
}

static tern_status copy_segment(merger *m, const tn_docs *d, const uint64_t *dead,
                                const tern_host *host, tern_error *err) {
    for (uint32_t k = 0; k < tn_docs_n_documents(d); k++) {
        tn_document doc;
        tern_status st = tn_docs_document(d, k, &doc, err);
        if (st == TERN_OK && !tn_bit(dead, doc.first)) st = copy_document(m, d, &doc, err);
        if (st != TERN_OK) return st;
        if (k % PROGRESS_EVERY == 0 && host && host->cancelled && host->cancelled(host->ud))
            return tern_fail(err, TERN_ERR_CANCELLED, 0, "cancelled");
    }
    return TERN_OK;
}

tern_status tn_docs_merge(const tn_docs *const *docs, const uint64_t *const *dead, size_t n,
                          const char *seg_dir, const tern_host *host, tern_error *err) {
    merger m = {0};
    tern_status st = builder_new(seg_dir, false, &m.b, err);
    for (size_t i = 0; st == TERN_OK && i < n; i++)
        st = copy_segment(&m, docs[i], dead[i], host, err);
    if (st == TERN_OK) st = tn_docs_builder_write(m.b, err);
    tn_docs_builder_free(m.b);
    tn_free(m.chunks);
    return st;
}
