/* bench_serve.c - what HTTP costs: POST /retrieve on loopback beside the same search in-process.
 * A time is the mean over the questions of the least of five rounds, which a busy machine disturbs
 * little; a rate is the best of three rounds. Clients keep one connection each, and share the
 * machine with the server. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "serve/retrieve.h"
#include "tern/serve.h"
#include "tests/http_client.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { TOPK = 3, N_LOOKS = 5, N_ROUNDS = 3, CLIENTS_MAX = 64 };

typedef struct question {
    char *text, *request; /* request: the whole HTTP message */
    size_t text_len, request_len;
    uint64_t least_ns;
} question;

static question *questions;
static size_t n_questions, questions_cap;
static double seconds = 2;
static bool as_json;

static const char usage[] = "usage: bench_serve INDEX QUESTIONS.jsonl [--seconds S] [--json]\n"
                            "  Each line of the file is an object with a \"question\" or a "
                            "\"text\". --seconds is the length\n"
                            "  of one round of requests (default 2).\n";

static void die(const char *what, const tern_error *err) {
    fprintf(stderr, "bench_serve: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    exit(1);
}

/* ---- input -------------------------------------------------------------------------------- */

static void add_question(const char *text) {
    tn_buf body = {0}, request = {0};
    tn_buf_str(&body, "{\"queries\":[");
    tn_json_escape(text, strlen(text), &body);
    tn_buf_printf(&body, "],\"topk\":%d,\"return_scores\":true}", TOPK);
    tn_buf_printf(&request,
                  "POST /retrieve HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                  "Content-Length: %zu\r\n\r\n%s",
                  body.len, tn_buf_cstr(&body));
    question q = {.text = tn_strdup(text), .text_len = strlen(text), .request_len = request.len};
    q.request = tn_buf_take(&request);
    if (!q.text || !q.request || TN_GROW(questions, questions_cap, n_questions + 1) != 0)
        die("out of memory", NULL);
    questions[n_questions++] = q;
    tn_buf_deinit(&body);
}

static void read_questions(const char *path) {
    tn_buf file = {0};
    tern_error err;
    if (tn_file_read(path, (size_t)1 << 30, &file, &err) != TERN_OK) die("questions", &err);
    for (char *line = strtok(file.data, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *v;
        if (tn_json_parse(line, strlen(line), &v, &err) != TERN_OK) die("questions", &err);
        const char *text = tn_json_str(v, "question", tn_json_str(v, "text", NULL));
        if (text) add_question(text);
        json_decref(v);
    }
    tn_buf_deinit(&file);
    if (n_questions == 0) die("no questions", NULL);
}

/* ---- in-process --------------------------------------------------------------------------- */

/* Microseconds: fn(i) answers question i. */
static double least_us(void (*fn)(size_t i, void *ud), void *ud) {
    double sum = 0;
    for (int look = 0; look < N_LOOKS; look++) {
        for (size_t i = 0; i < n_questions; i++) {
            uint64_t start = tn_clock_ns();
            fn(i, ud);
            uint64_t t = tn_clock_ns() - start;
            if (look == 0 || t < questions[i].least_ns) questions[i].least_ns = t;
        }
    }
    for (size_t i = 0; i < n_questions; i++) sum += (double)questions[i].least_ns;
    return sum / 1e3 / (double)n_questions;
}

typedef struct library {
    tern_index *ix;
    tern_searcher *s;
    bool render; /* write the passages as JSON too */
    tn_buf out;
} library;

static void ask_library(size_t i, void *ud) {
    library *l = ud;
    tern_error err;
    tern_hit hits[TOPK];
    size_t n_hits;
    tern_search_opts opts = tern_search_defaults();
    opts.k = TOPK;
    if (tern_search(l->s, questions[i].text, questions[i].text_len, &opts, hits, &n_hits, &err) !=
        TERN_OK)
        die("search", &err);
    tn_buf_reset(&l->out);
    for (size_t h = 0; h < n_hits && l->render; h++) {
        tern_passage p;
        if (tern_index_passage(l->ix, hits[h].ref, &p, &err) != TERN_OK) die("read", &err);
        tn_retrieve_add_item(&p, hits[h].score, true, &l->out);
    }
}

static void measure_library(const char *dir, double *search_us, double *render_us) {
    tern_error err;
    library l = {0};
    if (tern_index_open(dir, &l.ix, &err) != TERN_OK ||
        tern_searcher_new(l.ix, &l.s, &err) != TERN_OK)
        die("index", &err);
    *search_us = least_us(ask_library, &l);
    l.render = true;
    *render_us = least_us(ask_library, &l);
    tn_buf_deinit(&l.out);
    tern_searcher_free(l.s);
    tern_index_close(l.ix);
}

/* ---- over HTTP ---------------------------------------------------------------------------- */

static bool exchange(int fd, const question *q) {
    char *answer = client_send(fd, q->request, q->request_len) == 0 ? client_read(fd) : NULL;
    bool ok = client_status(answer) == 200;
    (free)(answer);
    return ok;
}

static void ask_server(size_t i, void *ud) {
    if (!exchange(*(int *)ud, &questions[i])) die("a request failed", NULL);
}

static double measure_latency(int port) {
    int fd = client_connect(port);
    double us = least_us(ask_server, &fd);
    close(fd);
    return us;
}

static atomic_bool stop;

typedef struct load {
    pthread_t thread;
    int port;
    size_t first, n_done;
    bool failed;
} load;

static void *be_client(void *ud) {
    load *l = ud;
    int fd = client_connect(l->port);
    for (size_t i = l->first; !l->failed && !atomic_load(&stop); i++) {
        if (exchange(fd, &questions[i % n_questions]))
            l->n_done++;
        else
            l->failed = true;
    }
    if (fd >= 0) close(fd);
    return NULL;
}

/* Requests per second of n clients together; the best of the rounds. */
static double measure_http(int port, int n_clients) {
    double best = 0;
    for (int round = 0; round < N_ROUNDS; round++) {
        load loads[CLIENTS_MAX];
        size_t n_done = 0;
        atomic_store(&stop, false);
        uint64_t start = tn_clock_ns();
        for (int i = 0; i < n_clients; i++) {
            loads[i] = (load){.port = port, .first = n_questions * (size_t)i / (size_t)n_clients};
            if (pthread_create(&loads[i].thread, NULL, be_client, &loads[i]) != 0)
                die("thread", NULL);
        }
        tn_sleep_ms((unsigned)(seconds * 1000));
        atomic_store(&stop, true);
        for (int i = 0; i < n_clients; i++) {
            pthread_join(loads[i].thread, NULL);
            n_done += loads[i].n_done;
            if (loads[i].failed) die("a request failed", NULL);
        }
        double rate = (double)n_done / ((double)(tn_clock_ns() - start) / 1e9);
        if (rate > best) best = rate;
    }
    return best;
}

static void print(const char *name, double value, const char *unit) {
    printf(as_json ? "{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\"}\n" : "%-30s %10.1f %s\n",
           name, value, unit);
}

static void measure(const char *dir) {
    double search_us, render_us;
    measure_library(dir, &search_us, &render_us);
    tern_server_opts o = tern_server_defaults();
    tern_server *server;
    tern_error err;
    o.port = 0;
    if (tern_server_start(dir, &o, NULL, &server, &err) != TERN_OK) die("server", &err);
    int port = tern_server_port(server);
    double http_us = measure_latency(port);
    double one = measure_http(port, 1), eight = measure_http(port, 8);
    tern_server_stop(server);
    print("serve/search", search_us, "us/query");
    print("serve/search_and_render", render_us, "us/query");
    print("serve/retrieve", http_us, "us/request");
    print("serve/overhead", http_us - search_us, "us/request");
    print("serve/retrieve_1_client", one, "requests/s");
    print("serve/retrieve_8_clients", eight, "requests/s");
}

int main(int argc, char **argv) {
    const char *paths[2];
    int n_paths = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            as_json = true;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--help") == 0)
            return fputs(usage, stdout) < 0;
        else if (argv[i][0] != '-' && n_paths < 2)
            paths[n_paths++] = argv[i];
        else
            n_paths = 3;
    }
    if (n_paths != 2 || !(seconds >= 0.1)) {
        fputs(usage, stderr);
        return 2;
    }
    read_questions(paths[1]);
    measure(paths[0]);
    for (size_t i = 0; i < n_questions; i++) {
        tn_free(questions[i].text);
        tn_free(questions[i].request);
    }
    tn_free(questions);
    return 0;
}
