/* bench_lm.c - language models of known shapes with random weights, held against the machine.
 *   bench_lm [--threads N] [--rounds N] [--only TEXT] [--json]
 * Figures: reading a prompt of 512 tokens (fraction of the bf16 instruction's rate), writing token
 * by token at 512 tokens of context, alone and 32 at once (fraction of read bandwidth), 256 texts
 * of 600 tokens by a 15M decoder, 100 pairs of 256 tokens through an encoder of MiniLM-L6's size.
 * Limits are measured in the same run; each figure is the best of its rounds, the median beside it.
 * Weights are random, which changes no time. TERN_CPU=avx2 gives that level's figures. */
#include "bench/limits.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/lm/encoder.h"
#include "core/lm/generate.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { ROUNDS_MAX = 99, PROMPT = 512 };

static struct {
    int n_threads, n_rounds;
    const char *only;
    bool json;
} opts = {.n_rounds = 5};

static tn_pool *pool;
static bench_limits limit;

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_lm: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

static void *must(void *p) {
    if (!p) die("out of memory", NULL);
    return p;
}

static double now(void) {
    return (double)tn_clock_ns() * 1e-9;
}

/* ---- models ------------------------------------------------------------------------------- */

/* Tensors of the config's table, all views of one block of random numbers. */
typedef struct random_source {
    tn_lm_source base;
    tn_bf16 *block;
    tern_st_tensor *tensors;
    char (*names)[128];
} random_source;

static void free_source(tn_lm_source *s) {
    random_source *r = (random_source *)s;
    tn_free(r->block);
    tn_free(r->tensors);
    tn_free(r->names);
    tn_free(r);
}

static tn_lm_source *make_source(const tn_lm_config *c) {
    random_source *r = must(tn_calloc(1, sizeof *r));
    size_t n = tn_lm_params(c, NULL), most = 0;
    tn_lm_param *p = must(tn_alloc(n * sizeof *p));
    r->tensors = must(tn_calloc(n, sizeof *r->tensors));
    r->names = must(tn_calloc(n, sizeof *r->names));
    tn_lm_params(c, p);
    for (size_t i = 0; i < n; i++) {
        size_t size = (size_t)p[i].rows * (p[i].cols ? p[i].cols : 1);
        if (size > most) most = size;
    }
    r->block = must(tn_alloc(most * sizeof *r->block));
    tn_rng rng = tn_rng_init(1, 1);
    for (size_t i = 0; i < most; i += 4) { /* four small numbers a draw, sd about 0.03 */
        uint64_t bits = tn_rng_u64(&rng);
        for (size_t j = i; j < i + 4 && j < most; j++, bits >>= 16)
            r->block[j] = tn_bf16_set(((float)(bits & 0xffff) - 32767.5f) * (0.1f / 65536));
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(r->names[i], sizeof *r->names, "%s%s", p[i].body ? tn_lm_prefixes(c)[0] : "",
                 p[i].name);
        r->tensors[i] = (tern_st_tensor){.name = r->names[i],
                                         .dtype = TERN_ST_BF16,
                                         .n_dims = p[i].cols ? 2 : 1,
                                         .dims = {p[i].rows, p[i].cols},
                                         .data = r->block};
        r->tensors[i].n_bytes = 2 * (size_t)p[i].rows * (p[i].cols ? p[i].cols : 1);
    }
    tn_free(p);
    r->base = (tn_lm_source){
        .path = "random weights", .tensors = r->tensors, .n = n, .free = free_source};
    return &r->base;
}

static tn_lm *make_model(const char *config, tn_weight_format format) {
    tern_error e = {0};
    tn_lm_config c;
    tn_lm *lm = NULL;
    if (tn_lm_config_parse(config, strlen(config), "config", &c, &e) != TERN_OK) die("config", &e);
    if (tn_lm_load_take(&c, make_source(&c), format, pool, NULL, &lm, &e) != TERN_OK)
        die("load", &e);
    return lm;
}

