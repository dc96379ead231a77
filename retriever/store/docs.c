/* docs.c - reading and checking stored passages; see docs.h. Building is in docs_build.c.
 * Nothing read from a file is used before it is bounded: a block's checksum proves that the bytes
 * are those that were written, not that a sane program wrote them. */
#include "retriever/store/docs.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "retriever/store/blockfile.h"
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

const tn_docs_file tn_docs_files[TN_DOCS_N_FILES] = {
    [TN_DOCS_TEXT] = {"text.tn", TN_KIND('T', 'E', 'X', 'T')},
    [TN_DOCS_PASSAGES] = {"passages.tn", TN_KIND('P', 'A', 'S', 'S')},
    [TN_DOCS_DOCUMENTS] = {"documents.tn", TN_KIND('D', 'O', 'C', 'S')},
    [TN_DOCS_COLUMNS] = {"columns.tn", TN_KIND('C', 'O', 'L', 'S')},
};

struct tn_docs {
    tn_bfile *files[TN_DOCS_N_FILES];
    uint32_t n_passages, n_documents;
    uint64_t hashes_at, by_hash_at; /* in columns.tn; times are at 0 */
};

uint64_t tn_docs_id_hash(const char *id, size_t len) {
    return XXH3_64bits(id, len);
}

void tn_docs_hash(const char *id, const uint64_t hash[2], uint64_t sum[2]) {
    XXH128_hash_t of_id = XXH3_128bits(id, strlen(id));
    uint64_t parts[4] = {of_id.low64, of_id.high64, hash[0], hash[1]};
    XXH128_hash_t h = XXH3_128bits(parts, sizeof parts);
    sum[0] += h.low64;
    sum[1] += h.high64;
}

/* Number of records in a file that holds nothing else. */
static tern_status count_records(const tn_bfile *f, size_t record_bytes, uint32_t *n,
                                 tern_error *err) {
    uint64_t size = tn_bfile_size(f);
    if (size % record_bytes != 0 || size / record_bytes >= UINT32_MAX)
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset 16: %" PRIu64 " bytes are no number of records of %zu bytes",
                         tn_bfile_path(f), size, record_bytes);
    *n = (uint32_t)(size / record_bytes);
    return TERN_OK;
}

static tern_status check_counts(tn_docs *d, tern_error *err) {
    tern_status st =
        count_records(d->files[TN_DOCS_PASSAGES], sizeof(tn_passage_record), &d->n_passages, err);
    if (st == TERN_OK)
        st = count_records(d->files[TN_DOCS_DOCUMENTS], sizeof(tn_document_record), &d->n_documents,
                           err);
    if (st != TERN_OK) return st;
    d->hashes_at = (uint64_t)d->n_passages * sizeof(int64_t);
    d->by_hash_at = d->hashes_at + (uint64_t)d->n_documents * sizeof(uint64_t);
    const tn_bfile *columns = d->files[TN_DOCS_COLUMNS];
    if (d->n_documents > d->n_passages ||
        d->by_hash_at + (uint64_t)d->n_documents * sizeof(uint32_t) != tn_bfile_size(columns))
        return tern_fail(err, TERN_ERR_CORRUPT, 0,
                         "%s: offset 16: %" PRIu64 " bytes do not fit %" PRIu32
                         " passages of %" PRIu32 " documents",
                         tn_bfile_path(columns), tn_bfile_size(columns), d->n_passages,
                         d->n_documents);
    return TERN_OK;
}

tern_status tn_docs_open(const char *seg_dir, tn_docs **out, tern_error *err) {
    *out = NULL;
    tn_docs *d = tn_calloc(1, sizeof *d);
    tern_status st = d ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (int i = 0; st == TERN_OK && i < TN_DOCS_N_FILES; i++) {
        char *path = tn_path_join(seg_dir, tn_docs_files[i].name);
        st = path ? tn_bfile_open(path, tn_docs_files[i].kind, &d->files[i], err)
                  : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
        tn_free(path);
    }
    if (st == TERN_OK) st = check_counts(d, err);
    if (st != TERN_OK) {
        tn_docs_close(d);
        return st;
    }
    *out = d;
    return TERN_OK;
}

