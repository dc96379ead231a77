/* qrels.c - relevance judgements: TREC's four columns or BEIR's three under a header line. */
#include "retriever/eval/eval_priv.h"
#include "retriever/eval/lines.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

void tern_qrels_free(tern_qrels *q) {
    if (!q) return;
    tn_strmap_deinit(&q->queries);
    tn_strmap_deinit(&q->docs);
    tn_free(q->items);
    tn_free(q->begin);
    tn_free(q);
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while reading relevance judgements");
}

static tern_status add(tern_qrels *q, const char *query, const char *doc, int32_t grade,
                       size_t line, tern_error *err) {
    uint32_t qn = tn_strmap_add(&q->queries, query, strlen(query));
    uint32_t dn = tn_strmap_add(&q->docs, doc, strlen(doc));
    if (qn == TN_STRMAP_NONE || dn == TN_STRMAP_NONE || TN_GROW(q->items, q->cap, q->n + 1) != 0)
        return no_memory(err);
    q->items[q->n++] = (tn_judgement){qn, dn, grade, (uint32_t)line};
    return TERN_OK;
}

static int by_query_and_doc(const void *pa, const void *pb) {
    const tn_judgement *a = pa, *b = pb;
    if (a->query != b->query) return a->query < b->query ? -1 : 1;
    if (a->doc != b->doc) return a->doc < b->doc ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* Sort, refuse contradictions, index by query. */
static tern_status finish(tern_qrels *q, const char *name, tern_error *err) {
    if (q->n) qsort(q->items, q->n, sizeof *q->items, by_query_and_doc);
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        const tn_judgement *j = &q->items[i];
        const tn_judgement *last = n ? &q->items[n - 1] : NULL;
        if (last && last->query == j->query && last->doc == j->doc) {
            if (last->grade == j->grade) continue;
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s:%u: document '%s' of query '%s' was judged %d in line %u, here %d",
                             name, j->line, q->docs.keys[j->doc].s, q->queries.keys[j->query].s,
                             last->grade, last->line, j->grade);
        }
        q->items[n++] = *j;
    }
    q->n = n;
    q->begin = tn_calloc((size_t)q->queries.n + 1, sizeof *q->begin);
    if (!q->begin) return no_memory(err);
    for (size_t i = 0; i < n; i++) q->begin[q->items[i].query + 1]++;
    for (uint32_t i = 0; i < q->queries.n; i++) q->begin[i + 1] += q->begin[i];
    return TERN_OK;
}

static bool parse_grade(const char *s, int32_t *out) {
    char *end;
    errno = 0;
    long v = strtol(s, &end, 10);
    /* Some sets write whole grades as "1.0". */
    if (end != s && end[0] == '.' && strspn(end + 1, "0") == strlen(end + 1)) end += strlen(end);
    if (end == s || *end || errno || v <= TERN_UNJUDGED || v > INT32_MAX) return false;
    *out = (int32_t)v;
    return true;
}

/* BEIR ids may hold blanks: its columns are cut at tabs only. */
static size_t tab_columns(char *line, char **words, size_t cap) {
    size_t n = 0;
    for (char *p = line; p;) {
        if (n == cap) return cap + 1;
        words[n++] = p;
        p = strchr(p, '\t');
        if (p) *p++ = '\0';
    }
    return n;
}

static bool is_beir_header(const char *line) {
    return strncmp(line, "query-id\t", 9) == 0 || strncmp(line, "query_id\t", 9) == 0;
}

static tern_status read_line(tern_qrels *q, tn_lines *l, char *line, bool beir, tern_error *err) {
    char *w[4];
    size_t n = beir ? tab_columns(line, w, 3) : tn_words(line, w, 4);
    if (n == 0) return TERN_OK;
    if (beir && n != 3)
        return tn_lines_bad(l, err, "expected 3 columns: query-id, corpus-id, score");
    if (!beir && n != 4)
        return tn_lines_bad(l, err, "expected 4 columns: query, iteration, document, grade");
    int32_t grade;
    if (!parse_grade(w[n - 1], &grade))
        return tn_lines_bad(l, err, "grade '%.32s' is not a whole number", w[n - 1]);
    return add(q, w[0], w[n - 2], grade, tn_lines_no(l), err);
}

