/* cmd_index.c - tern index: build an index, or bring it in step with its documents. */
#include "cli/cli.h"
#include "cli/index_report.h"

#include "core/base/mem.h"

enum { WARNINGS_MAX = 20 }; /* a folder may hold thousands of files that are no documents */

typedef struct index_args {
    tern_index_opts opts;
    int64_t chunk_tokens, chunk_overlap, record_tokens, memory_bytes;
} index_args;

static size_t table(index_args *a, tn_opt *opts, size_t cap) {
    const tn_opt all[] = {
        {"language", 'l', TN_OPT_STRING, a ? &a->opts.language : NULL, "NAME",
         "stemmer and stop words: english (default), german, ..., none"},
        {"format", 'f', TN_OPT_STRING, a ? &a->opts.format : NULL, "F",
         "read every input as jsonl, tsv, csv, md, html, pdf or txt"},
        {"embedder", 0, TN_OPT_STRING, a ? &a->opts.embedder : NULL, "NAME",
         "vectors for dense search: lsa (default), none, or the folder of an encoder"},
        {"vectors", 0, TN_OPT_STRING, a ? &a->opts.vectors : NULL, "KIND",
         "how vectors are searched: flat (default), ivf or hnsw"},
        {"chunk-tokens", 0, TN_OPT_INT, a ? &a->chunk_tokens : NULL, "N",
         "longest passage of a text file, in words (default 200)"},
        {"chunk-overlap", 0, TN_OPT_INT, a ? &a->chunk_overlap : NULL, "N",
         "words repeated from the passage before (default 30)"},
        {"record-tokens", 0, TN_OPT_INT, a ? &a->record_tokens : NULL, "N",
         "split a JSONL or TSV record only above this (default 1024)"},
        {"memory", 'm', TN_OPT_INT, a ? &a->memory_bytes : NULL, "BYTES",
         "memory for building, e.g. 2G (default 512M)"},
        {"strict", 0, TN_OPT_FLAG, a ? &a->opts.strict : NULL, NULL,
         "stop at the first bad line instead of counting it"},
    };
    size_t n = sizeof all / sizeof *all;
    if (n > cap) n = cap;
    for (size_t i = 0; i < n; i++) opts[i] = all[i];
    return n;
}

static size_t options(tn_opt *opts, size_t cap) {
    return table(NULL, opts, cap);
}

static bool fits_u32(int64_t v) {
    return v >= 0 && v < UINT32_MAX;
}

static int run(tn_cli *cli, int argc, char **argv) {
    index_args a = {.opts = tern_index_defaults()};
    a.chunk_tokens = a.opts.chunk_tokens;
    a.chunk_overlap = a.opts.chunk_overlap;
    a.record_tokens = a.opts.record_tokens;
    a.memory_bytes = (int64_t)a.opts.memory_bytes;
    tn_opt opts[TN_OPTS_MAX];
    int code = tn_cli_parse(cli, argc, argv, opts, table(&a, opts, TN_OPTS_MAX), 2, SIZE_MAX);
    if (code >= 0) return code;
    if (a.chunk_tokens < 1 || a.record_tokens < 1 || !fits_u32(a.chunk_tokens) ||
        !fits_u32(a.chunk_overlap) || !fits_u32(a.record_tokens) || a.memory_bytes < 1)
        return tn_cli_usage(cli, "sizes must be positive numbers");
    a.opts.chunk_tokens = (uint32_t)a.chunk_tokens;
    a.opts.chunk_overlap = (uint32_t)a.chunk_overlap;
    a.opts.record_tokens = (uint32_t)a.record_tokens;
    a.opts.memory_bytes = (uint64_t)a.memory_bytes;

    cli->warnings_max = WARNINGS_MAX;
    tern_index_report report;
    tern_error err;
    if (tern_index_sync(cli->args[0], cli->args + 1, cli->n_args - 1, &a.opts, &cli->host, &report,
                        &err) != TERN_OK)
        return tn_cli_fail(cli, &err);
    return tn_print_report(cli, cli->args[0], &report);
}

const tn_command tn_cmd_index = {
    .name = "index",
    .synopsis = "DIR INPUT...",
    .summary = "make an index of documents, or bring it in step with them",
    .details =
        "Reads the inputs and stores their passages in the folder DIR, ready to be searched. An\n"
        "input is a file (JSONL, TSV, CSV, Markdown, HTML, PDF or text, also .gz and .zst), a\n"
        "folder, which is read with all its folders, or - for JSONL on standard input. Of a BEIR\n"
        "folder the corpus is read. A CSV without a column \"text\" is read as plain text.\n"
        "\n"
        "A file of another name is read by its content: as text if it is text. In a folder, files\n"
        "are left out that are no documents by their name: styles and scripts (.css .js .map),\n"
        "drawings (.svg .ps), translations (.po), locks, keys and signatures. Name such a file\n"
        "itself to index it. Hidden files are left out; links are followed.\n"
        "\n"
        "On an index that is there already only the difference is written: a document whose\n"
        "content has not changed is left alone, a changed one is replaced, a new one added.\n"
        "Documents of other inputs stay, and so do those whose file is gone: `tern remove` takes\n"
        "documents out, `tern compact` gives their space back.\n"
        "\n"
        "All of it becomes visible at once, at the end. Whatever happens before that - Ctrl-C, a\n"
        "full disk, a power cut - the index stays as it was. Searches run on meanwhile; a second\n"
        "writer is refused.\n"
        "\n"
        "A line or file that cannot be used is named on stderr as file:line: what, counted, and\n"
        "skipped; the first 20 are shown, with -v all. --strict stops at the first.\n"
        "\n"
        "Language, embedder and kind of vectors are chosen when the index is made. With "
        "--embedder\n"
        "FOLDER a neural encoder (BERT, XLM-R, sentence-transformers; see tern help model) makes\n"
        "the vectors: each text is embedded once, and a build that was stopped goes on from "
        "there.\n"
        "The index remembers the folder and refuses the vectors of another model.",
    .run = run,
    .options = options,
    .examples = "tern index ix docs/ notes.md\n"
                "tern index ix corpus.jsonl --language german\n"
                "tern index ix docs/ --embedder models/all-MiniLM-L6-v2\n"
                "zcat dump.jsonl.gz | tern index ix -",
};
