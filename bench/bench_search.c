/* bench_search.c - BM25 search and indexing beside SQLite FTS5 and Xapian.
 *   bench_search --corpus FILE.jsonl[.gz] --queries FILE.jsonl[.gz] [--rounds N] [--seconds S]
 * [--json] bench_search --passages N [--rounds N] [--seconds S] [--json] The first form reads
 * passages ("title", "text", optional "pool": only those with "test" in it) and questions
 * ("question" or "text"); the second generates both (corpus_gen.h). Everyone gets the same
 * analysis: the peers are fed its terms. A query is the OR of all its terms, the ten best are asked
 * for, on one core. Our times include analysing the query, the peers' do not; indexing times
 * include the analysis for all.
 *
 * Indexing runs in a child process each, whose peak memory is reported; passages are handed over in
 * batches and only the indexing of a batch is timed. Searches are timed in rounds in which the
 * contenders take turns, and so is the indexing of less than 50 MB. All times are processor time of
 * the one thread, so that other work on the machine hurts less. Lines with --json: name, value,
 * unit, peer, peer_value, ratio. */
#include "bench/corpus_gen.h"
#include "bench/peer.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "retriever/text/bm25.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "core/base/mem.h"

enum { QUERIES_MAX = 1000, ROUNDS_MAX = 25, BATCH = 1000, SEED = 1, PEERS_MAX = 3, SMALL_MB = 50 };

static struct {
    const char *corpus, *queries;
    uint64_t n_passages;
    int n_rounds;
    double seconds; /* per contender and round */
    bool json;
} opts = {.n_rounds = 5, .seconds = 2};

static tn_analyzer *analyzer;

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_search: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

/* Processor time of this process, seconds. */
static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- passages and questions --- */

typedef struct passage {
    tn_buf title, text;
} passage;

static gzFile corpus_file;
static uint64_t n_read;

static json_t *next_object(gzFile f) {
    static char line[1 << 20];
    tern_error err;
    json_t *v = NULL;
    if (!gzgets(f, line, sizeof line)) return NULL;
    if (tn_json_parse(line, strlen(line), &v, &err) != TERN_OK) die("not JSON lines", &err);
    return v;
}

static bool is_in_pool(const json_t *v) {
    const json_t *pool = json_object_get(v, "pool");
    for (size_t i = 0; i < json_array_size(pool); i++)
        if (strcmp(json_string_value(json_array_get(pool, i)), "test") == 0) return true;
    return !pool;
}

static bool read_passage(passage *p) {
    json_t *v;
    while ((v = next_object(corpus_file)) != NULL && !is_in_pool(v)) json_decref(v);
    if (!v) return false;
    tn_buf_reset(&p->title);
    tn_buf_reset(&p->text);
    tn_buf_str(&p->title, tn_json_str(v, "title", ""));
    tn_buf_str(&p->text, tn_json_str(v, "text", ""));
    json_decref(v);
    return true;
}

static void rewind_passages(void) {
    n_read = 0;
    if (!opts.corpus) return;
    if (corpus_file) gzclose(corpus_file);
    corpus_file = gzopen(opts.corpus, "rb");
    if (!corpus_file) die(opts.corpus, NULL);
}

static bool next_passage(passage *p) {
    if (opts.corpus) return read_passage(p);
    if (n_read == opts.n_passages) return false;
    bench_gen_passage(SEED, n_read++, &p->title, &p->text);
    return true;
}

static char *questions[QUERIES_MAX], *question_terms[QUERIES_MAX];
static size_t n_questions;

/* Append the text's terms, each after a space unless it is the first. */
static void add_terms(const char *text, size_t len, tn_buf *out) {
    const tn_token *tokens;
    size_t n;
    tern_error err;
    if (tn_analyze(analyzer, text, len, &tokens, &n, &err) != TERN_OK) die("analysis", &err);
    for (size_t i = 0; i < n; i++) {
        if (tokens[i].is_stop) continue;
        if (out->len) tn_buf_char(out, ' ');
        tn_buf_add(out, tokens[i].term, tokens[i].term_len);
    }
}

/* Take out all but the first of each term: tern counts a repeated term once, and so shall the
 * peers. */
