/* Claims about reading files when memory runs out: every allocation may fail. */
#include "tests/unit/ingest_collect.h"

#include "core/base/mem.h"

static tern_status count_doc(void *ud, const tn_doc *d, tern_error *err) {
    (void)err;
    *(size_t *)ud += d->n_chunks;
    return TERN_OK;
}

/* Fail allocation k = 0, 1, ... and all after it until the call gets through: before that the
 * status is NOMEM (the system's libraries keep their own memory), and nothing leaks (asan looks).
 */
static void sweep(const char *format, const char *text) {
    tern_index_opts o = ingest_opts();
    o.chunk_tokens = 8;
    o.chunk_overlap = 3;
    o.record_tokens = 8;
    size_t n_whole = 0, n_failed = 0;
    tn_ingest_sink sink = {&n_whole, count_doc, NULL};
    tern_error err;
    CHECK_OK(tn_ingest_memory(format, "mem", text, strlen(text), &o, &sink, NULL, &err), err);
    CHECK(n_whole > 0);
    for (int64_t k = 0;; k++) {
        size_t n_chunks = 0;
        CHECK(k < 5000);
        sink.ud = &n_chunks;
        tn_mem_fail_after(k, 1);
        tern_status st = tn_ingest_memory(format, "mem", text, strlen(text), &o, &sink, NULL, &err);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) {
            CHECK_EQ(n_chunks, n_whole); /* nothing lost on the way */
            break;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
        n_failed++;
    }
    CHECK(n_failed > 5);
}

TEST(jsonl_survives_every_failed_allocation) {
    sweep("jsonl",
          "{\"id\":1,\"text\":\"one two\",\"k\":[1]}\n{\"text\":\"bad \xFF \\n end\"}\n[]\n"
          "{\"_id\":\"c\",\"title\":\"T\",\"text\":\"a b c d e f. g h i j k l m n o p q\"}\n");
}

TEST(tsv_survives_every_failed_allocation) {
    sweep("tsv", "id\ttext\ttitle\tmore\n1\t\"one \"\"two\"\"\"\tT\tx\n2\ttwo\n3\tthree\tT\ty\n");
}

TEST(markdown_survives_every_failed_allocation) {
    sweep("md",
          "---\ntitle: T\nk: v\n---\n# A\nOne two three four five. Six seven eight nine ten.\n"
          "## B\n- x\n- y\n\n```\ncode\n```\n## C\nshort\n");
}

TEST(plain_text_survives_every_failed_allocation) {
    sweep("txt",
          "One two three. Four five six seven. Eight nine ten.\n\n- a\n- b\n\nThe \xFF end.");
}

TEST(html_survives_every_failed_allocation) {
    sweep("html", "<title>T</title><h1>A</h1><p>One two three four five. Six seven eight nine.\n"
                  "<ul><li>x<li>y</ul><h2>B</h2>caf\xE9<pre>code\nmore</pre>");
}

TEST(walking_folders_survives_every_failed_allocation) {
    char path[512];
    snprintf(path, sizeof path, "%s/tree/sub", test_dir());
    tern_error err;
    CHECK_OK(tn_mkdirs(path, &err), err);
    test_file_str("tree/a.txt", "one");
    test_file_str("tree/sub/b.md", "# two\nthree");
    snprintf(path, sizeof path, "%s/tree", test_dir());
    const char *input = path;
    tern_index_opts o = ingest_opts();
    for (int64_t k = 0;; k++) {
        size_t n_chunks = 0;
        tn_ingest_counts counts;
        tn_ingest_sink sink = {&n_chunks, count_doc, NULL};
        tn_mem_fail_after(k, 1);
        tern_status st = tn_ingest(&input, 1, &o, NULL, &sink, &counts, &err);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) {
            CHECK_EQ(n_chunks, 2);
            CHECK_EQ(counts.n_bad, 0);
            return;
        }
        CHECK_EQ(st, TERN_ERR_NOMEM);
        CHECK(k < 1000);
    }
}

TEST_MAIN
