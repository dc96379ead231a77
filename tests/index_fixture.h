/* index_fixture.h - small indexes for the tests of the store: made from JSONL text in the test's
 * folder, with a host that counts what is logged. */
#ifndef TN_INDEX_FIXTURE_H
#define TN_INDEX_FIXTURE_H
#include "core/base/buf.h"
#include "tern/index.h"
#include "tests/test.h"

static int n_log_errors, n_log_warnings;
static char last_error[1024], last_warning[1024];

static inline void fixture_log(void *ud, tern_log_level level, const char *text) {
    (void)ud;
    if (level == TERN_LOG_ERROR) snprintf(last_error, sizeof last_error, "%s", text);
    if (level == TERN_LOG_WARN) snprintf(last_warning, sizeof last_warning, "%s", text);
    n_log_errors += level == TERN_LOG_ERROR;
    n_log_warnings += level == TERN_LOG_WARN;
}
static const tern_host fixture_host = {.log = fixture_log, .n_threads = 1};

/* "FOLDER/name", valid for the whole run. */
static inline char *path_of(const char *name) {
    static char paths[256][400];
    static int n;
    char path[400];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    for (int i = 0; i < n; i++)
        if (strcmp(paths[i], path) == 0) return paths[i];
    CHECK(n < 256);
    return memcpy(paths[n++], path, sizeof path);
}

static inline const char *write_text(const char *name, const char *text) {
    const char *path = path_of(name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK(fclose(f) == 0);
    return path;
}

/* JSONL of documents "d<begin>" .. "d<end-1>", some twenty words each, all saying `version`. */
static inline void add_docs(tn_buf *out, int begin, int end, const char *version) {
    static const char *const words[] = {"tern",  "pole",   "wing",  "ice",   "north", "south",
                                        "light", "summer", "night", "ocean", "storm", "island"};
    for (int i = begin; i < end; i++) {
        tn_buf_printf(out, "{\"id\":\"d%d\",\"title\":\"Title %d\",\"text\":\"%s", i, i % 7,
                      version);
        unsigned x = (unsigned)i * 2654435761u;
        for (int k = 0; k < 20; k++, x = x * 1664525u + 1013904223u)
            tn_buf_printf(out, " %s", words[(x >> 24) % 12]);
        tn_buf_printf(out, " number%d\"}\n", i);
    }
}

static inline const char *write_docs(const char *name, int begin, int end, const char *version) {
    tn_buf b = {0};
    add_docs(&b, begin, end, version);
    const char *path = write_text(name, tn_buf_cstr(&b));
    tn_buf_deinit(&b);
    return path;
}

static inline tern_index_opts fixture_opts(void) {
    tern_index_opts opts = tern_index_defaults();
    opts.embedder = "none"; /* most claims are not about vectors */
    return opts;
}

static inline tern_index_report sync_file(const char *dir, const char *input,
                                          const tern_index_opts *opts) {
    tern_error e;
    tern_index_report r;
    tern_index_opts o = opts ? *opts : fixture_opts();
    CHECK_OK(tern_index_sync(path_of(dir), &input, 1, &o, &fixture_host, &r, &e), e);
    return r;
}

static inline tern_index_report sync_text(const char *dir, const char *text) {
    return sync_file(dir, write_text("input.jsonl", text), NULL);
}

static inline tern_index_report sync_docs(const char *dir, int begin, int end,
                                          const char *version) {
    return sync_file(dir, write_docs("input.jsonl", begin, end, version), NULL);
}

static inline tern_index *open_index(const char *dir) {
    tern_error e;
    tern_index *ix;
    CHECK_OK(tern_index_open(path_of(dir), &ix, &e), e);
    return ix;
}

static inline tern_index_stats stats_of(const char *dir) {
    tern_index *ix = open_index(dir);
    tern_index_stats stats = tern_index_get_stats(ix);
    tern_index_close(ix);
    return stats;
}

static inline uint64_t check_index(const char *dir) {
    tern_error e;
    uint64_t n = 0;
    CHECK_OK(tern_index_check(path_of(dir), &fixture_host, &n, &e), e);
    return n;
}

#define CHECK_SOUND(dir)                                                                           \
    do {                                                                                           \
        last_error[0] = '\0';                                                                      \
        if (check_index(dir) != 0) FAIL("%s is damaged: %s", dir, last_error);                     \
    } while (0)
#endif
