/* cmd_help.c - `tern help`, `tern help CMD`, and the words that shell completion offers. Everything
 * is read from the table of commands, so the pages cannot fall behind the parser. */
#include "cli/cli.h"
#include "core/base/json.h"
#include <stdio.h>
#include <string.h>

static const char *const exit_codes =
    "  0 ok    1 failure    2 usage    4 index missing or damaged\n"
    "  5 remote unreachable    130 interrupted\n";

static size_t options_of(const tn_command *cmd, tn_opt *opts) {
    memset(opts, 0, TN_OPTS_MAX * sizeof *opts);
    return cmd->options ? cmd->options(opts, TN_OPTS_MAX) : 0;
}

/* Help text after a left column of this width, continued lines indented as much. */
enum { HELP_COLUMN = 26, HELP_WIDTH = 96 };

static void add_wrapped(tn_buf *b, size_t column, const char *text) {
    while (*text) {
        size_t n = strlen(text);
        if (column + n > HELP_WIDTH && strchr(text, ' ')) {
            n = HELP_WIDTH > column ? HELP_WIDTH - column : 0;
            while (n && text[n] != ' ') n--;
            if (!n) n = (size_t)(strchr(text, ' ') - text);
        }
        tn_buf_add(b, text, n);
        tn_buf_char(b, '\n');
        text += n;
        while (*text == ' ') text++;
        if (*text) tn_buf_printf(b, "%*s", (int)(column = HELP_COLUMN), "");
    }
}

static void add_option(tn_buf *b, const tn_opt *o) {
    char left[80];
    char letter[5] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
             o->arg ? o->arg : "");
    size_t len = strlen(left) + 4;
    tn_buf_printf(b, "  %s", left);
    if (len > HELP_COLUMN)
        tn_buf_printf(b, "\n%*s", HELP_COLUMN, "");
    else
        tn_buf_printf(b, "%*s", (int)(HELP_COLUMN - len + 2), "");
    add_wrapped(b, HELP_COLUMN, o->help);
}

static void add_heading(const tn_cli *cli, tn_buf *b, const char *text) {
    tn_buf_printf(b, "\n%s%s%s\n", tn_style(cli, "bold"), text, tn_style(cli, "reset"));
}

static void add_indented(tn_buf *b, const char *text) {
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t n = end ? (size_t)(end - text) : strlen(text);
        tn_buf_str(b, n ? "  " : "");
        tn_buf_add(b, text, n);
        tn_buf_char(b, '\n');
        text += n + (end != NULL);
    }
}

static void add_page(const tn_cli *cli, const tn_command *cmd, tn_buf *b) {
    tn_opt opts[TN_OPTS_MAX], common[8];
    size_t n = options_of(cmd, opts);
    tn_buf_printf(b, "%stern %s%s - %s\n", tn_style(cli, "bold"), cmd->name, tn_style(cli, "reset"),
                  cmd->summary);
    add_heading(cli, b, "Usage");
    tn_buf_printf(b, "  tern %s%s%s%s\n", cmd->name, n ? " [OPTION...]" : "",
                  cmd->synopsis[0] ? " " : "", cmd->synopsis);
    if (cmd->details) {
        tn_buf_char(b, '\n');
        add_indented(b, cmd->details);
    }
    if (n) {
        add_heading(cli, b, "Options");
        for (size_t i = 0; i < n; i++) add_option(b, &opts[i]);
    }
    add_heading(cli, b, "Options of every command");
    size_t n_common = tn_common_options(NULL, common);
    for (size_t i = 0; i < n_common; i++) add_option(b, &common[i]);
    if (cmd->examples) {
        add_heading(cli, b, "Examples");
        add_indented(b, cmd->examples);
    }
    add_heading(cli, b, "Exit codes");
    tn_buf_str(b, exit_codes);
}

static void add_member(tn_buf *b, const char *key, const char *text) {
    tn_buf_printf(b, "\"%s\":", key);
    tn_json_escape(text ? text : "", text ? strlen(text) : 0, b);
}

static void add_command_json(const tn_command *cmd, tn_buf *b) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n = options_of(cmd, opts);
    tn_buf_char(b, '{');
    add_member(b, "name", cmd->name);
    tn_buf_char(b, ',');
    add_member(b, "synopsis", cmd->synopsis);
    tn_buf_char(b, ',');
    add_member(b, "summary", cmd->summary);
    tn_buf_str(b, ",\"options\":[");
    for (size_t i = 0; i < n; i++) {
        tn_buf_str(b, i ? ",{" : "{");
        add_member(b, "name", opts[i].name);
        tn_buf_char(b, ',');
        add_member(b, "argument", opts[i].arg);
        tn_buf_char(b, ',');
        add_member(b, "help", opts[i].help);
        tn_buf_char(b, '}');
    }
    tn_buf_str(b, "]}");
}

