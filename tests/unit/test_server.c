/* Claims about serve/: an index behind HTTP gives what the library gives, to many at once, and
 * stays up under overload, nonsense and new commits. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "tern/serve.h"
#include "tests/http_client.h"
#include "tests/test.h"
#include <pthread.h>

#include "core/base/mem.h"

enum { N_DOCS = 60 };

static char dir[128], input[128];
static tern_server *server;
static const char *const words[] = {"tern",  "arctic", "pole",  "island", "harbour",
                                    "storm", "ship",   "chart", "winter", "light"};

/* Documents whose words overlap enough that every query has several hits. `n_docs` of them. */
static void index_documents(int n_docs) {
    tn_buf b = {0};
    tern_error err;
    for (int i = 0; i < n_docs; i++) {
        tn_buf_printf(&b, "{\"id\":\"d%d\",\"title\":\"Note %d\",\"text\":\"", i, i);
        for (int w = 0; w < 12; w++)
            tn_buf_printf(&b, "%s ", words[(i * 7 + w * w * (i % 5 + 1)) % 10]);
        tn_buf_printf(&b, "number%d\"}\n", i);
    }
    snprintf(dir, sizeof dir, "%s/index", test_dir());
    snprintf(input, sizeof input, "%s/docs.jsonl", test_dir());
    CHECK_OK(tn_file_replace(input, b.data, b.len, &err), err);
    tn_buf_deinit(&b);
    const char *inputs[] = {input};
    tern_index_opts opts = tern_index_defaults();
    opts.embedder = "none";
    CHECK_OK(tern_index_sync(dir, inputs, 1, &opts, NULL, NULL, &err), err);
}

static void start(const tern_server_opts *opts, int n_threads) {
    tern_error err;
    tern_host host = {.n_threads = n_threads};
    if (!tn_is_dir(dir)) index_documents(N_DOCS);
    CHECK_OK(tern_server_start(dir, opts, &host, &server, &err), err);
}

static tern_server_opts any_port(void) {
    tern_server_opts o = tern_server_defaults();
    o.port = 0;
    return o;
}

/* Post to /retrieve on a connection of its own; the caller frees the answer. */
static char *post_to(int port, const char *body) {
    int fd = client_connect(port);
    char *answer = client_post(fd, "/retrieve", "application/json", body);
    close(fd);
    return answer;
}

static char *post(const char *body) {
    return post_to(tern_server_port(server), body);
}

static json_t *result_of(const char *answer) {
    json_t *root = NULL;
    tern_error err;
    const char *body = client_body(answer);
    CHECK_EQ(client_status(answer), 200);
    CHECK_OK(tn_json_parse(body, strlen(body), &root, &err), err);
    json_t *result = json_incref(json_object_get(root, "result"));
    json_decref(root);
    CHECK(json_is_array(result));
    return result;
}

/* ---- what is answered --------------------------------------------------------------------- */

TEST(server_returns_the_hits_of_the_library_in_both_dialects) {
    tern_server_opts o = any_port();
    start(&o, 2);
    tern_error err;
    tern_index *ix;
    tern_searcher *s;
    CHECK_OK(tern_index_open(dir, &ix, &err), err);
    CHECK_OK(tern_searcher_new(ix, &s, &err), err);
    for (int w = 0; w < 10; w++) {
        tern_search_opts so = tern_search_defaults();
        tern_hit hits[3];
        size_t n_hits;
        so.k = 3;
        CHECK_OK(tern_search(s, words[w], strlen(words[w]), &so, hits, &n_hits, &err), err);
        char body[256];
        snprintf(body, sizeof body, "{\"queries\":[\"none such\",\"%s\"],\"return_scores\":true}",
                 words[w]);
        char *answer = post(body);
        json_t *result = result_of(answer), *list = json_array_get(result, 1);
        CHECK_EQ(json_array_size(result), 2);
        CHECK_EQ(json_array_size(json_array_get(result, 0)), 0);
        CHECK_EQ(json_array_size(list), n_hits);
        snprintf(body, sizeof body, "{\"query\":\"%s\",\"topk\":3}", words[w]);
        char *answer_single = post(body);
        json_t *single = result_of(answer_single);
        for (size_t i = 0; i < n_hits; i++) {
            tern_passage p;
            CHECK_OK(tern_index_passage(ix, hits[i].ref, &p, &err), err);
            const json_t *item = json_array_get(list, i), *doc = json_object_get(item, "document");
            CHECK_STR(tn_json_str(doc, "id", ""), p.id);
            CHECK_STR(tn_json_str(doc, "text", ""), p.text);
            CHECK_STR(tn_json_str(doc, "title", ""), p.title);
            char contents[512];
            snprintf(contents, sizeof contents, "\"%s\"\n%s", p.title, p.text);
            CHECK_STR(tn_json_str(doc, "contents", ""), contents);
            CHECK((float)tn_json_num(item, "score", -1) == hits[i].score);
            CHECK(json_equal(json_array_get(single, i), doc)); /* bare documents */
        }
        json_decref(single);
        json_decref(result);
        free(answer_single);
        free(answer);
    }
    tern_searcher_free(s);
    tern_index_close(ix);
    tern_server_stop(server);
}

