/* reader.h - answering by extraction: the best-supported span of the passages read.
 *
 * No model: the question says by its form what kind of thing is wanted (question_form), spans of
 * that kind are scored by a linear function of readable features, and comparisons and yes/no
 * questions, whose answer is not a span, are worked out from the pages of the things compared. */
#ifndef TN_READER_H
#define TN_READER_H
#include "agent/lens.h"

typedef enum tn_want {
    TN_WANT_THING,  /* what, which, or no question word known */
    TN_WANT_PERSON, /* who */
    TN_WANT_PLACE,  /* where */
    TN_WANT_DATE,   /* when */
    TN_WANT_NUMBER, /* how many */
    TN_WANT_REASON  /* why, how */
} tn_want;

typedef enum tn_ask_kind { TN_ASK_SPAN, TN_ASK_YES_NO, TN_ASK_CHOICE } tn_ask_kind;

/* What the question asks for. */
typedef struct tn_question_form {
    tn_ask_kind ask;
    tn_want want;
    uint32_t wh;    /* word number of the question word; UINT32_MAX if none */
    uint32_t focus; /* word that names the kind wanted ("city" in "in which city"); UINT32_MAX */
    const tn_name *choices[2]; /* ASK_CHOICE, and ASK_YES_NO on two things: what is compared */
    uint32_t n_choices;
} tn_question_form;
void tn_question_form_of(const tn_lens *l, tn_question_form *form);

/* Shape of a span. */
typedef enum tn_shape { TN_SHAPE_NAME, TN_SHAPE_DATE, TN_SHAPE_NUMBER, TN_SHAPE_PHRASE } tn_shape;
typedef struct tn_answer_span {
    uint32_t word_begin, word_end;
    uint32_t begin, end; /* bytes */
    tn_shape shape;
    bool quoted, title; /* title: it is the passage's title, words are those of the title view */
} tn_answer_span;
/* Spans of a passage that could be an answer. In the lens's arena. */
TERN_MUST_USE tern_status tn_answer_spans(tn_lens *l, const struct tn_read *r,
                                          tn_answer_span **spans, uint32_t *n, tern_error *err);
/* A calendar year at word i: its value, plus the month over 12 where one is written before it. */
bool tn_date_at(const tn_view *v, uint32_t i, double *value);
bool tn_number_at(const tn_view *v, uint32_t i, double *value); /* digits, with "," and "million" */

/* Where an answer is said. */
typedef struct tn_support {
    uint32_t shown;      /* index into ep->shown */
    uint32_t begin, end; /* the sentence, bytes of the passage's text */
} tn_support;

typedef struct tn_reading {
    const char *text; /* NUL-terminated, in the arena; "" when there is nothing to read */
    size_t text_len;
    tn_support supports[3];
    uint32_t n_supports;
    double confidence; /* how likely the passages answer the question */
    float signs[8];    /* what the confidence was computed from: TN_CONFIDENCE_MAP */
} tn_reading;
/* X(NAME, weight, meaning) of what makes a reading believable; the confidence is the logistic of
 * the weighted sum. */
#define TN_CONFIDENCE_MAP(X)                                                                       \
    X(BIAS, -5.91F, "always 1")                                                                    \
    X(BEST_CHAIN, 1.44F, "largest share of the question in two linked passages")                   \
    X(BEST_SENTENCE, 1.36F, "largest share in a sentence and its title")                           \
    X(COVERED, 1.61F, "share in all passages together")                                            \
    X(NAMED, 2.52F, "share of the question's names that a title or first sentence shown says")     \
    X(SCORE, 0.27F, "score of the best span, over 10")                                             \
    X(UNKNOWN, -0.05F, "share of the question's words that the corpus lacks")                      \
    X(CHAINED, 0.68F, "the answer's passage has a linked partner")
enum {
#define TN_CONFIDENCE_ENUM_(name, weight, meaning) TN_C_##name,
    TN_CONFIDENCE_MAP(TN_CONFIDENCE_ENUM_)
#undef TN_CONFIDENCE_ENUM_
        TN_N_CONFIDENCE
};

TERN_MUST_USE tern_status tn_read_answer(tn_episode *ep, tn_reading *out, tern_error *err);

