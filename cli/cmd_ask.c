/* cmd_ask.c - `tern ask`: a question, an answer with its sources. */
#include "cli/cli.h"
#include "cli/policy_opts.h"
#include "cli/query_opts.h"
#include "cli/snippet.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tern/agent.h"
#include "tern/llm.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

static struct {
    const char *obs_style, *trace;
    int64_t turns, top_k, obs_tokens, seed;
    double temperature;
    tn_query_args query;
    tn_policy_args policy;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    tern_agent_opts d = tern_agent_defaults();
    tn_opt unused[TN_QUERY_OPTS];
    tn_query_options(&args.query, unused); /* of which ask has four */
    args.trace = NULL;
    args.obs_style = "search-r1";
    args.turns = d.turns;
    args.top_k = d.top_k;
    args.obs_tokens = args.seed = 0;
    args.temperature = 0;
    const tn_opt own[] = {
        {"turns", 't', TN_OPT_INT, &args.turns, "N", "searches at most (default 4)"},
        {"top-k", 'k', TN_OPT_INT, &args.top_k, "N", "new passages per search (default 3)"},
        {"mode", 'm', TN_OPT_STRING, &args.query.mode, "MODE",
         "of the search: bm25, dense or hybrid"},
        {"as-of", 0, TN_OPT_TIME, &args.query.as_of, "DATE",
         "only passages dated at or before DATE"},
        {"reranker", 0, TN_OPT_STRING, &args.query.reranker, "PATH",
         "order what each search finds with the cross-encoder in this folder"},
        {"rerank-depth", 0, TN_OPT_INT, &args.query.rerank_depth, "N",
         "hits the re-ranker looks at (default 50)"},
        {"obs-style", 0, TN_OPT_STRING, &args.obs_style, "STYLE",
         "how a model sees passages: search-r1 (default), verl or plain"},
        {"obs-tokens", 0, TN_OPT_INT, &args.obs_tokens, "N",
         "shown per search (default 500 for a model, whole passages else)"},
        {"temperature", 0, TN_OPT_FLOAT, &args.temperature, "T",
         "sample actions at this temperature (default 0: the best one)"},
        {"seed", 0, TN_OPT_INT, &args.seed, "N", "of the sampling (default 0)"},
        {"trace", 0, TN_OPT_STRING, &args.trace, "FILE",
         "append every step as JSON lines (docs/TRACE.md)"},
    };
    size_t n = tn_policy_options(&args.policy, opts);
    memcpy(opts + n, own, sizeof own);
    return n + sizeof own / sizeof *own;
}

/* What the callbacks need. */
typedef struct asking {
    const tn_cli *cli;
    FILE *trace;
    int trace_errno; /* of the first failed write */
    bool live;       /* searches appear on the terminal as they happen */
    tern_index *ix;
} asking;

/* --- while it searches ------------------------------------------------------------------------ */

static void show_live(void *ud, const tern_agent_event *ev) {
    asking *a = ud;
    tn_buf b = {0};
    if (!a->live) return;
    if (ev->kind == TERN_EVENT_SEARCH) {
        tn_buf_printf(&b, "%s%u. ", tn_style(a->cli, "dim"), ev->turn);
        tn_add_plain(&b, ev->text, ev->text_len);
        tn_buf_printf(&b, "%s\n", tn_style(a->cli, "reset"));
    }
    for (size_t i = 0; ev->kind == TERN_EVENT_HITS && i < ev->n_passages; i++) {
        const tern_passage *p = &ev->passages[i];
        const char *title = *p->title ? p->title : p->id;
        tn_buf_printf(&b, "%s   - ", tn_style(a->cli, "dim"));
        tn_add_plain(&b, title, strlen(title));
        tn_buf_printf(&b, "%s\n", tn_style(a->cli, "reset"));
    }
    if (b.len && !b.failed) fwrite(b.data, 1, b.len, stderr);
    tn_buf_deinit(&b);
}

