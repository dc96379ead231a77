/* bench_kernels.c - row kernels, attention and cross-entropy beside the limits of the machine.
 *   bench_kernels [--threads N] [--rounds N] [--seconds S] [--cpu] [--only TEXT] [--json]
 * Row kernels run on one core, every level of the processor, over rows that fit the first cache
 * (16 KiB an operand) and over rows that fit none (64 MiB); their limit is the rate at which the
 * same memory is read (kernels that only read) or copied. Attention and cross-entropy run on all
 * threads at the level in use (TERN_CPU lowers it), against the multiply-adds of as many threads;
 * decoding, whose work is to read the cache, against reading. A limit is one of the contenders:
 * they take turns in each round, a round gives each the least time of one call within its share of
 * --seconds, and figures are computed from the least over rounds, which other work on the machine
 * disturbs little; --cpu counts processor time instead of elapsed time, for a machine that has
 * other work: calls longer than a time slice are disturbed every time. Lines with --json: name,
 * value, unit, median, limit, fraction. */
#include "bench/gemm_peak.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/kernels/attention.h"
#include "core/kernels/kernels.h"
#include "core/kernels/xent.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/mem.h"

enum {
    ROUNDS_MAX = 99,
    CONTENDERS_MAX = 8,
    SMALL = 4096,
    LARGE = 16 << 20,
    PEAK_STEPS = 100000,
    N_OPERANDS = 5
};

static struct {
    int n_threads, n_rounds;
    double seconds;
    const char *only;
    bool json, cpu;
} opts = {.n_rounds = 5, .seconds = .02};

static tn_pool *pool;

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_kernels: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

static void *must(void *p) {
    if (!p) die("out of memory", NULL);
    return p;
}

