/* index_sync.c - bring an index in step with its inputs.
 * Documents stream through: each is looked up by id, and either left alone (same content hash, same
 * place in its source) or added to the segment being built, its predecessor getting tombstones. The
 * segment is written when the builders reach the memory budget. One commit at the end makes it all
 * visible. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "retriever/dense/neural.h"
#include "retriever/index_write.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* The inverted builder addresses its pool with 32 bits; a flush stays well below. */
static const uint64_t memory_max = UINT64_C(3) << 30, memory_min = 8 << 20;

tern_index_opts tern_index_defaults(void) {
    return (tern_index_opts){.language = "english",
                             .embedder = "lsa",
                             .vectors = "flat",
                             .chunk_tokens = 200,
                             .chunk_overlap = 30,
                             .record_tokens = 1024,
                             .memory_bytes = UINT64_C(512) << 20};
}

typedef struct syncer {
    tn_index_writer *w;
    tn_analyzer *analyzer;
    tern_index_opts opts; /* resolved: no member is NULL or 0 but format */
    tern_index_report *report;

    /* the segment being built */
    tn_docs_builder *docs;
    tn_inv_builder *inv;
    size_t bytes_at_start; /* memory that a flush will not give back */
    char name[TN_NAME_BYTES];
    char *folder;
    uint64_t *dead; /* documents replaced within the segment */
    size_t dead_words;
    uint32_t n_dead, n_dead_docs;
    bool has_changed; /* something to commit */
} syncer;

/* --- options --- */

static bool is_one_of(const char *s, const char *const *names) {
    for (; *names; names++)
        if (strcmp(s, *names) == 0) return true;
    return false;
}

/* Not a name: the folder of a neural encoder. */
static bool is_encoder(const char *embedder) {
    static const char *const names[] = {"lsa", "none", NULL};
    return !is_one_of(embedder, names);
}

static tern_status check_opts(const tern_index_opts *o, tern_error *err) {
    static const char *const kinds[] = {"flat", "ivf", "hnsw", NULL};
    if (is_encoder(o->embedder) && !tn_is_dir(o->embedder))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "embedder \"%s\": neither lsa nor none, nor the folder of a model",
                         o->embedder);
    if (!is_one_of(o->vectors, kinds))
        return tern_fail(err, TERN_ERR_ARG, 0, "vectors \"%s\": known are flat, ivf and hnsw",
                         o->vectors);
    if (o->chunk_overlap >= o->chunk_tokens)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "chunk overlap %" PRIu32 " must be smaller than the chunk of %" PRIu32
                         " words",
                         o->chunk_overlap, o->chunk_tokens);
    return TERN_OK;
}

/* A setting that is fixed when the index is made: the default means "as the index has it". */
static tern_status settle_name(const char *what, const char *stored, const char *by_default,
                               const char *dir, const char **opt, tern_error *err) {
    if (strcmp(*opt, stored) != 0 && strcmp(*opt, by_default) != 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "%s: %s is \"%s\" in this index, not \"%s\"; leave the option out, or "
                         "build a new index",
                         dir, what, stored, *opt);
    *opt = stored;
    return TERN_OK;
}

static void settle_number(uint32_t stored, uint32_t by_default, uint32_t *opt) {
    if (*opt == by_default) *opt = stored;
}

/* opts with the index's own settings for what was left at its default; a new index takes them. */
static tern_status settle_opts(tn_index_writer *w, tern_index_opts *o, tern_error *err) {
    const tern_index_opts d = tern_index_defaults();
    tn_manifest *m = &w->next;
    if (is_encoder(o->embedder)) o->embedder = TN_NEURAL;
    if (m->generation == 0) {
        snprintf(m->language, sizeof m->language, "%s", o->language);
        snprintf(m->embedder, sizeof m->embedder, "%s", o->embedder);
        snprintf(m->vectors, sizeof m->vectors, "%s", o->vectors);
        m->chunk_tokens = o->chunk_tokens;
        m->chunk_overlap = o->chunk_overlap;
        m->record_tokens = o->record_tokens;
    }
    settle_number(m->chunk_tokens, d.chunk_tokens, &o->chunk_tokens);
    settle_number(m->chunk_overlap, d.chunk_overlap, &o->chunk_overlap);
    settle_number(m->record_tokens, d.record_tokens, &o->record_tokens);
    tern_status st =
        settle_name("the language", m->language, d.language, w->dir, &o->language, err);
    if (st == TERN_OK)
        st = settle_name("the embedder", m->embedder, d.embedder, w->dir, &o->embedder, err);
    if (st == TERN_OK)
        st = settle_name("the kind of vectors", m->vectors, d.vectors, w->dir, &o->vectors, err);
    return st;
}

