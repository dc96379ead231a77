/* test_graph_oom.c - building, running and freeing a small training step in which allocation k
 * fails, k = 0, 1, ...: it says NOMEM, leaks nothing, and works when memory is back. */
#include "core/graph/graph_priv.h"
#include "tern/gradcheck.h"
#include "tests/test.h"
#include "tests/tiny_lm.h"

#include "core/base/mem.h"

/* Two steps, the second on recycled memory; plain and recomputed layers. */
static tern_status train(tern_error *err) {
    tern_graph *g = NULL;
    tiny_lm m = {0};
    tern_status st = tern_graph_new(&(tern_graph_opts){.n_threads = 2}, &g, err);
    if (st == TERN_OK) st = tiny_lm_new(&m, err);
    for (int step = 0; st == TERN_OK && step < 2; step++) {
        tern_graph_reset(g);
        m.recompute = step == 1;
        st = tern_backward(g, tiny_lm_loss(g, &m, step), err);
        if (st == TERN_OK) tiny_lm_descend(&m, 0.1f);
    }
    tern_params_free(m.p);
    tern_graph_free(g);
    return st;
}

static tern_tensor *curve(tern_graph *g, void *ud, tern_tensor *const *in) {
    (void)ud;
    return tern_gelu(g, tern_matmul(g, in[0], tern_softmax(g, in[0])));
}

static tern_status check(tern_error *err) {
    const tern_gradcheck_input in = {"x", 2, {2, 2}};
    tern_gradcheck_report r;
    return tern_gradcheck(curve, NULL, &in, 1, NULL, &r, err);
}

static void fail_each(tern_status (*fn)(tern_error *), int n_failures_min) {
    tern_error e = {0};
    uint64_t before = tn_mem_n_allocs();
    CHECK_OK(fn(&e), e);
    int64_t n_allocs = (int64_t)(tn_mem_n_allocs() - before);
    int n_failures = 0; /* fewer than allocations: some memory is only nice to have */
    for (int64_t k = 0; k < n_allocs; k++) {
        tn_mem_fail_after(k, 0);
        tern_status st = fn(&e);
        tn_mem_fail_after(-1, 0);
        if (st == TERN_OK) continue;
        CHECK_EQ(st, TERN_ERR_NOMEM);
        CHECK(e.text[0] != '\0');
        n_failures++;
    }
    CHECK(n_failures >= n_failures_min);
    CHECK_OK(fn(&e), e);
}

TEST(a_training_step_survives_every_failed_allocation) {
    fail_each(train, 60);
}

TEST(a_second_order_check_survives_every_failed_allocation) {
    fail_each(check, 20);
}

TEST_MAIN
