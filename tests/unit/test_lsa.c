/* test_lsa.c - the corpus-fitted embedder: what it learns, that it repeats, that it fails well. */
#include "retriever/dense/lsa_priv.h"
#include "tests/unit/dense_corpus.h"

#include "core/base/mem.h"

static tern_error err;

static void embed(const tern_embedder *e, const char *text, float *out) {
    size_t len = strlen(text);
    CHECK_OK(e->embed(e, &text, &len, 1, true, out, &err), err);
}

static float dot(const float *x, const float *y, size_t n) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

static void read_file(const char *name, tn_buf *out) {
    char *path = corpus_path(name);
    CHECK_OK(tn_file_read(path, 1 << 28, out, &err), err);
    tn_free(path);
}

TEST(fit_and_vectors_have_the_same_bytes_for_any_number_of_threads) {
    tn_inv *inv = corpus_generated("threads", 0, 1500);
    tn_buf model[2] = {{0}}, vectors[2] = {{0}};
    for (int threads = 1; threads <= 3; threads++) {
        tern_host host = {.n_threads = threads};
        tern_embedder *e = corpus_fit(inv, "threads.lsa", 3, threads);
        char *path = corpus_path("threads.vec");
        CHECK_OK(tn_vectors_build(e, inv, "flat", path, &host, &err), err);
        int slot = threads > 1;
        tn_buf_reset(&model[slot]);
        tn_buf_reset(&vectors[slot]);
        read_file("threads.lsa", &model[slot]);
        read_file("threads.vec", &vectors[slot]);
        if (slot) {
            CHECK_EQ(model[0].len, model[1].len);
            CHECK(memcmp(model[0].data, model[1].data, model[0].len) == 0);
            CHECK_EQ(vectors[0].len, vectors[1].len);
            CHECK(memcmp(vectors[0].data, vectors[1].data, vectors[0].len) == 0);
        }
        e->free(e);
        tn_free(path);
    }
    for (int i = 0; i < 2; i++) {
        tn_buf_deinit(&model[i]);
        tn_buf_deinit(&vectors[i]);
    }
    tn_inv_close(inv);
}

TEST(fit_does_not_depend_on_how_segments_cut_the_passages) {
    tn_inv *whole = corpus_generated("whole", 0, 600);
    const tn_inv *parts[] = {corpus_generated("part1", 0, 250),
                             corpus_generated("part2", 250, 350)};
    char *one = corpus_path("one.lsa"), *two = corpus_path("two.lsa");
    const tn_inv *all = whole;
    CHECK_OK(tn_lsa_fit(&all, NULL, 1, "english", 3, one, NULL, &err), err);
    CHECK_OK(tn_lsa_fit(parts, NULL, 2, "english", 3, two, NULL, &err), err);
    tn_buf a = {0}, b = {0};
    read_file("one.lsa", &a);
    read_file("two.lsa", &b);
    CHECK_EQ(a.len, b.len);
    CHECK(memcmp(a.data, b.data, a.len) == 0);
    tn_buf_deinit(&a);
    tn_buf_deinit(&b);
    tn_free(one);
    tn_free(two);
    tn_inv_close(whole);
    tn_inv_close((tn_inv *)(uintptr_t)parts[0]);
    tn_inv_close((tn_inv *)(uintptr_t)parts[1]);
}

TEST(words_that_keep_the_same_company_are_near) {
    /* "automobile" and "car" never meet; their neighbours do. */
    const char *texts[] = {
        "the car has an engine and four wheels on the road",
        "a car drove down the road with a loud engine",
        "an automobile needs an engine and wheels",
        "the automobile stood on the road near the garage",
        "wheels and engine were taken to the garage",
        "the ship sailed over the sea with its crew",
        "a crew on the sea keeps the ship in repair",
        "waves of the sea rocked the boat and its crew",
        "a boat has a sail and crosses waves on the sea",
        "sail the boat past the harbour said the crew",
        "bread is baked from flour in the oven",
        "the oven bakes flour and butter into cake",
        "butter and flour make a cake for the baker",
        "a baker sells bread and cake from the oven",
    };
    tn_inv *inv = corpus_inv("toy", texts, sizeof texts / sizeof *texts);
    tern_embedder *e = corpus_fit(inv, "toy.lsa", 1, 1);
    float car[64], automobile[64], boat[64];
    CHECK(e->dim >= 2 && e->dim <= 64);
    embed(e, "car", car);
    embed(e, "automobile", automobile);
    embed(e, "boat", boat);
    CHECK(dot(car, automobile, e->dim) > 0.8f);
    CHECK(dot(car, automobile, e->dim) > dot(car, boat, e->dim) + 0.3f);
    e->free(e);
    tn_inv_close(inv);
}

TEST(passage_folded_in_equals_its_text_embedded) {
    tn_inv *inv = corpus_generated("fold", 0, 400), *later = corpus_generated("later", 400, 100);
    tern_embedder *e = corpus_fit(inv, "fold.lsa", 1, 2);
    tn_vectors *v;
    char *path = corpus_path("fold.vec");
    CHECK_OK(tn_vectors_build(e, later, "flat", path, NULL, &err), err);
    CHECK_OK(tn_vectors_open(path, e, 100, &v, &err), err);
    tn_buf text = {0};
    float x[256];
    for (uint32_t i = 0; i < 100; i++) {
        corpus_text(400 + i, &text);
        embed(e, text.data, x);
        float self;
        CHECK_OK(tn_vectors_sim(v, x, i, &self, &err), err);
        CHECK_NEAR(self, 1, 1e-5);
    }
    tn_buf_deinit(&text);
    tn_vectors_close(v);
    tn_free(path);
    e->free(e);
    tn_inv_close(inv);
    tn_inv_close(later);
}

