/* query_opts.c - see query_opts.h. */
#include "cli/query_opts.h"
#include <string.h>

static const char *const modes[] = {
    [TERN_MODE_DEFAULT] = "default",
    [TERN_MODE_BM25] = "bm25",
    [TERN_MODE_DENSE] = "dense",
    [TERN_MODE_HYBRID] = "hybrid",
};

const char *tn_mode_name(tern_mode mode) {
    return modes[mode];
}

size_t tn_query_options(tn_query_args *a, tn_opt *opts) {
    tern_search_opts d = tern_search_defaults();
    *a = (tn_query_args){
        .mode = "default",
        .k1 = (double)d.k1,
        .b = (double)d.b,
        .weight = (double)d.weight_dense,
        .as_of = d.as_of,
        .since = d.since,
        .rerank_depth = (int64_t)d.rerank_depth,
    };
    const tn_opt all[TN_QUERY_OPTS] = {
        {"mode", 'm', TN_OPT_STRING, &a->mode, "MODE",
         "bm25, dense or hybrid (default: what the index was judged best for)"},
        {"k1", 0, TN_OPT_FLOAT, &a->k1, "X", "BM25 term saturation (default 1.2)"},
        {"b", 0, TN_OPT_FLOAT, &a->b, "X", "BM25 length normalisation, 0 to 1 (default 0.75)"},
        {"weight", 0, TN_OPT_FLOAT, &a->weight, "X",
         "hybrid: weight of the cosine beside bm25/max (default 0.1)"},
        {"as-of", 0, TN_OPT_TIME, &a->as_of, "DATE",
         "only passages dated at or before this, or undated"},
        {"since", 0, TN_OPT_TIME, &a->since, "DATE", "only passages dated at or after this"},
        {"where", 'w', TN_OPT_LIST, &a->where, "FIELD=VALUE",
         "only passages with this metadata, source, doc_id or title; may be repeated"},
        {"reranker", 0, TN_OPT_STRING, &a->reranker, "PATH",
         "order the first hits anew with the cross-encoder in this folder"},
        {"rerank-depth", 0, TN_OPT_INT, &a->rerank_depth, "N",
         "hits the re-ranker looks at (default 50)"},
        {"rerank-ms", 0, TN_OPT_INT, &a->rerank_ms, "MS",
         "stop re-ranking after this time and keep the order of the rest"},
    };
    memcpy(opts, all, sizeof all);
    return TN_QUERY_OPTS;
}

tern_status tn_query_opts_load(const tn_cli *cli, tn_query_args *a, tern_search_opts *out,
                               tern_error *err) {
    if (!a->reranker) return TERN_OK;
    tern_status st = tern_reranker_open(a->reranker, &cli->host, &a->opened, err);
    out->reranker = a->opened;
    return st;
}

void tn_query_opts_close(tn_query_args *a) {
    tern_reranker_free(a->opened);
    a->opened = NULL;
}

int tn_query_opts_from(const tn_cli *cli, const tn_query_args *a, tern_search_opts *out) {
    *out = tern_search_defaults();
    size_t m = 0;
    while (m < sizeof modes / sizeof *modes && strcmp(modes[m], a->mode) != 0) m++;
    if (m == sizeof modes / sizeof *modes)
        return tn_cli_usage(cli, "option '--mode': '%s' is not bm25, dense or hybrid", a->mode);
    if (a->k1 < 0 || a->b < 0 || a->b > 1 || a->weight < 0)
        return tn_cli_usage(cli, "--k1 and --weight must be 0 or more, --b between 0 and 1");
    if (a->rerank_depth < 1 || a->rerank_depth > 100000 || a->rerank_ms < 0 ||
        a->rerank_ms > INT32_MAX)
        return tn_cli_usage(cli, "--rerank-depth must be within 1 to 100000, --rerank-ms positive");
    for (size_t i = 0; i < a->where.n; i++)
        if (!strchr(a->where.items[i], '=') || a->where.items[i][0] == '=')
            return tn_cli_usage(cli, "option '--where': '%s' is not FIELD=VALUE",
                                a->where.items[i]);
    out->mode = (tern_mode)m;
    out->k1 = (float)a->k1;
    out->b = (float)a->b;
    out->weight_dense = (float)a->weight;
    out->as_of = a->as_of;
    out->since = a->since;
    out->where = a->where.items;
    out->n_where = a->where.n;
    out->rerank_depth = (size_t)a->rerank_depth;
    out->rerank_budget_ms = (uint32_t)a->rerank_ms;
    return -1;
}
