/* eval_agent.c - see eval_agent.h. */
#include "cli/eval_agent.h"
#include "core/base/json.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const styles[] = {
    [TERN_OBS_SEARCH_R1] = "search-r1",
    [TERN_OBS_VERL] = "verl",
    [TERN_OBS_PLAIN] = "plain",
};

size_t tn_agent_options(tn_agent_args *a, tn_opt *opts) {
    tern_agent_opts d = tern_agent_defaults();
    *a = (tn_agent_args){.obs_style = "search-r1", .turns = d.turns, .top_k = d.top_k};
    const tn_opt all[TN_AGENT_OPTS_OWN] = {
        {"agent", 0, TN_OPT_FLAG, &a->run, NULL,
         "run the search agent and judge the passages it collects, beside BM25 of as many"},
        {"answers", 0, TN_OPT_FLAG, &a->answers, NULL,
         "answer the questions with the agent and score EM and F1"},
        {"turns", 't', TN_OPT_INT, &a->turns, "N", "agent: searches at most (default 4)"},
        {"top-k", 0, TN_OPT_INT, &a->top_k, "N", "agent: new passages per search (default 3)"},
        {"obs-style", 0, TN_OPT_STRING, &a->obs_style, "STYLE",
         "agent: how a model sees passages: search-r1 (default), verl or plain"},
        {"obs-tokens", 0, TN_OPT_INT, &a->obs_tokens, "N", "agent: tokens shown per search"},
        {"temperature", 0, TN_OPT_FLOAT, &a->temperature, "X",
         "agent: sample the searches (default 0: the best one)"},
        {"seed", 0, TN_OPT_INT, &a->seed, "N", "agent: of the sampling (default 0)"},
        {"results", 0, TN_OPT_STRING, &a->results, "FILE",
         "agent: keep each result here; the same command again asks only what is missing"},
        {"oracle", 0, TN_OPT_FLAG, &a->oracle, NULL,
         "agent: also the best that its candidates allow"},
        {"withheld", 0, TN_OPT_FLAG, &a->withheld, NULL,
         "agent: also ask with the supporting passages hidden (answerability AUROC)"},
    };
    memcpy(opts, all, sizeof all);
    return TN_AGENT_OPTS_OWN + tn_policy_options(&a->policy, opts + TN_AGENT_OPTS_OWN);
}

static int style_of(const char *name) {
    for (int i = 0; i < (int)(sizeof styles / sizeof *styles); i++)
        if (strcmp(styles[i], name) == 0) return i;
    return -1;
}

int tn_agent_check(const tn_cli *cli, const tn_agent_args *a) {
    if (style_of(a->obs_style) < 0)
        return tn_cli_usage(cli, "option '--obs-style': '%s' is not search-r1, verl or plain",
                            a->obs_style);
    if (a->turns < 1 || a->turns > 64 || a->top_k < 1 || a->top_k > 64)
        return tn_cli_usage(cli, "--turns and --top-k must be within 1 to 64");
    if (a->obs_tokens < 0 || a->obs_tokens > 1000000)
        return tn_cli_usage(cli, "--obs-tokens must be within 0 to 1000000");
    if (!(a->temperature >= 0 && a->temperature <= 1000) || a->seed < 0)
        return tn_cli_usage(cli, "--temperature must be 0 to 1000, --seed 0 or more");
    if ((a->oracle || a->withheld || a->results) && !a->run && !a->answers)
        return tn_cli_usage(cli, "--oracle, --withheld and --results need --agent");
    return tn_policy_check(cli, &a->policy);
}

tern_status tn_agent_run(const tn_cli *cli, const tn_agent_args *a, const tern_index *ix,
                         const tern_questions *questions, const tern_search_opts *search,
                         tern_agent_report *report, tern_error *err) {
    tern_agent_eval_opts o = tern_agent_eval_defaults();
    o.agent.turns = (uint32_t)a->turns;
    o.agent.top_k = (uint32_t)a->top_k;
    o.agent.obs_tokens = (uint32_t)a->obs_tokens;
    o.agent.obs_style = (tern_obs_style)style_of(a->obs_style);
    o.agent.temperature = a->temperature;
    o.agent.seed = (uint64_t)a->seed;
    o.agent.mode = search->mode;
    o.agent.as_of = search->as_of;
    o.agent.reranker = search->reranker;
    o.agent.rerank_depth = search->rerank_depth;
    o.results = a->results;
    o.oracle = a->oracle;
    o.withheld = a->withheld;
    tern_policy *policy;
    tern_status status = tn_policy_open(cli, &a->policy, &policy, err);
    if (status != TERN_OK) return status;
    status = tern_agent_evaluate(ix, policy, questions, &o, &cli->host, report, err);
    tern_policy_free(policy);
    return status;
}