TEST(text_alone_and_in_a_batch_embeds_to_the_same_bits) {
    tn_inv *inv = corpus_generated("batch", 0, 300);
    tern_embedder *e = corpus_fit(inv, "batch.lsa", 1, 1);
    const char *texts[] = {"t1w2 t1w7 common3", "t4w4", "", "t1w2 t9w9 t9w1"};
    size_t lens[4];
    float together[4 * 256], alone[256];
    for (int i = 0; i < 4; i++) lens[i] = strlen(texts[i]);
    CHECK_OK(e->embed(e, texts, lens, 4, true, together, &err), err);
    for (int i = 0; i < 4; i++) {
        embed(e, texts[i], alone);
        CHECK(memcmp(alone, together + (size_t)i * e->dim, e->dim * sizeof *alone) == 0);
    }
    e->free(e);
    tn_inv_close(inv);
}

TEST(text_of_unknown_words_is_the_zero_vector) {
    tn_inv *inv = corpus_generated("zero", 0, 100);
    tern_embedder *e = corpus_fit(inv, "zero.lsa", 1, 1);
    float x[256];
    embed(e, "nothing of this is known", x);
    for (uint32_t i = 0; i < e->dim; i++) CHECK(x[i] == 0);
    e->free(e);
    tn_inv_close(inv);
}

TEST(unknown_share_counts_tokens_never_met_when_fitting) {
    const char *known[] = {"red green blue", "red green", "blue red once"};
    const char *later[] = {"red mauve mauve mauve", "green once"};
    tn_inv *a = corpus_inv("known", known, 3), *b = corpus_inv("unknown", later, 2);
    tern_embedder *e = corpus_fit(a, "share.lsa", 1, 1);
    double share;
    CHECK_OK(tn_lsa_unknown_share(e, a, &share, &err), err);
    CHECK_NEAR(share, 0, 0);
    CHECK_OK(tn_lsa_unknown_share(e, b, &share, &err), err);
    double n_tokens = (double)tn_inv_n_tokens(b);
    CHECK_NEAR(share, 3 / n_tokens, 1e-9);
    e->free(e);
    tn_inv_close(a);
    tn_inv_close(b);
}

TEST(removed_passages_are_not_learnt_from) {
    const char *texts[] = {"red green blue", "red green", "blue red", "mauve teal", "mauve teal"};
    tn_inv *inv = corpus_inv("keep", texts, 5);
    const tn_inv *all = inv;
    const uint64_t keep[1] = {7}, *keeps[] = {keep};
    char *path = corpus_path("keep.lsa");
    tern_embedder *e;
    CHECK_OK(tn_lsa_fit(&all, keeps, 1, "english", 1, path, NULL, &err), err);
    CHECK_OK(tn_lsa_open(path, &e, &err), err);
    float x[8];
    CHECK(e->dim <= 8);
    embed(e, "mauve teal", x);
    for (uint32_t i = 0; i < e->dim; i++) CHECK(x[i] == 0);
    e->free(e);
    tn_free(path);
    tn_inv_close(inv);
}

TEST(fit_on_nothing_gives_a_model_that_knows_nothing) {
    char *path = corpus_path("empty.lsa");
    tern_embedder *e;
    CHECK_OK(tn_lsa_fit(NULL, NULL, 0, "english", 1, path, NULL, &err), err);
    CHECK_OK(tn_lsa_open(path, &e, &err), err);
    float x[4];
    CHECK_EQ(e->dim, 1);
    embed(e, "anything", x);
    CHECK(x[0] == 0);
    e->free(e);
    tn_free(path);
}

static bool always(void *ud) {
    (void)ud;
    return true;
}

TEST(fit_that_is_cancelled_leaves_no_file) {
    tn_inv *inv = corpus_generated("cancel", 0, 50);
    const tn_inv *all = inv;
    tern_host host = {.cancelled = always};
    char *path = corpus_path("cancel.lsa");
    CHECK_EQ(tn_lsa_fit(&all, NULL, 1, "english", 1, path, &host, &err), TERN_ERR_CANCELLED);
    CHECK(!tn_file_exists(path));
    tn_free(path);
    tn_inv_close(inv);
}

TEST(every_failed_allocation_of_fit_open_and_embed_is_reported) {
    tn_inv *inv = corpus_generated("oom", 0, 40);
    const tn_inv *all = inv;
    char *path = corpus_path("oom.lsa");
    for (int64_t k = 0;; k++) {
        tern_embedder *e = NULL;
        const char *text = "t1w1 t2w2";
        size_t len = strlen(text);
        float x[256];
        tn_mem_fail_after(k, 0);
        tern_status st = tn_lsa_fit(&all, NULL, 1, "english", 1, path, NULL, &err);
        if (st == TERN_OK) st = tn_lsa_open(path, &e, &err);
        if (st == TERN_OK) st = e->embed(e, &text, &len, 1, true, x, &err);
        tn_mem_fail_after(-1, 0);
        if (e) e->free(e);
        if (st == TERN_OK) {
            CHECK(k > 20);
            break;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
    }
    tn_free(path);
    tn_inv_close(inv);
}

TEST_MAIN