void tn_docs_close(tn_docs *d) {
    if (!d) return;
    for (int i = 0; i < TN_DOCS_N_FILES; i++) tn_bfile_close(d->files[i]);
    tn_free(d);
}

uint32_t tn_docs_n_passages(const tn_docs *d) {
    return d->n_passages;
}
uint32_t tn_docs_n_documents(const tn_docs *d) {
    return d->n_documents;
}

/* A stored value is wrong: named by the place of its record in the file. */
static tern_status bad_value(const tn_docs *d, int file, uint64_t off, const char *what,
                             tern_error *err) {
    return tern_fail(err, TERN_ERR_CORRUPT, 0, "%s: offset %" PRIu64 ": %s",
                     tn_bfile_path(d->files[file]), TN_BLOCK_HEADER_BYTES + off, what);
}

static tern_status passage_record(const tn_docs *d, uint32_t i, const tn_passage_record **out,
                                  tern_error *err) {
    if (i >= d->n_passages)
        return tern_fail(err, TERN_ERR_ARG, 0, "passage %" PRIu32 " of %" PRIu32, i, d->n_passages);
    const void *p = NULL;
    uint64_t off = (uint64_t)i * sizeof **out;
    tern_status st = tn_bfile_view(d->files[TN_DOCS_PASSAGES], off, sizeof **out, &p, err);
    if (st != TERN_OK) return st;
    *out = p;
    if ((*out)->document >= d->n_documents)
        return bad_value(d, TN_DOCS_PASSAGES, off, "passage of a document that is not there", err);
    return TERN_OK;
}

static tern_status document_record(const tn_docs *d, uint32_t k, const tn_document_record **out,
                                   tern_error *err) {
    if (k >= d->n_documents)
        return tern_fail(err, TERN_ERR_ARG, 0, "document %" PRIu32 " of %" PRIu32, k,
                         d->n_documents);
    const void *p = NULL;
    uint64_t off = (uint64_t)k * sizeof **out;
    tern_status st = tn_bfile_view(d->files[TN_DOCS_DOCUMENTS], off, sizeof **out, &p, err);
    if (st != TERN_OK) return st;
    *out = p;
    if ((*out)->first >= d->n_passages || (*out)->n == 0 ||
        (*out)->n > d->n_passages - (*out)->first)
        return bad_value(d, TN_DOCS_DOCUMENTS, off, "document of passages that are not there", err);
    return TERN_OK;
}

static tern_status string_view(const tn_docs *d, tn_string_ref ref, const char **out,
                               tern_error *err) {
    const void *p = NULL;
    if (ref.len == UINT64_MAX) ref.len--; /* len + 1 below; far beyond any payload either way */
    tern_status st = tn_bfile_view(d->files[TN_DOCS_TEXT], ref.off, ref.len + 1, &p, err);
    if (st != TERN_OK) return st;
    *out = p;
    if ((*out)[ref.len] != '\0')
        return bad_value(d, TN_DOCS_TEXT, ref.off, "string without an end", err);
    return TERN_OK;
}

tern_status tn_docs_passage(const tn_docs *d, uint32_t i, tern_passage *out, tern_error *err) {
    const tn_passage_record *p = NULL;
    const tn_document_record *r = NULL;
    tern_status st = passage_record(d, i, &p, err);
    if (st == TERN_OK) st = document_record(d, p->document, &r, err);
    if (st != TERN_OK) return st;
    *out = (tern_passage){.text_len = (size_t)p->text.len,
                          .byte_begin = p->byte_begin,
                          .byte_end = p->byte_end,
                          .line_begin = p->line_begin,
                          .line_end = p->line_end,
                          .page = p->page,
                          .time = r->time};
    st = string_view(d, p->text, &out->text, err);
    if (st == TERN_OK) st = string_view(d, p->id, &out->id, err);
    if (st == TERN_OK) st = string_view(d, p->section, &out->section, err);
    if (st == TERN_OK) st = string_view(d, r->id, &out->doc_id, err);
    if (st == TERN_OK) st = string_view(d, r->title, &out->title, err);
    if (st == TERN_OK) st = string_view(d, r->source, &out->source, err);
    if (st == TERN_OK) st = string_view(d, r->meta, &out->meta, err);
    return st;
}

