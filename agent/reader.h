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
/* The word for what is asked about the things named ("born" in "where was the founder of X born");
 * UINT32_MAX: none. */
uint32_t tn_asked_word(const tn_view *q, const tn_question_form *form);
/* Is word i, in small letters, one of the list? false past the end. */
bool tn_word_in(const tn_view *v, uint32_t i, const char *const *list);

/* Kinds of things (reader_kind.c). */
typedef enum tn_kind {
    TN_KIND_UNKNOWN,
    TN_KIND_PERSON,
    TN_KIND_PLACE,
    TN_KIND_GROUP, /* firms, institutes, bands */
    TN_KIND_WORK   /* what people make, do or meet: books, ships, expeditions, storms */
} tn_kind;
tn_kind tn_noun_kind(const tn_view *v, uint32_t i); /* of the things that word i names */
/* Of a passage's subject: by its first sentence, else by the last word of its title. */
tn_kind tn_page_kind(const tn_view *title, const tn_view *text);
tn_kind tn_wanted_kind(const tn_lens *l, const tn_question_form *form);

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
    X(BIAS, -6.80F, "always 1")                                                                    \
    X(BEST_CHAIN, 2.29F, "largest share of the question in two linked passages")                   \
    X(BEST_SENTENCE, 0.78F, "largest share in a sentence and its title")                           \
    X(COVERED, 1.79F, "share in all passages together")                                            \
    X(NAMED, 2.30F, "share of the question's names that a title or first sentence shown says")     \
    X(SCORE, 0.75F, "score of the best span, over 10")                                             \
    X(UNKNOWN, 0.11F, "share of the question's words that the corpus lacks")                       \
    X(CHAINED, 0.95F, "the answer's passage has a linked partner")
enum {
#define TN_CONFIDENCE_ENUM_(name, weight, meaning) TN_C_##name,
    TN_CONFIDENCE_MAP(TN_CONFIDENCE_ENUM_)
#undef TN_CONFIDENCE_ENUM_
        TN_N_CONFIDENCE
};

TERN_MUST_USE tern_status tn_read_answer(tn_episode *ep, tn_reading *out, tern_error *err);

