/* Claims about row kernels over whole tensors: they are the row kernels, on any number of threads.
 */
#include "core/base/rng.h"
#include "core/kernels/rows.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { ROWS = 301, N = 173, SIZE = ROWS * N };

typedef struct tensors {
    float x[SIZE], a[SIZE], b[SIZE], y[SIZE], dx[SIZE];
    float weight[N], bias[N], dweight[N], dbias[N], mean[ROWS], rstd[ROWS];
    double total;
} tensors;

static tensors *tensors_new(void) {
    tensors *t = tn_calloc(1, sizeof *t);
    CHECK(t);
    tn_rng rng = tn_rng_init(3, 0);
    for (size_t i = 0; i < offsetof(tensors, total) / sizeof(float); i++)
        (&t->x[0])[i] = (float)tn_rng_normal(&rng);
    return t;
}

/* One training step's worth of everything. */
static void run_all(tn_pool *pool, tensors *t) {
    static const int32_t ids[ROWS] = {5, 1, 5, 5, 2, 1};
    static const tn_adamw_args adamw = {.lr = 0.1f,
                                        .beta1 = 0.9f,
                                        .beta2 = 0.99f,
                                        .eps = 1e-8f,
                                        .correction1 = 0.1f,
                                        .correction2 = 0.01f,
                                        .grad_scale = 0.5f};
    int32_t position[ROWS];
    for (int i = 0; i < ROWS; i++) position[i] = i % 2;
    tern_error e;
    tn_rows_layer_norm(pool, t->y, t->mean, t->rstd, t->x, t->weight, t->bias, 1e-5f, ROWS, N);
    CHECK_OK(tn_rows_layer_norm_backward(pool, t->dx, t->dweight, t->dbias, t->a, t->x, t->weight,
                                         t->mean, t->rstd, ROWS, N, &e),
             e);
    tn_rows_rms_norm(pool, t->b, t->rstd, t->y, t->weight, 1, 1e-5f, ROWS, N);
    CHECK_OK(tn_rows_rms_norm_backward(pool, t->dx, t->dweight, t->a, t->y, t->weight, 1, t->rstd,
                                       ROWS, N, &e),
             e);
    CHECK_OK(tn_rows_column_sums(pool, t->dbias, t->dx, ROWS, N, &e), e);
    tn_rows_act(pool, TN_ACT_GELU, t->y, t->x, SIZE);
    tn_rows_act_backward(pool, TN_ACT_GELU, t->dx, t->a, t->x, SIZE);
    tn_rows_glu(pool, TN_ACT_SILU, t->y, t->y, t->b, SIZE);
    tn_rows_glu_backward(pool, TN_ACT_SILU, t->dx, t->a, t->x, t->b, t->y, SIZE);
    tn_rows_softmax(pool, t->y, t->rstd, t->y, ROWS, N);
    tn_rows_softmax_backward(pool, t->dx, t->a, t->y, ROWS, N);
    tn_rows_rope(pool, t->x, N, position, t->b, t->b + SIZE / 2, ROWS, 3, 57, 38, false);
    tn_rows_scatter_add(pool, t->dx, t->x, ids, ROWS, N);
    tn_rows_gather(pool, t->b, t->dx, TN_F32, ids, ROWS, N);
    tn_rows_axpy(pool, t->x, 0.5f, t->b, SIZE);
    tn_rows_adamw(pool, t->x, t->dx, t->a, t->y, &adamw, SIZE);
    t->total = tn_rows_sum_squares(pool, t->dx, SIZE);
}

TEST(the_bits_do_not_depend_on_the_number_of_threads) {
    tensors *want = tensors_new();
    run_all(NULL, want);
    for (int n = 2; n <= 3; n++) {
        tn_pool *pool;
        tern_error e;
        CHECK_OK(tn_pool_new(n, &pool, &e), e);
        tensors *got = tensors_new();
        run_all(pool, got);
        CHECK(memcmp(got, want, sizeof *got) == 0);
        tn_free(got);
        tn_pool_free(pool);
    }
    tn_free(want);
}

TEST(weight_gradients_are_the_sum_over_rows) {
    tensors *t = tensors_new();
    tern_error e;
    double sums[N], squares = 0;
    for (int c = 0; c < N; c++) {
        sums[c] = (double)t->dbias[c];
        for (int r = 0; r < ROWS; r++) sums[c] += (double)t->x[r * N + c];
    }
    for (int i = 0; i < SIZE; i++) squares += (double)t->x[i] * (double)t->x[i];
    CHECK_OK(tn_rows_column_sums(NULL, t->dbias, t->x, ROWS, N, &e), e);
    for (int c = 0; c < N; c++) CHECK_NEAR(t->dbias[c], sums[c], 1e-4);
    CHECK_NEAR(tn_rows_sum_squares(NULL, t->x, SIZE), squares, 1e-3);
    tn_free(t);
}

TEST(rows_of_one_id_are_added_in_order) {
    static const int32_t ids[] = {2, 0, 2, 2};
    float table[3 * 2] = {0}, rows[4 * 2] = {1e8f, 1, 5, 6, 1, 2, -1e8f, 3}, back[4 * 2];
    tn_rows_scatter_add(NULL, table, rows, ids, 4, 2);
    CHECK(table[4] == (1e8f + 1) - 1e8f);
    CHECK(table[5] == 6 && table[0] == 5 && table[2] == 0);
    tn_rows_gather(NULL, back, table, TN_F32, ids, 4, 2);
    CHECK(back[2] == 5 && back[7] == 6);
    tn_bf16 half[2] = {tn_bf16_set(1.5f), tn_bf16_set(-2)};
    tn_rows_gather(NULL, back, half, TN_BF16, (int32_t[]){0}, 1, 2);
    CHECK(back[0] == 1.5f && back[1] == -2);
}

TEST(rope_turns_the_head_of_each_token_by_its_position) {
    float x[2 * 4] = {1, 7, 0, 9, 1, 7, 0, 9}; /* one head of 4, of which 2 are turned... */
    const float cosines[] = {1, 0}, sines[] = {0, 1};
    const int32_t position[] = {1, 0};
    tn_rows_rope(NULL, x, 4, position, cosines, sines, 2, 1, 4, 2, false);
    CHECK(x[0] == -7 && x[1] == 1 && x[2] == 0 && x[3] == 9); /* ... a quarter turn */
    CHECK(x[4] == 1 && x[5] == 7);
    tn_rows_rope(NULL, x, 4, position, cosines, sines, 2, 1, 4, 2, true);
    CHECK(x[0] == 1 && x[1] == 7);
}

TEST(failed_allocations_are_errors) {
    tensors *t = tensors_new();
    tern_error e;
    tn_mem_fail_after(0, 1);
    tern_status st = tn_rows_column_sums(NULL, t->dbias, t->x, ROWS, N, &e);
    tn_mem_fail_after(-1, 0);
    CHECK_EQ(st, TERN_ERR_NOMEM);
    tn_free(t);
}

TEST_MAIN
