/* Claims about retriever/store/manifest.c. */
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include "retriever/store/manifest.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_manifest example(void) {
    tn_manifest m = {.generation = 7,
                     .next_segment = 12,
                     .chunk_tokens = 200,
                     .chunk_overlap = 30,
                     .record_tokens = 1024,
                     .hash = {1, UINT64_MAX},
                     .epoch = 5,
                     .dim = 64};
    strcpy(m.language, "english");
    strcpy(m.embedder, "lsa");
    strcpy(m.vectors, "flat");
    m.model = (tn_mfile){"lsa-00000005.tn", 1000, 0xdeadbeef};
    for (int i = 0; i < 3; i++) {
        tn_msegment *s = tn_manifest_grow(&m);
        CHECK(s != NULL);
        m.n_segs++;
        snprintf(s->name, sizeof s->name, "seg-%08x", i);
        s->n = 10;
        s->n_live_docs = 9;
        s->files[0] = (tn_mfile){"terms.tn", UINT64_C(1) << 40, 0};
        s->files[1] = (tn_mfile){"text.tn", 77, 1};
        s->n_files = 2;
        if (i != 1) continue;
        s->n_dead = 1;
        s->tombstones = (tn_mfile){"dead-00000007.tn", 80, 3};
        s->vectors = (tn_mfile){"vectors-00000005.tn", 90, 4};
    }
    return m;
}

/* The text with its checksum made right again. */
static void seal(tn_buf *b) {
    CHECK(b->len > 27);
    char tail[28];
    snprintf(tail, sizeof tail, ",\n  \"crc32c\": \"%08x\"\n}\n",
             tn_crc32c(0, b->data, b->len - 27));
    memcpy(b->data + b->len - 27, tail, 27);
}

TEST(manifest_reads_what_it_prints) {
    tn_manifest m = example(), r;
    tn_buf a = {0}, b = {0};
    tern_error e;
    tn_manifest_print(&m, &a);
    CHECK_OK(tn_manifest_parse(a.data, a.len, "m", &r, &e), e);
    CHECK_EQ(r.n_segs, 3);
    CHECK_EQ(r.hash[0], 1);
    CHECK(r.hash[1] == UINT64_MAX);
    CHECK_STR(r.segs[1].tombstones.name, "dead-00000007.tn");
    CHECK_STR(r.segs[0].tombstones.name, "");
    CHECK(r.segs[2].files[0].size == UINT64_C(1) << 40);
    tn_manifest_print(&r, &b);
    CHECK_STR(a.data, b.data);
    tn_manifest_deinit(&m);
    tn_manifest_deinit(&r);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
}

TEST(manifest_finds_every_flipped_and_every_missing_byte) {
    tn_manifest m = example(), r;
    tn_buf a = {0};
    tern_error e;
    tn_manifest_print(&m, &a);
    for (size_t i = 0; i < a.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            a.data[i] ^= (char)(1 << bit);
            CHECK_EQ(tn_manifest_parse(a.data, a.len, "m", &r, &e), TERN_ERR_CORRUPT);
            a.data[i] ^= (char)(1 << bit);
        }
        CHECK_EQ(tn_manifest_parse(a.data, i, "m", &r, &e), TERN_ERR_CORRUPT);
    }
    tn_buf_char(&a, '\n');
    CHECK_EQ(tn_manifest_parse(a.data, a.len, "m", &r, &e), TERN_ERR_CORRUPT);
    CHECK_HAS(e.text, "checksum");
    tn_manifest_deinit(&m);
    tn_buf_deinit(&a);
}

/* Replace the first `from` by `to`, seal, parse. */
static tern_status parse_with(const char *from, const char *to, tern_error *e) {
    tn_manifest m = example(), r;
    tn_buf a = {0}, b = {0};
    tn_manifest_print(&m, &a);
    const char *at = strstr(a.data, from);
    CHECK(at != NULL);
    tn_buf_add(&b, a.data, (size_t)(at - a.data));
    tn_buf_str(&b, to);
    tn_buf_str(&b, at + strlen(from));
    seal(&b);
    tern_status st = tn_manifest_parse(b.data, b.len, "DIR/manifest.json", &r, e);
    tn_manifest_deinit(&r);
    tn_manifest_deinit(&m);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    return st;
}

TEST(manifest_of_another_version_says_what_to_do) {
    tern_error e;
    CHECK_EQ(parse_with("\"format\": 1", "\"format\": 2", &e), TERN_ERR_VERSION);
    CHECK_HAS(e.text, "DIR/manifest.json: index format 2");
    CHECK_HAS(e.text, "install a newer tern");
    CHECK_EQ(parse_with("\"format\": 1", "\"format\": 0", &e), TERN_ERR_VERSION);
    CHECK_HAS(e.text, "build the index again");
}

