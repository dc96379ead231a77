/* agent.c - the public face: an index, a policy and options made into something to ask. */
#include "agent/loop.h"
#include "agent/tools.h"
#include "core/base/mem.h"
#include <string.h>

struct tern_agent {
    const tern_policy *policy;
    tern_agent_opts opts;
    tn_titles *titles;
    tn_index_tools *tools;
    tn_analyzer *analyzer;
    tn_arena arena; /* of the episode; reset per question */
};

tern_status tern_agent_new(const tern_index *ix, const tern_policy *policy,
                           const tern_agent_opts *opts, tern_agent **out, tern_error *err) {
    tern_agent_opts o = opts ? *opts : tern_agent_defaults();
    tern_status st = tn_agent_opts_check(&o, err);
    if (st != TERN_OK) return st;
    tern_index_stats stats = tern_index_get_stats(ix);
    tern_agent *a = tn_calloc(1, sizeof *a);
    if (!a) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the agent");
    a->policy = policy;
    a->opts = o;
    if (policy->kind == TN_POLICY_SCORING) st = tn_titles_new(ix, &a->titles, err);
    if (st == TERN_OK) st = tn_index_tools_new(ix, a->titles, o.mode, o.as_of, &a->tools, err);
    if (st == TERN_OK) tn_index_tools_rerank(a->tools, o.reranker, o.rerank_depth);
    if (st == TERN_OK) st = tn_analyzer_new(stats.language, &a->analyzer, err);
    if (st == TERN_OK)
        *out = a;
    else
        tern_agent_free(a);
    return st;
}

void tern_agent_free(tern_agent *a) {
    if (!a) return;
    tn_index_tools_free(a->tools);
    tn_titles_free(a->titles);
    tn_analyzer_free(a->analyzer);
    tn_arena_deinit(&a->arena);
    tn_free(a);
}

tern_status tern_agent_ask(tern_agent *a, const char *question, size_t question_len,
                           const tern_host *host, tern_answer **out, tern_error *err) {
    tn_agent_tools tools = tn_index_tools_table(a->tools);
    return tn_ask(question, question_len, &a->opts, &tools, a->policy, host, a->analyzer, &a->arena,
                  out, err);
}
