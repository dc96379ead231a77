/* cmd_doctor.c - `tern doctor`: what the machine offers, which libraries answer, is an index well?
 */
#include "cli/cli.h"
#include "cli/libraries.h"
#include "core/base/json.h"
#include "core/base/pool.h"
#include "core/kernels/cpu.h"
#include "core/kernels/gemm.h"
#include "tern/version.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct { bool deep; } args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    opts[0] = (tn_opt){"deep",     'd',  TN_OPT_FLAG,
                       &args.deep, NULL, "read every byte of the index and check every checksum"};
    return 1;
}

/* ---- the machine ---- */

/* "MemAvailable:  123 kB" of /proc/meminfo, in bytes; 0 if it cannot be read. */
static uint64_t memory_of(const char *key) {
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f) return 0;
    char line[256];
    unsigned long long kib = 0;
    size_t n = strlen(key);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, n) == 0 && sscanf(line + n, ": %llu kB", &kib) == 1) break;
    fclose(f);
    return (uint64_t)kib * 1024;
}

static size_t cpu_features(const char *names[], size_t cap) {
    const tn_cpu *c = tn_cpu_get();
    size_t n = 0;
#define ADD(field, text)                                                                           \
    if (c->field && n < cap) names[n++] = text;
    TN_CPU_FEATURES(ADD)
#undef ADD
    return n;
}

static void add_machine_json(tn_buf *b) {
    const tn_cpu *c = tn_cpu_get();
    const char *features[32];
    size_t n = cpu_features(features, 32);
    tn_buf_printf(b, "\"version\":\"%s\",\"cpu\":{\"name\":", tern_version());
    tn_json_escape(c->name, strlen(c->name), b);
    tn_buf_printf(b, ",\"level\":\"%s\",\"best_level\":\"%s\",\"features\":[",
                  tn_cpu_level_name(c->used), tn_cpu_level_name(c->best));
    for (size_t i = 0; i < n; i++) tn_buf_printf(b, "%s\"%s\"", i ? "," : "", features[i]);
    size_t n_classes;
    const tn_gemm_class *classes = tn_gemm_table(&n_classes);
    tn_buf_printf(b, "]},\"products\":{\"id\":\"%s\",\"kernels\":{", tn_gemm_id());
    for (size_t i = 0; i < n_classes; i++)
        tn_buf_printf(b, "%s\"%s\":\"%s\"", i ? "," : "", classes[i].products, classes[i].kernel);
    tn_buf_printf(b, "}},\"cores\":%d,\"cores_online\":%ld,", tn_cpu_count(),
                  sysconf(_SC_NPROCESSORS_ONLN));
    tn_buf_printf(b, "\"memory_bytes\":%llu,\"memory_available_bytes\":%llu",
                  (unsigned long long)memory_of("MemTotal"),
                  (unsigned long long)memory_of("MemAvailable"));
}

static void add_row(const tn_cli *cli, tn_buf *b, const char *name) {
    tn_buf_printf(b, "%s%-14s%s", tn_style(cli, "bold"), name, tn_style(cli, "reset"));
}

static void add_machine_text(const tn_cli *cli, tn_buf *b) {
    const tn_cpu *c = tn_cpu_get();
    const char *features[32];
    size_t n = cpu_features(features, 32);
    add_row(cli, b, "tern");
    tn_buf_printf(b, "%s\n", tern_version());
    add_row(cli, b, "processor");
    tn_buf_printf(b, "%s, kernels %s", *c->name ? c->name : "unnamed", tn_cpu_level_name(c->used));
    if (c->used != c->best)
        tn_buf_printf(b, " (TERN_CPU; it can do %s)", tn_cpu_level_name(c->best));
    tn_buf_char(b, '\n');
    add_row(cli, b, "");
    for (size_t i = 0; i < n; i++) tn_buf_printf(b, "%s%s", i ? " " : "", features[i]);
    tn_buf_char(b, '\n');
    add_row(cli, b, "products");
    tn_buf_printf(b, "%s\n", tn_gemm_id());
    size_t n_classes;
    const tn_gemm_class *classes = tn_gemm_table(&n_classes);
    for (size_t i = 0; i < n_classes; i++) {
        add_row(cli, b, "");
        tn_buf_printf(b, "%-13s %s\n", classes[i].products, classes[i].kernel);
    }
    add_row(cli, b, "threads");
    tn_buf_printf(b, "%d of %ld cores may be used\n", tn_cpu_count(),
                  sysconf(_SC_NPROCESSORS_ONLN));
    add_row(cli, b, "memory");
    tn_add_bytes(b, memory_of("MemAvailable"));
    tn_buf_str(b, " available of ");
    tn_add_bytes(b, memory_of("MemTotal"));
    tn_buf_str(b, "\n\n");
}

