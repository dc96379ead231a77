/* test_lm_feed.c - batches: what is packed, what is learned, in which order. */
#include "tests/test.h"
#include "trainer/lm/feed.h"

#include "core/base/mem.h"

static tn_arena arena;

/* A token file in which document d of record r holds the ids that `text` names. */
typedef struct maker {
    tn_tokens_writer *w;
    char path[128];
} maker;

static maker begin(const char *name, tn_tokens_kind kind) {
    maker m;
    tern_error e = {0};
    snprintf(m.path, sizeof m.path, "%s/%s.tokens", test_dir(), name);
    snprintf(kind.tokenizer_hash, sizeof kind.tokenizer_hash, "%032d", 7);
    CHECK_OK(tn_tokens_writer_new(m.path, &kind, &m.w, &e), e);
    return m;
}

static void doc(maker *m, size_t n, const int32_t *ids, const int16_t *tags, size_t second) {
    tern_error e = {0};
    CHECK_OK(tn_tokens_add_doc(m->w, ids, tags, n, second, &e), e);
}
#define DOC(m, ...)                                                                                \
    doc(m, sizeof((int32_t[]){__VA_ARGS__}) / 4, (const int32_t[]){__VA_ARGS__}, NULL, SIZE_MAX)

static void end_record(maker *m, float target) {
    tern_error e = {0};
    CHECK_OK(tn_tokens_end_record(m->w, &target, &e), e);
}

static tn_tokens finish(maker *m) {
    tern_error e = {0};
    tn_tokens t;
    CHECK_OK(tn_tokens_finish(m->w, &e), e);
    tn_tokens_writer_free(m->w);
    CHECK_OK(tn_tokens_open(m->path, &t, &e), e);
    return t;
}

/* Three documents: 1 2 3 | 4 5 | 6 7 8 9 10 */
static tn_tokens small_corpus(void) {
    maker m = begin("corpus", (tn_tokens_kind){.vocab = 50});
    DOC(&m, 1, 2, 3);
    end_record(&m, 0);
    DOC(&m, 4, 5);
    end_record(&m, 0);
    DOC(&m, 6, 7, 8, 9, 10);
    end_record(&m, 0);
    return finish(&m);
}

static tn_feed *feed_over(const tn_tokens *t, tn_feed_opts o) {
    tern_error e = {0};
    tn_feed *f;
    CHECK_OK(tn_feed_new(t, &o, &f, &e), e);
    return f;
}

static tn_lm_batch train(tn_feed *f, uint64_t m) {
    tern_error e = {0};
    tn_lm_batch b;
    CHECK_OK(tn_feed_train(f, m, &arena, &b, &e), e);
    return b;
}

static tn_lm_batch all(tn_feed *f, uint64_t m) {
    tern_error e = {0};
    tn_lm_batch b;
    CHECK_OK(tn_feed_valid(f, m, true, &arena, &b, &e), e);
    return b;
}

