/* policy_opts.h - the options that say who searches, shared by ask and eval. */
#ifndef TN_POLICY_OPTS_H
#define TN_POLICY_OPTS_H
#include "cli/cli.h"
#include "tern/llm.h"

typedef struct tn_policy_args {
    const char *policy; /* NULL: embedded, or llm when there is a URL */
    const char *llm, *model;
    const char *weights, *chat, *prompt; /* of a model of this machine */
} tn_policy_args;

enum { TN_POLICY_OPTS = 6 };

/* Set the defaults and fill opts[TN_POLICY_OPTS]. Returns TN_POLICY_OPTS. */
size_t tn_policy_options(tn_policy_args *args, tn_opt *opts);
/* Returns -1, or the exit code of a usage error. */
int tn_policy_check(const tn_cli *cli, const tn_policy_args *args);
TERN_MUST_USE tern_status tn_policy_open(const tn_cli *cli, const tn_policy_args *args,
                                         tern_policy **out, tern_error *err);
/* For display: "embedded", "llm", or the path. */
const char *tn_policy_label(const tn_policy_args *args);

#endif