/* ---- the libraries ---- */

static size_t add_libraries(const tn_cli *cli, tn_buf *b) {
    tn_library libraries[TN_LIBRARIES_MAX];
    size_t n = tn_libraries(libraries), n_bad = 0;
    if (cli->json) tn_buf_str(b, ",\"libraries\":[");
    for (size_t i = 0; i < n; i++) {
        const tn_library *l = &libraries[i];
        n_bad += l->bad;
        if (cli->json) {
            tn_buf_printf(b, "%s{\"name\":\"%s\",\"version\":", i ? "," : "", l->name);
            tn_json_escape(l->version, strlen(l->version), b);
            tn_buf_printf(b, ",\"ok\":%s,\"note\":", l->bad ? "false" : "true");
            tn_json_escape(l->note, strlen(l->note), b);
            tn_buf_char(b, '}');
        } else {
            add_row(cli, b, l->name);
            tn_buf_printf(b, "%s%s%s", l->bad ? tn_style(cli, "red") : "", l->version,
                          l->bad ? tn_style(cli, "reset") : "");
            tn_buf_printf(b, "%s%s%s\n", *l->note ? " (" : "", l->note, *l->note ? ")" : "");
        }
    }
    if (cli->json) tn_buf_char(b, ']');
    return n_bad;
}

/* ---- the index ---- */

static void add_stats_json(const char *dir, const tern_index_stats *s, tn_buf *b) {
    tn_buf_str(b, ",\"index\":{\"dir\":");
    tn_json_escape(dir, strlen(dir), b);
    tn_buf_printf(b, ",\"passages\":%llu,\"documents\":%llu,\"tombstones\":%llu,\"terms\":%llu,",
                  (unsigned long long)s->n_passages, (unsigned long long)s->n_documents,
                  (unsigned long long)s->n_tombstones, (unsigned long long)s->n_terms);
    tn_buf_printf(b, "\"segments\":%u,\"bytes\":%llu,\"generation\":%llu,\"hash\":\"%s\",",
                  s->n_segments, (unsigned long long)s->n_bytes, (unsigned long long)s->generation,
                  s->hash);
    tn_buf_printf(b, "\"language\":\"%s\",\"embedder\":\"%s\",\"vectors\":\"%s\",\"dim\":%u",
                  s->language, s->embedder, s->vectors, s->dim);
}

static void add_stats_text(const tn_cli *cli, const char *dir, const tern_index_stats *s,
                           tn_buf *b) {
    tn_buf_char(b, '\n');
    add_row(cli, b, "index");
    tn_buf_printf(b, "%s, generation %llu, hash %s\n", dir, (unsigned long long)s->generation,
                  s->hash);
    add_row(cli, b, "");
    tn_add_count(b, s->n_passages);
    tn_buf_str(b, " passages of ");
    tn_add_count(b, s->n_documents);
    tn_buf_str(b, " documents, ");
    tn_add_count(b, s->n_terms);
    tn_buf_printf(b, " terms in %u segment%s, ", s->n_segments, s->n_segments == 1 ? "" : "s");
    tn_add_bytes(b, s->n_bytes);
    tn_buf_char(b, '\n');
    if (s->n_tombstones) {
        add_row(cli, b, "");
        tn_add_count(b, s->n_tombstones);
        tn_buf_str(b, " removed passages still take room; 'tern compact' gives it back\n");
    }
    add_row(cli, b, "");
    tn_buf_printf(b, "language %s, vectors %s", s->language, s->dim ? s->embedder : "none");
    if (s->dim) tn_buf_printf(b, " of %u dimensions, %s", s->dim, s->vectors);
    tn_buf_char(b, '\n');
}