static void drop_repeats(char *terms) {
    tn_strmap seen = {0};
    char *out = terms;
    for (const char *p = terms; *p;) {
        size_t len = strcspn(p, " ");
        uint32_t n_before = seen.n;
        if (tn_strmap_add(&seen, p, len) == TN_STRMAP_NONE) die("out of memory", NULL);
        if (seen.n > n_before) {
            if (out > terms) *out++ = ' ';
            memmove(out, p, len);
            out += len;
        }
        p += len + (p[len] == ' ');
    }
    *out = '\0';
    tn_strmap_deinit(&seen);
}

static void add_question(const char *text) {
    tn_buf terms = {0};
    char *copy = tn_strdup(text);
    if (!copy) die("out of memory", NULL);
    for (char *c = copy; *c; c++)
        if (*c == '"') *c = ' '; /* prose, not phrases */
    add_terms(copy, strlen(copy), &terms);
    questions[n_questions] = copy;
    tn_buf_cstr(&terms);
    question_terms[n_questions] = terms.len ? tn_buf_take(&terms) : tn_strdup("");
    if (!question_terms[n_questions]) die("out of memory", NULL);
    drop_repeats(question_terms[n_questions++]);
}

static void read_questions(void) {
    if (!opts.corpus) {
        tn_buf q = {0};
        for (uint64_t i = 0; i < QUERIES_MAX; i++) {
            bench_gen_question(SEED, i, opts.n_passages, &q);
            add_question(tn_buf_cstr(&q));
        }
        tn_buf_deinit(&q);
        return;
    }
    gzFile f = gzopen(opts.queries, "rb");
    if (!f) die(opts.queries, NULL);
    for (json_t *v; n_questions < QUERIES_MAX && (v = next_object(f)) != NULL; json_decref(v))
        add_question(tn_json_str(v, "question", tn_json_str(v, "text", "")));
    gzclose(f);
}

/* --- tern as one of the contenders --- */

static tn_inv_builder *builder;
static tn_inv *inverted;
static tn_bm25 *bm25;
static const char *tern_dir;

static int tern_failed(const tern_error *err) {
    fprintf(stderr, "tern: %s\n", err->text);
    return -1;
}

static int tern_begin(const char *dir) {
    tern_error err;
    tern_dir = dir;
    return tn_inv_builder_new(analyzer, &builder, &err) == TERN_OK ? 0 : tern_failed(&err);
}

static int tern_end(void) {
    tern_error err;
    tern_status st = tn_inv_builder_write(builder, tern_dir, &err);
    tn_inv_builder_free(builder);
    return st == TERN_OK ? 0 : tern_failed(&err);
}

static int tern_open(const char *dir) {
    tern_error err;
    if (tn_inv_open(dir, &inverted, &err) != TERN_OK) return tern_failed(&err);
    const tn_bm25_segment seg = {inverted, 0, NULL};
    return tn_bm25_new(&seg, 1, "english", &bm25, &err) == TERN_OK ? 0 : tern_failed(&err);
}

static int tern_search_text(const char *text, uint32_t *refs, size_t *n) {
    tern_error err;
    tern_hit hits[BENCH_K];
    if (tn_bm25_search(bm25, text, strlen(text), 1.2f, 0.75f, NULL, false, BENCH_K, hits, n,
                       &err) != TERN_OK)
        return tern_failed(&err);
    for (size_t i = 0; i < *n; i++) refs[i] = hits[i].ref;
    return 0;
}

static void tern_close(void) {
    tn_bm25_free(bm25);
    tn_inv_close(inverted);
}

static const bench_peer tern_contender = {"tern",   "",        tern_begin,       NULL,
                                          tern_end, tern_open, tern_search_text, tern_close};

static const bench_peer *const contenders[] = {
    &tern_contender,
#ifdef BENCH_FTS5
    &bench_fts5,
#endif
#ifdef BENCH_XAPIAN
    &bench_xapian,
#endif
};
enum { N_CONTENDERS = sizeof contenders / sizeof *contenders };

static bool is_tern(const bench_peer *p) {
    return p == &tern_contender;
}

/* --- indexing --- */

typedef struct build_result {
    double seconds, mb; /* processor time; text in units of 10^6 bytes */
    long peak_kb;
} build_result;

