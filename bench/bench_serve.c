/* bench_serve.c - what HTTP costs: POST /retrieve on loopback beside the same search in-process.
 *   bench_serve INDEX QUESTIONS.jsonl [SECONDS]
 * Each line of the file is an object with a "question" (or "text"); they are asked in order, again
 * and again. The least of three rounds is printed for times, one JSON object per line. Every client
 * keeps one connection. Loads share the machine with the server, as they would on a laptop. */
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

enum { TOPK = 3, N_ROUNDS = 3, CLIENTS_MAX = 64 };

typedef struct question {
    char *text, *request; /* request: the whole HTTP message */
    size_t text_len, request_len;
} question;

static question *questions;
static size_t n_questions, questions_cap;
static double seconds = 2;

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

/* Microseconds per query: search alone, and with the passages written as JSON. */
static void measure_library(const char *dir, bool render, double *us) {
    tern_error err;
    tern_index *ix;
    tern_searcher *s;
    if (tern_index_open(dir, &ix, &err) != TERN_OK || tern_searcher_new(ix, &s, &err) != TERN_OK)
        die("index", &err);
    tern_search_opts opts = tern_search_defaults();
    tn_buf out = {0};
    opts.k = TOPK;
    for (int round = 0; round <= N_ROUNDS; round++) { /* round 0 warms up */
        uint64_t start = tn_clock_ns();
        for (size_t i = 0; i < n_questions; i++) {
            tern_hit hits[TOPK];
            size_t n_hits;
            if (tern_search(s, questions[i].text, questions[i].text_len, &opts, hits, &n_hits,
                            &err) != TERN_OK)
                die("search", &err);
            tn_buf_reset(&out);
            for (size_t h = 0; h < n_hits && render; h++) {
                tern_passage p;
                if (tern_index_passage(ix, hits[h].ref, &p, &err) != TERN_OK) die("read", &err);
                tn_retrieve_add_item(&p, hits[h].score, true, &out);
            }
        }
        double t = (double)(tn_clock_ns() - start) / 1e3 / (double)n_questions;
        if (round == 1 || (round > 1 && t < *us)) *us = t;
    }
    tn_buf_deinit(&out);
    tern_searcher_free(s);
    tern_index_close(ix);
}

/* ---- over HTTP ---------------------------------------------------------------------------- */

static atomic_bool stop;

typedef struct load {
    pthread_t thread;
    int port;
    size_t first, n_done, n_failed;
} load;

static void *be_client(void *ud) {
    load *l = ud;
    int fd = client_connect(l->port);
    for (size_t i = l->first; fd >= 0 && !atomic_load(&stop); i++) {
        const question *q = &questions[i % n_questions];
        char *answer = client_send(fd, q->request, q->request_len) == 0 ? client_read(fd) : NULL;
        if (client_status(answer) == 200)
            l->n_done++;
        else
            l->n_failed++;
        (free)(answer);
        if (!answer) break;
    }
    if (fd >= 0) close(fd);
    return NULL;
}

/* Requests per second of n clients together; the best of the rounds. */
static double measure_http(int port, int n_clients) {
    double best = 0;
    for (int round = 0; round < N_ROUNDS; round++) {
        load loads[CLIENTS_MAX];
        size_t n_done = 0, n_failed = 0;
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
            n_failed += loads[i].n_failed;
        }
        if (n_failed) die("a request failed", NULL);
        double rate = (double)n_done / ((double)(tn_clock_ns() - start) / 1e9);
        if (rate > best) best = rate;
    }
    return best;
}

static void print(const char *name, double value, const char *unit) {
    printf("{\"name\":\"%s\",\"value\":%.1f,\"unit\":\"%s\"}\n", name, value, unit);
}

int main(int argc, char **argv) {
    if (argc < 3) die("usage: bench_serve INDEX QUESTIONS.jsonl [SECONDS]", NULL);
    if (argc > 3) seconds = atof(argv[3]);
    read_questions(argv[2]);
    double search_us = 0, render_us = 0;
    measure_library(argv[1], false, &search_us);
    measure_library(argv[1], true, &render_us);
    tern_server_opts o = tern_server_defaults();
    tern_server *server;
    tern_error err;
    o.port = 0;
    if (tern_server_start(argv[1], &o, NULL, &server, &err) != TERN_OK) die("server", &err);
    int port = tern_server_port(server);
    double one = measure_http(port, 1), eight = measure_http(port, 8);
    tern_server_stop(server);
    print("serve/search_alone", search_us, "us/query");
    print("serve/search_and_render", render_us, "us/query");
    print("serve/retrieve_1_client", one, "requests/s");
    print("serve/retrieve_8_clients", eight, "requests/s");
    print("serve/overhead_1_client", 1e6 / one - render_us, "us/request");
    for (size_t i = 0; i < n_questions; i++) {
        tn_free(questions[i].text);
        tn_free(questions[i].request);
    }
    tn_free(questions);
    return 0;
}