static float *random_floats(size_t n) {
    float *x = must(tn_alloc(n * sizeof *x));
    tn_rng rng = tn_rng_init(1, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = i < SMALL ? (float)tn_rng_normal(&rng) : x[i - SMALL]; /* many are slow to draw */
    return x;
}

/* Seconds; with --cpu those of the processors, as if shared evenly by all threads. */
static double now(void) {
    struct timespec t;
    if (!opts.cpu || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return (double)tn_clock_ns() * 1e-9;
    return ((double)t.tv_sec + (double)t.tv_nsec * 1e-9) / opts.n_threads;
}

/* ---- contenders --------------------------------------------------------------------------- */

typedef struct contender {
    char name[64];
    void (*run)(void *);
    void *ud;
    double work;              /* of one call: bytes or operations */
    double times[ROUNDS_MAX]; /* least of a round, seconds */
} contender;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Contender 0 is the limit; times are sorted in the end. */
static void measure(contender *c, size_t n) {
    for (int round = 0; round < opts.n_rounds; round++)
        for (size_t i = 0; i < n; i++) {
            double best = 1e9, stop = now() + opts.seconds;
            do {
                double start = now();
                c[i].run(c[i].ud);
                double t = now() - start;
                if (t > 0 && t < best) best = t;
            } while (now() < stop);
            c[i].times[round] = best;
        }
    for (size_t i = 0; i < n; i++)
        qsort(c[i].times, (size_t)opts.n_rounds, sizeof(double), by_value);
}

static void show(const contender *c, size_t n, const char *unit) {
    double limit = c[0].work / c[0].times[0] * 1e-9;
    for (size_t i = 1; i < n; i++) {
        double rate = c[i].work / c[i].times[0] * 1e-9;
        double median = c[i].work / c[i].times[opts.n_rounds / 2] * 1e-9;
        if (opts.json)
            printf("{\"name\":\"kernels %s\",\"value\":%.2f,\"unit\":\"%s\",\"median\":%.2f,"
                   "\"limit\":%.2f,\"fraction\":%.3f}\n",
                   c[i].name, rate, unit, median, limit, rate / limit);
        else
            printf("%-44s %9.2f %9.2f %s %8.2f %5.0f %%\n", c[i].name, rate, median, unit, limit,
                   100 * rate / limit);
    }
    fflush(stdout);
}

static bool wanted(const char *name) {
    return !opts.only || strstr(name, opts.only);
}

/* ---- row kernels -------------------------------------------------------------------------- */

typedef struct row_run {
    const tn_kernels *k;
    void (*call)(const tn_kernels *k, float **t, size_t n);
    float **t;
    size_t n, repeat;
} row_run;

static volatile double sink;

#define CALL(name) static void call_##name(const tn_kernels *k, float **t, size_t n)
CALL(dot) {
    sink = (double)k->dot(t[0], t[1], n);
}
CALL(max) {
    sink = (double)k->max(t[0], n);
}
CALL(sum_squares) {
    sink = k->sum_squares(t[0], n);
}
CALL(add) {
    k->add(t[0], t[1], t[2], n);
}
CALL(bf16_from_f32) {
    k->bf16_from_f32((tn_bf16 *)t[0], t[1], n);
}
CALL(f32_from_bf16) {
    k->f32_from_bf16(t[0], (const tn_bf16 *)t[1], n);
}
CALL(exp) {
    k->exp(t[0], t[1], n);
}
CALL(tanh) {
    k->tanh(t[0], t[1], n);
}
CALL(gelu) {
    k->act(TN_ACT_GELU, t[0], t[1], n);
}
CALL(swiglu) {
    k->glu(TN_ACT_SILU, t[0], t[1], t[2], n);
}
CALL(swiglu_backward) {
    k->glu_backward(TN_ACT_SILU, t[0], t[3], t[4], t[1], t[2], n);
}
CALL(softmax) {
    k->softmax(t[0], t[1], n);
}
CALL(rms_norm) {
    k->rms_norm(t[0], t[1], t[2], 0, 1e-6f, n);
}
CALL(rms_norm_backward) {
    k->rms_norm_backward(t[0], t[3], t[4], t[1], t[2], 0, 1, n);
}
CALL(layer_norm) {
    float mean, rstd;
    k->layer_norm(t[0], t[1], t[2], t[3], 1e-6f, n, &mean, &rstd);
}
CALL(rope) {
    k->rope(t[0], t[1], t[2], n, false);
}
CALL(adamw) {
    static const tn_adamw_args a = {.lr = 1e-9f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.99f,
                                    .eps = 1,
                                    .correction1 = 1,
                                    .correction2 = 1,
                                    .grad_scale = 1};
    k->adamw(t[0], t[1], t[2], t[3], &a, n);
}
CALL(dot_rows) {
    k->dot_rows(t[0], t[1], 256, n / 256, t[2]);
}
CALL(dot_i8) {
    sink = k->dot_i8((const int8_t *)t[0], (const int8_t *)t[1], 65536);
    (void)n;
}
CALL(read) {
    sink = (double)k->sum(t[0], n);
}
CALL(copy) {
    memcpy(t[0], t[1], n * sizeof(float));
    (void)k;
}

typedef struct row_kernel {
    const char *name;
    void (*call)(const tn_kernels *k, float **t, size_t n);
    double bytes; /* read and written per element */
    bool writes;
} row_kernel;

static const row_kernel row_kernels[] = {
    {"dot", call_dot, 8, false},
    {"max", call_max, 4, false},
    {"sum_squares", call_sum_squares, 4, false},
    {"dot_rows", call_dot_rows, 4, false},
    {"add", call_add, 12, true},
    {"bf16_from_f32", call_bf16_from_f32, 6, true},
    {"f32_from_bf16", call_f32_from_bf16, 6, true},
    {"exp", call_exp, 8, true},
    {"tanh", call_tanh, 8, true},
    {"gelu", call_gelu, 8, true},
    {"swiglu", call_swiglu, 12, true},
    {"swiglu backward", call_swiglu_backward, 28, true},
    {"softmax", call_softmax, 8, true},
    {"rms_norm", call_rms_norm, 12, true},
    {"rms_norm backward", call_rms_norm_backward, 28, true},
    {"layer_norm", call_layer_norm, 16, true},
    {"rope", call_rope, 12, true},
    {"adamw", call_adamw, 28, true},
};

/* Rows of SMALL elements, one after the other. */
static void run_rows(void *ud) {
    const row_run *r = ud;
    for (size_t i = 0; i < r->repeat; i++)
        for (size_t at = 0; at < r->n; at += SMALL) {
            float *t[N_OPERANDS];
            for (int k = 0; k < N_OPERANDS; k++) t[k] = r->t[k] + at;
            r->call(r->k, t, SMALL);
        }
}

static void bench_row_kernel(const row_kernel *kernel, float **t, size_t n) {
    contender c[CONTENDERS_MAX] = {0};
    row_run runs[CONTENDERS_MAX];
    size_t count = 1, repeat = n > SMALL ? 1 : 200;
    const char *where = n > SMALL ? "memory" : "cache";
    const tn_kernels *best = tn_kernels_of(tn_cpu_get()->best);
    runs[0] = (row_run){best, kernel->writes ? call_copy : call_read, t, n, repeat};
    c[0] = (contender){"limit",
                       run_rows,
                       &runs[0],
                       (kernel->writes ? 8.0 : 4.0) * (double)n * (double)repeat,
                       {0}};
    for (tn_cpu_level level = TN_CPU_REF; level <= TN_CPU_AVX512; level++) {
        const tn_kernels *k = tn_kernels_of(level);
        if (!k) continue;
        runs[count] = (row_run){k, kernel->call, t, n, repeat};
        c[count] = (contender){
            "", run_rows, &runs[count], kernel->bytes * (double)n * (double)repeat, {0}};
        snprintf(c[count].name, sizeof c[count].name, "%s, %s, %s", kernel->name, where,
                 tn_cpu_level_name(level));
        count++;
    }
    measure(c, count);
    show(c, count, "GB/s");
}

static void bench_rows(void) {
    float *t[N_OPERANDS];
    for (int i = 0; i < N_OPERANDS; i++) t[i] = random_floats(LARGE);
    for (size_t n = SMALL; n <= LARGE; n += LARGE - SMALL)
        for (size_t i = 0; i < sizeof row_kernels / sizeof *row_kernels; i++)
            if (wanted(row_kernels[i].name)) bench_row_kernel(&row_kernels[i], t, n);
    static const row_kernel i8 = {"dot_i8, 64 KiB", call_dot_i8, 32, false};
    if (wanted(i8.name)) bench_row_kernel(&i8, t, SMALL); /* 2 x 65536 bytes beside 4096 floats */
    for (int i = 0; i < N_OPERANDS; i++) tn_free(t[i]);
}

/* ---- attention and cross-entropy ---------------------------------------------------------- */

static void peak_chunk(void *arg, size_t begin, size_t end, int worker) {
    double *ops = arg;
    float x = 0;
    gemm_peak_fn *fn = NULL;
    (void)worker, (void)end;
#if defined(__x86_64__)
    tn_cpu_level level = tn_kernels_get()->level;
    fn = level >= TN_CPU_AVX512 ? gemm_peak_avx512 : level >= TN_CPU_AVX2 ? gemm_peak_avx2 : NULL;
#elif defined(__aarch64__)
    fn = gemm_peak_neon;
#endif
    if (fn) ops[begin] = fn(PEAK_STEPS, &x);
}

/* Every thread at once: what they share, they share here too. */
static void run_peak(void *ud) {
    tn_pool_for(pool, (size_t)opts.n_threads, 1, peak_chunk, ud);
}

static contender peak_contender(void) {
    static double ops[1024];
    run_peak(ops);
    double total = 0;
    for (int i = 0; i < opts.n_threads; i++) total += ops[i];
    return (contender){"limit", run_peak, ops, total, {0}};
}

typedef struct attention_run {
    tn_attention_shape s;
    int32_t begin[65];
    float *t[9]; /* q k v o lse do dq dk dv */
} attention_run;

static void run_forward(void *ud) {
    attention_run *r = ud;
    tern_error e;
    if (tn_attention(pool, &r->s, r->t[0], r->t[1], r->t[2], r->t[3], r->t[4], &e) != TERN_OK)
        die("attention", &e);
}

static void run_backward(void *ud) {
    attention_run *r = ud;
    tern_error e;
    if (tn_attention_backward(pool, &r->s, r->t[0], r->t[1], r->t[2], r->t[3], r->t[4], r->t[5],
                              r->t[6], r->t[7], r->t[8], &e) != TERN_OK)
        die("attention", &e);
}

static void bench_attention(size_t n_seqs, size_t n, size_t dim, bool causal) {
    enum { HEADS = 8 };
    attention_run r = {.s = {.n_seqs = n_seqs,
                             .n_heads = HEADS,
                             .n_kv_heads = HEADS,
                             .head_dim = dim,
                             .q_stride = HEADS * dim,
                             .kv_stride = HEADS * dim,
                             .causal = causal,
                             .scale = 0.1f}};
    for (size_t i = 0; i <= n_seqs; i++) r.begin[i] = (int32_t)(i * n);
    r.s.seq_begin = r.begin;
    for (int i = 0; i < 9; i++) r.t[i] = random_floats(n_seqs * n * HEADS * dim);
    /* two products over the pairs that are seen; backward has five */
    double pairs =
        (double)(n_seqs * HEADS) * (double)n * (causal ? ((double)n + 1) / 2 : (double)n);
    double ops = 4 * pairs * (double)dim;
    contender c[3] = {
        peak_contender(), {"", run_forward, &r, ops, {0}}, {"", run_backward, &r, 2.5 * ops, {0}}};
    for (int i = 1; i < 3; i++)
        snprintf(c[i].name, sizeof c[i].name, "attention %s %zu x %zu, head %zu%s",
                 i == 1 ? "forward" : "backward", n_seqs, n, dim, causal ? ", causal" : "");
    if (wanted(c[1].name)) {
        measure(c, 3);
        show(c, 3, "GFLOP/s");
    }
    for (int i = 0; i < 9; i++) tn_free(r.t[i]);
}

typedef struct decode_run {
    tn_attention_shape s;
    tn_attention_query queries[16];
    size_t n_queries, page_tokens, n_cache; /* bytes of keys and values */
    tn_dtype type;
    float *cache; /* pages, all keys and then all values of a query */
} decode_run;

static void run_decode(void *ud) {
    decode_run *r = ud;
    tern_error e;
    if (tn_attention_paged(pool, &r->s, r->queries, r->n_queries, r->page_tokens, r->type, &e) !=
        TERN_OK)
        die("paged attention", &e);
}

static void read_chunk(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const decode_run *r = arg;
    sink = (double)tn_kernels_get()->sum(r->cache + begin, end - begin);
}

static void run_read(void *ud) {
    const decode_run *r = ud;
    tn_pool_for(pool, r->n_cache / sizeof(float), 1 << 18, read_chunk, ud);
}

static void bench_decode(tn_dtype type, size_t group) {
    enum { QUERIES = 8, KEYS = 8192, KV = 4, DIM = 64, PAGE = 64, PAGES = KEYS / PAGE };
    static const void *pages[QUERIES][2][PAGES];
    size_t page_bytes = (size_t)PAGE * KV * DIM * tn_dtype_size(type);
    decode_run r = {.s = {.n_heads = KV * group,
                          .n_kv_heads = KV,
                          .head_dim = DIM,
                          .q_stride = KV * group * DIM,
                          .scale = 0.125f},
                    .n_queries = QUERIES,
                    .page_tokens = PAGE,
                    .type = type,
                    .n_cache = QUERIES * 2 * PAGES * page_bytes};
    r.cache = random_floats(r.n_cache / sizeof(float));
    float *q = random_floats(QUERIES * r.s.q_stride), *o = random_floats(QUERIES * r.s.q_stride);
    char *page = (char *)r.cache;
    if (type == TN_BF16)
        for (size_t i = 0; i < r.n_cache / 2; i++) ((tn_bf16 *)r.cache)[i] = tn_bf16_set(0.5f);
    for (size_t i = 0; i < QUERIES; i++) {
        for (size_t which = 0; which < 2; which++)
            for (size_t p = 0; p < PAGES; p++, page += page_bytes) pages[i][which][p] = page;
        r.queries[i] = (tn_attention_query){q + i * r.s.q_stride, o + i * r.s.q_stride, 1, KEYS,
                                            pages[i][0],          pages[i][1]};
    }
    contender c[2] = {{"limit", run_read, &r, (double)r.n_cache, {0}},
                      {"", run_decode, &r, (double)r.n_cache, {0}}};
    snprintf(c[1].name, sizeof c[1].name, "decode %s, 8 x 8192 keys, group %zu",
             type == TN_F32 ? "f32" : "bf16", group);
    if (wanted(c[1].name)) {
        measure(c, 2);
        show(c, 2, "GB/s");
    }
    tn_free(r.cache);
    tn_free(q);
    tn_free(o);
}

typedef struct xent_run {
    tn_gemm *g;
    tn_xent_args a;
    float *loss, *lse, *dloss, *dh, *dw;
} xent_run;

static void run_xent(void *ud) {
    xent_run *r = ud;
    tern_error e;
    if (tn_xent(r->g, &r->a, r->loss, r->lse, &e) != TERN_OK ||
        tn_xent_backward(r->g, &r->a, r->lse, r->dloss, r->dh, r->dw, &e) != TERN_OK)
        die("cross-entropy", &e);
}

static void bench_xent(bool bf16) {
    enum { TOKENS = 1024, CLASSES = 8192, DIM = 288 };
    tern_error e;
    xent_run r = {.a = {.n_tokens = TOKENS,
                        .n_classes = CLASSES,
                        .dim = DIM,
                        .ld_h = DIM,
                        .ld_w = DIM,
                        .type = TN_F32,
                        .bf16 = bf16}};
    if (tn_gemm_new(pool, &r.g, &e) != TERN_OK) die("products", &e);
    int32_t *target = must(tn_calloc(TOKENS, sizeof *target));
    float *h = random_floats(TOKENS * DIM), *w = random_floats(CLASSES * DIM);
    r.a.h = h, r.a.w = w, r.a.target = target;
    r.loss = random_floats(TOKENS), r.lse = random_floats(TOKENS);
    r.dloss = random_floats(TOKENS), r.dh = random_floats(TOKENS * DIM);
    r.dw = random_floats(CLASSES * DIM);
    /* the logits, again, and two gradients */
    contender c[2] = {peak_contender(), {"", run_xent, &r, 8.0 * TOKENS * CLASSES * DIM, {0}}};
    snprintf(c[1].name, sizeof c[1].name, "cross-entropy, both ways, 1024 x 8192 x 288, %s",
             bf16 ? "bf16" : "f32");
    if (wanted(c[1].name)) {
        measure(c, 2);
        show(c, 2, "GFLOP/s");
    }
    void *all[] = {target, h, w, r.loss, r.lse, r.dloss, r.dh, r.dw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) tn_free(all[i]);
    tn_gemm_free(r.g);
}

/* ---- the program -------------------------------------------------------------------------- */

static const char usage[] =
    "usage: bench_kernels [--threads N] [--rounds N] [--seconds S] [--cpu] [--only TEXT] "
    "[--json]\n"
    "  --threads 0 (default): one per core. --seconds: of one contender in one round (0.02).\n"
    "  --cpu: processor time instead of elapsed time, where other work runs.\n"
    "  --only: lines whose name holds TEXT, for example 'softmax' or 'attention forward'.\n";

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--json") == 0)
            opts.json = true;
        else if (strcmp(argv[i], "--cpu") == 0)
            opts.cpu = true;
        else if (strcmp(argv[i], "--threads") == 0)
            opts.n_threads = atoi(value), i++;
        else if (strcmp(argv[i], "--rounds") == 0)
            opts.n_rounds = atoi(value), i++;
        else if (strcmp(argv[i], "--seconds") == 0)
            opts.seconds = atof(value), i++;
        else if (strcmp(argv[i], "--only") == 0)
            opts.only = value, i++;
        else {
            fputs(usage, strcmp(argv[i], "--help") == 0 ? stdout : stderr);
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    if (opts.n_rounds < 1 || opts.n_rounds > ROUNDS_MAX || opts.n_threads < 0) {
        fputs(usage, stderr);
        return 2;
    }
    tern_error err;
    if (tn_pool_new(opts.n_threads, &pool, &err) != TERN_OK) die("start", &err);
    opts.n_threads = tn_pool_n_threads(pool);
    if (!opts.json)
        printf("kernels %s, %d threads, %s time\n%-44s %9s %9s %4s %8s %7s\n",
               tn_cpu_level_name(tn_kernels_get()->level), opts.n_threads,
               opts.cpu ? "processor" : "elapsed", "kernel", "best", "median", "", "limit",
               "of it");
    bench_rows();
    if (tn_kernels_get()->level > TN_CPU_REF) {
        static const size_t lengths[][2] = {{16, 64}, {8, 512}, {2, 2048}, {1, 8192}};
        for (size_t i = 0; i < 4; i++)
            for (int causal = 0; causal < 2; causal++)
                bench_attention(lengths[i][0], lengths[i][1], 64, causal);
        bench_attention(8, 512, 48, true);
        bench_attention(8, 512, 128, true);
        bench_xent(false);
        bench_xent(true);
    }
    for (size_t group = 1; group <= 8; group *= 8) {
        bench_decode(TN_F32, group);
        bench_decode(TN_BF16, group);
    }
    tn_pool_free(pool);
    return 0;
}
