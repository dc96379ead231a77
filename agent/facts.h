/* facts.h - what is true of an episode's state, whatever the candidate: names met, passages shown
 * and how much of the question they hold, searches made. Features are worked out from these. */
#ifndef TN_FACTS_H
#define TN_FACTS_H
#include "agent/lens.h"

/* Names met in the state, each once: what spans with the same terms have in common. */
typedef struct tn_entity {
    const char *text; /* best written form; not NUL-terminated */
    uint32_t len;
    const uint32_t *terms; /* [n_terms] of its content words */
    uint32_t n_terms;
    uint32_t origin;     /* shown passage of its best occurrence, or TN_FROM_QUESTION */
    uint32_t n_mentions; /* passages shown that hold it as a span */
    float sentence_cover, near;
    float best_cover, second_cover; /* of the passages that hold it, the best two; 0: none */
    uint32_t last_mention;          /* 1 + the last passage that holds it; 0: none */
    uint32_t order;                 /* names before it in its passage */
    bool asked, known, read, lead, number, subject, date;
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
    float cover_max;     /* the largest of cover */
    float sentence_max;  /* the largest sentence_cover of an entity */
    float *own_cover;    /* [n_shown] share of the question that no other passage holds */
    bool *linked;        /* [n_shown] another passage names its title */
    uint32_t *tried;     /* [n_shown] searches made with a span of it */
    uint32_t n_forms[8]; /* searches made, by form */
    tn_view *queries;    /* [n_queries] earlier queries, analysed */
    uint32_t n_queries;
    tn_entity *entities;
    uint32_t n_entities, entities_cap;
    uint32_t n_asked, n_asked_read; /* the question's names; those whose page was shown */
} tn_facts;
enum { TN_MARK_QUESTION = 1, TN_MARK_SHOWN = 2, TN_MARK_TITLE = 4 };

TERN_MUST_USE tern_status tn_facts_gather(tn_episode *ep, tn_facts *f, tern_error *err);
/* Mass of the entity's words that are the question's. */
float tn_span_question_mass(const tn_facts *f, const tn_entity *e);
#endif
