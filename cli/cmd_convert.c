/* cmd_convert.c - `tern convert`: public question-answering sets -> corpus, questions, judgements.
 */
#include "cli/cli.h"
#include "retriever/eval/convert.h"
#include <string.h>

static struct { const char *out, *pool, *split; } args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    const tn_opt own[] = {
        {"output", 'o', TN_OPT_STRING, &args.out, "DIR", "where the three files go (required)"},
        {"pool", 0, TN_OPT_STRING, &args.pool, "NAME",
         "tern: only the passages whose 'pool' field holds NAME, and the questions of that split"},
        {"split", 0, TN_OPT_STRING, &args.split, "NAME",
         "beir, tern: which questions (default: the pool, else test, dev or train)"},
    };
    memcpy(opts, own, sizeof own);
    return sizeof own / sizeof *own;
}

static void add_report(const tn_cli *cli, const tn_convert_counts *n, tn_buf *b) {
    const struct {
        const char *key, *text;
        uint64_t n;
    } rows[] = {
        {"n_passages", "passages", n->n_passages},
        {"n_repeated", "repeated passages, written once", n->n_repeated},
        {"n_questions", "questions", n->n_questions},
        {"n_judgements", "judgements", n->n_judgements},
        {"n_skipped", "records without a judged answer, left out", n->n_skipped},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (cli->json) {
            tn_buf_printf(b, "%s\"%s\":%llu", i ? "," : "{", rows[i].key,
                          (unsigned long long)rows[i].n);
        } else if (rows[i].n) {
            tn_add_count(b, rows[i].n);
            tn_buf_printf(b, " %s\n", rows[i].text);
        }
    }
    tn_buf_str(b, cli->json ? "}\n" : "");
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 2, SIZE_MAX);
    if (code >= 0) return code;
    if (!args.out) return tn_cli_usage(cli, "where to? Give -o DIR");
    tn_convert_opts o = {args.pool, args.split};
    tn_convert_counts counts;
    tern_error err = {0};
    if (tn_convert_run(cli->args[0], cli->args + 1, cli->n_args - 1, args.out, &o, &cli->host,
                       &counts, &err) != TERN_OK)
        return tn_cli_fail(cli, &err);
    tn_buf b = {0};
    add_report(cli, &counts, &b);
    code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

const tn_command tn_cmd_convert = {
    .name = "convert",
    .synopsis = "FORMAT INPUT... -o DIR",
    .summary = "bring a public question-answering set into corpus, questions, qrels",
    .details =
        "Reads a set as it is published and writes DIR/corpus.jsonl, DIR/questions.jsonl and\n"
        "DIR/qrels.trec, which 'tern index' and 'tern eval' read. All three are put in place\n"
        "at the end; an error or Ctrl-C leaves what was there. Plain files and .gz.\n"
        "\n"
        "  squad     SQuAD 1.1 and 2.0 (JSON)\n"
        "  hotpotqa  HotpotQA, distractor setting (JSON array, or lines)\n"
        "  2wiki     2WikiMultihopQA (JSON array, or lines)\n"
        "  musique   MuSiQue-Ans and -Full (JSON lines)\n"
        "  nq        Natural Questions: simplified, DPR or KILT layout, by their keys\n"
        "  beir      a BEIR folder: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv\n"
        "  tern      a folder with corpus.jsonl and questions.SPLIT.jsonl, or a corpus alone\n"
        "\n"
        "Passages with the same title and text are written once. With --json: n_passages,\n"
        "n_repeated, n_questions, n_judgements, n_skipped.",
    .run = run,
    .options = options,
    .examples = "tern convert squad dev-v1.1.json -o squad\n"
                "tern convert hotpotqa hotpot_dev_distractor_v1.json -o hotpot\n"
                "tern convert beir scifact/ --split test -o scifact-test\n"
                "tern convert tern hotpotqa/ --pool test -o hotpot-pool",
};