static void check_ints(const int32_t *x, const int32_t *want, size_t n) {
    for (size_t i = 0; i < n; i++) CHECK_EQ(x[i], want[i]);
}
#define CHECK_INTS(x, ...)                                                                         \
    check_ints(x, (const int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4)

TEST(windows_do_not_leak_from_one_document_into_the_next) {
    tn_tokens t = small_corpus();
    tn_feed *f =
        feed_over(&t, (tn_feed_opts){.task = TN_LM_PRETRAIN, .context = 4, .batch = 2, .seed = 1});
    CHECK_EQ(tn_feed_n_train(f), 2); /* (10 - 1) / 4 */
    tn_lm_batch b = all(f, 0);
    CHECK_EQ(b.n_tokens, 8);
    CHECK_EQ(b.n_seqs, 4); /* 1 2 3 | 4 || 5 | 6 7 8 */
    CHECK_INTS(b.ids, 1, 2, 3, 4, 5, 6, 7, 8);
    CHECK_INTS(b.seq_begin, 0, 3, 4, 5, 8);
    CHECK_INTS(b.targets, 2, 3, TN_LM_IGNORE, 5, TN_LM_IGNORE, 7, 8, 9);
    CHECK_EQ(b.n_targets, 6);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(windows_across_documents_are_one_sequence_with_all_targets) {
    tn_tokens t = small_corpus();
    tn_feed *f = feed_over(
        &t, (tn_feed_opts){.task = TN_LM_PRETRAIN, .context = 4, .batch = 2, .across = true});
    tn_lm_batch b = all(f, 0);
    CHECK_EQ(b.n_seqs, 2);
    CHECK_INTS(b.seq_begin, 0, 4, 8);
    CHECK_INTS(b.targets, 2, 3, 4, 5, 6, 7, 8, 9);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(every_epoch_has_every_item_once_in_its_own_order) {
    maker m = begin("many", (tn_tokens_kind){.vocab = 100, .n_targets = 1});
    for (int32_t i = 0; i < 37; i++) {
        DOC(&m, i);
        end_record(&m, (float)i);
    }
    tn_tokens t = finish(&m);
    tn_feed *f = feed_over(&t, (tn_feed_opts){.task = TN_LM_CLASSIFY,
                                              .context = 8,
                                              .batch = 5,
                                              .held_out = 6,
                                              .classes = true,
                                              .seed = 3});
    CHECK_EQ(tn_feed_n_train(f), 31);
    CHECK_EQ(tn_feed_n_held(f), 6);
    int seen[3][37] = {{0}}, order[3][31], n = 0;
    for (uint64_t k = 0; k < 31 * 3 / 5; k++) {
        tn_lm_batch b = train(f, k);
        for (int i = 0; i < 5; i++, n++) {
            CHECK_EQ(b.ids[i], b.seq_classes[i]);
            seen[n / 31][b.ids[i]]++;
            order[n / 31][n % 31] = b.ids[i];
        }
    }
    int n_held = 0;
    for (int i = 0; i < 37; i++) {
        CHECK_EQ(seen[0][i], seen[1][i]);
        n_held += seen[0][i] == 0;
        CHECK(seen[0][i] <= 1);
    }
    CHECK_EQ(n_held, 6);
    CHECK(memcmp(order[0], order[1], sizeof order[0]) != 0);
    for (uint64_t k = 0;; k++) { /* the held-out items are the others */
        tern_error e = {0};
        tn_lm_batch b;
        CHECK_OK(tn_feed_valid(f, k, false, &arena, &b, &e), e);
        if (b.n_seqs == 0) break;
        for (size_t i = 0; i < b.n_seqs; i++) CHECK_EQ(seen[0][b.ids[i]]++, 0);
        n_held -= (int)b.n_seqs;
    }
    CHECK_EQ(n_held, 0);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(a_batch_is_the_same_wherever_the_run_resumes) {
    tn_tokens t = small_corpus();
    tn_feed_opts o = {.task = TN_LM_PRETRAIN, .context = 2, .batch = 3, .seed = 9};
    tn_feed *f = feed_over(&t, o), *late = feed_over(&t, o);
    for (uint64_t k = 0; k < 20; k++) {
        tn_lm_batch a = train(f, k);
        if (k < 13) continue;
        tn_lm_batch b = train(late, k);
        CHECK_EQ(a.n_tokens, b.n_tokens);
        check_ints(a.ids, b.ids, a.n_tokens);
        check_ints(a.targets, b.targets, a.n_tokens);
    }
    tn_feed_free(f);
    tn_feed_free(late);
    tn_tokens_close(&t);
}

TEST(only_tagged_tokens_are_learned_in_fine_tuning) {
    maker m = begin("sft", (tn_tokens_kind){.vocab = 50, .tags = true, .n_tags = 2});
    doc(&m, 5, (const int32_t[]){1, 2, 3, 4, 5}, (const int16_t[]){0, 0, 1, 0, 1}, 5);
    end_record(&m, 0);
    tn_tokens t = finish(&m);
    tn_feed *f = feed_over(&t, (tn_feed_opts){.task = TN_LM_SFT, .context = 8, .batch = 1});
    tn_lm_batch b = all(f, 0);
    CHECK_INTS(b.targets, TN_LM_IGNORE, 3, TN_LM_IGNORE, 5, TN_LM_IGNORE);
    CHECK_EQ(b.n_targets, 2);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(masking_hides_the_share_asked_for_and_never_special_tokens) {
    enum { VOCAB = 200, LEN = 500, DOCS = 40, MASK = 4 };
    maker m = begin("mlm", (tn_tokens_kind){.vocab = VOCAB});
    int32_t ids[LEN];
    for (int d = 0; d < DOCS; d++) {
        for (int i = 0; i < LEN; i++) ids[i] = i % 50 == 0 ? 2 : 5 + (i * 7 + d) % (VOCAB - 5);
        doc(&m, LEN, ids, NULL, LEN);
        end_record(&m, 0);
    }
    tn_tokens t = finish(&m);
    uint8_t special[VOCAB] = {1, 1, 1, 1, 1};
    tn_feed *f = feed_over(&t, (tn_feed_opts){.task = TN_LM_MLM,
                                              .context = LEN,
                                              .batch = DOCS,
                                              .mask_rate = 0.15,
                                              .mask_id = MASK,
                                              .special = special,
                                              .seed = 5});
    tn_lm_batch b = train(f, 0), again = train(f, 1);
    size_t n_masked = 0, n_kept = 0, n_other = 0, n_moved = 0;
    for (size_t i = 0; i < b.n_tokens; i++) {
        CHECK(b.targets[i] != 2);
        if (b.targets[i] == TN_LM_IGNORE) continue;
        n_masked += b.ids[i] == MASK;
        n_kept += b.ids[i] == b.targets[i];
        n_other += b.ids[i] != MASK && b.ids[i] != b.targets[i];
        n_moved += again.targets[i] == TN_LM_IGNORE; /* the items come in another order, too */
    }
    double n = (double)b.n_targets, candidates = DOCS * LEN * 0.98;
    CHECK_NEAR(n / candidates, 0.15, 0.01);
    CHECK_NEAR((double)n_masked / n, 0.8, 0.03);
    CHECK_NEAR((double)n_other / n, 0.1, 0.02);
    CHECK_NEAR((double)n_kept / n, 0.1, 0.02);
    CHECK((double)n_moved > 0.7 * n); /* an epoch hides others */
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(a_passage_is_never_a_negative_of_its_own_query) {
    maker m = begin("pairs", (tn_tokens_kind){.vocab = 50});
    DOC(&m, 1);
    DOC(&m, 10, 11);
    DOC(&m, 20);
    DOC(&m, 21);
    end_record(&m, 0);
    DOC(&m, 2);
    DOC(&m, 10, 11); /* the same passage answers both */
    end_record(&m, 0);
    DOC(&m, 3);
    DOC(&m, 30);
    DOC(&m, 10, 11);
    end_record(&m, 0);
    tn_tokens t = finish(&m);
    tn_feed *f = feed_over(
        &t, (tn_feed_opts){.task = TN_LM_CONTRASTIVE, .context = 8, .batch = 3, .negatives = 1});
    tn_lm_batch b = all(f, 0);
    CHECK_EQ(b.n_queries, 3);
    CHECK_EQ(b.n_seqs, 3 + 3); /* 10 11, 30, and one of 20 and 21 */
    CHECK_INTS(b.positive, 0, 0, 1);
    CHECK_EQ(b.ids[b.seq_begin[3]], 10);
    CHECK_EQ(b.ids[b.seq_begin[4]], 30);
    CHECK(b.ids[b.seq_begin[5]] == 20 || b.ids[b.seq_begin[5]] == 21);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(second_parts_become_token_types_and_long_texts_are_cut) {
    maker m = begin("types", (tn_tokens_kind){.vocab = 50, .second = true, .n_targets = 2});
    tern_error e = {0};
    doc(&m, 5, (const int32_t[]){1, 2, 3, 4, 5}, NULL, 2);
    CHECK_OK(tn_tokens_end_record(m.w, (const float[]){0.25f, 4}, &e), e);
    tn_tokens t = finish(&m);
    tn_feed *f = feed_over(&t, (tn_feed_opts){.task = TN_LM_CLASSIFY, .context = 4, .batch = 1});
    CHECK_EQ(tn_feed_n_cut(f), 1);
    tn_lm_batch b = all(f, 0);
    CHECK_INTS(b.types, 0, 0, 1, 1);
    CHECK_EQ(b.n_seq_targets, 2);
    CHECK_NEAR(b.seq_targets[1], 4, 0);
    tn_feed_free(f);
    tn_tokens_close(&t);
}

TEST(files_of_another_task_are_refused) {
    tn_tokens t = small_corpus();
    tern_error e = {0};
    tn_feed *f;
    tn_feed_opts o = {.context = 4, .batch = 1};
    o.task = TN_LM_SFT;
    CHECK_EQ(tn_feed_new(&t, &o, &f, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "not made for task \"sft\"");
    o.task = TN_LM_CLASSIFY;
    CHECK_EQ(tn_feed_new(&t, &o, &f, &e), TERN_ERR_ARG);
    o.task = TN_LM_CONTRASTIVE;
    CHECK_EQ(tn_feed_new(&t, &o, &f, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "record 1 has no positive passage");
    tn_tokens_close(&t);
}

TEST_MAIN