/* X(NAME, weight, meaning) of a span's features. */
#define TN_READER_MAP(X)                                                                           \
    X(SENTENCE, -0.83F, "share of the question in the sentence")                                   \
    X(SENTENCE_TITLE, 0.80F, "share of the question in the sentence or the title")                 \
    X(COMPLETE, 0.75F, "how far SENTENCE_TITLE is above 0.6, over 0.4")                            \
    X(AROUND, 0.58F, "share of the question in the sentences before and after")                    \
    X(PASSAGE, -1.43F, "share of the question in the passage")                                     \
    X(CHAIN, 4.96F, "share of the question in the passage and the best one linked to it")          \
    X(NEAR, 1.12F, "question terms by distance: sum of weight / (1 + words between)")              \
    X(NEXT_TO, -0.05F, "a question term stands next to the span")                                  \
    X(IN_QUESTION, 0.16F, "share of the span's mass that is in the question")                      \
    X(ALL_IN_QUESTION, -1.28F, "the question says the whole span")                                 \
    X(NAME_PERSON, 1.69F, "a name, and who is asked")                                              \
    X(NAME_PLACE, 1.74F, "a name, and where is asked")                                             \
    X(NAME_THING, 0.98F, "a name, and a thing is asked")                                           \
    X(DATE_DATE, 4.40F, "a date, and when is asked")                                               \
    X(NUMBER_NUMBER, 3.44F, "a number, and how many is asked")                                     \
    X(DATE_OTHER, -1.33F, "a date, and something else is asked")                                   \
    X(NUMBER_OTHER, -0.10F, "a number, and something else is asked")                               \
    X(PHRASE_THING, -0.64F, "a phrase in small letters, and a thing or reason is asked")           \
    X(PHRASE_OTHER, -1.28F, "a phrase in small letters, and something else is asked")              \
    X(PLACE_CUE, 2.21F, "where: after in, at, near, from or to")                                   \
    X(PERSON_CUE, 0.88F, "who: two or three capitalised words not after in or at")                 \
    X(BY_CUE, 0.65F, "who: after by")                                                              \
    X(FOCUS_IN, 1.99F, "the kind asked for is a word of the span")                                 \
    X(FOCUS_NEXT, 1.26F, "the kind asked for stands next to the span")                             \
    X(KIND_SAID, 1.90F, "a passage shown is titled like the span and its lead says the kind")      \
    X(YEAR_ONLY, 1.18F, "a year is asked, and the span is one")                                    \
    X(TITLE, 0.50F, "the span is the passage's title")                                             \
    X(TITLE_SAID, 0.66F, "the span is the title, and the question says it")                        \
    X(PART, -1.69F, "the span is part of a longer name, date or number")                           \
    X(QUOTED, -0.97F, "in quotation marks")                                                        \
    X(COPULA, 0.32F, "right after is, was, are, were, a, an, the")                                 \
    X(LEAD, 0.73F, "in the first sentence of its passage")                                         \
    X(RARITY, 1.41F, "mean weight of the span's terms")                                            \
    X(LENGTH, 1.53F, "words, over 6, at most 1")                                                   \
    X(ONE_WORD, -0.47F, "the span is one word")                                                    \
    X(MENTIONS, -0.60F, "passages that hold the span: 1 - 1/n")                                    \
    X(TOP_RANK, 0.74F, "its passage came first in its search")                                     \
    X(TURN, -1.82F, "the search that brought its passage, over 4")                                 \
    X(PATH, 1.22F, "share of the question said on the way to its sentence")                        \
    X(PATH_COMPLETE, 1.65F, "how far PATH is above 0.6, over 0.4")                                 \
    X(PATH_END, 0.34F, "share of the question said on the way and in no earlier sentence")         \
    X(ASKED, 0.59F, "its sentence says what is asked")                                             \
    X(ASKED_NEAR, 0.28F, "1 / (1 + words between it and what is asked)")                           \
    X(ASKED_NEXT, 0.66F, "only small words stand between it and what is asked")                    \
    X(ASKED_BY, 1.26F, "who: what is asked, then by or was, then the span")                        \
    X(ASKED_PATH, -0.06F, "ASKED times PATH")                                                      \
    X(PATH_TOP, 0.00F, "no sentence that says what is asked has a fuller path, and it does")       \
    X(BRIDGE, 0.28F,                                                                               \
      "the fullest path to what is asked goes through the page titled like the span")              \
    X(HEADLINE, -1.18F, "the title, with words in small letters inside")                           \
    X(CHAIN_TOP, 0.98F, "PATH_TOP, and the path passes several passages")                          \
    X(ASKED_TOP, 0.30F, "PATH_TOP, and only small words stand between it and what is asked")       \
    X(HOPS, -1.08F, "passages passed on the way, over 3")                                          \
    X(NAMED, -0.02F, "the question says the whole title of its passage")                           \
    X(NAMED_PART, 0.10F, "the question says a part of the title of its passage")                   \
    X(JOINED, -0.15F, "a name with in, on, at, for, from or to inside")                            \
    X(NUMBER_KIND, 2.13F, "a number with the word for what is counted")                            \
    X(KIND_SAME, 1.46F, "a passage titled like the span is about the kind wanted")                 \
    X(KIND_OTHER, -1.67F, "a passage titled like the span is about another kind")                  \
    X(STALE, -6.00F, "a later passage says as much of the question")
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
typedef struct tn_said {
    uint32_t term;
    uint64_t bits; /* what a text says with it */
} tn_said;
typedef struct tn_path {
    uint64_t said, pages;              /* terms on the way, bits of the passages passed */
    uint32_t from_page, from_sentence; /* where it came from; sentence UINT32_MAX: it starts here */
} tn_path;
typedef struct tn_evidence {
    const tn_lens *lens;
    uint32_t terms[64];
    float weight[64], total;
    uint32_t n;
    tn_said *said; /* the terms and their paraphrases */
    uint32_t n_said, said_cap;
    uint64_t asked;               /* the term of tn_asked_word */
    uint64_t *in_title, *in_text; /* [n_reads] terms each passage holds */
    float *chain;                 /* [n_reads] share of the question in it and its best partner, */
    uint32_t *chain_with;     /* a passage of which one names the other's title; itself if none */
    uint32_t *first_sentence; /* [n_reads] of a passage in paths */
    tn_path *paths;           /* one per sentence (reader_path.c) */
    float best_path;          /* largest share of a path that ends in a sentence with `asked` */
    uint64_t best_pages;      /* the passages of that path */
    bool *named;              /* [n_reads] the question says the passage's whole title */
    bool *stale;              /* [n_reads] a later passage says as much of the question */
    tn_kind *kinds, wanted;   /* [n_reads] of the passage's title; what the question wants */
} tn_evidence;
TERN_MUST_USE tern_status tn_evidence_gather(tn_episode *ep, const tn_question_form *form,
                                             tn_evidence *a, tern_error *err);
/* Steps of it: what texts say with other words, which passages are out of date, how sentences lead
 * to each other. */
bool tn_word_is_evidence(const tn_view *q, uint32_t i);
bool tn_word_is_relation(const tn_view *q, uint32_t i); /* has paraphrases */
TERN_MUST_USE tern_status tn_evidence_paraphrase(tn_evidence *a, tn_lens *l, tern_error *err);
void tn_mark_stale(const tn_episode *ep, const tn_evidence *a, bool *stale);
TERN_MUST_USE tern_status tn_mark_named(tn_evidence *a, tern_error *err);
TERN_MUST_USE tern_status tn_paths_walk(tn_evidence *a, tern_error *err);
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