static tern_index_opts fill_defaults(const tern_index_opts *given) {
    tern_index_opts d = tern_index_defaults(), o = given ? *given : d;
    if (!o.language) o.language = d.language;
    if (!o.embedder) o.embedder = d.embedder;
    if (!o.vectors) o.vectors = d.vectors;
    if (!o.chunk_tokens) o.chunk_tokens = d.chunk_tokens;
    if (!o.record_tokens) o.record_tokens = d.record_tokens;
    if (!o.memory_bytes) o.memory_bytes = d.memory_bytes;
    if (o.memory_bytes < memory_min) o.memory_bytes = memory_min;
    if (o.memory_bytes > memory_max) o.memory_bytes = memory_max;
    return o;
}

/* --- the segment being built --- */

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

static void drop_builders(syncer *s) {
    tn_docs_builder_free(s->docs);
    tn_inv_builder_free(s->inv);
    tn_free(s->folder);
    tn_free(s->dead);
    s->docs = NULL;
    s->inv = NULL;
    s->folder = NULL;
    s->dead = NULL;
    s->dead_words = 0;
    s->n_dead = s->n_dead_docs = 0;
}

static size_t builder_bytes(const syncer *s) {
    return tn_docs_builder_bytes(s->docs) + tn_inv_builder_bytes(s->inv);
}

/* What the analyzer remembers counts but outlives a flush: a segment is worth writing only when it
 * has itself grown to a good part of the budget. */
static bool is_over_budget(const syncer *s) {
    size_t n = builder_bytes(s);
    return n > s->opts.memory_bytes && n - s->bytes_at_start > s->opts.memory_bytes / 2;
}

static tern_status start_segment(syncer *s, tern_error *err) {
    tern_status st = tn_writer_new_folder(s->w, s->name, &s->folder, err);
    if (st == TERN_OK) st = tn_docs_builder_new(s->folder, &s->docs, err);
    if (st == TERN_OK) st = tn_inv_builder_new(s->analyzer, &s->inv, err);
    if (st == TERN_OK) s->bytes_at_start = builder_bytes(s);
    return st;
}

/* Hand the deaths within the segment over to the writer. */
static tern_status bury(syncer *s, tn_wsegment *seg, tern_error *err) {
    if (!s->n_dead) return TERN_OK;
    size_t n_words = tn_bit_words(seg->meta.n);
    seg->dead = tn_calloc(n_words, sizeof *seg->dead);
    if (!seg->dead) return no_memory(err);
    memcpy(seg->dead, s->dead, (s->dead_words < n_words ? s->dead_words : n_words) * 8);
    seg->dead_changed = true;
    seg->meta.n_dead = s->n_dead;
    seg->meta.n_live_docs -= s->n_dead_docs;
    return TERN_OK;
}

static tern_status flush(syncer *s, tern_error *err) {
    if (!s->docs) return TERN_OK;
    tern_status st = tn_inv_builder_write(s->inv, s->folder, err);
    if (st == TERN_OK) st = tn_docs_builder_write(s->docs, err);
    /* The builders' memory goes back before anything else needs some. */
    tn_docs_builder_free(s->docs);
    tn_inv_builder_free(s->inv);
    s->docs = NULL;
    s->inv = NULL;
    size_t at = s->w->n_segs;
    if (st == TERN_OK) st = tn_writer_adopt(s->w, s->name, at, err);
    if (st == TERN_OK) st = bury(s, &s->w->segs[at], err);
    if (st == TERN_OK) st = tn_writer_note_unknown(s->w, &s->w->segs[at], err);
    drop_builders(s);
    /* Segments of earlier commits are merged only at the end, when what the sync has seen of them
     * is no longer needed. */
    return st == TERN_OK ? tn_writer_tidy(s->w, s->w->committed.n_segs, err) : st;
}

