/* measures.c - trec_eval's measures over judgements and runs, and the recall of whole sets of
 * supporting passages, which multi-hop questions ask for. */
#include "retriever/eval/eval_priv.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

/* ---- names ---- */

static const char *const names[] = {
    [TERN_MEASURE_NDCG] = "ndcg", [TERN_MEASURE_MAP] = "map",
    [TERN_MEASURE_MRR] = "mrr",   [TERN_MEASURE_RECALL] = "recall",
    [TERN_MEASURE_P] = "p",       [TERN_MEASURE_SUCCESS] = "success",
    [TERN_MEASURE_ALL] = "all",
};

void tern_measure_name(tern_measure m, char out[32]) {
    if (m.k)
        snprintf(out, 32, "%s@%u", names[m.kind], m.k);
    else
        snprintf(out, 32, "%s", names[m.kind]);
}

bool tern_measure_parse(const char *name, tern_measure *out) {
    size_t len = strcspn(name, "@");
    uint32_t k = 0;
    if (name[len]) {
        const char *digits = name + len + 1;
        size_t n = strlen(digits);
        if (n < 1 || n > 7 || strspn(digits, "0123456789") != n) return false;
        k = (uint32_t)strtoul(digits, NULL, 10);
        if (k == 0) return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) != len || memcmp(names[i], name, len) != 0) continue;
        if (i == TERN_MEASURE_P && !k) return false;
        *out = (tern_measure){(tern_measure_kind)i, k};
        return true;
    }
    return false;
}

/* ---- one query ---- */

typedef struct graded {
    int32_t *found; /* [n_found] grades in rank order; unjudged is 0 */
    size_t n_found;
    int32_t *ideal; /* [n_relevant] grades of 1 and more, descending */
    size_t n_relevant;
} graded;

static size_t depth(const graded *g, uint32_t k) {
    return k && k < g->n_found ? k : g->n_found;
}

static size_t count_relevant(const graded *g, uint32_t k) {
    size_t n = 0;
    for (size_t i = 0; i < depth(g, k); i++) n += g->found[i] > 0;
    return n;
}

static double gain_sum(const int32_t *grades, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (grades[i] > 0) sum += grades[i] / log2((double)i + 2);
    return sum;
}

static double ndcg(const graded *g, uint32_t k) {
    size_t n_ideal = k && k < g->n_relevant ? k : g->n_relevant;
    double best = gain_sum(g->ideal, n_ideal);
    return best > 0 ? gain_sum(g->found, depth(g, k)) / best : 0;
}

static double average_precision(const graded *g, uint32_t k) {
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < depth(g, k); i++)
        if (g->found[i] > 0) sum += (double)++n / (double)(i + 1);
    return n ? sum / (double)g->n_relevant : 0;
}

static double reciprocal_rank(const graded *g, uint32_t k) {
    for (size_t i = 0; i < depth(g, k); i++)
        if (g->found[i] > 0) return 1 / (double)(i + 1);
    return 0;
}

static double measure(const graded *g, tern_measure m) {
    size_t n = count_relevant(g, m.k);
    switch (m.kind) {
    case TERN_MEASURE_NDCG:
        return ndcg(g, m.k);
    case TERN_MEASURE_MAP:
        return average_precision(g, m.k);
    case TERN_MEASURE_MRR:
        return reciprocal_rank(g, m.k);
    case TERN_MEASURE_RECALL:
        return g->n_relevant ? (double)n / (double)g->n_relevant : 0;
    case TERN_MEASURE_P:
        return (double)n / m.k;
    case TERN_MEASURE_SUCCESS:
        return n > 0;
    case TERN_MEASURE_ALL:
        return g->n_relevant && n == g->n_relevant;
    }
    return 0;
}

static int descending(const void *pa, const void *pb) {
    int32_t a = *(const int32_t *)pa, b = *(const int32_t *)pb;
    return a > b ? -1 : a < b;
}