/* Multiply-adds of the layers' matrices for one token, times 2. */
static double layer_ops(const tn_lm_config *c) {
    double attn = 2.0 * c->hidden * (tn_lm_q_dim(c) + tn_lm_kv_dim(c));
    double mlp = (c->family == TN_LM_DECODER ? 3.0 : 2.0) * c->hidden * c->ffn;
    return 2 * c->n_layers * (attn + mlp);
}

static double head_ops(const tn_lm_config *c) {
    return 2.0 * (double)tn_lm_n_outputs(c) * c->hidden;
}

/* Scores and sums of attention over all pairs of n tokens that see each other. */
static double attention_ops(const tn_lm_config *c, double n) {
    double pairs = c->family == TN_LM_DECODER ? n * (n + 1) / 2 : n * n;
    return 4.0 * c->n_layers * tn_lm_q_dim(c) * pairs;
}

/* ---- timing and printing ------------------------------------------------------------------- */

typedef struct timing {
    double t[ROUNDS_MAX];
    int n;
} timing;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double least(timing *t) {
    qsort(t->t, (size_t)t->n, sizeof *t->t, by_value);
    return t->t[0];
}

/* value and median in `unit`; fraction of the limit, NAN: none. */
static void show(const char *name, double value, double median, const char *unit, double fraction,
                 const char *of) {
    if (opts.json) {
        printf("{\"name\":\"%s\",\"value\":%.6g,\"median\":%.6g,\"unit\":\"%s\"", name, value,
               median, unit);
        if (isfinite(fraction)) printf(",\"fraction\":%.4f,\"limit\":\"%s\"", fraction, of);
        printf("}\n");
    } else {
        printf("%-42s %10.1f %-9s (median %.1f)", name, value, unit, median);
        if (isfinite(fraction)) printf("  %5.1f %% of %s", 100 * fraction, of);
        printf("\n");
    }
    fflush(stdout);
}

static bool wanted(const char *name) {
    return !opts.only || strstr(name, opts.only);
}

/* ---- decoders ------------------------------------------------------------------------------- */

typedef struct shape {
    const char *name, *config;
} shape;

static const shape decoders[] = {
    {"360M", "{\"model_type\":\"llama\",\"hidden_size\":960,\"intermediate_size\":2560,"
             "\"num_hidden_layers\":32,\"num_attention_heads\":15,\"num_key_value_heads\":5,"
             "\"vocab_size\":49152,\"max_position_embeddings\":8192,\"rope_theta\":100000,"
             "\"tie_word_embeddings\":true}"},
    {"1.1B", "{\"model_type\":\"llama\",\"hidden_size\":2048,\"intermediate_size\":5632,"
             "\"num_hidden_layers\":22,\"num_attention_heads\":32,\"num_key_value_heads\":4,"
             "\"vocab_size\":32000,\"max_position_embeddings\":2048}"},
};

static const char *const small_decoder =
    "{\"model_type\":\"llama\",\"hidden_size\":288,\"intermediate_size\":768,"
    "\"num_hidden_layers\":6,\"num_attention_heads\":6,\"num_key_value_heads\":6,"
    "\"vocab_size\":32000,\"max_position_embeddings\":1024,\"tie_word_embeddings\":true}";

static tn_lm_engine *make_engine(const tn_lm *lm) {
    tern_error e = {0};
    tn_lm_engine *engine = NULL;
    tn_lm_engine_opts o = {.cache_type = TN_BF16};
    if (tn_lm_engine_new(lm, pool, &o, &engine, &e) != TERN_OK) die("engine", &e);
    return engine;
}

/* n_rows new tokens of each of n sequences; the logits of each sequence's last. */
static void step(tn_lm_engine *engine, tn_kv_seq *seqs, size_t n, size_t n_rows, float *logits) {
    static int32_t tokens[PROMPT * 32];
    tn_lm_span spans[32];
    uint32_t rows[32];
    tern_error e = {0};
    for (size_t i = 0; i < n * n_rows; i++) tokens[i] = (int32_t)(i * 7919 % 30000);
    for (size_t i = 0; i < n; i++) {
        spans[i] = (tn_lm_span){.seq = &seqs[i], .n_rows = n_rows};
        rows[i] = (uint32_t)((i + 1) * n_rows - 1);
    }
    tn_lm_step s = {.spans = spans,
                    .n_spans = n,
                    .tokens = tokens,
                    .out_rows = rows,
                    .n_out = n,
                    .logits = logits};
    if (tn_lm_engine_step(engine, &s, &e) != TERN_OK) die("step", &e);
}

