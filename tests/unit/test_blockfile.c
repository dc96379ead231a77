/* Claims about retriever/store/blockfile.c. */
#include "core/base/crc32c.h"
#include "core/base/file.h"
#include "retriever/store/blockfile.h"
#include "tests/test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/mem.h"

#define KIND TN_KIND('T', 'E', 'S', 'T')

static const char *file_path(void) {
    static char path[128];
    snprintf(path, sizeof path, "%s/block.tn", test_dir());
    return path;
}

static uint8_t pattern(uint64_t i) {
    return (uint8_t)(i * 2654435761u >> 11);
}

static void write_file(uint64_t n, size_t piece) {
    tern_error e;
    tn_bwriter *w;
    CHECK_OK(tn_bwriter_open(file_path(), KIND, &w, &e), e);
    uint8_t buf[5000];
    for (uint64_t at = 0; at < n;) {
        size_t m = n - at < piece ? (size_t)(n - at) : piece;
        for (size_t i = 0; i < m; i++) buf[i] = pattern(at + i);
        CHECK_OK(tn_bwriter_add(w, buf, m, &e), e);
        at += m;
        CHECK(tn_bwriter_tell(w) == at);
    }
    CHECK_OK(tn_bwriter_commit(w, &e), e);
}

static void flip(uint64_t at) {
    int fd = open(file_path(), O_RDWR);
    uint8_t c;
    CHECK(fd >= 0 && pread(fd, &c, 1, (off_t)at) == 1);
    c ^= 0x10;
    CHECK(pwrite(fd, &c, 1, (off_t)at) == 1);
    close(fd);
}

TEST(blockfile_round_trips_at_block_boundaries) {
    static const uint64_t sizes[] = {0, 1, 7, 8, 65535, 65536, 65537, 131072, 200001};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint64_t n = sizes[k];
        write_file(n, 4999);
        tern_error e;
        tn_bfile *f;
        CHECK_OK(tn_bfile_open(file_path(), KIND, &f, &e), e);
        CHECK_EQ(tn_bfile_size(f), n);
        CHECK(n == 0 || !tn_bfile_is_verified(f, 0, n));
        const void *view;
        CHECK_OK(tn_bfile_view(f, 0, n, &view, &e), e);
        CHECK(((uintptr_t)view & 7) == 0);
        for (uint64_t i = 0; i < n; i++) CHECK_EQ(((const uint8_t *)view)[i], pattern(i));
        CHECK(tn_bfile_is_verified(f, 0, n));
        CHECK(tn_bfile_view(f, n, 1, &view, &e) == TERN_ERR_CORRUPT);
        CHECK(tn_bfile_view(f, UINT64_MAX, 2, &view, &e) == TERN_ERR_CORRUPT);
        CHECK(tn_bfile_view(f, 1, UINT64_MAX, &view, &e) == TERN_ERR_CORRUPT);
        tn_bfile_close(f);
    }
}

TEST(blockfile_views_verify_only_the_blocks_they_touch) {
    write_file(200000, 5000);
    flip(TN_BLOCK_HEADER_BYTES + 70000);
    tern_error e;
    tn_bfile *f;
    const void *view;
    CHECK_OK(tn_bfile_open(file_path(), KIND, &f, &e), e);
    CHECK_OK(tn_bfile_view(f, 0, 65536, &view, &e), e);
    CHECK_OK(tn_bfile_view(f, 131072, 10, &view, &e), e);
    CHECK(!tn_bfile_is_verified(f, 65536, 1));
    CHECK(tn_bfile_view(f, 65530, 10, &view, &e) == TERN_ERR_CORRUPT);
    CHECK_HAS(e.text, "block.tn: offset 65600");
    tn_bfile_close(f);
}

static void count_bad(void *ud, const char *text) {
    CHECK_HAS(text, "block.tn: offset ");
    ++*(int *)ud;
}

TEST(blockfile_finds_every_flipped_byte) {
    for (uint64_t n = 69999; n <= 70003; n++) {
        write_file(n, 5000);
        struct stat sb;
        CHECK(stat(file_path(), &sb) == 0);
        for (uint64_t at = 0; at < (uint64_t)sb.st_size;
             at += at < 200 || at + 64 > (uint64_t)sb.st_size ? 1 : 331) {
            flip(at);
            tern_error e;
            tn_bfile *f;
            tern_status st = tn_bfile_open(file_path(), KIND, &f, &e);
            if (st == TERN_OK) {
                int n_bad = 0;
                CHECK_OK(tn_bfile_check(f, count_bad, &n_bad, &e), e);
                CHECK_EQ(n_bad, 1);
                tn_bfile_close(f);
            } else {
                CHECK_EQ(st, TERN_ERR_CORRUPT);
                CHECK_HAS(e.text, "block.tn: ");
            }
            flip(at);
        }
    }
}

