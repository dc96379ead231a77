/* Claims about agent/http.c, against a scripted server. */
#include "agent/http.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "tests/fake_server.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_buf got;
static size_t n_wanted;

static bool take(void *ud, const char *data, size_t n) {
    (void)ud;
    tn_buf_add(&got, data, n);
    return got.len < n_wanted;
}

static tn_http_post post_to(const char *url) {
    tn_buf_reset(&got);
    n_wanted = SIZE_MAX;
    return (tn_http_post){.url = url,
                          .body = "{}",
                          .body_len = 2,
                          .on_body = take,
                          .connect_ms = 3000,
                          .idle_ms = 3000,
                          .total_ms = 5000};
}

static tern_status send_once(const tn_http_post *post, tn_http_answer *ans, tern_error *err) {
    tn_http *h;
    *err = (tern_error){0};
    if (tn_http_open(&h, err) != TERN_OK) abort();
    tern_status st = tn_http_send(h, post, ans, err);
    tn_http_close(h);
    return st;
}

static void script_ok(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_answer(fd, "200 OK", "application/json", "{\"fine\":true}");
}

TEST(http_posts_json_and_hands_over_the_body) {
    fake_server *f = fake_start(script_ok);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    post.bearer = "sesame";
    CHECK_OK(send_once(&post, &ans, &err), err);
    CHECK_EQ(ans.status, 200);
    CHECK_STR(tn_buf_cstr(&got), "{\"fine\":true}");
    CHECK_HAS(fake_request(f), "POST / HTTP/1.1\r\n");
    CHECK_HAS(fake_request(f), "Content-Type: application/json\r\n");
    CHECK_HAS(fake_request(f), "Authorization: Bearer sesame\r\n");
    CHECK(!strstr(fake_request(f), "Expect"));
    CHECK_HAS(fake_request(f), "\r\n\r\n{}");
    fake_stop(f);
}

static void script_busy(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_say(fd,
             "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nlate");
}

TEST(http_keeps_the_complaint_of_an_error_answer) {
    fake_server *f = fake_start(script_busy);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    CHECK_OK(send_once(&post, &ans, &err), err);
    CHECK_EQ(ans.status, 429);
    CHECK_EQ(ans.retry_after_s, 7);
    CHECK_STR(ans.error_body, "late");
    CHECK_EQ(got.len, 0);
    fake_stop(f);
}

TEST(http_names_a_dead_port_without_the_secrets_of_its_url) {
    fake_server *f = fake_start(script_ok);
    char url[128];
    snprintf(url, sizeof url, "http://me:hush@127.0.0.1:%d/v1/x?key=hidden#frag", f->port);
    fake_stop(f);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(url);
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_REMOTE);
    CHECK(ans.transient);
    CHECK_HAS(err.text, "/v1/x: cannot connect");
    CHECK(!strstr(err.text, "hush") && !strstr(err.text, "hidden") && !strstr(err.text, "frag"));
}

TEST(http_refuses_what_is_no_http_address) {
    static const char *bad[] = {"",        "ftp://x/y",   "file:///etc/passwd",
                                "http://", "http://a b/", "http://h:99999/"};
    tn_http_answer ans;
    tern_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (tn_http_check_url(bad[i], &err) != TERN_ERR_ARG) FAIL("accepted \"%s\"", bad[i]);
        tn_http_post post = post_to(bad[i]);
        CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_ARG);
    }
    CHECK_OK(tn_http_check_url("https://example.org/v1", &err), err);
}

static void script_hang(int fd, int n, const char *request) {
    (void)n, (void)request;
    fake_say(fd, "HTTP/1.1 200 OK\r\n\r\nhello");
    fake_hang(fd);
}

TEST(http_gives_up_on_a_server_that_falls_silent) {
    fake_server *f = fake_start(script_hang);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    post.idle_ms = 250;
    uint64_t start = tn_clock_ns();
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_TIMEOUT);
    CHECK(tn_clock_ns() - start < 2000000000u);
    CHECK_HAS(err.text, "sent nothing for 0.2 s");
    CHECK_STR(tn_buf_cstr(&got), "hello");
    post = post_to(f->url);
    post.total_ms = 250;
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_TIMEOUT);
    CHECK_HAS(err.text, "no complete answer within");
    fake_stop(f);
}

static bool after_150_ms(void *ud) {
    return tn_clock_ns() - *(uint64_t *)ud > 150000000u;
}

TEST(http_stops_soon_after_a_cancel) {
    fake_server *f = fake_start(script_hang);
    tn_http_answer ans;
    tern_error err;
    uint64_t start = tn_clock_ns();
    tern_host host = {.cancelled = after_150_ms, .ud = &start};
    tn_http_post post = post_to(f->url);
    post.host = &host;
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_CANCELLED);
    CHECK(tn_clock_ns() - start < 1500000000u);
    fake_stop(f);
}

static void script_babble(int fd, int n, const char *request) {
    (void)n, (void)request;
    bool listening = fake_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (listening) listening = fake_say(fd, "blah blah blah blah blah blah blah blah ");
}

TEST(http_cuts_off_an_endless_answer) {
    fake_server *f = fake_start(script_babble);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    post.max_bytes = 100000;
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_LIMIT);
    CHECK(got.len <= 100000);
    post = post_to(f->url);
    n_wanted = 500;
    CHECK_OK(send_once(&post, &ans, &err), err);
    CHECK(ans.stopped);
    fake_stop(f);
}

static void script_half(int fd, int n, const char *request) {
    (void)request;
    if (n == 1) fake_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    if (n == 2) fake_say(fd, "\x16\x03\x01 this is no HTTP\r\n\r\n");
}

TEST(http_tells_a_lost_connection_from_a_strange_server) {
    fake_server *f = fake_start(script_half);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_REMOTE);
        CHECK(ans.transient);
        CHECK_HAS(err.text, "connection lost");
    }
    CHECK_EQ(send_once(&post, &ans, &err), TERN_ERR_REMOTE);
    CHECK(!ans.transient);
    CHECK_HAS(err.text, "does not speak HTTP");
    fake_stop(f);
}

TEST(http_ignores_the_proxy_for_a_loopback_address) {
    fake_server *f = fake_start(script_ok);
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    tn_http_answer ans;
    tern_error err;
    tn_http_post post = post_to(f->url);
    tern_status st = send_once(&post, &ans, &err);
    unsetenv("http_proxy");
    CHECK_OK(st, err);
    fake_stop(f);
    tn_buf_deinit(&got);
}

TEST_MAIN
