/* Claims about agent/llm.c and agent/llm_reply.c: what servers really send, and worse. */
#include "agent/llm_priv.h"
#include "core/base/clock.h"
#include "tests/fake_server.h"
#include "tests/test.h"

#include "core/base/mem.h"

static const char *const stops[] = {"</search>", "</answer>", NULL};

/* ---- reading an answer -------------------------------------------------------------------- */

static tn_buf text, shown;
static tern_error error;

static void show(void *ud, const char *s, size_t n) {
    (void)ud;
    tn_buf_add(&shown, s, n);
}

/* Read `body` in pieces of `step` bytes into text and shown. */
static tern_status read_reply(const char *body, size_t step) {
    tn_llm_reply r;
    tn_buf_reset(&text);
    tn_buf_reset(&shown);
    error = (tern_error){0};
    tn_llm_reply_init(&r, stops, show, NULL);
    for (size_t i = 0, n = strlen(body); i < n; i += step)
        if (!tn_llm_reply_feed(&r, body + i, n - i < step ? n - i : step)) break;
    tern_status st = tn_llm_reply_end(&r, &error);
    if (st == TERN_OK) tn_buf_add(&text, r.text.data, r.text.len);
    tn_llm_reply_deinit(&r);
    return st;
}

#define DELTA(s)   "data: {\"choices\":[{\"delta\":{\"content\":\"" s "\"}}]}\n\n"
#define FINISH(s)  "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" s "\"}]}\n\n"
#define MESSAGE(s) "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"" s "\"}}]}"

