/* cmd_tokenizer.c - `tern tokenizer`: text to ids and back, what a tokenizer is, and training one.
 */
#include "cli/cli.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "tern/chat.h"
#include "tern/tokenizer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { INPUT_MAX = 1 << 30, FLUSH_BYTES = 1 << 20 };

static struct {
    const char *output, *text;
    bool no_special, plain, pieces, spans, whole, skip_special, no_bytes;
    int64_t vocab, max_lines;
    double coverage;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    const tn_opt own[] = {
        {"text", 't', TN_OPT_STRING, &args.text, "TEXT", "encode: this text instead of files"},
        {"whole", 0, TN_OPT_FLAG, &args.whole, NULL,
         "encode: each file is one text (default: each line)"},
        {"no-special", 0, TN_OPT_FLAG, &args.no_special, NULL,
         "encode: without the tokens the template adds (<s>, [CLS], ...)"},
        {"plain", 0, TN_OPT_FLAG, &args.plain, NULL,
         "encode: special tokens written in the text are only text"},
        {"pieces", 0, TN_OPT_FLAG, &args.pieces, NULL, "encode: pieces instead of ids"},
        {"spans", 0, TN_OPT_FLAG, &args.spans, NULL, "encode: id:begin-end, in bytes of the text"},
        {"skip-special", 0, TN_OPT_FLAG, &args.skip_special, NULL,
         "decode: leave out special tokens"},
        {"output", 'o', TN_OPT_STRING, &args.output, "FILE", "train: the model to write"},
        {"vocab", 0, TN_OPT_INT, &args.vocab, "N", "train: pieces in all (default 8000)"},
        {"coverage", 0, TN_OPT_FLOAT, &args.coverage, "SHARE",
         "train: share of the characters that get pieces, 0.98 to 1 (default 0.9995)"},
        {"no-bytes", 0, TN_OPT_FLAG, &args.no_bytes, NULL,
         "train: other characters are <unk>, not bytes"},
        {"max-lines", 0, TN_OPT_INT, &args.max_lines, "N",
         "train: learn from so many lines, evenly drawn (default: all)"},
    };
    memcpy(opts, own, sizeof own);
    return sizeof own / sizeof *own;
}

/* ---- input, a text at a time ---- */

/* Handle one text; EXIT_OK to go on. */
typedef int text_fn(tn_cli *cli, const tern_tokenizer *t, const char *text, size_t n, size_t line,
                    tn_buf *out);

static int flush(tn_cli *cli, tn_buf *out, size_t least) {
    return out->len >= least ? tn_cli_out(cli, out) : EXIT_OK;
}

static int each_line(tn_cli *cli, const tern_tokenizer *t, const tn_buf *in, text_fn *fn,
                     tn_buf *out) {
    const char *s = in->data, *end = s + in->len;
    for (size_t line = 1; in->len && s < end; line++) {
        if (tn_interrupted()) return EXIT_INTERRUPTED;
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((nl ? nl : end) - s);
        int code = fn(cli, t, s, n, line, out);
        if (code == EXIT_OK) code = flush(cli, out, FLUSH_BYTES);
        if (code != EXIT_OK) return code;
        s += n + 1;
    }
    return EXIT_OK;
}

static int each_file(tn_cli *cli, const tern_tokenizer *t, bool whole, text_fn *fn, tn_buf *out) {
    static const char *const stdin_alone[] = {"-"};
    const char *const *files = cli->n_args > 2 ? cli->args + 2 : stdin_alone;
    size_t n_files = cli->n_args > 2 ? cli->n_args - 2 : 1;
    int code = EXIT_OK;
    for (size_t i = 0; i < n_files && code == EXIT_OK; i++) {
        tn_buf in = {0};
        tern_error err = {0};
        const char *path = strcmp(files[i], "-") == 0 ? "/dev/stdin" : files[i];
        if (tn_file_read(path, INPUT_MAX, &in, &err) != TERN_OK)
            code = tn_cli_fail(cli, &err);
        else if (whole)
            code = fn(cli, t, in.len ? in.data : "", in.len, 1, out);
        else
            code = each_line(cli, t, &in, fn, out);
        tn_buf_deinit(&in);
    }
    return code == EXIT_OK ? flush(cli, out, 1) : code;
}

