/* text_fixture.h - random passages and their inverted index, for the tests of retriever/text. */
#ifndef TN_TEXT_FIXTURE_H
#define TN_TEXT_FIXTURE_H
#include "core/base/file.h"
#include "core/base/rng.h"
#include "retriever/text/bm25.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tn_rng rng;

/* n words of a vocabulary whose word w is about 1/w as frequent as the first; "bursts" repeat. */
static inline void random_text(tn_buf *out, unsigned n) {
    unsigned word = 0;
    tn_buf_reset(out);
    for (unsigned i = 0; i < n; i++) {
        if (i == 0 || tn_rng_below(&rng, 4) != 0)
            word = (unsigned)exp(tn_rng_uniform(&rng) * log(3000.0));
        tn_buf_printf(out, "w%u%s", word, tn_rng_below(&rng, 9) ? " " : " the ");
    }
}

enum { DOCS_MAX = 12000 };
static char *titles[DOCS_MAX], *texts[DOCS_MAX];

static inline void random_docs(uint64_t seed, size_t n) {
    tn_buf b = {0};
    rng = tn_rng_init(seed, 0);
    for (size_t i = 0; i < n; i++) {
        random_text(&b, (unsigned)tn_rng_below(&rng, 4));
        titles[i] = tn_strdup(tn_buf_cstr(&b));
        random_text(&b, 1 + (unsigned)tn_rng_below(&rng, tn_rng_below(&rng, 10) ? 20 : 200));
        texts[i] = tn_strdup(tn_buf_cstr(&b));
    }
    tn_buf_deinit(&b);
}

static inline void free_docs(size_t n) {
    for (size_t i = 0; i < n; i++) {
        tn_free(titles[i]);
        tn_free(texts[i]);
    }
}

/* Index documents [begin, end) whose bit in keep (NULL: all) is set. */
static inline tn_inv *build_range(const char *dir, size_t begin, size_t end, const uint64_t *keep) {
    tern_error e;
    tn_analyzer *a;
    tn_inv_builder *b;
    tn_inv *inv;
    CHECK_OK(tn_mkdirs(dir, &e), e);
    CHECK_OK(tn_analyzer_new("english", &a, &e), e);
    CHECK_OK(tn_inv_builder_new(a, &b, &e), e);
    for (size_t i = begin; i < end; i++)
        if (!keep || (keep[i / 64] >> (i % 64) & 1))
            CHECK_OK(
                tn_inv_builder_add(b, titles[i], strlen(titles[i]), texts[i], strlen(texts[i]), &e),
                e);
    CHECK_OK(tn_inv_builder_write(b, dir, &e), e);
    tn_inv_builder_free(b);
    tn_analyzer_free(a);
    CHECK_OK(tn_inv_open(dir, &inv, &e), e);
    return inv;
}

static inline void fail_on_defect(void *ud, const char *text) {
    (void)ud;
    FAIL("%s", text);
}

#endif
