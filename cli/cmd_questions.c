/* cmd_questions.c - tern questions: training questions from the documents of an index. */
#include "cli/cli.h"
#include "core/base/file.h"
#include "trainer/questions.h"
#include <string.h>

#include "core/base/mem.h"

static struct {
    int64_t n, top_k, per_passage;
    const char *out;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    tn_question_opts d = tn_question_defaults();
    args.n = (int64_t)d.n;
    args.top_k = d.top_k;
    args.per_passage = d.per_passage;
    args.out = NULL;
    const tn_opt own[] = {
        {"number", 'n', TN_OPT_INT, &args.n, "N", "at most so many (default: all that are found)"},
        {"out", 'o', TN_OPT_STRING, &args.out, "FILE", "write here instead of standard output"},
        {"top-k", 0, TN_OPT_INT, &args.top_k, "N",
         "keep a question only if it finds its passage among so many (default 10)"},
        {"per-passage", 0, TN_OPT_INT, &args.per_passage, "N",
         "questions that start from one passage (default 4)"},
    };
    size_t n = sizeof own / sizeof *own;
    if (n > cap) n = cap;
    memcpy(opts, own, n * sizeof *own);
    return n;
}

static void add_report(const tn_cli *cli, const tn_question_report *r, tn_buf *b) {
    uint64_t kept = r->n_one_hop + r->n_two_hop, tried = kept + r->n_lost;
    double rate = tried ? (double)kept / (double)tried : 0;
    if (cli->json) {
        tn_buf_printf(b,
                      "{\"questions\":%llu,\"one_hop\":%llu,\"two_hop\":%llu,\"facts\":%llu,"
                      "\"links\":%llu,\"duplicates\":%llu,\"lost\":%llu,\"round_trip\":%.4f}\n",
                      (unsigned long long)kept, (unsigned long long)r->n_one_hop,
                      (unsigned long long)r->n_two_hop, (unsigned long long)r->n_facts,
                      (unsigned long long)r->n_links, (unsigned long long)r->n_duplicates,
                      (unsigned long long)r->n_lost, rate);
        return;
    }
    tn_add_count(b, kept);
    tn_buf_str(b, " questions (");
    tn_add_count(b, r->n_two_hop);
    tn_buf_str(b, " over two passages) from ");
    tn_add_count(b, r->n_facts);
    tn_buf_str(b, " facts and ");
    tn_add_count(b, r->n_links);
    tn_buf_printf(b, " links; round trip %.1f %%\n", 100 * rate);
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 1, 1);
    if (code >= 0) return code;
    if (args.n < 0 || args.top_k < 1 || args.top_k > 1000 || args.per_passage < 1 ||
        args.per_passage > 1000)
        return tn_cli_usage(cli, "-n must be 0 or more, --top-k and --per-passage 1 to 1000");
    tern_index *ix = NULL;
    code = tn_cli_open_index(cli, cli->args[0], &ix);
    if (code >= 0) return code;
    tn_question_opts o = {.n = (uint64_t)args.n,
                          .top_k = (uint32_t)args.top_k,
                          .per_passage = (uint32_t)args.per_passage};
    tn_question_report r;
    tn_buf lines = {0}, report = {0};
    tern_error err = {0};
    tern_status st = tn_questions_make(ix, &o, &cli->host, &lines, &r, &err);
    if (st == TERN_OK && r.n_one_hop + r.n_two_hop == 0)
        st = tern_fail(&err, TERN_ERR_NOT_FOUND, 0,
                       "no question could be made: the passages need titles, and English sentences "
                       "about them such as \"X was founded by Y\"");
    if (st == TERN_OK && args.out)
        st = tn_file_replace(args.out, tn_buf_cstr(&lines), lines.len, &err);
    code = st == TERN_OK ? EXIT_OK : tn_cli_fail(cli, &err);
    if (st == TERN_OK && args.out) {
        add_report(cli, &r, &report);
        code = tn_cli_out(cli, &report);
    } else if (st == TERN_OK) {
        code = tn_cli_out(cli, &lines);
    }
    tn_buf_deinit(&lines);
    tn_buf_deinit(&report);
    tern_index_close(ix);
    return code;
}

const tn_command tn_cmd_questions = {
    .name = "questions",
    .synopsis = "DIR",
    .summary = "make training questions from the documents of an index",
    .details =
        "Reads what the passages say of their own titles (\"X was founded by Y\", \"born in Z\") "
        "and\n"
        "which titles they name, and asks for it by templates: about one passage, or about two "
        "that\n"
        "hang together. A question that does not find its own passage is dropped. No model is\n"
        "needed; the patterns are English.\n"
        "\n"
        "Each line has id, question, answers, supporting (passage ids) and kind: attribute, "
        "subject\n"
        "(one passage), chain, bridge, link (two). `tern train` reads them.",
    .run = run,
    .options = options,
    .examples = "tern questions docs.tern -n 500 -o questions.jsonl\n"
                "tern train ccs docs.tern questions.jsonl -o run",
};
