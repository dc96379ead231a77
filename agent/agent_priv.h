/* agent_priv.h - the parts of a search episode: tools, policies, turns.
 *
 * The agent sees search and reading as a small table of functions, so its tests need no index and
 * no network. A policy is one of two kinds behind one table: a *scoring* policy proposes candidate
 * actions and gives each a logit (the loop picks, so log-probabilities are exact and an RL trainer
 * can own the weights); a *writing* policy returns text, from which the protocol reads an action.
 */
#ifndef TN_AGENT_PRIV_H
#define TN_AGENT_PRIV_H
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "tern/agent.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_episode tn_episode;

/* --- tools ------------------------------------------------------------------------------------ */
/* All calls of one table come from one thread at a time. The last three are statistics of the
 * corpus; any of them may be NULL (then words weigh by length alone and no title is known). */
typedef struct tn_agent_tools {
    void *ud;
    /* The best k passages whose refs are not excluded; fewer when no more match. refs: [k] out. */
    tern_status (*search)(void *ud, const char *query, size_t query_len, size_t k,
                          const uint32_t *exclude, size_t n_exclude, uint32_t *refs, size_t *n_refs,
                          tern_error *err);
    /* Views stay valid for the whole episode. */
    tern_status (*read)(void *ud, uint32_t ref, tern_passage *out, tern_error *err);
    uint64_t (*n_passages)(void *ud);
    uint64_t (*term_df)(void *ud, const char *term, size_t len);  /* an analysed term; 0: unknown */
    bool (*title_known)(void *ud, const char *title, size_t len); /* some passage is so titled */
} tn_agent_tools;

/* --- actions ---------------------------------------------------------------------------------- */
typedef enum tn_action_kind {
    TN_ACT_INVALID, /* a writing policy wrote neither tag pair */
    TN_ACT_SEARCH,
    TN_ACT_ANSWER /* for a scoring policy: stop, the reader answers */
} tn_action_kind;

/* One thing a scoring policy could do next. The candidates of a state are a pure function of the
 * state: question, passages shown, queries made. */
typedef struct tn_candidate {
    tn_action_kind kind;
    const char *query; /* NUL-terminated, in the episode's arena; "" for stop */
    size_t query_len;
    uint32_t origin; /* shown passage the span came from; TN_FROM_QUESTION; TN_FROM_NOWHERE */
    uint8_t form;    /* enum tn_form */
    float *features; /* [n_features] of the list */
} tn_candidate;
#define TN_FROM_QUESTION UINT32_MAX
#define TN_FROM_NOWHERE  (UINT32_MAX - 1)

typedef struct tn_candidates {
    tn_candidate *items; /* in the episode's arena */
    size_t n;
    size_t n_features;
} tn_candidates;

/* --- policies --------------------------------------------------------------------------------- */
typedef enum tn_policy_kind { TN_POLICY_SCORING, TN_POLICY_WRITING } tn_policy_kind;

struct tern_policy {
    const char *name; /* stored in traces: "embedded", "llm" */
    tn_policy_kind kind;
    /* Scoring: list what could be done next (at least one candidate), then one finite logit each,
     * logits[c->n]. Memory comes from the episode's arena. */
    tern_status (*propose)(const tern_policy *p, tn_episode *ep, tn_candidates *c, tern_error *err);
    tern_status (*score)(const tern_policy *p, tn_episode *ep, const tn_candidates *c,
                         float *logits, tern_error *err);
    /* Writing: append to `out` what the policy writes after the transcript so far (ep->question,
     * ep->turns, tn_protocol_prompt). `last`: no search is left, an answer is asked for. Text may
     * be reported as it arrives with tn_episode_text. Look at tn_episode_cancelled while waiting.
     */
    tern_status (*write)(const tern_policy *p, tn_episode *ep, bool last, tn_buf *out,
                         tern_error *err);
    void (*free)(tern_policy *p);
};

/* --- the episode ------------------------------------------------------------------------------ */
/* One passage shown to the policy: the text it may read is passage.text[0 .. text_len). */
typedef struct tn_shown {
    uint32_t ref;
    uint32_t turn;   /* from 0 */
    uint32_t rank;   /* in its search, from 0 */
    size_t text_len; /* bytes shown; less than passage.text_len when the budget cut it */
    tern_passage passage;
} tn_shown;

typedef struct tn_turn {
    tn_action_kind kind;
    const char *wrote; /* the policy's text up to and with its action; "" for a scoring policy */
    size_t wrote_len;
    const char *content; /* the query or the answer, trimmed, NUL-terminated */
    size_t content_len;
    const char *observation; /* as shown after `wrote`, tags and all; "" if none */
    size_t observation_len;
    uint32_t first_shown, n_shown; /* passages this turn brought: ep->shown[first ..) */
    tn_candidates candidates;      /* scoring policies: what was offered */
    const float *logits;           /* [candidates.n] */
    uint32_t chosen;
    double logprob; /* of the chosen one, nats, after temperature */
} tn_turn;

struct tn_episode {
    const char *question; /* NUL-terminated, trimmed, valid UTF-8 */
    size_t question_len;
    const tern_agent_opts *opts;
    const tn_agent_tools *tools;
    const tern_policy *policy;
    const tern_host *host; /* may be NULL */
    tn_arena *arena;       /* lives as long as the episode */
    struct tn_lens *lens;  /* analysed texts (agent/lens.h), shared by policy and reader */
    tn_turn *turns;
    size_t n_turns, turns_cap;
    size_t n_searches;
    tn_shown *shown;
    size_t n_shown, shown_cap;
};

bool tn_episode_cancelled(const tn_episode *ep);
/* Tell the live display that the policy wrote this piece. */
void tn_episode_text(const tn_episode *ep, const char *text, size_t len);

/* Which random numbers a turn draws: a function of the question and the turn. */
uint64_t tn_episode_stream(const tn_episode *ep);

/* --- protocol (agent/protocol.c) ---------------------------------------------------------------
 */
/* The user message that opens an episode: the rules, an example, the question, a newline. */
void tn_protocol_prompt(const char *question, size_t len, tern_obs_style style, tn_buf *out);
/* Strings after which a writing policy should stop ("</search>", "</answer>"); NULL-terminated. */
extern const char *const tn_protocol_stops[];
/* What is said to the policy when `last` (a search is no longer possible). */
extern const char tn_protocol_last[];

#endif
