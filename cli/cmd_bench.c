/* cmd_bench.c - `tern bench`: run a benchmark program that stands beside this one. Benchmarks are
 * programs of their own (bench/bench_<name>.c), so that their peers' libraries stay out of tern. */
#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { NAMES_MAX = 64 };

typedef struct listing {
    char *paths[NAMES_MAX]; /* folder/bench_name */
    size_t n;
} listing;

static const char *name_of(const char *path) {
    return tn_path_base(path) + strlen("bench_");
}

static int by_name(const void *a, const void *b) {
    return strcmp(name_of(*(char *const *)a), name_of(*(char *const *)b));
}

static bool has(const listing *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(name_of(l->paths[i]), name) == 0) return true;
    return false;
}

static void add_folder(listing *l, const char *folder) {
    DIR *d = opendir(folder);
    if (!d) return;
    for (struct dirent *e; l->n < NAMES_MAX && (e = readdir(d));) {
        if (strncmp(e->d_name, "bench_", 6) != 0 || strchr(e->d_name, '.') || has(l, e->d_name + 6))
            continue;
        char *path = tn_path_join(folder, e->d_name);
        if (path && !tn_is_dir(path) && access(path, X_OK) == 0)
            l->paths[l->n++] = path;
        else
            tn_free(path);
    }
    closedir(d);
}

/* The build tree keeps them in bench/ beside the program, an installation in libexec/tern. */
static void find_benchmarks(listing *l) {
    static const char *const folders[] = {"bench", ".", "../libexec/tern"};
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return;
    self[n] = '\0';
    self[tn_path_base(self) - self] = '\0';
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *folder = tn_path_join(self, folders[i]);
        if (folder) add_folder(l, folder);
        tn_free(folder);
    }
    qsort(l->paths, l->n, sizeof *l->paths, by_name);
}

static void listing_deinit(listing *l) {
    for (size_t i = 0; i < l->n; i++) tn_free(l->paths[i]);
}

static int show(const tn_cli *cli, const listing *l) {
    tn_buf b = {0};
    tn_buf_str(&b, cli->json ? "{\"benchmarks\":[" : "");
    for (size_t i = 0; i < l->n; i++) {
        const char *name = name_of(l->paths[i]);
        if (!cli->json) {
            tn_buf_printf(&b, "%s\n", name);
            continue;
        }
        if (i) tn_buf_char(&b, ',');
        tn_json_escape(name, strlen(name), &b);
    }
    tn_buf_str(&b, cli->json ? "]}\n" : "");
    if (!l->n) tn_log(cli, TERN_LOG_INFO, "no benchmarks here; build with -DTERN_BENCH=ON");
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

/* Become the benchmark: it gets the rest of the line, its exit code is ours. */
static int start(tn_cli *cli, const listing *l, const char *name, char **argv) {
    const char *names[NAMES_MAX];
    for (size_t i = 0; i < l->n; i++) {
        names[i] = name_of(l->paths[i]);
        if (strcmp(names[i], name) != 0) continue;
        signal(SIGPIPE, SIG_DFL);
        argv[0] = l->paths[i];
        execv(l->paths[i], argv);
        tern_error err;
        tn_fail_errno(&err, errno, l->paths[i], "cannot run");
        return tn_cli_fail(cli, &err);
    }
    const char *near = tn_nearest(name, names, l->n);
    return tn_cli_usage(cli, "no benchmark '%s'%s%s%s; 'tern bench' lists them", name,
                        near ? ": did you mean '" : "", near ? near : "", near ? "'" : "");
}

static int run(tn_cli *cli, int argc, char **argv) {
    listing l = {0};
    int code;
    if (argc > 1 && argv[1][0] != '-') {
        for (int i = 2; i < argc; i++) cli->json |= strcmp(argv[i], "--json") == 0;
        find_benchmarks(&l);
        code = start(cli, &l, argv[1], argv + 1);
    } else {
        code = tn_cli_parse(cli, argc, argv, NULL, 0, 0, 0);
        if (code >= 0) return code;
        find_benchmarks(&l);
        code = show(cli, &l);
    }
    listing_deinit(&l);
    return code;
}

const tn_command tn_cmd_bench = {
    .name = "bench",
    .synopsis = "[NAME [ARGUMENT...]]",
    .summary = "run a benchmark, or list them",
    .details =
        "Benchmarks are programs of their own, found beside this one or in libexec/tern; the rest\n"
        "of the line goes to them ('tern bench NAME --help' is their page). With --json they "
        "print\n"
        "a line per measurement: {\"name\",\"value\",\"unit\"} and, where they exist, \"peer\",\n"
        "\"peer_value\", \"ratio\", \"limit\", \"fraction\". Without NAME: what there is to run.",
    .run = run,
    .examples = "tern bench\ntern bench search --json",
};
