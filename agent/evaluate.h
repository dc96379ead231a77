/* evaluate.h - what is kept of each evaluated question, and the totals over them. */
#ifndef TN_EVALUATE_H
#define TN_EVALUATE_H
#include "core/base/buf.h"
#include "tern/agent.h"
#include <stdbool.h>

typedef struct tn_eval_record {
    bool done, known, supported;
    bool has_oracle, has_withheld, withheld_known;
    uint32_t n_supporting, n_found, n_bm25, n_oracle; /* supporting ids: all; found by each */
    uint32_t n_searches, n_passages;
    double em, f1, confidence, withheld_confidence;
} tn_eval_record;

/* One line of the results file. `answer` is what was answered; collected: the index's passages. */
TERN_MUST_USE tern_status tn_eval_record_write(const tn_eval_record *r, const tern_question *q,
                                               const tern_answer *answer, const tern_index *ix,
                                               tn_buf *out, tern_error *err);
/* Read the results file of an earlier run into records[questions->n]. Creates it with its first
 * line when there is none; cuts off a last line that was not finished.
 *   run  identifies index, policy and options; EXISTS if the file is of another
 *   fd   out: open for appending; the caller closes it, also after an error (then -1 or open) */
TERN_MUST_USE tern_status tn_eval_resume(const char *path, const char *run,
                                         const tern_questions *questions, tn_eval_record *records,
                                         int *fd, uint64_t *n_resumed, tern_error *err);
/* Totals in question order: the same bits however the records were made. */
TERN_MUST_USE tern_status tn_eval_totals(const tern_questions *questions,
                                         const tn_eval_record *records, tern_agent_report *report,
                                         tern_error *err);
#endif