/* ---- encode ---- */

static tern_tokens tokens; /* reused from text to text */

static void add_token(const tern_tokenizer *t, size_t i, tn_buf *out) {
    const tern_token_span *span = &tokens.spans[i];
    if (args.pieces)
        tn_buf_str(out, tern_tokenizer_piece(t, tokens.ids[i]));
    else
        tn_buf_printf(out, "%" PRId32, tokens.ids[i]);
    if (args.spans) tn_buf_printf(out, ":%" PRIu32 "-%" PRIu32, span->begin, span->end);
}

static void add_tokens_json(const tern_tokenizer *t, tn_buf *out) {
    tn_buf_str(out, "{\"ids\":[");
    for (size_t i = 0; i < tokens.n; i++)
        tn_buf_printf(out, "%s%" PRId32, i ? "," : "", tokens.ids[i]);
    tn_buf_char(out, ']');
    if (args.pieces) {
        tn_buf_str(out, ",\"pieces\":[");
        for (size_t i = 0; i < tokens.n; i++) {
            const char *piece = tern_tokenizer_piece(t, tokens.ids[i]);
            tn_buf_str(out, i ? "," : "");
            tn_json_escape(piece, strlen(piece), out);
        }
        tn_buf_char(out, ']');
    }
    if (args.spans) {
        tn_buf_str(out, ",\"spans\":[");
        for (size_t i = 0; i < tokens.n; i++)
            tn_buf_printf(out, "%s[%" PRIu32 ",%" PRIu32 "]", i ? "," : "", tokens.spans[i].begin,
                          tokens.spans[i].end);
        tn_buf_char(out, ']');
    }
    tn_buf_str(out, "}\n");
}

static int encode_one(tn_cli *cli, const tern_tokenizer *t, const char *text, size_t n, size_t line,
                      tn_buf *out) {
    (void)line;
    tern_error err = {0};
    tern_encode_opts o = {!args.no_special, !args.plain, args.spans};
    if (tern_tokenizer_encode(t, text, n, &o, &tokens, &err) != TERN_OK)
        return tn_cli_fail(cli, &err);
    if (cli->json) {
        add_tokens_json(t, out);
        return EXIT_OK;
    }
    for (size_t i = 0; i < tokens.n; i++) {
        if (i) tn_buf_char(out, ' ');
        add_token(t, i, out);
    }
    tn_buf_char(out, '\n');
    return EXIT_OK;
}

static int run_encode(tn_cli *cli, const tern_tokenizer *t, tn_buf *out) {
    if (args.text && cli->n_args > 2)
        return tn_cli_usage(cli, "--text and files; give one of the two");
    int code = EXIT_OK;
    if (args.text)
        code = encode_one(cli, t, args.text, strlen(args.text), 1, out);
    else
        code = each_file(cli, t, args.whole, encode_one, out);
    tern_tokens_deinit(&tokens);
    return code == EXIT_OK ? flush(cli, out, 1) : code;
}

/* ---- decode ---- */

/* Numbers separated by spaces, commas and brackets, as encode prints them and as JSON does. */
static int read_ids(tn_cli *cli, const char *s, size_t n, size_t line) {
    tokens.n = 0;
    for (size_t i = 0; i < n;) {
        if (memchr(" ,\t\r[]", s[i], 6)) {
            i++;
            continue;
        }
        char word[24];
        size_t len = 0;
        while (i + len < n && len < sizeof word - 1 && !memchr(" ,\t\r[]", s[i + len], 6)) {
            word[len] = s[i + len];
            len++;
        }
        word[len] = '\0';
        char *end;
        long long id = strtoll(word, &end, 10);
        if (*end || id < INT32_MIN || id > INT32_MAX) {
            tern_error err;
            tern_fail(&err, TERN_ERR_FORMAT, 0, "line %zu: '%s' is not a token id", line, word);
            return tn_cli_fail(cli, &err);
        }
        if (TN_GROW(tokens.ids, tokens.cap, tokens.n + 1) != 0)
            return tn_cli_usage(cli, "out of memory");
        tokens.ids[tokens.n++] = (int32_t)id;
        i += len;
    }
    return EXIT_OK;
}

