/* tools.c - see tools.h. */
#include "agent/tools.h"
#include "agent/lens.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "retriever/index_priv.h"
#include <string.h>
#include <xxhash.h>

/* Above this many passages, listing the titles at the start (every stored block is touched) costs
 * more than looking up the few hundred names of an episode one by one. */
enum { LIST_MAX = 500000 };

struct tn_titles {
    uint64_t *slots; /* open addressing; 0: empty */
    size_t mask, n;
};

struct tn_index_tools {
    const tern_index *ix;
    const tn_titles *titles;
    tern_searcher *searcher;
    tern_mode mode;
    int64_t as_of;
    const tern_reranker *reranker;
    size_t rerank_depth;
    const uint32_t *hidden;
    size_t n_hidden;
    uint32_t *exclude;
    size_t exclude_cap;
    tn_buf folded;
};

/* --- titles ----------------------------------------------------------------------------------- */

static uint64_t title_hash(const char *title, size_t len, tn_buf *folded) {
    tn_buf_reset(folded);
    tn_text_fold(title, len, folded);
    uint64_t h = XXH3_64bits(tn_buf_cstr(folded), folded->len);
    return h ? h : 1;
}

static bool titles_have(const tn_titles *t, uint64_t hash) {
    for (size_t i = hash & t->mask; t->slots[i]; i = (i + 1) & t->mask)
        if (t->slots[i] == hash) return true;
    return false;
}

static void titles_add(tn_titles *t, uint64_t hash) {
    size_t i = hash & t->mask;
    while (t->slots[i] && t->slots[i] != hash) i = (i + 1) & t->mask;
    t->n += !t->slots[i];
    t->slots[i] = hash;
}

static tern_status titles_fill(tn_titles *t, const tern_index *ix, tern_error *err) {
    tn_buf folded = {0};
    tern_status st = TERN_OK;
    for (uint32_t ref = 0; st == TERN_OK && ref < tern_index_n_refs(ix); ref++) {
        tern_passage p;
        st = tern_index_passage(ix, ref, &p, err);
        if (st != TERN_OK) break;
        size_t len = strlen(p.title), base = tn_title_base(p.title, len);
        if (len == 0) continue;
        titles_add(t, title_hash(p.title, len, &folded));
        if (base < len) titles_add(t, title_hash(p.title, base, &folded));
        st = tn_buf_status(&folded, err);
    }
    tn_buf_deinit(&folded);
    return st;
}

tern_status tn_titles_new(const tern_index *ix, tn_titles **out, tern_error *err) {
    *out = NULL;
    size_t n = tern_index_n_refs(ix), n_slots = 64;
    if (n > LIST_MAX) return TERN_OK;
    while (n_slots < 4 * n) n_slots *= 2;
    tn_titles *t = tn_calloc(1, sizeof *t);
    if (t) t->slots = tn_calloc(n_slots, sizeof *t->slots);
    if (!t || !t->slots) {
        tn_titles_free(t);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu titles", n);
    }
    t->mask = n_slots - 1;
    tern_status st = titles_fill(t, ix, err);
    if (st == TERN_OK)
        *out = t;
    else
        tn_titles_free(t);
    return st;
}

void tn_titles_free(tn_titles *t) {
    if (!t) return;
    tn_free(t->slots);
    tn_free(t);
}

/* --- the table -------------------------------------------------------------------------------- */

