/* query_opts.h - the search options that several commands share: mode, BM25's parameters, time and
 * metadata filters. */
#ifndef TN_QUERY_OPTS_H
#define TN_QUERY_OPTS_H
#include "cli/cli.h"
#include "tern/search.h"

typedef struct tn_query_args {
    const char *mode;
    double k1, b, weight;
    int64_t as_of, since;
    tn_list where;
    const char *reranker;
    int64_t rerank_depth, rerank_ms;
    tern_reranker *opened;
} tn_query_args;

enum { TN_QUERY_OPTS = 10 };

/* Set the defaults and fill opts[TN_QUERY_OPTS]. Returns TN_QUERY_OPTS. */
size_t tn_query_options(tn_query_args *args, tn_opt *opts);
/* Check the arguments and turn them into search options, which borrow them. Returns -1, or the exit
 * code of a usage error. */
int tn_query_opts_from(const tn_cli *cli, const tn_query_args *args, tern_search_opts *out);
/* Load the re-ranker that the arguments name, if any, into the options; it lives until
 * tn_query_opts_close. */
TERN_MUST_USE tern_status tn_query_opts_load(const tn_cli *cli, tn_query_args *args,
                                             tern_search_opts *out, tern_error *err);
void tn_query_opts_close(tn_query_args *args);
const char *tn_mode_name(tern_mode mode); /* "bm25", ... */

#endif