static tern_status kill_in_builder(syncer *s, const tn_doc *doc, const uint64_t hash[2],
                                   uint32_t first, uint32_t n, tern_error *err) {
    size_t have = s->dead_words, need = tn_bit_words(first + n);
    if (TN_GROW(s->dead, s->dead_words, need) != 0) return no_memory(err);
    memset(s->dead + have, 0, (s->dead_words - have) * sizeof *s->dead);
    for (uint32_t i = first; i < first + n; i++) s->dead[i / 64] |= UINT64_C(1) << i % 64;
    s->n_dead += n;
    s->n_dead_docs++;
    uint64_t sum[2] = {0};
    tn_docs_hash(doc->id, hash, sum);
    s->w->next.hash[0] -= sum[0];
    s->w->next.hash[1] -= sum[1];
    return TERN_OK;
}

static tern_status add(syncer *s, const tn_doc *doc, tern_error *err) {
    tern_status st = s->docs ? TERN_OK : start_segment(s, err);
    if (st == TERN_OK) st = tn_docs_builder_add(s->docs, doc, err);
    size_t title_len = strlen(doc->title);
    for (size_t i = 0; st == TERN_OK && i < doc->n_chunks; i++)
        st = tn_inv_builder_add(s->inv, doc->title, title_len, doc->chunks[i].text,
                                doc->chunks[i].text_len, err);
    if (st != TERN_OK) return st;
    tn_docs_hash(doc->id, doc->hash, s->w->next.hash);
    s->has_changed = true;
    return is_over_budget(s) ? flush(s, err) : TERN_OK;
}

/* --- documents coming in --- */

static bool same_hash(const uint64_t a[2], const uint64_t b[2]) {
    return a[0] == b[0] && a[1] == b[1];
}

static void note_duplicate(syncer *s, const tn_doc *doc) {
    s->report->n_duplicates++;
    tn_host_log(s->w->host, TERN_LOG_WARN,
                "%s:%" PRIu32 ": id \"%.200s\" was seen before in this run; the last one stands",
                doc->source, doc->line, doc->id);
}

/* Its predecessor stands in the segment being built. */
static tern_status meet_built(syncer *s, const tn_doc *doc, const uint64_t hash[2], uint32_t first,
                              uint32_t n, tern_error *err) {
    note_duplicate(s, doc);
    if (same_hash(hash, doc->hash)) return TERN_OK;
    tern_status st = kill_in_builder(s, doc, hash, first, n, err);
    return st == TERN_OK ? add(s, doc, err) : st;
}

/* Does the stored document still name its place? A record that moved within its file keeps its
 * content, but a citation by its old lines would point at another one. */
static tern_status is_in_place(const tn_docs *docs, const tn_document *old, const tn_doc *doc,
                               bool *in_place, tern_error *err) {
    tern_passage p;
    tern_status st = tn_docs_passage(docs, old->first, &p, err);
    if (st == TERN_OK)
        *in_place = p.byte_begin == doc->chunks[0].byte_begin &&
                    p.line_begin == doc->chunks[0].line_begin &&
                    strcmp(old->source, doc->source) == 0;
    return st;
}

/* Its predecessor stands in a written segment. */
static tern_status meet_written(syncer *s, const tn_doc *doc, size_t at, uint32_t document,
                                tern_error *err) {
    tn_wsegment *seg = &s->w->segs[at];
    tn_document old;
    tern_status st = tn_docs_document(seg->docs, document, &old, err);
    if (st != TERN_OK) return st;
    bool is_same = same_hash(old.hash, doc->hash), was_seen = seg->is_new;
    if (!seg->is_new) {
        if (!seg->seen && !(seg->seen = tn_calloc(tn_bit_words(seg->meta.n), sizeof *seg->seen)))
            return no_memory(err);
        was_seen = tn_bit(seg->seen, old.first);
        seg->seen[old.first / 64] |= UINT64_C(1) << old.first % 64;
    }
    if (was_seen) note_duplicate(s, doc);
    if (is_same && !was_seen) st = is_in_place(seg->docs, &old, doc, &is_same, err);
    if (st != TERN_OK) return st;
    if (is_same) {
        s->report->n_unchanged += !was_seen;
        return TERN_OK;
    }
    if (!seg->is_new) {
        s->report->n_replaced++;
        if (was_seen) s->report->n_unchanged--; /* counted when it was first met */
    }
    st = tn_writer_kill(s->w, at, document, err);
    return st == TERN_OK ? add(s, doc, err) : st;
}

