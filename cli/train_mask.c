/* train_mask.c - see train_mask.h. */
#include "cli/train_mask.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "trainer/mask_recall.h"
#include <string.h>

#include "core/base/mem.h"

static double percent(size_t n, size_t of) {
    return of ? 100.0 * (double)n / (double)of : 0;
}

static void add_row(tn_buf *b, const char *name, const tn_mask_count *c) {
    tn_buf_printf(b, "%-28.28s %8zu %8.1f %8.1f %8.1f", name, c->n_marked,
                  percent(c->n_whole, c->n_marked), percent(c->n_letters_hidden, c->n_letters),
                  percent(c->n_touched, c->n_marked));
}

static void add_table(tn_buf *b, const char *path, const tn_mask_recall *r) {
    add_row(b, tn_path_base(path), &r->all);
    tn_buf_printf(b, " %9.1f\n", percent(r->n_spans_right, r->n_spans));
    for (size_t i = 0; i < r->n_types; i++) {
        char name[TN_MASK_TYPE_BYTES + 2] = "  ";
        strcat(name, r->types[i].name);
        add_row(b, name, &r->types[i].count);
        tn_buf_char(b, '\n');
    }
}

static void add_count(tn_buf *b, const tn_mask_count *c) {
    tn_buf_printf(b,
                  "{\"marked\":%zu,\"whole\":%zu,\"touched\":%zu,\"letters\":%zu,"
                  "\"letters_hidden\":%zu}",
                  c->n_marked, c->n_whole, c->n_touched, c->n_letters, c->n_letters_hidden);
}

static void add_json(tn_buf *b, const char *path, const tn_mask_recall *r) {
    tn_buf_str(b, "{\"file\":");
    tn_json_escape(path, strlen(path), b);
    tn_buf_printf(b, ",\"texts\":%zu,\"unplaced\":%zu,\"spans\":%zu,\"spans_right\":%zu,\"all\":",
                  r->n_texts, r->n_unplaced, r->n_spans, r->n_spans_right);
    add_count(b, &r->all);
    tn_buf_str(b, ",\"types\":{");
    for (size_t i = 0; i < r->n_types; i++) {
        if (i) tn_buf_char(b, ',');
        tn_json_escape(r->types[i].name, strlen(r->types[i].name), b);
        tn_buf_char(b, ':');
        add_count(b, &r->types[i].count);
    }
    tn_buf_str(b, "}}\n");
}

static tern_status learn_titles(const tn_cli *cli, const char *titles, tn_masker *m, int *code,
                                tern_error *err) {
    tern_index *ix = NULL;
    *code = tn_cli_open_index(cli, titles, &ix);
    if (*code >= 0) return TERN_OK;
    tern_status st = tn_masker_add_index(m, ix, err);
    tern_index_close(ix);
    return st;
}

int tn_train_mask(tn_cli *cli, const char *titles, bool lower) {
    tn_masker *m = NULL;
    tn_buf b = {0};
    tern_error err = {0};
    int code = -1;
    tern_status st = tn_masker_new(&m, &err);
    if (st == TERN_OK && titles) st = learn_titles(cli, titles, m, &code, &err);
    if (st == TERN_OK && code < 0 && !cli->json)
        tn_buf_printf(&b, "%s%-28s %8s %8s %8s %8s %9s%s\n", tn_style(cli, "bold"), "hidden, %",
                      "marked", "whole", "letters", "touched", "precision", tn_style(cli, "reset"));
    for (size_t i = 1; i < cli->n_args && st == TERN_OK && code < 0; i++) {
        tn_mask_recall r;
        st = tn_mask_recall_file(m, cli->args[i], lower, &r, &err);
        if (st != TERN_OK) break;
        if (cli->json)
            add_json(&b, cli->args[i], &r);
        else
            add_table(&b, cli->args[i], &r);
    }
    if (st != TERN_OK)
        code = tn_cli_fail(cli, &err);
    else if (code < 0)
        code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    tn_masker_free(m);
    return code;
}