TEST(server_answers_a_batch_the_same_whatever_its_order_duplicates_and_threads) {
    tn_buf body = {0};
    char *first = NULL;
    tn_buf_str(&body, "{\"topk\":5,\"return_scores\":true,\"queries\":[");
    for (int i = 0; i < 100; i++)
        tn_buf_printf(&body, "%s\"%s %s\"", i ? "," : "", words[i % 10], words[i / 10 % 7]);
    tn_buf_str(&body, "]}");
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        tern_server_opts o = any_port();
        start(&o, n_threads);
        char *answer = post(tn_buf_cstr(&body));
        json_t *result = result_of(answer);
        CHECK_EQ(json_array_size(result), 100);
        CHECK(json_equal(json_array_get(result, 3), json_array_get(result, 73)));
        json_decref(result);
        if (!first)
            first = answer;
        else {
            CHECK_STR(client_body(answer), client_body(first));
            free(answer);
        }
        tern_server_stop(server);
    }
    free(first);
    tn_buf_deinit(&body);
}

static void check_refused(int fd, const char *request, int status, const char *part) {
    CHECK_EQ(client_send(fd, request, strlen(request)), 0);
    char *answer = client_read(fd);
    CHECK_EQ(client_status(answer), status);
    CHECK_HAS(answer, part);
    free(answer);
}

TEST(server_refuses_with_the_status_and_reason_that_fit) {
    tern_server_opts o = any_port();
    start(&o, 1);
    int fd = client_connect(tern_server_port(server));
    static const struct {
        const char *path, *type, *body, *part;
        int status;
    } cases[] = {
        {"/retrieve", "application/json", "{\"queries\":7}", "\"field\":\"queries\"", 422},
        {"/retrieve", "application/json", "{\"queries\":[", "\"error\":\"JSON, byte", 422},
        {"/retrieve", "application/json", "", "\"error\"", 422},
        {"/retrieve", "application/json", "{\"query\":\"a\",\"topk\":5000}", "at most 1000", 422},
        {"/retrieve", "text/plain", "{\"query\":\"tern\"}", "application/json", 415},
        {"/retrieve", "application/jsonp", "{\"query\":\"tern\"}", "application/json", 415},
        {"/retrieve", "Application/JSON; charset=utf-8", "{\"query\":\"tern\"}", "\"result\":[{",
         200},
        {"/retrieve", NULL, "{\"queries\":[]}", "{\"result\":[]}", 200},
        {"/elsewhere", "application/json", "{}", "\"error\"", 404},
        {"/healthz", "application/json", "{}", "Allow: GET", 405},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *answer = client_post(fd, cases[i].path, cases[i].type, cases[i].body);
        CHECK_EQ(client_status(answer), cases[i].status);
        CHECK_HAS(answer, cases[i].part);
        CHECK_HAS(answer, "Content-Type: application/json\r\n");
        free(answer);
    }
    check_refused(fd, "GET /retrieve HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: POST");
    check_refused(fd, "GET /healthz?x=y HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\"passages\":60,");
    close(fd);
    tern_server_stop(server);
}

TEST(server_bounds_an_answer_however_it_is_asked_for) {
    tern_server_opts o = any_port();
    o.reply_max_bytes = 20000;
    start(&o, 2);
    tn_buf body = {0};
    tn_buf_str(&body, "{\"topk\":20,\"queries\":[");
    for (int i = 0; i < 200; i++) tn_buf_printf(&body, "%s\"tern\"", i ? "," : "");
    tn_buf_str(&body, "]}");
    char *answer = post(tn_buf_cstr(&body)); /* one search, copied 200 times */
    CHECK_EQ(client_status(answer), 422);
    CHECK_HAS(answer, "longer than 20000 bytes");
    free(answer);
    tn_buf_reset(&body);
    tn_buf_str(&body, "{\"topk\":20,\"queries\":[");
    for (int i = 0; i < 200; i++) tn_buf_printf(&body, "%s\"tern ship %d\"", i ? "," : "", i);
    tn_buf_str(&body, "]}");
    answer = post(tn_buf_cstr(&body));
    CHECK_EQ(client_status(answer), 422);
    free(answer);
    tn_buf_deinit(&body);
    tern_server_stop(server);
}

