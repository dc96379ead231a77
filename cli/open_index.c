/* open_index.c - open an index for a command, or say why not. */
#include "cli/cli.h"

int tn_cli_open_index(const tn_cli *cli, const char *dir, tern_index **ix) {
    tern_error err = {0};
    tern_status status = tern_index_open(dir, ix, &err);
    if (status == TERN_OK) return -1;
    int code = tn_cli_fail(cli, &err);
    return status == TERN_ERR_NOT_FOUND && code == EXIT_FAIL ? EXIT_INDEX : code;
}
