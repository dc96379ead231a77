/* test_vectors.c - vector files against brute force, for every kind and under bitmaps. */
#include "core/base/rng.h"
#include "retriever/dense/vectors_priv.h"
#include "tests/unit/dense_corpus.h"

#include "core/base/mem.h"

enum { N = 3000, K = 10 };
static tern_error err;
static const char *const kinds[] = {"flat", "ivf", "hnsw"};

/* One segment with all three kinds of vector file, made once. */
static struct {
    tn_inv *inv;
    tern_embedder *e;
    tn_vectors *v[3];
} all;

static void make_all(void) {
    if (all.inv) return;
    all.inv = corpus_generated("vectors", 0, N);
    all.e = corpus_fit(all.inv, "vectors.lsa", 9, 2);
    for (int i = 0; i < 3; i++) {
        char *path = corpus_path(kinds[i]);
        CHECK_OK(tn_vectors_build(all.e, all.inv, kinds[i], path, NULL, &err), err);
        CHECK_OK(tn_vectors_open(path, all.e, N, &all.v[i], &err), err);
        tn_free(path);
    }
}

static void query_vector(uint32_t i, float *out) {
    tn_buf text = {0};
    tn_buf_printf(&text, "t%uw%u t%uw%u common%u", i % CORPUS_TOPICS, i % 60, i % CORPUS_TOPICS,
                  (i * 7) % 60, i % 400);
    const char *s = text.data;
    CHECK_OK(all.e->embed(all.e, &s, &text.len, 1, true, out, &err), err);
    tn_buf_deinit(&text);
}

/* The best k by looking at every allowed passage. */
static size_t brute_force(const tn_vectors *v, const float *q, const uint64_t *allow, size_t k,
                          uint32_t *docs, float *sims) {
    size_t n = 0;
    for (uint32_t d = 0; d < N; d++) {
        if (allow && !(allow[d / 64] >> d % 64 & 1)) continue;
        float sim;
        CHECK_OK(tn_vectors_sim(v, q, d, &sim, &err), err);
        size_t at = n;
        while (at > 0 && sims[at - 1] < sim) at--;
        if (at == k) continue;
        size_t last = n < k ? n++ : k - 1;
        for (size_t i = last; i > at; i--) {
            sims[i] = sims[i - 1];
            docs[i] = docs[i - 1];
        }
        sims[at] = sim;
        docs[at] = d;
    }
    return n;
}

static uint64_t *random_bitmap(unsigned percent, uint64_t seed) {
    uint64_t *bits = tn_calloc((N + 63) / 64, sizeof *bits);
    tn_rng rng = tn_rng_init(seed, percent);
    for (uint32_t d = 0; d < N; d++)
        if (tn_rng_below(&rng, 100) < percent) bits[d / 64] |= UINT64_C(1) << d % 64;
    return bits;
}

TEST(flat_search_equals_brute_force_bit_for_bit_under_any_bitmap) {
    make_all();
    static const unsigned percents[] = {1, 10, 100};
    for (int p = 0; p < 3; p++) {
        uint64_t *allow = random_bitmap(percents[p], 1);
        for (uint32_t i = 0; i < 30; i++) {
            float q[256], sims[K], want_sims[K];
            uint32_t docs[K], want[K];
            size_t n;
            query_vector(i, q);
            CHECK_OK(tn_vectors_search(all.v[0], q, allow, K, docs, sims, &n, &err), err);
            CHECK_EQ(n, brute_force(all.v[0], q, allow, K, want, want_sims));
            for (size_t j = 0; j < n; j++) {
                CHECK_EQ(docs[j], want[j]);
                CHECK(sims[j] == want_sims[j]);
            }
        }
        tn_free(allow);
    }
}

