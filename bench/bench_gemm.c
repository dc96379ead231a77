/* bench_gemm.c - matrix products: time, the fraction of what the machine can do, and the peers.
 *   bench_gemm [--threads N] [--rounds N] [--seconds S] [--only TEXT] [--json]
 * Every figure is held against a limit measured in the same run: the operations per second of the
 * instruction the kernel is made of, on registers, times the threads; or, for matrix-vector
 * products, the read bandwidth of a buffer far beyond the cache. Contenders take turns in each
 * round; a round gives each the least time of one product within its share of --seconds. Shown are
 * the least and the median over rounds; figures are computed from the least, which other work on
 * the machine disturbs little; with one thread they are processor time. The AVX2 level is measured
 * in a child process that makes OpenBLAS use its Haswell kernels. Lines with --json: name, value,
 * unit, median, peer, peer_value, ratio, limit, fraction. */
#include "bench/gemm_peak.h"
#include "bench/peer_gemm.h"
#include "core/base/rng.h"
#include "core/kernels/gemm_priv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/mem.h"

enum { ROUNDS_MAX = 99, CONTENDERS_MAX = 4, BANDWIDTH_BYTES = 256 << 20, MEMORY_BYTES = 128 << 20 };

static struct {
    int n_threads, n_rounds;
    double seconds; /* per contender and round */
    const char *only;
    bool json, avx2;
} opts = {.n_rounds = 7, .seconds = .05};

static tn_pool *pool;
static tn_gemm *gemm;

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_gemm: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

/* Seconds. One thread is measured in processor time, which other work on the machine does not
 * stretch; several in wall-clock time. */