static tern_status on_doc(void *ud, const tn_doc *doc, tern_error *err) {
    syncer *s = ud;
    tern_status st = tn_host_check(s->w->host, err);
    if (st != TERN_OK) return st;
    uint64_t hash[2];
    uint32_t first, n, document;
    size_t at;
    if (s->docs && tn_docs_builder_find(s->docs, doc->id, hash, &first, &n))
        return meet_built(s, doc, hash, first, n, err);
    st = tn_writer_find(s->w, doc->id, &at, &document, err);
    if (st == TERN_OK) return meet_written(s, doc, at, document, err);
    if (st != TERN_ERR_NOT_FOUND) return st;
    s->report->n_added++;
    return add(s, doc, err);
}

static void on_bad(void *ud, const char *text) {
    syncer *s = ud;
    tn_host_log(s->w->host, TERN_LOG_WARN, "%s", text);
}

/* --- the call --- */

static tern_status read_inputs(syncer *s, const char *const *inputs, size_t n_inputs,
                               tern_error *err) {
    tn_ingest_sink sink = {s, on_doc, on_bad};
    tn_ingest_counts counts = {0};
    tern_status st = tn_ingest(inputs, n_inputs, &s->opts, s->w->host, &sink, &counts, err);
    s->report->n_bad = counts.n_bad;
    s->report->n_repaired = counts.n_repaired;
    s->report->n_bytes = counts.n_bytes;
    return st == TERN_OK ? flush(s, err) : st;
}

static tern_status sync_locked(syncer *s, const char *const *inputs, size_t n_inputs,
                               tern_error *err) {
    tn_index_writer *w = s->w;
    const char *encoder = is_encoder(s->opts.embedder) ? s->opts.embedder : NULL;
    tern_status st = settle_opts(w, &s->opts, err);
    if (st == TERN_OK && encoder) st = tn_writer_name_encoder(w, encoder, &s->has_changed, err);
    if (st == TERN_OK) st = tn_analyzer_new(s->opts.language, &s->analyzer, err);
    if (st == TERN_OK) st = read_inputs(s, inputs, n_inputs, err);
    if (st != TERN_OK) return st;
    if (w->committed.generation == 0 && w->n_segs == 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: nothing to index: no usable document in the input (%" PRIu64
                         " lines or files were skipped)",
                         w->dir, s->report->n_bad);
    if (!s->has_changed) return TERN_OK;
    st = tn_writer_tidy(w, 0, err);
    if (st == TERN_OK) st = tn_writer_embed(w, false, err);
    return st == TERN_OK ? tn_writer_commit(w, err) : st;
}

tern_status tern_index_sync(const char *dir, const char *const *inputs, size_t n_inputs,
                            const tern_index_opts *opts, const tern_host *host,
                            tern_index_report *report, tern_error *err) {
    tern_index_report unwanted;
    uint64_t t0 = tn_clock_ns();
    syncer s = {.opts = fill_defaults(opts), .report = report ? report : &unwanted};
    *s.report = (tern_index_report){0};
    if (n_inputs == 0) return tern_fail(err, TERN_ERR_ARG, 0, "%s: no input given", dir);
    tern_status st = check_opts(&s.opts, err);
    if (st == TERN_OK) st = tn_writer_open(dir, true, host, &s.w, err);
    if (st == TERN_OK) {
        st = sync_locked(&s, inputs, n_inputs, err);
        s.report->n_passages = tn_writer_n_live(s.w);
    }
    drop_builders(&s);
    tn_analyzer_free(s.analyzer);
    tn_writer_close(s.w);
    s.report->seconds = (double)(tn_clock_ns() - t0) * 1e-9;
    return st;
}
