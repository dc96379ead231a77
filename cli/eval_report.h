/* eval_report.h - what `tern eval` found, as one JSON object or as a table. */
#ifndef TN_EVAL_REPORT_H
#define TN_EVAL_REPORT_H
#include "cli/cli.h"
#include "tern/eval.h"

enum { TN_EVAL_CUTS_MAX = 16, TN_EVAL_MEASURES_MAX = 6 * TN_EVAL_CUTS_MAX + 3 };

typedef struct tn_eval_report {
    uint32_t cuts[TN_EVAL_CUTS_MAX]; /* ascending */
    size_t n_cuts;
    tern_measure measures[TN_EVAL_MEASURES_MAX];
    size_t n_measures; /* 6 per cut, in the order of cuts; then map, recall and all at the depth of
                          supporting_recall */
    size_t supporting_k;
    tern_scores scores;
    const tern_index_stats *stats; /* NULL: a run without an index */
    const char *mode;              /* NULL: not searched here */
    double k1, b, seconds;
    size_t depth;
    uint32_t n_missing_docs; /* judged, not in the index */
    size_t n_questions;
    bool has_answers; /* em, f1 below */
    double em, f1;    /* over n_answered_for questions that have right answers */
    size_t n_answers;
    const char *compare;         /* the other run; NULL: none */
    tern_bootstrap *differences; /* [n_measures] */
} tn_eval_report;

/* The measures for these cuts. */
void tn_eval_plan(tn_eval_report *r);
void tn_eval_add_json(const tn_eval_report *r, tn_buf *b);
void tn_eval_add_table(const tn_cli *cli, const tn_eval_report *r, tn_buf *b);

#endif
