/* cli.c - from argv to a command and back to the shell: dispatch, options, output, exit codes. */
#include "cli/cli.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tern/version.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what went wrong ---- */

int tn_exit_code(tern_status status) {
    switch (status) {
    case TERN_OK:
        return EXIT_OK;
    case TERN_ERR_ARG:
        return EXIT_USAGE;
    case TERN_ERR_CORRUPT:
    case TERN_ERR_VERSION:
        return EXIT_INDEX;
    case TERN_ERR_REMOTE:
    case TERN_ERR_TIMEOUT:
        return EXIT_REMOTE;
    case TERN_ERR_CANCELLED:
        return EXIT_INTERRUPTED;
    default:
        return EXIT_FAIL;
    }
}

/* "not_found" for TERN_ERR_NOT_FOUND: what scripts compare. */
static void add_status_name(tn_buf *b, tern_status status) {
    const char *name = "unknown";
    switch (status) {
#define NAME(id, value, text)                                                                      \
    case TERN_##id:                                                                                \
        name = #id;                                                                                \
        break;
        TERN_STATUS_MAP(NAME)
#undef NAME
    }
    if (tn_starts_with(name, "ERR_")) name += 4;
    for (; *name; name++) tn_buf_char(b, (char)tolower((unsigned char)*name));
}

static void print_error(const tn_cli *cli, const char *status, const char *text) {
    tn_host_clear();
    fprintf(stderr, "tern%s%s: %s\n", cli->cmd ? " " : "", cli->cmd ? cli->cmd->name : "", text);
    if (!cli->json) return;
    tn_buf b = {0};
    tn_buf_printf(&b, "{\"error\":{\"status\":\"%s\",\"message\":", status);
    tn_json_escape(text, strlen(text), &b);
    tn_buf_str(&b, "}}\n");
    tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
}

int tn_cli_fail(const tn_cli *cli, const tern_error *err) {
    bool stopped = tn_interrupted() || err->status == TERN_ERR_CANCELLED;
    tern_status status = stopped ? TERN_ERR_CANCELLED : err->status;
    const char *text = err->text[0] ? err->text : tern_status_text(status);
    tn_buf name = {0};
    add_status_name(&name, status);
    print_error(cli, tn_buf_cstr(&name), stopped ? "interrupted" : text);
    tn_buf_deinit(&name);
    return tn_exit_code(status);
}

int tn_cli_usage(const tn_cli *cli, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    print_error(cli, "usage", text);
    if (cli->cmd)
        fprintf(stderr, "Try 'tern help %s'.\n", cli->cmd->name);
    else
        fputs("Try 'tern help'.\n", stderr);
    return EXIT_USAGE;
}

/* ---- output ---- */

int tn_cli_out(const tn_cli *cli, tn_buf *b) {
    tn_host_clear();
    if (b->failed) {
        tn_buf_reset(b);
        fputs("tern: out of memory while writing the result\n", stderr);
        return EXIT_FAIL;
    }
    int code = EXIT_OK;
    for (size_t i = 0; i < b->len;) {
        ssize_t n = write(STDOUT_FILENO, b->data + i, b->len - i);
        if (n >= 0) {
            i += (size_t)n;
        } else if (errno == EINTR && !tn_interrupted()) {
            continue;
        } else if (errno == EPIPE) {
            break;
        } else {
            code = tn_interrupted() ? EXIT_INTERRUPTED : EXIT_FAIL;
            fprintf(stderr, "tern%s%s: cannot write to standard output: %s\n", cli->cmd ? " " : "",
                    cli->cmd ? cli->cmd->name : "", strerror(errno));
            break;
        }
    }
    tn_buf_reset(b);
    return code;
}

const char *tn_style(const tn_cli *cli, const char *style) {
    static const char *const codes[][2] = {
        {"bold", "\033[1m"},   {"dim", "\033[2m"},   {"red", "\033[31m"},
        {"green", "\033[32m"}, {"cyan", "\033[36m"}, {"reset", "\033[0m"},
    };
    if (!cli->color) return "";
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i][0], style) == 0) return codes[i][1];
    return "";
}

/* ---- names: finding and guessing ---- */

enum { NAME_MAX_LEN = 32 };

/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
static size_t edit_distance(const char *a, const char *b) {
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN) return NAME_MAX_LEN;
    size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
    for (size_t i = 0; i <= na; i++) d[i][0] = i;
    for (size_t j = 0; j <= nb; j++) d[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[na][nb];
}

const char *tn_nearest(const char *name, const char *const *names, size_t n) {
    size_t best = 1 + strlen(name) / 3; /* farther than a third of the word is no guess */
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(name, names[i]);
        if (d < best || (d == best && !found)) {
            best = d;
            found = names[i];
        }
    }
    return found;
}

