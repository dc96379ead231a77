/* bench_train.c - training decoders: tokens per second, beside the machine's limit and PyTorch.
 *   bench_train [--shape 15M|125M|tiny] [--rounds N] [--steps N] [--threads N] [--no-torch]
 *               [--json]
 * A step is forward, backward, clipping and AdamW on random tokens. Contenders are tern in bf16 and
 * f32 and, where python3 finds torch, train_torch.py in f32 and with bf16 autocast: a process each,
 * so that peak memory is its own, which trains --steps steps when its turn comes. In every round
 * all take turns, and the limit is looked at once more: the operations per second of the bf16
 * instruction of the products, on registers, on all threads at once. Shown are tokens per second of
 * the best round of each, by the clock and by processor time (tokens x threads / processor seconds:
 * what an idle machine would give if no thread waited), and the fraction of the limit at 6
 * operations per parameter and token; ratios likewise, by processor time in brackets. Lines with
 * --json have the median by the clock, too. All four at 125M hold about 25 GB of memory.
 *
 *   bench_train --parity FOLDER [--shape S] [--steps N] [--text FILE[.gz]] [--json]
 * f32, the same initial weights and batches in both, 200 steps: writes weights.safetensors,
 * tokens.i32 and losses.json (for plot_train.py) into FOLDER; shows the greatest difference.
 *
 *   bench_train --serve bf16|f32 --shape S [--threads N]
 * is the contender's side: for each line "N" on standard input N steps and a line of JSON. */
#include "bench/decoder.h"
#include "bench/limits.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/mem.h"

enum { ROUNDS_MAX = 64, CONTENDERS_MAX = 4, PARITY_BATCH = 4, PARITY_LENGTH = 256 };
static const double PARITY_LR = 3e-4; /* that of the timed steps */

static struct {
    const char *shape, *serve, *parity, *text;
    int n_rounds, n_steps, n_threads;
    bool no_torch, json;
} opts = {.shape = "15M", .n_rounds = 3};

static const decoder_shape *shape;

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_train: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

static double now(void) {
    return (double)tn_clock_ns() * 1e-9;
}

static void *must(void *p) {
    if (!p) die("out of memory", NULL);
    return p;
}

/* ---- contenders --------------------------------------------------------------------------- */

typedef struct contender {
    const char *name;
    char **argv;
    bool bf16;
    pid_t pid;
    FILE *to, *from;
    double n_params, peak_bytes;
    double seconds[ROUNDS_MAX],
        busy[ROUNDS_MAX]; /* of a step, by round: by the clock, of processors */
    char version[32];
} contender;

/* A line of JSON from a contender; false: it is gone. */
static bool answer(contender *c, json_t **out) {
    char line[512];
    return fgets(line, sizeof line, c->from) &&
           tn_json_parse(line, strlen(line), out, NULL) == TERN_OK;
}

/* Start it and take one step to warm up. */
static bool contender_start(contender *c) {
    int down[2], up[2];
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) die("no pipe", NULL);
    c->pid = fork();
    if (c->pid < 0) die("cannot fork", NULL);
    if (c->pid == 0) {
        dup2(down[0], 0), dup2(up[1], 1);
        execvp(c->argv[0], c->argv);
        _exit(127);
    }
    close(down[0]), close(up[1]);
    c->to = fdopen(down[1], "w"), c->from = fdopen(up[0], "r");
    json_t *v = NULL;
    if (!answer(c, &v)) return false;
    c->n_params = tn_json_num(v, "n_params", 0);
    snprintf(c->version, sizeof c->version, "%s", tn_json_str(v, "version", ""));
    json_decref(v);
    fprintf(c->to, "1\n"), fflush(c->to);
    bool alive = answer(c, &v);
    json_decref(v);
    return alive;
}

static void contender_run(contender *c, int round) {
    json_t *v = NULL;
    fprintf(c->to, "%d\n", opts.n_steps), fflush(c->to);
    if (!answer(c, &v)) die(c->name, &(tern_error){.text = "gave no answer"});
    c->seconds[round] = tn_json_num(v, "seconds", 0) / opts.n_steps;
    c->busy[round] = tn_json_num(v, "busy", 0) / opts.n_steps;
    c->peak_bytes = tn_json_num(v, "peak_kb", 0) * 1024;
    json_decref(v);
}

static void contender_stop(contender *c) {
    if (c->to) fclose(c->to);
    if (c->from) fclose(c->from);
    if (c->pid > 0) waitpid(c->pid, NULL, 0);
}