static void drop(tn_lm_engine *engine, tn_kv_seq *seqs, size_t n) {
    for (size_t i = 0; i < n; i++) tn_kv_seq_deinit(tn_lm_engine_cache(engine), &seqs[i]);
}

static void bench_prefill(const char *name, const tn_lm *lm) {
    tn_lm_engine *engine = make_engine(lm);
    float *logits = must(tn_alloc(lm->config.vocab * sizeof *logits));
    timing t = {.n = opts.n_rounds};
    char label[64];
    for (int r = -1; r < opts.n_rounds; r++) {
        tn_kv_seq seq = {0};
        double start = now();
        step(engine, &seq, 1, PROMPT, logits);
        if (r >= 0) t.t[r] = now() - start;
        drop(engine, &seq, 1);
    }
    double ops = PROMPT * layer_ops(&lm->config) + head_ops(&lm->config) +
                 attention_ops(&lm->config, PROMPT);
    double best = least(&t);
    snprintf(label, sizeof label, "%s prefill %d, bf16", name, PROMPT);
    show(label, PROMPT / best, PROMPT / t.t[t.n / 2], "tokens/s", ops / best / limit.bf16,
         limit.bf16_name);
    tn_free(logits);
    tn_lm_engine_free(engine);
}

/* Tokens per second of n sequences at PROMPT tokens of context. */
static double bench_decode(const char *name, const char *type, const tn_lm *lm, size_t n) {
    enum { STEPS = 16 };
    tn_lm_engine *engine = make_engine(lm);
    float *logits = must(tn_alloc(n * lm->config.vocab * sizeof *logits));
    tn_kv_seq seqs[32] = {{0}};
    timing t = {.n = opts.n_rounds};
    char label[64];
    for (size_t i = 0; i < n; i++) step(engine, &seqs[i], 1, PROMPT, logits);
    for (int r = -1; r < opts.n_rounds; r++) {
        double start = now();
        for (int i = 0; i < STEPS; i++) step(engine, seqs, n, 1, logits);
        if (r >= 0) t.t[r] = (now() - start) / STEPS;
    }
    double kv = 4.0 * lm->config.n_layers * tn_lm_kv_dim(&lm->config) * PROMPT * (double)n;
    double best = least(&t);
    snprintf(label, sizeof label, "%s decode x%zu, %s", name, n, type);
    show(label, (double)n / best, (double)n / t.t[t.n / 2], "tokens/s",
         ((double)lm->weight_bytes + kv) / best / limit.bytes, "read bandwidth");
    drop(engine, seqs, n);
    tn_free(logits);
    tn_lm_engine_free(engine);
    return (double)n / best;
}

static void bench_decoder(const shape *s) {
    static const struct {
        const char *name;
        tn_weight_format format;
    } formats[] = {{"bf16", TN_WEIGHT_BF16}, {"int8", TN_WEIGHT_I8}};
    for (size_t f = 0; f < 2; f++) {
        tn_lm *lm = make_model(s->config, formats[f].format);
        if (f == 0) bench_prefill(s->name, lm);
        double one = bench_decode(s->name, formats[f].name, lm, 1);
        double many = bench_decode(s->name, formats[f].name, lm, 32);
        if (!opts.json) printf("  32 at once write %.1f times the tokens of one\n", many / one);
        tn_lm_free(lm);
    }
}

/* ---- many texts ------------------------------------------------------------------------------ */

typedef struct tally {
    uint64_t n;
    float *log_probs; /* [256 x 600] by (id, place), or NULL */
    int32_t *tokens;
    uint32_t at[256];
} tally;

static bool on_token(void *ud, uint64_t id, int32_t token, float log_prob) {
    tally *t = ud;
    if (t->log_probs) {
        t->log_probs[id * 600 + t->at[id]] = log_prob;
        t->tokens[id * 600 + t->at[id]++] = token;
    }
    t->n++;
    return true;
}

