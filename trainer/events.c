/* events.c - see events.h. */
#include "trainer/events.h"
#include "core/base/crc32c.h"
#include "core/base/json.h"
#include <math.h>
#include <string.h>

static void put_le(tn_buf *out, uint64_t v, int n_bytes) {
    for (int i = 0; i < n_bytes; i++) tn_buf_char(out, (char)(v >> 8 * i));
}

static uint32_t masked_crc(const void *data, size_t n) {
    uint32_t crc = tn_crc32c(0, data, n);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static void put_varint(tn_buf *out, uint64_t v) {
    for (; v >= 0x80; v >>= 7) tn_buf_char(out, (char)(v | 0x80));
    tn_buf_char(out, (char)v);
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put_key(tn_buf *out, unsigned field, unsigned wire) {
    put_varint(out, field << 3 | wire);
}

static void put_double(tn_buf *out, unsigned field, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(out, field, WIRE_64);
    put_le(out, bits, 8);
}

static void put_float(tn_buf *out, unsigned field, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_key(out, field, WIRE_32);
    put_le(out, bits, 4);
}

static void put_bytes(tn_buf *out, unsigned field, const void *data, size_t n) {
    put_key(out, field, WIRE_BYTES);
    put_varint(out, n);
    tn_buf_add(out, data, n);
}

static void put_record(tn_buf *out, const tn_buf *event) {
    size_t begin = out->len;
    put_le(out, event->len, 8);
    if (!out->failed) put_le(out, masked_crc(out->data + begin, 8), 4);
    tn_buf_add(out, event->data, event->len);
    put_le(out, masked_crc(event->data, event->len), 4);
    if (event->failed) tn_buf_fail(out);
}

void tn_events_header(double wall_time, tn_buf *out) {
    tn_buf event = {0};
    put_double(&event, 1, wall_time);
    put_bytes(&event, 3, "brain.Event:2", 13);
    put_record(out, &event);
    tn_buf_deinit(&event);
}

void tn_events_scalars(double wall_time, int64_t step, const tn_scalar *s, size_t n, tn_buf *out) {
    tn_buf event = {0}, summary = {0}, value = {0};
    for (size_t i = 0; i < n; i++) {
        tn_buf_reset(&value);
        put_bytes(&value, 1, s[i].tag, strlen(s[i].tag));
        put_float(&value, 2, (float)s[i].value);
        put_bytes(&summary, 1, value.data, value.len);
        if (value.failed) tn_buf_fail(&summary);
    }
    put_double(&event, 1, wall_time);
    put_key(&event, 2, WIRE_VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.data, summary.len);
    if (summary.failed) tn_buf_fail(&event);
    put_record(out, &event);
    tn_buf_deinit(&event);
    tn_buf_deinit(&summary);
    tn_buf_deinit(&value);
}

void tn_events_jsonl(int64_t step, const tn_scalar *s, size_t n, tn_buf *out) {
    tn_buf_printf(out, "{\"step\":%lld", (long long)step);
    for (size_t i = 0; i < n; i++) {
        tn_buf_char(out, ',');
        tn_json_escape(s[i].tag, strlen(s[i].tag), out);
        if (isfinite(s[i].value))
            tn_buf_printf(out, ":%.9g", s[i].value);
        else
            tn_buf_str(out, ":null");
    }
    tn_buf_str(out, "}\n");
}
