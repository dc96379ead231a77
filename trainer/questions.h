/* questions.h - training questions from the documents themselves, with no model and no labels.
 *
 * Sentences about a passage's own title that state one of a table of relations ("... was founded by
 * X", "born in X") become questions; where X is a title too, questions over both passages. A
 * question is kept when searching for it brings the passage it names first (round trip). Wording is
 * by templates, so questions are plain but grammatical; `supporting` is exact. English only. */
#ifndef TN_QUESTIONS_H
#define TN_QUESTIONS_H
#include "core/base/buf.h"
#include "tern/host.h"
#include "tern/index.h"
#include "tern/status.h"

typedef struct tn_question_opts {
    uint64_t n;           /* questions wanted at most; 0: all that can be made */
    uint32_t top_k;       /* of the round trip; default 10 */
    uint32_t per_passage; /* questions that start from one passage; default 4 */
} tn_question_opts;
tn_question_opts tn_question_defaults(void);

typedef struct tn_question_report {
    uint64_t n_passages, n_facts,
        n_links; /* facts: relations found; links: whose object is a title */
    uint64_t n_made, n_one_hop, n_two_hop; /* before the round trip; after it, by kind */
    uint64_t n_duplicates;
    uint64_t n_lost; /* failed the round trip */
} tn_question_report;

/* Append JSON lines {"id","question","answers","supporting","kind"}, two-hop questions first, each
 * kind in an order that depends on its text alone. Errors: CORRUPT, NOMEM, CANCELLED. */
TERN_MUST_USE tern_status tn_questions_make(const tern_index *ix, const tn_question_opts *opts,
                                            const tern_host *host, tn_buf *out,
                                            tn_question_report *report, tern_error *err);

/* --- facts.c: what the text says --- */

typedef enum tn_kind_word { TN_KIND_THING, TN_KIND_PERSON, TN_KIND_PLACE } tn_kind_word;

/* One relation, as wording. %s is the name or the phrase that stands for it. */
typedef struct tn_relation {
    const char *phrase;  /* as found in text, after "was", "is" or a comma: "founded by" */
    const char *ask;     /* "Who founded %s?" */
    const char *noun;    /* "the founder of %s" */
    const char *inverse; /* "was founded by": "Which town was founded by X?"; NULL: do not ask */
    tn_kind_word object;
} tn_relation;
extern const tn_relation tn_relations[];
extern const size_t tn_n_relations;

typedef struct tn_text {
    const char *s;
    size_t len;
} tn_text;

typedef struct tn_fact {
    uint32_t relation;
    tn_text object; /* in the passage's text */
} tn_fact;

/* The facts a passage states of its own title, in text order; returns how many (at most cap). */
size_t tn_facts_find(const char *title, const char *text, tn_fact *facts, size_t cap);
/* What the passage says its subject is: "English novelist" of "Ada Quill was an English novelist
 * who ...". Empty if it does not say. */
tn_text tn_class_find(const char *title, const char *text);

#endif
