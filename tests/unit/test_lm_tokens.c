/* test_lm_tokens.c - token files: what was written is read, and what was damaged is refused. */
#include "tests/test.h"
#include "trainer/lm/tokens.h"

#include "core/base/mem.h"

static const char *path_in_dir(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static tn_tokens_kind full_kind(uint32_t vocab) {
    return (tn_tokens_kind){.vocab = vocab,
                            .tags = true,
                            .second = true,
                            .n_tags = 3,
                            .n_targets = 2,
                            .tokenizer_hash = "0123456789abcdef0123456789abcdef",
                            .task = "classify"};
}

static const char *write_small(uint32_t vocab) {
    const char *path = path_in_dir("small.tokens");
    tn_tokens_kind kind = full_kind(vocab);
    tn_tokens_writer *w;
    tern_error e = {0};
    const int32_t a[] = {1, 2, 3, (int32_t)vocab - 1}, b[] = {7};
    const int16_t tags[] = {0, TN_TAG_NONE, 2, 1};
    const float targets[] = {0.5f, -1};
    CHECK_OK(tn_tokens_writer_new(path, &kind, &w, &e), e);
    CHECK_OK(tn_tokens_add_doc(w, a, tags, 4, 2, &e), e);
    CHECK_OK(tn_tokens_add_doc(w, b, NULL, 1, 1, &e), e);
    CHECK_OK(tn_tokens_end_record(w, targets, &e), e);
    CHECK_OK(tn_tokens_add_doc(w, b, NULL, 1, 9, &e), e);
    CHECK_OK(tn_tokens_end_record(w, targets, &e), e);
    CHECK_OK(tn_tokens_finish(w, &e), e);
    tn_tokens_writer_free(w);
    return path;
}

TEST(a_token_file_gives_back_what_was_written) {
    const uint32_t vocabs[] = {65536, 65537}; /* 2 bytes an id, 4 bytes an id */
    for (size_t k = 0; k < 2; k++) {
        tn_tokens t;
        tern_error e = {0};
        CHECK_OK(tn_tokens_open(write_small(vocabs[k]), &t, &e), e);
        CHECK_EQ(t.width, k == 0 ? 2 : 4);
        CHECK_EQ(t.n_records, 2);
        CHECK_EQ(t.n_docs, 3);
        CHECK_EQ(t.n_tokens, 6);
        CHECK_EQ(tn_tokens_id(&t, 3), vocabs[k] - 1);
        CHECK_EQ(t.doc_begin[2], 5);
        CHECK_EQ(t.record_begin[1], 2);
        CHECK_EQ(t.tags[1], TN_TAG_NONE);
        CHECK_EQ(t.tags[2], 2);
        CHECK_EQ(t.tags[5], TN_TAG_NONE);
        CHECK_EQ(t.second[0], 2);
        CHECK_EQ(t.second[2], 1);
        CHECK_NEAR(t.targets[2], 0.5, 0);
        CHECK_STR(t.kind.task, "classify");
        CHECK_STR(t.kind.tokenizer_hash, "0123456789abcdef0123456789abcdef");
        tn_tokens_close(&t);
    }
}

TEST(a_flipped_bit_anywhere_is_refused) {
    tn_buf file = {0};
    tern_error e = {0};
    tn_tokens t;
    CHECK_OK(tn_file_read(write_small(300), 1 << 20, &file, &e), e);
    for (size_t i = 0; i < file.len; i++) {
        if (i >= 100 && i < 104) continue; /* four bytes of nothing */
        file.data[i] ^= 0x10;
        CHECK(tn_tokens_view((const uint8_t *)file.data, file.len, "f", &t, &e) != TERN_OK);
        CHECK_HAS(e.text, "f: ");
        file.data[i] ^= 0x10;
    }
    for (size_t n = 0; n < file.len; n++)
        CHECK(tn_tokens_view((const uint8_t *)file.data, n, "f", &t, &e) != TERN_OK);
    CHECK_OK(tn_tokens_view((const uint8_t *)file.data, file.len, "f", &t, &e), e);
    tn_buf_deinit(&file);
}

TEST(an_id_or_a_tag_out_of_range_is_not_written) {
    tn_tokens_kind kind = full_kind(10);
    tn_tokens_writer *w;
    tern_error e = {0};
    const int32_t bad[] = {3, 10}, good[] = {3, 9};
    const int16_t tags[] = {0, 3};
    CHECK_OK(tn_tokens_writer_new(path_in_dir("bad.tokens"), &kind, &w, &e), e);
    CHECK_EQ(tn_tokens_add_doc(w, bad, NULL, 2, 2, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "token id 10 is outside the vocabulary of 10");
    CHECK_EQ(tn_tokens_add_doc(w, good, tags, 2, 2, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "tag 3 is not one of 3");
    CHECK_EQ(tn_tokens_finish(w, &e), TERN_ERR_ARG);
    tn_tokens_writer_free(w);
    CHECK(!tn_file_exists(path_in_dir("bad.tokens")));
}

TEST(a_full_disk_leaves_no_file) {
    tn_tokens_kind kind = full_kind(10);
    tn_tokens_writer *w;
    tern_error e = {0};
    CHECK(tn_tokens_writer_new("/dev/full/x", &kind, &w, &e) != TERN_OK);
    CHECK(w == NULL);
}

TEST_MAIN
