/* Claims about writing to an index: one writer, killed at any moment, out of disk, out of rights,
 * interrupted; and readers that go on meanwhile. */
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "retriever/index_priv.h"
#include "tern/search.h"
#include "tests/index_fixture.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/mem.h"

/* The version all documents speak of; they must agree, and be n of them. */
static void check_version(const tern_index *ix, uint32_t n, char version[32]) {
    tern_error e;
    version[0] = '\0';
    CHECK_EQ(tern_index_get_stats(ix).n_documents, n);
    for (uint32_t i = 0; i < n; i++) {
        char id[16], word[32];
        uint32_t ref;
        tern_passage p;
        snprintf(id, sizeof id, "d%u", i);
        CHECK_OK(tern_index_find(ix, id, &ref, &e), e);
        CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
        CHECK(sscanf(p.text, "%31s", word) == 1);
        if (!version[0]) memcpy(version, word, sizeof word);
        CHECK_STR(word, version);
    }
}

static int count_entries(const char *dir) {
    DIR *d = opendir(dir);
    CHECK(d != NULL);
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n - 2;
}

TEST(a_second_writer_is_refused_and_told_who_holds_the_lock) {
    sync_docs("locked", 0, 5, "one");
    int to_child[2], from_child[2];
    CHECK(pipe(to_child) == 0 && pipe(from_child) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path_of("locked/lock"), O_RDWR);
        char text[32];
        int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        bool ok = fd >= 0 && flock(fd, LOCK_EX) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
        char c = ok ? 'y' : 'n';
        if (write(from_child[1], &c, 1) != 1 || read(to_child[0], &c, 1) < 0) _exit(1);
        _exit(0);
    }
    char c = 'n';
    CHECK(read(from_child[0], &c, 1) == 1 && c == 'y');
    tern_error e;
    const char *input = path_of("input.jsonl"), *id = "d0";
    char want[32];
    snprintf(want, sizeof want, "process %ld", (long)pid);
    CHECK_EQ(tern_index_sync(path_of("locked"), &input, 1, NULL, NULL, NULL, &e), TERN_ERR_LOCKED);
    CHECK_HAS(e.text, want);
    CHECK_EQ(tern_index_remove(path_of("locked"), &id, 1, NULL, NULL, &e), TERN_ERR_LOCKED);
    CHECK_EQ(tern_index_compact(path_of("locked"), NULL, NULL, &e), TERN_ERR_LOCKED);
    CHECK_EQ(stats_of("locked").n_documents, 5); /* readers do not care */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(from_child[i]);
    }
    sync_docs("locked", 0, 6, "one"); /* the lock went with its process */
}