static tern_status tool_search(void *ud, const char *query, size_t query_len, size_t k,
                               const uint32_t *exclude, size_t n_exclude, uint32_t *refs,
                               size_t *n_refs, tern_error *err) {
    tn_index_tools *t = ud;
    tern_hit hits[128];
    tern_search_opts o = tern_search_defaults();
    *n_refs = 0;
    size_t n = n_exclude + t->n_hidden;
    if (TN_GROW(t->exclude, t->exclude_cap, n + 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a search");
    if (n_exclude) memcpy(t->exclude, exclude, n_exclude * sizeof *exclude);
    if (t->n_hidden) memcpy(t->exclude + n_exclude, t->hidden, t->n_hidden * sizeof *t->hidden);
    o.k = k < 128 ? k : 128;
    o.mode = t->mode;
    o.relax_phrases = true;
    o.as_of = t->as_of;
    o.reranker = t->reranker;
    o.rerank_depth = t->rerank_depth;
    o.exclude = t->exclude;
    o.n_exclude = n;
    tern_status st = tern_search(t->searcher, query, query_len, &o, hits, n_refs, err);
    for (size_t i = 0; st == TERN_OK && i < *n_refs; i++) refs[i] = hits[i].ref;
    return st;
}

static tern_status tool_read(void *ud, uint32_t ref, tern_passage *out, tern_error *err) {
    return tern_index_passage(((tn_index_tools *)ud)->ix, ref, out, err);
}

static uint64_t tool_n_passages(void *ud) {
    return tern_index_n_refs(((tn_index_tools *)ud)->ix);
}

/* Statistics guide the search but carry no answer: a damaged block counts as "not there" here and
 * is reported by the search that meets it. */
static uint64_t tool_term_df(void *ud, const char *term, size_t len) {
    const tern_index *ix = ((tn_index_tools *)ud)->ix;
    uint64_t sum = 0;
    for (size_t i = 0; i < ix->n_segs; i++) {
        uint32_t df = 0;
        if (tn_inv_df(ix->segs[i].inv, term, len, &df, NULL) == TERN_OK) sum += df;
    }
    return sum;
}

/* Without a list of titles: does searching for the title bring a passage that has it? */
static bool title_found(tn_index_tools *t, const char *title, size_t len, uint64_t hash) {
    tern_hit hits[8];
    size_t n = 0;
    tern_search_opts o = tern_search_defaults();
    o.mode = TERN_MODE_BM25;
    o.k = 8;
    if (tern_search(t->searcher, title, len, &o, hits, &n, NULL) != TERN_OK) return false;
    for (size_t i = 0; i < n; i++) {
        tern_passage p;
        if (tern_index_passage(t->ix, hits[i].ref, &p, NULL) != TERN_OK) return false;
        size_t full = strlen(p.title), base = tn_title_base(p.title, full);
        if (title_hash(p.title, full, &t->folded) == hash) return true;
        if (base < full && title_hash(p.title, base, &t->folded) == hash) return true;
    }
    return false;
}

static bool tool_title_known(void *ud, const char *title, size_t len) {
    tn_index_tools *t = ud;
    uint64_t hash = title_hash(title, len, &t->folded);
    return t->titles ? titles_have(t->titles, hash) : title_found(t, title, len, hash);
}

tern_status tn_index_tools_new(const tern_index *ix, const tn_titles *titles, tern_mode mode,
                               int64_t as_of, tn_index_tools **out, tern_error *err) {
    tn_index_tools *t = tn_calloc(1, sizeof *t);
    if (!t) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the tools");
    *t = (tn_index_tools){.ix = ix, .titles = titles, .mode = mode, .as_of = as_of};
    tern_status st = tern_searcher_new(ix, &t->searcher, err);
    if (st == TERN_OK)
        *out = t;
    else
        tn_index_tools_free(t);
    return st;
}

void tn_index_tools_hide(tn_index_tools *t, const uint32_t *hidden, size_t n_hidden) {
    t->hidden = hidden;
    t->n_hidden = n_hidden;
}

void tn_index_tools_rerank(tn_index_tools *t, const tern_reranker *reranker, size_t depth) {
    t->reranker = reranker;
    t->rerank_depth = depth;
}

void tn_index_tools_free(tn_index_tools *t) {
    if (!t) return;
    tern_searcher_free(t->searcher);
    tn_free(t->exclude);
    tn_buf_deinit(&t->folded);
    tn_free(t);
}

tn_agent_tools tn_index_tools_table(tn_index_tools *t) {
    return (tn_agent_tools){.ud = t,
                            .search = tool_search,
                            .read = tool_read,
                            .n_passages = tool_n_passages,
                            .term_df = tool_term_df,
                            .title_known = tool_title_known};
}
