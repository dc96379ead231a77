/* Claims about core/base. */
#include "core/base/arena.h"
#include "core/base/clock.h"
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include "tests/test.h"

TEST(crc32c_matches_the_published_check_value_on_both_paths) {
    CHECK_EQ(tn_crc32c(0, "123456789", 9), 0xE3069283u);
    CHECK_EQ(tn_crc32c_portable(0, "123456789", 9), 0xE3069283u);
    unsigned char zeros[32] = {0};
    CHECK_EQ(tn_crc32c(0, zeros, 32), 0x8A9136AAu); /* RFC 3720 B.4 */
    unsigned char data[300];
    for (int i = 0; i < 300; i++) data[i] = (unsigned char)(i * 7);
    for (size_t n = 0; n < 300; n++)
        CHECK_EQ(tn_crc32c(0, data, n), tn_crc32c_portable(0, data, n));
    CHECK_EQ(tn_crc32c(tn_crc32c(0, data, 100), data + 100, 200), tn_crc32c(0, data, 300));
    static unsigned char big[70000]; /* long enough for the interleaved streams */
    for (size_t i = 0; i < sizeof big; i++) big[i] = (unsigned char)(i * i >> 3);
    for (size_t n = sizeof big - 9; n > 12000; n -= 1021)
        CHECK_EQ(tn_crc32c(7, big + n % 8, n), tn_crc32c_portable(7, big + n % 8, n));
}

TEST(philox_matches_the_random123_vectors) {
    uint32_t out[4];
    tn_philox4x32((uint32_t[4]){0}, (uint32_t[2]){0}, out);
    CHECK(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c &&
          out[3] == 0x9b00dbd8);
    uint32_t f = 0xffffffff;
    tn_philox4x32((uint32_t[4]){f, f, f, f}, (uint32_t[2]){f, f}, out);
    CHECK(out[0] == 0x408f276d && out[1] == 0x41c83b0e && out[2] == 0xa20bc7c6 &&
          out[3] == 0x6d5451fd);
}

TEST(rng_streams_are_repeatable_and_uniform) {
    tn_rng a = tn_rng_init(7, 1), b = tn_rng_init(7, 1), c = tn_rng_init(7, 2);
    int n_same = 0;
    double sum = 0, sum2 = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t x = tn_rng_u64(&a);
        CHECK(x == tn_rng_u64(&b));
        n_same += x == tn_rng_u64(&c);
        double z = tn_rng_normal(&a);
        tn_rng_normal(&b);
        sum += z, sum2 += z * z;
    }
    CHECK_EQ(n_same, 0);
    CHECK_NEAR(sum / 20000, 0, 0.03);
    CHECK_NEAR(sum2 / 20000, 1, 0.04);
    for (int i = 0; i < 1000; i++) CHECK(tn_rng_below(&a, 3) < 3);
}

TEST(time_parse_accepts_iso_dates_and_refuses_nonsense) {
    int64_t t;
    CHECK(tn_time_parse("1970-01-01", 10, &t) && t == 0);
    CHECK(tn_time_parse("2024-02-29T12:00:00Z", 20, &t) && t == 1709208000);
    CHECK(tn_time_parse("2024-02-29 12:00", 16, &t) && t == 1709208000);
    CHECK(tn_time_parse("2024-02-29T13:00:00+01:00", 25, &t) && t == 1709208000);
    CHECK(tn_time_parse("1709208000", 10, &t) && t == 1709208000);
    CHECK(tn_time_parse("1709208000123", 13, &t) && t == 1709208000);
    CHECK(tn_time_parse("1969", 4, &t) && t == -365 * 86400);
    const char *bad[] = {"",
                         "202",
                         "2023-02-29",
                         "2024-13-01",
                         "2024-1-1",
                         "2024-01-01T",
                         "soon",
                         "2024-01-01T25:00",
                         "2024-01-01x",
                         "20240101"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (tn_time_parse(bad[i], strlen(bad[i]), &t)) FAIL("accepted \"%s\"", bad[i]);
    char s[32];
    for (int64_t day = -800000; day < 800000; day += 997) {
        tn_time_format(day * 86400, s);
        if (day > -719000) CHECK(tn_time_parse(s, strlen(s), &t) && t == day * 86400);
    }
    tn_time_format(1709208000, s);
    CHECK_STR(s, "2024-02-29T12:00:00Z");
}

TEST(utf8_repair_replaces_each_maximal_bad_part_once) {
    struct {
        const char *in, *out;
        size_t n_bad;
    } cases[] = {
        {"plain", "plain", 0},
        {"caf\xC3\xA9", "caf\xC3\xA9", 0},
        {"\x80", "\xEF\xBF\xBD", 1},
        {"a\xC0\xAF"
         "b",
         "a\xEF\xBF\xBD\xEF\xBF\xBD"
         "b",
         2},                                                         /* overlong '/' */
        {"\xE2\x82", "\xEF\xBF\xBD", 1},                             /* cut short */
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 3}, /* surrogate */
        {"\xF0\x9F\x98x", "\xEF\xBF\xBDx", 1},
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tn_buf b = {0};
        size_t n = tn_utf8_repair(cases[i].in, strlen(cases[i].in), &b);
        CHECK_STR(tn_buf_cstr(&b), cases[i].out);
        CHECK_EQ(n, cases[i].n_bad);
        CHECK_EQ(tn_utf8_valid(cases[i].in, strlen(cases[i].in)), n == 0);
        tn_buf_deinit(&b);
    }
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        char s[4];
        uint32_t back;
        size_t n = tn_utf8_encode(cp, s);
        CHECK(tn_utf8_decode(s, n, &back) == n && back == cp);
    }
}