/* ---- many at once ------------------------------------------------------------------------- */

enum { N_CLIENTS = 12, N_EACH = 40 };

typedef struct client {
    pthread_t thread;
    int number, n_ok, n_busy, n_other;
    char *const *expected; /* [10] by word; NULL: do not compare */
} client;

static void *be_client(void *ud) {
    client *c = ud;
    int fd = -1;
    for (int i = 0; i < N_EACH; i++) {
        int w = (c->number * 3 + i) % 10;
        char body[128];
        snprintf(body, sizeof body, "{\"query\":\"%s\",\"return_scores\":true}", words[w]);
        if (fd < 0) fd = client_connect(tern_server_port(server));
        char *answer = client_post(fd, "/retrieve", "application/json", body);
        int status = client_status(answer);
        bool right =
            status == 200 && (!c->expected || strcmp(client_body(answer), c->expected[w]) == 0);
        if (right)
            c->n_ok++;
        else if (status == 503 && strstr(answer, "Retry-After: 1\r\n"))
            c->n_busy++;
        else
            c->n_other++;
        free(answer);
        if (i % 7 == 6) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0) close(fd);
    return NULL;
}

static void run_clients(client *clients, char *const *expected) {
    for (int i = 0; i < N_CLIENTS; i++) {
        clients[i] = (client){.number = i, .expected = expected};
        CHECK_EQ(pthread_create(&clients[i].thread, NULL, be_client, &clients[i]), 0);
    }
    for (int i = 0; i < N_CLIENTS; i++) pthread_join(clients[i].thread, NULL);
}

TEST(server_gives_parallel_clients_what_it_gives_one) {
    tern_server_opts o = any_port();
    start(&o, 3);
    char *expected[10], *answers[10];
    for (int w = 0; w < 10; w++) {
        char body[128];
        snprintf(body, sizeof body, "{\"query\":\"%s\",\"return_scores\":true}", words[w]);
        answers[w] = post(body);
        CHECK_EQ(client_status(answers[w]), 200);
        expected[w] = strstr(answers[w], "\r\n\r\n") + 4;
    }
    client clients[N_CLIENTS];
    run_clients(clients, expected);
    for (int i = 0; i < N_CLIENTS; i++) CHECK_EQ(clients[i].n_ok, N_EACH);
    for (int w = 0; w < 10; w++) free(answers[w]);
    tern_server_stop(server);
}

/* A batch that keeps one worker busy for a good while. */
static char *long_batch(int n) {
    tn_buf b = {0};
    tn_buf_str(&b, "{\"topk\":60,\"queries\":[");
    for (int i = 0; i < n; i++)
        tn_buf_printf(&b, "%s\"%s %s %s %d\"", i ? "," : "", words[i % 10], words[i / 10 % 10],
                      words[i / 100 % 10], i);
    tn_buf_str(&b, "]}");
    return tn_buf_take(&b);
}

/* One long request from another thread, which must not touch a server that is being stopped. */
typedef struct batch {
    pthread_t thread;
    int port;
    char *body;
} batch;

static void *post_batch(void *ud) {
    const batch *b = ud;
    return post_to(b->port, b->body);
}

static void batch_start(batch *b) {
    b->port = tern_server_port(server);
    b->body = long_batch(3000);
    CHECK_EQ(pthread_create(&b->thread, NULL, post_batch, b), 0);
}

static char *batch_join(batch *b) {
    void *answer;
    pthread_join(b->thread, &answer);
    tn_free(b->body);
    return answer;
}

TEST(server_answers_503_when_too_much_is_in_flight_and_recovers) {
    tern_server_opts o = any_port();
    o.n_in_flight = 1;
    start(&o, 1);
    batch b;
    batch_start(&b);
    client clients[N_CLIENTS];
    run_clients(clients, NULL);
    char *answer = batch_join(&b);
    int n_busy = 0;
    for (int i = 0; i < N_CLIENTS; i++) {
        CHECK_EQ(clients[i].n_other, 0);
        n_busy += clients[i].n_busy;
    }
    CHECK(n_busy > 0);
    free(answer);
    answer = post("{\"query\":\"tern\"}");
    CHECK_EQ(client_status(answer), 200);
    free(answer);
    tern_server_stop(server);
}