/* Returns EXIT_OK, or the exit code of what is wrong; fills b as far as it got. */
static int add_index(const tn_cli *cli, const char *dir, tn_buf *b) {
    tern_index *ix;
    int code = tn_cli_open_index(cli, dir, &ix);
    if (code >= 0) return code;
    tern_index_stats stats = tern_index_get_stats(ix);
    tern_index_close(ix);
    if (cli->json)
        add_stats_json(dir, &stats, b);
    else
        add_stats_text(cli, dir, &stats, b);
    uint64_t n_defects = 0;
    tern_error err = {0};
    if (args.deep && tern_index_check(dir, &cli->host, &n_defects, &err) != TERN_OK)
        return tn_cli_fail(cli, &err);
    if (cli->json) {
        tn_buf_printf(b, ",\"checked\":%s,\"defects\":%llu}", args.deep ? "true" : "false",
                      (unsigned long long)n_defects);
    } else {
        add_row(cli, b, "");
        if (n_defects)
            tn_buf_printf(b, "%s%llu defects%s: rebuild it from its documents\n",
                          tn_style(cli, "red"), (unsigned long long)n_defects,
                          tn_style(cli, "reset"));
        else
            tn_buf_str(b, args.deep ? "every byte was read, no defects\n"
                                    : "opens; --deep reads every byte\n");
    }
    return n_defects ? EXIT_INDEX : EXIT_OK;
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[1];
    size_t n_opts = options(opts, 1);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 0, 1);
    if (code >= 0) return code;
    if (args.deep && !cli->n_args) return tn_cli_usage(cli, "--deep needs the DIR of an index");
    tn_buf b = {0}, index = {0};
    if (cli->n_args) code = add_index(cli, cli->args[0], &index);
    /* An index that cannot be opened has been told as the one JSON object of the output. */
    if (code > EXIT_OK && index.len == 0 && cli->json) {
        tn_buf_deinit(&index);
        return code;
    }
    tn_buf_str(&b, cli->json ? "{" : "");
    if (cli->json)
        add_machine_json(&b);
    else
        add_machine_text(cli, &b);
    size_t n_bad = add_libraries(cli, &b);
    tn_buf_add(&b, index.data ? index.data : "", index.len);
    tn_buf_str(&b, cli->json ? "}\n" : "");
    if (tn_cpu_get()->cap_unknown)
        tn_log(cli, TERN_LOG_WARN, "TERN_CPU names no level; ref, avx2, avx512 and amx are known");
    int written = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    tn_buf_deinit(&index);
    if (code > EXIT_OK) return code;
    return n_bad || written != EXIT_OK ? EXIT_FAIL : EXIT_OK;
}

const tn_command tn_cmd_doctor = {
    .name = "doctor",
    .synopsis = "[DIR]",
    .summary = "check the machine, the libraries, and an index",
    .details =
        "Shows the processor's features and the kernels they allow (TERN_CPU caps them), threads,\n"
        "memory, and the libraries in use. The serial build of OpenBLAS is refused: it gives "
        "wrong\n"
        "results under concurrent calls, and the program fails with what to install instead.\n"
        "\n"
        "With DIR, opens the index and shows what is in it; with --deep, reads every byte and\n"
        "checks every checksum and cross-reference. Each defect is named by file and offset on\n"
        "stderr, and the exit code is 4.",
    .run = run,
    .options = options,
    .examples = "tern doctor\ntern doctor docs.tern --deep\ntern doctor docs.tern --json",
};
