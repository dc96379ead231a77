/* Claims about damaged indexes: any flipped byte is found by the check, and a read that touches it
 * fails with file and offset; none crashes or answers wrongly. */
#include "core/base/file.h"
#include "core/base/rng.h"
#include "retriever/store/manifest.h"
#include "tern/search.h"
#include "tests/index_fixture.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "core/base/mem.h"

enum { N_FILES_MAX = 64, N_QUERIES = 4, K = 5 };
static const char *const queries[N_QUERIES] = {"tern pole", "\"one wing\" ice", "number12 storm",
                                               "title 3 night"};

/* --- every file of the index, but the lock --- */
static char files[N_FILES_MAX][400];
static int n_files;

static void list(const char *dir) {
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        char path[400];
        if (e->d_name[0] == '.' || strcmp(e->d_name, "lock") == 0) continue;
        snprintf(path, sizeof path, "%.200s/%.150s", dir, e->d_name);
        if (tn_is_dir(path)) {
            list(path);
        } else {
            CHECK(n_files < N_FILES_MAX);
            memcpy(files[n_files++], path, sizeof path);
        }
    }
    closedir(d);
}

static void flip(const char *path, off_t at, uint8_t mask) {
    int fd = open(path, O_RDWR);
    uint8_t c;
    CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= mask;
    CHECK(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

/* --- what a sound index answers, and whether a damaged one says the same or fails --- */
typedef struct answers {
    uint64_t text_hash; /* of all passages */
    size_t n_hits[2][N_QUERIES];
    tern_hit hits[2][N_QUERIES][K];
} answers;

static void mix(uint64_t *h, const char *s) {
    for (; *s; s++) *h = (*h ^ (uint8_t)*s) * 0x100000001b3u;
}

static tern_status read_passages(const tern_index *ix, answers *a, tern_error *e) {
    for (uint32_t i = 0; i < tern_index_n_refs(ix); i++) {
        tern_passage p;
        uint32_t ref;
        tern_status st = tern_index_passage(ix, i, &p, e);
        if (st != TERN_OK) return st;
        mix(&a->text_hash, p.id);
        mix(&a->text_hash, p.title);
        mix(&a->text_hash, p.text);
        mix(&a->text_hash, p.source);
        a->text_hash = a->text_hash * 31 + p.line_begin + (uint64_t)p.time;
        st = tern_index_find(ix, p.id, &ref, e);
        if (st != TERN_OK && st != TERN_ERR_NOT_FOUND) return st;
        a->text_hash = a->text_hash * 31 + (st == TERN_OK ? ref : 0);
    }
    return TERN_OK;
}

static tern_status search_all(tern_searcher *s, answers *a, tern_error *e) {
    for (int mode = 0; mode < 2; mode++) {
        for (int q = 0; q < N_QUERIES; q++) {
            tern_search_opts o = tern_search_defaults();
            o.k = K;
            o.mode = mode ? TERN_MODE_HYBRID : TERN_MODE_BM25;
            tern_status st = tern_search(s, queries[q], strlen(queries[q]), &o, a->hits[mode][q],
                                         &a->n_hits[mode][q], e);
            if (st != TERN_OK) return st;
        }
    }
    return TERN_OK;
}

static tern_status ask(const char *dir, answers *a, tern_error *e) {
    memset(a, 0, sizeof *a);
    tern_index *ix;
    tern_searcher *s = NULL;
    tern_status st = tern_index_open(dir, &ix, e);
    if (st != TERN_OK) return st;
    st = read_passages(ix, a, e);
    if (st == TERN_OK) st = tern_searcher_new(ix, &s, e);
    if (st == TERN_OK) st = search_all(s, a, e);
    tern_searcher_free(s);
    tern_index_close(ix);
    return st;
}

static const char *make_index(void) {
    static const char *dir;
    if (dir) return dir;
    tern_index_opts opts = tern_index_defaults();
    sync_file("sound", write_docs("a.jsonl", 0, 300, "one"), &opts);
    sync_file("sound", write_docs("b.jsonl", 290, 600, "two"), &opts);
    const char *ids[] = {"d7", "d300"};
    tern_error e;
    CHECK_OK(tern_index_remove(path_of("sound"), ids, 2, NULL, NULL, &e), e);
    dir = path_of("sound");
    list(dir);
    CHECK(n_files > 15);
    return dir;
}

static void check_flip(const char *dir, const char *path, off_t at, uint8_t mask,
                       const answers *truth) {
    tern_error e;
    uint64_t n_defects = 0;
    static answers got;
    flip(path, at, mask);
    last_error[0] = '\0';
    CHECK_OK(tern_index_check(dir, &fixture_host, &n_defects, &e), e);
    tern_status st = ask(dir, &got, &e);
    flip(path, at, mask);
    if (n_defects == 0) FAIL("%s: a flip at %lld was not found", path, (long long)at);
    if (!strstr(last_error, tn_path_base(path)))
        FAIL("%s: a flip at %lld is reported as: %s", path, (long long)at, last_error);
    if (st == TERN_OK) {
        if (memcmp(&got, truth, sizeof got) != 0)
            FAIL("%s: a flip at %lld gives a wrong answer", path, (long long)at);
    } else {
        if (st != TERN_ERR_CORRUPT)
            FAIL("%s: a flip at %lld gives %s: %s", path, (long long)at, tern_status_text(st),
                 e.text);
        CHECK_HAS(e.text, tn_path_base(path));
        CHECK_HAS(e.text, "offset");
    }
}

TEST(any_flipped_byte_is_found_and_named) {
    const char *dir = make_index();
    tern_error e;
    static answers truth;
    CHECK_OK(ask(dir, &truth, &e), e);
    CHECK(truth.n_hits[0][0] == K && truth.n_hits[1][0] == K);
    CHECK_SOUND("sound");
    tn_rng rng = tn_rng_init(5, 0);
    for (int i = 0; i < n_files; i++) {
        struct stat sb;
        CHECK(stat(files[i], &sb) == 0);
        for (off_t at = 0; at < 64 && at < sb.st_size; at += 3)
            check_flip(dir, files[i], at, (uint8_t)(1u << at % 8), &truth);
        for (int k = 0; k < 30; k++)
            check_flip(dir, files[i], (off_t)tn_rng_below(&rng, (uint64_t)sb.st_size),
                       (uint8_t)(1u << tn_rng_below(&rng, 8)), &truth);
        for (off_t back = 1; back <= 8; back++)
            check_flip(dir, files[i], sb.st_size - back, 0x40, &truth);
    }
    CHECK_SOUND("sound");
}

TEST(a_file_that_is_missing_or_cut_is_named) {
    const char *dir = make_index();
    for (int i = 0; i < n_files; i++) {
        bool is_manifest = strcmp(tn_path_base(files[i]), TN_MANIFEST_FILE) == 0;
        char aside[420];
        snprintf(aside, sizeof aside, "%.399s.aside", files[i]);
        CHECK(rename(files[i], aside) == 0);
        tern_error e;
        tern_index *ix;
        uint64_t n = 0;
        tern_status st = tern_index_open(dir, &ix, &e);
        CHECK_EQ(st, is_manifest ? TERN_ERR_NOT_FOUND : TERN_ERR_CORRUPT);
        CHECK(is_manifest || strstr(e.text, tn_path_base(files[i])));
        if (!is_manifest) CHECK_OK(tern_index_check(dir, &fixture_host, &n, &e), e);
        CHECK(is_manifest || n > 0);

        tn_buf b = {0};
        CHECK_OK(tn_file_read(aside, 1 << 30, &b, &e), e);
        for (int cut = 0; cut < 3; cut++) {
            size_t len = cut == 0 ? 0 : cut == 1 ? b.len / 2 : b.len - 1;
            CHECK_OK(tn_file_replace(files[i], b.data, len, &e), e);
            CHECK_EQ(tern_index_open(dir, &ix, &e), TERN_ERR_CORRUPT);
            CHECK_HAS(e.text, tn_path_base(files[i]));
            CHECK_OK(tern_index_check(dir, &fixture_host, &n, &e), e);
            CHECK(n > 0);
        }
        tn_buf_deinit(&b);
        CHECK(rename(aside, files[i]) == 0);
    }
    CHECK_SOUND("sound");
}

TEST(files_swapped_between_segments_are_noticed) {
    const char *dir = make_index();
    for (int i = 0; i < n_files; i++) {
        for (int j = i + 1; j < n_files; j++) {
            if (strcmp(tn_path_base(files[i]), tn_path_base(files[j])) != 0) continue;
            char aside[420];
            snprintf(aside, sizeof aside, "%.399s.aside", files[i]);
            CHECK(rename(files[i], aside) == 0 && rename(files[j], files[i]) == 0 &&
                  rename(aside, files[j]) == 0);
            tern_error e;
            tern_index *ix;
            CHECK_EQ(tern_index_open(dir, &ix, &e), TERN_ERR_CORRUPT);
            CHECK(rename(files[i], aside) == 0 && rename(files[j], files[i]) == 0 &&
                  rename(aside, files[j]) == 0);
        }
    }
    CHECK_SOUND("sound");
}

TEST(a_writer_refuses_a_damaged_index_and_harms_nothing) {
    const char *dir = make_index();
    const char *input = write_docs("c.jsonl", 700, 705, "new");
    tern_error e;
    for (int i = 0; i < n_files; i++) {
        if (strcmp(tn_path_base(files[i]), TN_MANIFEST_FILE) != 0) continue;
        flip(files[i], 100, 1);
        CHECK_EQ(tern_index_sync(dir, &input, 1, NULL, NULL, NULL, &e), TERN_ERR_CORRUPT);
        CHECK_EQ(tern_index_compact(dir, NULL, NULL, &e), TERN_ERR_CORRUPT);
        flip(files[i], 100, 1);
    }
    CHECK_SOUND("sound");
}

TEST_MAIN
