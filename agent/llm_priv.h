/* llm_priv.h - what the parts of the language-model client share: reading an answer
 * (llm_reply.c), asking for one (llm.c), being a policy (llm_policy.c). */
#ifndef TN_LLM_PRIV_H
#define TN_LLM_PRIV_H
#include "agent/http.h"
#include "agent/sse.h"
#include "core/base/buf.h"
#include "tern/llm.h"
#include <stdatomic.h>

/* --- reading an answer ------------------------------------------------------------------------ */
typedef enum tn_llm_finish {
    TN_LLM_UNFINISHED, /* the server did not say */
    TN_LLM_STOP,       /* the end, or a stop string */
    TN_LLM_LENGTH,     /* max_tokens reached */
    TN_LLM_OTHER
} tn_llm_finish;

/* A chat completion, streamed or whole: which one is told from the bytes, not from what was asked
 * for. The text ends with the first stop string, which is part of it. */
typedef struct tn_llm_reply {
    const char *const *stops;                                /* NULL-terminated closing tags */
    void (*on_text)(void *ud, const char *text, size_t len); /* as it comes; NULL allowed */
    void *ud;
    tn_buf text;
    tn_buf reasoning; /* what a server reports apart from the text */
    tn_llm_finish finish;
    /* the reader's own */
    enum { TN_LLM_UNKNOWN, TN_LLM_EVENTS, TN_LLM_WHOLE } shape;
    tn_sse sse;
    tn_buf body; /* of a whole answer */
    size_t n_events;
    bool has_choice, done;
    bool closed;    /* the text ends with a stop string */
    bool transient; /* the failure may pass */
    tern_status status;
    tern_error error;
} tn_llm_reply;

void tn_llm_reply_init(tn_llm_reply *r, const char *const *stops,
                       void (*on_text)(void *ud, const char *text, size_t len), void *ud);
void tn_llm_reply_deinit(tn_llm_reply *r);
/* false: nothing more is needed, or reading failed (tn_llm_reply_end tells). */
bool tn_llm_reply_feed(tn_llm_reply *r, const char *bytes, size_t n);
/* The body is complete. Puts back the closing tag that a stop string took away.
 * Errors: REMOTE (broken or empty answer, or an error object), LIMIT, NOMEM. */
TERN_MUST_USE tern_status tn_llm_reply_end(tn_llm_reply *r, tern_error *err);

/* The message inside an error body, or the start of the body, on one line. Appended to out;
 * param (may be NULL) gets the name of the parameter complained about, or "". */
void tn_llm_error_text(const char *body, size_t len, tn_buf *out, char param[32]);

/* --- asking for one --------------------------------------------------------------------------- */
typedef struct tn_llm_message {
    const char *role; /* "user", "assistant" */
    const char *text;
    size_t len;
} tn_llm_message;

/* Parameters a server has refused; remembered, so that it is told only once. */
enum { TN_LLM_NO_TEMPERATURE = 1, TN_LLM_NO_STOP = 2, TN_LLM_NEW_MAX = 4 };

typedef struct tn_llm {
    char *url, *model, *key; /* model, key may be NULL */
    tern_llm_opts opts;      /* its strings are those above */
    atomic_uint refused;
} tn_llm;

TERN_MUST_USE tern_status tn_llm_init(tn_llm *m, const tern_llm_opts *opts, tern_error *err);
void tn_llm_deinit(tn_llm *m);

typedef struct tn_llm_ask {
    const tn_llm_message *messages;
    size_t n_messages;
    double temperature;
    const char *const *stops;
    uint64_t seed, stream; /* of the pauses' jitter */
    const tern_host *host;
    void (*on_text)(void *ud, const char *text, size_t len);
    void *ud;
} tn_llm_ask;

/* One completion, with retries; the text is appended to out. A second attempt after text was
 * reported reports a line break first. Thread-safe in m; http belongs to the caller's thread. */
TERN_MUST_USE tern_status tn_llm_complete(tn_llm *m, tn_http *http, const tn_llm_ask *ask,
                                          tn_buf *out, tern_error *err);

#endif
