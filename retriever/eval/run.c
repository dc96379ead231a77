/* run.c - ranked results per query, and TREC run files. */
#include "core/base/file.h"
#include "retriever/eval/eval_priv.h"
#include "retriever/eval/lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for search results");
}

tern_status tern_run_new(tern_run **out, tern_error *err) {
    *out = tn_calloc(1, sizeof **out);
    return *out ? TERN_OK : no_memory(err);
}

void tern_run_free(tern_run *r) {
    if (!r) return;
    for (uint32_t i = 0; i < r->queries.n && r->results; i++) tn_free(r->results[i].items);
    tn_free(r->results);
    tn_strmap_deinit(&r->queries);
    tn_strmap_deinit(&r->docs);
    tn_free(r);
}

static uint32_t query_number(tern_run *r, const char *query) {
    /* Room first: the map and the vector grow together or not at all. */
    if (TN_GROW(r->results, r->cap, (size_t)r->queries.n + 1) != 0) return TN_STRMAP_NONE;
    uint32_t n_before = r->queries.n;
    uint32_t i = tn_strmap_add(&r->queries, query, strlen(query));
    if (i != TN_STRMAP_NONE && i == n_before) r->results[i] = (tn_results){0};
    return i;
}

tern_status tern_run_add_query(tern_run *r, const char *query, tern_error *err) {
    return query_number(r, query) == TN_STRMAP_NONE ? no_memory(err) : TERN_OK;
}

tern_status tern_run_add(tern_run *r, const char *query, const char *doc, double score,
                         tern_error *err) {
    if (!isfinite(score))
        return tern_fail(err, TERN_ERR_ARG, 0, "the score of document '%s' is not finite", doc);
    uint32_t q = query_number(r, query);
    if (q == TN_STRMAP_NONE) return no_memory(err);
    uint32_t d = tn_strmap_add(&r->docs, doc, strlen(doc));
    tn_results *list = &r->results[q];
    if (d == TN_STRMAP_NONE || TN_GROW(list->items, list->cap, list->n + 1) != 0)
        return no_memory(err);
    list->items[list->n++] = (tn_result){score, d};
    return TERN_OK;
}

uint32_t tern_run_n_queries(const tern_run *r) {
    return r->queries.n;
}

const char *tern_run_query(const tern_run *r, uint32_t i) {
    return i < r->queries.n ? r->queries.keys[i].s : NULL;
}

/* ---- ranking ---- */

static int by_doc(const void *pa, const void *pb) {
    const tn_result *a = pa, *b = pb;
    if (a->doc != b->doc) return a->doc < b->doc ? -1 : 1;
    return a->score > b->score ? -1 : a->score < b->score;
}

static int by_score(const void *pa, const void *pb, void *ud) {
    const tn_result *a = pa, *b = pb;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    const tern_run *r = ud;
    return strcmp(tn_run_doc(r, b->doc), tn_run_doc(r, a->doc));
}

tern_status tn_run_ranked(const tern_run *r, uint32_t i, tn_result **out, size_t *n,
                          tern_error *err) {
    const tn_results *list = &r->results[i];
    tn_result *items = tn_alloc(list->n * sizeof *items);
    *n = 0;
    *out = items;
    if (!items) return no_memory(err);
    if (list->n == 0) return TERN_OK;
    memcpy(items, list->items, list->n * sizeof *items);
    qsort(items, list->n, sizeof *items, by_doc);
    for (size_t k = 0; k < list->n; k++)
        if (*n == 0 || items[*n - 1].doc != items[k].doc) items[(*n)++] = items[k];
    qsort_r(items, *n, sizeof *items, by_score, (void *)r);
    return TERN_OK;
}

/* ---- files ---- */

static bool parse_score(const char *s, double *out) {
    char *end;
    *out = strtod(s, &end);
    return end != s && !*end && isfinite(*out);
}