TEST(blockfile_refuses_every_truncation_and_growth) {
    write_file(100, 100);
    struct stat sb;
    CHECK(stat(file_path(), &sb) == 0);
    CHECK(truncate(file_path(), sb.st_size + 1) == 0);
    for (off_t n = sb.st_size + 1; n >= 0; n--) {
        if (n == sb.st_size) continue;
        CHECK(truncate(file_path(), n) == 0);
        tern_error e;
        tn_bfile *f;
        CHECK_EQ(tn_bfile_open(file_path(), KIND, &f, &e), TERN_ERR_CORRUPT);
        CHECK(f == NULL);
    }
}

TEST(blockfile_names_wrong_kind_wrong_version_and_missing_file) {
    write_file(100, 100);
    tern_error e;
    tn_bfile *f;
    CHECK_EQ(tn_bfile_open(file_path(), KIND + 1, &f, &e), TERN_ERR_CORRUPT);
    CHECK_HAS(e.text, "kind");
    CHECK_EQ(tn_bfile_open("/nonexistent/x.tn", KIND, &f, &e), TERN_ERR_NOT_FOUND);

    uint8_t header[TN_BLOCK_HEADER_BYTES];
    int fd = open(file_path(), O_RDWR);
    CHECK(pread(fd, header, sizeof header, 0) == sizeof header);
    header[12] = 9; /* format, under a valid checksum */
    uint32_t crc = tn_crc32c(0, header, 60);
    memcpy(header + 60, &crc, 4);
    CHECK(pwrite(fd, header, sizeof header, 0) == sizeof header);
    close(fd);
    CHECK_EQ(tn_bfile_open(file_path(), KIND, &f, &e), TERN_ERR_VERSION);
    CHECK_HAS(e.text, "format 9");
}

TEST(blockfile_align_fills_with_zeros) {
    tern_error e;
    tn_bwriter *w;
    CHECK_OK(tn_bwriter_open(file_path(), KIND, &w, &e), e);
    CHECK_OK(tn_bwriter_align(w, 4096, &e), e);
    CHECK_EQ(tn_bwriter_tell(w), 0);
    CHECK_OK(tn_bwriter_add(w, "abc", 3, &e), e);
    CHECK_OK(tn_bwriter_align(w, 4096, &e), e);
    CHECK_EQ(tn_bwriter_tell(w), 4096);
    CHECK_OK(tn_bwriter_commit(w, &e), e);
    tn_bfile *f;
    const void *view;
    CHECK_OK(tn_bfile_open(file_path(), KIND, &f, &e), e);
    CHECK_OK(tn_bfile_view(f, 0, 4096, &view, &e), e);
    CHECK(memcmp(view, "abc\0\0", 5) == 0);
    tn_bfile_close(f);
}

TEST(blockfile_that_cannot_be_written_leaves_no_file) {
    tern_error e;
    tn_bwriter *w;
    CHECK_EQ(tn_bwriter_open("/nonexistent/x.tn", KIND, &w, &e), TERN_ERR_NOT_FOUND);

    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small = {100000, 0};
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    CHECK_OK(tn_bwriter_open(file_path(), KIND, &w, &e), e);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    uint8_t buf[4096] = {1};
    tern_status st = TERN_OK;
    for (int i = 0; i < 64 && st == TERN_OK; i++) st = tn_bwriter_add(w, buf, sizeof buf, &e);
    CHECK(st != TERN_OK);
    CHECK(tn_bwriter_add(w, buf, 1, &e) == st);
    CHECK(tn_bwriter_commit(w, &e) == st);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(!tn_file_exists(file_path()));

    CHECK_OK(tn_bwriter_open(file_path(), KIND, &w, &e), e);
    tn_bwriter_abort(w);
    CHECK(!tn_file_exists(file_path()));
}

TEST(blockfile_survives_failing_allocations) {
    write_file(1000, 1000);
    tern_error e;
    for (int k = 0; k < 8; k++) {
        tn_bfile *f;
        tn_mem_fail_after(k, 0);
        tern_status st = tn_bfile_open(file_path(), KIND, &f, &e);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || (st == TERN_ERR_NOMEM && !f));
        tn_bfile_close(f);
    }
    for (int k = 0; k < 8; k++) {
        tn_mem_fail_after(k, 0);
        tn_bwriter *w;
        tern_status st = tn_bwriter_open(file_path(), KIND, &w, &e);
        if (st == TERN_OK) {
            st = tn_bwriter_add(w, "x", 1, &e);
            CHECK_EQ(st, TERN_OK);
            st = tn_bwriter_commit(w, &e);
        }
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
    }
}

TEST_MAIN
