/* index_report.c - see index_report.h. */
#include "cli/index_report.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "retriever/store/manifest.h"
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"

static void add_json(const char *dir, const tern_index_report *r, tn_buf *b) {
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"added", r->n_added},       {"replaced", r->n_replaced},     {"unchanged", r->n_unchanged},
        {"removed", r->n_removed},   {"passages", r->n_passages},     {"bad", r->n_bad},
        {"repaired", r->n_repaired}, {"duplicates", r->n_duplicates}, {"bytes", r->n_bytes}};
    tn_buf_str(b, "{\"index\":");
    tn_json_escape(dir, strlen(dir), b);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        tn_buf_printf(b, ",\"%s\":%" PRIu64, fields[i].name, fields[i].value);
    tn_buf_printf(b, ",\"seconds\":%.6f}\n", r->seconds);
}

static void add_part(tn_buf *b, uint64_t n, const char *one, const char *many) {
    if (n == 0) return;
    tn_buf_str(b, ", ");
    tn_add_count(b, n);
    tn_buf_printf(b, " %s", n == 1 ? one : many);
}

static void add_line(const char *dir, const tern_index_report *r, tn_buf *b) {
    tn_buf_printf(b, "%s: ", dir);
    tn_add_count(b, r->n_passages);
    tn_buf_str(b, r->n_passages == 1 ? " passage" : " passages");
    add_part(b, r->n_added, "document added", "documents added");
    add_part(b, r->n_replaced, "replaced", "replaced");
    add_part(b, r->n_unchanged, "unchanged", "unchanged");
    add_part(b, r->n_removed, "removed", "removed");
    add_part(b, r->n_duplicates, "duplicate", "duplicates");
    add_part(b, r->n_repaired, "with invalid UTF-8 repaired", "with invalid UTF-8 repaired");
    add_part(b, r->n_bad, "line or file skipped", "lines or files skipped");
    tn_buf_str(b, "; ");
    if (r->n_bytes) {
        tn_add_bytes(b, r->n_bytes);
        tn_buf_str(b, " in ");
    }
    tn_buf_printf(b, "%.2f s\n", r->seconds);
}

int tn_print_report(const tn_cli *cli, const char *dir, const tern_index_report *r) {
    tn_buf b = {0};
    if (cli->json)
        add_json(dir, r, &b);
    else if (!cli->quiet)
        add_line(dir, r, &b);
    int code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    return code;
}

int tn_index_fail(const tn_cli *cli, const char *dir, const tern_error *err) {
    int code = tn_cli_fail(cli, err);
    if (err->status != TERN_ERR_NOT_FOUND) return code;
    char *manifest = tn_path_join(dir, TN_MANIFEST_FILE);
    bool has_index = manifest && tn_file_exists(manifest);
    tn_free(manifest);
    return has_index ? code : EXIT_INDEX;
}
