/* cmd_serve.c - `tern serve`: answer retrieval requests over HTTP until told to stop. */
#include "cli/cli.h"
#include "cli/query_opts.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tern/serve.h"
#include <stdio.h>
#include <string.h>

static struct {
    const char *host;
    int64_t port, k, k_max, in_flight, body_max, timeout;
    bool reload;
    tn_query_args query;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    tern_server_opts d = tern_server_defaults();
    args.host = d.host;
    args.port = d.port;
    args.k = d.topk;
    args.k_max = d.topk_max;
    args.in_flight = d.n_in_flight;
    args.body_max = (int64_t)d.body_max_bytes;
    args.timeout = d.client_timeout_ms / 1000;
    args.reload = false;
    const tn_opt own[] = {
        {"host", 0, TN_OPT_STRING, &args.host, "ADDRESS",
         "address to listen on (default 127.0.0.1: this machine only)"},
        {"port", 'p', TN_OPT_INT, &args.port, "N", "port (default 8000; 0: any free one)"},
        {"reload", 0, TN_OPT_FLAG, &args.reload, NULL,
         "follow new commits of the index within a second or two"},
        {"top-k", 'k', TN_OPT_INT, &args.k, "N",
         "passages per query when a request names no topk (default 3)"},
        {"max-top-k", 0, TN_OPT_INT, &args.k_max, "N",
         "most passages per query a request may ask for (default 1000)"},
        {"in-flight", 0, TN_OPT_INT, &args.in_flight, "N",
         "requests waiting or worked on; more are answered 503 (default 256)"},
        {"max-body", 0, TN_OPT_INT, &args.body_max, "BYTES",
         "largest request body, with k, M, G (default 16M)"},
        {"timeout", 0, TN_OPT_INT, &args.timeout, "SECONDS",
         "time a client has to send a whole request (default 30)"},
    };
    memcpy(opts, own, sizeof own);
    size_t n = sizeof own / sizeof *own;
    return n + tn_query_options(&args.query, opts + n);
}

static int check(const tn_cli *cli, const char *name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return -1;
    return tn_cli_usage(cli, "option '--%s': %lld is not within %lld to %lld", name,
                        (long long)value, (long long)least, (long long)most);
}

static int server_opts(const tn_cli *cli, tern_server_opts *o) {
    const int64_t most = (int64_t)1 << 30;
    int code = tn_query_opts_from(cli, &args.query, &o->search);
    if (code < 0) code = check(cli, "port", args.port, 0, UINT16_MAX);
    if (code < 0) code = check(cli, "max-top-k", args.k_max, 1, 1000000);
    if (code < 0) code = check(cli, "top-k", args.k, 1, args.k_max);
    if (code < 0) code = check(cli, "in-flight", args.in_flight, 1, 1000000);
    if (code < 0) code = check(cli, "max-body", args.body_max, 1, most);
    if (code < 0) code = check(cli, "timeout", args.timeout, 1, 3600);
    if (code >= 0) return code;
    o->host = args.host;
    o->port = (uint16_t)args.port;
    o->topk = (uint32_t)args.k;
    o->topk_max = (uint32_t)args.k_max;
    o->n_in_flight = (uint32_t)args.in_flight;
    o->body_max_bytes = (size_t)args.body_max;
    o->client_timeout_ms = (uint32_t)args.timeout * 1000;
    o->reload = args.reload;
    return -1;
}

/* One line on stdout for scripts, which may wait for it; for people the same on stderr. */
static int announce(const tn_cli *cli, tern_server *server) {
    char url[320];
    bool v6 = strchr(args.host, ':') != NULL;
    snprintf(url, sizeof url, "http://%s%s%s:%u", v6 ? "[" : "", args.host, v6 ? "]" : "",
             tern_server_port(server));
    tern_index_stats stats = tern_server_index_stats(server);
    tn_buf b = {0};
    int code = -1;
    if (cli->json) {
        tn_buf_str(&b, "{\"url\":");
        tn_json_escape(url, strlen(url), &b);
        tn_buf_printf(&b, ",\"port\":%u,\"passages\":%llu,\"generation\":%llu}\n",
                      tern_server_port(server), (unsigned long long)stats.n_passages,
                      (unsigned long long)stats.generation);
        code = tn_cli_out(cli, &b);
    } else {
        tn_add_count(&b, stats.n_passages);
        tn_log(cli, TERN_LOG_INFO, "serving %s passages of %s at %s", tn_buf_cstr(&b), cli->args[0],
               url);
        tn_log(cli, TERN_LOG_INFO, "POST /retrieve, GET /healthz; Ctrl-C stops");
    }
    tn_buf_deinit(&b);
    return code == EXIT_OK ? -1 : code;
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 1, 1);
    if (code >= 0) return code;
    tern_server_opts o = tern_server_defaults();
    code = server_opts(cli, &o);
    if (code >= 0) return code;
    tern_server *server;
    tern_error err = {0};
    cli->host.n_threads = cli->n_threads;
    tern_status st = tn_query_opts_load(cli, &args.query, &o.search, &err);
    if (st != TERN_OK) return tn_cli_fail(cli, &err);
    st = tern_server_start(cli->args[0], &o, &cli->host, &server, &err);
    if (st != TERN_OK) {
        tn_query_opts_close(&args.query);
        code = tn_cli_fail(cli, &err);
        return st == TERN_ERR_NOT_FOUND ? EXIT_INDEX : code;
    }
    code = announce(cli, server);
    while (code < 0 && !tn_interrupted()) tn_sleep_ms(50);
    if (code < 0) tn_log(cli, TERN_LOG_INFO, "stopping: requests in flight are finished");
    tern_server_stop(server);
    tn_query_opts_close(&args.query);
    return code < 0 ? EXIT_OK : code;
}

const tn_command tn_cmd_serve = {
    .name = "serve",
    .synopsis = "DIR",
    .summary = "answer retrieval requests over HTTP",
    .details =
        "POST /retrieve speaks the protocol of Search-R1, so its agents and trainers work\n"
        "unchanged:\n"
        "\n"
        "  {\"queries\": [\"...\", ...], \"topk\": 3, \"return_scores\": true}\n"
        "  -> {\"result\": [[{\"document\": {\"id\", \"contents\", \"title\", \"text\"}, "
        "\"score\"}, ...], ...]}\n"
        "\n"
        "Without return_scores the inner items are the documents themselves. One query may\n"
        "also be sent as {\"query\": \"...\"}; its result is one list. GET /healthz tells\n"
        "whether the server is up and what it serves.\n"
        "\n"
        "Searching uses --threads threads. When too much is in flight a request is answered\n"
        "503 with Retry-After. Ctrl-C or SIGTERM finishes what is in flight and ends with 0.\n"
        "With --json one line with url and port is printed when the server is ready.\n"
        "There is no authentication: listen on other addresses (--host) behind a proxy that\n"
        "has it.",
    .run = run,
    .options = options,
    .examples = "tern serve docs.tern\n"
                "tern serve docs.tern --port 9000 --reload\n"
                "curl -s localhost:8000/retrieve -H 'Content-Type: application/json' "
                "-d '{\"query\": \"who\"}'",
};
