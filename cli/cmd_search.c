/* cmd_search.c - `tern search`: one query, ranked passages. */
#include "cli/cli.h"
#include "cli/query_opts.h"
#include "cli/snippet.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/mem.h"

static struct {
    int64_t k;
    bool explain, full;
    tn_query_args query;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    args.k = 10;
    const tn_opt own[] = {
        {"top-k", 'k', TN_OPT_INT, &args.k, "N", "hits wanted (default 10)"},
        {"explain", 'e', TN_OPT_FLAG, &args.explain, NULL, "show every part of each score"},
        {"full", 'f', TN_OPT_FLAG, &args.full, NULL, "show whole passages instead of snippets"},
    };
    memcpy(opts, own, sizeof own);
    size_t n = sizeof own / sizeof *own;
    return n + tn_query_options(&args.query, opts + n);
}

typedef struct found {
    tern_index *ix;
    tern_searcher *searcher;
    tern_search_opts opts;
    const char *query;
    tern_hit *hits;
    size_t n_hits;
} found;

/* ---- JSON ---- */

static void add_member(tn_buf *b, const char *key, const char *text) {
    tn_buf_printf(b, ",\"%s\":", key);
    tn_json_escape(text, strlen(text), b);
}

static void add_optional(tn_buf *b, const char *key, const char *text) {
    if (*text) add_member(b, key, text);
}

static void add_passage(tn_buf *b, const tern_passage *p) {
    add_member(b, "id", p->id);
    add_member(b, "doc_id", p->doc_id);
    add_member(b, "title", p->title);
    add_optional(b, "section", p->section);
    add_member(b, "text", p->text);
    tn_buf place = {0};
    tn_add_place(&place, p);
    add_member(b, "source", tn_buf_cstr(&place));
    tn_buf_deinit(&place);
    add_member(b, "file", p->source);
    tn_buf_printf(b, ",\"lines\":[%u,%u],\"bytes\":[%llu,%llu]", p->line_begin, p->line_end,
                  (unsigned long long)p->byte_begin, (unsigned long long)p->byte_end);
    if (p->page) tn_buf_printf(b, ",\"page\":%u", p->page);
    if (p->time != TERN_NO_TIME) {
        char time[32];
        tn_time_format(p->time, time);
        add_member(b, "time", time);
    }
    if (*p->meta) tn_buf_printf(b, ",\"meta\":%s", p->meta);
}

static tern_status add_explanation(const found *f, const tern_hit *hit, tn_buf *b,
                                   tern_error *err) {
    char *json;
    tern_status status =
        tern_search_explain(f->searcher, f->query, strlen(f->query), &f->opts, hit, &json, err);
    if (status != TERN_OK) return status;
    tn_buf_str(b, json);
    tern_string_free(json);
    return TERN_OK;
}

static tern_status add_json(const found *f, tn_buf *b, tern_error *err) {
    tn_buf_str(b, "{\"query\":");
    tn_json_escape(f->query, strlen(f->query), b);
    tn_buf_printf(b, ",\"mode\":\"%s\",\"hits\":[", tn_mode_name(f->opts.mode));
    for (size_t i = 0; i < f->n_hits; i++) {
        const tern_hit *h = &f->hits[i];
        tern_passage p;
        tern_status status = tern_index_passage(f->ix, h->ref, &p, err);
        if (status != TERN_OK) return status;
        tn_buf_printf(b, "%s{\"rank\":%zu,\"score\":%.9g", i ? "," : "", i + 1, (double)h->score);
        add_passage(b, &p);
        if (args.explain) {
            tn_buf_str(b, ",\"explain\":");
            status = add_explanation(f, h, b, err);
            if (status != TERN_OK) return status;
        }
        tn_buf_char(b, '}');
    }
    tn_buf_str(b, "]}\n");
    return TERN_OK;
}

/* ---- for people ---- */

static size_t screen_columns(void) {
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40) return 80;
    return w.ws_col < 120 ? w.ws_col : 120;
}

static void add_heading(const tn_cli *cli, size_t rank, const tern_hit *h, const tern_passage *p,
                        tn_buf *b) {
    const char *title = *p->title ? p->title : p->id;
    tn_buf_printf(b, "%s%2zu. ", tn_style(cli, "bold"), rank);
    tn_add_plain(b, title, strlen(title));
    tn_buf_str(b, tn_style(cli, "reset"));
    if (*p->section && strcmp(p->section, title) != 0) {
        tn_buf_str(b, " > ");
        tn_add_plain(b, p->section, strlen(p->section));
    }
    tn_buf_printf(b, "  %s(", tn_style(cli, "cyan"));
    tn_add_place(b, p);
    tn_buf_printf(b, ")%s", tn_style(cli, "reset"));
    if (p->time != TERN_NO_TIME) {
        char time[32];
        tn_time_format(p->time, time);
        tn_buf_printf(b, "  %s", time);
    }
    tn_buf_printf(b, "  %s%.4g%s\n", tn_style(cli, "dim"), (double)h->score,
                  tn_style(cli, "reset"));
}

