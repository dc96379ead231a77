/* fuzz_safetensors.c - any bytes as a safetensors file: refused with a reason, or every view lies
 * inside, no two share a byte, each can be read as f32 and bf16, and saving what was read and
 * reading it again gives the same tensors. */
#include "core/graph/safetensors.h"
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void convert(const tern_st_tensor *t) {
    size_t n = t->n_bytes / tern_st_dtype_bytes(t->dtype);
    float *f = tn_alloc(n * sizeof *f);
    uint16_t *h = tn_alloc(n * sizeof *h);
    if (!f || !h) abort();
    if (tern_st_read_f32(t, f, n, NULL) != TERN_OK) abort();
    if (tern_st_read_bf16(t, h, n, NULL) != TERN_OK) abort();
    tn_free(f);
    tn_free(h);
}

static void round_trip(const tern_st *st) {
    size_t *order = tn_alloc(st->n * sizeof *order);
    tn_buf file = {0};
    tern_st back = {0};
    if (!order || tn_st_plan(st->tensors, st->n, order, NULL) != TERN_OK) goto done;
    tn_st_header(st->tensors, order, st->n, st->meta, st->n_meta, &file);
    for (size_t i = 0; i < st->n; i++)
        tn_buf_add(&file, st->tensors[order[i]].data, st->tensors[order[i]].n_bytes);
    if (tn_st_parse(&back, "again", (const uint8_t *)file.data, file.len, NULL) != TERN_OK) abort();
    if (back.n != st->n || back.n_meta != st->n_meta) abort();
    for (size_t i = 0; i < st->n; i++) {
        const tern_st_tensor *a = &st->tensors[i], *b;
        if (tern_st_get(&back, a->name, a->n_dims, a->dims, &b, NULL) != TERN_OK) abort();
        if (a->dtype != b->dtype || memcmp(a->data, b->data, a->n_bytes) != 0) abort();
    }
done:
    tn_st_deinit(&back);
    tn_buf_deinit(&file);
    tn_free(order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tern_st st = {0};
    tern_error err = {0};
    tern_status s = tn_st_parse(&st, "fuzz", data, size, &err);
    if (s != TERN_OK) {
        if ((s != TERN_ERR_FORMAT && s != TERN_ERR_LIMIT) || !err.text[0]) abort();
    } else {
        size_t total = 0;
        for (size_t i = 0; i < st.n; i++) {
            const uint8_t *p = st.tensors[i].data;
            if (p < data || p + st.tensors[i].n_bytes > data + size) abort();
            if (i && st.tensors[i].n_bytes && p < (const uint8_t *)st.tensors[i - 1].data) abort();
            total += st.tensors[i].n_bytes;
            convert(&st.tensors[i]);
        }
        if (total > size) abort();
        round_trip(&st);
    }
    tn_st_deinit(&st);
    return 0;
}
