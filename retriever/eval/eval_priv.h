/* eval_priv.h - judgements and runs as the measures see them. */
#ifndef TN_EVAL_PRIV_H
#define TN_EVAL_PRIV_H
#include "core/base/strmap.h"
#include "tern/eval.h"

typedef struct tn_judgement {
    uint32_t query, doc; /* numbers in the string maps */
    int32_t grade;
    uint32_t line; /* where it was read, from 1; 0 if not from a file */
} tn_judgement;

struct tern_qrels {
    tn_strmap queries, docs;
    tn_judgement *items; /* sorted by query, then doc */
    size_t n, cap;
    size_t *begin; /* [queries.n + 1] first item of each query */
};

typedef struct tn_result {
    double score;
    uint32_t doc;
} tn_result;

typedef struct tn_results {
    tn_result *items; /* in the order they were added; a document may occur twice */
    size_t n, cap;
} tn_results;

struct tern_run {
    tn_strmap queries, docs;
    tn_results *results; /* [queries.n] */
    size_t cap;
};

/* The judgements of one query, [*n]; NULL: the query is not judged. */
const tn_judgement *tn_qrels_of(const tern_qrels *q, const char *query, size_t *n);

/* The results of query number i in trec_eval's order, each document once. NOMEM only; *out is freed
 * with tn_free. */
TERN_MUST_USE tern_status tn_run_ranked(const tern_run *r, uint32_t i, tn_result **out, size_t *n,
                                        tern_error *err);
static inline const char *tn_run_doc(const tern_run *r, uint32_t doc) {
    return r->docs.keys[doc].s;
}

/* The question as a query. A question is prose: quotation marks in it are punctuation, not the
 * phrase operator, which would shut out every supporting passage that lacks the quoted title. The
 * caller frees; NULL: no memory. */
char *tn_question_as_query(const char *text);

#endif
