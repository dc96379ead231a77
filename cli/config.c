/* config.c - defaults of one's own: $XDG_CONFIG_HOME/tern/config (~/.config/tern/config), lines
 * "option = value" or "command.option = value", '#' for a comment. The command line wins. An option
 * without a command is a default for every command that has it. */
#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* The path, or false where neither variable is set. XDG says: an empty or relative one is ignored.
 */
static bool config_path(tn_buf *path) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        tn_buf_printf(path, "%s/tern/config", xdg);
    else if (home && *home == '/')
        tn_buf_printf(path, "%s/.config/tern/config", home);
    return path->len && !path->failed;
}

typedef struct setting {
    char *scope, *name, *value; /* scope "": every command */
} setting;

/* Cuts the line in place. false: it is no setting. */
static bool cut_setting(char *line, setting *s) {
    char *eq = strchr(line, '=');
    if (!eq) return false;
    *eq = '\0';
    const char *left = line, *right = eq + 1;
    size_t n_left = strlen(left), n_right = strlen(right);
    tn_trim(&left, &n_left);
    tn_trim(&right, &n_right);
    s->name = line + (left - line);
    s->name[n_left] = '\0';
    s->value = eq + 1 + (right - (eq + 1));
    s->value[n_right] = '\0';
    s->scope = s->name + n_left; /* "" */
    char *dot = strchr(s->name, '.');
    if (dot) {
        *dot = '\0';
        s->scope = s->name;
        s->name = dot + 1;
    }
    return *s->name != '\0';
}

static bool is_blank_or_comment(const char *line) {
    line += strspn(line, " \t\r");
    return *line == '\0' || *line == '#';
}

static int apply_line(const tn_cli *cli, const char *path, size_t no, char *line,
                      tn_config_fn *apply, void *ud) {
    setting s;
    if (is_blank_or_comment(line)) return -1;
    if (!cut_setting(line, &s))
        return tn_cli_usage(cli, "%s:%zu: expected 'option = value'", path, no);
    if (*s.scope && !tn_cli_find(cli, s.scope))
        return tn_cli_usage(cli, "%s:%zu: there is no command '%s'", path, no, s.scope);
    if (*s.scope && strcmp(s.scope, cli->cmd->name) != 0) return -1;
    switch (apply(ud, s.name, s.value)) {
    case TN_CONFIG_OK:
        return -1;
    case TN_CONFIG_BAD:
        return tn_cli_usage(cli, "%s:%zu: '%s' is no value for '%s'", path, no, s.value, s.name);
    case TN_CONFIG_UNKNOWN:
        break;
    }
    if (!*s.scope) return -1; /* meant for other commands */
    return tn_cli_usage(cli, "%s:%zu: '%s' has no option '%s'", path, no, s.scope, s.name);
}

int tn_config_apply(tn_cli *cli, tn_config_fn *apply, void *ud) {
    tn_buf path = {0}, file = {0};
    tern_error err;
    int code = -1;
    if (config_path(&path)) {
        tern_status status = tn_file_read(tn_buf_cstr(&path), CONFIG_BYTES_MAX, &file, &err);
        if (status != TERN_OK && err.os_code == EACCES) /* HOME of another user, as under sudo -u */
            tn_log(cli, TERN_LOG_WARN, "%s; its settings do not apply", err.text);
        else if (status != TERN_OK && status != TERN_ERR_NOT_FOUND)
            code = tn_cli_fail(cli, &err);
    }
    /* Option values are views: they must live as long as the command. */
    char *text = file.len ? tn_arena_strndup(&cli->arena, file.data, file.len) : NULL;
    for (size_t no = 1; text && code < 0; no++) {
        char *end = strchr(text, '\n');
        if (end) *end = '\0';
        code = apply_line(cli, tn_buf_cstr(&path), no, text, apply, ud);
        text = end ? end + 1 : NULL;
    }
    tn_buf_deinit(&file);
    tn_buf_deinit(&path);
    return code;
}
