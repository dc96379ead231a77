/* cli.h - what every `tern` command shares: the option table, the host (log, progress, Ctrl-C),
 * output helpers and exit codes. A command is one file cli/cmd_<name>.c exporting one tn_command
 * named tn_cmd_<name>, and one line in cli/commands.h; cli/main.c holds the table and nothing else.
 */
#ifndef TN_CLI_H
#define TN_CLI_H
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "tern/host.h"
#include "tern/index.h"
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
    TN_OPT_INT,    /* int64_t *; also accepts suffixes k, M, G (powers of 1024) */
    TN_OPT_FLOAT,  /* double * */
    TN_OPT_TIME,   /* int64_t *: a date, see tn_time_parse */
    TN_OPT_LIST    /* tn_list *: may be given several times */
} tn_opt_type;

typedef struct tn_list {
    const char **items; /* in the arena of tn_cli */
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
    unsigned warnings_max; /* more are counted, not shown, unless verbose; 0: no limit */
    tern_host host;        /* pass &cli->host to the library */
    const struct tn_command *cmd;
    const struct tn_command *const *commands; /* the table, NULL at its end */
    const char **args;                        /* positional arguments */
    size_t n_args;
    tn_arena arena; /* what parsing allocates; freed after the command */
} tn_cli;

typedef struct tn_command {
    const char *name;
    const char *synopsis; /* "DIR INPUT..." */
    const char *summary;  /* one line, for `tern help` */
    const char *details;  /* `tern help NAME`: what it does and what to know, in paragraphs */
    int (*run)(tn_cli *cli, int argc, char **argv);
    /* The command's options, for help and completion: fills opts (NULL dest allowed) and returns
     * their number, at most cap. NULL: it has none. */
    size_t (*options)(tn_opt *opts, size_t cap);
    const char *examples; /* a line each, shown after the options; NULL: none */
    bool hidden;          /* not listed by `tern help` */
} tn_command;

enum { TN_OPTS_MAX = 48 }; /* options one command may have */

/* Parse argv[1..] against the table and the common options. Returns -1 to go on, else the exit code
 * (help was printed, or a usage error was). Options may stand anywhere; "--" ends them. */
int tn_cli_parse(tn_cli *cli, int argc, char **argv, const tn_opt *opts, size_t n_opts,
                 size_t args_min, size_t args_max);

/* Print "tern CMD: message" (and {"error":{"status","message"}} on stdout with --json) and return
 * the exit code that belongs to the status; 130 whatever it is once Ctrl-C was seen. */
int tn_cli_fail(const tn_cli *cli, const tern_error *err);
int tn_cli_usage(const tn_cli *cli, const char *fmt, ...) TERN_PRINTF(2, 3);
int tn_exit_code(tern_status status); /* NOT_FOUND is 1: only tn_cli_open_index makes it 4 */
/* Open an index for reading. Returns -1 to go on, else the exit code (4 if there is none there);
 * the message was printed. */
int tn_cli_open_index(const tn_cli *cli, const char *dir, tern_index **ix);

/* Write all of the buffer to stdout and empty it: EXIT_OK, or EXIT_FAIL (with a message) when that
 * fails, e.g. a full disk. A closed pipe is not a failure: the reader had enough. */
int tn_cli_out(const tn_cli *cli, tn_buf *b);
/* ANSI codes when colour is on, else "". style: "bold", "dim", "green", "red", "cyan", "reset". */
const char *tn_style(const tn_cli *cli, const char *style);
void tn_add_count(tn_buf *b, uint64_t n);       /* "12,345" */
void tn_add_bytes(tn_buf *b, uint64_t n_bytes); /* "1.2 MiB" */

bool tn_interrupted(void); /* Ctrl-C or SIGTERM was seen */
/* A line on stderr, e.g. tn_log(cli, TERN_LOG_WARN, "..."); -q drops INFO, -v adds DEBUG. */
void tn_log(const tn_cli *cli, tern_log_level level, const char *fmt, ...) TERN_PRINTF(3, 4);

/* --- for cli.c, host.c, main.c and cmd_help.c only --- */
int tn_cli_main(int argc, char **argv, const tn_command *const *commands);
void tn_host_init(tn_cli *cli);      /* signals, and the callbacks of cli->host */
void tn_host_clear(void);            /* take the progress bar off the screen */
void tn_host_end(const tn_cli *cli); /* the same, and say how many warnings were not shown */
size_t tn_common_options(tn_cli *cli, tn_opt *opts);                /* cli NULL: for help */
const tn_command *tn_cli_find(const tn_cli *cli, const char *name); /* NULL: none of that name */
/* The command or option name nearest to a mistyped one, or NULL if none is near. */
const char *tn_nearest(const char *name, const char *const *names, size_t n);
/* The settings of the user's configuration file, one by one, through apply(ud, name, value).
 * Returns -1 to go on, else the exit code (the message was printed). */
typedef enum tn_config_result { TN_CONFIG_OK, TN_CONFIG_UNKNOWN, TN_CONFIG_BAD } tn_config_result;
typedef tn_config_result tn_config_fn(void *ud, const char *name, const char *value);
int tn_config_apply(tn_cli *cli, tn_config_fn *apply, void *ud);
int tn_help_page(const tn_cli *cli, const tn_command *cmd);
int tn_help_all(const tn_cli *cli);

#endif
