/* gradcheck.h - CHECK_GRADIENTS for tests: fails with the first wrong element. */
#ifndef TN_TEST_GRADCHECK_H
#define TN_TEST_GRADCHECK_H
#include "tern/gradcheck.h"
#include "tests/test.h"

/* A function of in[0 ..] for the checks. */
#define OP(name, expression)                                                                       \
    static tern_tensor *name(tern_graph *g, void *ud, tern_tensor *const *in) {                    \
        (void)ud;                                                                                  \
        return expression;                                                                         \
    }

#define CHECK_GRADIENTS_WITH(fn, ud, opts, ...)                                                    \
    do {                                                                                           \
        const tern_gradcheck_input in_[] = {__VA_ARGS__};                                          \
        tern_gradcheck_report r_;                                                                  \
        tern_error e_;                                                                             \
        CHECK_OK(tern_gradcheck((fn), (ud), in_, sizeof in_ / sizeof *in_, (opts), &r_, &e_), e_); \
        if (!r_.passed) FAIL("%s: %s", #fn, r_.text);                                              \
        CHECK(r_.n_compared > 0);                                                                  \
    } while (0)
/* First and second order. */
#define CHECK_GRADIENTS(fn, ...) CHECK_GRADIENTS_WITH(fn, NULL, NULL, __VA_ARGS__)
/* Operations marked (1) in graph.h. */
#define CHECK_FIRST_ORDER(fn, ud, ...)                                                             \
    CHECK_GRADIENTS_WITH(fn, ud, (&(tern_gradcheck_opts){.first_order_only = true}), __VA_ARGS__)

#endif