/* train_torch.py stands beside this program, or in the source tree. */
static char *script_path(void) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        self[tn_path_base(self) - self] = '\0';
        char *beside = must(tn_path_join(self, "train_torch.py"));
        if (tn_file_exists(beside)) return beside;
        tn_free(beside);
    }
    return must(tn_strdup(BENCH_SOURCE_DIR "/train_torch.py"));
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show_json(const contender *c, size_t n, size_t i, double limit, double threads) {
    double tokens = (double)(shape->batch * shape->length), best = tokens / c[i].seconds[0];
    double busy = tokens * threads / c[i].busy[0], most = limit / (6 * c[i].n_params);
    printf("{\"name\":\"train %s %s\",\"value\":%.1f,\"unit\":\"tokens/s\",\"median\":%.1f,"
           "\"busy_value\":%.1f,\"limit\":%.1f,\"fraction\":%.4f,\"busy_fraction\":%.4f,"
           "\"peak_mb\":%.1f",
           shape->name, c[i].name, best, tokens / c[i].seconds[opts.n_rounds / 2], busy, most,
           limit > 0 ? best / most : 0, limit > 0 ? busy / most : 0, c[i].peak_bytes / 1e6);
    if (i < 2 && n > 2) { /* held against the faster of the peers */
        const contender *p = n > 3 && c[3].seconds[0] < c[2].seconds[0] ? &c[3] : &c[2];
        printf(",\"peer\":\"%s %s\",\"peer_value\":%.1f,\"ratio\":%.3f,\"busy_ratio\":%.3f,"
               "\"peer_peak_mb\":%.1f",
               p->name, p->version, tokens / p->seconds[0], p->seconds[0] / c[i].seconds[0],
               p->busy[0] / c[i].busy[0], p->peak_bytes / 1e6);
    }
    printf("}\n");
}

static void show_text(const contender *c, size_t n, size_t i, double limit, double threads) {
    double tokens = (double)(shape->batch * shape->length),
           rates[2] = {tokens / c[i].seconds[0], tokens * threads / c[i].busy[0]};
    printf("%-13s", c[i].name);
    for (int k = 0; k < 2; k++) {
        printf("%9.0f", rates[k]);
        if (limit > 0) printf(" %5.1f%%", 100 * rates[k] * 6 * c[i].n_params / limit);
    }
    printf("%8.0f MB", c[i].peak_bytes / 1e6);
    for (size_t k = 2; i < 2 && k < n; k++)
        printf("   %.2fx (%.2fx) %s", c[k].seconds[0] / c[i].seconds[0],
               c[k].busy[0] / c[i].busy[0], c[k].name);
    printf("\n");
}

static void race(void) {
    char threads[16], *script = script_path();
    tn_pool *pool;
    tern_error err;
    if (tn_pool_new(opts.n_threads, &pool, &err) != TERN_OK) die("threads", &err);
    snprintf(threads, sizeof threads, "%d", tn_pool_n_threads(pool));
    char *name = (char *)(uintptr_t)shape->name;
#define OURS(type)                                                                                 \
    (char *[]){"/proc/self/exe", "--serve", type, "--shape", name, "--threads", threads, NULL}
#define TORCH(type)                                                                                \
    (char *[]) {                                                                                   \
        "python3", script, "--shape", name, "--dtype", type, "--threads", threads, NULL            \
    }
    contender c[CONTENDERS_MAX] = {{.name = "tern bf16", .argv = OURS("bf16")},
                                   {.name = "tern f32", .argv = OURS("f32")},
                                   {.name = "PyTorch f32", .argv = TORCH("f32")},
                                   {.name = "PyTorch bf16", .argv = TORCH("bf16")}};
    size_t n = 0;
    for (; n < (opts.no_torch ? 2 : CONTENDERS_MAX); n++)
        if (!contender_start(&c[n])) {
            contender_stop(&c[n]);
            if (n < 2) die(c[n].name, &(tern_error){.text = "does not start"});
            fprintf(stderr, "bench_train: no PyTorch here (python3-torch): tern alone\n");
            break;
        }
    tn_gemm *gemm;
    bench_limits limit = {0};
    if (tn_gemm_new(pool, &gemm, &err) != TERN_OK) die("products", &err);
    for (int r = 0; r < opts.n_rounds; r++) {
        bench_limits look = bench_measure_limits(pool, gemm);
        if (look.bf16 > limit.bf16) limit = look;
        for (size_t i = 0; i < n; i++) contender_run(&c[i], r);
    }
    for (size_t i = 0; i < n; i++) {
        qsort(c[i].seconds, (size_t)opts.n_rounds, sizeof(double), by_value);
        qsort(c[i].busy, (size_t)opts.n_rounds, sizeof(double), by_value);
        contender_stop(&c[i]);
    }
    if (!opts.json)
        printf(
            "%s: %.1fM parameters, %zu x %zu tokens a step, %s threads; limit %.0f GFLOP/s (%s)\n"
            "              by the clock    of processors   peak memory\n",
            shape->name, c[0].n_params / 1e6, shape->batch, shape->length, threads,
            limit.bf16 * 1e-9, limit.bf16_name);
    for (size_t i = 0; i < n; i++)
        (opts.json ? show_json : show_text)(c, n, i, limit.bf16, tn_pool_n_threads(pool));
    tn_gemm_free(gemm);
    tn_free(script);
    tn_pool_free(pool);
}