static int decode_one(tn_cli *cli, const tern_tokenizer *t, const char *s, size_t n, size_t line,
                      tn_buf *out) {
    int code = read_ids(cli, s, n, line);
    if (code != EXIT_OK) return code;
    char *text = NULL;
    size_t len;
    tern_error err = {0}, inner;
    tern_status st =
        tern_tokenizer_decode(t, tokens.ids, tokens.n, args.skip_special, &text, &len, &inner);
    if (st != TERN_OK) {
        tern_fail(&err, st, 0, "line %zu: %s", line, inner.text);
        return tn_cli_fail(cli, &err);
    }
    if (cli->json) {
        tn_buf_str(out, "{\"text\":");
        tn_json_escape(text, len, out);
        tn_buf_str(out, "}\n");
    } else {
        tn_buf_add(out, text, len);
        tn_buf_char(out, '\n');
    }
    tern_tokenizer_free_text(text);
    return EXIT_OK;
}

static int run_decode(tn_cli *cli, const tern_tokenizer *t, tn_buf *out) {
    int code = each_file(cli, t, false, decode_one, out);
    tern_tokens_deinit(&tokens);
    return code;
}

/* ---- info ---- */

static int run_info(tn_cli *cli, const tern_tokenizer *t, tn_buf *out) {
    static const char *const names[TERN_SPECIAL_N] = {"bos", "eos", "pad", "unk",
                                                      "cls", "sep", "mask"};
    if (cli->n_args > 2) return tn_cli_usage(cli, "unexpected argument '%s'", cli->args[2]);
    tern_chat_family family;
    bool chats = tern_chat_detect(t, &family, NULL) == TERN_OK;
    const char *chat = chats ? tern_chat_name(family) : NULL;
    if (cli->json)
        tn_buf_printf(out,
                      "{\"kind\":\"%s\",\"size\":%" PRId32 ",\"hash\":\"%s\",\"chat\":%s%s%s,"
                      "\"special\":{",
                      tern_tokenizer_kind(t), tern_tokenizer_size(t), tern_tokenizer_hash(t),
                      chat ? "\"" : "", chat ? chat : "null", chat ? "\"" : "");
    else
        tn_buf_printf(out, "%-6s %s\n%-6s %" PRId32 "\n%-6s %s\n%-6s %s\n", "kind",
                      tern_tokenizer_kind(t), "size", tern_tokenizer_size(t), "hash",
                      tern_tokenizer_hash(t), "chat", chat ? chat : "-");
    bool first = true;
    for (int k = 0; k < TERN_SPECIAL_N; k++) {
        int32_t id = tern_tokenizer_special(t, (tern_special)k);
        if (id < 0) continue;
        const char *piece = tern_tokenizer_piece(t, id);
        if (cli->json) {
            tn_buf_printf(out, "%s\"%s\":{\"id\":%" PRId32 ",\"piece\":", first ? "" : ",",
                          names[k], id);
            tn_json_escape(piece, strlen(piece), out);
            tn_buf_char(out, '}');
        } else {
            tn_buf_printf(out, "%-6s %s (%" PRId32 ")\n", names[k], piece, id);
        }
        first = false;
    }
    if (cli->json) tn_buf_str(out, "}}\n");
    return tn_cli_out(cli, out);
}

/* ---- train ---- */