/* A share that could not be computed is null. */
static void add_share(tn_buf *b, const char *key, double value) {
    if (isnan(value))
        tn_buf_printf(b, ",\"%s\":null", key);
    else
        tn_buf_printf(b, ",\"%s\":%.6f", key, value);
}

void tn_agent_add_json(const tn_agent_args *a, const tern_agent_report *r,
                       const tern_index_stats *stats, tn_buf *b) {
    tn_buf_printf(b, "{\"n_questions\":%llu,\"n_queries\":%llu,\"n_answers\":%llu,",
                  (unsigned long long)r->n_questions, (unsigned long long)r->n_supporting,
                  (unsigned long long)r->n_answers);
    tn_buf_printf(b, "\"n_resumed\":%llu,\"corpus_passages\":%llu,\"corpus_hash\":\"%s\",",
                  (unsigned long long)r->n_resumed, (unsigned long long)stats->n_passages,
                  stats->hash);
    tn_buf_str(b, "\"policy\":");
    tn_json_escape(tn_policy_label(&a->policy), strlen(tn_policy_label(&a->policy)), b);
    tn_buf_printf(b, ",\"turns\":%lld,\"top_k\":%lld,\"seconds\":%.3f", (long long)a->turns,
                  (long long)a->top_k, r->seconds);
    add_share(b, "supporting_recall", r->supporting_recall);
    add_share(b, "all_supporting", r->all_supporting);
    add_share(b, "bm25_supporting_recall", r->bm25_recall);
    add_share(b, "bm25_all_supporting", r->bm25_all);
    add_share(b, "oracle_supporting_recall", r->oracle_recall);
    add_share(b, "oracle_all_supporting", r->oracle_all);
    add_share(b, "em", r->em);
    add_share(b, "f1", r->f1);
    add_share(b, "known", r->known);
    add_share(b, "supported", r->supported);
    add_share(b, "searches", r->searches);
    add_share(b, "passages", r->passages);
    add_share(b, "auroc", r->auroc);
    add_share(b, "known_withheld", r->known_withheld);
    tn_buf_str(b, "}\n");
}

static void add_row(tn_buf *b, const char *name, double recall, double all) {
    if (!isnan(recall)) tn_buf_printf(b, "%-22s%12.4f%10.4f\n", name, recall, all);
}

void tn_agent_add_table(const tn_cli *cli, const tn_agent_args *a, const tern_agent_report *r,
                        const tern_index_stats *stats, tn_buf *b) {
    char top[32];
    snprintf(top, sizeof top, "BM25 top %lld", (long long)(a->turns * a->top_k));
    tn_add_count(b, stats->n_passages);
    tn_buf_printf(b, " passages, hash %s\n", stats->hash);
    tn_add_count(b, r->n_questions);
    tn_buf_printf(b, " questions, %s policy, %lld searches of %lld passages, %.1f s\n\n",
                  tn_policy_label(&a->policy), (long long)a->turns, (long long)a->top_k,
                  r->seconds);
    tn_buf_printf(b, "%s%-22s%12s%10s%s\n", tn_style(cli, "bold"), "supporting passages", "recall",
                  "all", tn_style(cli, "reset"));
    add_row(b, "agent", r->supporting_recall, r->all_supporting);
    add_row(b, top, r->bm25_recall, r->bm25_all);
    add_row(b, "oracle", r->oracle_recall, r->oracle_all);
    tn_buf_printf(b, "\nmean searches %.2f, passages %.2f\n", r->searches, r->passages);
    if (!isnan(r->em))
        tn_buf_printf(b, "answers of %llu questions: EM %.4f, F1 %.4f\n",
                      (unsigned long long)r->n_answers, r->em, r->f1);
    tn_buf_printf(b, "answered %.4f, with supported citations %.4f\n", r->known, r->supported);
    if (!isnan(r->auroc))
        tn_buf_printf(b, "without the evidence: answered %.4f; AUROC of the confidence %.4f\n",
                      r->known_withheld, r->auroc);
}
