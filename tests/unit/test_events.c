/* Claims about trainer/events. */
#include "core/base/crc32c.h"
#include "tests/test.h"
#include "trainer/events.h"

static uint32_t u32_at(const tn_buf *b, size_t at) {
    uint32_t v;
    memcpy(&v, b->data + at, 4);
    return v;
}

TEST(an_event_file_is_a_chain_of_checked_records) {
    tn_buf b = {0};
    tn_events_header(1.5, &b);
    tn_scalar s[2] = {{"reward/mean", 0.25}, {"entropy", 2}};
    tn_events_scalars(2.5, 300, s, 2, &b);
    CHECK(!b.failed);
    size_t at = 0, n_records = 0;
    while (at < b.len) {
        uint64_t n;
        memcpy(&n, b.data + at, 8);
        uint32_t crc = tn_crc32c(0, b.data + at, 8);
        CHECK_EQ(u32_at(&b, at + 8), (uint32_t)(((crc >> 15) | (crc << 17)) + 0xa282ead8u));
        crc = tn_crc32c(0, b.data + at + 12, n);
        CHECK_EQ(u32_at(&b, at + 12 + n), (uint32_t)(((crc >> 15) | (crc << 17)) + 0xa282ead8u));
        at += 16 + n;
        n_records++;
    }
    CHECK_EQ(at, b.len);
    CHECK_EQ(n_records, 2);
    /* wall time 2.5, step 300 (varint AC 02), summary, value "reward/mean" = 0.25f */
    static const unsigned char body[] = "\x09\0\0\0\0\0\0\x04\x40\x10\xAC\x02\x2A\x24"
                                        "\x0A\x12\x0A\x0Breward/mean\x15\0\0\x80\x3E";
    size_t first = 16 + 24; /* the header's record: 9 + 2 + 13 bytes of protobuf */
    CHECK(memcmp(b.data + first + 12, body, sizeof body - 1) == 0);
    tn_buf_deinit(&b);
}

TEST(jsonl_writes_nan_as_null) {
    tn_buf b = {0};
    tn_scalar s[2] = {{"a", NAN}, {"b\"", 0.5}};
    tn_events_jsonl(7, s, 2, &b);
    CHECK_STR(tn_buf_cstr(&b), "{\"step\":7,\"a\":null,\"b\\\"\":0.5}\n");
    tn_buf_deinit(&b);
}

TEST_MAIN