/* X(NAME, weight, meaning) of a span's features. */
#define TN_READER_MAP(X)                                                                           \
    X(SENTENCE, 0.39F, "share of the question in the sentence")                                    \
    X(SENTENCE_TITLE, 2.21F, "share of the question in the sentence or the title")                 \
    X(COMPLETE, 1.82F, "how far SENTENCE_TITLE is above 0.6, over 0.4")                            \
    X(AROUND, 0.79F, "share of the question in the sentences before and after")                    \
    X(PASSAGE, -3.18F, "share of the question in the passage")                                     \
    X(CHAIN, 7.91F, "share of the question in the passage and the best one linked to it")          \
    X(NEAR, 0.61F, "question terms by distance: sum of weight / (1 + words between)")              \
    X(NEXT_TO, 0.32F, "a question term stands next to the span")                                   \
    X(IN_QUESTION, -0.19F, "share of the span's mass that is in the question")                     \
    X(ALL_IN_QUESTION, -1.35F, "the question says the whole span")                                 \
    X(NAME_PERSON, 1.89F, "a name, and who is asked")                                              \
    X(NAME_PLACE, 1.75F, "a name, and where is asked")                                             \
    X(NAME_THING, 1.01F, "a name, and a thing is asked")                                           \
    X(DATE_DATE, 4.88F, "a date, and when is asked")                                               \
    X(NUMBER_NUMBER, 4.24F, "a number, and how many is asked")                                     \
    X(DATE_OTHER, -0.77F, "a date, and something else is asked")                                   \
    X(NUMBER_OTHER, 0.26F, "a number, and something else is asked")                                \
    X(PHRASE_THING, -0.65F, "a phrase in small letters, and a thing or reason is asked")           \
    X(PHRASE_OTHER, -0.94F, "a phrase in small letters, and something else is asked")              \
    X(PLACE_CUE, 2.26F, "where: after in, at, near, from or to")                                   \
    X(PERSON_CUE, 1.32F, "who: two or three capitalised words not after in or at")                 \
    X(BY_CUE, 1.74F, "who: after by")                                                              \
    X(FOCUS_IN, 2.34F, "the kind asked for is a word of the span")                                 \
    X(FOCUS_NEXT, 1.79F, "the kind asked for stands next to the span")                             \
    X(KIND_SAID, 2.41F, "a passage shown is titled like the span and its lead says the kind")      \
    X(YEAR_ONLY, 1.02F, "a year is asked, and the span is one")                                    \
    X(TITLE, 0.27F, "the span is the passage's title")                                             \
    X(TITLE_SAID, -0.80F, "the span is the title, and the question says it")                       \
    X(PART, -2.18F, "the span is part of a longer name, date or number")                           \
    X(QUOTED, -1.40F, "in quotation marks")                                                        \
    X(COPULA, 0.37F, "right after is, was, are, were, a, an, the")                                 \
    X(LEAD, 0.72F, "in the first sentence of its passage")                                         \
    X(RARITY, 1.96F, "mean weight of the span's terms")                                            \
    X(LENGTH, 1.74F, "words, over 6, at most 1")                                                   \
    X(ONE_WORD, -0.42F, "the span is one word")                                                    \
    X(MENTIONS, -0.12F, "passages that hold the span: 1 - 1/n")                                    \
    X(TOP_RANK, 0.83F, "its passage came first in its search")                                     \
    X(TURN, -1.90F, "the search that brought its passage, over 4")
enum {
#define TN_READER_ENUM_(name, weight, meaning) TN_R_##name,
    TN_READER_MAP(TN_READER_ENUM_)
#undef TN_READER_ENUM_
        TN_N_READER
};
extern const char *const tn_reader_names[TN_N_READER];
extern const float tn_reader_weights[TN_N_READER];

/* How the passages cover the question. Its distinct content terms are bits (questions of more than
 * 64 such terms are read by their first 64). */
typedef struct tn_evidence {
    const tn_lens *lens;
    uint32_t terms[64];
    float weight[64], total;
    uint32_t n;
    uint64_t *in_title, *in_text; /* [n_reads] terms each passage holds */
    float *chain;                 /* [n_reads] share of the question in it and its best partner, */
    uint32_t *chain_with; /* a passage of which one names the other's title; itself if none */
} tn_evidence;
TERN_MUST_USE tern_status tn_evidence_gather(tn_episode *ep, tn_evidence *a, tern_error *err);
float tn_evidence_mass(const tn_evidence *a, uint64_t set); /* share of the question, [0, 1] */
uint64_t tn_evidence_in(const tn_evidence *a, const tn_view *v, uint32_t from, uint32_t to);
/* The sentence that, with the terms in `given`, covers the question best; *cover its share. */
uint32_t tn_evidence_best_sentence(const tn_evidence *a, const tn_view *v, uint64_t given,
                                   float *cover);

/* Yes/no and choice questions (compare.c): answers by the pages of what is compared. false: the
 * passages do not say enough; the span reader takes over. */
bool tn_compare(const tn_episode *ep, const tn_evidence *a, const tn_question_form *form,
                tn_reading *out);

/* A scored candidate, for choosing and for fitting the weights offline. */
typedef struct tn_scored {
    uint32_t shown;
    tn_answer_span span;
    float x[TN_N_READER];
    float score;
} tn_scored;
TERN_MUST_USE tern_status tn_reader_score(tn_episode *ep, const tn_evidence *a,
                                          const tn_question_form *form, tn_scored **out,
                                          uint32_t *n, tern_error *err);
#endif
