/* cmd_generate.c - `tern generate`: text from a local model, as it is written. */
#include "cli/cli.h"
#include "cli/model_opts.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "tern/chat.h"
#include "tern/generate.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

static struct {
    tn_model_args model;
    int64_t n, max_tokens, top_k, seed, cache;
    double temperature, top_p, min_p;
    bool chat, lines, deterministic, ignore_stop, no_thinking;
    const char *system, *family;
    tn_list stops;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    size_t n = tn_model_options(&args.model, opts);
    args.n = 1;
    args.max_tokens = 256;
    args.top_k = args.cache = -1;
    args.seed = 0;
    args.temperature = args.top_p = args.min_p = NAN;
    args.chat = args.lines = args.deterministic = args.ignore_stop = args.no_thinking = false;
    args.system = args.family = NULL;
    args.stops = (tn_list){0};
    const tn_opt own[] = {
        {"max-tokens", 'm', TN_OPT_INT, &args.max_tokens, "N", "new tokens at most (default 256)"},
        {"n", 'n', TN_OPT_INT, &args.n, "N", "samples of each prompt (default 1)"},
        {"temperature", 't', TN_OPT_FLOAT, &args.temperature, "X",
         "0: always the likeliest token (default: as the model's maker suggests, else 0)"},
        {"top-p", 0, TN_OPT_FLOAT, &args.top_p, "P", "of the likeliest tokens that reach P"},
        {"top-k", 0, TN_OPT_INT, &args.top_k, "K", "of the K likeliest tokens; 0: of all"},
        {"min-p", 0, TN_OPT_FLOAT, &args.min_p, "P", "of tokens at least P times the likeliest"},
        {"seed", 0, TN_OPT_INT, &args.seed, "N", "of all draws (default 0)"},
        {"stop", 0, TN_OPT_LIST, &args.stops, "TEXT", "end before this text; may be repeated"},
        {"ignore-stop", 0, TN_OPT_FLAG, &args.ignore_stop, NULL,
         "go on past the model's end-of-text tokens"},
        {"chat", 'c', TN_OPT_FLAG, &args.chat, NULL, "the prompt is a message to a chat model"},
        {"system", 0, TN_OPT_STRING, &args.system, "TEXT", "with --chat: the system message"},
        {"template", 0, TN_OPT_STRING, &args.family, "NAME",
         "with --chat: the format (chatml, llama3, ...; default: the model's)"},
        {"no-thinking", 0, TN_OPT_FLAG, &args.no_thinking, NULL,
         "with --chat: ask a reasoning model to answer at once"},
        {"lines", 0, TN_OPT_FLAG, &args.lines, NULL,
         "each line of standard input is a prompt of its own"},
        {"deterministic", 0, TN_OPT_FLAG, &args.deterministic, NULL,
         "the same bits whatever else is generated beside it"},
        {"cache", 0, TN_OPT_INT, &args.cache, "BYTES", "bound of the key-value cache, e.g. 2G"},
    };
    memcpy(opts + n, own, sizeof own);
    return n + sizeof own / sizeof *own;
}

typedef struct work {
    tn_cli *cli;
    tern_model *model;
    tern_prompt *prompts; /* [n_prompts] */
    tern_tokens *tokens;  /* [n_prompts] of chats */
    size_t n_prompts;
    tn_buf input;
    bool stream, failed, at_line_end;
    int code;
} work;

/* ---- prompts ---- */

static tern_status chat_prompt(work *w, size_t i, tern_chat_family family, tern_error *err) {
    char *content = tn_strndup(w->prompts[i].text, w->prompts[i].len);
    if (!content) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a message");
    tern_chat_message messages[2] = {{"system", args.system ? args.system : ""}, {"user", content}};
    size_t first = args.system ? 0 : 1;
    tern_chat_opts opts = tern_chat_defaults();
    opts.no_thinking = args.no_thinking;
    tern_status status = tern_chat_encode(tern_model_tokenizer(w->model), family, messages + first,
                                          2 - first, &opts, &w->tokens[i], err);
    tn_free(content);
    w->prompts[i].tokens = w->tokens[i].ids;
    w->prompts[i].n_tokens = w->tokens[i].n;
    return status;
}

static tern_status chat_prompts(work *w, tern_error *err) {
    tern_chat_family family;
    if (!tern_model_tokenizer(w->model))
        return tern_fail(err, TERN_ERR_ARG, 0, "--chat needs a model with a tokenizer");
    tern_status status = args.family
                             ? tern_chat_find(args.family, &family, err)
                             : tern_chat_detect(tern_model_tokenizer(w->model), &family, err);
    w->tokens = tn_calloc(w->n_prompts + 1, sizeof *w->tokens);
    if (status == TERN_OK && !w->tokens)
        status = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for prompts");
    for (size_t i = 0; i < w->n_prompts && status == TERN_OK; i++)
        status = chat_prompt(w, i, family, err);
    return status;
}