static tn_generator_stats generate(const tn_lm *lm, size_t n, uint32_t max_tokens, size_t max_seqs,
                                   bool deterministic, float temperature, tally *t) {
    tern_error e = {0};
    tn_generator *g = NULL;
    tn_generator_opts o = tn_generator_defaults();
    o.max_seqs = (uint32_t)max_seqs;
    o.deterministic = deterministic;
    o.token = on_token;
    o.ud = t;
    if (tn_generator_new(lm, pool, &o, &g, &e) != TERN_OK) die("generator", &e);
    for (size_t i = 0; i < n; i++) {
        int32_t prompt[8];
        for (size_t j = 0; j < 8; j++) prompt[j] = (int32_t)((i * 131 + j * 7919) % 30000);
        tn_gen_request q = {.prompt = prompt,
                            .n_prompt = 8,
                            .n_samples = 1,
                            .first_id = i,
                            .seed = 1,
                            .sample = {.temperature = temperature, .top_p = 1},
                            .max_tokens = max_tokens,
                            .ignore_stop = true};
        if (tn_generator_add(g, &q, &e) != TERN_OK) die("request", &e);
    }
    for (bool busy = true; busy;)
        if (tn_generator_step(g, &busy, &e) != TERN_OK) die("generate", &e);
    tn_generator_stats stats = tn_generator_get_stats(g);
    tn_generator_free(g);
    return stats;
}

static void bench_many(void) {
    static const struct {
        const char *name;
        bool deterministic;
    } kinds[] = {{"15M, 256 texts of 600 tokens", false}, {"15M, the same, deterministic", true}};
    tn_lm *lm = make_model(small_decoder, TN_WEIGHT_BF16);
    const tn_lm_config *c = &lm->config;
    for (size_t k = 0; k < 2; k++) {
        tally t = {0};
        double start = now();
        tn_generator_stats s = generate(lm, 256, 600, 256, kinds[k].deterministic, 1, &t);
        double seconds = now() - start, n = (double)t.n;
        double ops = n * (layer_ops(c) + head_ops(c)) + 256 * attention_ops(c, 600);
        show(kinds[k].name, n / seconds, n / seconds, "tokens/s", ops / seconds / limit.bf16,
             limit.bf16_name);
        if (!opts.json)
            printf("  %.1f s, key-value cache %.0f MiB (%zu pages)\n", seconds,
                   (double)s.cache_bytes_peak / (1 << 20), s.n_pages_peak);
    }
    tn_lm_free(lm);
}

/* How far batching moves log-probabilities when tiles are not fixed: greedy, alone and 32 at once.
 */
static void bench_drift(void) {
    tn_lm *lm = make_model(decoders[0].config, TN_WEIGHT_BF16);
    tally a = {0}, b = {0};
    a.log_probs = must(tn_calloc(256 * 600, sizeof(float)));
    b.log_probs = must(tn_calloc(256 * 600, sizeof(float)));
    a.tokens = must(tn_calloc(256 * 600, sizeof(int32_t)));
    b.tokens = must(tn_calloc(256 * 600, sizeof(int32_t)));
    generate(lm, 32, 24, 1, false, 0, &a);
    generate(lm, 32, 24, 32, false, 0, &b);
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < 32; i++)
        for (size_t j = 0; j < 24 && a.tokens[i * 600 + j] == b.tokens[i * 600 + j]; j++, n++)
            sum += fabs((double)a.log_probs[i * 600 + j] - b.log_probs[i * 600 + j]);
    show("360M, mean |delta log p| x 1e6, 1 and 32", 1e6 * sum / (double)(n ? n : 1), (double)n,
         "(tokens)", NAN, "");
    tn_free(a.log_probs);
    tn_free(b.log_probs);
    tn_free(a.tokens);
    tn_free(b.tokens);
    tn_lm_free(lm);
}

/* ---- an encoder -------------------------------------------------------------------------------
 */

