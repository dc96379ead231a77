/* index_compact.c - taking documents out of an index, and making one clean segment of it.
 * The order of passages after a compaction is that of arrival: a document stands where it was added
 * or last replaced. A fresh build that reads the same documents in that order gives the same files
 * of text, terms and vectors, so the same results bit for bit. */
#include "core/base/clock.h"
#include "retriever/index_write.h"

#include "core/base/mem.h"

static tern_status check_all_there(const tn_index_writer *w, const char *const *ids, size_t n,
                                   tern_error *err) {
    for (size_t i = 0; i < n; i++) {
        size_t seg;
        uint32_t document;
        tern_status st = tn_writer_find(w, ids[i], &seg, &document, err);
        if (st == TERN_ERR_NOT_FOUND)
            return tern_fail(err, st, 0, "%s: no document \"%s\"; nothing was removed", w->dir,
                             ids[i]);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

static tern_status kill_all(tn_index_writer *w, const char *const *ids, size_t n,
                            uint64_t *n_removed, tern_error *err) {
    for (size_t i = 0; i < n; i++) {
        size_t seg;
        uint32_t document;
        tern_status st = tn_writer_find(w, ids[i], &seg, &document, err);
        if (st == TERN_ERR_NOT_FOUND) continue; /* the same id twice */
        if (st == TERN_OK) st = tn_writer_kill(w, seg, document, err);
        if (st != TERN_OK) return st;
        ++*n_removed;
    }
    return TERN_OK;
}

tern_status tern_index_remove(const char *dir, const char *const *doc_ids, size_t n_ids,
                              const tern_host *host, tern_index_report *report, tern_error *err) {
    tern_index_report r = {0};
    uint64_t t0 = tn_clock_ns();
    tn_index_writer *w;
    tern_status st = tn_writer_open(dir, false, host, &w, err);
    if (st == TERN_OK) {
        st = check_all_there(w, doc_ids, n_ids, err);
        if (st == TERN_OK) st = kill_all(w, doc_ids, n_ids, &r.n_removed, err);
        if (st == TERN_OK) st = tn_writer_embed(w, false, err);
        if (st == TERN_OK && n_ids) st = tn_writer_commit(w, err);
        if (st != TERN_OK)
            r.n_removed = 0;
        else
            r.n_passages = tn_writer_n_live(w);
    }
    tn_writer_close(w);
    r.seconds = (double)(tn_clock_ns() - t0) * 1e-9;
    if (report) *report = r;
    return st;
}

static bool is_one_clean_segment(const tn_index_writer *w) {
    return w->n_segs == 0 || (w->n_segs == 1 && w->segs[0].meta.n_dead == 0);
}

tern_status tern_index_compact(const char *dir, const tern_host *host, tern_index_report *report,
                               tern_error *err) {
    tern_index_report r = {0};
    uint64_t t0 = tn_clock_ns();
    tn_index_writer *w;
    tern_status st = tn_writer_open(dir, false, host, &w, err);
    if (st == TERN_OK) {
        if (!is_one_clean_segment(w)) st = tn_writer_merge(w, 0, w->n_segs, err);
        if (st == TERN_OK) st = tn_writer_embed(w, true, err);
        if (st == TERN_OK) st = tn_writer_commit(w, err);
        if (st == TERN_OK) r.n_passages = tn_writer_n_live(w);
    }
    tn_writer_close(w);
    r.seconds = (double)(tn_clock_ns() - t0) * 1e-9;
    if (report) *report = r;
    return st;
}