TEST(reply_text_does_not_depend_on_the_server_s_habits) {
    static const char *cases[][2] = {
        {DELTA("<think>a</think>") DELTA("<search>b</search>") "data: [DONE]\n\n",
         "<think>a</think><search>b</search>"},
        /* the closing tag was cut off by the stop string */
        {DELTA("<search> who") DELTA(" is it") FINISH("stop"), "<search> who is it</search>"},
        {MESSAGE("<think>x</think><answer> Oslo"), "<think>x</think><answer> Oslo</answer>"},
        {MESSAGE("<search>a</search> so <answer>b"), "<search>a</search>"},
        /* stop ignored: the text ends with the first closing tag */
        {DELTA("<search>a</sea") DELTA("rch><information>made up") FINISH("stop"),
         "<search>a</search>"},
        /* cut by max_tokens: nothing is put back */
        {DELTA("<search> half a que") FINISH("length"), "<search> half a que"},
        {DELTA("no tags at all") "data: [DONE]\n\n", "no tags at all"},
        /* keep-alive comments, usage chunks, nulls, unknown fields, a role-only first delta */
        {": ping\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
         "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: \n\n" DELTA(
             "hi") "event: x\ndata: "
                   "{\"error\":null,\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
         "hi"},
        {"{\"choices\":[{\"text\":\"legacy\"}]}", "legacy"},
        {"{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"in \"},{\"text\":"
         "\"parts\"},{\"type\":\"image\"}]}}]}",
         "in parts"},
        {"\xEF\xBB\xBF \n" MESSAGE("bom"), "bom"},
        {"\xEF\xBB\xBF" DELTA("bom") FINISH("stop"), "bom"},
        /* the reasoning is not the text, unless there is no other */
        {"data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm "
         "<answer>no</answer>\"}}]}\n\n" DELTA("<answer>yes") FINISH("stop"),
         "<answer>yes</answer>"},
        {"{\"choices\":[{\"message\":{\"content\":null,\"reasoning\":\"so <search>q\"}}]}",
         "so <search>q</search>"},
        {"{\"choices\":[{\"message\":{\"content\":null}}]}", ""},
        {"{\"choices\":[{}]}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 200; step = step * 2 + 1) {
            CHECK_OK(read_reply(cases[i][0], step), error);
            CHECK_STR(tn_buf_cstr(&text), cases[i][1]);
            CHECK_STR(tn_buf_cstr(&shown), cases[i][1]);
        }
}

TEST(reply_failures_say_what_the_server_did) {
    static const char *cases[][2] = {
        {"", "empty"},
        {"<html><body>Bad gateway\n</body>", "not the answer of an OpenAI-compatible server"},
        {"hello there", "no choices"},
        {"{\"choices\":[]}", "no choices"},
        {"{\"choices\":\"none\"}", "no choices"},
        {"[1,2]", "no choices"},
        {"{\"choices\":[{\"message\":{\"content\":\"cut", "not the answer"},
        {"data: {broken\n\n", "not the answer"},
        {"data: [DONE]\n\n", "no choices"},
        {DELTA("half a"), "broke off"},
        {"{\"error\":{\"message\":\"model\\nnot loaded\",\"code\":1}}", "model not loaded"},
        {"{\"error\":\"plain words\"}", "plain words"},
        {"{\"object\":\"error\",\"message\":\"old vLLM\"}", "old vLLM"},
        {DELTA("a") "data: {\"error\":{\"message\":\"died\"}}\n\n", "died"},
        {"{\"error\":{}}", "an error without a message"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 200; step = step * 2 + 1) {
            CHECK_EQ(read_reply(cases[i][0], step), TERN_ERR_REMOTE);
            CHECK_HAS(error.text, cases[i][1]);
        }
}

TEST(reply_of_a_babbling_server_meets_a_limit) {
    tn_llm_reply r;
    tn_llm_reply_init(&r, stops, NULL, NULL);
    const char *chunk = DELTA("la la la la la la la la la la la la la la la la la la la");
    size_t n = 0;
    while (n < 100000 && tn_llm_reply_feed(&r, chunk, strlen(chunk))) n++;
    CHECK_EQ(tn_llm_reply_end(&r, &error), TERN_ERR_LIMIT);
    CHECK(n < 100000);
    tn_llm_reply_deinit(&r);
    tn_llm_reply_init(&r, stops, NULL, NULL);
    char line[4096]; /* one line without end */
    memset(line, 'x', sizeof line);
    memcpy(line, "data: ", 6);
    for (n = 0; n < 100000 && tn_llm_reply_feed(&r, line, sizeof line); n++) line[0] = 'x';
    CHECK_EQ(tn_llm_reply_end(&r, &error), TERN_ERR_LIMIT);
    tn_llm_reply_deinit(&r);
}

TEST(reply_survives_every_allocation_failure) {
    static const char *bodies[] = {DELTA("<think>hm</think>") DELTA("<search> who") FINISH("stop"),
                                   MESSAGE("<answer> a longer text than a first block holds"),
                                   "{\"error\":{\"message\":\"model not loaded\"}}"};
    for (size_t i = 0; i < 3; i++)
        for (int64_t k = 0;; k++) {
            tn_llm_reply r;
            tn_llm_reply_init(&r, stops, NULL, NULL);
            tn_mem_fail_after(k, 1);
            for (const char *s = bodies[i]; *s && tn_llm_reply_feed(&r, s, 1); s++) {
            }
            tern_status st = tn_llm_reply_end(&r, &error);
            tn_mem_fail_after(-1, 0);
            tn_llm_reply_deinit(&r);
            if (st == (i < 2 ? TERN_OK : TERN_ERR_REMOTE) && k > 5) break;
            if (st != TERN_ERR_REMOTE) CHECK_EQ(st, TERN_ERR_NOMEM);
            CHECK(k < 200);
        }
}

/* ---- asking for one ----------------------------------------------------------------------- */

static tn_buf warned;

static void warn(void *ud, tern_log_level level, const char *line) {
    (void)ud, (void)level;
    tn_buf_printf(&warned, "%s\n", line);
}

static tern_status ask(const tern_llm_opts *opts) {
    tn_llm m;
    tn_http *http = NULL;
    tn_llm_message chat[] = {{"user", "Who \"is\" it?\n", 13}};
    tern_host host = {.log = warn};
    tn_llm_ask what = {.messages = chat,
                       .n_messages = 1,
                       .temperature = 0.7,
                       .stops = stops,
                       .host = &host,
                       .on_text = show};
    error = (tern_error){0};
    tn_buf_reset(&text);
    tn_buf_reset(&shown);
    tn_buf_reset(&warned);
    tern_status st = tn_llm_init(&m, opts, &error);
    if (st != TERN_OK) return st;
    st = tn_http_open(&http, &error);
    if (st == TERN_OK) st = tn_llm_complete(&m, http, &what, &text, &error);
    tn_http_close(http);
    tn_llm_deinit(&m);
    return st;
}

static tern_llm_opts opts_for(const char *url) {
    tern_llm_opts o = tern_llm_defaults();
    o.url = url;
    o.model = "m";
    o.backoff_ms = 10;
    o.idle_ms = 300;
    return o;
}

static void script_stream(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_answer(fd, "200 OK", "text/event-stream",
                DELTA("<think>ok</think>") DELTA("<answer>me") FINISH("stop") "data: [DONE]\n\n");
}

TEST(llm_asks_in_the_form_servers_expect_wherever_the_url_ends) {
    static const char *tails[][2] = {{"", "/v1/chat/completions"},
                                     {"/", "/v1/chat/completions"},
                                     {"/v1", "/v1/chat/completions"},
                                     {"/v1/", "/v1/chat/completions"},
                                     {"/v1/chat/completions", "/v1/chat/completions"},
                                     {"/api", "/api/v1/chat/completions"},
                                     {"/v1beta/openai/", "/v1beta/openai/chat/completions"}};
    fake_server *f = fake_start(script_stream);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char url[128], line[160];
        snprintf(url, sizeof url, "%s%s", i % 2 ? f->url : f->url + 7, tails[i][0]);
        tern_llm_opts o = opts_for(url);
        o.api_key = "k3y";
        CHECK_OK(ask(&o), error);
        CHECK_STR(tn_buf_cstr(&text), "<think>ok</think><answer>me</answer>");
        CHECK_STR(tn_buf_cstr(&shown), tn_buf_cstr(&text));
        snprintf(line, sizeof line, "POST %s HTTP/1.1\r\n", tails[i][1]);
        CHECK_HAS(fake_request(f), line);
        CHECK_HAS(fake_request(f), "Authorization: Bearer k3y\r\n");
        CHECK_HAS(fake_request(f),
                  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Who "
                  "\\\"is\\\" it?\\n\"}],\"temperature\":0.700,\"max_tokens\":1024,"
                  "\"stop\":[\"</search>\",\"</answer>\"],\"stream\":true}");
    }
    fake_stop(f);
}

TEST(llm_takes_its_key_from_the_environment_and_refuses_a_broken_one) {
    fake_server *f = fake_start(script_stream);
    tern_llm_opts o = opts_for(f->url);
    unsetenv("TERN_API_KEY");
    setenv("OPENAI_API_KEY", "from-openai", 1);
    CHECK_OK(ask(&o), error);
    CHECK_HAS(fake_request(f), "Bearer from-openai\r\n");
    setenv("TERN_API_KEY", "from-tern", 1);
    CHECK_OK(ask(&o), error);
    CHECK_HAS(fake_request(f), "Bearer from-tern\r\n");
    setenv("TERN_API_KEY", "two\r\nlines", 1);
    CHECK_EQ(ask(&o), TERN_ERR_ARG);
    CHECK(!strstr(error.text, "two"));
    unsetenv("TERN_API_KEY");
    unsetenv("OPENAI_API_KEY");
    CHECK_OK(ask(&o), error);
    CHECK(!strstr(fake_request(f), "Authorization"));
    fake_stop(f);
}

static void script_moody(int fd, int n, const char *request) {
    (void)request;
    if (n == 0)
        fake_say(fd, "HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
    else if (n == 1)
        fake_answer(fd, "500 Oops", "text/plain", "internal\nerror");
    else if (n == 2)
        return; /* hang up without a word */
    else
        fake_answer(fd, "200 OK", "application/json", MESSAGE("<answer>at last</answer>"));
}

TEST(llm_tries_again_on_429_500_and_a_lost_connection) {
    fake_server *f = fake_start(script_moody);
    tern_llm_opts o = opts_for(f->url);
    uint64_t start = tn_clock_ns();
    CHECK_OK(ask(&o), error);
    CHECK(tn_clock_ns() - start >= 1000000000u); /* Retry-After: 1 */
    CHECK_STR(tn_buf_cstr(&text), "<answer>at last</answer>");
    CHECK_EQ(atomic_load(&f->n_requests), 4);
    CHECK_HAS(tn_buf_cstr(&warned), "HTTP 500: internal error; attempt 3 of 4");
    fake_stop(f);
}

static void script_down(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_answer(fd, "503 Down", "application/json", "{\"error\":{\"message\":\"loading model\"}}");
}

TEST(llm_gives_up_after_the_last_attempt) {
    fake_server *f = fake_start(script_down);
    tern_llm_opts o = opts_for(f->url);
    o.n_attempts = 3;
    CHECK_EQ(ask(&o), TERN_ERR_REMOTE);
    CHECK_EQ(error.os_code, 503);
    CHECK_HAS(error.text, "loading model (tried 3 times)");
    CHECK_EQ(atomic_load(&f->n_requests), 3);
    char url[64];
    snprintf(url, sizeof url, "%s", f->url);
    fake_stop(f);
    o.url = url;
    CHECK_EQ(ask(&o), TERN_ERR_REMOTE);
    CHECK_HAS(error.text, "cannot connect");
}

static void script_tomorrow(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_say(fd, "HTTP/1.1 429 Enough\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n");
}

TEST(llm_does_not_sit_out_a_pause_of_a_day) {
    fake_server *f = fake_start(script_tomorrow);
    tern_llm_opts o = opts_for(f->url);
    CHECK_EQ(ask(&o), TERN_ERR_REMOTE);
    CHECK_HAS(error.text, "wait 86400 s");
    CHECK_EQ(atomic_load(&f->n_requests), 1);
    fake_stop(f);
}

static void script_denied(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_answer(fd, "401 No", "application/json", "{\"error\":{\"message\":\"bad key k3y\"}}");
}

TEST(llm_does_not_insist_when_refused_and_never_shows_the_key) {
    fake_server *f = fake_start(script_denied);
    tern_llm_opts o = opts_for(f->url);
    o.api_key = "k3y";
    CHECK_EQ(ask(&o), TERN_ERR_REMOTE);
    CHECK_EQ(atomic_load(&f->n_requests), 1);
    CHECK(!strstr(error.text, "k3y"));
    CHECK_HAS(error.text, "TERN_API_KEY");
    fake_stop(f);
}

static void script_broken_stream(int fd, int n, const char *request) {
    (void)request;
    fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n");
    if (n == 0)
        fake_say(fd, "Content-Length: 9999\r\n\r\n" DELTA("lost in mid-"));
    else
        fake_say(fd, "\r\n" DELTA("<answer>whole") FINISH("stop"));
}

TEST(llm_asks_again_when_the_stream_breaks_off) {
    fake_server *f = fake_start(script_broken_stream);
    tern_llm_opts o = opts_for(f->url);
    CHECK_OK(ask(&o), error);
    CHECK_STR(tn_buf_cstr(&text), "<answer>whole</answer>");
    CHECK_STR(tn_buf_cstr(&shown), "lost in mid-\n<answer>whole</answer>");
    fake_stop(f);
}

static void script_endless(int fd, int n, const char *request) {
    (void)n, (void)request;
    bool listening = fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    while (listening) listening = fake_say(fd, DELTA("on and on and on and on and on and on "));
}

TEST(llm_cuts_off_a_babbling_server) {
    fake_server *f = fake_start(script_endless);
    tern_llm_opts o = opts_for(f->url);
    CHECK_EQ(ask(&o), TERN_ERR_LIMIT);
    CHECK_HAS(error.text, "no end");
    CHECK_EQ(atomic_load(&f->n_requests), 1);
    fake_stop(f);
}

static void script_chatty(int fd, int n, const char *request) {
    (void)n, (void)request;
    bool listening =
        fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" DELTA(
                         "<search>this</search>"));
    for (int i = 0; i < 100000 && listening; i++) listening = fake_say(fd, DELTA("more "));
}

