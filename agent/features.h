/* features.h - what the embedded policy sees of a candidate query: the table of features.
 *
 * Every feature is a pure function of the state (question, passages shown, queries made) and of the
 * candidate, most of them in [0, 1]; logit = sum of weight * feature. The table is the one place
 * that names them: order, start weight, meaning. Trained weights replace the column, not the table.
 */
#ifndef TN_FEATURES_H
#define TN_FEATURES_H
#include "agent/lens.h"

/* How a candidate's query is put together. */
typedef enum tn_form {
    TN_FORM_STOP,      /* no query: answer now */
    TN_FORM_QUESTION,  /* the whole question */
    TN_FORM_REST,      /* the question's words no passage shown holds */
    TN_FORM_ALONE,     /* a span */
    TN_FORM_WITH_REST, /* a span and the question's words its passage does not hold */
    TN_FORM_WITH_ALL   /* a span and the whole question */
} tn_form;

/* X(NAME, weight, meaning). "mass" is a sum of term weights (idf), a share is of the question's. */
#define TN_FEATURE_MAP(X)                                                                          \
    X(STOP, -32.00F, "the candidate is to stop")                                                   \
    X(STOP_COVERED, 0.00F, "stop: share of the question in the passages shown")                    \
    X(STOP_NAMED, 0.00F, "stop: share of the question's names whose own page was shown")           \
    X(STOP_SENTENCE, 40.00F, "stop: largest share of the question in one sentence and its title")  \
    X(STOP_TURN, 0.00F, "stop: searches made, over 4")                                             \
    X(QUESTION, 0.11F, "the query is the whole question")                                          \
    X(ALONE, -1.29F, "the query is a span alone")                                                  \
    X(WITH_REST, -0.03F, "a span with the words its passage lacks")                                \
    X(WITH_ALL, 0.39F, "a span with the whole question")                                           \
    X(ALONE_KNOWN, -0.34F, "alone, and the span is a title of the corpus")                         \
    X(ASKED, -0.29F, "the span is named by the question")                                          \
    X(ASKED_UNREAD, -0.20F, "named by the question, and its own page was not shown")               \
    X(ASKED_ONE_OF_MANY, -0.28F, "one of several names of the question, the others' pages shown")  \
    X(IN_QUESTION, 1.73F, "share of the span's mass that is in the question")                      \
    X(KNOWN, 3.03F, "the span is a title of the corpus")                                           \
    X(READ, -0.72F, "the span is the title of a passage shown")                                    \
    X(COVER, 0.39F, "share of the question in the span's passage")                                 \
    X(SENTENCE_COVER, 1.65F, "share of the question in the span's sentence or its title")          \
    X(SPAN_SHARE, 0.01F, "share of the query's mass that is the span")                             \
    X(NEAR, 0.07F, "closeness of the span to a question word: 1 / (1 + words between)")            \
    X(TITLE_ASKED, 1.40F, "share of its passage's title that is in the question")                  \
    X(TITLE_QUERIED, 0.82F, "its passage was found by asking for its title")                       \
    X(LEAD, 0.74F, "the span stands in the first sentence of its passage")                         \
    X(MENTIONS, -0.13F, "passages that mention the span: 1 - 1/n")                                 \
    X(TOP_RANK, 0.56F, "its passage came first in its search")                                     \
    X(FRESH, -0.57F, "its passage came with the last search")                                      \
    X(REPEATED, -1.31F, "share of the span in an earlier query")                                   \
    X(SAME_QUERY, -0.94F, "overlap of the query with the most similar earlier one")                \
    X(ASKED_BEFORE, -1.23F, "the same query was made before")                                      \
    X(RARITY, 2.20F, "weight of the span's rarest term")                                           \
    X(LENGTH, 0.53F, "words of the span, over 8, at most 1")                                       \
    X(NUMBER, -0.03F, "the span has a number")                                                     \
    X(UNSEEN, 0.70F, "share of the span's mass that is in no title shown")                         \
    X(REST_MASS, -2.90F, "share of the question that its passage lacks")

enum {
#define TN_FEATURE_ENUM_(name, weight, meaning) TN_F_##name,
    TN_FEATURE_MAP(TN_FEATURE_ENUM_)
#undef TN_FEATURE_ENUM_
        TN_N_FEATURES
};
extern const char *const tn_feature_names[TN_N_FEATURES];
extern const float tn_feature_weights[TN_N_FEATURES];

/* Names met in the state, each once: what spans with the same terms have in common. */
typedef struct tn_entity {
    const char *text; /* best written form; not NUL-terminated */
    uint32_t len;
    const uint32_t *terms; /* [n_terms] of its content words */
    uint32_t n_terms;
    uint32_t origin;     /* shown passage of its best occurrence, or TN_FROM_QUESTION */
    uint32_t n_mentions; /* passages shown that hold it as a span */
    float sentence_cover, near;
    bool asked, known, read, lead, number;
} tn_entity;

/* What is true of the state whatever the candidate. */
typedef struct tn_facts {
    const tn_episode *ep;
    tn_lens *lens;
    uint8_t *marks;      /* [vocab.n] TN_MARK_... per term */
    float question_mass; /* of the question's distinct content terms */
    float *cover;        /* [n_shown] share of the question in each passage */
    float covered;       /* ... in all passages together */
    float sentence;      /* ... in the best sentence with its title */
    tn_view *queries;    /* [n_queries] earlier queries, analysed */
    uint32_t n_queries;
    tn_entity *entities;
    uint32_t n_entities, entities_cap;
    uint32_t n_asked, n_asked_read; /* the question's names; those whose page was shown */
} tn_facts;
enum { TN_MARK_QUESTION = 1, TN_MARK_SHOWN = 2, TN_MARK_TITLE = 4 };

TERN_MUST_USE tern_status tn_facts_gather(tn_episode *ep, tn_facts *f, tern_error *err);
/* features[TN_N_FEATURES] of a query with these distinct terms, made of `entity` (NULL for the
 * forms without one). */
void tn_features(const tn_facts *f, tn_form form, const tn_entity *entity, const uint32_t *terms,
                 uint32_t n_terms, float *features);
/* candidates.c: all candidates of the state, with features. */
TERN_MUST_USE tern_status tn_candidates_propose(const tern_policy *p, tn_episode *ep,
                                                tn_candidates *c, tern_error *err);
#endif