tern_status tn_docs_document(const tn_docs *d, uint32_t k, tn_document *out, tern_error *err) {
    const tn_document_record *r = NULL;
    tern_status st = document_record(d, k, &r, err);
    if (st != TERN_OK) return st;
    *out = (tn_document){
        .time = r->time, .hash = {r->hash[0], r->hash[1]}, .first = r->first, .n = r->n};
    st = string_view(d, r->id, &out->id, err);
    if (st == TERN_OK) st = string_view(d, r->title, &out->title, err);
    if (st == TERN_OK) st = string_view(d, r->source, &out->source, err);
    if (st == TERN_OK) st = string_view(d, r->meta, &out->meta, err);
    return st;
}

tern_status tn_docs_document_of(const tn_docs *d, uint32_t i, uint32_t *k, tern_error *err) {
    const tn_passage_record *p = NULL;
    tern_status st = passage_record(d, i, &p, err);
    if (st == TERN_OK) *k = p->document;
    return st;
}

tern_status tn_docs_range(const tn_docs *d, uint32_t k, uint32_t *first, uint32_t *n,
                          tern_error *err) {
    const tn_document_record *r = NULL;
    tern_status st = document_record(d, k, &r, err);
    if (st != TERN_OK) return st;
    *first = r->first;
    *n = r->n;
    return TERN_OK;
}

tern_status tn_docs_times(const tn_docs *d, const int64_t **times, tern_error *err) {
    const void *p = NULL;
    tern_status st = tn_bfile_view(d->files[TN_DOCS_COLUMNS], 0,
                                   (uint64_t)d->n_passages * sizeof **times, &p, err);
    if (st == TERN_OK) *times = p;
    return st;
}

static tern_status hash_at(const tn_docs *d, uint32_t i, uint64_t *out, tern_error *err) {
    const void *p = NULL;
    tern_status st =
        tn_bfile_view(d->files[TN_DOCS_COLUMNS], d->hashes_at + (uint64_t)i * 8, 8, &p, err);
    if (st == TERN_OK) memcpy(out, p, 8);
    return st;
}

static tern_status by_hash_at(const tn_docs *d, uint32_t i, uint32_t *out, tern_error *err) {
    const void *p = NULL;
    tern_status st =
        tn_bfile_view(d->files[TN_DOCS_COLUMNS], d->by_hash_at + (uint64_t)i * 4, 4, &p, err);
    if (st == TERN_OK) memcpy(out, p, 4);
    return st;
}

/* First place in the id table with a hash >= want. The view of each probe is checked on its own, so
 * a lookup in a large index touches some twenty blocks, not the table. */
static tern_status lower_bound(const tn_docs *d, uint64_t want, uint32_t *out, tern_error *err) {
    uint32_t lo = 0, hi = d->n_documents;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        uint64_t h;
        tern_status st = hash_at(d, mid, &h, err);
        if (st != TERN_OK) return st;
        if (h < want)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return TERN_OK;
}

tern_status tn_docs_find(const tn_docs *d, const uint64_t *dead, const char *id, size_t id_len,
                         uint32_t *document, tern_error *err) {
    uint64_t want = tn_docs_id_hash(id, id_len), h;
    uint32_t at = 0;
    tern_status st = lower_bound(d, want, &at, err);
    for (; st == TERN_OK && at < d->n_documents; at++) {
        uint32_t k = 0;
        const tn_document_record *r = NULL;
        const char *s = NULL;
        if ((st = hash_at(d, at, &h, err)) != TERN_OK) return st;
        if (h != want) break;
        if ((st = by_hash_at(d, at, &k, err)) != TERN_OK) return st;
        if (k >= d->n_documents)
            return bad_value(d, TN_DOCS_COLUMNS, d->by_hash_at + (uint64_t)at * 4,
                             "id of a document that is not there", err);
        if ((st = document_record(d, k, &r, err)) != TERN_OK) return st;
        if (tn_bit(dead, r->first) || r->id.len != id_len) continue;
        if ((st = string_view(d, r->id, &s, err)) != TERN_OK) return st;
        if (memcmp(s, id, id_len) != 0) continue;
        *document = k;
        return TERN_OK;
    }
    return st == TERN_OK ? TERN_ERR_NOT_FOUND : st;
}

