/* train_split.h - `tern train split`: questions to train on, questions to choose on, and whether
 * either was seen in a test. */
#ifndef TN_TRAIN_SPLIT_H
#define TN_TRAIN_SPLIT_H
#include "cli/cli.h"
#include "tern/eval.h"

/* cli->args: "split", the question file, test files. Returns the exit code. */
int tn_train_split(tn_cli *cli, int64_t n_dev, const char *out);

/* How many of the questions does a splits.jsonl mark as test? *first is one of their ids, a view
 * into the questions. FORMAT with the line, NOT_FOUND, NOMEM. */
TERN_MUST_USE tern_status tn_splits_find_tests(const char *path, const tern_questions *questions,
                                               size_t *n_tests, const char **first,
                                               tern_error *err);

#endif
