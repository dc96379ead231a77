/* snapshot.c - see snapshot.h. */
#include "serve/snapshot.h"

#include "core/base/mem.h"

static void destroy(tn_snapshot *s) {
    for (int i = 0; s->searchers && i < s->n_searchers; i++) tern_searcher_free(s->searchers[i]);
    tn_free(s->searchers);
    tern_index_close(s->ix);
    tn_free(s);
}

tern_status tn_snapshot_open(const char *dir, const tern_search_opts *search, int n_searchers,
                             tn_snapshot **out, tern_error *err) {
    *out = NULL;
    tn_snapshot *s = tn_calloc(1, sizeof *s);
    if (s) s->searchers = tn_calloc((size_t)n_searchers, sizeof(tern_searcher *));
    if (!s || !s->searchers) {
        tn_free(s);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", dir);
    }
    atomic_init(&s->n_refs, 1);
    s->n_searchers = n_searchers;
    tern_status st = tern_index_open(dir, &s->ix, err);
    for (int i = 0; i < n_searchers && st == TERN_OK; i++)
        st = tern_searcher_new(s->ix, &s->searchers[i], err);
    if (st == TERN_OK) {
        tern_search_opts probe = *search;
        tern_hit hit;
        size_t n_hits;
        probe.k = 1;
        s->stats = tern_index_get_stats(s->ix);
        st = tern_search(s->searchers[0], "probe", 5, &probe, &hit, &n_hits, err);
    }
    if (st == TERN_OK)
        *out = s;
    else
        destroy(s);
    return st;
}

void tn_snapshot_ref(tn_snapshot *s) {
    atomic_fetch_add(&s->n_refs, 1);
}

void tn_snapshot_unref(tn_snapshot *s) {
    if (s && atomic_fetch_sub(&s->n_refs, 1) == 1) destroy(s);
}