/* The explanation, a member a line. */
static tern_status add_parts(const found *f, const tern_hit *h, tn_buf *b, tern_error *err) {
    tn_buf json = {0};
    json_t *v = NULL;
    tern_status status = add_explanation(f, h, &json, err);
    if (status == TERN_OK) status = tn_json_parse(tn_buf_cstr(&json), json.len, &v, err);
    if (status == TERN_OK) {
        tn_buf_reset(&json);
        tn_json_dump_pretty(v, &json);
        const char *line = tn_buf_cstr(&json);
        for (size_t n; *line; line += n + (line[n] == '\n')) {
            n = strcspn(line, "\n");
            tn_buf_printf(b, "    %.*s\n", (int)n, line);
        }
    }
    json_decref(v);
    tn_buf_deinit(&json);
    return status;
}

static tern_status add_text(const tn_cli *cli, const found *f, tn_buf *b, tern_error *err) {
    tn_snippets *snippets;
    tern_index_stats stats = tern_index_get_stats(f->ix);
    tern_status status = tn_snippets_new(stats.language, f->query, &snippets, err);
    if (status != TERN_OK) return status;
    size_t columns = screen_columns();
    for (size_t i = 0; i < f->n_hits && status == TERN_OK; i++) {
        tern_passage p;
        status = tern_index_passage(f->ix, f->hits[i].ref, &p, err);
        if (status != TERN_OK) break;
        add_heading(cli, i + 1, &f->hits[i], &p, b);
        size_t width = args.full ? p.text_len : 3 * columns;
        status = tn_snippet(snippets, cli, p.text, p.text_len, width, columns, 4, b, err);
        if (status == TERN_OK && args.explain) status = add_parts(f, &f->hits[i], b, err);
    }
    tn_snippets_free(snippets);
    return status;
}

/* ---- the command ---- */

static tern_status search(found *f, tern_error *err) {
    uint32_t n_refs = tern_index_n_refs(f->ix);
    if (f->opts.k > n_refs) f->opts.k = n_refs ? n_refs : 1;
    f->hits = tn_alloc(f->opts.k * sizeof *f->hits);
    if (!f->hits) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu hits", f->opts.k);
    tern_status status = tern_searcher_new(f->ix, &f->searcher, err);
    if (status != TERN_OK) return status;
    if (f->opts.mode == TERN_MODE_DEFAULT) f->opts.mode = tern_searcher_default_mode(f->searcher);
    return tern_search(f->searcher, f->query, strlen(f->query), &f->opts, f->hits, &f->n_hits, err);
}

/* The words after DIR, joined: quoting a query is a choice, not a duty. */
static void join_query(const tn_cli *cli, tn_buf *b) {
    for (size_t i = 1; i < cli->n_args; i++) {
        if (i > 1) tn_buf_char(b, ' ');
        tn_utf8_repair(cli->args[i], strlen(cli->args[i]), b);
    }
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 2, SIZE_MAX);
    if (code >= 0) return code;
    found f = {0};
    code = tn_query_opts_from(cli, &args.query, &f.opts);
    if (code >= 0) return code;
    if (args.k < 1 || args.k > 1000000)
        return tn_cli_usage(cli, "option '--top-k': %lld is not within 1 to 1000000",
                            (long long)args.k);
    f.opts.k = (size_t)args.k;
    code = tn_cli_open_index(cli, cli->args[0], &f.ix);
    if (code >= 0) return code;
    tn_buf query = {0}, out = {0};
    join_query(cli, &query);
    f.query = tn_buf_cstr(&query);
    tern_error err = {0};
    tern_status status = tn_buf_status(&query, &err);
    if (status == TERN_OK) status = tn_query_opts_load(cli, &args.query, &f.opts, &err);
    if (status == TERN_OK) status = search(&f, &err);
    if (status == TERN_OK)
        status = cli->json ? add_json(&f, &out, &err) : add_text(cli, &f, &out, &err);
    if (status != TERN_OK) {
        code = tn_cli_fail(cli, &err);
    } else {
        if (!f.n_hits && !cli->json) tn_log(cli, TERN_LOG_INFO, "no passage matches");
        code = tn_cli_out(cli, &out);
    }
    tn_buf_deinit(&out);
    tn_buf_deinit(&query);
    tn_free(f.hits);
    tern_searcher_free(f.searcher);
    tern_index_close(f.ix);
    tn_query_opts_close(&args.query);
    return code;
}

const tn_command tn_cmd_search = {
    .name = "search",
    .synopsis = "DIR QUERY...",
    .summary = "rank the passages of an index for a query",
    .details =
        "Prints the best passages with their title, place (file:line, or page of a PDF), score "
        "and\n"
        "the lines around the query's words. \"Quoted words\" must stand next to each other.\n"
        "Filters (--as-of, --since, --where) apply before ranking, so k hits come back whenever k\n"
        "passages match. No hit is not an error.\n"
        "\n"
        "With --json: "
        "{\"query\",\"mode\",\"hits\":[{\"rank\",\"score\",\"id\",\"doc_id\",\"title\",\"text\",\n"
        "\"source\",...}]}; \"source\" is what a person would read, \"file\", \"lines\" and "
        "\"bytes\" are\n"
        "its parts.",
    .run = run,
    .options = options,
    .examples = "tern search docs.tern how are segments merged\n"
                "tern search docs.tern '\"two writers\" lock' -k 3 --explain\n"
                "tern search docs.tern tidal gauges --reranker models/ms-marco-MiniLM-L6 "
                "--rerank-depth 30\n"
                "tern search news.tern prime minister --as-of 2019-06 --where lang=en --json",
};
