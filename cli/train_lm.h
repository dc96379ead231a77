/* train_lm.h - `tern train lm` and `tern train tokens`: language models from texts. */
#ifndef TN_TRAIN_LM_H
#define TN_TRAIN_LM_H
#include "cli/cli.h"

/* The options of `tern train` that these two take; -1, NAN or NULL: not given. */
typedef struct tn_train_lm_args {
    const char *out;
    const char *recipe; /* --recipe: the same as the first argument */
    int64_t steps, batch, seed;
    double lr;
    const tn_list *settings; /* "name=value" each */
    bool dry_run, defaults;
} tn_train_lm_args;

/* cli->args: "lm" or "tokens", the recipe, data files. Returns the exit code. */
int tn_train_lm(tn_cli *cli, const tn_train_lm_args *args);
int tn_train_tokens(tn_cli *cli, const tn_train_lm_args *args);

#endif
