/* fuzz_http_body.c - any body of POST /retrieve is either refused with a reason and a field, or
 * becomes a request whose every part is in range and whose answer is valid JSON. */
#include "core/base/json.h"
#include "serve/retrieve.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

static void answer(const tn_retrieve *r) {
    tn_buf *lists = tn_calloc(r->queries.n, sizeof *lists), out = {0};
    if (!lists) abort();
    for (uint32_t i = 0; i < r->queries.n; i++) {
        const struct tn_strmap_key *q = &r->queries.keys[i];
        if (q->s[q->len] != '\0') abort();
        tern_passage p = {.id = "d1", .title = q->s, .text = q->s, .text_len = q->len};
        tn_buf_char(&lists[i], '[');
        tn_retrieve_add_item(&p, (float)i, r->scores, &lists[i]);
        tn_buf_char(&lists[i], ']');
    }
    tn_retrieve_add_answer(r, lists, &out);
    json_t *root = NULL;
    if (tn_json_parse(out.data, out.len, &root, NULL) != TERN_OK) abort();
    size_t n = json_array_size(json_object_get(root, "result"));
    if (n != (r->single ? 1 : r->n_slots)) abort();
    json_decref(root);
    for (uint32_t i = 0; i < r->queries.n; i++) tn_buf_deinit(&lists[i]);
    tn_free(lists);
    tn_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tn_retrieve r;
    tern_error err = {0};
    const char *field = NULL;
    tern_status st = tn_retrieve_parse((const char *)data, size, 3, 100, &r, &field, &err);
    if (!field) abort();
    if (st != TERN_OK) {
        if (st != TERN_ERR_FORMAT && st != TERN_ERR_LIMIT) abort();
        if (!err.text[0] || r.slot || r.queries.n) abort();
        return 0;
    }
    if (r.topk < 1 || r.topk > 100 || r.queries.n > r.n_slots) abort();
    for (size_t i = 0; i < r.n_slots; i++)
        if (r.slot[i] >= r.queries.n) abort();
    answer(&r);
    tn_retrieve_deinit(&r);
    return 0;
}
