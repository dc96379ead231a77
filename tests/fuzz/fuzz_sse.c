/* fuzz_sse.c - any bytes, cut anywhere, give the same events (and the same verdict) as in one
 * piece. The first byte of the input chooses where the cuts fall. */
#include "agent/sse.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

enum { EVENT_LIMIT = 300 };

typedef struct events {
    tn_buf text;
    int n;
} events;

static bool keep(void *ud, const tn_sse_event *ev) {
    events *all = ud;
    if (strlen(ev->data) > ev->data_len) abort();
    if (ev->data_len > EVENT_LIMIT) abort();
    tn_buf_printf(&all->text, "%s|%zu|", ev->type, ev->data_len);
    tn_buf_add(&all->text, ev->data, ev->data_len);
    tn_buf_char(&all->text, '\n');
    return ++all->n < 50;
}

static tern_status parse(const char *s, size_t n, unsigned cuts, events *all) {
    tn_sse p;
    tn_sse_init(&p, EVENT_LIMIT, keep, all);
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n && st == TERN_OK;) {
        size_t k = cuts ? 1 + (cuts * (i + 7) * 2654435761u >> 16) % cuts : n;
        if (k > n - i) k = n - i;
        char *exact = tn_strndup(s + i, k); /* its own block: ASan sees any over-read */
        if (!exact) abort();
        st = tn_sse_feed(&p, exact, k, NULL);
        tn_free(exact);
        i += k;
    }
    if (st == TERN_OK) st = tn_sse_finish(&p, NULL);
    tn_sse_deinit(&p);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    events whole = {0}, cut = {0}, single = {0};
    const char *s = (const char *)data + 1;
    tern_status a = parse(s, size - 1, 0, &whole), b = parse(s, size - 1, 2u + data[0] % 61, &cut),
                c = parse(s, size - 1, 1, &single);
    if (a != b || a != c || whole.text.len != cut.text.len || whole.text.len != single.text.len)
        abort();
    if (whole.text.len && (memcmp(whole.text.data, cut.text.data, cut.text.len) != 0 ||
                           memcmp(whole.text.data, single.text.data, single.text.len) != 0))
        abort();
    tn_buf_deinit(&whole.text);
    tn_buf_deinit(&cut.text);
    tn_buf_deinit(&single.text);
    return 0;
}