int tn_help_page(const tn_cli *cli, const tn_command *cmd) {
    tn_buf b = {0};
    if (cli->json) {
        add_command_json(cmd, &b);
        tn_buf_char(&b, '\n');
    } else {
        add_page(cli, cmd, &b);
    }
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

static void add_all_text(const tn_cli *cli, tn_buf *b) {
    tn_buf_printf(b,
                  "%stern%s - index your documents, search them, ask them\n\n"
                  "Usage: tern COMMAND [ARGUMENT...]\n\n",
                  tn_style(cli, "bold"), tn_style(cli, "reset"));
    for (const tn_command *const *c = cli->commands; *c; c++)
        if (!(*c)->hidden) tn_buf_printf(b, "  %-10s %s\n", (*c)->name, (*c)->summary);
    tn_buf_str(b,
               "\n'tern help COMMAND' is the page of a command; 'tern --version' the version.\n"
               "Every command takes --json. Defaults of your own stand in ~/.config/tern/config\n"
               "($XDG_CONFIG_HOME), lines such as 'color = never' or 'ask.llm = "
               "http://127.0.0.1:8080'.\n"
               "\nExit codes\n");
    tn_buf_str(b, exit_codes);
}

int tn_help_all(const tn_cli *cli) {
    tn_buf b = {0};
    if (cli->json) {
        tn_buf_str(&b, "{\"commands\":[");
        bool first = true;
        for (const tn_command *const *c = cli->commands; *c; c++) {
            if ((*c)->hidden) continue;
            if (!first) tn_buf_char(&b, ',');
            first = false;
            add_command_json(*c, &b);
        }
        tn_buf_str(&b, "]}\n");
    } else {
        add_all_text(cli, &b);
    }
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

static int run_help(tn_cli *cli, int argc, char **argv) {
    int code = tn_cli_parse(cli, argc, argv, NULL, 0, 0, 1);
    if (code >= 0) return code;
    if (!cli->n_args) return tn_help_all(cli);
    const tn_command *cmd = tn_cli_find(cli, cli->args[0]);
    if (cmd) return tn_help_page(cli, cmd);
    const char *names[64];
    size_t n = 0;
    for (const tn_command *const *c = cli->commands; *c && n < 64; c++)
        if (!(*c)->hidden) names[n++] = (*c)->name;
    const char *near = tn_nearest(cli->args[0], names, n);
    return tn_cli_usage(cli, "no command '%s'%s%s%s", cli->args[0], near ? "; did you mean '" : "",
                        near ? near : "", near ? "'?" : "");
}

const tn_command tn_cmd_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "list the commands, or explain one",
    .details =
        "Without an argument: all commands, a line each. With one: what the command does, its\n"
        "options, examples and exit codes. 'tern COMMAND --help' prints the same page.\n"
        "With --json, the table of commands and options for other programs to read.",
    .examples = "tern help index\ntern search --help",
    .run = run_help,
};

/* The words completion may offer: the commands, or the options of one. */
static int run_completion(tn_cli *cli, int argc, char **argv) {
    int code = tn_cli_parse(cli, argc, argv, NULL, 0, 0, 1);
    if (code >= 0) return code;
    tn_buf b = {0};
    const tn_command *cmd = cli->n_args ? tn_cli_find(cli, cli->args[0]) : NULL;
    if (cmd) {
        tn_opt opts[TN_OPTS_MAX], common[8];
        size_t n = options_of(cmd, opts), n_common = tn_common_options(NULL, common);
        for (size_t i = 0; i < n; i++) tn_buf_printf(&b, "--%s\n", opts[i].name);
        for (size_t i = 0; i < n_common; i++) tn_buf_printf(&b, "--%s\n", common[i].name);
    } else if (!cli->n_args) {
        for (const tn_command *const *c = cli->commands; *c; c++)
            if (!(*c)->hidden) tn_buf_printf(&b, "%s\n", (*c)->name);
    }
    code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

const tn_command tn_cmd_completion = {
    .name = "completion",
    .synopsis = "[COMMAND]",
    .summary = "the words shell completion offers",
    .details =
        "Prints the commands, or the options of one, a word a line. The installed bash completion\n"
        "asks it, so that it always matches the program.",
    .run = run_completion,
    .hidden = true,
};
