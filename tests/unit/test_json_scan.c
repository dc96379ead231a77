/* Claims about scanning JSON objects: the scan accepts what the JSON library accepts. */
#include "core/base/json.h"
#include "core/base/text.h"
#include "retriever/ingest/json_scan.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_json_object object;

static bool scans(const char *s) {
    return tn_json_scan(s, strlen(s), &object);
}

TEST(scan_notes_the_members_as_they_are_spelled) {
    CHECK(scans(" {\"a\" : \"x\\n\" ,\"b\":[1, {\"c\":null}],\"\":-0.5} \r"));
    CHECK_EQ(object.n, 3);
    CHECK_EQ(object.members[0].key_len, 1);
    CHECK(memcmp(object.members[0].value, "\"x\\n\"", 5) == 0);
    CHECK_EQ(object.members[1].value_len, strlen("[1, {\"c\":null}]"));
    CHECK_EQ(object.members[2].key_len, 0);
    CHECK(!object.odd_number);
    CHECK(scans("{}") && object.n == 0);
    CHECK(scans("{\"a\":1234567890123456789}") && object.odd_number);
}

TEST(scan_is_bounded_in_depth_and_members) {
    char deep[400] = "{\"a\":";
    size_t n = strlen(deep);
    memset(deep + n, '[', 100);
    memset(deep + n + 100, ']', 100);
    strcpy(deep + n + 200, "}");
    CHECK(!scans(deep));
    tn_buf many = {0};
    for (int i = 0; i <= TN_JSON_MEMBERS_MAX; i++)
        tn_buf_printf(&many, "%s\"%d\":1", i ? "," : "{", i);
    tn_buf_char(&many, '}');
    CHECK(!scans(tn_buf_cstr(&many)));
    tn_buf_deinit(&many);
}

TEST(unescape_gives_the_text_of_a_string) {
    tn_arena arena = {0};
    const char *v = "\"a\\u00e9\\ud83d\\ude00\\/\\\\\\\"\\u0000z\"", *out;
    size_t n;
    CHECK(tn_json_unescape(&arena, v, strlen(v), &out, &n));
    CHECK_EQ(n, 12);
    CHECK(memcmp(out, "a\xC3\xA9\xF0\x9F\x98\x80/\\\"\0z", 12) == 0);
    CHECK(tn_json_unescape(&arena, "\"\"", 2, &out, &n) && n == 0);
    tn_arena_deinit(&arena);
}

/* Random mutations of real lines: both readers accept the same, and read the same strings. */
TEST(scan_and_library_agree) {
    static const char *const seeds[] = {
        "{\"id\":\"a\",\"t\":\"x\\u00e9\\ud83d\\ude00 "
        "\\\"q\\\"\",\"n\":[0,-1.5e+3,10],\"o\":{\"k\":[]}}",
        "{\"a\":true,\"b\":false,\"c\":null,\"d\":{},\"e\":[[],[1]],\"f\":0.1,\"g\":1E2}",
    };
    static const char alphabet[] = "\"\\{}[]:,01.eE+-utrfnd8 \t\xC3\xA9";
    unsigned state = 7;
    int n_accepted = 0;
    tn_arena arena = {0};
    for (int round = 0; round < 60000; round++) {
        char s[128];
        size_t n = strlen(seeds[round & 1]);
        memcpy(s, seeds[round & 1], n);
        for (int k = round % 3; k >= 0; k--) {
            state = state * 1664525u + 1013904223u;
            size_t at = (state >> 8) % n;
            char c = alphabet[(state >> 24) % (sizeof alphabet - 1)];
            if (state & 64)
                s[at] = c;
            else
                memmove(s + at, s + at + 1, --n - at);
        }
        if (!tn_utf8_valid(s, n)) continue;
        tern_error err;
        json_t *o = NULL;
        bool library = tn_json_parse(s, n, &o, &err) == TERN_OK && json_is_object(o);
        bool ours = tn_json_scan(s, n, &object);
        if (library != ours && !(ours && object.odd_number))
            FAIL("%.*s: library %d, scan %d (%s)", (int)n, s, library, ours, err.text);
        for (size_t i = 0; library && ours && i < object.n; i++) {
            const tn_json_member *m = &object.members[i];
            const char *text;
            size_t len;
            if (m->value[0] != '"' || memchr(m->key, '\\', m->key_len)) continue;
            char key[64] = "";
            memcpy(key, m->key, m->key_len < 63 ? m->key_len : 63);
            const json_t *v = json_object_get(o, key); /* the last of equal keys */
            if (!json_is_string(v)) continue;
            CHECK(tn_json_unescape(&arena, m->value, m->value_len, &text, &len));
            bool same = len == json_string_length(v) && !memcmp(text, json_string_value(v), len);
            bool again = false;
            for (size_t k = i + 1; k < object.n; k++)
                again |= object.members[k].key_len == m->key_len &&
                         !memcmp(object.members[k].key, m->key, m->key_len);
            CHECK(same || again);
        }
        n_accepted += library && ours;
        json_decref(o);
        tn_arena_reset(&arena);
    }
    CHECK(n_accepted > 2000);
    tn_arena_deinit(&arena);
}

TEST_MAIN
