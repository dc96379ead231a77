/* cmd_embed.c - `tern embed`: texts to vectors, as JSON lines or a NumPy array. */
#include "cli/cli.h"
#include "cli/model_opts.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "tern/encode.h"
#include <string.h>

#include "core/base/mem.h"

static struct {
    tn_model_args model;
    const char *out, *prompt, *field;
} args;

static size_t options(tn_opt *opts, size_t cap) {
    (void)cap;
    size_t n = tn_model_options(&args.model, opts);
    args.out = args.prompt = args.field = NULL;
    const tn_opt own[] = {
        {"out", 'o', TN_OPT_STRING, &args.out, "FILE",
         "write here: a NumPy array if it ends in .npy, else JSON lines"},
        {"prompt", 'p', TN_OPT_STRING, &args.prompt, "NAME",
         "put the model's prompt of this name before each text ('': none)"},
        {"field", 'f', TN_OPT_STRING, &args.field, "NAME",
         "the file is JSON lines: embed this member of each"},
    };
    memcpy(opts + n, own, sizeof own);
    return n + sizeof own / sizeof *own;
}

/* The member of each line replaces the line. */
static tern_status pick_field(tn_cli *cli, tn_lines *lines, const char *path, tern_error *err) {
    for (size_t i = 0; i < lines->n; i++) {
        json_t *o = NULL;
        tern_error why;
        tern_status status = tn_json_parse(lines->texts[i], lines->lens[i], &o, &why);
        if (status != TERN_OK)
            return tern_fail(err, status, 0, "%s: text %zu: %s", path, i + 1, why.text);
        const json_t *v = json_object_get(o, args.field);
        if (!json_is_string(v)) {
            json_decref(o);
            return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: text %zu: no string member \"%s\"", path,
                             i + 1, args.field);
        }
        lines->lens[i] = json_string_length(v);
        lines->texts[i] = tn_arena_strndup(&cli->arena, json_string_value(v), lines->lens[i]);
        json_decref(o);
        if (!lines->texts[i])
            return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the texts");
    }
    return TERN_OK;
}

static tern_status read_texts(tn_cli *cli, tn_buf *input, tn_lines *lines, tern_error *err) {
    const char *path = cli->n_args > 1 ? cli->args[1] : "-";
    tern_status status = strcmp(path, "-") == 0 ? tn_read_stdin(input, err)
                                                : tn_file_read(path, SIZE_MAX / 2, input, err);
    if (status != TERN_OK) return status;
    if (!tn_lines_split(cli, tn_buf_cstr(input), input->len, lines))
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the texts");
    if (lines->n == 0) return tern_fail(err, TERN_ERR_FORMAT, 0, "%s: no texts", path);
    return args.field ? pick_field(cli, lines, path, err) : TERN_OK;
}

/* NumPy's format 1.0: magic, version, length of the header, header, rows of little-endian f4. */
static void add_npy(tn_buf *b, const float *x, size_t n, size_t dim) {
    char head[128];
    int len = snprintf(head, sizeof head,
                       "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", n, dim);
    memset(head + len, ' ', sizeof head - (size_t)len);
    head[117] = '\n'; /* 10 + 118 is a multiple of 64 */
    tn_buf_add(b, "\x93NUMPY\x01\x00\x76\x00", 10);
    tn_buf_add(b, head, 118);
    tn_buf_add(b, x, n * dim * sizeof *x);
}

static void add_lines(tn_buf *b, const float *x, size_t n, size_t dim) {
    for (size_t i = 0; i < n; i++) {
        tn_buf_printf(b, "{\"text\":%zu,\"embedding\":[", i);
        for (size_t j = 0; j < dim; j++) tn_buf_printf(b, "%s%.7g", j ? "," : "", x[i * dim + j]);
        tn_buf_str(b, "]}\n");
    }
}

static int write_out(tn_cli *cli, const float *x, size_t n, size_t dim) {
    tn_buf b = {0};
    tern_error err = {0};
    size_t len = args.out ? strlen(args.out) : 0;
    bool npy = len > 4 && strcmp(args.out + len - 4, ".npy") == 0;
    if (npy)
        add_npy(&b, x, n, dim);
    else
        add_lines(&b, x, n, dim);
    int code = EXIT_OK;
    if (!args.out)
        code = tn_cli_out(cli, &b);
    else if (tn_buf_status(&b, &err) != TERN_OK ||
             tn_file_replace(args.out, b.data, b.len, &err) != TERN_OK)
        code = tn_cli_fail(cli, &err);
    else
        tn_log(cli, TERN_LOG_INFO, "%zu vectors of %zu dimensions in %s", n, dim, args.out);
    tn_buf_deinit(&b);
    return code;
}

static int run(tn_cli *cli, int argc, char **argv) {
    tn_opt opts[TN_OPTS_MAX];
    int code = tn_cli_parse(cli, argc, argv, opts, options(opts, TN_OPTS_MAX), 1, 2);
    if (code >= 0) return code;
    tern_model *m = NULL;
    tn_buf input = {0};
    tn_lines lines = {0};
    tern_error err = {0};
    code = tn_model_open(cli, &args.model, cli->args[0], true, &m);
    if (code >= 0) return code;
    size_t dim = tern_model_get_info(m).dim;
    float *x = NULL;
    tern_status status = read_texts(cli, &input, &lines, &err);
    if (status == TERN_OK && !(x = tn_calloc(lines.n, dim * sizeof *x)))
        status = tern_fail(&err, TERN_ERR_NOMEM, 0, "out of memory for %zu vectors", lines.n);
    if (status == TERN_OK)
        status =
            tern_model_embed(m, lines.texts, lines.lens, lines.n, args.prompt, x, &cli->host, &err);
    code = status == TERN_OK ? write_out(cli, x, lines.n, dim) : tn_cli_fail(cli, &err);
    tn_free(x);
    tn_buf_deinit(&input);
    tern_model_close(m);
    return code;
}

const tn_command tn_cmd_embed = {
    .name = "embed",
    .synopsis = "MODEL [TEXTS]",
    .summary = "turn texts into vectors with a local encoder",
    .details =
        "MODEL is a Hugging Face or sentence-transformers folder of a BERT, RoBERTa or XLM-R\n"
        "encoder, or of a decoder with modules.json; pooling, projections, normalisation and\n"
        "prompts are the folder's. Without modules.json the mean of the tokens is taken. TEXTS is\n"
        "a file of one text per line ('-' or none: standard input); with --field it is JSON\n"
        "lines. Texts longer than the model reads are cut.\n"
        "\n"
        "The output is a line per text, {\"text\": number, \"embedding\": [...]}, or with\n"
        "-o FILE.npy a NumPy array of float32, texts x dimensions.",
    .run = run,
    .options = options,
    .examples = "tern embed all-MiniLM-L6-v2 texts.txt -o vectors.npy\n"
                "tern embed multilingual-e5-small passages.jsonl --field text -o vectors.npy\n"
                "echo 'who flies furthest?' | tern embed bge-small-en --prompt query",
};