static tern_status read_line(tern_run *r, tn_lines *l, char *line, tern_error *err) {
    char *w[6];
    size_t n = tn_words(line, w, 6);
    if (n == 0) return TERN_OK;
    if (n != 6)
        return tn_lines_bad(l, err, "expected 6 columns: query, Q0, document, rank, score, tag");
    double score;
    if (!parse_score(w[4], &score))
        return tn_lines_bad(l, err, "score '%.32s' is not a number", w[4]);
    return tern_run_add(r, w[0], w[2], score, err);
}

static tern_status refuse_duplicates(const tern_run *r, const char *name, tern_error *err) {
    for (uint32_t i = 0; i < r->queries.n; i++) {
        tn_results *list = &r->results[i];
        if (list->n) qsort(list->items, list->n, sizeof *list->items, by_doc);
        for (size_t k = 1; k < list->n; k++)
            if (list->items[k].doc == list->items[k - 1].doc)
                return tern_fail(err, TERN_ERR_FORMAT, 0,
                                 "%s: document '%s' stands twice under query '%s'", name,
                                 tn_run_doc(r, list->items[k].doc), r->queries.keys[i].s);
    }
    return TERN_OK;
}

static tern_status read_all(tn_lines *l, const char *name, tern_run **out, tern_error *err) {
    tern_run *r;
    tern_status status = tern_run_new(&r, err);
    while (status == TERN_OK) {
        char *line;
        size_t len;
        status = tn_lines_next(l, &line, &len, err);
        if (status != TERN_OK || !line) break;
        if (len && memchr(line, '\0', len))
            status = tn_lines_bad(l, err, "binary data");
        else
            status = read_line(r, l, line, err);
    }
    if (status == TERN_OK) status = refuse_duplicates(r, name, err);
    if (status != TERN_OK) {
        tern_run_free(r);
        return status;
    }
    *out = r;
    return TERN_OK;
}

tern_status tern_run_load(const char *path, tern_run **out, tern_error *err) {
    tn_lines *l;
    tern_status status = tn_lines_open(path, &l, err);
    if (status != TERN_OK) return status;
    status = read_all(l, path, out, err);
    tn_lines_close(l);
    return status;
}

tern_status tern_run_parse(const char *text, size_t len, const char *name, tern_run **out,
                           tern_error *err) {
    tn_lines *l;
    tern_status status = tn_lines_view(text, len, name, &l, err);
    if (status != TERN_OK) return status;
    status = read_all(l, name, out, err);
    tn_lines_close(l);
    return status;
}

static bool is_one_word(const char *s) {
    return *s && !strpbrk(s, " \t\r\n\v\f");
}

static tern_status add_query_lines(const tern_run *r, uint32_t i, const char *tag, tn_buf *b,
                                   tern_error *err) {
    const char *query = r->queries.keys[i].s;
    tn_result *ranked;
    size_t n;
    tern_status status = tn_run_ranked(r, i, &ranked, &n, err);
    for (size_t k = 0; k < n && status == TERN_OK; k++) {
        const char *doc = tn_run_doc(r, ranked[k].doc);
        if (!is_one_word(doc) || !is_one_word(query))
            status = tern_fail(err, TERN_ERR_ARG, 0,
                               "id '%s' cannot stand in a TREC run: it is empty or has white space",
                               is_one_word(doc) ? query : doc);
        else
            tn_buf_printf(b, "%s Q0 %s %zu %.9g %s\n", query, doc, k + 1, ranked[k].score, tag);
    }
    tn_free(ranked);
    return status;
}

tern_status tern_run_save(const tern_run *r, const char *path, const char *tag, tern_error *err) {
    tn_buf b = {0};
    tern_status status = TERN_OK;
    for (uint32_t i = 0; i < r->queries.n && status == TERN_OK; i++)
        status = add_query_lines(r, i, tag, &b, err);
    if (status == TERN_OK) status = tn_buf_status(&b, err);
    if (status == TERN_OK) status = tn_file_replace(path, b.data, b.len, err);
    tn_buf_deinit(&b);
    return status;
}
