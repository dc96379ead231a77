/* train_split.h - `tern train split`: questions to train on, questions to choose on, and whether
 * either was seen in a test. */
#ifndef TN_TRAIN_SPLIT_H
#define TN_TRAIN_SPLIT_H
#include "cli/cli.h"

/* cli->args: "split", the question file, test files. Returns the exit code. */
int tn_train_split(tn_cli *cli, int64_t n_dev, const char *out);

#endif