const tn_command *tn_cli_find(const tn_cli *cli, const char *name) {
    for (const tn_command *const *c = cli->commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

static int unknown_command(const tn_cli *cli, const char *name) {
    const char *names[64];
    size_t n = 0;
    for (const tn_command *const *c = cli->commands; *c && n < 64; c++)
        if (!(*c)->hidden) names[n++] = (*c)->name;
    const char *near = tn_nearest(name, names, n);
    if (near) return tn_cli_usage(cli, "unknown command '%s'; did you mean '%s'?", name, near);
    return tn_cli_usage(cli, "unknown command '%s'", name);
}

/* ---- options ---- */

typedef struct parser {
    tn_cli *cli;
    const tn_opt *opts; /* the command's own */
    size_t n_opts;
    tn_opt common[8];
    size_t n_common;
    char **next, **end; /* rest of argv */
} parser;

static const char *color_mode;
static int64_t n_threads_wanted;
static bool help_wanted;

size_t tn_common_options(tn_cli *cli, tn_opt *opts) {
    const tn_opt all[] = {
        {"json", 0, TN_OPT_FLAG, cli ? &cli->json : NULL, NULL, "machine-readable output"},
        {"quiet", 'q', TN_OPT_FLAG, cli ? &cli->quiet : NULL, NULL, "no progress, warnings only"},
        {"verbose", 'v', TN_OPT_FLAG, cli ? &cli->verbose : NULL, NULL, "say more on stderr"},
        {"color", 0, TN_OPT_STRING, &color_mode, "WHEN",
         "auto (default), always or never; NO_COLOR is heeded"},
        {"threads", 0, TN_OPT_INT, &n_threads_wanted, "N",
         "worker threads (default: one per core); results never depend on it"},
        {"help", 'h', TN_OPT_FLAG, &help_wanted, NULL, "this page"},
    };
    memcpy(opts, all, sizeof all);
    return sizeof all / sizeof *all;
}

static const tn_opt *find_option(const parser *p, const char *name, size_t len, char letter) {
    for (size_t i = 0; i < p->n_opts + p->n_common; i++) {
        const tn_opt *o = i < p->n_opts ? &p->opts[i] : &p->common[i - p->n_opts];
        if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0 : o->letter == letter)
            return o;
    }
    return NULL;
}

static int unknown_option(const parser *p, const char *name) {
    const char *names[TN_OPTS_MAX + 8];
    size_t n = 0;
    for (size_t i = 0; i < p->n_common; i++) names[n++] = p->common[i].name;
    for (size_t i = 0; i < p->n_opts && n < TN_OPTS_MAX + 8; i++) names[n++] = p->opts[i].name;
    const char *near = tn_nearest(name, names, n);
    if (near)
        return tn_cli_usage(p->cli, "unknown option '--%s'; did you mean '--%s'?", name, near);
    return tn_cli_usage(p->cli, "unknown option '--%s'", name);
}

static bool parse_int(const char *text, int64_t *out) {
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || errno || isspace((unsigned char)*text)) return false;
    int shift = *end == 'k' || *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift) end++;
    if (*end || __builtin_mul_overflow(v, 1LL << shift, &v)) return false;
    *out = v;
    return true;
}

static bool parse_float(const char *text, double *out) {
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || v - v != 0) return false;
    *out = v;
    return true;
}

static bool list_add(tn_cli *cli, tn_list *l, const char *text) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        const char **items = tn_arena_alloc(&cli->arena, cap * sizeof *items);
        if (!items) return false;
        if (l->n) memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = text;
    return true;
}

/* NULL, or what the text should have been. */
static const char *set_value(tn_cli *cli, const tn_opt *o, const char *text) {
    switch (o->type) {
    case TN_OPT_FLAG:
        *(bool *)o->dest = true;
        return NULL;
    case TN_OPT_STRING:
        *(const char **)o->dest = text;
        return NULL;
    case TN_OPT_INT:
        return parse_int(text, o->dest) ? NULL : "a whole number";
    case TN_OPT_FLOAT:
        return parse_float(text, o->dest) ? NULL : "a number";
    case TN_OPT_TIME:
        return tn_time_parse(text, strlen(text), o->dest) ? NULL : "a date such as 2024-05-31";
    case TN_OPT_LIST:
        return list_add(cli, o->dest, text) ? NULL : "stored: out of memory";
    }
    return NULL;
}

/* Returns -1, or the exit code of a usage error. */
static int set_option(parser *p, const tn_opt *o, const char *text) {
    const char *wanted = set_value(p->cli, o, text);
    if (!wanted) return -1;
    return tn_cli_usage(p->cli, "option '--%s': '%s' is not %s", o->name, text, wanted);
}

static tn_config_result set_configured(void *ud, const char *name, const char *value) {
    parser *p = ud;
    const tn_opt *o = find_option(p, name, strlen(name), 0);
    if (!o || o->dest == &help_wanted) return TN_CONFIG_UNKNOWN;
    if (o->type != TN_OPT_FLAG) return set_value(p->cli, o, value) ? TN_CONFIG_BAD : TN_CONFIG_OK;
    bool on = strcmp(value, "true") == 0;
    if (!on && strcmp(value, "false") != 0) return TN_CONFIG_BAD;
    *(bool *)o->dest = on;
    return TN_CONFIG_OK;
}