static const char *const minilm =
    "{\"model_type\":\"bert\",\"architectures\":[\"BertForSequenceClassification\"],"
    "\"hidden_size\":384,\"intermediate_size\":1536,\"num_hidden_layers\":6,"
    "\"num_attention_heads\":12,\"vocab_size\":30522,\"id2label\":{\"0\":\"x\"}}";

static void bench_encoder(void) {
    enum { PAIRS = 100, TOKENS = 256 };
    static const struct {
        const char *name;
        tn_weight_format format;
    } formats[] = {{"MiniLM-L6, 100 pairs of 256, bf16", TN_WEIGHT_BF16},
                   {"MiniLM-L6, 100 pairs of 256, f32", TN_WEIGHT_F32}};
    int32_t *tokens = must(tn_alloc(PAIRS * TOKENS * sizeof *tokens));
    for (size_t i = 0; i < PAIRS * TOKENS; i++) tokens[i] = (int32_t)(i * 7919 % 30000);
    for (size_t f = 0; f < 2; f++) {
        tern_error e = {0};
        tn_lm *lm = make_model(minilm, formats[f].format);
        tn_lm_encoder *encoder = NULL;
        timing t = {.n = opts.n_rounds};
        float logits[PAIRS];
        if (tn_lm_encoder_new(lm, pool, &encoder, &e) != TERN_OK) die("encoder", &e);
        for (int r = -1; r < opts.n_rounds; r++) {
            double start = now();
            /* In runs of 4096 tokens, as tern_model_score does. */
            for (size_t i = 0; i < PAIRS; i += 16) {
                int32_t begin[17];
                size_t n = PAIRS - i < 16 ? PAIRS - i : 16;
                for (size_t s = 0; s <= n; s++) begin[s] = (int32_t)(s * TOKENS);
                tn_lm_texts texts = {
                    .tokens = tokens + i * TOKENS, .seq_begin = begin, .n_seqs = n};
                if (tn_lm_encoder_run(encoder, &texts, NULL, logits + i, &e) != TERN_OK)
                    die("encode", &e);
            }
            if (r >= 0) t.t[r] = now() - start;
        }
        double best = least(&t);
        double ops = PAIRS * (TOKENS * layer_ops(&lm->config) + attention_ops(&lm->config, TOKENS));
        show(formats[f].name, 1e3 * best, 1e3 * t.t[t.n / 2], "ms", ops / best / limit.bf16,
             limit.bf16_name);
        tn_lm_encoder_free(encoder);
        tn_lm_free(lm);
    }
    tn_free(tokens);
}

/* ---- the program ------------------------------------------------------------------------------
 */

static void parse(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0)
            opts.json = true;
        else if (strcmp(argv[i], "--threads") == 0 && more)
            opts.n_threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0 && more)
            opts.n_rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && more)
            opts.only = argv[++i];
        else
            die("usage: bench_lm [--threads N] [--rounds N] [--only TEXT] [--json]", NULL);
    }
    if (opts.n_threads < 0 || opts.n_rounds < 1 || opts.n_rounds > ROUNDS_MAX)
        die("--rounds must be within 1 to 99", NULL);
}

int main(int argc, char **argv) {
    tern_error e = {0};
    tn_gemm *gemm = NULL;
    parse(argc, argv);
    if (tn_pool_new(opts.n_threads, &pool, &e) != TERN_OK) die("pool", &e);
    if (tn_gemm_new(pool, &gemm, &e) != TERN_OK) die("gemm", &e);
    limit = bench_measure_limits(pool, gemm);
    if (!opts.json)
        printf("%s, %d threads; limits: %.0f Gop/s (%s), %.1f GB/s read\n", tn_gemm_id(),
               tn_pool_n_threads(pool), limit.bf16 * 1e-9, limit.bf16_name, limit.bytes * 1e-9);
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++)
        if (wanted(decoders[i].name)) bench_decoder(&decoders[i]);
    if (wanted("15M")) bench_many();
    if (wanted("drift")) bench_drift();
    if (wanted("MiniLM")) bench_encoder();
    tn_gemm_free(gemm);
    tn_pool_free(pool);
    return 0;
}