TEST(every_kind_returns_k_allowed_hits_in_order_under_any_bitmap) {
    make_all();
    static const unsigned percents[] = {1, 3, 10, 100};
    for (int kind = 0; kind < 3; kind++) {
        for (int p = 0; p < 4; p++) {
            uint64_t *allow = random_bitmap(percents[p], 2);
            for (uint32_t i = 0; i < 25; i++) {
                float q[256], sims[K];
                uint32_t docs[K];
                size_t n;
                query_vector(i, q);
                CHECK_OK(tn_vectors_search(all.v[kind], q, allow, K, docs, sims, &n, &err), err);
                CHECK_EQ(n, K);
                for (size_t j = 0; j < n; j++) {
                    float sim;
                    CHECK(docs[j] < N && (allow[docs[j] / 64] >> docs[j] % 64 & 1));
                    CHECK_OK(tn_vectors_sim(all.v[kind], q, docs[j], &sim, &err), err);
                    CHECK(sim == sims[j]);
                    if (j)
                        CHECK(sims[j - 1] > sims[j] ||
                              (sims[j - 1] == sims[j] && docs[j - 1] < docs[j]));
                }
            }
            tn_free(allow);
        }
    }
}

TEST(lists_and_graphs_find_nine_of_ten_nearest) {
    make_all();
    for (int kind = 1; kind < 3; kind++) {
        size_t found = 0, wanted = 0;
        for (uint32_t i = 0; i < 100; i++) {
            float q[256], sims[K], want_sims[K];
            uint32_t docs[K], want[K];
            size_t n, n_want;
            query_vector(i, q);
            CHECK_OK(tn_vectors_search(all.v[kind], q, NULL, K, docs, sims, &n, &err), err);
            CHECK_OK(tn_vectors_search(all.v[0], q, NULL, K, want, want_sims, &n_want, &err), err);
            wanted += n_want;
            for (size_t j = 0; j < n; j++)
                for (size_t m = 0; m < n_want; m++) found += docs[j] == want[m];
        }
        if (found * 10 < wanted * 9) FAIL("%s found %zu of %zu", kinds[kind], found, wanted);
    }
}

TEST(every_kind_gives_a_passage_the_same_similarity) {
    make_all();
    float q[256], sim[3];
    query_vector(5, q);
    for (uint32_t d = 0; d < N; d += 97) {
        for (int kind = 0; kind < 3; kind++)
            CHECK_OK(tn_vectors_sim(all.v[kind], q, d, &sim[kind], &err), err);
        CHECK(sim[0] == sim[1] && sim[0] == sim[2]);
    }
    CHECK_EQ(tn_vectors_sim(all.v[0], q, N, &sim[0], &err), TERN_ERR_ARG);
}

TEST(builds_of_every_kind_repeat_byte_for_byte) {
    make_all();
    for (int kind = 0; kind < 3; kind++) {
        char *path = corpus_path(kinds[kind]), *again = corpus_path("again");
        tn_buf a = {0}, b = {0};
        CHECK_OK(tn_vectors_build(all.e, all.inv, kinds[kind], again, NULL, &err), err);
        CHECK_OK(tn_file_read(path, 1 << 28, &a, &err), err);
        CHECK_OK(tn_file_read(again, 1 << 28, &b, &err), err);
        CHECK_EQ(a.len, b.len);
        CHECK(memcmp(a.data, b.data, a.len) == 0);
        tn_buf_deinit(&a);
        tn_buf_deinit(&b);
        tn_free(path);
        tn_free(again);
    }
}

TEST(k_above_the_number_of_passages_returns_them_all) {
    make_all();
    static uint32_t docs[N + 5];
    static float sims[N + 5];
    float q[256];
    query_vector(1, q);
    for (int kind = 0; kind < 3; kind++) {
        size_t n;
        CHECK_OK(tn_vectors_search(all.v[kind], q, NULL, N + 5, docs, sims, &n, &err), err);
        CHECK_EQ(n, N);
    }
    uint64_t none[(N + 63) / 64] = {0};
    size_t n;
    CHECK_OK(tn_vectors_search(all.v[1], q, none, 5, docs, sims, &n, &err), err);
    CHECK_EQ(n, 0);
}

