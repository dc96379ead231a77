/* Claims about attention over a paged cache: it is attention over the packed sequence. */
#include "core/base/pool.h"
#include "core/base/rng.h"
#include "core/kernels/attention.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N_HEADS = 6, N_KV = 2, DIM = 40, N_KEYS = 777, PAGE = 16 };
enum { Q_WIDTH = N_HEADS * DIM, KV_WIDTH = N_KV * DIM, N_PAGES = (N_KEYS + PAGE - 1) / PAGE };

typedef struct cache {
    float q[N_KEYS * Q_WIDTH], k[N_KEYS * KV_WIDTH], v[N_KEYS * KV_WIDTH], o[N_KEYS * Q_WIDTH];
    float got[N_KEYS * Q_WIDTH];
    tn_bf16 half[2][N_PAGES * PAGE * KV_WIDTH];
    float full[2][N_PAGES * PAGE * KV_WIDTH];
    const void *pages[2][N_PAGES];
} cache;

/* Keys and values are rounded to bf16, so that both caches hold the same numbers. Rows of the last
 * page past the end are NaN: nobody may look at them. */
static cache *cache_new(tn_attention_shape *s, tn_dtype type) {
    static const int32_t begin[] = {0, N_KEYS};
    cache *c = tn_calloc(1, sizeof *c);
    CHECK(c);
    tn_rng rng = tn_rng_init(7, 0);
    for (size_t i = 0; i < sizeof c->q / sizeof *c->q; i++) c->q[i] = (float)tn_rng_normal(&rng);
    for (int which = 0; which < 2; which++) {
        float *rows = which ? c->v : c->k;
        for (size_t i = 0; i < (size_t)N_PAGES * PAGE * KV_WIDTH; i++) {
            tn_bf16 half = tn_bf16_set((float)tn_rng_normal(&rng));
            bool past = i >= (size_t)N_KEYS * KV_WIDTH;
            if (past) half = tn_bf16_set(NAN);
            c->half[which][i] = half;
            c->full[which][i] = tn_bf16_get(half);
            if (!past) rows[i] = tn_bf16_get(half);
        }
        for (size_t p = 0; p < N_PAGES; p++)
            c->pages[which][p] = type == TN_F32 ? (void *)(c->full[which] + p * PAGE * KV_WIDTH)
                                                : (void *)(c->half[which] + p * PAGE * KV_WIDTH);
    }
    *s = (tn_attention_shape){.n_seqs = 1,
                              .seq_begin = begin,
                              .n_heads = N_HEADS,
                              .n_kv_heads = N_KV,
                              .head_dim = DIM,
                              .q_stride = Q_WIDTH,
                              .kv_stride = KV_WIDTH,
                              .causal = true,
                              .scale = 0.16f};
    return c;
}

static tn_attention_query query_of(cache *c, size_t first, size_t n_rows) {
    return (tn_attention_query){.q = c->q + first * Q_WIDTH,
                                .o = c->got + first * Q_WIDTH,
                                .n_rows = n_rows,
                                .n_keys = first + n_rows,
                                .k_pages = c->pages[0],
                                .v_pages = c->pages[1]};
}

TEST(decode_and_prefill_agree_with_the_packed_form) {
    for (int variant = 0; variant < 6; variant++) {
        tn_dtype type = variant % 2 ? TN_BF16 : TN_F32;
        tn_attention_shape s;
        tern_error e;
        cache *c = cache_new(&s, type);
        if (variant >= 2) s.window = 100;
        if (variant >= 4) s.softcap = 2;
        CHECK_OK(tn_attention(NULL, &s, c->q, c->k, c->v, c->o, NULL, &e), e);
        /* a first chunk, a long one, single tokens */
        tn_attention_query queries[] = {query_of(c, 0, 1), query_of(c, 1, 300),
                                        query_of(c, 301, 475), query_of(c, 776, 1)};
        CHECK_OK(tn_attention_paged(NULL, &s, queries, 4, PAGE, type, &e), e);
        for (size_t i = 0; i < (size_t)N_KEYS * Q_WIDTH; i++)
            CHECK_NEAR(c->got[i], c->o[i], 3e-6 * (1 + fabs((double)c->o[i])));
        tn_free(c);
    }
}

TEST(a_row_has_the_same_bits_in_any_company_and_on_any_threads) {
    for (size_t window = 0; window <= 100; window += 100) {
        tn_attention_shape s;
        tern_error e;
        cache *c = cache_new(&s, TN_BF16), *alone = cache_new(&s, TN_BF16);
        s.window = window;
        tn_attention_query whole = query_of(c, 0, N_KEYS);
        CHECK_OK(tn_attention_paged(NULL, &s, &whole, 1, PAGE, TN_BF16, &e), e);
        tn_pool *pool;
        CHECK_OK(tn_pool_new(3, &pool, &e), e);
        for (size_t row = 0; row < N_KEYS; row += 97) {
            tn_attention_query one = query_of(alone, row, 1);
            CHECK_OK(tn_attention_paged(pool, &s, &one, 1, PAGE, TN_BF16, &e), e);
            CHECK(memcmp(one.o, c->got + row * Q_WIDTH, Q_WIDTH * sizeof(float)) == 0);
        }
        tn_pool_free(pool);
        tn_free(c);
        tn_free(alone);
    }
}

TEST(every_failed_allocation_is_an_error) {
    tn_attention_shape s;
    tern_error e;
    cache *c = cache_new(&s, TN_F32);
    tn_pool *pool;
    CHECK_OK(tn_pool_new(2, &pool, &e), e);
    tn_attention_query one = query_of(c, N_KEYS - 1, 1);
    tern_status st = TERN_ERR_NOMEM;
    for (int k = 0; st != TERN_OK && k < 10; k++) {
        tn_mem_fail_after(k, 1);
        st = tn_attention_paged(pool, &s, &one, 1, PAGE, TN_F32, &e);
        tn_mem_fail_after(-1, 0);
        CHECK(st == TERN_OK || st == TERN_ERR_NOMEM);
    }
    CHECK_EQ(st, TERN_OK);
    tn_pool_free(pool);
    tn_free(c);
}

TEST(more_rows_than_keys_are_refused) {
    tn_attention_shape s;
    tern_error e;
    cache *c = cache_new(&s, TN_F32);
    tn_attention_query q = query_of(c, 0, 5);
    q.n_keys = 4;
    CHECK_EQ(tn_attention_paged(NULL, &s, &q, 1, PAGE, TN_F32, &e), TERN_ERR_ARG);
    q = query_of(c, 0, 5);
    CHECK_EQ(tn_attention_paged(NULL, &s, &q, 1, PAGE, TN_I8, &e), TERN_ERR_ARG);
    tn_free(c);
}

TEST_MAIN
