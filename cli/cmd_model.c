/* cmd_model.c - `tern model`: what a model folder holds, whether it computes what it should, and
 * copies of it in other types. */
#include "cli/cli.h"
#include "cli/model_opts.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tern/model.h"
#include <math.h>
#include <string.h>

static struct {
    tn_model_args model;
    double tolerance;
    const char *type;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    size_t n = tn_model_options(&args.model, opts);
    args.tolerance = NAN;
    args.type = "bf16";
    const tn_opt own[] = {
        {"tolerance", 0, TN_OPT_FLOAT, &args.tolerance, "X",
         "verify: relative error allowed (default 1e-4 in f32, 0.1 in bf16, 0.25 in int8)"},
        {"type", 0, TN_OPT_STRING, &args.type, "TYPE", "convert: to bf16 (default) or f32"},
    };
    memcpy(opts + n, own, sizeof own);
    return n + sizeof own / sizeof *own;
}

/* ---- info ---- */

static void add_info_json(tn_buf *b, const tern_model_info *i, const tern_tokenizer *t,
                          double seconds) {
    tn_buf_printf(b,
                  "{\"arch\":\"%s\",\"head\":\"%s\",\"generates\":%s,\"embeds\":%s,\"scores\":%s,"
                  "\"params\":%llu,\"vocab\":%u,\"hidden\":%u,\"ffn\":%u,\"layers\":%u,"
                  "\"heads\":%u,\"kv_heads\":%u,\"head_dim\":%u,\"context\":%u,\"labels\":%u,"
                  "\"dim\":%u,\"pooling\":\"%s\",\"weights\":\"%s\",\"weight_bytes\":%llu,"
                  "\"cache_bytes_per_token\":%llu,\"kernels\":\"%s\",\"load_seconds\":%.3f,"
                  "\"tokenizer\":",
                  i->arch, i->head, i->generates ? "true" : "false", i->embeds ? "true" : "false",
                  i->scores ? "true" : "false", (unsigned long long)i->n_params, i->vocab,
                  i->hidden, i->ffn, i->n_layers, i->n_heads, i->n_kv_heads, i->head_dim,
                  i->context, i->n_labels, i->dim, i->pooling, tern_weights_name(i->weights),
                  (unsigned long long)i->weight_bytes, (unsigned long long)i->cache_bytes,
                  i->kernels, seconds);
    if (t)
        tn_json_escape(tern_tokenizer_kind(t), strlen(tern_tokenizer_kind(t)), b);
    else
        tn_buf_str(b, "null");
    tn_buf_str(b, "}\n");
}

static void add_info_text(tn_buf *b, const tern_model_info *i, const tern_tokenizer *t,
                          double seconds) {
    tn_buf_printf(b, "family       %s, head %s%s%s%s\n", i->arch, i->head,
                  i->generates ? ", generates" : "", i->embeds ? ", embeds" : "",
                  i->scores ? ", scores pairs" : "");
    tn_buf_str(b, "parameters   ");
    tn_add_count(b, i->n_params);
    tn_buf_printf(b, "\nlayers       %u of %u (MLP %u)\n", i->n_layers, i->hidden, i->ffn);
    tn_buf_printf(b, "heads        %u of %u, %u for keys and values\n", i->n_heads, i->head_dim,
                  i->n_kv_heads);
    tn_buf_str(b, "vocabulary   ");
    tn_add_count(b, i->vocab);
    tn_buf_printf(b, "\ntokenizer    %s\n", t ? tern_tokenizer_kind(t) : "none");
    tn_buf_str(b, "context      ");
    tn_add_count(b, i->context);
    tn_buf_str(b, " tokens\n");
    if (i->embeds) tn_buf_printf(b, "vectors      %u, pooling %s\n", i->dim, i->pooling);
    if (i->n_labels) tn_buf_printf(b, "labels       %u\n", i->n_labels);
    tn_buf_printf(b, "weights      %s, ", tern_weights_name(i->weights));
    tn_add_bytes(b, i->weight_bytes);
    tn_buf_printf(b, " read for each token, loaded in %.1f s\n", seconds);
    if (i->generates) {
        tn_buf_str(b, "cache        ");
        tn_add_bytes(b, i->cache_bytes);
        tn_buf_str(b, " a token\n");
    }
    tn_buf_printf(b, "kernels      %s\n", i->kernels);
}

static int info(tn_cli *cli, const char *dir) {
    tern_model *m = NULL;
    uint64_t start = tn_clock_ns();
    int code = tn_model_open(cli, &args.model, dir, true, &m);
    if (code >= 0) return code;
    double seconds = (double)(tn_clock_ns() - start) * 1e-9;
    tern_model_info i = tern_model_get_info(m);
    tn_buf b = {0};
    if (cli->json)
        add_info_json(&b, &i, tern_model_tokenizer(m), seconds);
    else
        add_info_text(&b, &i, tern_model_tokenizer(m), seconds);
    code = tn_cli_out(cli, &b);
    tn_buf_deinit(&b);
    tern_model_close(m);
    return code;
}

/* ---- verify ---- */

static void add_verdict_json(tn_buf *b, const tern_model_verdict *v, double tolerance) {
    tn_buf_printf(b, "{\"passed\":%s,\"tolerance\":%g,\"tensors\":[", v->passed ? "true" : "false",
                  tolerance);
    for (uint32_t i = 0; i < v->n_checks; i++)
        tn_buf_printf(b, "%s{\"name\":\"%s\",\"relative\":%.3e,\"largest\":%.3e,\"n\":%llu}",
                      i ? "," : "", v->checks[i].name, v->checks[i].relative, v->checks[i].largest,
                      (unsigned long long)v->checks[i].n);
    tn_buf_printf(b, "],\"greedy\":{\"n\":%llu,\"equal\":%llu,\"wrong\":%llu}}\n",
                  (unsigned long long)v->n_greedy, (unsigned long long)v->n_greedy_equal,
                  (unsigned long long)v->n_greedy_wrong);
}