static int long_option(parser *p, const char *arg) {
    const char *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    const tn_opt *o = find_option(p, arg, len, 0);
    if (!o) {
        char name[NAME_MAX_LEN + 1];
        snprintf(name, sizeof name, "%.*s", (int)(len < NAME_MAX_LEN ? len : NAME_MAX_LEN), arg);
        return unknown_option(p, name);
    }
    if (o->type == TN_OPT_FLAG) {
        if (eq) return tn_cli_usage(p->cli, "option '--%s' takes no value", o->name);
        return set_option(p, o, "");
    }
    if (eq) return set_option(p, o, eq + 1);
    if (p->next == p->end)
        return tn_cli_usage(p->cli, "option '--%s' needs a value: %s", o->name, o->arg);
    return set_option(p, o, *p->next++);
}

/* "-k5", "-k 5", "-qv" */
static int short_options(parser *p, const char *letters) {
    for (; *letters; letters++) {
        const tn_opt *o = find_option(p, NULL, 0, *letters);
        if (!o) return tn_cli_usage(p->cli, "unknown option '-%c'", *letters);
        if (o->type == TN_OPT_FLAG) {
            set_option(p, o, "");
            continue;
        }
        if (letters[1]) return set_option(p, o, letters + 1);
        if (p->next == p->end)
            return tn_cli_usage(p->cli, "option '-%c' needs a value: %s", *letters, o->arg);
        return set_option(p, o, *p->next++);
    }
    return -1;
}

static bool want_color(const char *mode) {
    if (strcmp(mode, "always") == 0) return true;
    if (strcmp(mode, "never") == 0) return false;
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && isatty(STDOUT_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static int finish_common(tn_cli *cli) {
    if (strcmp(color_mode, "auto") != 0 && strcmp(color_mode, "always") != 0 &&
        strcmp(color_mode, "never") != 0)
        return tn_cli_usage(cli, "option '--color': '%s' is not auto, always or never", color_mode);
    if (n_threads_wanted < 0 || n_threads_wanted > 1024)
        return tn_cli_usage(cli, "option '--threads': %lld is not within 0 to 1024",
                            (long long)n_threads_wanted);
    cli->color = want_color(color_mode);
    cli->n_threads = cli->host.n_threads = (int)n_threads_wanted;
    return help_wanted ? tn_help_page(cli, cli->cmd) : -1;
}

int tn_cli_parse(tn_cli *cli, int argc, char **argv, const tn_opt *opts, size_t n_opts,
                 size_t args_min, size_t args_max) {
    parser p = {.cli = cli, .opts = opts, .n_opts = n_opts, .next = argv + 1, .end = argv + argc};
    color_mode = "auto";
    n_threads_wanted = 0;
    help_wanted = false;
    p.n_common = tn_common_options(cli, p.common);
    /* A usage error anywhere on the line is told as JSON when the line asks for JSON. */
    for (char **a = p.next; a < p.end && strcmp(*a, "--") != 0; a++)
        if (strcmp(*a, "--json") == 0) cli->json = true;
    int configured = tn_config_apply(cli, set_configured, &p);
    if (configured >= 0) return configured;
    tn_list args = {0};
    bool options_ended = false;
    while (p.next < p.end) {
        const char *arg = *p.next++;
        int code = -1;
        if (options_ended || arg[0] != '-' || !arg[1]) {
            if (!list_add(cli, &args, arg)) return tn_cli_usage(cli, "out of memory");
        } else if (strcmp(arg, "--") == 0) {
            options_ended = true;
        } else {
            code = arg[1] == '-' ? long_option(&p, arg + 2) : short_options(&p, arg + 1);
        }
        if (code >= 0) return code;
    }
    cli->args = args.items;
    cli->n_args = args.n;
    int code = finish_common(cli);
    if (code >= 0) return code;
    if (args.n < args_min)
        return tn_cli_usage(cli, "too few arguments; expected: %s", cli->cmd->synopsis);
    if (args.n > args_max)
        return tn_cli_usage(cli, "unexpected argument '%s'", args.items[args_max]);
    return -1;
}

/* ---- dispatch ---- */

static int print_version(const tn_cli *cli) {
    tn_buf b = {0};
    tn_buf_printf(&b, cli->json ? "{\"version\":\"%s\"}\n" : "tern %s\n", tern_version());
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

static int dispatch(tn_cli *cli, int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli->color = want_color("auto");
        return tn_help_all(cli);
    }
    const tn_command *cmd = tn_cli_find(cli, argv[1]);
    for (int i = 1; !cmd && i < argc; i++) cli->json |= strcmp(argv[i], "--json") == 0;
    if (strcmp(argv[1], "--version") == 0) return print_version(cli);
    if (!cmd) return unknown_command(cli, argv[1]);
    cli->cmd = cmd;
    return cmd->run(cli, argc - 1, argv + 1);
}

int tn_cli_main(int argc, char **argv, const tn_command *const *commands) {
    tn_cli cli = {.commands = commands};
    tn_host_init(&cli);
    int code = dispatch(&cli, argc, argv);
    tn_host_end(&cli);
    tn_arena_deinit(&cli.arena);
    return code;
}
