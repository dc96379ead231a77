/* cmd_eval.c - `tern eval`: how good are the rankings (and answers) of an index or of a run file?
 */
#include "cli/cli.h"
#include "cli/eval_agent.h"
#include "cli/eval_answers.h"
#include "cli/eval_report.h"
#include "cli/query_opts.h"
#include "cli/train_split.h"
#include "core/base/clock.h"
#include "tern/eval.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { BOOTSTRAP_SAMPLES = 10000, BOOTSTRAP_SEED = 1 };

static struct {
    const char *queries, *qrels, *run_out, *run_in, *cuts, *predictions, *compare, *splits;
    bool final;
    int64_t depth, supporting_k;
    tn_query_args query;
    tn_agent_args agent;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    args.cuts = "1,2,5,10,20,100";
    args.depth = 100;
    args.supporting_k = 12;
    args.splits = NULL;
    args.final = false;
    const tn_opt own[] = {
        {"queries", 'Q', TN_OPT_STRING, &args.queries, "FILE",
         "questions: JSON lines with id, question, and optional answers, supporting; .gz is fine"},
        {"qrels", 'r', TN_OPT_STRING, &args.qrels, "FILE",
         "judgements, TREC or BEIR (default: the questions' supporting ids)"},
        {"k", 'k', TN_OPT_STRING, &args.cuts, "K,K,...", "cut-offs (default 1,2,5,10,20,100)"},
        {"depth", 0, TN_OPT_INT, &args.depth, "N",
         "results per question, at least the largest cut-off (default 100)"},
        {"run", 'o', TN_OPT_STRING, &args.run_out, "FILE", "write the results as a TREC run"},
        {"from-run", 0, TN_OPT_STRING, &args.run_in, "FILE",
         "judge this TREC run instead of searching"},
        {"compare", 0, TN_OPT_STRING, &args.compare, "FILE",
         "test the difference to this TREC run (paired bootstrap)"},
        {"supporting-k", 0, TN_OPT_INT, &args.supporting_k, "N",
         "passages counted for supporting_recall and all_supporting (default 12)"},
        {"predictions", 0, TN_OPT_STRING, &args.predictions, "FILE",
         "answers to score (EM, F1): JSON lines with id, answer"},
        {"splits", 0, TN_OPT_STRING, &args.splits, "FILE",
         "splits.jsonl of `tern train split`: refuse questions it marks as test"},
        {"final", 0, TN_OPT_FLAG, &args.final, NULL,
         "all choices are made: read the test questions, too"},
    };
    memcpy(opts, own, sizeof own);
    size_t n = sizeof own / sizeof *own;
    n += tn_query_options(&args.query, opts + n);
    return n + tn_agent_options(&args.agent, opts + n);
}

/* All that one evaluation holds. */
typedef struct eval {
    const tn_cli *cli;
    tern_index *ix;
    tern_index_stats stats;
    tern_questions questions;
    tern_qrels *qrels;
    tern_run *run, *other;
    tern_search_opts opts;
    tn_eval_report report;
    tern_agent_report agent_report;
    tn_arena arena;
} eval;

static void eval_deinit(eval *e) {
    tern_scores_free(&e->report.scores);
    tn_free(e->report.differences);
    tern_run_free(e->run);
    tern_run_free(e->other);
    tern_qrels_free(e->qrels);
    tern_questions_free(&e->questions);
    tern_index_close(e->ix);
    tn_arena_deinit(&e->arena);
}

/* "1,5,10", ascending and distinct afterwards. */
static bool parse_cuts(const char *text, tn_eval_report *r) {
    r->n_cuts = 0;
    for (const char *p = text;; p++) {
        char *end;
        long k = strtol(p, &end, 10);
        if (end == p || k < 1 || k > 1000000 || r->n_cuts == TN_EVAL_CUTS_MAX) return false;
        size_t i = r->n_cuts;
        while (i > 0 && r->cuts[i - 1] >= (uint32_t)k) i--;
        if (i == r->n_cuts || r->cuts[i] != (uint32_t)k) {
            memmove(&r->cuts[i + 1], &r->cuts[i], (r->n_cuts - i) * sizeof *r->cuts);
            r->cuts[i] = (uint32_t)k;
            r->n_cuts++;
        }
        if (!*end) return true;
        if (*end != ',') return false;
        p = end;
    }
}

