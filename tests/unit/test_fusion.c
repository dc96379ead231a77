/* test_fusion.c - rank fusion against values worked out by hand, and the union of two lists. */
#include "retriever/fusion.h"
#include "tests/test.h"

#include "core/base/mem.h"

static tern_error err;

TEST(reciprocal_ranks_add_up_to_the_golden_values) {
    const uint32_t a[] = {7, 3, 9}, b[] = {3, 5};
    const tern_ranking lists[] = {{a, 3, 1}, {b, 2, 0.5f}};
    uint32_t refs[8];
    float scores[8];
    size_t n;
    CHECK_OK(tern_fuse_rrf(lists, 2, 8, refs, scores, &n, &err), err);
    CHECK_EQ(n, 4);
    CHECK_EQ(refs[0], 3);
    CHECK_NEAR(scores[0], 1.0 / 62 + 0.5 / 61, 1e-9);
    CHECK_EQ(refs[1], 7);
    CHECK_NEAR(scores[1], 1.0 / 61, 1e-9);
    CHECK_EQ(refs[2], 9);
    CHECK_NEAR(scores[2], 1.0 / 63, 1e-9);
    CHECK_EQ(refs[3], 5);
    CHECK_NEAR(scores[3], 0.5 / 62, 1e-9);
}

TEST(rank_fusion_breaks_ties_by_ref_and_cuts_at_k) {
    const uint32_t a[] = {9, 1}, b[] = {4, 1}, c[] = {2, 1};
    const tern_ranking lists[] = {{a, 1, 1}, {b, 1, 1}, {c, 1, 1}};
    uint32_t refs[2];
    float scores[2];
    size_t n;
    CHECK_OK(tern_fuse_rrf(lists, 3, 2, refs, scores, &n, &err), err);
    CHECK_EQ(n, 2);
    CHECK_EQ(refs[0], 2);
    CHECK_EQ(refs[1], 4);
}

TEST(ref_that_repeats_in_a_list_counts_once_at_its_better_rank) {
    const uint32_t a[] = {5, 6, 5};
    const tern_ranking list = {a, 3, 1};
    uint32_t refs[4];
    float scores[4];
    size_t n;
    CHECK_OK(tern_fuse_rrf(&list, 1, 4, refs, scores, &n, &err), err);
    CHECK_EQ(n, 2);
    CHECK_NEAR(scores[0], 1.0 / 61, 1e-9);
}

TEST(rank_fusion_refuses_bad_arguments_and_accepts_no_lists) {
    const uint32_t a[] = {1};
    uint32_t refs[1];
    float scores[1];
    size_t n = 9;
    CHECK_OK(tern_fuse_rrf(NULL, 0, 1, refs, scores, &n, &err), err);
    CHECK_EQ(n, 0);
    const float weights[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        tern_ranking list = {a, 1, weights[i]};
        CHECK_EQ(tern_fuse_rrf(&list, 1, 1, refs, scores, &n, &err), TERN_ERR_ARG);
    }
    tern_ranking list = {a, 1, 1};
    CHECK_EQ(tern_fuse_rrf(&list, 1, 0, refs, scores, &n, &err), TERN_ERR_ARG);
    tn_mem_fail_after(0, 0);
    CHECK_EQ(tern_fuse_rrf(&list, 1, 1, refs, scores, &n, &err), TERN_ERR_NOMEM);
    tn_mem_fail_after(-1, 0);
}

TEST(union_folds_both_sides_of_a_ref_into_one_candidate) {
    tern_hit c[] = {
        {.ref = 8, .bm25 = 6, .rank_bm25 = 1},
        {.ref = 2, .bm25 = 3, .rank_bm25 = 2},
        {.ref = 2, .cosine = 0.5f, .rank_dense = 1},
        {.ref = 1, .cosine = 0.25f, .rank_dense = 2},
    };
    CHECK_EQ(tn_fuse_union(c, 4), 3);
    CHECK_EQ(c[0].ref, 1);
    CHECK_EQ(c[0].rank_bm25, 0);
    CHECK_EQ(c[1].ref, 2);
    CHECK_EQ(c[1].rank_bm25, 2);
    CHECK_EQ(c[1].rank_dense, 1);
    CHECK_NEAR(c[1].bm25, 3, 0);
    CHECK_NEAR(c[1].cosine, 0.5, 0);
    CHECK_EQ(c[2].ref, 8);
}

TEST(joined_score_is_lexical_share_plus_weighted_cosine) {
    CHECK_NEAR(tn_fuse_score(3, 6, 0.5f, 0.1f), 0.55, 1e-7);
    CHECK_NEAR(tn_fuse_score(0, 0, 0.5f, 0.1f), 0.05, 1e-7);
    tern_hit a = {.ref = 1, .score = 2}, b = {.ref = 2, .score = 2};
    CHECK(tn_hit_cmp(&a, &b) < 0 && tn_hit_cmp(&b, &a) > 0);
}

TEST_MAIN
