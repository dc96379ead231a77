/* Claims about agent/sse.c. */
#include "agent/sse.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_buf seen;
static int n_left;

static bool note(void *ud, const tn_sse_event *ev) {
    (void)ud;
    tn_buf_printf(&seen, "[%s %s]", ev->type, ev->data);
    return --n_left != 0;
}

/* The events of s fed in pieces of `step` bytes, as text; or the status as a digit on failure. */
static const char *events_of(const char *s, size_t step, size_t max_bytes) {
    tn_sse p;
    tern_error err;
    tn_buf_reset(&seen);
    tn_sse_init(&p, max_bytes, note, NULL);
    tern_status st = TERN_OK;
    for (size_t i = 0, n = strlen(s); i < n && st == TERN_OK; i += step)
        st = tn_sse_feed(&p, s + i, n - i < step ? n - i : step, &err);
    if (st == TERN_OK) st = tn_sse_finish(&p, &err);
    tn_sse_deinit(&p);
    if (st != TERN_OK) tn_buf_printf(&seen, "!%d", (int)st);
    return tn_buf_cstr(&seen);
}

TEST(sse_reads_every_line_ending_however_the_bytes_are_cut) {
    static const char *cases[][2] = {
        {"data: a\n\ndata: b\n\n", "[message a][message b]"},
        {"data: a\r\n\r\ndata: b\r\n\r\n", "[message a][message b]"},
        {"data: a\r\rdata: b\r\r", "[message a][message b]"},
        {"event: tick\ndata:x\ndata: y\ndata:  z\n\n", "[tick x\ny\n z]"},
        {": note\n\ndata\n\n", "[message ]"},
        {"event: lonely\n\ndata: k\n\n", "[message k]"},
        {"\xEF\xBB\xBF"
         "data: bom\n\n",
         "[message bom]"},
        {"id: 3\nretry: 9\nfoo: bar\ndatax: no\ndata: yes\n\n", "[message yes]"},
        {"data: cut off", "[message cut off]"},
        {"data: a:b: c\n\n", "[message a:b: c]"},
        {"\n\r\n\r\r\n\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step < 24; step++) {
            n_left = 99;
            CHECK_STR(events_of(cases[i][0], step, 1000), cases[i][1]);
        }
}

TEST(sse_stops_when_the_reader_has_enough) {
    n_left = 2;
    CHECK_STR(events_of("data: 1\n\ndata: 2\n\ndata: 3\n\n", 4, 100), "[message 1][message 2]");
}

TEST(sse_refuses_an_event_longer_than_the_limit) {
    for (size_t step = 1; step < 40; step++) {
        n_left = 99;
        CHECK_STR(events_of("data: 12\n\ndata: 0123456789\n\n", step, 12), "[message 12]!14");
        n_left = 99;
        CHECK_STR(events_of("data: 0123\ndata: 4567\ndata: 8\n\n", step, 14), "!14");
    }
}

TEST(sse_survives_every_allocation_failure) {
    for (int64_t k = 0;; k++) {
        n_left = 99;
        tn_buf_reset(&seen);
        tn_sse p;
        tern_error err = {0};
        tn_sse_init(&p, 1000, note, NULL);
        const char *s = "event: t\ndata: a long enough line to grow\ndata: twice\n\ndata: tail";
        tn_buf_reserve(&seen, 500);
        tn_mem_fail_after(k, 1);
        tern_status st = TERN_OK;
        for (size_t i = 0; s[i] && st == TERN_OK; i++) st = tn_sse_feed(&p, s + i, 1, &err);
        if (st == TERN_OK) st = tn_sse_finish(&p, &err);
        tn_mem_fail_after(-1, 0);
        tn_sse_deinit(&p);
        if (st == TERN_OK) {
            CHECK(k > 3);
            CHECK_STR(tn_buf_cstr(&seen), "[t a long enough line to grow\ntwice][message tail]");
            break;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
    }
    tn_buf_deinit(&seen);
}

TEST_MAIN