static int run_train(tn_cli *cli, tn_buf *out) {
    if (!args.output) return tn_cli_usage(cli, "where to? Give -o MODEL");
    tern_tokenizer_train_opts o = tern_tokenizer_train_defaults();
    if (args.vocab < 0 || args.vocab > INT32_MAX || args.max_lines < 0)
        return tn_cli_usage(cli, "--vocab and --max-lines are counts");
    if (args.vocab) o.vocab_size = (int)args.vocab;
    if (args.coverage != 0) o.character_coverage = args.coverage;
    o.byte_fallback = !args.no_bytes;
    o.max_sentences = (uint64_t)args.max_lines;
    tern_error err = {0};
    tern_tokenizer *t = NULL;
    if (tern_tokenizer_train(cli->args + 1, cli->n_args - 1, &o, args.output, &cli->host, &err) !=
            TERN_OK ||
        tern_tokenizer_open(args.output, &t, &err) != TERN_OK)
        return tn_cli_fail(cli, &err);
    if (cli->json)
        tn_buf_printf(out, "{\"size\":%" PRId32 ",\"hash\":\"%s\"}\n", tern_tokenizer_size(t),
                      tern_tokenizer_hash(t));
    else
        tn_buf_printf(out, "%s: %" PRId32 " pieces\n", args.output, tern_tokenizer_size(t));
    tern_tokenizer_close(t);
    return tn_cli_out(cli, out);
}

static int run(tn_cli *cli, int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(tn_cli *cli, const tern_tokenizer *t, tn_buf *out);
    } actions[] = {{"encode", run_encode}, {"decode", run_decode}, {"info", run_info}};
    tn_opt opts[TN_OPTS_MAX];
    size_t n_opts = options(opts, TN_OPTS_MAX);
    int code = tn_cli_parse(cli, argc, argv, opts, n_opts, 2, SIZE_MAX);
    if (code >= 0) return code;
    tn_buf out = {0};
    if (strcmp(cli->args[0], "train") == 0) {
        code = run_train(cli, &out);
        tn_buf_deinit(&out);
        return code;
    }
    size_t a = 0;
    while (a < 3 && strcmp(actions[a].name, cli->args[0]) != 0) a++;
    if (a == 3)
        return tn_cli_usage(cli, "no action '%s': encode, decode, info or train", cli->args[0]);
    tern_tokenizer *t;
    tern_error err = {0};
    if (tern_tokenizer_open(cli->args[1], &t, &err) != TERN_OK) return tn_cli_fail(cli, &err);
    code = actions[a].run(cli, t, &out);
    tern_tokenizer_close(t);
    tn_buf_deinit(&out);
    return code;
}

const tn_command tn_cmd_tokenizer = {
    .name = "tokenizer",
    .synopsis = "encode|decode|info TOKENIZER [FILE...] | train TEXT... -o MODEL",
    .summary = "text to the token ids of a model and back; train a tokenizer",
    .details =
        "TOKENIZER is a model's folder, or a file: tokenizer.json (BPE, WordPiece, Unigram),\n"
        "vocab.json beside merges.txt, a SentencePiece model, or vocab.txt. Its special tokens\n"
        "are read from tokenizer_config.json beside it.\n"
        "\n"
        "  encode  a line of ids for each line of the files ('-' or none: stdin)\n"
        "  decode  a line of text for each line of ids\n"
        "  info    kind, size, special tokens, hash, chat format\n"
        "  train   a SentencePiece Unigram model from lines of text\n"
        "\n"
        "With --json: a line {ids, pieces, spans}, {text}, or an object {kind, size, hash, chat,\n"
        "special}, {size, hash}.",
    .run = run,
    .options = options,
    .examples = "tern tokenizer encode Qwen2.5-0.5B/ --text 'Where do terns winter?'\n"
                "tern tokenizer encode model/ corpus.txt | tern tokenizer decode model/\n"
                "tern tokenizer info tokenizer.json --json\n"
                "tern tokenizer train --vocab 4000 -o small.model corpus.txt",
};