/* ---- the contender's side ----------------------------------------------------------------- */

/* Processor time of this process, all threads, seconds. */
static double busy_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static long peak_kb(void) {
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) (void)sscanf(line, "VmHWM: %ld", &kb);
    if (f) fclose(f);
    return kb;
}

static void serve(void) {
    decoder *d;
    tern_error err;
    size_t n = shape->batch * (shape->length + 1);
    if (decoder_new(shape, shape->batch, shape->length, strcmp(opts.serve, "bf16") == 0,
                    opts.n_threads, 1, &d, &err) != TERN_OK)
        die("decoder", &err);
    int32_t *rows = must(tn_alloc(n * sizeof *rows));
    tn_rng rng = tn_rng_init(2, 0);
    printf("{\"n_params\":%zu,\"version\":\"\"}\n", tern_params_size(decoder_params(d)));
    fflush(stdout);
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        double start = now(), busy = busy_seconds(), loss = 0;
        for (int i = atoi(line); i > 0; i--) {
            for (size_t k = 0; k < n; k++) rows[k] = (int32_t)tn_rng_below(&rng, shape->vocab);
            if (decoder_step(d, rows, 3e-4, &loss, &err) != TERN_OK) die("step", &err);
        }
        printf("{\"seconds\":%.6f,\"busy\":%.6f,\"loss\":%.6f,\"peak_kb\":%ld}\n", now() - start,
               busy_seconds() - busy, loss, peak_kb());
        fflush(stdout);
    }
    tn_free(rows);
    decoder_free(d);
}

/* ---- parity ------------------------------------------------------------------------------- */

/* n bytes of the text as tokens, or, without one, of sentences that a grammar makes. */
static void fill_tokens(int32_t *tokens, size_t n) {
    static const char *const words[] = {"the ", "tern ", "finds ", "a ",    "page ",
                                        "of ",  "old ",  "maps ",  "and ",  "reads ",
                                        "it. ", "sea ",  "by ",    "night "};
    tn_rng rng = tn_rng_init(3, 0);
    size_t i = 0;
    if (opts.text) {
        gzFile f = gzopen(opts.text, "rb");
        if (!f) die(opts.text, &(tern_error){.text = "cannot open"});
        for (int c; i < n && (c = gzgetc(f)) >= 0; i++) tokens[i] = c;
        gzclose(f);
        if (i < n) die(opts.text, &(tern_error){.text = "too short a text for the steps"});
    }
    while (i < n)
        for (const char *s = words[tn_rng_below(&rng, sizeof words / sizeof *words)]; *s && i < n;)
            tokens[i++] = *s++;
}

static void write_file(const char *name, const void *data, size_t n) {
    tern_error err;
    char *path = must(tn_path_join(opts.parity, name));
    if (tn_file_replace(path, data, n, &err) != TERN_OK) die("parity", &err);
    tn_free(path);
}

/* The losses that train_torch.py prints, one a line. */
static void torch_losses(double *out) {
    tn_buf cmd = {0};
    char *script = script_path();
    tn_buf_printf(&cmd,
                  "python3 '%s' --shape %s --weights '%s/weights.safetensors' --tokens "
                  "'%s/tokens.i32' --batch %d --length %d --steps %d --lr %g --threads %d",
                  script, shape->name, opts.parity, opts.parity, PARITY_BATCH, PARITY_LENGTH,
                  opts.n_steps, PARITY_LR, tn_cpu_count());
    FILE *f = popen(tn_buf_cstr(&cmd), "r");
    for (int i = 0; i < opts.n_steps; i++)
        if (!f || fscanf(f, "%lf", &out[i]) != 1)
            die("parity", &(tern_error){.text = "train_torch.py stopped early"});
    pclose(f);
    tn_free(script);
    tn_buf_deinit(&cmd);
}

static void add_losses(tn_buf *b, const char *name, const double *losses) {
    tn_buf_printf(b, "\"%s\":[", name);
    for (int i = 0; i < opts.n_steps; i++) tn_buf_printf(b, "%s%.7g", i ? "," : "", losses[i]);
    tn_buf_str(b, "]");
}

