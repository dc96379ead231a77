/* policy_opts.c - see policy_opts.h. */
#include "cli/policy_opts.h"
#include "core/base/file.h"
#include <string.h>

#include "core/base/mem.h"

enum { PROMPT_BYTES_MAX = 1 << 20 };

size_t tn_policy_options(tn_policy_args *a, tn_opt *opts) {
    *a = (tn_policy_args){.weights = "bf16"};
    const tn_opt all[TN_POLICY_OPTS] = {
        {"policy", 'p', TN_OPT_STRING, &a->policy, "NAME",
         "who searches: embedded (default), a trained policy.json, the folder of a language model, "
         "or llm (default with --llm)"},
        {"llm", 0, TN_OPT_STRING, &a->llm, "URL", "an OpenAI-compatible server searches"},
        {"model", 0, TN_OPT_STRING, &a->model, "NAME", "the model to ask that server for"},
        {"weights", 0, TN_OPT_STRING, &a->weights, "TYPE",
         "of a model's folder: bf16 (default), f32, int8 or int8-group"},
        {"chat", 0, TN_OPT_STRING, &a->chat, "FORMAT",
         "of a model's folder: its chat format, or none (default: as the folder says)"},
        {"prompt", 0, TN_OPT_STRING, &a->prompt, "FILE",
         "of a model's folder: the rules it was trained with; {question} is replaced"},
    };
    memcpy(opts, all, sizeof all);
    return TN_POLICY_OPTS;
}

const char *tn_policy_label(const tn_policy_args *a) {
    return a->policy ? a->policy : a->llm ? "llm" : "embedded";
}

static bool is(const tn_policy_args *a, const char *name) {
    return strcmp(tn_policy_label(a), name) == 0;
}

int tn_policy_check(const tn_cli *cli, const tn_policy_args *a) {
    tern_weights weights;
    bool named = is(a, "embedded") || is(a, "llm");
    if (!named && !tn_file_exists(a->policy))
        return tn_cli_usage(cli,
                            "option '--policy': '%s' is not embedded, llm, a policy file or the "
                            "folder of a model",
                            a->policy);
    if (is(a, "llm") && !a->llm) return tn_cli_usage(cli, "--policy llm needs --llm URL");
    if (a->llm && !is(a, "llm"))
        return tn_cli_usage(cli, "--policy and --llm are two searchers: give one");
    if (a->model && !a->llm) return tn_cli_usage(cli, "--model needs --llm URL");
    if (!tern_weights_find(a->weights, &weights))
        return tn_cli_usage(cli, "option '--weights': '%s' is not bf16, f32, int8 or int8-group",
                            a->weights);
    return -1;
}

static tern_status open_model(const tn_cli *cli, const tn_policy_args *a, tern_policy **out,
                              tern_error *err) {
    tern_model_policy_opts o = tern_model_policy_defaults();
    tn_buf prompt = {0};
    tern_status st = TERN_OK;
    if (!tern_weights_find(a->weights, &o.weights))
        st = tern_fail(err, TERN_ERR_ARG, 0, "weights \"%s\" are not known", a->weights);
    o.chat = a->chat;
    if (st == TERN_OK && a->prompt) {
        st = tn_file_read(a->prompt, PROMPT_BYTES_MAX, &prompt, err);
        o.prompt = tn_buf_cstr(&prompt);
    }
    if (st == TERN_OK) st = tern_policy_model(a->policy, &o, &cli->host, out, err);
    tn_buf_deinit(&prompt);
    return st;
}

tern_status tn_policy_open(const tn_cli *cli, const tn_policy_args *a, tern_policy **out,
                           tern_error *err) {
    *out = NULL;
    if (is(a, "embedded")) return tern_policy_embedded(out, err);
    if (is(a, "llm")) {
        tern_llm_opts o = tern_llm_defaults();
        o.url = a->llm;
        o.model = a->model;
        return tern_policy_llm(&o, out, err);
    }
    return tn_is_dir(a->policy) ? open_model(cli, a, out, err)
                                : tern_policy_load(a->policy, out, err);
}
