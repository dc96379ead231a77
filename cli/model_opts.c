/* model_opts.c - see model_opts.h. */
#include "cli/model_opts.h"
#include "core/base/file.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"

size_t tn_model_options(tn_model_args *a, tn_opt *opts) {
    a->weights = "bf16";
    opts[0] =
        (tn_opt){"weights",   'w',    TN_OPT_STRING,
                 &a->weights, "TYPE", "hold weights as bf16 (default), f32, int8, int8-group"};
    return 1;
}

int tn_model_open(tn_cli *cli, const tn_model_args *a, const char *dir, bool tokenizer,
                  tern_model **out) {
    tern_model_opts opts = tern_model_defaults();
    tern_error err = {0};
    opts.tokenizer = tokenizer;
    if (!tern_weights_find(a->weights, &opts.weights))
        return tn_cli_usage(cli, "--weights '%s' is none of bf16, f32, int8, int8-group",
                            a->weights);
    tern_host host = cli->host;
    host.n_threads = cli->n_threads;
    return tern_model_open(dir, &opts, &host, out, &err) == TERN_OK ? -1 : tn_cli_fail(cli, &err);
}

bool tn_lines_split(tn_cli *cli, const char *text, size_t len, tn_lines *out) {
    size_t n = 1;
    for (size_t i = 0; i < len; i++) n += text[i] == '\n';
    out->texts = tn_arena_alloc(&cli->arena, n * sizeof *out->texts);
    out->lens = tn_arena_alloc(&cli->arena, n * sizeof *out->lens);
    if (!out->texts || !out->lens) return false;
    for (const char *p = text, *end = text + len; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t k = (size_t)((stop ? stop : end) - p);
        if (k > 0 && p[k - 1] == '\r') k--;
        if (k > 0) {
            out->texts[out->n] = p;
            out->lens[out->n++] = k;
        }
        p = stop ? stop + 1 : end;
    }
    return true;
}

tern_status tn_read_stdin(tn_buf *out, tern_error *err) {
    char part[65536];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, part, sizeof part);
        if (n == 0) return tn_buf_status(out, err);
        if (n < 0 && errno == EINTR && !tn_interrupted()) continue;
        if (n < 0) return tn_fail_errno(err, errno, "standard input", "cannot read");
        tn_buf_add(out, part, (size_t)n);
    }
}