static tern_status read_all(tn_lines *l, const char *name, tern_qrels **out, tern_error *err) {
    tern_qrels *q = tn_calloc(1, sizeof *q);
    if (!q) return no_memory(err);
    bool beir = false;
    tern_status status;
    for (;;) {
        char *line;
        size_t len;
        status = tn_lines_next(l, &line, &len, err);
        if (status != TERN_OK || !line) break;
        if (tn_lines_no(l) == 1 && is_beir_header(line)) {
            beir = true;
            continue;
        }
        if (len == 0) continue;
        if (memchr(line, '\0', len)) {
            status = tn_lines_bad(l, err, "binary data");
            break;
        }
        status = read_line(q, l, line, beir, err);
        if (status != TERN_OK) break;
    }
    if (status == TERN_OK) status = finish(q, name, err);
    if (status != TERN_OK) {
        tern_qrels_free(q);
        return status;
    }
    *out = q;
    return TERN_OK;
}

tern_status tern_qrels_load(const char *path, tern_qrels **out, tern_error *err) {
    tn_lines *l;
    tern_status status = tn_lines_open(path, &l, err);
    if (status != TERN_OK) return status;
    status = read_all(l, path, out, err);
    tn_lines_close(l);
    return status;
}

tern_status tern_qrels_parse(const char *text, size_t len, const char *name, tern_qrels **out,
                             tern_error *err) {
    tn_lines *l;
    tern_status status = tn_lines_view(text, len, name, &l, err);
    if (status != TERN_OK) return status;
    status = read_all(l, name, out, err);
    tn_lines_close(l);
    return status;
}

tern_status tern_qrels_from_questions(const tern_questions *questions, tern_qrels **out,
                                      tern_error *err) {
    tern_qrels *q = tn_calloc(1, sizeof *q);
    if (!q) return no_memory(err);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < questions->n && status == TERN_OK; i++) {
        const tern_question *question = &questions->items[i];
        for (size_t s = 0; s < question->n_supporting && status == TERN_OK; s++)
            status = add(q, question->id, question->supporting[s], 1, 0, err);
    }
    if (status == TERN_OK) status = finish(q, "supporting", err);
    if (status != TERN_OK) {
        tern_qrels_free(q);
        return status;
    }
    *out = q;
    return TERN_OK;
}

uint32_t tern_qrels_n_queries(const tern_qrels *q) {
    return q->queries.n;
}
uint32_t tern_qrels_n_docs(const tern_qrels *q) {
    return q->docs.n;
}
uint64_t tern_qrels_n_judgements(const tern_qrels *q) {
    return q->n;
}

const char *tern_qrels_query(const tern_qrels *q, uint32_t i) {
    return i < q->queries.n ? q->queries.keys[i].s : NULL;
}

const char *tern_qrels_doc(const tern_qrels *q, uint32_t i) {
    return i < q->docs.n ? q->docs.keys[i].s : NULL;
}

const tn_judgement *tn_qrels_of(const tern_qrels *q, const char *query, size_t *n) {
    *n = 0;
    uint32_t i = tn_strmap_find(&q->queries, query, strlen(query));
    if (i == TN_STRMAP_NONE) return NULL;
    *n = q->begin[i + 1] - q->begin[i];
    return q->items + q->begin[i];
}

static int by_doc(const void *key, const void *item) {
    uint32_t doc = *(const uint32_t *)key, other = ((const tn_judgement *)item)->doc;
    return doc < other ? -1 : doc > other;
}

int32_t tern_qrels_get(const tern_qrels *q, const char *query, const char *doc) {
    size_t n;
    const tn_judgement *items = tn_qrels_of(q, query, &n);
    uint32_t d = tn_strmap_find(&q->docs, doc, strlen(doc));
    if (!items || d == TN_STRMAP_NONE) return TERN_UNJUDGED;
    const tn_judgement *j = bsearch(&d, items, n, sizeof *items, by_doc);
    return j ? j->grade : TERN_UNJUDGED;
}
