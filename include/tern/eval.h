/* eval.h - judge rankings and answers.
 * The measures are those of trec_eval: results sort by score, descending, and equal scores by
 * document id, descending; nDCG gains are the grades, discounted by log2(rank + 1); a grade of 1 or
 * more counts as relevant; judged queries that a run lacks count as 0 (trec_eval -c).
 * Objects are immutable once loaded: any thread may read them. */
#ifndef TERN_EVAL_H
#define TERN_EVAL_H
#include "tern/search.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- questions: JSON lines, `id|_id`, `question|text|query`, optional `answers` (strings) and
 * `supporting` (ids) ---- */

typedef struct tern_question {
    const char *id, *text; /* NUL-terminated UTF-8, owned by the set */
    const char *const *answers;
    size_t n_answers;
    const char *const *supporting; /* ids of the passages that together answer it */
    size_t n_supporting;
} tern_question;

struct tern_qrels;
typedef struct tern_questions {
    const tern_question *items; /* [n] in file order */
    size_t n;
    void *priv;
} tern_questions;
/* path may end in .gz. Errors: NOT_FOUND, IO, FORMAT (file:line; also an id seen twice), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_questions_load(const char *path, tern_questions *out,
                                                       tern_error *err);
/* Let the judgements say what supports each question: its relevant documents, in place of its own
 * supporting ids; none where it is not judged. Errors: NOMEM (then nothing has changed). */
TERN_API TERN_MUST_USE tern_status tern_questions_support(tern_questions *q,
                                                          const struct tern_qrels *qrels,
                                                          tern_error *err);
TERN_API void tern_questions_free(tern_questions *q); /* zeroed allowed; zeroes it */

/* ---- relevance judgements ---- */

#define TERN_UNJUDGED INT32_MIN

typedef struct tern_qrels tern_qrels;
/* TREC lines "query iteration document grade", or BEIR's tab-separated "query document grade" under
 * a header line; told apart by the first line. path may end in .gz.
 * Errors: NOT_FOUND, IO, FORMAT (file:line; also a pair judged twice), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_qrels_load(const char *path, tern_qrels **out,
                                                   tern_error *err);
/* The same from memory; name stands in messages. */
TERN_API TERN_MUST_USE tern_status tern_qrels_parse(const char *text, size_t len, const char *name,
                                                    tern_qrels **out, tern_error *err);
/* Grade 1 for each supporting id; questions without any are left out. */
TERN_API TERN_MUST_USE tern_status tern_qrels_from_questions(const tern_questions *questions,
                                                             tern_qrels **out, tern_error *err);
TERN_API void tern_qrels_free(tern_qrels *q); /* NULL allowed */
TERN_API uint32_t tern_qrels_n_queries(const tern_qrels *q);
TERN_API uint64_t tern_qrels_n_judgements(const tern_qrels *q);
TERN_API uint32_t tern_qrels_n_docs(const tern_qrels *q); /* distinct documents judged */
/* Names in order of first sight; NULL beyond the end. */
TERN_API const char *tern_qrels_query(const tern_qrels *q, uint32_t i);
TERN_API const char *tern_qrels_doc(const tern_qrels *q, uint32_t i);
/* The grade, or TERN_UNJUDGED. */
TERN_API int32_t tern_qrels_get(const tern_qrels *q, const char *query, const char *doc);

/* ---- runs: ranked results per query ---- */

typedef struct tern_run tern_run;
TERN_API TERN_MUST_USE tern_status tern_run_new(tern_run **out, tern_error *err);
TERN_API void tern_run_free(tern_run *r); /* NULL allowed */
/* TREC lines "query Q0 document rank score tag"; the rank is not believed, the score is.
 * Errors: NOT_FOUND, IO, FORMAT (file:line; also a document twice for one query), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_run_load(const char *path, tern_run **out, tern_error *err);
TERN_API TERN_MUST_USE tern_status tern_run_parse(const char *text, size_t len, const char *name,
                                                  tern_run **out, tern_error *err);
/* Atomic. Scores are written with 9 digits, so that a float comes back as it was. */
TERN_API TERN_MUST_USE tern_status tern_run_save(const tern_run *r, const char *path,
                                                 const char *tag, tern_error *err);