static void add_verdict_text(const tn_cli *cli, tn_buf *b, const tern_model_verdict *v,
                             double tolerance) {
    tn_buf_printf(b, "%-16s %14s %14s %12s\n", "tensor", "||x-r||/||r||", "max|x-r|/max|r|",
                  "numbers");
    for (uint32_t i = 0; i < v->n_checks; i++)
        tn_buf_printf(b, "%-16s %14.2e %14.2e %12llu\n", v->checks[i].name, v->checks[i].relative,
                      v->checks[i].largest, (unsigned long long)v->checks[i].n);
    if (v->n_greedy)
        tn_buf_printf(b,
                      "greedy           %llu of %llu tokens equal, %llu wrong by more than a tie\n",
                      (unsigned long long)v->n_greedy_equal, (unsigned long long)v->n_greedy,
                      (unsigned long long)v->n_greedy_wrong);
    tn_buf_printf(b, "%s%s%s at tolerance %g\n", tn_style(cli, v->passed ? "green" : "red"),
                  v->passed ? "passed" : "FAILED", tn_style(cli, "reset"), tolerance);
}

static int verify(tn_cli *cli, const char *dir, const char *path) {
    tern_model *m = NULL;
    tern_error err = {0};
    tern_model_verdict v;
    int code = tn_model_open(cli, &args.model, dir, false, &m);
    if (code >= 0) return code;
    tern_weights w = tern_model_get_info(m).weights;
    double tolerance = !isnan(args.tolerance)   ? args.tolerance
                       : w == TERN_WEIGHTS_F32  ? 1e-4
                       : w == TERN_WEIGHTS_BF16 ? 0.1
                                                : 0.25;
    if (tern_model_verify(m, path, tolerance, &v, &err) != TERN_OK) {
        code = tn_cli_fail(cli, &err);
    } else {
        tn_buf b = {0};
        if (cli->json)
            add_verdict_json(&b, &v, tolerance);
        else
            add_verdict_text(cli, &b, &v, tolerance);
        code = tn_cli_out(cli, &b);
        if (code == EXIT_OK && !v.passed) code = EXIT_FAIL;
        tn_buf_deinit(&b);
    }
    tern_model_close(m);
    return code;
}

/* ---- convert, quantize ---- */

static int convert(tn_cli *cli, const char *dir, const char *out, tern_model_type type) {
    tern_error err = {0};
    tern_host host = cli->host;
    host.n_threads = cli->n_threads;
    if (tern_model_convert(dir, out, type, &host, &err) != TERN_OK) return tn_cli_fail(cli, &err);
    tn_log(cli, TERN_LOG_INFO, "written to %s", out);
    return EXIT_OK;
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    int code = tn_cli_parse(cli, argc, argv, opts, options(opts, TN_OPTS_MAX), 2, 3);
    if (code >= 0) return code;
    const char *verb = cli->args[0], *dir = cli->args[1];
    bool two = cli->n_args == 3;
    if (strcmp(verb, "info") == 0)
        return two ? tn_cli_usage(cli, "info takes one folder") : info(cli, dir);
    if (strcmp(verb, "verify") == 0)
        return two ? verify(cli, dir, cli->args[2])
                   : tn_cli_usage(cli, "verify needs a model and a file of reference numbers");
    bool f32 = strcmp(args.type, "f32") == 0;
    if (strcmp(verb, "convert") == 0 && !f32 && strcmp(args.type, "bf16") != 0)
        return tn_cli_usage(cli, "--type '%s' is neither bf16 nor f32", args.type);
    if (strcmp(verb, "convert") != 0 && strcmp(verb, "quantize") != 0)
        return tn_cli_usage(cli, "no action '%s'; there are info, verify, convert, quantize", verb);
    if (!two) return tn_cli_usage(cli, "%s needs a model and a new folder", verb);
    return convert(cli, dir, cli->args[2],
                   *verb == 'q' ? TERN_MODEL_INT8
                   : f32        ? TERN_MODEL_F32
                                : TERN_MODEL_BF16);
}

const tn_command tn_cmd_model = {
    .name = "model",
    .synopsis = "info MODEL | verify MODEL NUMBERS | convert MODEL OUT | quantize MODEL OUT",
    .summary = "look into, check and convert language models",
    .details =
        "MODEL is a Hugging Face folder. `info` loads it and says what it is and takes.\n"
        "\n"
        "`verify` runs the inputs stored in NUMBERS, a safetensors file, and compares hidden\n"
        "states, logits and greedy continuations with those stored beside them (input_ids,\n"
        "attention_mask, token_type_ids, hidden.last, logits, loss, pooled.*, greedy.ids,\n"
        "greedy.prompt_len; see docs/MODELS.md). It fails when one is out of tolerance.\n"
        "\n"
        "`convert` writes a copy with weights as --type, for other programs as well; `quantize`\n"
        "one with matrices as int8 and a scale for each row, which tern alone reads. Any model\n"
        "can also be loaded as int8 directly, see --weights.",
    .run = run,
    .options = options,
    .examples = "tern model info Qwen2.5-0.5B\n"
                "tern model verify Qwen2.5-0.5B expected.safetensors --weights f32\n"
                "tern model quantize Qwen2.5-0.5B Qwen2.5-0.5B-int8",
};
