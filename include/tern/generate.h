/* generate.h - text from a decoder: many prompts at once, streamed or whole. */
#ifndef TERN_GENERATE_H
#define TERN_GENERATE_H
#include "tern/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A prompt as text, or, if tokens is not NULL, as token ids. */
typedef struct tern_prompt {
    const char *text; /* UTF-8, len bytes; special tokens written in it are recognised */
    size_t len;
    const int32_t *tokens; /* [n_tokens] */
    size_t n_tokens;
} tern_prompt;

typedef struct tern_generate_opts {
    uint32_t n_samples;  /* of each prompt; default 1. The prompt is computed once */
    uint32_t max_tokens; /* new ones of each sample; default 256 */
    float temperature;   /* 0: greedy */
    uint32_t top_k;      /* 0: all tokens */
    float top_p;         /* 1: all tokens */
    float min_p;         /* 0: all tokens */
    uint64_t seed;       /* with the sample's number it decides all draws: prompt x n_samples + s */
    const char *const *stops; /* [n_stops] texts that end a sample; not part of it */
    size_t n_stops;
    bool ignore_stop_ids;  /* go on past the model's end-of-text tokens */
    bool deterministic;    /* bits do not depend on what else runs: fixed tiles, somewhat slower.
                              Without it log-probabilities differ between batches by about 1e-3 */
    bool cache_f32;        /* keys and values in f32 instead of bf16 */
    uint64_t cache_bytes;  /* bound of the key-value cache; 0: none but memory */
    uint32_t max_parallel; /* samples decoded at once; default 256 */
    /* Text as it becomes certain, never half a character; false ends the sample. NULL: none. */
    bool (*text)(void *ud, size_t prompt, size_t sample, const char *text, size_t len);
    void *ud;
} tern_generate_opts;
/* What generation_config.json suggests, greedy without one; the numbers above. */
TERN_API tern_generate_opts tern_generate_defaults(const tern_model *m);

typedef enum tern_finish {
    TERN_FINISH_STOP,   /* an end-of-text token or a stop text */
    TERN_FINISH_LENGTH, /* max_tokens, or the context is full */
    TERN_FINISH_CALLER  /* the callback returned false */
} tern_finish;
TERN_API const char *tern_finish_name(tern_finish finish); /* "stop", "length", "caller" */

typedef struct tern_completion {
    const char *text; /* UTF-8 as far as the tokens are, NUL-terminated; "" without a tokenizer */
    size_t len;
    const int32_t *tokens;  /* [n_tokens] all that were drawn, an end-of-text token included */
    const float *log_probs; /* [n_tokens] natural, under the model itself: temperature 1, no cuts */
    size_t n_tokens;
    size_t n_prompt_tokens;
    tern_finish finish;
} tern_completion;

typedef struct tern_completions tern_completions; /* opaque */
/* Sample s of prompt p is item p n_samples + s. Valid until free. */
TERN_API size_t tern_completions_n(const tern_completions *c);
TERN_API const tern_completion *tern_completions_at(const tern_completions *c, size_t i);
TERN_API uint64_t tern_completions_prompt_tokens(const tern_completions *c); /* computed */
TERN_API uint64_t tern_completions_cache_bytes(const tern_completions *c);   /* at the peak */
TERN_API void tern_completions_free(tern_completions *c);                    /* NULL allowed */

/* Complete n prompts. The same (model, options, prompts) give the same tokens for any number of
 * threads; the draws of a sample depend on nothing but the seed and its number.
 * An empty prompt starts from the model's begin-of-text token. Ill-formed UTF-8 is no error, see
 * tern/tokenizer.h.
 * Errors: ARG (the model does not generate; text without a tokenizer; an empty prompt and no
 * begin-of-text token; an id outside the vocabulary), LIMIT (a prompt as long as the context, a
 * sample larger than the cache), CANCELLED (host), NOMEM; *out is then NULL. */
TERN_API TERN_MUST_USE tern_status tern_generate(const tern_model *m, const tern_prompt *prompts,
                                                 size_t n, const tern_generate_opts *opts,
                                                 const tern_host *host, tern_completions **out,
                                                 tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
