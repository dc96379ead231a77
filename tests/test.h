/* test.h - the test harness: TEST(claim) { CHECK_EQ(a, b); ... } and TEST_MAIN at the end.
 * A failed check prints file:line and both values, the test goes on to the next case, and the
 * program exits non-zero. Arguments pick cases by substring. Checks survive NDEBUG. */
#ifndef TN_TEST_H
#define TN_TEST_H
#include "tern/status.h"
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct test_case {
    const char *name;
    void (*fn)(void);
    struct test_case *next;
} test_case;

static test_case *test_first, **test_tail = &test_first;
static jmp_buf test_escape;
static const char *test_skipped = "";

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static test_case test_case_##name = {#name, test_##name, NULL};                                \
    __attribute__((constructor)) static void test_register_##name(void) {                          \
        *test_tail = &test_case_##name;                                                            \
        test_tail = &test_case_##name.next;                                                        \
    }                                                                                              \
    static void test_##name(void)

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        longjmp(test_escape, 1);                                                                   \
    } while (0)
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        test_skipped = (why);                                                                      \
        longjmp(test_escape, 2);                                                                   \
    } while (0)
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) FAIL("CHECK(%s) failed", #cond);                                              \
    } while (0)
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long a_ = (long long)(a), b_ = (long long)(b);                                        \
        if (a_ != b_) FAIL("%s is %lld, expected %s = %lld", #a, a_, #b, b_);                      \
    } while (0)
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *a_ = (a), *b_ = (b);                                                           \
        if (!a_ || !b_ || strcmp(a_, b_) != 0)                                                     \
            FAIL("%s is \"%s\", expected \"%s\"", #a, a_ ? a_ : "(null)", b_ ? b_ : "(null)");     \
    } while (0)
#define CHECK_HAS(text, part)                                                                      \
    do {                                                                                           \
        const char *a_ = (text), *b_ = (part);                                                     \
        if (!a_ || !strstr(a_, b_))                                                                \
            FAIL("%s is \"%s\", lacks \"%s\"", #text, a_ ? a_ : "(null)", b_);                     \
    } while (0)
#define CHECK_NEAR(a, b, tol)                                                                      \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tol)))                                                             \
            FAIL("%s is %.9g, expected %.9g within %g", #a, a_, b_, (double)(tol));                \
    } while (0)
/* A call that must succeed; prints the error text otherwise. `e` is the tern_error it filled. */
#define CHECK_OK(call, e)                                                                          \
    do {                                                                                           \
        tern_status s_ = (call);                                                                   \
        if (s_ != TERN_OK) FAIL("%s: %s: %s", #call, tern_status_text(s_), (e).text);              \
    } while (0)

/* A fresh empty folder, removed at exit when the tests passed. */
static char test_dir_path[64];
static inline const char *test_dir(void) {
    if (!test_dir_path[0]) {
        snprintf(test_dir_path, sizeof test_dir_path, "/tmp/tern-test-XXXXXX");
        if (!mkdtemp(test_dir_path)) abort();
    }
    return test_dir_path;
}

/* Apart from test_main, so that no local of the loop lives across the longjmp. */
__attribute__((noinline)) static int test_run(void (*fn)(void)) {
    int how = setjmp(test_escape);
    if (how == 0) fn();
    return how;
}

static inline int test_main(int argc, char **argv) {
    int n[3] = {0}; /* passed, failed, skipped */
    for (test_case *t = test_first; t; t = t->next) {
        int wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted |= strstr(t->name, argv[i]) != NULL;
        if (!wanted) continue;
        int how = test_run(t->fn);
        n[how]++;
        if (how == 1) printf("FAILED %s\n", t->name);
        if (how == 2) printf("skipped %s: %s\n", t->name, test_skipped);
    }
    printf("%d passed, %d failed, %d skipped\n", n[0], n[1], n[2]);
    if (n[1] == 0 && test_dir_path[0]) {
        char cmd[256];
        snprintf(cmd, sizeof cmd, "chmod -R u+w %s; rm -rf %s", test_dir_path, test_dir_path);
        if (system(cmd) != 0) return 1;
    }
    return n[1] != 0;
}
#define TEST_MAIN                                                                                  \
    int main(int argc, char **argv) {                                                              \
        return test_main(argc, argv);                                                              \
    }
#endif