TEST(a_folder_that_cannot_be_written_says_so) {
    sync_docs("readonly", 0, 5, "one");
    const char *input = path_of("input.jsonl"), *dir = path_of("readonly");
    CHECK(chmod(test_dir(), 0755) == 0);
    CHECK(chmod(path_of("readonly/lock"), 0444) == 0 && chmod(dir, 0555) == 0);
    pid_t pid = fork();
    if (pid == 0) { /* root may write anywhere: be somebody else */
        if (geteuid() == 0 && setuid(65534) != 0) _exit(9);
        tern_error e;
        tern_index *ix;
        if (tern_index_sync(dir, &input, 1, NULL, NULL, NULL, &e) != TERN_ERR_IO) _exit(1);
        if (!strstr(e.text, dir) || !strstr(e.text, "Permission denied")) _exit(2);
        if (tern_index_open(dir, &ix, &e) != TERN_OK) _exit(3);
        tern_index_close(ix);
        uint64_t n;
        _exit(tern_index_check(dir, NULL, &n, &e) != TERN_OK || n != 0 ? 4 : 0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    chmod(dir, 0755);
    chmod(path_of("readonly/lock"), 0644);
    CHECK_EQ(status, 0);
}

TEST(a_limit_on_file_size_leaves_the_last_commit) {
    sync_docs("limited", 0, 100, "one");
    const char *input = write_docs("big.jsonl", 0, 4000, "two");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    tern_error e;
    for (rlim_t n = 0; n < 300000; n += n < 2000 ? 400 : 60000) {
        small.rlim_cur = n;
        CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
        tern_index_opts opts = fixture_opts();
        tern_status st =
            tern_index_sync(path_of("limited"), &input, 1, &opts, &fixture_host, NULL, &e);
        CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
        CHECK(st == TERN_ERR_IO || st == TERN_ERR_FULL);
        CHECK_EQ(stats_of("limited").n_documents, 100);
        CHECK_EQ(count_entries(path_of("limited")), 3); /* lock, manifest, one segment */
    }
    CHECK_SOUND("limited");
    sync_file("limited", input, NULL);
    CHECK_EQ(stats_of("limited").n_documents, 4000);
}

/* In a process and mount namespace of its own. Exit code 77: not allowed to mount here. */
static int fill_a_small_disk(const char *mount_point, const char *dir, const char *input) {
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", mount_point, "tmpfs", 0, "size=1m") != 0)
        return 77;
    tern_error e;
    tern_index_opts opts = fixture_opts();
    char small[400];
    snprintf(small, sizeof small, "%s/../few.jsonl", mount_point);
    const char *small_input = small;
    if (tern_index_sync(dir, &small_input, 1, &opts, NULL, NULL, &e) != TERN_OK) return 1;
    if (tern_index_sync(dir, &input, 1, &opts, NULL, NULL, &e) != TERN_ERR_FULL) return 2;
    if (!strstr(e.text, "No space left")) return 3;
    tern_index *ix;
    if (tern_index_open(dir, &ix, &e) != TERN_OK) return 4;
    uint64_t n_documents = tern_index_get_stats(ix).n_documents, n_defects;
    tern_index_close(ix);
    if (n_documents != 20) return 5;
    if (tern_index_check(dir, NULL, &n_defects, &e) != TERN_OK || n_defects) return 6;
    return tern_index_sync(dir, &small_input, 1, &opts, NULL, NULL, &e) == TERN_OK ? 0 : 7;
}

TEST(a_full_disk_leaves_the_last_commit) {
    tern_error e;
    CHECK_OK(tn_mkdirs(path_of("disk"), &e), e);
    write_docs("few.jsonl", 0, 20, "one");
    const char *input = write_docs("many.jsonl", 0, 6000, "two");
    pid_t pid = fork();
    if (pid == 0) _exit(fill_a_small_disk(path_of("disk"), path_of("disk/index"), input));
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) SKIP("cannot mount a tmpfs here");
    CHECK_EQ(WEXITSTATUS(status), 0);
}

static bool cancel_after(void *ud) {
    int *left = ud;
    return (*left)-- <= 0;
}

TEST(a_cancelled_sync_commits_nothing_and_cleans_up) {
    sync_docs("cancel", 0, 50, "one");
    const char *input = write_docs("in.jsonl", 0, 500, "two");
    tern_index_opts opts = fixture_opts();
    for (int n = 0; n < 600; n += 60) {
        int left = n;
        tern_host host = {.cancelled = cancel_after, .ud = &left};
        tern_index_report r;
        tern_error e;
        tern_status st = tern_index_sync(path_of("cancel"), &input, 1, &opts, &host, &r, &e);
        if (st == TERN_OK) break;
        CHECK_EQ(st, TERN_ERR_CANCELLED);
        CHECK_EQ(stats_of("cancel").n_documents, 50);
        CHECK_EQ(count_entries(path_of("cancel")), 3);
    }
    CHECK_SOUND("cancel");
}

/* --- kill -9 --- */

enum { N_KILLS = 200, N_DOCS = 150 };

TEST(killed_at_200_random_moments_it_opens_with_the_last_commit) {
    char version[32], last[32] = "v0";
    sync_docs("killed", 0, N_DOCS, "v0");
    uint64_t t0 = tn_clock_ns();
    sync_docs("killed", 0, N_DOCS, "v0x");
    double span_ns =
        1.3 * (double)(tn_clock_ns() - t0); /* moves so that half the kills come early */
    snprintf(last, sizeof last, "v0x");
    tn_rng rng = tn_rng_init(11, 0);
    int n_cut = 0, n_committed = 0;
    for (int i = 1; i <= N_KILLS; i++) {
        char next[32];
        snprintf(next, sizeof next, "v%d", i);
        const char *input = write_docs("kill.jsonl", 0, N_DOCS, next), *dir = path_of("killed");
        uint64_t delay = (uint64_t)(span_ns * tn_rng_uniform(&rng));
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            tern_error e;
            tern_index_opts opts = fixture_opts();
            tern_status st = i % 5 ? tern_index_sync(dir, &input, 1, &opts, NULL, NULL, &e)
                                   : tern_index_compact(dir, NULL, NULL, &e);
            _exit(st != TERN_OK);
        }
        struct timespec ts = {(time_t)(delay / 1000000000u), (long)(delay % 1000000000u)};
        nanosleep(&ts, NULL);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        n_cut += WIFSIGNALED(status);
        span_ns *= WIFSIGNALED(status) ? 1.1 : 0.9;

        tern_index *ix = open_index("killed");
        check_version(ix, N_DOCS, version);
        tern_index_close(ix);
        if (strcmp(version, next) == 0)
            n_committed++;
        else
            CHECK_STR(version, last);
        memcpy(last, version, sizeof last);
        if (i % 20 == 0) { /* a sync now and then, as a user would do next */
            CHECK_SOUND("killed");
            snprintf(next, sizeof next, "w%d", i);
            sync_docs("killed", 0, N_DOCS, next);
            memcpy(last, next, sizeof last);
            CHECK_SOUND("killed");
        }
    }
    CHECK(n_cut > N_KILLS / 4 && n_committed > 0);
}