static int check_args(const tn_cli *cli, eval *e) {
    tn_eval_report *r = &e->report;
    if (!parse_cuts(args.cuts, r))
        return tn_cli_usage(cli, "option '--k': '%s' is not a list such as 1,5,10", args.cuts);
    if (args.depth < 1 || args.depth > 1000000 || args.supporting_k < 1 ||
        args.supporting_k > 1000000)
        return tn_cli_usage(cli, "--depth and --supporting-k must be within 1 to 1000000");
    if (!args.run_in && (!cli->n_args || !args.queries))
        return tn_cli_usage(cli, "needs DIR and --queries FILE, or --from-run FILE");
    if (args.run_in && !args.qrels && !args.queries)
        return tn_cli_usage(cli, "--from-run needs --qrels FILE, or --queries with supporting ids");
    if ((args.agent.run || args.agent.answers) && (!cli->n_args || !args.queries))
        return tn_cli_usage(cli, "--agent and --answers need DIR and --queries FILE");
    if (args.agent.answers && args.predictions)
        return tn_cli_usage(cli, "--answers makes answers, --predictions reads them: give one");
    if (args.predictions && !args.queries)
        return tn_cli_usage(cli, "--predictions needs --queries with the right answers");
    if (args.splits && !args.queries) return tn_cli_usage(cli, "--splits needs --queries FILE");
    if (args.final && !args.splits) return tn_cli_usage(cli, "--final needs --splits FILE");
    r->supporting_k = (size_t)args.supporting_k;
    r->depth = (size_t)args.depth;
    if (r->cuts[r->n_cuts - 1] > r->depth) r->depth = r->cuts[r->n_cuts - 1];
    if (r->supporting_k > r->depth) r->depth = r->supporting_k;
    tn_eval_plan(r);
    int code = tn_agent_check(cli, &args.agent);
    return code >= 0 ? code : tn_query_opts_from(cli, &args.query, &e->opts);
}

/* Tests are for the last look; whoever chooses by them no longer has any. */
static tern_status check_splits(const eval *e, tern_error *err) {
    size_t n_tests;
    const char *first;
    tern_status status = tn_splits_find_tests(args.splits, &e->questions, &n_tests, &first, err);
    if (status != TERN_OK || n_tests == 0 || args.final) return status;
    return tern_fail(err, TERN_ERR_ARG, 0,
                     "%s: %zu questions are test questions, e.g. '%s' (%s): choose on dev.jsonl, "
                     "and give --final for the last measurement",
                     args.queries, n_tests, first, args.splits);
}

static tern_status load_inputs(eval *e, tern_error *err) {
    tern_status status = TERN_OK;
    if (args.queries) status = tern_questions_load(args.queries, &e->questions, err);
    if (status == TERN_OK && args.splits) status = check_splits(e, err);
    e->report.n_questions = e->questions.n;
    if (status == TERN_OK && args.qrels) status = tern_qrels_load(args.qrels, &e->qrels, err);
    if (status == TERN_OK && !args.qrels)
        status = tern_qrels_from_questions(&e->questions, &e->qrels, err);
    if (status == TERN_OK && tern_qrels_n_queries(e->qrels) == 0)
        status =
            tern_fail(err, TERN_ERR_FORMAT, 0, "%s: nothing is judged%s",
                      args.qrels ? args.qrels : args.queries,
                      args.qrels ? "" : "; give --qrels FILE, or questions with supporting ids");
    if (status == TERN_OK && args.compare) status = tern_run_load(args.compare, &e->other, err);
    return status;
}

static tern_status resolve_mode(eval *e, tern_error *err) {
    tern_searcher *s;
    if (e->opts.mode != TERN_MODE_DEFAULT) return TERN_OK;
    tern_status status = tern_searcher_new(e->ix, &s, err);
    if (status != TERN_OK) return status;
    e->opts.mode = tern_searcher_default_mode(s);
    tern_searcher_free(s);
    return TERN_OK;
}