TEST(server_stop_finishes_what_is_in_flight) {
    tern_server_opts o = any_port();
    start(&o, 2);
    batch b;
    batch_start(&b);
    tn_sleep_ms(40);
    tern_server_stop(server);
    char *answer = batch_join(&b);
    CHECK_EQ(client_status(answer), 200);
    free(answer);
}

TEST(server_stop_does_not_wait_for_ever) {
    tern_server_opts o = any_port();
    o.grace_ms = 50;
    start(&o, 1);
    batch b;
    batch_start(&b);
    int idle = client_connect(tern_server_port(server)); /* says nothing, and is not waited for */
    tn_sleep_ms(20);
    uint64_t begin = tn_clock_ns();
    tern_server_stop(server);
    CHECK(tn_clock_ns() - begin < 3000000000u);
    char *answer = batch_join(&b);
    CHECK(!answer || client_status(answer) == 503 || client_status(answer) == 200);
    free(answer);
    close(idle);
}

/* ---- new commits, failures ---------------------------------------------------------------- */

TEST(server_reload_follows_a_commit_without_losing_a_request) {
    tern_server_opts o = any_port();
    o.reload = true;
    start(&o, 2);
    uint64_t generation = tern_server_index_stats(server).generation;
    index_documents(N_DOCS + 5);
    client clients[N_CLIENTS];
    run_clients(clients, NULL);
    for (int i = 0; i < N_CLIENTS; i++) CHECK_EQ(clients[i].n_ok, N_EACH);
    for (int i = 0; i < 100 && tern_server_index_stats(server).generation == generation; i++)
        tn_sleep_ms(50);
    CHECK(tern_server_index_stats(server).generation > generation);
    CHECK_EQ(tern_server_index_stats(server).n_passages, N_DOCS + 5);
    char *answer = post("{\"query\":\"number64\"}");
    CHECK_HAS(answer, "\"id\":\"d64\"");
    free(answer);
    tern_server_stop(server);
}

TEST(server_says_why_it_does_not_start) {
    tern_error err;
    tern_server_opts o = any_port();
    tern_server *second;
    CHECK_EQ(tern_server_start("/nonexistent/index", &o, NULL, &second, &err), TERN_ERR_NOT_FOUND);
    start(&o, 1);
    o.port = tern_server_port(server);
    CHECK_EQ(tern_server_start(dir, &o, NULL, &second, &err), TERN_ERR_IO);
    CHECK_HAS(err.text, "choose another port");
    o = any_port();
    o.search.mode = TERN_MODE_DENSE; /* the index has no vectors */
    CHECK_EQ(tern_server_start(dir, &o, NULL, &second, &err), TERN_ERR_UNSUPPORTED);
    o = any_port();
    o.topk = 0;
    CHECK_EQ(tern_server_start(dir, &o, NULL, &second, &err), TERN_ERR_ARG);
    tern_server_stop(server);
}

TEST(server_start_survives_every_allocation_failure) {
    tern_server_opts o = any_port();
    tern_host host = {.n_threads = 1};
    tern_error err;
    for (int64_t k = 0;; k++) {
        tern_server *s = NULL;
        tn_mem_fail_after(k, 0);
        tern_status st = tern_server_start(dir, &o, &host, &s, &err);
        tn_mem_fail_after(-1, 0);
        tern_server_stop(s);
        if (st == TERN_OK) {
            CHECK(k > 10);
            break;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
    }
}

TEST(server_outlives_allocation_failures_while_it_answers) {
    tern_server_opts o = any_port();
    start(&o, 1);
    int n_refused = 0;
    for (int64_t k = 0; k < 80; k++) {
        tn_mem_fail_after(k, 0);
        char *answer = post("{\"queries\":[\"tern\",\"ship\"],\"return_scores\":true}");
        tn_mem_fail_after(-1, 0);
        int status = client_status(answer);
        if (status != 0 && status != 200 && status != 503) FAIL("status %d: %s", status, answer);
        n_refused += status != 200;
        free(answer);
    }
    CHECK(n_refused > 5);
    char *answer = post("{\"query\":\"tern\"}");
    CHECK_EQ(client_status(answer), 200);
    free(answer);
    tern_server_stop(server);
}

TEST_MAIN
