/* eval_answers.h - predicted answers, by question. */
#ifndef TN_EVAL_ANSWERS_H
#define TN_EVAL_ANSWERS_H
#include "tern/eval.h"

/* Read JSON lines {"id","answer"} (or "prediction") into texts[questions->n], in the arena; NULL
 * where the file has none. Errors: NOT_FOUND, IO, FORMAT (also an id that no question has). */
struct tn_arena;
TERN_MUST_USE tern_status tn_answers_load(const char *path, const tern_questions *questions,
                                          struct tn_arena *arena, const char **texts,
                                          tern_error *err);
/* Mean EM and F1 over the *n questions that have right answers; a missing prediction is wrong. */
TERN_MUST_USE tern_status tn_answers_score(const tern_questions *questions,
                                           const char *const *texts, double *em, double *f1,
                                           size_t *n, tern_error *err);

#endif