static void write_trace(void *ud, const char *line, size_t len) {
    asking *a = ud;
    if (a->trace && fwrite(line, 1, len, a->trace) != len && !a->trace_errno)
        a->trace_errno = errno;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_member(tn_buf *b, const char *key, const char *text) {
    tn_buf_printf(b, ",\"%s\":", key);
    tn_json_escape(text, strlen(text), b);
}

static const char *truth(bool b) {
    return b ? "true" : "false";
}

static void add_json_citation(const tern_citation *c, tn_buf *b) {
    tn_buf_printf(b, "{\"n\":%u", c->n);
    add_member(b, "id", c->id);
    add_member(b, "title", c->title);
    add_member(b, "source", c->source);
    tn_buf_printf(b, ",\"line_begin\":%u,\"line_end\":%u,\"byte_begin\":%llu,\"byte_end\":%llu",
                  c->line_begin, c->line_end, (unsigned long long)c->byte_begin,
                  (unsigned long long)c->byte_end);
    add_member(b, "quote", c->quote);
    tn_buf_printf(b, ",\"supported\":%s}", truth(c->supported));
}

static tern_status add_json_search(const tern_index *ix, const tern_agent_search *s, tn_buf *b,
                                   tern_error *err) {
    tn_buf_str(b, "{\"query\":");
    tn_json_escape(s->query, strlen(s->query), b);
    tn_buf_str(b, ",\"hits\":[");
    for (size_t i = 0; i < s->n_refs; i++) {
        tern_passage p;
        tern_status status = tern_index_passage(ix, s->refs[i], &p, err);
        if (status != TERN_OK) return status;
        if (i) tn_buf_char(b, ',');
        tn_json_escape(p.id, strlen(p.id), b);
    }
    tn_buf_str(b, "]}");
    return TERN_OK;
}

static tern_status add_json(const asking *a, const char *question, const tern_answer *ans,
                            tn_buf *b, tern_error *err) {
    tn_buf_str(b, "{\"question\":");
    tn_json_escape(question, strlen(question), b);
    add_member(b, "answer", ans->text);
    tn_buf_printf(b, ",\"known\":%s,\"supported\":%s,\"confidence\":%.4f", truth(ans->known),
                  truth(ans->supported), ans->confidence);
    tn_buf_str(b, ",\"citations\":[");
    for (size_t i = 0; i < ans->n_citations; i++) {
        if (i) tn_buf_char(b, ',');
        add_json_citation(&ans->citations[i], b);
    }
    tn_buf_str(b, "],\"searches\":[");
    for (size_t i = 0; i < ans->n_searches; i++) {
        if (i) tn_buf_char(b, ',');
        tern_status status = add_json_search(a->ix, &ans->searches[i], b, err);
        if (status != TERN_OK) return status;
    }
    tn_buf_str(b, "]}\n");
    return TERN_OK;
}

/* --- for people ------------------------------------------------------------------------------- */

static void add_citation(const asking *a, const tern_citation *c, tn_buf *b) {
    tern_passage p;
    tn_buf_printf(b, "%s[%u]%s ", tn_style(a->cli, "cyan"), c->n, tn_style(a->cli, "reset"));
    if (c->ref != UINT32_MAX && tern_index_passage(a->ix, c->ref, &p, NULL) == TERN_OK) {
        const char *title = *p.title ? p.title : p.id;
        p.line_begin = c->line_begin;
        p.line_end = c->line_end;
        tn_add_plain(b, title, strlen(title));
        tn_buf_str(b, " (");
        tn_add_place(b, &p);
        tn_buf_char(b, ')');
    }
    if (!c->supported)
        tn_buf_printf(b, "%sunsupported%s", tn_style(a->cli, "red"), tn_style(a->cli, "reset"));
    tn_buf_printf(b, "\n    %s", tn_style(a->cli, "dim"));
    tn_add_plain(b, c->quote, strlen(c->quote));
    tn_buf_printf(b, "%s\n", tn_style(a->cli, "reset"));
}

static void add_text(const asking *a, const tern_answer *ans, tn_buf *b) {
    tn_buf_str(b, tn_style(a->cli, "bold"));
    tn_add_plain(b, ans->text, strlen(ans->text));
    tn_buf_str(b, tn_style(a->cli, "reset"));
    for (size_t i = 0; i < ans->n_citations; i++)
        tn_buf_printf(b, " %s[%u]%s", tn_style(a->cli, "cyan"), ans->citations[i].n,
                      tn_style(a->cli, "reset"));
    tn_buf_char(b, '\n');
    if (!ans->known) {
        tn_buf_str(b, tn_style(a->cli, "dim"));
        if (ans->n_refs)
            tn_buf_printf(b, "None of the %zu passages read answers this.", ans->n_refs);
        else
            tn_buf_str(b, "No passage matches the question.");
        tn_buf_printf(b, "%s\n", tn_style(a->cli, "reset"));
    }
    for (size_t i = 0; i < ans->n_citations; i++) add_citation(a, &ans->citations[i], b);
}

/* --- the command ------------------------------------------------------------------------------ */

static int check_args(const tn_cli *cli, tern_agent_opts *o, tern_search_opts *search) {
    static const char *const styles[] = {
        [TERN_OBS_SEARCH_R1] = "search-r1", [TERN_OBS_VERL] = "verl", [TERN_OBS_PLAIN] = "plain"};
    int style = -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(args.obs_style, styles[i]) == 0) style = i;
    if (style < 0)
        return tn_cli_usage(cli, "option '--obs-style': '%s' is not search-r1, verl or plain",
                            args.obs_style);
    int code = tn_policy_check(cli, &args.policy);
    if (code >= 0) return code;
    if (args.turns < 1 || args.turns > 64 || args.top_k < 1 || args.top_k > 64)
        return tn_cli_usage(cli, "--turns and --top-k must be within 1 to 64");
    if (args.obs_tokens < 0 || args.obs_tokens > 1000000)
        return tn_cli_usage(cli, "--obs-tokens must be within 0 to 1000000");
    if (!(args.temperature >= 0 && args.temperature <= 1000))
        return tn_cli_usage(cli, "--temperature must be within 0 to 1000");
    code = tn_query_opts_from(cli, &args.query, search);
    if (code >= 0) return code;
    o->turns = (uint32_t)args.turns;
    o->top_k = (uint32_t)args.top_k;
    o->obs_tokens = (uint32_t)args.obs_tokens;
    o->obs_style = (tern_obs_style)style;
    o->mode = search->mode;
    o->as_of = search->as_of;
    o->rerank_depth = search->rerank_depth;
    o->temperature = args.temperature;
    o->seed = (uint64_t)args.seed;
    return -1;
}