static void add_passage(const bench_peer *c, const passage *p, tn_buf *terms) {
    tern_error err;
    if (is_tern(c)) {
        if (tn_inv_builder_add(builder, p->title.data, p->title.len, p->text.data, p->text.len,
                               &err) != TERN_OK)
            die("indexing", &err);
        return;
    }
    tn_buf_reset(terms);
    if (p->title.len) add_terms(p->title.data, p->title.len, terms);
    add_terms(p->text.data, p->text.len, terms);
    if (c->add(tn_buf_cstr(terms), terms->len) != 0) die(c->name, NULL);
}

static void build(const bench_peer *c, const char *dir, build_result *r) {
    static passage batch[BATCH];
    tn_buf terms = {0};
    size_t n;
    double start = cpu_seconds();
    if (c->begin(dir) != 0) die(c->name, NULL);
    r->seconds = cpu_seconds() - start;
    rewind_passages();
    do {
        for (n = 0; n < BATCH && next_passage(&batch[n]); n++)
            r->mb += (double)(batch[n].title.len + batch[n].text.len) * 1e-6;
        start = cpu_seconds();
        for (size_t i = 0; i < n; i++) add_passage(c, &batch[i], &terms);
        r->seconds += cpu_seconds() - start;
    } while (n == BATCH);
    start = cpu_seconds();
    if (c->end() != 0) die(c->name, NULL);
    r->seconds += cpu_seconds() - start;
}

static build_result build_in_child(const bench_peer *c, const char *dir) {
    build_result r = {0};
    int channel[2], status;
    struct rusage usage;
    if (pipe(channel) != 0) die("pipe", NULL);
    pid_t child = fork();
    if (child < 0) die("fork", NULL);
    if (child == 0) {
        build(c, dir, &r);
        _exit(write(channel[1], &r, sizeof r) == sizeof r ? 0 : 1);
    }
    close(channel[1]);
    bool got = read(channel[0], &r, sizeof r) == sizeof r;
    close(channel[0]);
    if (wait4(child, &status, 0, &usage) != child || status != 0 || !got) die(c->name, NULL);
    r.peak_kb = usage.ru_maxrss;
    return r;
}

/* --- searching --- */

static const char *query_for(const bench_peer *c, size_t q) {
    return is_tern(c) ? questions[q] : question_terms[q];
}

/* Queries a second over at most opts.seconds, going on from *next. */
static double search_round(const bench_peer *c, size_t *next) {
    uint32_t refs[BENCH_K];
    size_t n, n_done = 0;
    double start = cpu_seconds(), spent = 0;
    do { /* asking for the time costs a tenth of a microsecond or more: not for every query */
        if (c->search(query_for(c, *next), refs, &n) != 0) die(c->name, NULL);
        *next = (*next + 1) % n_questions;
        n_done++;
        if (n_done % 8 == 0) spent = cpu_seconds() - start;
    } while (spent < opts.seconds);
    return (double)n_done / spent;
}

/* Share of our ten best that the peer has among its own, over the first queries. */
static double agreement(const bench_peer *c) {
    size_t n_same = 0, n_all = 0;
    for (size_t q = 0; q < n_questions && q < 50; q++) {
        uint32_t ours[BENCH_K], theirs[BENCH_K];
        size_t n_ours, n_theirs;
        if (tern_search_text(questions[q], ours, &n_ours) != 0 ||
            c->search(question_terms[q], theirs, &n_theirs) != 0)
            die(c->name, NULL);
        for (size_t i = 0; i < n_ours; i++)
            for (size_t j = 0; j < n_theirs; j++) n_same += ours[i] == theirs[j];
        n_all += n_ours;
    }
    return n_all ? (double)n_same / (double)n_all : 1;
}

typedef struct spread {
    double min, median, max;
} spread;

static spread spread_of(double *v, int n) {
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && v[j] < v[j - 1]; j--) {
            double x = v[j];
            v[j] = v[j - 1];
            v[j - 1] = x;
        }
    return (spread){v[0], v[n / 2], v[n - 1]};
}

/* --- report --- */

static void report(const char *name, const char *unit, const double *values) {
    for (int i = 1; i < N_CONTENDERS || i == 1; i++) {
        bool has_peer = i < N_CONTENDERS;
        if (opts.json && has_peer)
            printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"peer\":\"%s\","
                   "\"peer_value\":%.6g,\"ratio\":%.4g}\n",
                   name, values[0], unit, contenders[i]->name, values[i], values[0] / values[i]);
        else if (opts.json)
            printf("{\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", name, values[0], unit);
        else if (has_peer)
            printf("%-24s %12.6g %-10s %s %s: %.6g (ratio %.3g)\n", name, values[0], unit,
                   contenders[i]->name, contenders[i]->version, values[i], values[0] / values[i]);
        else
            printf("%-24s %12.6g %s\n", name, values[0], unit);
    }
    fflush(stdout);
}