/* Make the query known, with no results yet. Errors: NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_run_add_query(tern_run *r, const char *query,
                                                      tern_error *err);
/* Add one result. A document seen before under this query keeps its better score: the score of a
 * document is that of its best passage. score is finite. Errors: ARG, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_run_add(tern_run *r, const char *query, const char *doc,
                                                double score, tern_error *err);
TERN_API uint32_t tern_run_n_queries(const tern_run *r);
TERN_API const char *tern_run_query(const tern_run *r, uint32_t i); /* NULL beyond the end */

/* ---- measures ---- */

typedef enum tern_measure_kind {
    TERN_MEASURE_NDCG,
    TERN_MEASURE_MAP,
    TERN_MEASURE_MRR,
    TERN_MEASURE_RECALL,
    TERN_MEASURE_P,       /* precision */
    TERN_MEASURE_SUCCESS, /* 1 if any relevant document was found */
    TERN_MEASURE_ALL      /* 1 if every relevant document was found */
} tern_measure_kind;

typedef struct tern_measure {
    tern_measure_kind kind;
    uint32_t k; /* only the first k results; 0: all of them (not for P) */
} tern_measure;
/* "ndcg@10", "map", "mrr@10", "recall@5", "p@1", "success@5", "all@12"; false: no such measure. */
TERN_API bool tern_measure_parse(const char *name, tern_measure *out);
TERN_API void tern_measure_name(tern_measure m, char out[32]);

typedef struct tern_scores {
    uint32_t n_queries; /* judged queries */
    uint32_t n_measures;
    uint32_t n_missing;  /* judged queries the run lacks: 0 in every measure */
    uint32_t n_unjudged; /* queries of the run without judgements: left out */
    double *values;      /* [n_queries][n_measures], in the order of the judgements */
    double *means;       /* [n_measures] */
    void *priv;
} tern_scores;
/* run_only: average over the judged queries that the run has, as trec_eval does without -c.
 * Errors: ARG (P without k), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_evaluate(const tern_qrels *qrels, const tern_run *run,
                                                 const tern_measure *measures, size_t n_measures,
                                                 bool run_only, tern_scores *out, tern_error *err);
TERN_API void tern_scores_free(tern_scores *s); /* zeroed allowed; zeroes it */

/* ---- answers ---- */

/* Exact match and word F1 (both 0..1, best over the right answers) after SQuAD's normalisation:
 * lower case, ASCII punctuation deleted, the words a, an, the dropped, white space collapsed.
 * n_golds 0 gives 0. Errors: NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_answer_score(const char *prediction,
                                                     const char *const *golds, size_t n_golds,
                                                     double *em, double *f1, tern_error *err);

/* ---- is the difference real? ---- */

typedef struct tern_bootstrap {
    double diff;      /* mean(a) - mean(b) */
    double low, high; /* 95 % interval of the difference */
    double p;         /* two-sided: how often a resample has no difference or the other sign */
} tern_bootstrap;
/* Paired bootstrap over queries: n_samples (default choice: 10000) resamples of the n pairs; the
 * same seed gives the same figures. Errors: ARG (n or n_samples 0), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_bootstrap_paired(const double *a, const double *b, size_t n,
                                                         size_t n_samples, uint64_t seed,
                                                         tern_bootstrap *out, tern_error *err);

/* ---- an index ---- */

/* How judgements and an index fit together. */
typedef struct tern_qrels_match {
    uint32_t n_missing;        /* judged documents that the index does not hold */
    const char *first_missing; /* one of them, a view into the judgements; NULL: none */
    bool documents; /* the judgements name documents of several passages: results must be documents,
                       each scored by its best passage */
} tern_qrels_match;
/* Errors: CORRUPT, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_qrels_match_index(const tern_qrels *qrels,
                                                          const tern_index *ix,
                                                          tern_qrels_match *out, tern_error *err);

/* Search every question of the set on host->n_threads threads; the run does not depend on their
 * number. Questions come in file order, with depth results each where so many passages match.
 *   documents   true: results are documents, scored by their best passage; false: passages
 * Errors: those of tern_search, CANCELLED. */
TERN_API TERN_MUST_USE tern_status tern_run_search(const tern_index *ix,
                                                   const tern_questions *questions, bool documents,
                                                   const tern_search_opts *opts, size_t depth,
                                                   const tern_host *host, tern_run **out,
                                                   tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
