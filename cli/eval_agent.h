/* eval_agent.h - `tern eval --agent` and `--answers`: the search agent over a question file. */
#ifndef TN_EVAL_AGENT_H
#define TN_EVAL_AGENT_H
#include "cli/policy_opts.h"
#include "tern/agent.h"

typedef struct tn_agent_args {
    bool run, answers; /* --agent, --answers */
    bool oracle, withheld;
    tn_policy_args policy;
    const char *results, *obs_style;
    int64_t turns, top_k, obs_tokens, seed;
    double temperature;
} tn_agent_args;

enum { TN_AGENT_OPTS_OWN = 11, TN_AGENT_OPTS = TN_AGENT_OPTS_OWN + TN_POLICY_OPTS };

/* Set the defaults and fill opts[TN_AGENT_OPTS]. Returns TN_AGENT_OPTS. */
size_t tn_agent_options(tn_agent_args *args, tn_opt *opts);
/* Returns -1, or the exit code of a usage error. */
int tn_agent_check(const tn_cli *cli, const tn_agent_args *args);
/* Ask all questions under these arguments; mode and as_of are those of the search options. */
TERN_MUST_USE tern_status tn_agent_run(const tn_cli *cli, const tn_agent_args *args,
                                       const tern_index *ix, const tern_questions *questions,
                                       const tern_search_opts *search, tern_agent_report *report,
                                       tern_error *err);
void tn_agent_add_json(const tn_agent_args *args, const tern_agent_report *r,
                       const tern_index_stats *stats, tn_buf *b);
void tn_agent_add_table(const tn_cli *cli, const tn_agent_args *args, const tern_agent_report *r,
                        const tern_index_stats *stats, tn_buf *b);

#endif
