/* agent.h - ask an index a question: search in several turns, then answer with citations.
 *
 * A policy decides what to search next and when to stop. Policies are immutable and may be shared
 * by threads; a tern_agent belongs to one thread at a time, so make one per thread on the same
 * index. What the policy wrote is the only text actions are read from: a passage that says
 * "<answer>" or "ignore previous instructions" is evidence, never a command. */
#ifndef TERN_AGENT_H
#define TERN_AGENT_H
#include "tern/eval.h"
#include "tern/search.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Who chooses the searches. Opaque; see tern_policy_embedded here and tern_policy_llm in llm.h. */
typedef struct tern_policy tern_policy;
/* The default, no model needed: proposes follow-up queries from the question and the passages read
 * so far, scores them on readable features, and answers by extraction. Errors: NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_policy_embedded(tern_policy **out, tern_error *err);
/* A policy trained with `tern train`: the embedded one with the weights of a file (policy.json).
 * Errors: NOT_FOUND, IO, FORMAT (not a policy file), VERSION (made for other features), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_policy_load(const char *path, tern_policy **out,
                                                    tern_error *err);
TERN_API void tern_policy_free(tern_policy *p); /* NULL allowed; no agent outlives its policy */

/* How passages are shown to a policy that writes. */
typedef enum tern_obs_style {
    TERN_OBS_SEARCH_R1, /* <information> with "Doc 1(Title: t) text" lines */
    TERN_OBS_VERL,      /* <tool_response> with a JSON object {"result": "..."} */
    TERN_OBS_PLAIN      /* "[1] title", text, blank line; numbered through the episode */
} tern_obs_style;

typedef enum tern_agent_event_kind {
    TERN_EVENT_TEXT,    /* the policy writes: text is the new piece, as it streams in */
    TERN_EVENT_SEARCH,  /* a search starts: text is the query */
    TERN_EVENT_HITS,    /* its result: passages[0..n_passages) */
    TERN_EVENT_INVALID, /* the policy wrote no valid action and is asked again */
    TERN_EVENT_ANSWER   /* the episode ends: text is the answer */
} tern_agent_event_kind;

typedef struct tern_agent_event {
    tern_agent_event_kind kind;
    uint32_t turn;    /* from 1 */
    const char *text; /* NUL-terminated view, valid during the call; "" if none */
    size_t text_len;  /* bytes */
    const tern_passage *passages;
    size_t n_passages;
} tern_agent_event;

typedef struct tern_agent_opts {
    uint32_t turns;      /* searches at most; 1..64, default 4. One more turn may answer */
    uint32_t top_k;      /* new passages per search; 1..64, default 3 */
    uint32_t obs_tokens; /* shown per search, cut per passage; 0 (default): 500 for a policy that
                            writes, whole passages for the embedded one */
    tern_obs_style obs_style;
    tern_mode mode;                /* of the search */
    int64_t as_of;                 /* only passages dated at or before this; TERN_NO_TIME: all */
    const tern_reranker *reranker; /* orders what each search finds; borrowed; NULL: none */
    size_t rerank_depth;           /* hits it looks at; default 50 */
    double temperature; /* 0 (default): the best action; else sampled from softmax(logits / t) */
    uint64_t seed;      /* of the sampling: an episode is a function of (seed, rollout, question) */
    uint64_t rollout;
    double confidence_min; /* an answer below this becomes "I don't know"; default in defaults() */
    void (*event)(void *ud, const tern_agent_event *ev);   /* live display; NULL allowed */
    void (*trace)(void *ud, const char *line, size_t len); /* one JSONL event (docs/TRACE.md), with
                                                             its newline; NULL allowed */
    void *ud;
} tern_agent_opts;
TERN_API tern_agent_opts tern_agent_defaults(void);

/* Where an answer stands written. Strings are views into the answer or the index. */
typedef struct tern_citation {
    uint32_t n; /* [n], from 1 */
    uint32_t ref;
    const char *id, *title, *source, *quote; /* quote: the sentence that says it */
    uint32_t line_begin, line_end;           /* from 1; 0 if the source has no lines */
    uint64_t byte_begin, byte_end;           /* in the (decompressed) source */
    bool supported; /* the quote, or the answer, occurs in that range; false: a claim unsupported */
} tern_citation;