static tern_status collect_prompts(work *w, tern_error *err) {
    tn_cli *cli = w->cli;
    tn_lines lines = {0};
    tern_status status = cli->n_args > 1 ? TERN_OK : tn_read_stdin(&w->input, err);
    if (status != TERN_OK) return status;
    if (args.lines && !tn_lines_split(cli, tn_buf_cstr(&w->input), w->input.len, &lines))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for prompts");
    w->n_prompts = cli->n_args > 1 ? cli->n_args - 1 : args.lines ? lines.n : 1;
    w->prompts = tn_calloc(w->n_prompts + 1, sizeof *w->prompts);
    if (!w->prompts) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for prompts");
    for (size_t i = 0; i < w->n_prompts; i++) {
        tern_prompt *p = &w->prompts[i];
        p->text = cli->n_args > 1 ? cli->args[i + 1]
                  : args.lines    ? lines.texts[i]
                                  : tn_buf_cstr(&w->input);
        p->len = cli->n_args > 1 ? strlen(p->text) : args.lines ? lines.lens[i] : w->input.len;
    }
    return args.chat ? chat_prompts(w, err) : TERN_OK;
}

/* ---- output ---- */

static bool on_text(void *ud, size_t prompt, size_t sample, const char *text, size_t len) {
    work *w = ud;
    tn_buf b = {0};
    (void)prompt;
    (void)sample;
    tn_buf_add(&b, text, len);
    w->at_line_end = len > 0 && text[len - 1] == '\n';
    w->code = tn_cli_out(w->cli, &b);
    w->failed = w->code != EXIT_OK;
    tn_buf_deinit(&b);
    return !w->failed;
}

static void add_json(tn_buf *b, const tern_completions *all) {
    for (size_t i = 0; i < tern_completions_n(all); i++) {
        const tern_completion *c = tern_completions_at(all, i);
        double sum = 0;
        for (size_t t = 0; t < c->n_tokens; t++) sum += c->log_probs[t];
        tn_buf_printf(b, "{\"prompt\":%zu,\"sample\":%zu,\"text\":", i / (size_t)args.n,
                      i % (size_t)args.n);
        tn_json_escape(c->text, c->len, b);
        tn_buf_printf(b, ",\"finish\":\"%s\",\"prompt_tokens\":%zu,\"log_prob\":%.6g,\"tokens\":[",
                      tern_finish_name(c->finish), c->n_prompt_tokens, sum);
        for (size_t t = 0; t < c->n_tokens; t++)
            tn_buf_printf(b, "%s%d", t ? "," : "", c->tokens[t]);
        tn_buf_str(b, "],\"log_probs\":[");
        for (size_t t = 0; t < c->n_tokens; t++)
            tn_buf_printf(b, isfinite(c->log_probs[t]) ? "%s%.6g" : "%snull", t ? "," : "",
                          c->log_probs[t]);
        tn_buf_str(b, "]}\n");
    }
}

static void add_text(const tn_cli *cli, tn_buf *b, const tern_completions *all) {
    size_t n = tern_completions_n(all);
    for (size_t i = 0; i < n; i++) {
        const tern_completion *c = tern_completions_at(all, i);
        if (n > 1)
            tn_buf_printf(b, "%s--- prompt %zu, sample %zu%s\n", tn_style(cli, "dim"),
                          i / (size_t)args.n + 1, i % (size_t)args.n + 1, tn_style(cli, "reset"));
        tn_buf_add(b, c->text, c->len);
        if (!c->len || c->text[c->len - 1] != '\n') tn_buf_char(b, '\n');
    }
}

static int show(work *w, const tern_completions *all, double seconds) {
    tn_buf b = {0};
    uint64_t n_new = 0;
    for (size_t i = 0; i < tern_completions_n(all); i++)
        n_new += tern_completions_at(all, i)->n_tokens;
    if (w->cli->json)
        add_json(&b, all);
    else if (!w->stream)
        add_text(w->cli, &b, all);
    else if (!w->at_line_end)
        tn_buf_char(&b, '\n');
    int code = w->failed ? w->code : tn_cli_out(w->cli, &b);
    tn_buf_deinit(&b);
    tn_log(w->cli, TERN_LOG_DEBUG, "%llu prompt tokens and %llu new ones in %.2f s (%.1f/s)",
           (unsigned long long)tern_completions_prompt_tokens(all), (unsigned long long)n_new,
           seconds, seconds > 0 ? (double)n_new / seconds : 0);
    return code;
}

