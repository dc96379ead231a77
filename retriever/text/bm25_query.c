/* bm25_query.c - query text -> distinct terms in order of first occurrence.
 * A word said n times weighs n times its score. */
#include "core/base/strmap.h"
#include "retriever/text/bm25_priv.h"

#include "core/base/mem.h"

static tern_status collect(const tn_token *tokens, size_t n, tn_strmap *seen, tn_query *q) {
    for (size_t i = 0; i < n; i++) {
        if (tokens[i].is_stop) continue;
        uint32_t no = tn_strmap_add(seen, tokens[i].term, tokens[i].term_len);
        if (no == TN_STRMAP_NONE) return TERN_ERR_NOMEM;
        tn_query_term *t = &q->terms[no];
        if (no == q->n_terms) {
            *t = (tn_query_term){.text = tokens[i].term, .len = tokens[i].term_len};
            q->n_terms++;
        }
        t->count++;
    }
    return TERN_OK;
}

tern_status tn_query_parse(tn_analyzer *a, const char *text, size_t len, tn_arena *arena,
                           tn_query *out, tern_error *err) {
    const tn_token *tokens;
    size_t n;
    *out = (tn_query){0};
    tern_status st = tn_analyze(a, text, len, &tokens, &n, err);
    if (st != TERN_OK) return st;
    tn_strmap seen = {0};
    out->terms = tn_arena_alloc(arena, n * sizeof *out->terms);
    st = out->terms ? collect(tokens, n, &seen, out) : TERN_ERR_NOMEM;
    tn_strmap_deinit(&seen);
    return st == TERN_OK ? st : tern_fail(err, st, 0, "out of memory while reading the query");
}
