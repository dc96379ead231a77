/* model_opts.h - options and opening shared by the commands that load a language model. */
#ifndef TN_CLI_MODEL_OPTS_H
#define TN_CLI_MODEL_OPTS_H
#include "cli/cli.h"
#include "tern/model.h"

typedef struct tn_model_args {
    const char *weights; /* "bf16" */
} tn_model_args;

/* Fill opts with --weights; returns their number. */
size_t tn_model_options(tn_model_args *a, tn_opt *opts);
/* Load the model of a folder. Returns -1 to go on, else the exit code; the message was printed. */
int tn_model_open(tn_cli *cli, const tn_model_args *a, const char *dir, bool tokenizer,
                  tern_model **out);

/* Lines of a text, without their ends and without empty ones; views into it. */
typedef struct tn_lines {
    const char **texts; /* in the arena of cli, as is lens */
    size_t *lens;
    size_t n, cap;
} tn_lines;
/* false: out of memory. */
bool tn_lines_split(tn_cli *cli, const char *text, size_t len, tn_lines *out);
/* All of standard input. */
tern_status tn_read_stdin(tn_buf *out, tern_error *err);

#endif
