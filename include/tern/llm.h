/* llm.h - policies written by a language model: one behind any OpenAI-compatible server (llama.cpp,
 * vLLM, Ollama, SGLang, hosted ones) by POST .../v1/chat/completions, or one of this machine. */
#ifndef TERN_LLM_H
#define TERN_LLM_H
#include "tern/agent.h"
#include "tern/model.h"
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_llm_opts {
    const char *url;     /* "http://127.0.0.1:8080", with or without /v1 or the full path */
    const char *model;   /* name the server knows; NULL: leave the choice to it */
    const char *api_key; /* NULL: TERN_API_KEY, else OPENAI_API_KEY of the environment, else none.
                            Never logged and never part of an error */
    uint32_t max_tokens; /* written per turn; default 1024 */
    uint32_t n_attempts; /* per turn, the first included; 1..20, default 4 */
    uint32_t backoff_ms; /* before the second attempt, doubling; default 500 */
    uint32_t connect_ms; /* default 10 s */
    uint32_t idle_ms;    /* without a byte from the server; default 120 s */
    uint32_t total_ms;   /* for one attempt; default 600 s */
    bool stream;         /* ask for the text as it is written; default true */
} tern_llm_opts;
TERN_API tern_llm_opts tern_llm_defaults(void);

/* opts is copied. Nothing is sent until an agent asks. The temperature is the agent's.
 * Tried again, with growing pauses and honouring Retry-After: no connection, a connection lost in
 * mid-answer, status 429 and 5xx. Errors when asked: REMOTE, TIMEOUT, CANCELLED, LIMIT (the server
 * babbles on), NOMEM. Errors here: ARG (URL or key unusable), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_policy_llm(const tern_llm_opts *opts, tern_policy **out,
                                                   tern_error *err);

/* ---- a model of this machine ---- */

typedef struct tern_model_policy_opts {
    uint32_t max_tokens;  /* written per turn; default 500 */
    tern_weights weights; /* default bf16 */
    const char *chat;     /* chat format by name (tern/chat.h); "none": plain text; NULL: as the
                             folder says, plain text if it says nothing */
    const char *prompt;   /* the rules in the words a checkpoint was trained with; {question} is
                             replaced. NULL: ours. Borrowed for the call */
} tern_model_policy_opts;
TERN_API tern_model_policy_opts tern_model_policy_defaults(void);

/* The decoder in folder `dir` (tern/model.h) writes the searches and the answer, on this machine.
 *   opts  NULL: the defaults        host  progress of loading, threads; may be NULL
 * Errors: those of tern_model_open; UNSUPPORTED (it writes no text, has no tokenizer, or a chat
 * format that is not known); ARG (opts). When asked: LIMIT (the transcript outgrew the context). */
TERN_API TERN_MUST_USE tern_status tern_policy_model(const char *dir,
                                                     const tern_model_policy_opts *opts,
                                                     const tern_host *host, tern_policy **out,
                                                     tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
