/* splits.h - which questions are for choosing and which for training, and do two files overlap?
 * A question's side depends on its id alone: adding questions to a file moves few of the others. */
#ifndef TN_SPLITS_H
#define TN_SPLITS_H
#include "tern/eval.h"
#include <stdbool.h>

/* held[i] = true for the n_held questions whose ids have the smallest hashes (ties by id).
 * n_held is cut to questions->n. NOMEM only. */
TERN_MUST_USE tern_status tn_split_held_out(const tern_questions *questions, size_t n_held,
                                            bool *held, tern_error *err);

/* Pairs of questions, one of each file, that share a run of `n_words` words (folded, punctuation
 * dropped); a question shorter than that must be the other's, word for word. */
typedef struct tn_leaks {
    size_t n;                          /* questions of `tests` with at least one partner */
    const tern_question *train, *test; /* the first such pair; NULL if none */
} tn_leaks;
TERN_MUST_USE tern_status tn_leaks_find(const tern_questions *train, const tern_questions *tests,
                                        size_t n_words, tn_leaks *out, tern_error *err);

#endif