/* Look the ranked documents up among the judgements of the query. */
static tern_status grade(const tern_qrels *qrels, uint32_t query, const tern_run *run,
                         uint32_t run_query, graded *g, tern_error *err) {
    size_t n_judged, n_ranked = 0;
    const char *name = tern_qrels_query(qrels, query);
    const tn_judgement *judged = tn_qrels_of(qrels, name, &n_judged);
    tn_result *ranked = NULL;
    tern_status status = TERN_OK;
    if (run_query != TN_STRMAP_NONE)
        status = tn_run_ranked(run, run_query, &ranked, &n_ranked, err);
    if (status != TERN_OK) return status;
    g->ideal = tn_alloc(n_judged * sizeof *g->ideal);
    g->found = tn_alloc(n_ranked * sizeof *g->found);
    if (!g->ideal || !g->found) {
        tn_free(ranked);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while judging results");
    }
    for (size_t i = 0; i < n_judged; i++)
        if (judged[i].grade > 0) g->ideal[g->n_relevant++] = judged[i].grade;
    if (g->n_relevant) qsort(g->ideal, g->n_relevant, sizeof *g->ideal, descending);
    for (size_t i = 0; i < n_ranked; i++) {
        int32_t v = tern_qrels_get(qrels, name, tn_run_doc(run, ranked[i].doc));
        g->found[g->n_found++] = v > 0 ? v : 0;
    }
    tn_free(ranked);
    return TERN_OK;
}

/* ---- all queries ---- */

void tern_scores_free(tern_scores *s) {
    tn_free(s->values);
    tn_free(s->means);
    *s = (tern_scores){0};
}

static tern_status score_query(const tern_qrels *qrels, uint32_t query, const tern_run *run,
                               uint32_t run_query, const tern_measure *measures, tern_scores *out,
                               tern_error *err) {
    graded g = {0};
    tern_status status = grade(qrels, query, run, run_query, &g, err);
    if (status == TERN_OK) {
        double *row = out->values + (size_t)out->n_queries * out->n_measures;
        for (size_t m = 0; m < out->n_measures; m++) row[m] = measure(&g, measures[m]);
        out->n_queries++;
        out->n_missing += run_query == TN_STRMAP_NONE;
    }
    tn_free(g.ideal);
    tn_free(g.found);
    return status;
}

static void add_means(tern_scores *s) {
    for (uint32_t q = 0; q < s->n_queries; q++)
        for (uint32_t m = 0; m < s->n_measures; m++)
            s->means[m] += s->values[(size_t)q * s->n_measures + m];
    for (uint32_t m = 0; m < s->n_measures && s->n_queries; m++) s->means[m] /= s->n_queries;
}

tern_status tern_evaluate(const tern_qrels *qrels, const tern_run *run,
                          const tern_measure *measures, size_t n_measures, bool run_only,
                          tern_scores *out, tern_error *err) {
    *out = (tern_scores){.n_measures = (uint32_t)n_measures};
    for (size_t m = 0; m < n_measures; m++)
        if (measures[m].kind == TERN_MEASURE_P && measures[m].k == 0)
            return tern_fail(err, TERN_ERR_ARG, 0, "precision needs a number of results: p@10");
    out->values = tn_calloc((size_t)qrels->queries.n * n_measures, sizeof *out->values);
    out->means = tn_calloc(n_measures, sizeof *out->means);
    tern_status status = TERN_OK;
    if (!out->values || !out->means)
        status = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while judging results");
    for (uint32_t i = 0; i < qrels->queries.n && status == TERN_OK; i++) {
        const struct tn_strmap_key *key = &qrels->queries.keys[i];
        uint32_t run_query = tn_strmap_find(&run->queries, key->s, key->len);
        if (run_query == TN_STRMAP_NONE && run_only) continue;
        status = score_query(qrels, i, run, run_query, measures, out, err);
    }
    for (uint32_t i = 0; i < run->queries.n; i++) {
        const struct tn_strmap_key *key = &run->queries.keys[i];
        out->n_unjudged += tn_strmap_find(&qrels->queries, key->s, key->len) == TN_STRMAP_NONE;
    }
    if (status != TERN_OK) {
        tern_scores_free(out);
        return status;
    }
    add_means(out);
    return TERN_OK;
}
