/* Claims about the life of an index: sync, open, remove, compact. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "retriever/index_priv.h"
#include "tern/index.h"
#include "tests/test.h"

#include "core/base/mem.h"

static int n_warnings;
static void on_log(void *ud, tern_log_level level, const char *text) {
    (void)ud;
    (void)text;
    n_warnings += level >= TERN_LOG_WARN;
}
static const tern_host host = {.log = on_log, .n_threads = 1};

static char *path_of(const char *name) {
    static char paths[8][160];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", test_dir(), name);
    return p;
}

static const char *write_text(const char *name, const char *text) {
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    CHECK(fclose(f) == 0);
    return path;
}

static tern_index_report sync_text(const char *dir, const char *text) {
    tern_error e;
    tern_index_report r;
    const char *input = write_text("input.jsonl", text);
    tern_index_opts opts = tern_index_defaults();
    CHECK_OK(tern_index_sync(path_of(dir), &input, 1, &opts, &host, &r, &e), e);
    return r;
}

static tern_index *open_index(const char *dir) {
    tern_error e;
    tern_index *ix;
    CHECK_OK(tern_index_open(path_of(dir), &ix, &e), e);
    return ix;
}

TEST(index_gives_back_what_was_put_in) {
    tern_index_report r = sync_text("round", "{\"id\":\"a\",\"title\":\"Terns\",\"text\":\"They fly "
                                             "to the other pole.\"}\n"
                                             "{\"id\":\"b\",\"text\":\"Gulls stay.\"}\n");
    CHECK_EQ(r.n_added, 2);
    CHECK_EQ(r.n_passages, 2);
    tern_index *ix = open_index("round");
    CHECK_EQ(tern_index_n_refs(ix), 2);
    tern_passage p;
    tern_error e;
    CHECK_OK(tern_index_passage(ix, 0, &p, &e), e);
    CHECK_STR(p.id, "a");
    CHECK_STR(p.doc_id, "a");
    CHECK_STR(p.title, "Terns");
    CHECK_STR(p.text, "They fly to the other pole.");
    CHECK_EQ(p.text_len, strlen(p.text));
    CHECK_EQ(p.line_begin, 1);
    CHECK_EQ(p.time, TERN_NO_TIME);
    uint32_t ref = 9;
    CHECK_OK(tern_index_find(ix, "b", &ref, &e), e);
    CHECK_EQ(ref, 1);
    CHECK_EQ(tern_index_find(ix, "c", &ref, &e), TERN_ERR_NOT_FOUND);
    CHECK_EQ(tern_index_passage(ix, 2, &p, &e), TERN_ERR_ARG);
    tern_index_close(ix);
}

TEST_MAIN