typedef struct tern_agent_search {
    const char *query;
    const uint32_t *refs; /* [n_refs] new passages it brought, best first */
    size_t n_refs;
} tern_agent_search;

typedef struct tern_answer {
    const char *text;     /* "I don't know" when nothing supports an answer; never NULL */
    const char *sentence; /* the sentence the answer was read from; "" if none */
    double confidence;    /* in [0, 1]: how likely the collected passages answer the question */
    bool known;           /* false: text is "I don't know" */
    bool supported;       /* every sentence of the answer has a supported citation */
    const tern_citation *citations;
    size_t n_citations;
    const tern_agent_search *searches; /* in order */
    size_t n_searches;
    const uint32_t *refs; /* [n_refs] all passages collected, in the order they were shown */
    size_t n_refs;
    double logprob; /* of the chosen actions under a scoring policy (nats), 0 for a writing one */
} tern_answer;
TERN_API void tern_answer_free(tern_answer *a); /* NULL allowed */

typedef struct tern_agent tern_agent;
/* ix and policy are borrowed until tern_agent_free; opts is copied (NULL: defaults).
 * Errors: ARG, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_agent_new(const tern_index *ix, const tern_policy *policy,
                                                  const tern_agent_opts *opts, tern_agent **out,
                                                  tern_error *err);
TERN_API void tern_agent_free(tern_agent *a); /* NULL allowed */
/* Ask one question: UTF-8, question_len bytes. host->cancelled is looked at before every step.
 * *out is freed with tern_answer_free; its views into the index live as long as the index.
 * Errors: ARG (empty question), CORRUPT, NOMEM, CANCELLED, and what the policy meets (REMOTE,
 * TIMEOUT). */
TERN_API TERN_MUST_USE tern_status tern_agent_ask(tern_agent *a, const char *question,
                                                  size_t question_len, const tern_host *host,
                                                  tern_answer **out, tern_error *err);

/* ---- evaluation ---- */

typedef struct tern_agent_eval_opts {
    tern_agent_opts agent; /* event, trace and ud are not used */
    const char *results; /* JSON lines, one per finished question, appended as they finish; a later
                            call with the same file, index, policy and options asks only the
                            questions that are missing. NULL: keep nothing */
    bool oracle;         /* also the best that the same candidates allow (scoring policies only) */
    bool withheld;       /* also ask each question with its supporting passages hidden */
} tern_agent_eval_opts;
TERN_API tern_agent_eval_opts tern_agent_eval_defaults(void);

/* Shares are in [0, 1], means over the questions they can be computed for; NAN if there is none. */
typedef struct tern_agent_report {
    uint64_t n_questions;
    uint64_t n_resumed;                       /* taken from the results file */
    uint64_t n_supporting;                    /* questions with supporting ids */
    uint64_t n_answers;                       /* questions with right answers */
    double supporting_recall, all_supporting; /* of the passages collected */
    double bm25_recall, bm25_all;             /* of the question's BM25 top turns * top_k */
    double oracle_recall, oracle_all; /* of an agent that is told which candidate pays; NAN if not
                                         asked for */
    double em, f1;                    /* of the answers; "I don't know" counts as wrong */
    double known, supported;          /* share answered at all; share with supported citations */
    double searches, passages;        /* mean per question */
    double auroc; /* answerability: confidence with against without the evidence; NAN: not asked */
    double known_withheld; /* share still answered without the evidence */
    double seconds;
} tern_agent_report;

/* Ask all questions, many at once on host->n_threads threads: the same figures whatever their
 * number, and whether or not the run was interrupted and resumed.
 * Errors: those of tern_agent_ask; EXISTS (the results file is of another run); CANCELLED (what is
 * finished stands in the results file). */
TERN_API TERN_MUST_USE tern_status tern_agent_evaluate(const tern_index *ix,
                                                       const tern_policy *policy,
                                                       const tern_questions *questions,
                                                       const tern_agent_eval_opts *opts,
                                                       const tern_host *host,
                                                       tern_agent_report *report, tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