/* --- readers beside a writer --- */

static atomic_bool writer_is_done;
static atomic_int n_reads, n_reader_failures;

static void *read_on(void *arg) {
    const char *dir = arg;
    char first[32] = "";
    while (!atomic_load(&writer_is_done) || atomic_load(&n_reads) == 0) {
        tern_error e;
        tern_index *ix;
        if (tern_index_open(dir, &ix, &e) != TERN_OK) {
            fprintf(stderr, "%s\n", e.text);
            atomic_fetch_add(&n_reader_failures, 1);
            break;
        }
        for (int i = 0; i < 40; i++) {
            char id[16], word[32];
            uint32_t ref;
            tern_passage p;
            snprintf(id, sizeof id, "d%d", i);
            if (tern_index_find(ix, id, &ref, &e) != TERN_OK ||
                tern_index_passage(ix, ref, &p, &e) != TERN_OK || sscanf(p.text, "%31s", word) != 1)
                atomic_fetch_add(&n_reader_failures, 1);
            else if (i == 0)
                memcpy(first, word, sizeof word);
            else if (strcmp(first, word) != 0)
                atomic_fetch_add(&n_reader_failures, 1);
        }
        tern_index_close(ix);
        atomic_fetch_add(&n_reads, 1);
    }
    return NULL;
}

TEST(readers_see_whole_states_while_a_writer_commits_and_compacts) {
    char *dir = path_of("beside");
    sync_docs("beside", 0, 40, "v0");
    pthread_t readers[2];
    atomic_store(&writer_is_done, false);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&readers[i], NULL, read_on, dir) == 0);
    tern_error e;
    for (int i = 1; i < 25; i++) {
        char version[16];
        snprintf(version, sizeof version, "v%d", i);
        sync_docs("beside", 0, 40, version);
        if (i % 6 == 0) CHECK_OK(tern_index_compact(dir, NULL, NULL, &e), e);
    }
    atomic_store(&writer_is_done, true);
    for (int i = 0; i < 2; i++) pthread_join(readers[i], NULL);
    CHECK_EQ(atomic_load(&n_reader_failures), 0);
    CHECK(atomic_load(&n_reads) > 1);
}

TEST(an_open_index_outlives_the_compaction_of_its_files) {
    tern_index_opts opts = tern_index_defaults(); /* with vectors, opened only later */
    sync_file("outlive", write_docs("o.jsonl", 0, 80, "v0"), &opts);
    tern_index *ix = open_index("outlive");
    sync_file("outlive", write_docs("o.jsonl", 0, 80, "v1"), &opts);
    tern_error e;
    CHECK_OK(tern_index_compact(path_of("outlive"), NULL, NULL, &e), e);
    char version[32];
    check_version(ix, 80, version);
    CHECK_STR(version, "v0");
    CHECK_OK(tn_index_dense_open(ix, &e), e);
    tern_searcher *s;
    CHECK_OK(tern_searcher_new(ix, &s, &e), e);
    tern_search_opts o = tern_search_defaults();
    o.mode = TERN_MODE_HYBRID;
    tern_hit hits[10];
    size_t n = 0;
    CHECK_OK(tern_search(s, "tern pole", 9, &o, hits, &n, &e), e);
    CHECK_EQ(n, 10);
    tern_searcher_free(s);
    tern_index_close(ix);
}

TEST_MAIN
