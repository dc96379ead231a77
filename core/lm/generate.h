/* generate.h - many texts at once: continuous batching over one engine.
 * Prompts wait in order; a prompt is read in chunks between the decoding steps of others, once for
 * all its samples, which then share its pages. A sample's random numbers depend on (seed, id)
 * alone, so it does not matter what it is batched with; with `deterministic`, not even in the last
 * bit of a log-probability. One thread at a time; the pool works inside a step. */
#ifndef TN_LM_GENERATE_H
#define TN_LM_GENERATE_H
#include "core/lm/decoder.h"
#include "core/lm/sample.h"

typedef struct tn_generator tn_generator;

typedef enum tn_gen_end {
    TN_GEN_STOP,   /* a stop id of the model */
    TN_GEN_LENGTH, /* max_tokens, or the context is full */
    TN_GEN_CALLER  /* the token callback said so */
} tn_gen_end;

typedef struct tn_generator_opts {
    tn_dtype cache_type;  /* BF16 by default */
    size_t cache_bytes;   /* bound of the cache; 0: none but memory */
    uint32_t max_seqs;    /* decoding at once; default 256 */
    uint32_t step_tokens; /* new tokens of one step, the rest waits; default 512 */
    uint32_t context;     /* longest text, in tokens; 0: what the model was made for */
    bool deterministic;
    /* A new token of sample `id`; false ends the sample. Stop ids come through here, too. */
    bool (*token)(void *ud, uint64_t id, int32_t token, float log_prob);
    void (*done)(void *ud, uint64_t id, tn_gen_end why); /* after its last token */
    void *ud;
} tn_generator_opts;
tn_generator_opts tn_generator_defaults(void);

typedef struct tn_gen_request {
    const int32_t *prompt; /* [n_prompt], >= 1; copied */
    size_t n_prompt;
    uint32_t n_samples; /* ids first_id, first_id + 1, ... */
    uint64_t first_id;
    uint64_t seed;
    tn_sample_opts sample;
    uint32_t max_tokens; /* of each sample; >= 1 */
    bool ignore_stop;    /* stop ids are tokens as any other */
} tn_gen_request;

/* lm and pool are borrowed. ARG (not a decoder with a causal head), NOMEM. */
TERN_MUST_USE tern_status tn_generator_new(const tn_lm *lm, tn_pool *pool,
                                           const tn_generator_opts *opts, tn_generator **out,
                                           tern_error *err);
void tn_generator_free(tn_generator *g); /* NULL allowed; what was not finished is dropped */

/* Queue a prompt. ARG (empty, an id outside the vocabulary, no samples), LIMIT (prompt as long as
 * the context, or one sample cannot fit the cache), NOMEM. */
TERN_MUST_USE tern_status tn_generator_add(tn_generator *g, const tn_gen_request *r,
                                           tern_error *err);
/* One engine step and its callbacks. *busy false: all that was added is done. After an error the
 * generator can only be freed. */
TERN_MUST_USE tern_status tn_generator_step(tn_generator *g, bool *busy, tern_error *err);

typedef struct tn_generator_stats {
    uint64_t n_prompt_tokens; /* computed; less than asked for where samples share */
    uint64_t n_new_tokens;
    uint64_t n_steps;
    size_t n_pages_peak;
    size_t cache_bytes_peak;
} tn_generator_stats;
tn_generator_stats tn_generator_get_stats(const tn_generator *g);

#endif
