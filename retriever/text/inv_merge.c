/* inv_merge.c - several inverted indexes -> one, without the passages that are dropped.
 * Terms are merged in byte order and each list goes through the same writer as a fresh build, so
 * the files equal those of building the kept passages anew, byte for byte. */
#include "retriever/text/inverted_priv.h"
#include <string.h>

#include "core/base/mem.h"

#define DROPPED UINT32_MAX
enum { TERMS_PER_REPORT = 4096 };

typedef struct source {
    const tn_inv *inv;
    uint32_t *doc_new; /* [n_docs] number in the result, or DROPPED */
    uint32_t next;     /* term number */
    tn_term term;      /* that term, if next < n_terms */
} source;

typedef struct merge {
    source *sources;
    size_t n_sources;
    uint32_t *lens;
    uint32_t n_docs;
    uint32_t *docs, *tfs, *positions; /* of the current term */
    size_t docs_cap, tfs_cap, positions_cap, df, cf;
} merge;

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while merging inverted indexes");
}

static void merge_deinit(merge *m) {
    for (size_t i = 0; m->sources && i < m->n_sources; i++) tn_free(m->sources[i].doc_new);
    tn_free(m->sources);
    tn_free(m->lens);
    tn_free(m->docs);
    tn_free(m->tfs);
    tn_free(m->positions);
}

static tern_status load_term(source *s, tern_error *err) {
    return s->next < s->inv->head.n_terms ? tn_inv_term(s->inv, s->next, &s->term, err) : TERN_OK;
}

static tern_status renumber(merge *m, source *s, const uint64_t *keep, tern_error *err) {
    const uint32_t n = s->inv->head.n_docs;
    s->doc_new = tn_alloc(n * sizeof *s->doc_new);
    if (!s->doc_new) return no_memory(err);
    for (uint32_t d = 0; d < n; d++) {
        bool kept = !keep || (keep[d / 64] >> (d % 64) & 1);
        s->doc_new[d] = kept ? m->n_docs : DROPPED;
        if (kept) m->lens[m->n_docs++] = s->inv->lens[d];
    }
    return load_term(s, err);
}

static tern_status merge_init(merge *m, const tn_inv *const *inv, const uint64_t *const *keep,
                              size_t n, tern_error *err) {
    uint64_t n_docs = 0;
    for (size_t i = 0; i < n; i++) n_docs += inv[i]->head.n_docs;
    if (n_docs > INT32_MAX)
        return tern_fail(err, TERN_ERR_LIMIT, 0, "a segment holds at most 2^31 passages");
    m->sources = tn_calloc(n, sizeof *m->sources);
    m->lens = tn_alloc(n_docs * sizeof *m->lens);
    if (!m->sources || !m->lens) return no_memory(err);
    m->n_sources = n;
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        m->sources[i].inv = inv[i];
        st = renumber(m, &m->sources[i], keep ? keep[i] : NULL, err);
    }
    return st;
}

/* --- one list --- */

/* Read the positions of one posting; those of a dropped passage are skipped. */
static tern_status take_positions(merge *m, const source *s, const tn_positions *p,
                                  const uint8_t **at, uint32_t tf, bool kept, tern_error *err) {
    uint64_t left = (uint64_t)(p->end - *at); /* a position takes a byte at least */
    bool fits = tf > 0 && tf <= left;
    if (fits && kept && TN_GROW(m->positions, m->positions_cap, m->cf + tf) != 0)
        return no_memory(err);
    if (!fits || !tn_positions_read(p, at, tf, kept ? m->positions + m->cf : NULL))
        return tn_inv_corrupt(s->inv, s->inv->positions, &s->term, err);
    m->cf += kept ? tf : 0;
    return TERN_OK;
}

