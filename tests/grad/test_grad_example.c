/* The operation that docs/GRAPH.md adds. */
#include "docs/examples/op_log_cosh.h"
#include "tests/grad/gradcheck.h"

OP(f_log_cosh, tern_log_cosh(g, in[0]))

TEST(log_cosh_has_all_its_derivatives) {
    CHECK_GRADIENTS(f_log_cosh, {"x", 2, {3, 5}, -3, 3});
}

TEST_MAIN