TEST(fold_makes_names_comparable) {
    tn_buf b = {0};
    tn_text_fold("STRASSE", 7, &b);
    CHECK_STR(tn_buf_cstr(&b), "strasse");
    tn_buf_reset(&b);
    tn_text_fold("Stra\xC3\x9F"
                 "e \xEF\xAC\x81n",
                 12, &b);
    CHECK_STR(tn_buf_cstr(&b), "strasse fin");
    tn_buf_deinit(&b);
}

typedef struct sums {
    uint64_t part[64];
    size_t grain;
} sums;

static void add_range(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    sums *s = arg;
    for (size_t i = begin; i < end; i++) s->part[begin / s->grain] += i;
}

TEST(pool_runs_every_index_once_for_any_number_of_threads) {
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        tn_pool *p;
        tern_error err;
        CHECK_OK(tn_pool_new(n_threads, &p, &err), err);
        CHECK_EQ(tn_pool_n_threads(p), n_threads);
        for (int round = 0; round < 200; round++) {
            sums s = {.grain = 17};
            tn_pool_for(p, 1000, s.grain, add_range, &s);
            uint64_t total = 0;
            for (int i = 0; i < 64; i++) total += s.part[i];
            CHECK_EQ(total, 499500);
        }
        tn_pool_free(p);
    }
}

TEST(arena_rewind_frees_what_came_after_the_mark) {
    tn_arena a = {0};
    char *kept = tn_arena_strndup(&a, "kept", 4);
    tn_arena_mark mark = tn_arena_get_mark(&a);
    for (int i = 0; i < 1000; i++) CHECK(tn_arena_alloc(&a, 1000) != NULL);
    tn_arena_rewind(&a, mark);
    CHECK_STR(kept, "kept");
    CHECK_EQ(a.n_bytes, mark.n_bytes);
    tn_arena_deinit(&a);
}

TEST(strmap_numbers_keys_in_order_of_first_sight) {
    tn_strmap m = {0};
    char key[16];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 5000; i++) {
            int n = snprintf(key, sizeof key, "k%d", i);
            CHECK_EQ(tn_strmap_add(&m, key, (size_t)n), i);
        }
    CHECK_EQ(m.n, 5000);
    CHECK_EQ(tn_strmap_find(&m, "k77", 3), 77);
    CHECK_EQ(tn_strmap_find(&m, "nope", 4), TN_STRMAP_NONE);
    tn_strmap_deinit(&m);
}

TEST(strmap_survives_every_failed_allocation) {
    for (int64_t k = 0;; k++) {
        tn_strmap m = {0};
        tn_mem_fail_after(k, 0);
        bool failed = false;
        for (uint32_t i = 0; i < 300; i++) {
            uint32_t id = tn_strmap_add(&m, (char *)&i, sizeof i);
            if (id == TN_STRMAP_NONE) {
                failed = true;
                id = tn_strmap_add(&m, (char *)&i, sizeof i); /* the next try goes through */
            }
            CHECK_EQ(id, i);
        }
        tn_mem_fail_after(-1, 0);
        tn_strmap_deinit(&m);
        if (!failed) break;
    }
}

TEST(file_replace_leaves_old_or_new_and_no_temporary) {
    tern_error err;
    char *path = tn_path_join(test_dir(), "a.json");
    CHECK_OK(tn_file_replace(path, "one", 3, &err), err);
    CHECK_OK(tn_file_replace(path, "two", 3, &err), err);
    tn_buf b = {0};
    CHECK_OK(tn_file_read(path, 100, &b, &err), err);
    CHECK_STR(tn_buf_cstr(&b), "two");
    CHECK_EQ(tn_file_read(path, 2, &b, &err), TERN_ERR_LIMIT);
    tn_buf_deinit(&b);
    CHECK_EQ(tn_file_replace("/nowhere/at/all", "x", 1, &err), TERN_ERR_NOT_FOUND);
    CHECK_HAS(err.text, "/nowhere/at/all");
    tn_map m;
    CHECK_OK(tn_map_open(path, &m, &err), err);
    CHECK_EQ(m.size, 3);
    tn_map_close(&m);
    tn_free(path);
}

TEST(json_errors_name_the_byte_and_bad_utf8_is_repaired_on_output) {
    json_t *v;
    tern_error err;
    CHECK_EQ(tn_json_parse("{\"a\": }", 7, &v, &err), TERN_ERR_FORMAT);
    CHECK_HAS(err.text, "byte");
    CHECK_OK(tn_json_parse("{\"a\":[1,2.5,true,\"x\"]}", 22, &v, &err), err);
    tn_buf b = {0};
    tn_json_dump(v, &b);
    CHECK_STR(tn_buf_cstr(&b), "{\"a\":[1,2.5,true,\"x\"]}");
    json_decref(v);
    tn_buf_reset(&b);
    tn_json_escape("a\"\n\x01\xFF", 5, &b);
    CHECK_STR(tn_buf_cstr(&b), "\"a\\\"\\n\\u0001\xEF\xBF\xBD\"");
    tn_buf_deinit(&b);
}

TEST(json_parse_tells_no_memory_from_bad_syntax) {
    const char *text = "{\"a\":[\"a string longer than the first buffer of the lexer\",1.5,null],"
                       "\"c\":{\"d\":\"e\"}}";
    for (int64_t k = 0;; k++) {
        json_t *root;
        tern_error err;
        tn_mem_fail_after(k, 0);
        tern_status st = tn_json_parse(text, strlen(text), &root, &err);
        tn_mem_fail_after(-1, 0);
        json_decref(root);
        if (st == TERN_OK) {
            CHECK(k > 10);
            break;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
    }
}

TEST_MAIN
