/* dense_corpus.h - generated passages for the tests of the dense room: a few topics, each with
 * words of its own among words of all, so that vectors have structure to find. */
#ifndef TEST_DENSE_CORPUS_H
#define TEST_DENSE_CORPUS_H
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "retriever/dense/dense.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { CORPUS_TOPICS = 12, CORPUS_WORDS = 40 };

/* Passage number i, the same in every run. */
static inline void corpus_text(uint32_t i, tn_buf *out) {
    tn_rng rng = tn_rng_init(5, i);
    uint64_t topic = tn_rng_below(&rng, CORPUS_TOPICS);
    tn_buf_reset(out);
    for (int w = 0; w < CORPUS_WORDS; w++) {
        bool own = tn_rng_below(&rng, 3) > 0;
        uint64_t word = tn_rng_below(&rng, own ? 60 : 400);
        if (own)
            tn_buf_printf(out, "t%dw%d ", (int)topic, (int)word);
        else
            tn_buf_printf(out, "common%d ", (int)word);
    }
}

/* Index the given texts into a fresh folder and open it. */
static inline tn_inv *corpus_inv(const char *name, const char *const *texts, size_t n) {
    tern_error err;
    char *dir = tn_path_join(test_dir(), name);
    tn_analyzer *a;
    tn_inv_builder *b;
    tn_inv *inv;
    CHECK_OK(tn_mkdirs(dir, &err), err);
    CHECK_OK(tn_analyzer_new("english", &a, &err), err);
    CHECK_OK(tn_inv_builder_new(a, &b, &err), err);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(tn_inv_builder_add(b, "", 0, texts[i], strlen(texts[i]), &err), err);
    CHECK_OK(tn_inv_builder_write(b, dir, &err), err);
    CHECK_OK(tn_inv_open(dir, &inv, &err), err);
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    tn_free(dir);
    return inv;
}

/* Passages [first, first + n) of the generated corpus. */
static inline tn_inv *corpus_generated(const char *name, uint32_t first, uint32_t n) {
    tern_error err;
    char *dir = tn_path_join(test_dir(), name);
    tn_analyzer *a;
    tn_inv_builder *b;
    tn_inv *inv;
    tn_buf text = {0};
    CHECK_OK(tn_mkdirs(dir, &err), err);
    CHECK_OK(tn_analyzer_new("english", &a, &err), err);
    CHECK_OK(tn_inv_builder_new(a, &b, &err), err);
    for (uint32_t i = first; i < first + n; i++) {
        corpus_text(i, &text);
        CHECK_OK(tn_inv_builder_add(b, "", 0, text.data, text.len, &err), err);
    }
    CHECK_OK(tn_inv_builder_write(b, dir, &err), err);
    CHECK_OK(tn_inv_open(dir, &inv, &err), err);
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    tn_buf_deinit(&text);
    tn_free(dir);
    return inv;
}

static inline char *corpus_path(const char *name) {
    return tn_path_join(test_dir(), name);
}

static inline tern_embedder *corpus_fit(const tn_inv *inv, const char *name, uint64_t epoch,
                                        int n_threads) {
    tern_error err;
    tern_host host = {.n_threads = n_threads};
    tern_embedder *e;
    char *path = corpus_path(name);
    CHECK_OK(tn_lsa_fit(&inv, NULL, 1, "english", epoch, path, &host, &err), err);
    CHECK_OK(tn_lsa_open(path, &e, &err), err);
    tn_free(path);
    return e;
}
#endif