static tern_status search_all(eval *e, tern_error *err) {
    tern_qrels_match match;
    tn_eval_report *r = &e->report;
    tern_status status = tern_qrels_match_index(e->qrels, e->ix, &match, err);
    if (status == TERN_OK) status = resolve_mode(e, err);
    if (status != TERN_OK) return status;
    r->n_missing_docs = match.n_missing;
    if (match.n_missing)
        tn_log(e->cli, TERN_LOG_WARN, "%u of %u judged documents are not in the index, e.g. '%s'",
               match.n_missing, tern_qrels_n_docs(e->qrels), match.first_missing);
    r->mode = tn_mode_name(e->opts.mode);
    r->k1 = args.query.k1;
    r->b = args.query.b;
    uint64_t start = tn_clock_ns();
    status = tern_run_search(e->ix, &e->questions, match.documents, &e->opts, r->depth,
                             &e->cli->host, &e->run, err);
    r->seconds = (double)(tn_clock_ns() - start) * 1e-9;
    return status;
}

/* Searching asks every question, so the run's queries are the ones to average over; a run file is
 * held to all that was judged. */
static tern_status judge(eval *e, tern_error *err) {
    tn_eval_report *r = &e->report;
    bool run_only = !args.run_in;
    tern_status status =
        tern_evaluate(e->qrels, e->run, r->measures, r->n_measures, run_only, &r->scores, err);
    if (status == TERN_OK && r->scores.n_queries == 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "no query is both judged and asked: do the ids match?");
    if (status == TERN_OK && r->scores.n_unjudged)
        tn_log(e->cli, TERN_LOG_WARN, "%u queries are not judged and left out",
               r->scores.n_unjudged);
    if (status == TERN_OK && r->scores.n_missing)
        tn_log(e->cli, TERN_LOG_WARN, "%u judged queries are not in the run and count as 0",
               r->scores.n_missing);
    return status;
}

static void column(const tern_scores *s, size_t m, double *out) {
    for (uint32_t q = 0; q < s->n_queries; q++) out[q] = s->values[(size_t)q * s->n_measures + m];
}

/* Both runs over every judged query, so that the pairs match. */
static tern_status compare(eval *e, tern_error *err) {
    tn_eval_report *r = &e->report;
    tern_scores a = {0}, b = {0};
    double *values = NULL;
    r->compare = args.compare;
    r->differences = tn_calloc(r->n_measures, sizeof *r->differences);
    tern_status status =
        tern_evaluate(e->qrels, e->run, r->measures, r->n_measures, false, &a, err);
    if (status == TERN_OK)
        status = tern_evaluate(e->qrels, e->other, r->measures, r->n_measures, false, &b, err);
    size_t n = a.n_queries;
    if (status == TERN_OK) values = tn_calloc(2 * n, sizeof *values);
    if (status == TERN_OK && (!values || !r->differences))
        status = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the comparison");
    for (size_t m = 0; m < r->n_measures && status == TERN_OK; m++) {
        column(&a, m, values);
        column(&b, m, values + n);
        status = tern_bootstrap_paired(values, values + n, n, BOOTSTRAP_SAMPLES, BOOTSTRAP_SEED,
                                       &r->differences[m], err);
        if (status == TERN_OK && tn_interrupted())
            status = tern_fail(err, TERN_ERR_CANCELLED, 0, "interrupted");
    }
    tn_free(values);
    tern_scores_free(&a);
    tern_scores_free(&b);
    return status;
}

static tern_status score_predictions(eval *e, tern_error *err) {
    const char **texts = tn_arena_calloc(&e->arena, e->questions.n + 1, sizeof *texts);
    if (!texts) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while reading answers");
    tern_status status = tn_answers_load(args.predictions, &e->questions, &e->arena, texts, err);
    tn_eval_report *r = &e->report;
    r->has_answers = true;
    if (status == TERN_OK)
        status = tn_answers_score(&e->questions, texts, &r->em, &r->f1, &r->n_answers, err);
    return status;
}

static tern_status run_agent(eval *e, tern_error *err) {
    tern_status status = TERN_OK;
    tn_eval_report *r = &e->report;
    if (args.qrels) status = tern_questions_support(&e->questions, e->qrels, err);
    if (status == TERN_OK)
        status = tn_agent_run(e->cli, &args.agent, e->ix, &e->questions, &e->opts, &e->agent_report,
                              err);
    r->has_answers = e->agent_report.n_answers > 0;
    r->em = e->agent_report.em;
    r->f1 = e->agent_report.f1;
    r->n_answers = (size_t)e->agent_report.n_answers;
    return status;
}

