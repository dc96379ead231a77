/* lens.h - how the agent reads text: words, terms, weights, sentences, names.
 *
 * Question, titles and passages of an episode are analysed once, by the index's own analyzer, and
 * share one vocabulary: a term is a small number, and its weight says how rare it is in the corpus.
 * The embedded policy and the reader look at the same views. */
#ifndef TN_LENS_H
#define TN_LENS_H
#include "agent/agent_priv.h"
#include "core/base/strmap.h"
#include "retriever/text/analyze.h"

enum {
    TN_WORD_STOP = 1,   /* a stop word of the language */
    TN_WORD_CAP = 2,    /* begins with an upper- or title-case letter */
    TN_WORD_DIGIT = 4,  /* begins with a digit */
    TN_WORD_FIRST = 8,  /* first of a sentence: its capital says nothing */
    TN_WORD_JOINED = 16 /* only blanks, or one hyphen or apostrophe, since the word before */
};

typedef struct tn_word {
    uint32_t term;       /* number in the lens's vocabulary */
    uint32_t begin, end; /* bytes of the text */
    uint32_t sentence;   /* number of its sentence */
    uint8_t flags;
} tn_word;

typedef struct tn_sentence_span {
    uint32_t begin, end;           /* bytes */
    uint32_t word_begin, word_end; /* words */
} tn_sentence_span;

typedef struct tn_view {
    const char *text;
    size_t len;
    const tn_word *words;
    uint32_t n_words;
    const tn_sentence_span *sentences;
    uint32_t n_sentences;
} tn_view;

/* A run of words that may name something. */
typedef struct tn_name {
    uint32_t word_begin, word_end;
    uint32_t begin, end; /* bytes */
    bool quoted;         /* stands in quotation marks */
    bool known;          /* a title of the corpus (also without its bracketed part) */
} tn_name;

typedef struct tn_lens {
    tn_analyzer *analyzer; /* borrowed from the agent */
    tn_arena *arena;       /* the episode's */
    const tn_agent_tools *tools;
    tn_strmap vocab;
    float
        *weight; /* [vocab.n] idf over the largest idf, in [0, 1]; 0: in no passage of the corpus */
    size_t weight_cap;
    double n_passages;
    tn_view question;
    tn_name *question_names;
    uint32_t n_question_names;
    uint32_t asked[64]; /* the question's distinct content words, the first 64 */
    uint32_t n_asked;
    struct tn_page *pages; /* looked at, shown or not: agent/pages.h */
    size_t n_pages, pages_cap;
    struct tn_read { /* one per shown passage */
        tn_view title, text;
        tn_name *names; /* of the text */
        uint32_t n_names;
    } * reads;
    size_t n_reads, reads_cap;
} tn_lens;

/* Analyse the question. Zeroed lens in; deinit in any case. */
TERN_MUST_USE tern_status tn_lens_init(tn_lens *l, tn_analyzer *an, const tn_agent_tools *tools,
                                       tn_arena *arena, const char *question, size_t len,
                                       tern_error *err);
void tn_lens_deinit(tn_lens *l);
/* Analyse the passages shown since the last call. */
TERN_MUST_USE tern_status tn_lens_update(tn_lens *l, const tn_episode *ep, tern_error *err);
TERN_MUST_USE tern_status tn_lens_view(tn_lens *l, const char *text, size_t len, tn_view *out,
                                       tern_error *err);
/* The names in a view: capitalised runs (joined by "of", "the", ...), quoted text and, for
 * `gazetteer`, runs of any case that are titles of the corpus. */
TERN_MUST_USE tern_status tn_lens_names(tn_lens *l, const tn_view *v, bool gazetteer,
                                        tn_name **names, uint32_t *n, tern_error *err);
/* A title without a bracketed ending: "Paris (film)" -> 5 bytes. */
size_t tn_title_base(const char *title, size_t len);

static inline bool tn_word_is_content(const tn_word *w) {
    return !(w->flags & TN_WORD_STOP);
}
bool tn_view_has(const tn_view *v, uint32_t term);

#endif
