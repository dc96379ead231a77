/* cmd_remove.c - tern remove: take documents out of an index. */
#include "cli/cli.h"
#include "cli/index_report.h"

#include "core/base/mem.h"

static int run(tn_cli *cli, int argc, char **argv) {
    int code = tn_cli_parse(cli, argc, argv, NULL, 0, 2, SIZE_MAX);
    if (code >= 0) return code;
    tern_index_report report;
    tern_error err;
    if (tern_index_remove(cli->args[0], cli->args + 1, cli->n_args - 1, &cli->host, &report,
                          &err) != TERN_OK)
        return tn_index_fail(cli, cli->args[0], &err);
    return tn_print_report(cli, cli->args[0], &report);
}

const tn_command tn_cmd_remove = {
    .name = "remove",
    .synopsis = "DIR ID...",
    .summary = "take documents out of an index",
    .details =
        "Removes the documents with these ids, each with all its passages. They are not found any\n"
        "more from then on; their space, and their share in the word statistics that rank other\n"
        "documents, goes with the next `tern compact`. If one of the ids is not there, nothing is\n"
        "removed. The id of a file without ids of its own is its path as it was given.",
    .run = run,
    .examples = "tern remove ix doc-17 notes/old.md",
};
