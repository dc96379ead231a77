/* cli.h - what every `tern` command shares: the option table, the host (log, progress, Ctrl-C),
 * output helpers and exit codes. A command is one file cli/cmd_<name>.c exporting one tn_command;
 * cli/main.c holds the table and nothing else. */
#ifndef TN_CLI_H
#define TN_CLI_H
#include "core/base/buf.h"
#include "tern/host.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes: scripts rely on them. */
enum {
    EXIT_OK = 0,
    EXIT_FAIL = 1,
    EXIT_USAGE = 2,
    EXIT_INDEX = 4,  /* index missing or damaged */
    EXIT_REMOTE = 5, /* remote unreachable */
    EXIT_INTERRUPTED = 130
};

typedef enum tn_opt_type {
    TN_OPT_FLAG,   /* bool * */
    TN_OPT_STRING, /* const char ** */
    TN_OPT_INT,    /* int64_t *; also accepts suffixes k, M, G */
    TN_OPT_FLOAT,  /* double * */
    TN_OPT_TIME,   /* int64_t *: a date, see tn_time_parse */
    TN_OPT_LIST    /* tn_list *: may be given several times */
} tn_opt_type;

typedef struct tn_list {
    const char **items;
    size_t n, cap;
} tn_list;

typedef struct tn_opt {
    const char *name; /* "top-k", without dashes */
    char letter;      /* 'k', or 0 */
    tn_opt_type type;
    void *dest;
    const char *arg;  /* "N", shown in help; NULL for flags */
    const char *help; /* one line */
} tn_opt;

/* Options every command takes: --json, -q/--quiet, -v/--verbose, --color auto|always|never,
 * --threads N, -h/--help. Filled by tn_cli_parse. */
typedef struct tn_cli {
    bool json, quiet, verbose, color;
    int n_threads;
    tern_host host; /* pass &cli->host to the library */
    const struct tn_command *cmd;
    const char **args; /* positional arguments */
    size_t n_args;
} tn_cli;

typedef struct tn_command {
    const char *name;
    const char *synopsis; /* "DIR INPUT..." */
    const char *summary;  /* one line, for `tern help` */
    const char *details;  /* the page of `tern help NAME`: what, options are added, examples */
    int (*run)(tn_cli *cli, int argc, char **argv);
    /* The command's options, for help and completion: fills opts (NULL dest allowed) and returns
     * their number. */
    size_t (*options)(tn_opt *opts, size_t cap);
} tn_command;

/* Parse argv[1..] against the table and the common options. Returns -1 to go on, else the exit code
 * (help was printed, or a usage error was). Options may stand anywhere; "--" ends them. */
int tn_cli_parse(tn_cli *cli, int argc, char **argv, const tn_opt *opts, size_t n_opts,
                 size_t args_min, size_t args_max);

/* Print "tern CMD: message" (or {"error":...} on stdout too with --json) and return the exit code
 * that belongs to the status. */
int tn_cli_fail(const tn_cli *cli, const tern_error *err);
int tn_cli_usage(const tn_cli *cli, const char *fmt, ...) TERN_PRINTF(2, 3);
int tn_exit_code(tern_status status);

/* Write all of the buffer to stdout; EXIT_FAIL (with a message) when that fails, e.g. a full disk;
 * a closed pipe ends quietly. Empties the buffer. */
int tn_cli_out(const tn_cli *cli, tn_buf *b);
/* ANSI codes when colour is on, else "". style: "bold", "dim", "green", "red", "cyan", "reset". */
const char *tn_style(const tn_cli *cli, const char *style);

bool tn_interrupted(void); /* Ctrl-C or SIGTERM was seen */

#endif