static tern_status ask(asking *a, tern_agent *agent, const char *question, bool json,
                       tern_error *err) {
    tern_answer *answer = NULL;
    tn_buf out = {0};
    tern_status status =
        tern_agent_ask(agent, question, strlen(question), &a->cli->host, &answer, err);
    if (status == TERN_OK && json) status = add_json(a, question, answer, &out, err);
    if (status == TERN_OK && !json) add_text(a, answer, &out);
    if (status == TERN_OK) status = tn_buf_status(&out, err);
    if (status == TERN_OK && tn_cli_out(a->cli, &out) != EXIT_OK)
        status = tern_fail(err, TERN_ERR_IO, 0, "cannot write the answer");
    if (status == TERN_OK && a->trace_errno)
        status = tern_fail(err, TERN_ERR_IO, a->trace_errno, "%s: cannot write: %s", args.trace,
                           strerror(a->trace_errno));
    tn_buf_deinit(&out);
    tern_answer_free(answer);
    return status;
}

/* One question a line, one JSON object a line. */
static tern_status ask_lines(asking *a, tern_agent *agent, tern_error *err) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    tern_status status = TERN_OK;
    while (status == TERN_OK && (n = getline(&line, &cap, stdin)) >= 0) {
        const char *s = line;
        size_t len = (size_t)n;
        tn_buf question = {0};
        tn_trim(&s, &len);
        tn_utf8_repair(s, len, &question);
        status = tn_buf_status(&question, err);
        if (status == TERN_OK && len > 0) status = ask(a, agent, tn_buf_cstr(&question), true, err);
        tn_buf_deinit(&question);
    }
    if (status == TERN_OK && ferror(stdin))
        status = tern_fail(err, TERN_ERR_IO, errno, "standard input: cannot read");
    free(line); /* getline's own block */
    return status;
}