static tern_status take_block(merge *m, const source *s, const tn_positions *p, const uint8_t **at,
                              const uint32_t *docs, const uint32_t *tfs, uint32_t n,
                              tern_error *err) {
    if (TN_GROW(m->docs, m->docs_cap, m->df + n) != 0 ||
        TN_GROW(m->tfs, m->tfs_cap, m->df + n) != 0)
        return no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t doc = s->doc_new[docs[i]];
        tern_status st = take_positions(m, s, p, at, tfs[i], doc != DROPPED, err);
        if (st != TERN_OK) return st;
        if (doc == DROPPED) continue;
        m->docs[m->df] = doc;
        m->tfs[m->df++] = tfs[i];
    }
    return TERN_OK;
}

/* Append the source's current list, renumbered, to the current term. */
static tern_status take_list(merge *m, const source *s, tern_error *err) {
    uint32_t docs[TN_POSTINGS_BLOCK], tfs[TN_POSTINGS_BLOCK], n;
    tn_postings list;
    tn_positions positions;
    tern_status st = tn_inv_postings(s->inv, &s->term, &list, err);
    if (st == TERN_OK) st = tn_inv_positions(s->inv, &s->term, &positions, err);
    const uint8_t *at = st == TERN_OK ? positions.data : NULL;
    for (uint32_t b = 0; st == TERN_OK && b <= list.n_blocks; b++) {
        if (tn_postings_decode(&list, b, docs, tfs, &n) != TERN_OK)
            return tn_inv_corrupt(s->inv, s->inv->postings, &s->term, err);
        st = take_block(m, s, &positions, &at, docs, tfs, n, err);
    }
    return st;
}

/* --- all terms --- */

static const source *smallest(const merge *m) {
    const source *best = NULL;
    for (size_t i = 0; i < m->n_sources; i++) {
        const source *s = &m->sources[i];
        if (s->next == s->inv->head.n_terms) continue;
        if (!best || strcmp(s->term.text, best->term.text) < 0) best = s;
    }
    return best;
}

static tern_status merge_term(merge *m, const source *least, tn_inv_writer *w, tern_error *err) {
    const char *term = least->term.text; /* views stay valid until their index closes */
    const uint32_t len = least->term.len;
    tern_status st = TERN_OK;
    m->df = m->cf = 0;
    for (size_t i = 0; i < m->n_sources && st == TERN_OK; i++) {
        source *s = &m->sources[i];
        if (s->next == s->inv->head.n_terms || strcmp(s->term.text, term) != 0) continue;
        st = take_list(m, s, err);
        s->next++;
        if (st == TERN_OK) st = load_term(s, err);
    }
    if (st == TERN_OK && m->df > 0)
        st = tn_inv_writer_add(w, term, len, m->docs, m->tfs, (uint32_t)m->df, m->positions, err);
    return st;
}

static tern_status report(const merge *m, const tern_host *host, tern_error *err) {
    tern_progress p = {.what = "merging", .unit = "terms"};
    for (size_t i = 0; i < m->n_sources; i++) {
        p.done += m->sources[i].next;
        p.total += m->sources[i].inv->head.n_terms;
    }
    if (host->progress) host->progress(host->ud, &p);
    if (host->cancelled && host->cancelled(host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "merging was interrupted");
    return TERN_OK;
}

static tern_status merge_terms(merge *m, tn_inv_writer *w, const tern_host *host, tern_error *err) {
    tern_status st = TERN_OK;
    const source *least;
    for (uint64_t n = 0; st == TERN_OK && (least = smallest(m)) != NULL; n++) {
        st = merge_term(m, least, w, err);
        if (st == TERN_OK && host && n % TERMS_PER_REPORT == 0) st = report(m, host, err);
    }
    return st;
}

tern_status tn_inv_merge(const tn_inv *const *inv, const uint64_t *const *keep, size_t n,
                         const char *seg_dir, const tern_host *host, tern_error *err) {
    merge m = {0};
    tn_inv_writer *w = NULL;
    tern_status st = merge_init(&m, inv, keep, n, err);
    if (st == TERN_OK) st = tn_inv_writer_open(seg_dir, m.lens, m.n_docs, &w, err);
    if (st == TERN_OK) st = merge_terms(&m, w, host, err);
    if (st == TERN_OK)
        st = tn_inv_writer_commit(w, err);
    else
        tn_inv_writer_abort(w);
    merge_deinit(&m);
    return st;
}
