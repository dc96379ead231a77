/* Every allocation of a sync, an open, a removal and a compaction fails once: each call then says
 * NOMEM, the index holds the last commit, and nothing is left behind. */
#include "retriever/index_priv.h"
#include "tests/index_fixture.h"
#include <dirent.h>

#include "core/base/mem.h"

enum { STRIDE_AFTER = 40 }; /* the first allocations one by one, the long rest in growing steps */

static int64_t next_k(int64_t k) {
    return k < STRIDE_AFTER ? k + 1 : k + 1 + k / 24;
}

static int count_entries(const char *dir) {
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

typedef tern_status call_fn(const char *dir, tern_error *err);

/* Call until it succeeds, with allocation k failing: once, or it and all after it. */
static void sweep(const char *name, call_fn *call, int sticky) {
    const char *dir = path_of(name);
    tern_index_stats before = stats_of(name);
    int n_before = count_entries(dir);
    for (int64_t k = 0;; k = next_k(k)) {
        CHECK(k < 1000000);
        tern_error e = {0};
        tn_mem_fail_after(k, sticky);
        tern_status st = call(dir, &e);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) break;
        if (st != TERN_ERR_NOMEM) FAIL("allocation %lld: %s", (long long)k, e.text);
        tern_index_stats after = stats_of(name);
        CHECK_EQ(after.generation, before.generation);
        CHECK_STR(after.hash, before.hash);
        if (!sticky) CHECK_EQ(count_entries(dir), n_before);
    }
    CHECK_SOUND(name);
}

static const char *input;

static tern_status do_sync(const char *dir, tern_error *err) {
    tern_index_opts opts = fixture_opts();
    return tern_index_sync(dir, &input, 1, &opts, NULL, NULL, err);
}

static tern_status do_open(const char *dir, tern_error *err) {
    tern_index *ix;
    tern_status st = tern_index_open(dir, &ix, err);
    if (st == TERN_OK)
        tern_index_close(ix);
    else
        CHECK(ix == NULL);
    return st;
}

static tern_status do_check(const char *dir, tern_error *err) {
    uint64_t n = 0;
    tern_status st = tern_index_check(dir, NULL, &n, err);
    CHECK_EQ(n, 0);
    return st;
}

static tern_status do_remove(const char *dir, tern_error *err) {
    const char *ids[] = {"d1", "d25"};
    return tern_index_remove(dir, ids, 2, NULL, NULL, err);
}

static tern_status do_compact(const char *dir, tern_error *err) {
    return tern_index_compact(dir, NULL, NULL, err);
}

TEST(sync_remove_and_compact_survive_any_failing_allocation) {
    for (int sticky = 0; sticky < 2; sticky++) {
        const char *name = sticky ? "b" : "a";
        sync_docs(name, 0, 30, "one");
        input = write_docs("more.jsonl", 20, 40, "two");
        sweep(name, do_sync, sticky);
        sweep(name, do_remove, sticky);
        sweep(name, do_compact, sticky);
    }
}

TEST(open_and_check_survive_any_failing_allocation) {
    sync_docs("c", 0, 30, "one");
    sync_docs("c", 20, 40, "two");
    for (int sticky = 0; sticky < 2; sticky++) {
        sweep("c", do_open, sticky);
        sweep("c", do_check, sticky);
    }
}

TEST_MAIN