static void parity(void) {
    decoder *d;
    tern_error err;
    size_t n_row = PARITY_BATCH * (PARITY_LENGTH + 1), n = n_row * (size_t)opts.n_steps;
    int32_t *tokens = must(tn_alloc(n * sizeof *tokens));
    double *ours = must(tn_calloc((size_t)opts.n_steps, sizeof *ours));
    double *theirs = must(tn_calloc((size_t)opts.n_steps, sizeof *theirs));
    fill_tokens(tokens, n);
    if (tn_mkdirs(opts.parity, &err) != TERN_OK) die("parity", &err);
    write_file("tokens.i32", tokens, n * sizeof *tokens);
    char *weights = must(tn_path_join(opts.parity, "weights.safetensors"));
    if (decoder_new(shape, PARITY_BATCH, PARITY_LENGTH, false, opts.n_threads, 1, &d, &err) !=
            TERN_OK ||
        tern_params_save(weights, decoder_params(d), NULL, 0, &err) != TERN_OK)
        die("parity", &err);
    for (int i = 0; i < opts.n_steps; i++)
        if (decoder_step(d, tokens + n_row * (size_t)i, PARITY_LR, &ours[i], &err) != TERN_OK)
            die("step", &err);
    torch_losses(theirs);
    double most = 0;
    int where = 0;
    for (int i = 0; i < opts.n_steps; i++)
        if (fabs(ours[i] - theirs[i]) > most) most = fabs(ours[i] - theirs[i]), where = i;
    tn_buf b = {0};
    tn_buf_str(&b, "{");
    add_losses(&b, "tern", ours);
    tn_buf_str(&b, ",");
    add_losses(&b, "torch", theirs);
    tn_buf_str(&b, "}\n");
    if (tn_buf_status(&b, &err) != TERN_OK) die("parity", &err);
    write_file("losses.json", b.data, b.len);
    printf(opts.json
               ? "{\"name\":\"train parity %s\",\"value\":%.3g,\"unit\":\"nats\",\"steps\":%d,"
                 "\"at\":%d,\"first\":%.4f,\"last\":%.4f}\n"
               : "%s, f32: greatest difference of the losses %.3g over %d steps (step %d); "
                 "loss %.4f to %.4f\n",
           shape->name, most, opts.n_steps, where + 1, ours[0], ours[opts.n_steps - 1]);
    tn_buf_deinit(&b);
    tn_free(weights);
    tn_free(tokens), tn_free(ours), tn_free(theirs);
    decoder_free(d);
}

/* ---- the program -------------------------------------------------------------------------- */

static void usage(int code) {
    fprintf(code ? stderr : stdout,
            "usage: bench_train [--shape 15M|125M|tiny] [--rounds N] [--steps N] [--threads N]\n"
            "                   [--no-torch] [--json]\n"
            "       bench_train --parity FOLDER [--shape S] [--steps N] [--text FILE] [--json]\n");
    exit(code);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(a, "--help") == 0)
            usage(0);
        else if (strcmp(a, "--json") == 0)
            opts.json = true;
        else if (strcmp(a, "--no-torch") == 0)
            opts.no_torch = true;
        else if (!v)
            usage(2);
        else if (i++, strcmp(a, "--shape") == 0)
            opts.shape = v;
        else if (strcmp(a, "--serve") == 0)
            opts.serve = v;
        else if (strcmp(a, "--parity") == 0)
            opts.parity = v;
        else if (strcmp(a, "--text") == 0)
            opts.text = v;
        else if (strcmp(a, "--rounds") == 0)
            opts.n_rounds = atoi(v);
        else if (strcmp(a, "--steps") == 0)
            opts.n_steps = atoi(v);
        else if (strcmp(a, "--threads") == 0)
            opts.n_threads = atoi(v);
        else
            usage(2);
    }
    shape = decoder_shape_find(opts.shape);
    if (opts.n_steps == 0) opts.n_steps = opts.parity ? 200 : 1;
    if (!shape || opts.n_rounds < 1 || opts.n_rounds > ROUNDS_MAX || opts.n_steps < 1) usage(2);
    signal(SIGPIPE, SIG_IGN);
    setenv("OMP_WAIT_POLICY", "passive", 0); /* waiting threads of torch burn no time, */
    unsetenv("OPENBLAS_CORETYPE");           /* and its BLAS takes its best kernels */
    if (opts.serve)
        serve();
    else if (opts.parity)
        parity();
    else
        race();
    return 0;
}
