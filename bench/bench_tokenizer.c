/* bench_tokenizer.c - how fast a text becomes ids, on one core: whole lines, one after the other.
 * A second tokenizer (e.g. a SentencePiece model, which that library encodes) is measured in turns
 * with the first, and the ratio printed. Times are of the thread's processor time, which a busy
 * machine disturbs little. A rate is the best of the rounds; a cold one is the first pass of a
 * fresh tokenizer over the text, whose memory of words is empty. */
#include "core/base/file.h"
#include "tern/tokenizer.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"

enum { N_ROUNDS = 5 };

typedef struct contender {
    const char *path;
    tern_tokenizer *t;
    double open_s, cold_s, best_s;
    uint64_t n_tokens;
} contender;

static const char usage[] =
    "usage: bench_tokenizer TOKENIZER TEXT [PEER] [--json]\n"
    "  TOKENIZER and PEER are folders or files as `tern tokenizer` takes them.\n";

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_tokenizer: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

static double cpu_s(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double pass(contender *c, const tn_buf *text, tern_tokens *tokens) {
    tern_error err;
    tern_encode_opts opts = {.parse_special = false};
    const char *s = text->data, *end = s + text->len;
    double start = cpu_s();
    c->n_tokens = 0;
    while (s < end) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((nl ? nl : end) - s);
        if (tern_tokenizer_encode(c->t, s, n, &opts, tokens, &err) != TERN_OK) die(c->path, &err);
        c->n_tokens += tokens->n;
        s += n + 1;
    }
    return cpu_s() - start;
}

static void report(const contender *c, const tn_buf *text, double ratio, int json) {
    double mb = (double)text->len / 1e6;
    printf(json ? "{\"tokenizer\":\"%s\",\"kind\":\"%s\",\"mb_per_s\":%.1f,\"cold_mb_per_s\":%.1f,"
                  "\"tokens\":%llu,\"open_s\":%.3f,\"ratio\":%.2f}\n"
                : "%s (%s): %.1f MB/s, cold %.1f, %llu tokens, opened in %.3f s, ratio %.2f\n",
           c->path, tern_tokenizer_kind(c->t), mb / c->best_s, mb / c->cold_s,
           (unsigned long long)c->n_tokens, c->open_s, ratio);
}

int main(int argc, char **argv) {
    contender c[2] = {{0}};
    const char *args[3] = {NULL};
    int n = 0, json = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = 1;
        else if (n < 3 && argv[i][0] != '-')
            args[n++] = argv[i];
        else
            n = 4;
    }
    if (n < 2 || n > 3) {
        fputs(usage, stderr);
        return 2;
    }
    int n_contenders = n - 1;
    tn_buf text = {0};
    tern_tokens tokens = {0};
    tern_error err;
    if (tn_file_read(args[1], (size_t)1 << 30, &text, &err) != TERN_OK) die("text", &err);
    if (text.len == 0) die("the text is empty", NULL);
    c[0].path = args[0];
    c[1].path = args[2];
    for (int i = 0; i < n_contenders; i++) {
        double start = cpu_s();
        if (tern_tokenizer_open(c[i].path, &c[i].t, &err) != TERN_OK) die("open", &err);
        c[i].open_s = cpu_s() - start;
    }
    for (int round = 0; round < N_ROUNDS; round++) {
        for (int i = 0; i < n_contenders; i++) {
            double s = pass(&c[i], &text, &tokens);
            if (round == 0) c[i].cold_s = s;
            if (round == 0 || s < c[i].best_s) c[i].best_s = s;
        }
    }
    for (int i = 0; i < n_contenders; i++) report(&c[i], &text, c[i].best_s / c[0].best_s, json);
    for (int i = 0; i < n_contenders; i++) tern_tokenizer_close(c[i].t);
    tern_tokens_deinit(&tokens);
    tn_buf_deinit(&text);
    return 0;
}