TEST(equal_vectors_come_out_by_passage_number) {
    const char *texts[40];
    for (int i = 0; i < 40; i++) texts[i] = i % 2 ? "red green blue" : "mauve teal blue";
    tn_inv *inv = corpus_inv("ties", texts, 40);
    tern_embedder *e = corpus_fit(inv, "ties.lsa", 1, 1);
    char *path = corpus_path("ties.vec");
    tn_vectors *v;
    CHECK_OK(tn_vectors_build(e, inv, "flat", path, NULL, &err), err);
    CHECK_OK(tn_vectors_open(path, e, 40, &v, &err), err);
    float q[64], sims[7];
    uint32_t docs[7];
    size_t n, len = 3;
    const char *text = "red";
    CHECK_OK(e->embed(e, &text, &len, 1, true, q, &err), err);
    CHECK_OK(tn_vectors_search(v, q, NULL, 7, docs, sims, &n, &err), err);
    for (uint32_t i = 0; i < 7; i++) CHECK_EQ(docs[i], 2 * i + 1);
    tn_vectors_close(v);
    tn_free(path);
    e->free(e);
    tn_inv_close(inv);
}

TEST(vectors_of_another_epoch_dimension_or_segment_are_refused) {
    make_all();
    char *path = corpus_path("flat");
    tn_vectors *v;
    tern_embedder other = *all.e;
    other.epoch++;
    CHECK_EQ(tn_vectors_open(path, &other, N, &v, &err), TERN_ERR_CORRUPT);
    CHECK_HAS(err.text, "another fit");
    other = *all.e;
    other.dim++;
    CHECK_EQ(tn_vectors_open(path, &other, N, &v, &err), TERN_ERR_CORRUPT);
    CHECK_EQ(tn_vectors_open(path, all.e, N - 1, &v, &err), TERN_ERR_CORRUPT);
    CHECK_EQ(tn_vectors_build(all.e, all.inv, "pq", path, NULL, &err), TERN_ERR_ARG);
    tn_free(path);
}

TEST(flipped_byte_in_a_row_fails_the_search_that_reads_it) {
    make_all();
    for (int kind = 0; kind < 3; kind++) {
        char *path = corpus_path(kinds[kind]), *bad = corpus_path("bad");
        tn_buf file = {0};
        CHECK_OK(tn_file_read(path, 1 << 28, &file, &err), err);
        for (size_t at = 1 << 17; at < (size_t)N * all.e->dim * 4; at += 1 << 16)
            file.data[at] ^= 1;
        CHECK_OK(tn_file_replace(bad, file.data, file.len, &err), err);
        tn_vectors *v;
        CHECK_OK(tn_vectors_open(bad, all.e, N, &v, &err), err);
        float q[256], sims[K];
        uint32_t docs[K];
        size_t n;
        query_vector(3, q);
        CHECK_EQ(tn_vectors_search(v, q, NULL, K, docs, sims, &n, &err), TERN_ERR_CORRUPT);
        CHECK_HAS(err.text, "bad");
        CHECK_EQ(n, 0);
        tn_vectors_close(v);
        tn_buf_deinit(&file);
        tn_free(path);
        tn_free(bad);
    }
}

TEST(every_failed_allocation_of_build_open_and_search_is_reported) {
    tn_inv *inv = corpus_generated("voom", 0, 120);
    tern_embedder *e = corpus_fit(inv, "voom.lsa", 1, 1);
    char *path = corpus_path("voom.vec");
    float q[256], sims[K];
    uint32_t docs[K];
    size_t n, len = 4;
    const char *text = "t1w1";
    CHECK_OK(e->embed(e, &text, &len, 1, true, q, &err), err);
    for (int kind = 0; kind < 3; kind++) {
        for (int64_t k = 0;; k++) {
            tn_vectors *v = NULL;
            tn_mem_fail_after(k, 0);
            tern_status st = tn_vectors_build(e, inv, kinds[kind], path, NULL, &err);
            if (st == TERN_OK) st = tn_vectors_open(path, e, 120, &v, &err);
            if (st == TERN_OK) st = tn_vectors_search(v, q, NULL, K, docs, sims, &n, &err);
            tn_mem_fail_after(-1, 0);
            tn_vectors_close(v);
            if (st == TERN_OK) break;
            CHECK_EQ(st, TERN_ERR_NOMEM);
        }
    }
    tn_free(path);
    e->free(e);
    tn_inv_close(inv);
}

TEST(close) {
    for (int i = 0; i < 3; i++) tn_vectors_close(all.v[i]);
    if (all.e) all.e->free(all.e);
    tn_inv_close(all.inv);
}

TEST_MAIN