static tern_generate_opts generate_opts(work *w) {
    tern_generate_opts o = tern_generate_defaults(w->model);
    o.n_samples = (uint32_t)args.n;
    o.max_tokens = (uint32_t)args.max_tokens;
    o.seed = (uint64_t)args.seed;
    if (!isnan(args.temperature)) o.temperature = (float)args.temperature;
    if (!isnan(args.top_p)) o.top_p = (float)args.top_p;
    if (!isnan(args.min_p)) o.min_p = (float)args.min_p;
    if (args.top_k >= 0) o.top_k = (uint32_t)args.top_k;
    if (args.cache >= 0) o.cache_bytes = (uint64_t)args.cache;
    o.stops = args.stops.items;
    o.n_stops = args.stops.n;
    o.deterministic = args.deterministic;
    o.ignore_stop_ids = args.ignore_stop;
    o.cache_f32 = strcmp(args.model.weights, "f32") == 0;
    o.text = w->stream ? on_text : NULL;
    o.ud = w;
    return o;
}

static int check_args(const tn_cli *cli) {
    if (args.n < 1 || args.n > 65536 || args.max_tokens < 1 || args.max_tokens > 1 << 24)
        return tn_cli_usage(cli, "--n must be within 1 to 65536, --max-tokens 1 to 16777216");
    if (args.temperature < 0 || args.temperature > 100)
        return tn_cli_usage(cli, "--temperature must be within 0 to 100");
    if (args.top_p <= 0 || args.top_p > 1 || args.min_p < 0 || args.min_p > 1)
        return tn_cli_usage(cli, "--top-p must be above 0 and at most 1, --min-p within 0 to 1");
    if (args.top_k > INT32_MAX) return tn_cli_usage(cli, "--top-k is out of range");
    if ((args.system || args.family || args.no_thinking) && !args.chat)
        return tn_cli_usage(cli, "--system, --template and --no-thinking need --chat");
    if (args.lines && cli->n_args > 1)
        return tn_cli_usage(cli, "--lines reads standard input: give no PROMPT");
    return -1;
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    int code = tn_cli_parse(cli, argc, argv, opts, options(opts, TN_OPTS_MAX), 1, SIZE_MAX);
    if (code >= 0 || (code = check_args(cli)) >= 0) return code;
    work w = {.cli = cli};
    tern_error err = {0};
    tern_completions *all = NULL;
    code = tn_model_open(cli, &args.model, cli->args[0], true, &w.model);
    if (code >= 0) return code;
    tern_status status = collect_prompts(&w, &err);
    w.stream = !cli->json && args.n == 1 && w.n_prompts == 1;
    uint64_t start = tn_clock_ns();
    if (status == TERN_OK) {
        tern_generate_opts o = generate_opts(&w);
        status = tern_generate(w.model, w.prompts, w.n_prompts, &o, &cli->host, &all, &err);
    }
    code = status == TERN_OK ? show(&w, all, (double)(tn_clock_ns() - start) * 1e-9)
                             : tn_cli_fail(cli, &err);
    tern_completions_free(all);
    for (size_t i = 0; w.tokens && i < w.n_prompts; i++) tern_tokens_deinit(&w.tokens[i]);
    tn_free(w.tokens);
    tn_free(w.prompts);
    tn_buf_deinit(&w.input);
    tern_model_close(w.model);
    return code;
}

const tn_command tn_cmd_generate = {
    .name = "generate",
    .synopsis = "MODEL [PROMPT...]",
    .summary = "write text with a local language model",
    .details =
        "MODEL is a Hugging Face folder of a Llama, Mistral, Qwen2, Qwen3 or Gemma 3 text model\n"
        "(config.json, model.safetensors or shards, a tokenizer). Without a PROMPT it is read "
        "from\n"
        "standard input. One sample of one prompt appears as it is written; several come at the\n"
        "end, all computed together.\n"
        "\n"
        "The same seed gives the same text. Draws of a sample depend on the seed and its number\n"
        "alone; with --deterministic no bit depends on what is generated beside it.\n"
        "\n"
        "With --json, a line per sample: prompt, sample, text, finish (stop, length, caller),\n"
        "prompt_tokens, log_prob, tokens, log_probs (natural, of the model itself). -v tells the\n"
        "speed.",
    .run = run,
    .options = options,
    .examples = "tern generate SmolLM2-360M 'The tern is a bird that' -m 40\n"
                "tern generate Qwen2.5-0.5B-Instruct --chat 'Who flies furthest?' -t 0.7\n"
                "tern generate Llama-3.2-1B --lines --json -n 4 <prompts.txt >samples.jsonl",
};