TEST(llm_hangs_up_once_it_has_its_action) {
    fake_server *f = fake_start(script_chatty);
    tern_llm_opts o = opts_for(f->url);
    CHECK_OK(ask(&o), error);
    CHECK_STR(tn_buf_cstr(&text), "<search>this</search>");
    fake_stop(f);
}

static void script_silent(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_hang(fd);
}

TEST(llm_does_not_wait_for_ever) {
    fake_server *f = fake_start(script_silent);
    tern_llm_opts o = opts_for(f->url);
    CHECK_EQ(ask(&o), TERN_ERR_TIMEOUT);
    CHECK_EQ(atomic_load(&f->n_requests), 1);
    fake_stop(f);
}

static void script_modern(int fd, int n, const char *request) {
    (void)n;
    const char *bad = strstr(request, "\"max_tokens\"")    ? "max_tokens"
                      : strstr(request, "\"temperature\"") ? "temperature"
                      : strstr(request, "\"stop\"")        ? "stop"
                                                           : "";
    char body[128];
    snprintf(body, sizeof body, "{\"error\":{\"message\":\"Unsupported\",\"param\":\"%s\"}}", bad);
    if (*bad)
        fake_answer(fd, "400 Bad Request", "application/json", body);
    else
        fake_answer(fd, "200 OK", "application/json", MESSAGE("<answer>ok"));
}

TEST(llm_leaves_out_a_parameter_the_server_refuses) {
    fake_server *f = fake_start(script_modern);
    tern_llm_opts o = opts_for(f->url);
    o.n_attempts = 1;
    CHECK_OK(ask(&o), error);
    CHECK_STR(tn_buf_cstr(&text), "<answer>ok</answer>");
    CHECK_HAS(fake_request(f), "\"max_completion_tokens\":1024");
    CHECK_EQ(atomic_load(&f->n_requests), 4);
    fake_stop(f);
    tn_buf_deinit(&text);
    tn_buf_deinit(&shown);
    tn_buf_deinit(&warned);
}

TEST_MAIN
