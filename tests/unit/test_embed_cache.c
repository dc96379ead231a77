/* The cache of computed vectors: what went in comes out, after a restart and after any damage. */
#include "retriever/dense/embed_cache.h"
#include "tests/test.h"
#include <sys/stat.h>

#include "core/base/mem.h"

enum { DIM = 5, N = 700 };
static tern_error err;

static tn_text_hash hash_of(int i) {
    char text[32];
    snprintf(text, sizeof text, "text %d", i);
    return tn_text_hash_of(text, strlen(text));
}

static void fill(float v[DIM], int i) {
    for (int k = 0; k < DIM; k++) v[k] = (float)(i * 10 + k);
}

static bool holds(tn_embed_cache *c, int i) {
    float want[DIM], got[DIM] = {0};
    fill(want, i);
    return tn_embed_cache_get(c, hash_of(i), got) && memcmp(want, got, sizeof got) == 0;
}

static void add(tn_embed_cache *c, int i) {
    float v[DIM];
    fill(v, i);
    CHECK_OK(tn_embed_cache_add(c, hash_of(i), v, &err), err);
}

static tn_embed_cache *open_cache(const char *dir, uint64_t epoch) {
    tn_embed_cache *c;
    CHECK_OK(tn_embed_cache_open(dir, epoch, DIM, &c, &err), err);
    return c;
}

static const char *fresh(const char *name) {
    static char dir[256];
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), name);
    CHECK_EQ(mkdir(dir, 0777), 0);
    return dir;
}

static void file_of(const char *dir, char path[512]) {
    snprintf(path, 512, "%s/embedded-0000000000000007.cache", dir);
}

TEST(vectors_are_there_after_a_restart) {
    const char *dir = fresh("restart");
    tn_embed_cache *c = open_cache(dir, 7);
    for (int i = 0; i < N; i++) add(c, i);
    CHECK(holds(c, 3));
    CHECK(!holds(c, N));
    tn_embed_cache_close(c);
    c = open_cache(dir, 7);
    CHECK_EQ(tn_embed_cache_n(c), N);
    for (int i = 0; i < N; i++) CHECK(holds(c, i));
    tn_embed_cache_close(c);
}

TEST(a_file_that_was_cut_or_flipped_keeps_what_stands_before) {
    const char *dir = fresh("cut");
    char path[512];
    file_of(dir, path);
    tn_embed_cache *c = open_cache(dir, 7);
    for (int i = 0; i < N; i++) add(c, i);
    tn_embed_cache_close(c);
    size_t record = 16 + DIM * 4 + 4;
    CHECK_EQ(truncate(path, (off_t)(24 + 500 * record + 9)), 0);
    c = open_cache(dir, 7);
    CHECK_EQ(tn_embed_cache_n(c), 500);
    add(c, 500);
    CHECK(holds(c, 499) && holds(c, 500));
    tn_embed_cache_close(c);

    FILE *f = fopen(path, "r+");
    CHECK(f != NULL);
    fseek(f, (long)(24 + 300 * record + 20), SEEK_SET);
    fputc(0x55, f);
    fclose(f);
    c = open_cache(dir, 7);
    CHECK_EQ(tn_embed_cache_n(c), 300);
    CHECK(holds(c, 299) && !holds(c, 300));
    tn_embed_cache_close(c);
}

TEST(a_file_of_another_embedder_in_its_place_starts_anew) {
    const char *dir = fresh("stranger");
    char path[512];
    file_of(dir, path);
    FILE *f = fopen(path, "w");
    fputs("a note of somebody's, longer than a header", f);
    fclose(f);
    tn_embed_cache *c = open_cache(dir, 7);
    CHECK_EQ(tn_embed_cache_n(c), 0);
    add(c, 1);
    CHECK(holds(c, 1));
    tn_embed_cache_close(c);
}

TEST(pruning_keeps_what_was_used) {
    const char *dir = fresh("prune");
    tn_embed_cache *c = open_cache(dir, 7);
    for (int i = 0; i < N; i++) add(c, i);
    tn_embed_cache_close(c);
    c = open_cache(dir, 7);
    for (int i = 0; i < N; i += 7) CHECK(holds(c, i));
    CHECK_OK(tn_embed_cache_prune(c, &err), err);
    CHECK_EQ(tn_embed_cache_n(c), N / 7);
    add(c, N + 1);
    for (int i = 0; i < N; i++) CHECK_EQ(holds(c, i), i % 7 == 0);
    tn_embed_cache_close(c);
    c = open_cache(dir, 7);
    CHECK_EQ(tn_embed_cache_n(c), N / 7 + 1);
    CHECK(holds(c, N + 1));
    tn_embed_cache_close(c);
}

TEST(no_failed_allocation_leaks_or_lies) {
    const char *dir = fresh("oom");
    for (int64_t k = 0; k < 200; k++) {
        tn_embed_cache *c = NULL;
        tn_mem_fail_after(k, 0);
        tern_status st = tn_embed_cache_open(dir, 7, DIM, &c, &err);
        float v[DIM];
        fill(v, 1);
        if (st == TERN_OK && !tn_embed_cache_get(c, hash_of(1), v)) {
            fill(v, 1);
            st = tn_embed_cache_add(c, hash_of(1), v, &err);
        }
        if (st == TERN_OK) st = tn_embed_cache_prune(c, &err);
        tn_mem_fail_after(-1, 0);
        tn_embed_cache_close(c);
        if (st == TERN_OK) return;
        CHECK_EQ(st, TERN_ERR_NOMEM);
    }
    FAIL("it never succeeded");
}

TEST_MAIN
