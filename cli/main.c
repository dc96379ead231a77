/* main.c - the table of commands. */
#include "cli/cli.h"
#include "cli/commands.h"

#define DECLARE(name) extern const tn_command tn_cmd_##name;
TN_COMMANDS(DECLARE)
#define ADDRESS(name) &tn_cmd_##name,
static const tn_command *const commands[] = {TN_COMMANDS(ADDRESS) NULL};

int main(int argc, char **argv) {
    return tn_cli_main(argc, argv, commands);
}