static tern_status ask_words(asking *a, tern_agent *agent, tern_error *err) {
    const tn_cli *cli = a->cli;
    tn_buf question = {0};
    for (size_t i = 1; i < cli->n_args; i++) {
        if (i > 1) tn_buf_char(&question, ' ');
        tn_utf8_repair(cli->args[i], strlen(cli->args[i]), &question);
    }
    tern_status status = tn_buf_status(&question, err);
    if (status == TERN_OK) status = ask(a, agent, tn_buf_cstr(&question), cli->json, err);
    tn_buf_deinit(&question);
    return status;
}

static tern_status open_trace(asking *a, tern_error *err) {
    if (!args.trace) return TERN_OK;
    a->trace = fopen(args.trace, "a");
    if (a->trace) return TERN_OK;
    return tern_fail(err, TERN_ERR_IO, errno, "%s: cannot open the trace: %s", args.trace,
                     strerror(errno));
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 1, SIZE_MAX);
    if (code >= 0) return code;
    asking a = {.cli = cli};
    tern_agent_opts o = tern_agent_defaults();
    tern_search_opts search;
    code = check_args(cli, &o, &search);
    if (code >= 0) return code;
    if (cli->n_args < 2 && isatty(STDIN_FILENO))
        return tn_cli_usage(cli, "needs a question, or questions on standard input");
    code = tn_cli_open_index(cli, cli->args[0], &a.ix);
    if (code >= 0) return code;
    a.live = isatty(STDERR_FILENO) && !cli->quiet && !cli->json && cli->n_args > 1;
    o.event = show_live;
    o.trace = args.trace ? write_trace : NULL;
    o.ud = &a;
    tern_error err = {0};
    tern_policy *policy = NULL;
    tern_agent *agent = NULL;
    tern_status status = open_trace(&a, &err);
    if (status == TERN_OK) status = tn_query_opts_load(cli, &args.query, &search, &err);
    o.reranker = search.reranker;
    if (status == TERN_OK) status = tn_policy_open(cli, &args.policy, &policy, &err);
    if (status == TERN_OK) status = tern_agent_new(a.ix, policy, &o, &agent, &err);
    if (status == TERN_OK)
        status = cli->n_args > 1 ? ask_words(&a, agent, &err) : ask_lines(&a, agent, &err);
    if (a.trace && fclose(a.trace) != 0 && status == TERN_OK)
        status = tern_fail(&err, TERN_ERR_IO, errno, "%s: cannot write: %s", args.trace,
                           strerror(errno));
    tern_agent_free(agent);
    tern_policy_free(policy);
    tern_index_close(a.ix);
    tn_query_opts_close(&args.query);
    return status == TERN_OK ? EXIT_OK : tn_cli_fail(cli, &err);
}

const tn_command tn_cmd_ask = {
    .name = "ask",
    .synopsis = "DIR QUESTION...",
    .summary = "answer a question from an index, with citations",
    .details =
        "Searches in several turns, each query built on what was read before, then answers and\n"
        "names the passages that say it: [1] title (file:line). A sentence no passage says is\n"
        "marked unsupported; when nothing answers the question, it says \"I don't know\".\n"
        "\n"
        "The default needs no model: it follows names from passage to passage and reads the "
        "answer\n"
        "out of the text. With --llm URL a model behind any OpenAI-compatible server writes the\n"
        "searches and the answer; its key is taken from TERN_API_KEY or OPENAI_API_KEY. With\n"
        "--policy FOLDER a language model of this machine does (tern help model).\n"
        "\n"
        "Without a question, questions are read from standard input, one per line, and each "
        "answer\n"
        "is one line of JSON:\n"
        "{\"question\",\"answer\",\"known\",\"supported\",\"confidence\",\"citations\":[{\"n\","
        "\"id\",\"title\",\n"
        "\"source\",\"line_begin\",\"line_end\",\"byte_begin\",\"byte_end\",\"quote\","
        "\"supported\"}],\n"
        "\"searches\":[{\"query\",\"hits\":[ids]}]}. The same with --json.",
    .run = run,
    .options = options,
    .examples = "tern ask docs.tern who wrote the first chapter\n"
                "tern ask docs.tern 'Which of the two is older?' --json\n"
                "tern ask docs.tern why did it fail --llm http://127.0.0.1:8080 --trace run.jsonl\n"
                "tern ask docs.tern < questions.txt > answers.jsonl",
};
