/* cmd_compact.c - tern compact: one clean segment. */
#include "cli/cli.h"
#include "cli/index_report.h"

#include "core/base/mem.h"

static int run(tn_cli *cli, int argc, char **argv) {
    int code = tn_cli_parse(cli, argc, argv, NULL, 0, 1, 1);
    if (code >= 0) return code;
    tern_index_report report;
    tern_error err;
    if (tern_index_compact(cli->args[0], &cli->host, &report, &err) != TERN_OK)
        return tn_index_fail(cli, cli->args[0], &err);
    return tn_print_report(cli, cli->args[0], &report);
}

const tn_command tn_cmd_compact = {
    .name = "compact",
    .synopsis = "DIR",
    .summary = "give the space of removed documents back, fit the embedder anew",
    .details =
        "Merges all segments of the index into one, without the documents that were removed or\n"
        "replaced, and fits the embedder anew. Results are then those of an index built afresh "
        "from\n"
        "the same documents, bit for bit. Searches run on meanwhile; until the end the disk holds\n"
        "the old state beside the new one.",
    .run = run,
    .examples = "tern compact ix",
};