/* --- the deep check --- */

typedef struct checker {
    const tn_docs *d;
    void (*bad)(void *ud, const char *text);
    void *ud;
    uint64_t n_bad;
} checker;

static void report(void *ud, const char *text) {
    checker *c = ud;
    c->n_bad++;
    c->bad(c->ud, text);
}

static void report_at(checker *c, int file, uint64_t off, const char *what) {
    tern_error e;
    bad_value(c->d, file, off, what, &e);
    report(c, e.text);
}

static void check_documents(checker *c) {
    const tn_docs *d = c->d;
    uint32_t next = 0;
    for (uint32_t k = 0; k < d->n_documents; k++) {
        uint64_t off = (uint64_t)k * sizeof(tn_document_record);
        tn_document doc;
        tern_error e;
        if (tn_docs_document(d, k, &doc, &e) != TERN_OK) {
            report(c, e.text);
            continue;
        }
        if (doc.first != next)
            report_at(c, TN_DOCS_DOCUMENTS, off, "documents do not follow each other");
        next = doc.first + doc.n;
        if (!doc.id[0]) report_at(c, TN_DOCS_DOCUMENTS, off, "document without an id");
        if (!tn_utf8_valid(doc.id, strlen(doc.id)) || !tn_utf8_valid(doc.title, strlen(doc.title)))
            report_at(c, TN_DOCS_DOCUMENTS, off, "id or title is not UTF-8");
    }
    if (next != d->n_passages)
        report_at(c, TN_DOCS_DOCUMENTS, 0, "passages that belong to no document");
}

static void check_passages(checker *c) {
    const tn_docs *d = c->d;
    const int64_t *times;
    tern_error e;
    if (tn_docs_times(d, &times, &e) != TERN_OK) {
        report(c, e.text);
        return;
    }
    for (uint32_t i = 0; i < d->n_passages; i++) {
        uint64_t off = (uint64_t)i * sizeof(tn_passage_record);
        tern_passage p;
        uint32_t k = 0, first = 0, n = 0;
        if (tn_docs_passage(d, i, &p, &e) != TERN_OK ||
            tn_docs_document_of(d, i, &k, &e) != TERN_OK ||
            tn_docs_range(d, k, &first, &n, &e) != TERN_OK) {
            report(c, e.text);
            continue;
        }
        if (i < first || i - first >= n)
            report_at(c, TN_DOCS_PASSAGES, off, "passage and document do not agree");
        if (times[i] != p.time)
            report_at(c, TN_DOCS_COLUMNS, (uint64_t)i * 8, "time does not agree");
        if (!tn_utf8_valid(p.text, p.text_len))
            report_at(c, TN_DOCS_PASSAGES, off, "text is not UTF-8");
    }
}

static void check_id_table(checker *c) {
    const tn_docs *d = c->d;
    uint64_t last = 0, h = 0;
    for (uint32_t i = 0; i < d->n_documents; i++, last = h) {
        tern_error e;
        uint32_t k = 0;
        tn_document doc;
        if (hash_at(d, i, &h, &e) != TERN_OK || by_hash_at(d, i, &k, &e) != TERN_OK ||
            tn_docs_document(d, k, &doc, &e) != TERN_OK) {
            report(c, e.text);
            continue;
        }
        if (h < last)
            report_at(c, TN_DOCS_COLUMNS, d->hashes_at + (uint64_t)i * 8, "id table is not sorted");
        if (h != tn_docs_id_hash(doc.id, strlen(doc.id)))
            report_at(c, TN_DOCS_COLUMNS, d->hashes_at + (uint64_t)i * 8,
                      "id table does not match the ids");
    }
}

tern_status tn_docs_check(const tn_docs *d, void (*bad)(void *ud, const char *text), void *ud,
                          tern_error *err) {
    checker c = {d, bad, ud, 0};
    tern_status st = TERN_OK;
    for (int i = 0; st == TERN_OK && i < TN_DOCS_N_FILES; i++)
        st = tn_bfile_check(d->files[i], report, &c, err);
    if (st != TERN_OK || c.n_bad) return st; /* what lies in damaged blocks is not worth reading */
    check_documents(&c);
    check_passages(&c);
    check_id_table(&c);
    return TERN_OK;
}