static double now(void) {
    struct timespec t;
    clock_gettime(opts.n_threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *must(void *p) {
    if (!p) die("out of memory", NULL);
    return p;
}

/* ---- limits ------------------------------------------------------------------------------- */

/* Operations per second of one core, best of several looks. 0: no such instruction here. */
static double peak_of(gemm_peak_fn *fn) {
    double best = 0;
    for (int look = 0; look < 8; look++) {
        float sink = 0;
        double start = now(), ops = fn(400000, &sink), rate = ops / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

typedef struct limits {
    double f32, bf16; /* operations per second, all threads */
    const char *f32_name, *bf16_name;
    double bytes; /* per second, all threads */
} limits;

static limits limit;

static void read_chunk(void *arg, size_t begin, size_t end, int worker) {
    const uint64_t *words = arg;
    uint64_t sums[8] = {0};
    (void)worker;
    for (size_t i = begin; i < end; i += 8)
        for (size_t j = 0; j < 8; j++) sums[j] += words[i + j];
    volatile uint64_t sink = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6];
    (void)sink;
}

static double read_bandwidth(void) {
    size_t n = BANDWIDTH_BYTES / sizeof(uint64_t);
    uint64_t *words = must(tn_alloc(BANDWIDTH_BYTES));
    double best = 0;
    memset(words, 1, BANDWIDTH_BYTES);
    for (int look = 0; look < 8; look++) {
        double start = now();
        tn_pool_for(pool, n, n / 64, read_chunk, words);
        double rate = BANDWIDTH_BYTES / (now() - start);
        if (rate > best) best = rate;
    }
    tn_free(words);
    return best;
}

static void measure_limits(void) {
    const tn_gemm_set *set = gemm->set;
    double threads = opts.n_threads;
    limit.f32_name = "scalar", limit.bf16_name = "the f32 kernel";
#if defined(__x86_64__)
    if (set->f32 == &tn_ukr_f32_avx512)
        limit.f32_name = "VFMADD zmm", limit.f32 = threads * peak_of(gemm_peak_avx512);
    else if (set->f32 == &tn_ukr_f32_avx2)
        limit.f32_name = "VFMADD ymm", limit.f32 = threads * peak_of(gemm_peak_avx2);
    if (set->bf16 == &tn_ukr_bf16_amx)
        limit.bf16_name = "TDPBF16PS", limit.bf16 = threads * peak_of(gemm_peak_amx);
    else if (set->bf16 == &tn_ukr_bf16_avx512bf16)
        limit.bf16_name = "VDPBF16PS", limit.bf16 = threads * peak_of(gemm_peak_avx512bf16);
#elif defined(__aarch64__)
    limit.f32_name = "FMLA", limit.f32 = threads * peak_of(gemm_peak_neon);
#endif
    if (limit.bf16 == 0) limit.bf16 = limit.f32;
    limit.bytes = read_bandwidth();
}

/* ---- contenders --------------------------------------------------------------------------- */

typedef struct contender {
    const char *name;
    void (*run)(void *);
    void *ud;
    double times[ROUNDS_MAX]; /* least of a round, seconds */
} contender;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double least_of_round(const contender *c) {
    double best = 1e9, stop = now() + opts.seconds;
    do {
        double start = now();
        c->run(c->ud);
        double t = now() - start;
        if (t < best) best = t;
    } while (now() < stop);
    return best;
}

static void race(contender *c, size_t n) {
    for (size_t i = 0; i < n; i++) c[i].run(c[i].ud); /* warm up */
    for (int r = 0; r < opts.n_rounds; r++)
        for (size_t i = 0; i < n; i++) c[i].times[r] = least_of_round(&c[i]);
    for (size_t i = 0; i < n; i++)
        qsort(c[i].times, (size_t)opts.n_rounds, sizeof(double), by_value);
}

/* amount: operations or bytes of one product; rates are amount / time. */
static void show(const char *name, const contender *c, size_t n, double amount, double most,
                 const char *unit) {
    double ours = c[0].times[0], median = c[0].times[opts.n_rounds / 2];
    if (opts.json) {
        printf("{\"name\":\"gemm %s\",\"value\":%.2f,\"unit\":\"%s\",\"median\":%.2f,"
               "\"limit\":%.2f,\"fraction\":%.4f",
               name, amount / ours * 1e-9, unit, amount / median * 1e-9, most * 1e-9,
               amount / ours / most);
        if (n > 1)
            printf(",\"peer\":\"%s\",\"peer_value\":%.2f,\"ratio\":%.3f", c[1].name,
                   amount / c[1].times[0] * 1e-9, c[1].times[0] / ours);
        printf("}\n");
    } else {
        printf("%-34s %9.1f %9.1f us %8.1f %s %5.1f%%", name, ours * 1e6, median * 1e6,
               amount / ours * 1e-9, unit, 100 * amount / ours / most);
        for (size_t i = 1; i < n; i++)
            printf("  %s %.1f (%.2fx)", c[i].name, amount / c[i].times[0] * 1e-9,
                   c[i].times[0] / ours);
        printf("\n");
    }
    fflush(stdout);
}

static bool wanted(const char *name) {
    return !opts.only || strstr(name, opts.only);
}

/* ---- our products ------------------------------------------------------------------------- */

typedef struct ours {
    tn_gemm_args args;
    tn_weight *weight; /* NULL: args */
    tn_mat x;
    size_t m, n;
    float *y;
} ours;

static void run_ours(void *ud) {
    ours *o = ud;
    tern_error err;
    tern_status st = o->weight
                         ? tn_weight_mul(gemm, o->weight, o->x, o->m, o->y, o->n, NULL, false, &err)
                         : tn_gemm_run(gemm, &o->args, &err);
    if (st != TERN_OK) die("product", &err);
}

static void *random_matrix(size_t n, tn_dtype type) {
    tn_rng rng = tn_rng_init(1, n);
    void *p = must(tn_alloc(n * tn_dtype_size(type)));
    for (size_t i = 0; i < n; i++) {
        uint64_t r = i % 2 ? 0 : tn_rng_u64(&rng); /* two elements a draw */
        static uint64_t last;
        uint32_t bits = (uint32_t)(i % 2 ? last >> 32 : r);
        if (!(i % 2)) last = r;
        float x = (float)bits * 0x1p-31f - 1;
        if (type == TN_F32) ((float *)p)[i] = x;
        if (type == TN_BF16) ((tn_bf16 *)p)[i] = tn_bf16_set(x);
        if (type == TN_I8) ((int8_t *)p)[i] = (int8_t)(x * 127);
    }
    return p;
}

static size_t add_peer(contender *c, size_t n, const gemm_peer *peer, gemm_type type, size_t m,
                       size_t cols, size_t k, const void *a, const void *b, bool packed,
                       float *out) {
    void *product = peer->open(type, m, cols, k, a, b, packed, out);
    if (!product) return n;
    c[n] = (contender){.name = peer->name, .run = peer->run, .ud = product};
    return n + 1;
}

static void free_peers(contender *c, size_t n) {
    for (size_t i = 1; i < n; i++) {
#if BENCH_DNNL
        if (c[i].run == gemm_peer_dnnl.run) gemm_peer_dnnl.free(c[i].ud);
#endif
        if (c[i].run == gemm_peer_openblas.run) gemm_peer_openblas.free(c[i].ud);
    }
}

/* C = op(A) op(B), both packed anew each time; `layout` as BLAS says it: "nn", "nt", "tn". */
static void bench_product(tn_dtype type, const char *layout, bool round, size_t m, size_t n,
                          size_t k) {
    char name[96];
    snprintf(name, sizeof name, "%s%s %s %zux%zux%zu", type == TN_F32 ? "f32" : "bf16",
             round ? "->bf16" : "", layout, m, n, k);
    if (!wanted(name)) return;
    bool trans_a = layout[0] == 't', trans_b = layout[1] == 't';
    void *a = random_matrix(m * k, type), *b = random_matrix(k * n, type);
    float *c = must(tn_calloc(m * n, sizeof *c));
    ours o = {.args = {.m = m,
                       .n = n,
                       .k = k,
                       .a = {a, type, trans_a ? m : k, trans_a},
                       .b = {b, type, trans_b ? k : n, trans_b},
                       .c = c,
                       .c_type = TN_F32,
                       .ldc = n,
                       .alpha = 1,
                       .bf16 = round}};
    contender list[CONTENDERS_MAX] = {{.name = "tern", .run = run_ours, .ud = &o}};
    size_t count = 1;
    if (strcmp(layout, "nn") == 0 && !round) {
        gemm_type t = type == TN_F32 ? GEMM_F32 : GEMM_BF16;
#if BENCH_DNNL
        if (!opts.avx2) count = add_peer(list, count, &gemm_peer_dnnl, t, m, n, k, a, b, false, c);
#endif
        count = add_peer(list, count, &gemm_peer_openblas, t, m, n, k, a, b, false, c);
    }
    race(list, count);
    show(name, list, count, 2.0 * (double)m * (double)n * (double)k,
         type == TN_F32 && !round ? limit.f32 : limit.bf16, "GFLOP/s");
    free_peers(list, count);
    tn_free(a), tn_free(b), tn_free(c);
}

/* y = x W^T with packed weights; a matrix-vector product (m = 1) is held against bandwidth, and
 * walks over enough weights that none stays in the cache. */
static void bench_weight(tn_weight_format format, size_t m, size_t n, size_t k) {
    static const char *const formats[] = {"f32", "bf16", "int8", "int8/64"};
    char name[96];
    snprintf(name, sizeof name, "weight %s %zux%zux%zu", formats[format], m, n, k);
    if (!wanted(name)) return;
    tern_error err;
    float *w = random_matrix(n * k, TN_F32), *x = random_matrix(m * k, TN_F32);
    float *y = must(tn_calloc(m * n, sizeof *y));
    ours o = {.x = {x, TN_F32, k, false}, .m = m, .n = n, .y = y};
    if (tn_weight_new(pool, w, TN_F32, n, k, k, format, &o.weight, &err) != TERN_OK)
        die("weight", &err);
    contender list[CONTENDERS_MAX] = {{.name = "tern", .run = run_ours, .ud = &o}};
    size_t count = 1;
    static const tn_dtype types[] = {TN_F32, TN_BF16, TN_I8, TN_I8};
    void *pa = random_matrix(m * k, types[format]), *pb = random_matrix(n * k, types[format]);
#if BENCH_DNNL
    count = add_peer(list, count, &gemm_peer_dnnl,
                     (gemm_type)(format == TN_WEIGHT_I8_GROUP ? TN_WEIGHT_I8 : format), m, n, k, pa,
                     pb, true, y);
#endif
    race(list, count);
    double flops = 2.0 * (double)m * (double)n * (double)k;
    double bytes = (double)tn_weight_bytes(o.weight), most = format ? limit.bf16 : limit.f32;
    if (bytes / limit.bytes > flops / most)
        show(name, list, count, bytes, limit.bytes, "GB/s");
    else
        show(name, list, count, flops, most, "GFLOP/s");
    free_peers(list, count);
    tn_weight_free(o.weight);
    tn_free(w), tn_free(x), tn_free(y), tn_free(pa), tn_free(pb);
}

/* ---- the program -------------------------------------------------------------------------- */

static void bench_all(void) {
    static const size_t square[] = {512, 1024, 2048};
    static const size_t skinny[][3] = {{64, 512, 512},   {64, 4096, 4096},  {128, 512, 4096},
                                       {128, 4096, 512}, {128, 1024, 1024}, {128, 4096, 4096}};
    for (size_t i = 0; i < 3; i++)
        bench_product(TN_F32, "nn", false, square[i], square[i], square[i]);
    if (opts.avx2) return;
    for (size_t i = 0; i < 3; i++)
        bench_product(TN_BF16, "nn", false, square[i], square[i], square[i]);
    for (size_t i = 0; i < 6; i++)
        bench_product(TN_BF16, "nn", false, skinny[i][0], skinny[i][1], skinny[i][2]);
    for (size_t i = 0; i < 6; i++)
        bench_weight(TN_WEIGHT_BF16, skinny[i][0], skinny[i][1], skinny[i][2]);
    /* a training step: 8192 tokens forward (nt), to the input (nn), to the weight (tn) */
    static const size_t layers[][2] = {{288, 288}, {768, 288}, {288, 768}};
    for (size_t i = 0; i < 3; i++) {
        size_t out = layers[i][0], in = layers[i][1];
        bench_product(TN_F32, "nt", true, 8192, out, in);
        bench_product(TN_F32, "nn", true, 8192, in, out);
        bench_product(TN_F32, "tn", true, out, in, 8192);
    }
    bench_product(TN_F32, "nt", true, 4096, 2048, 768);
    bench_product(TN_F32, "nt", false, 8192, 288, 288);
    bench_product(TN_F32, "tn", false, 288, 288, 8192);
    for (int f = TN_WEIGHT_F32; f <= TN_WEIGHT_I8_GROUP; f++) {
        size_t size = f >= TN_WEIGHT_I8 ? 1 : f == TN_WEIGHT_BF16 ? 2 : 4;
        bench_weight((tn_weight_format)f, 1, MEMORY_BYTES / size / 4096, 4096);
    }
    for (int f = TN_WEIGHT_F32; f <= TN_WEIGHT_I8_GROUP; f++)
        for (size_t m = 2; m <= 32; m *= 4) bench_weight((tn_weight_format)f, m, 8192, 4096);
    for (int f = TN_WEIGHT_F32; f <= TN_WEIGHT_I8_GROUP; f++)
        bench_weight((tn_weight_format)f, 512, 2048, 2048);
}

static void show_limits(void) {
    if (opts.json) {
        printf("{\"name\":\"gemm limit f32\",\"value\":%.1f,\"unit\":\"GFLOP/s\"}\n",
               limit.f32 * 1e-9);
        printf("{\"name\":\"gemm limit bf16\",\"value\":%.1f,\"unit\":\"GFLOP/s\"}\n",
               limit.bf16 * 1e-9);
        printf("{\"name\":\"gemm limit read\",\"value\":%.1f,\"unit\":\"GB/s\"}\n",
               limit.bytes * 1e-9);
        return;
    }
    printf("kernels %s, %d thread%s; limits: f32 %.0f GFLOP/s (%s), bf16 %.0f (%s), read %.1f "
           "GB/s\n",
           tn_gemm_id(), opts.n_threads, opts.n_threads == 1 ? "" : "s", limit.f32 * 1e-9,
           limit.f32_name, limit.bf16 * 1e-9, limit.bf16_name, limit.bytes * 1e-9);
    printf("peers: OpenBLAS %s", gemm_peer_openblas.version(opts.n_threads));
#if BENCH_DNNL
    printf("; oneDNN %s", gemm_peer_dnnl.version(opts.n_threads));
#endif
    printf("\n%-34s %9s %9s %14s %8s\n", "product m x n x k", "least", "median", "rate",
           "of limit");
}

/* The AVX2 level and OpenBLAS's Haswell kernels, chosen when a process starts. */
static int run_avx2_child(char **argv, int argc) {
    char *args[32];
    int n = 0;
    for (; n < argc && n < 30; n++) args[n] = argv[n];
    args[n++] = (char *)(size_t) "--avx2";
    args[n] = NULL;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("OPENBLAS_CORETYPE", "Haswell", 1);
        setenv("TERN_CPU", "avx2", 1);
        execv("/proc/self/exe", args);
        _exit(127);
    }
    int status = 1;
    return pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0;
}

static const char usage[] =
    "usage: bench_gemm [--threads N] [--rounds N] [--seconds S] [--only TEXT] [--json]\n"
    "  --threads 0 (default): one per core. --seconds: of one contender in one round (0.05).\n"
    "  --only: products whose line holds TEXT, for example 'bf16 nn' or 'weight int8'.\n";

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--json") == 0)
            opts.json = true;
        else if (strcmp(argv[i], "--avx2") == 0)
            opts.avx2 = true;
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
    if (tn_pool_new(opts.n_threads, &pool, &err) != TERN_OK ||
        tn_gemm_new(pool, &gemm, &err) != TERN_OK)
        die("start", &err);
    opts.n_threads = tn_pool_n_threads(pool);
    gemm_peer_openblas.version(opts.n_threads);
    measure_limits();
    show_limits();
    bench_all();
    tn_gemm_free(gemm);
    tn_pool_free(pool);
    if (opts.avx2 || !tn_cpu_get()->avx2) return 0;
    return run_avx2_child(argv, argc);
}