static void measure_indexing(const char *dir) {
    static double speeds[PEERS_MAX][ROUNDS_MAX];
    double values[3][PEERS_MAX], peak[PEERS_MAX];
    int n_rounds = 1;
    for (int round = 0; round < n_rounds; round++)
        for (int i = 0; i < N_CONTENDERS; i++) {
            build_result r = build_in_child(contenders[i], dir);
            speeds[i][round] = r.mb / r.seconds;
            peak[i] = (double)r.peak_kb / 1024;
            if (r.mb < SMALL_MB) n_rounds = opts.n_rounds;
            if (!opts.json && round + i == 0) printf("%.1f MB of text\n", r.mb);
        }
    for (int i = 0; i < N_CONTENDERS; i++) {
        spread s = spread_of(speeds[i], n_rounds);
        values[0][i] = s.min, values[1][i] = s.median, values[2][i] = s.max;
    }
    if (n_rounds > 1) report("indexing_slowest_round", "MB/s", values[0]);
    report("indexing", "MB/s", values[1]);
    if (n_rounds > 1) report("indexing_fastest_round", "MB/s", values[2]);
    report("indexing_peak_memory", "MiB", peak);
}

static void measure_searching(const char *dir) {
    static double rounds[PEERS_MAX][ROUNDS_MAX];
    double values[3][PEERS_MAX], agree[PEERS_MAX] = {1};
    size_t next[PEERS_MAX] = {0};
    for (int i = 0; i < N_CONTENDERS; i++)
        if (contenders[i]->open(dir) != 0) die(contenders[i]->name, NULL);
    for (int i = 1; i < N_CONTENDERS; i++) agree[i] = agreement(contenders[i]); /* and warms up */
    for (int r = 0; r < opts.n_rounds; r++)
        for (int i = 0; i < N_CONTENDERS; i++) rounds[i][r] = search_round(contenders[i], &next[i]);
    for (int i = 0; i < N_CONTENDERS; i++) {
        spread s = spread_of(rounds[i], opts.n_rounds);
        values[0][i] = s.min, values[1][i] = s.median, values[2][i] = s.max;
        contenders[i]->close();
    }
    report("search_slowest_round", "queries/s", values[0]);
    report("search", "queries/s", values[1]);
    report("search_fastest_round", "queries/s", values[2]);
    report("agreement_of_top_10", "share", agree);
}

static void parse_args(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(a, "--json") == 0) {
            opts.json = true;
            continue;
        }
        i++;
        if (!value) die("an option lacks its value", NULL);
        if (strcmp(a, "--corpus") == 0)
            opts.corpus = value;
        else if (strcmp(a, "--queries") == 0)
            opts.queries = value;
        else if (strcmp(a, "--passages") == 0)
            opts.n_passages = strtoull(value, NULL, 10);
        else if (strcmp(a, "--rounds") == 0)
            opts.n_rounds = atoi(value);
        else if (strcmp(a, "--seconds") == 0)
            opts.seconds = atof(value);
        else
            die("unknown option: see the head of bench_search.c", NULL);
    }
    if (!!opts.corpus != !!opts.queries || !opts.corpus == !opts.n_passages)
        die("give --corpus and --queries, or --passages", NULL);
    if (opts.n_rounds < 1 || opts.n_rounds > ROUNDS_MAX) die("--rounds must be 1 to 25", NULL);
}

int main(int argc, char **argv) {
    char dir[] = "/tmp/tern-bench-XXXXXX";
    tern_error err;
    parse_args(argc, argv);
    if (tn_analyzer_new("english", &analyzer, &err) != TERN_OK) die("analyzer", &err);
    read_questions();
    if (n_questions == 0) die("there are no questions", NULL);
    if (!mkdtemp(dir)) die("/tmp", NULL);
    measure_indexing(dir);
    measure_searching(dir);
    for (size_t i = 0; i < n_questions; i++) {
        tn_free(questions[i]);
        tn_free(question_terms[i]);
    }
    tn_analyzer_free(analyzer);
    return tn_remove_tree(dir, &err) == TERN_OK ? 0 : 1;
}
