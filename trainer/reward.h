/* reward.h - what a search trajectory is worth.
 *
 * A reward reads a question and a trajectory: the structured log of an episode after the
 * bottleneck psi = psi_mask o psi_trace (cycle-consistent search), or raw for the arms that exist
 * to show why the bottleneck is needed. Rewards are plug-ins of one shape, so that a neural
 * reconstructor joins without a change elsewhere. */
#ifndef TN_REWARD_H
#define TN_REWARD_H
#include "core/base/arena.h"
#include "retriever/text/analyze.h"
#include "tern/status.h"
#include "trainer/mask.h"
#include <stddef.h>
#include <stdint.h>

/* One turn as it was shown: a query and the passages it brought. */
typedef struct tn_traj_turn {
    const char *query; /* NUL-terminated; entities replaced by tags once masked */
    const uint32_t *refs;
    const char *const *titles; /* [n_passages] */
    const char *const *texts;  /* [n_passages], NUL-terminated, as shown (after any cut) */
    size_t n_passages;
} tn_traj_turn;

typedef struct tn_trajectory {
    const tn_traj_turn *turns;
    size_t n_turns;     /* searches only */
    const char *answer; /* the final response; "" once psi_trace dropped it */
    size_t n_masked;    /* spans psi_mask replaced, all queries together */
} tn_trajectory;

/* psi: drop the response, mask the queries. Shares passages with `raw`; new strings come from the
 * arena. backstop as in mask.h. */
TERN_MUST_USE tern_status tn_traj_bottleneck(const tn_masker *m, const char *question,
                                             bool backstop, const tn_trajectory *raw,
                                             tn_arena *arena, tn_trajectory *out, tern_error *err);
/* One rendering for all: "Query n: ...\nResults n:\n[title] text\n" per turn, "(no results)" for an
 * empty one, and "Answer: ..." if the response was kept. */
void tn_traj_render(const tn_trajectory *t, tn_buf *out);

/* Corpus statistics a lexical reward weighs words by. */
typedef struct tn_lexicon {
    void *ud;
    uint64_t n_passages;
    uint64_t (*term_df)(void *ud, const char *term, size_t len);
} tn_lexicon;

/* What the gold arms may see; empty for label-free ones, which never read it. */
typedef struct tn_gold {
    const uint32_t *supporting; /* refs */
    size_t n_supporting;
    const char *const *answers;
    size_t n_answers;
} tn_gold;

typedef struct tn_reward_input {
    const char *question;
    const tn_trajectory *raw;    /* as it happened */
    const tn_trajectory *masked; /* psi(raw) */
    const tn_gold *gold;         /* may be NULL */
    uint64_t seed;               /* of this rollout, for the random arm */
    tn_analyzer *analyzer;       /* the caller's own: one thread at a time */
    const tn_lexicon *lexicon;
    tn_arena *arena; /* scratch */
} tn_reward_input;

typedef enum tn_gold_kind { TN_GOLD_NONE, TN_GOLD_SUPPORTING, TN_GOLD_ANSWERS } tn_gold_kind;

typedef struct tn_reward {
    const char *name;
    const char *what; /* one line */
    tn_gold_kind needs;
    /* *value in [0, 1]. NOMEM only. */
    tern_status (*fn)(const tn_reward_input *in, double *value, tern_error *err);
} tn_reward;

/* Has the question the labels that the reward needs? */
static inline bool tn_reward_sees(const tn_reward *r, const tn_gold *g) {
    return r->needs == TN_GOLD_NONE ||
           (r->needs == TN_GOLD_ANSWERS ? g->n_answers : g->n_supporting) > 0;
}

/* "ccs-lexical", "ccs-cosine", "gold-recall", "gold-answer", "leaky", "queries-only", "random";
 * NULL if unknown. */
const tn_reward *tn_reward_find(const char *name);
const tn_reward *tn_reward_list(size_t *n);

#endif
