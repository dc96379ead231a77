/* features.h - what the embedded policy sees of a candidate query: the table of features.
 *
 * Every feature is a pure function of the state (question, passages shown, queries made) and of the
 * candidate, most of them in [0, 1]; logit = sum of weight * feature. The table is the one place
 * that names them: order, weights, meaning.
 */
#ifndef TN_FEATURES_H
#define TN_FEATURES_H
#include "agent/facts.h"

/* How a candidate's query is put together. */
typedef enum tn_form {
    TN_FORM_STOP,      /* no query: answer now */
    TN_FORM_QUESTION,  /* the whole question */
    TN_FORM_REST,      /* the question's words no passage shown holds */
    TN_FORM_ALONE,     /* a span */
    TN_FORM_WITH_REST, /* a span and the question's words its passage does not hold */
    TN_FORM_WITH_ALL   /* a span and the whole question */
} tn_form;

/* X(NAME, hand, trained, meaning): the hand-set weight, and the embedded policy's, which training
 * without labels found (docs/CCS.md). "mass" is a sum of term weights (idf), a share is of the
 * question's. */
#define TN_FEATURE_MAP(X)                                                                          \
    X(STOP, -32.00F, -16.24F, "the candidate is to stop")                                          \
    X(STOP_COVERED, 0.00F, -0.27F, "stop: share of the question in the passages shown")            \
    X(STOP_NAMED, 0.00F, -0.25F, "stop: share of the question's names whose own page was shown")   \
    X(STOP_SENTENCE, 40.00F, 19.73F,                                                               \
      "stop: largest share of the question in one sentence and its title")                         \
    X(STOP_TURN, 0.00F, -0.23F, "stop: searches made, over 4")                                     \
    X(QUESTION, 0.11F, -0.02F, "the query is the whole question")                                  \
    X(ALONE, -1.29F, -1.15F, "the query is a span alone")                                          \
    X(WITH_REST, -0.03F, 0.33F, "a span with the words its passage lacks")                         \
    X(WITH_ALL, 0.39F, 0.52F, "a span with the whole question")                                    \
    X(ALONE_KNOWN, -0.34F, -0.23F, "alone, and the span is a title of the corpus")                 \
    X(ASKED, -0.29F, -0.01F, "the span is named by the question")                                  \
    X(ASKED_UNREAD, -0.20F, 0.10F, "named by the question, and its own page was not shown")        \
    X(ASKED_ONE_OF_MANY, -0.28F, 0.04F,                                                            \
      "one of several names of the question, the others' pages shown")                             \
    X(IN_QUESTION, 1.73F, 1.02F, "share of the span's mass that is in the question")               \
    X(KNOWN, 3.03F, 2.43F, "the span is a title of the corpus")                                    \
    X(READ, -0.72F, -0.16F, "the span is the title of a passage shown")                            \
    X(COVER, 0.39F, 0.86F, "share of the question in the span's passage")                          \
    X(SENTENCE_COVER, 1.65F, 1.29F, "share of the question in the span's sentence or its title")   \
    X(SPAN_SHARE, 0.01F, -0.36F, "share of the query's mass that is the span")                     \
    X(NEAR, 0.07F, 0.49F, "closeness of the span to a question word: 1 / (1 + words between)")     \
    X(TITLE_ASKED, 1.40F, 1.19F, "share of its passage's title that is in the question")           \
    X(TITLE_QUERIED, 0.82F, 0.99F, "its passage was found by asking for its title")                \
    X(LEAD, 0.74F, 0.57F, "the span stands in the first sentence of its passage")                  \
    X(MENTIONS, -0.13F, 0.29F, "passages that mention the span: 1 - 1/n")                          \
    X(TOP_RANK, 0.56F, 0.83F, "its passage came first in its search")                              \
    X(FRESH, -0.57F, -0.49F, "its passage came with the last search")                              \
    X(REPEATED, -1.31F, -0.54F, "share of the span in an earlier query")                           \
    X(SAME_QUERY, -0.94F, -0.13F, "overlap of the query with the most similar earlier one")        \
    X(ASKED_BEFORE, -1.23F, -0.62F, "the same query was made before")                              \
    X(RARITY, 2.20F, 1.37F, "weight of the span's rarest term")                                    \
    X(LENGTH, 0.53F, 0.32F, "words of the span, over 8, at most 1")                                \
    X(NUMBER, -0.03F, -0.11F, "the span has a number")                                             \
    X(UNSEEN, 0.70F, 0.18F, "share of the span's mass that is in no title shown")                  \
    X(REST_MASS, -2.90F, -2.04F, "share of the question that its passage lacks")                   \
    X(OWN_TITLE, 0.00F, 0.11F, "share of the span that is in its own passage's title")             \
    X(SUBJECT, 0.00F, 0.03F, "the span opens its passage: another name of what the page is about") \
    X(ORDER, 0.00F, 0.13F, "place among the names of its passage: 1 / (1 + names before)")         \
    X(DATE, 0.00F, -0.36F, "the span is a date: it has a month's name, or is all figures")         \
    X(SINGLE, 0.00F, -0.23F, "the span is one word")                                               \
    X(BEST_COVER, 0.00F, 0.66F, "cover of its passage, over the best cover of a passage shown")    \
    X(BEST_SENTENCE, 0.00F, 0.39F, "cover of its sentence, over the best of all spans")            \
    X(OWN_COVER, 0.00F, 0.60F,                                                                     \
      "share of the question that of all passages shown only its own holds")                       \
    X(LINKED, 0.00F, 0.42F, "another passage shown names the title of its passage")                \
    X(TRIED, 0.00F, 0.19F, "searches already made with a span of its passage, over 3, at most 1")  \
    X(KNOWN_UNREAD, 0.00F, 0.91F, "the span is a title of the corpus whose page was not shown")    \
    X(ALONE_UNREAD, 0.00F, 0.03F, "alone, and a title whose page was not shown")                   \
    X(ASKED_ALONE, 0.00F, -0.15F, "alone, and named by the question")                              \
    X(READ_REST, 0.00F, 0.31F, "title of a passage shown, with the words that are left")           \
    X(ASKED_FIRST, 0.00F, 0.09F, "named by the question, at the first search")                     \
    X(ASKED_UNSEEN, 0.00F, 0.21F, "named by the question, and no passage shown names it")          \
    X(QUERY_NEW, 0.00F, 0.28F,                                                                     \
      "share of the question that the query has and no passage shown holds")                       \
    X(QUERY_OLD, 0.00F, 0.32F, "share of the question that the query has and passages shown hold") \
    X(FORM_USED, 0.00F, -0.16F, "earlier searches of the same form, over 3")                       \
    X(LATE_ALONE, 0.00F, -0.68F, "alone, times searches made over 4")                              \
    X(LATE_REST, 0.00F, 0.32F, "with the words its passage lacks, times searches made over 4")     \
    X(LATE_ALL, 0.00F, 0.31F, "with the whole question, times searches made over 4")               \
    X(MENTION_COVER, 0.00F, 0.42F, "best cover of another passage shown that names the span")      \
    X(HITS, 0.00F, 1.12F,                                                                          \
      "its hits were looked at: agent/preview.h; else the features below are 0")                   \
    X(HIT_NONE, 0.00F, -0.20F, "hits short of those asked for, as a share of them")                \
    X(HIT_COVER, 0.00F, 1.01F, "largest share of the question in one of its hits")                 \
    X(HIT_MEAN, 0.00F, 0.81F, "mean share of the question in its hits")                            \
    X(HIT_NEW, 0.00F, 0.96F, "largest share of the question in a hit that no passage shown holds") \
    X(HIT_LINKED, 0.00F, 1.41F, "share of its hits that name a passage shown or are named by one") \
    X(HIT_PAIR, 0.00F, 1.61F,                                                                      \
      "largest share of the question in a hit and a passage shown, linked")                        \
    X(HIT_CHAIN, 0.00F, 1.11F, "... in a hit and two passages shown, linked in a chain")           \
    X(HIT_NAMED, 0.00F, 1.06F, "a hit's title stands in the question")                             \
    X(HIT_SPAN, 0.00F, 1.12F, "a hit is titled like the span")
enum {
#define TN_FEATURE_ENUM_(name, hand, trained, meaning) TN_F_##name,
    TN_FEATURE_MAP(TN_FEATURE_ENUM_)
#undef TN_FEATURE_ENUM_
        TN_N_FEATURES
};
extern const char *const tn_feature_names[TN_N_FEATURES];
extern const float tn_feature_hand[TN_N_FEATURES];    /* where fitting by labels ended */
extern const float tn_feature_weights[TN_N_FEATURES]; /* the embedded policy's */

/* features[TN_N_FEATURES] of a query with these distinct terms, made of `entity` (NULL for the
 * forms without one). */
void tn_features(const tn_facts *f, tn_form form, const tn_entity *entity, const uint32_t *terms,
                 uint32_t n_terms, float *features);
/* candidates.c: all candidates of the state, with features. */
TERN_MUST_USE tern_status tn_candidates_propose(const tern_policy *p, tn_episode *ep,
                                                tn_candidates *c, tern_error *err);
#endif
