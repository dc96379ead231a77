/* fuzz_llm_reply.c - whatever a language model's server sends, in one piece or in many, gives the
 * same text and the same verdict; the text ends with the first closing tag it holds. */
#include "agent/llm_priv.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

static const char *const stops[] = {"</search>", "</answer>", NULL};

static void collect(void *ud, const char *text, size_t len) {
    tn_buf_add(ud, text, len);
}

static tern_status read_reply(const char *s, size_t n, size_t step, tn_buf *text) {
    tn_llm_reply r;
    tn_buf shown = {0};
    tern_error err = {0};
    tn_llm_reply_init(&r, stops, collect, &shown);
    for (size_t i = 0; i < n; i += step) {
        size_t k = n - i < step ? n - i : step;
        char *exact = tn_strndup(s + i, k); /* its own block: ASan sees any over-read */
        if (!exact) abort();
        bool more = tn_llm_reply_feed(&r, exact, k);
        tn_free(exact);
        if (!more) break;
    }
    tern_status st = tn_llm_reply_end(&r, &err);
    if (st == TERN_OK) {
        tn_buf_add(text, r.text.data, r.text.len);
        if (shown.len != text->len || (shown.len && memcmp(shown.data, text->data, shown.len) != 0))
            abort();
    } else if (!err.text[0] || (st != TERN_ERR_REMOTE && st != TERN_ERR_LIMIT)) {
        abort();
    }
    for (int i = 0; st == TERN_OK && stops[i]; i++) {
        const char *at =
            text->len ? memmem(text->data, text->len, stops[i], strlen(stops[i])) : NULL;
        if (at && (size_t)(at - text->data) + strlen(stops[i]) != text->len) abort();
    }
    tn_buf_deinit(&shown);
    tn_llm_reply_deinit(&r);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const char *s = (const char *)data + 1;
    tn_buf whole = {0}, cut = {0};
    tern_status a = read_reply(s, size - 1, size, &whole),
                b = read_reply(s, size - 1, 1 + data[0] % 37, &cut);
    if (a != b || whole.len != cut.len) abort();
    if (whole.len && memcmp(whole.data, cut.data, whole.len) != 0) abort();
    tn_buf_deinit(&whole);
    tn_buf_deinit(&cut);
    return 0;
}