TEST(manifest_bounds_every_value_under_a_valid_checksum) {
    static const char *const cases[][2] = {
        {"\"generation\": 7", "\"generation\": -7"},
        {"\"generation\": 7", "\"generation\": \"7\""},
        {"\"next_segment\": 12", "\"next_segment\": 99999999999"},
        {"\"english\"", "\"../../etc\""},
        {"\"english\"", "\"\""},
        {"\"english\"", "\"a-language-name-longer-than-thirty-two-bytes\""},
        {"\"english\"", "\"engl\\u0000sh\""},
        {"\"seg-00000000\"", "\"..\""},
        {"\"seg-00000000\"", "\"a/b\""},
        {"\"terms.tn\"", "\".hidden\""},
        {"\"terms.tn\"", "7"},
        {"\"passages\": 10", "\"passages\": 0"},
        {"\"passages\": 10", "\"passages\": 4294967295"},
        {"\"passages\": 10", "\"passages\": 4294967290"}, /* too many with the others */
        {"\"dead\": 0", "\"dead\": 11"},
        {"\"dead\": 0", "\"dead\": 1"}, /* without a file of tombstones */
        {"\"dead\": 1", "\"dead\": 0"}, /* with one */
        {"\"live_documents\": 9", "\"live_documents\": 11"},
        {"\"size\": 77", "\"size\": -1"},
        {"\"size\": 77", "\"size\": 1e300"},
        {"\"crc32c\": \"deadbeef\"", "\"crc32c\": \"deadbee\""},
        {"\"crc32c\": \"deadbeef\"", "\"crc32c\": \"DEADBEEF\""},
        {"\"hash\": \"ff", "\"hash\": \"fg"},
        {"\"hash\": \"ff", "\"hash\": \"f"},
        {"\"segments\": [", "\"segments\": 1, \"x\": ["},
        {"\"files\": [", "\"files\": 1, \"x\": ["},
        {"\"epoch\": 5", "\"epoch\": null"},
        {"{", "["},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_error e;
        tern_status st = parse_with(cases[i][0], cases[i][1], &e);
        if (st != TERN_ERR_CORRUPT) FAIL("%s: %s", cases[i][1], tern_status_text(st));
        CHECK_HAS(e.text, "DIR/manifest.json");
    }
}

TEST(manifest_knows_its_files_again) {
    char path[128];
    snprintf(path, sizeof path, "%s/file.tn", test_dir());
    tern_error e;
    char data[100] = {0};
    CHECK_OK(tn_file_replace(path, data, sizeof data, &e), e);
    tn_mfile f = {.name = "file.tn"};
    CHECK_OK(tn_mfile_stamp(test_dir(), &f, &e), e);
    CHECK_EQ(f.size, 100);
    CHECK_OK(tn_mfile_check(test_dir(), &f, &e), e);
    data[59] = 1;
    CHECK_OK(tn_file_replace(path, data, sizeof data, &e), e);
    CHECK_EQ(tn_mfile_check(test_dir(), &f, &e), TERN_ERR_CORRUPT);
    CHECK_HAS(e.text, "file.tn: offset 0");
    CHECK_OK(tn_file_replace(path, data, 90, &e), e);
    CHECK_EQ(tn_mfile_check(test_dir(), &f, &e), TERN_ERR_CORRUPT);
    CHECK_HAS(e.text, "offset 90");
    unlink(path);
    CHECK_EQ(tn_mfile_check(test_dir(), &f, &e), TERN_ERR_NOT_FOUND);
}

TEST(manifest_survives_failing_allocations) {
    tn_manifest m = example();
    tern_error e;
    CHECK_OK(tn_manifest_save(&m, test_dir(), &e), e);
    tern_status st = TERN_ERR_NOMEM;
    for (int k = 0; st != TERN_OK; k++) {
        CHECK(k < 2000);
        tn_manifest r;
        tn_mem_fail_after(k, 0);
        st = tn_manifest_load(test_dir(), &r, &e);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
        tn_manifest_deinit(&r);
    }
    st = TERN_ERR_NOMEM;
    for (int k = 0; st != TERN_OK; k++) {
        CHECK(k < 2000);
        tn_mem_fail_after(k, 0);
        st = tn_manifest_save(&m, test_dir(), &e);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
    }
    tn_manifest_deinit(&m);
}

TEST_MAIN