static tern_status evaluate(eval *e, tern_error *err) {
    tern_status status = load_inputs(e, err);
    if (status == TERN_OK && args.agent.run) return run_agent(e, err);
    if (status == TERN_OK)
        status = args.run_in ? tern_run_load(args.run_in, &e->run, err) : search_all(e, err);
    if (status == TERN_OK && args.run_out)
        status = tern_run_save(e->run, args.run_out, "tern", err);
    if (status == TERN_OK) status = judge(e, err);
    if (status == TERN_OK && args.compare) status = compare(e, err);
    if (status == TERN_OK && args.predictions) status = score_predictions(e, err);
    if (status == TERN_OK && args.agent.answers) status = run_agent(e, err);
    return status;
}

static void add_output(const tn_cli *cli, const eval *e, tn_buf *out) {
    if (args.agent.run && cli->json)
        tn_agent_add_json(&args.agent, &e->agent_report, &e->stats, out);
    else if (args.agent.run)
        tn_agent_add_table(cli, &args.agent, &e->agent_report, &e->stats, out);
    else if (cli->json)
        tn_eval_add_json(&e->report, out);
    else
        tn_eval_add_table(cli, &e->report, out);
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 0, 1);
    if (code >= 0) return code;
    eval e = {.cli = cli};
    code = check_args(cli, &e);
    if (code >= 0) return code;
    if (cli->n_args) {
        code = tn_cli_open_index(cli, cli->args[0], &e.ix);
        if (code >= 0) return code;
        e.stats = tern_index_get_stats(e.ix);
        e.report.stats = &e.stats;
    }
    tern_error err = {0};
    tn_buf out = {0};
    if (tn_query_opts_load(cli, &args.query, &e.opts, &err) != TERN_OK ||
        evaluate(&e, &err) != TERN_OK) {
        code = tn_cli_fail(cli, &err);
    } else {
        add_output(cli, &e, &out);
        code = tn_cli_out(cli, &out);
    }
    tn_buf_deinit(&out);
    eval_deinit(&e);
    tn_query_opts_close(&args.query);
    return code;
}

const tn_command tn_cmd_eval = {
    .name = "eval",
    .synopsis = "[DIR]",
    .summary = "measure rankings and answers on judged questions",
    .details =
        "Searches the index for every question and judges the rankings with trec_eval's measures:\n"
        "recall, nDCG, MRR, precision and success at each cut-off, and MAP over --depth results.\n"
        "Equal scores rank by document id, descending; grades of 1 and more are relevant. 'all' "
        "is\n"
        "the share of questions whose relevant passages were all found; supporting_recall and\n"
        "all_supporting are recall and 'all' within --supporting-k passages.\n"
        "\n"
        "Judgements that name documents of several passages are met by a document's best passage.\n"
        "The average is over the judged questions of the file; with --from-run, over all judged\n"
        "queries, and those the run lacks count as 0 (trec_eval -c).\n"
        "\n"
        "With --agent, the search agent collects passages over several searches (by default at "
        "most\n"
        "4 of 3 new passages each) and the table sets it beside BM25 of as many. With --answers, "
        "the\n"
        "agent's answers are scored: exact match and word F1 after SQuAD's normalisation.\n"
        "\n"
        "With --splits, questions that `tern train split` marked as test are scored only with\n"
        "--final: what is chosen by test questions cannot be measured on them any more.\n"
        "\n"
        "With --json, one object: recall@K, ndcg@K, mrr@K, p@K, success@K, all@K, map,\n"
        "supporting_recall, all_supporting, em, f1, n_queries, corpus_passages, corpus_hash, ...",
    .run = run,
    .options = options,
    .examples = "tern eval docs.tern --queries questions.jsonl --qrels qrels.trec\n"
                "tern eval scifact.tern --queries q.jsonl.gz --qrels test.tsv -k 10,100 --json\n"
                "tern eval docs.tern --queries q.jsonl --k1 0.9 --b 0.4 --run new.run --compare "
                "old.run\n"
                "tern eval docs.tern --queries q.jsonl --agent --results agent.jsonl\n"
                "tern eval --from-run other.run --qrels qrels.trec",
};
