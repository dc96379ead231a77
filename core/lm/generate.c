/* generate.c - see generate.h.
 * A group is a prompt and its samples. It waits, is read (the trunk: the prompt's pages and the
 * logits after it), then gives birth to one sequence after another as places come free. Pages are
 * reserved for the longest that a sequence can become before it starts, so that nothing that runs
 * is ever short of them; those of the prompt stay reserved until the last sample has ended. */
#include "core/lm/generate.h"
#include "core/lm/rows.h"
#include <assert.h>

#include "core/base/mem.h"

/* With fixed tiles a prompt is read in whole chunks of this many tokens, so that the cut does not
 * depend on what else runs. */
enum { FIXED_CHUNK = 128 };

typedef struct group {
    struct group *next; /* in order of arrival */
    int32_t *prompt;
    size_t n_prompt;
    uint64_t first_id, seed;
    uint32_t n_samples, n_born, n_living, max_tokens;
    tn_sample_opts sample;
    bool ignore_stop, admitted, read;
    tn_kv_seq trunk;
    float *logits;     /* [vocab] after the prompt, once read */
    size_t n_reserved; /* pages of the trunk */
} group;

typedef struct sequence {
    group *group;
    uint64_t id;
    tn_rng rng;
    tn_sample_opts sample;
    tn_kv_seq kv;
    int32_t last;      /* sampled, not yet in the cache */
    float log_prob;    /* of last */
    size_t n_left;     /* tokens it may still write */
    size_t n_reserved; /* pages */
    bool ignore_stop;
} sequence;

struct tn_generator {
    tn_lm_engine *engine;
    const tn_lm_config *config;
    tn_generator_opts opts;
    group *first, **tail; /* until their last sample has ended */
    sequence *seqs;       /* [n_seqs] decoding */
    size_t n_seqs, n_pages_max, n_reserved;
    tn_generator_stats stats;
    /* of one step */
    tn_lm_span *spans; /* [max_seqs + groups read] */
    int32_t *tokens;   /* [step_tokens] */
    uint32_t *out_rows;
    group **readers; /* [n_readers] read in this step, after the sequences' rows */
    size_t n_readers;
    float *logits; /* [rows, vocab] */
    size_t logits_cap;
    float *scratch; /* [threads, 2 vocab] */
};

tn_generator_opts tn_generator_defaults(void) {
    return (tn_generator_opts){.cache_type = TN_BF16, .max_seqs = 256, .step_tokens = 512};
}

tern_status tn_generator_new(const tn_lm *lm, tn_pool *pool, const tn_generator_opts *opts,
                             tn_generator **out, tern_error *err) {
    *out = NULL;
    if (lm->config.head != TN_LM_HEAD_CAUSAL)
        return tern_fail(err, TERN_ERR_ARG, 0, "this %s model does not generate text",
                         tn_lm_arch_name(lm->config.arch));
    if (opts->max_seqs < 1 || opts->step_tokens < 1 || opts->max_seqs > 1 << 20 ||
        opts->step_tokens > 1 << 24)
        return tern_fail(err, TERN_ERR_ARG, 0, "max_seqs and step_tokens must be at least 1");
    tn_generator *g = tn_calloc(1, sizeof *g);
    if (!g) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a generator");
    g->opts = *opts;
    g->config = &lm->config;
    g->tail = &g->first;
    if (g->opts.context == 0) g->opts.context = tn_lm_context(&lm->config);
    if (g->opts.step_tokens < g->opts.max_seqs) g->opts.step_tokens = g->opts.max_seqs;
    if (opts->deterministic && g->opts.step_tokens < g->opts.max_seqs + FIXED_CHUNK)
        g->opts.step_tokens = g->opts.max_seqs + FIXED_CHUNK;
    size_t rows = g->opts.step_tokens, n_threads = (size_t)tn_pool_n_threads(pool);
    g->seqs = tn_calloc(g->opts.max_seqs, sizeof *g->seqs);
    g->spans = tn_calloc(rows, sizeof *g->spans);
    g->tokens = tn_calloc(rows, sizeof *g->tokens);
    g->out_rows = tn_calloc(rows, sizeof *g->out_rows);
    g->readers = tn_calloc(rows, sizeof *g->readers);
    g->scratch = tn_calloc(n_threads, 2 * lm->config.vocab * sizeof *g->scratch);
    tn_kv_cache shape;
    tn_kv_init(&shape, &lm->config, opts->cache_type, 0);
    if (opts->cache_bytes) {
        g->n_pages_max = opts->cache_bytes / shape.page_bytes;
        if (g->n_pages_max == 0) g->n_pages_max = 1;
    }
    tn_lm_engine_opts e = {.cache_type = opts->cache_type,
                           .n_pages_max = g->n_pages_max,
                           .fixed = opts->deterministic};
    tern_status status = TERN_OK;
    if (!g->seqs || !g->spans || !g->tokens || !g->out_rows || !g->readers || !g->scratch)
        status = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a generator");
    if (status == TERN_OK) status = tn_lm_engine_new(lm, pool, &e, &g->engine, err);
    if (status != TERN_OK)
        tn_generator_free(g);
    else
        *out = g;
    return status;
}

static void group_free(tn_generator *g, group *p) {
    if (!p) return;
    if (g->engine) tn_kv_seq_deinit(tn_lm_engine_cache(g->engine), &p->trunk);
    tn_free(p->prompt);
    tn_free(p->logits);
    tn_free(p);
}

void tn_generator_free(tn_generator *g) {
    if (!g) return;
    while (g->first) {
        group *p = g->first;
        g->first = p->next;
        group_free(g, p);
    }
    for (size_t i = 0; i < g->n_seqs; i++)
        tn_kv_seq_deinit(tn_lm_engine_cache(g->engine), &g->seqs[i].kv);
    tn_lm_engine_free(g->engine);
    tn_free(g->seqs);
    tn_free(g->spans);
    tn_free(g->tokens);
    tn_free(g->out_rows);
    tn_free(g->readers);
    tn_free(g->logits);
    tn_free(g->scratch);
    tn_free(g);
}

tn_generator_stats tn_generator_get_stats(const tn_generator *g) {
    return g->stats;
}

/* ---- admission ---- */

static size_t pages_for(size_t n_tokens) {
    return (n_tokens + TN_KV_PAGE_TOKENS - 1) / TN_KV_PAGE_TOKENS;
}

/* Tokens a sample can write: the last one never enters the cache. */
static size_t room(const tn_generator *g, size_t n_prompt, uint32_t max_tokens) {
    size_t left = g->opts.context - n_prompt;
    return max_tokens < left ? max_tokens : left;
}

/* Pages of its own that a sample may come to need: all but the whole pages of the prompt. */
static size_t own_pages(const tn_generator *g, const group *p) {
    size_t longest = p->n_prompt + room(g, p->n_prompt, p->max_tokens);
    return pages_for(longest) - p->n_prompt / TN_KV_PAGE_TOKENS;
}

static bool fits(const tn_generator *g, size_t n_pages) {
    return !g->n_pages_max || g->n_reserved + n_pages <= g->n_pages_max;
}

tern_status tn_generator_add(tn_generator *g, const tn_gen_request *r, tern_error *err) {
    if (r->n_prompt == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "the prompt is empty: give at least one token");
    if (r->n_samples == 0 || r->max_tokens == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "n_samples and max_tokens must be at least 1");
    if (!(r->sample.temperature >= 0) || !(r->sample.top_p > 0) || !(r->sample.min_p >= 0))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "temperature and min-p must not be negative, top-p must be positive");
    if (r->n_prompt >= g->opts.context)
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "a prompt of %zu tokens leaves no room in the context of %u", r->n_prompt,
                         g->opts.context);
    tern_status status = tn_lm_check_ids(g->config, r->prompt, r->n_prompt, err);
    if (status != TERN_OK) return status;
    group *p = tn_calloc(1, sizeof *p);
    if (p) p->prompt = tn_alloc(r->n_prompt * sizeof *p->prompt);
    if (!p || !p->prompt) {
        tn_free(p);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a prompt");
    }
    memcpy(p->prompt, r->prompt, r->n_prompt * sizeof *p->prompt);
    p->n_prompt = r->n_prompt;
    p->first_id = r->first_id;
    p->seed = r->seed;
    p->n_samples = r->n_samples;
    p->max_tokens = r->max_tokens;
    p->sample = r->sample;
    p->ignore_stop = r->ignore_stop;
    size_t need = pages_for(p->n_prompt) + own_pages(g, p);
    if (g->n_pages_max && need > g->n_pages_max) {
        group_free(g, p);
        return tern_fail(err, TERN_ERR_LIMIT, 0,
                         "%zu prompt tokens and %u new ones need %zu pages of the cache, it has "
                         "%zu: allow more memory or fewer tokens",
                         r->n_prompt, r->max_tokens, need, g->n_pages_max);
    }
    *g->tail = p;
    g->tail = &p->next;
    return TERN_OK;
}

/* In order of arrival, so that a long prompt is not overtaken for ever. */
static void admit(tn_generator *g) {
    for (group *p = g->first; p; p = p->next) {
        if (p->read && p->n_born < p->n_samples) return; /* its samples come first */
        if (p->admitted) continue;
        size_t need = pages_for(p->n_prompt);
        if (!fits(g, need + own_pages(g, p))) return;
        p->admitted = true;
        p->n_reserved = need;
        g->n_reserved += need;
    }
}

/* ---- sequences ---- */

static void remove_group(tn_generator *g, group *gone) {
    group **at = &g->first;
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    if (g->tail == &gone->next) g->tail = at;
    g->n_reserved -= gone->n_reserved;
    group_free(g, gone);
}

static void end_sequence(tn_generator *g, size_t i, tn_gen_end why) {
    sequence *s = &g->seqs[i];
    uint64_t id = s->id;
    tn_kv_seq_deinit(tn_lm_engine_cache(g->engine), &s->kv);
    g->n_reserved -= s->n_reserved;
    s->group->n_living--;
    s->n_left = 0; /* swept out after the step */
    if (g->opts.done) g->opts.done(g->opts.ud, id, why);
}

static void sweep(tn_generator *g) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_seqs; i++)
        if (g->seqs[i].n_left > 0) g->seqs[n++] = g->seqs[i];
    g->n_seqs = n;
}

static bool is_stop(const tn_lm_config *c, int32_t token) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == token) return true;
    return false;
}

/* Tell the caller of the token just sampled; the sequence may end with it. */
static void deliver(tn_generator *g, size_t i) {
    sequence *s = &g->seqs[i];
    bool stop = !s->ignore_stop && is_stop(g->config, s->last);
    bool wanted = !g->opts.token || g->opts.token(g->opts.ud, s->id, s->last, s->log_prob);
    g->stats.n_new_tokens++;
    s->n_left--;
    if (stop)
        end_sequence(g, i, TN_GEN_STOP);
    else if (!wanted)
        end_sequence(g, i, TN_GEN_CALLER);
    else if (s->n_left == 0)
        end_sequence(g, i, TN_GEN_LENGTH);
}

typedef struct sample_job {
    tn_generator *g;
    const float *logits;
} sample_job;

static void sample_chunk(void *arg, size_t begin, size_t end, int worker) {
    sample_job *j = arg;
    size_t vocab = j->g->config->vocab;
    float *scratch = j->g->scratch + (size_t)worker * 2 * vocab;
    for (size_t i = begin; i < end; i++) {
        sequence *s = &j->g->seqs[i];
        s->last =
            tn_sample(j->logits + i * vocab, vocab, &s->sample, &s->rng, scratch, &s->log_prob);
    }
}

/* Samples of groups that have been read, while there are places. */
static tern_status give_birth(tn_generator *g, tern_error *err) {
    for (group *p = g->first, *next; p; p = next) {
        next = p->next;
        size_t own = own_pages(g, p);
        while (p->read && p->n_born < p->n_samples && g->n_seqs < g->opts.max_seqs &&
               fits(g, own)) {
            sequence *s = &g->seqs[g->n_seqs];
            uint64_t id = p->first_id + p->n_born;
            *s = (sequence){.group = p,
                            .id = id,
                            .rng = tn_rng_init(p->seed, id),
                            .sample = p->sample,
                            .n_left = room(g, p->n_prompt, p->max_tokens),
                            .n_reserved = own,
                            .ignore_stop = p->ignore_stop};
            tern_status status =
                tn_kv_seq_fork(tn_lm_engine_cache(g->engine), &p->trunk, &s->kv, err);
            if (status != TERN_OK) return status;
            g->n_reserved += own;
            g->n_seqs++;
            p->n_born++;
            p->n_living++;
            s->last = tn_sample(p->logits, g->config->vocab, &s->sample, &s->rng, g->scratch,
                                &s->log_prob);
            deliver(g, g->n_seqs - 1);
            sweep(g);
        }
        if (p->n_born < p->n_samples) continue;
        tn_kv_seq_deinit(tn_lm_engine_cache(g->engine), &p->trunk); /* its pages live on in them */
        if (p->n_living == 0) remove_group(g, p);
    }
    return TERN_OK;
}

/* ---- a step ---- */

static size_t chunk_of(const tn_generator *g, const group *p, size_t room_left) {
    size_t rest = p->n_prompt - p->trunk.n_tokens;
    if (!g->opts.deterministic) return rest < room_left ? rest : room_left;
    size_t chunk = rest < FIXED_CHUNK ? rest : FIXED_CHUNK;
    return chunk <= room_left ? chunk : 0;
}

/* Rows: the last token of each sequence, then chunks of prompts. Returns the number of rows;
 * results are wanted of the first and of the ends of prompts. */
static size_t plan(tn_generator *g, size_t *n_out) {
    size_t row = 0, n_spans = 0;
    *n_out = g->n_readers = 0;
    for (size_t i = 0; i < g->n_seqs; i++) {
        g->spans[n_spans++] = (tn_lm_span){.seq = &g->seqs[i].kv, .n_rows = 1};
        g->out_rows[(*n_out)++] = (uint32_t)row;
        g->tokens[row++] = g->seqs[i].last;
    }
    for (group *p = g->first; p && row < g->opts.step_tokens; p = p->next) {
        if (!p->admitted || p->read) continue;
        size_t n = chunk_of(g, p, g->opts.step_tokens - row);
        if (n == 0) break;
        memcpy(g->tokens + row, p->prompt + p->trunk.n_tokens, n * sizeof *g->tokens);
        g->spans[n_spans++] = (tn_lm_span){.seq = &p->trunk, .n_rows = n};
        g->readers[g->n_readers++] = p;
        row += n;
        if (p->trunk.n_tokens + n == p->n_prompt) g->out_rows[(*n_out)++] = (uint32_t)row - 1;
        g->stats.n_prompt_tokens += n;
    }
    return row;
}

static tern_status run(tn_generator *g, size_t n_out, tern_error *err) {
    size_t need = n_out * g->config->vocab;
    if (need > g->logits_cap) {
        tn_free(g->logits);
        g->logits_cap = 0;
        g->logits = tn_alloc(need * sizeof *g->logits);
        if (!g->logits) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for logits");
        g->logits_cap = need;
    }
    tn_lm_step step = {.spans = g->spans,
                       .n_spans = g->n_seqs + g->n_readers,
                       .tokens = g->tokens,
                       .out_rows = g->out_rows,
                       .n_out = n_out,
                       .logits = n_out ? g->logits : NULL};
    return tn_lm_engine_step(g->engine, &step, err);
}

/* Keep the logits at the end of each prompt that is now read. */
static tern_status finish_reading(tn_generator *g, tern_error *err) {
    size_t out = g->n_seqs, vocab = g->config->vocab;
    for (size_t i = 0; i < g->n_readers; i++) {
        group *p = g->readers[i];
        if (p->trunk.n_tokens < p->n_prompt) continue;
        p->logits = tn_alloc(vocab * sizeof *p->logits);
        if (!p->logits) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for logits");
        memcpy(p->logits, g->logits + out++ * vocab, vocab * sizeof *p->logits);
        p->read = true;
    }
    return TERN_OK;
}

tern_status tn_generator_step(tn_generator *g, bool *busy, tern_error *err) {
    *busy = false;
    admit(g);
    size_t n_out, n_rows = plan(g, &n_out);
    tern_status status = TERN_OK;
    if (n_rows > 0) {
        status = run(g, n_out, err);
        if (status == TERN_OK) status = finish_reading(g, err);
        if (status != TERN_OK) return status;
        sample_job job = {.g = g, .logits = g->logits};
        tn_pool_for(tn_lm_engine_pool(g->engine), g->n_seqs, 1, sample_chunk, &job);
        size_t n = g->n_seqs;
        for (size_t i = 0; i < n; i++) deliver(g, i);
        sweep(g);
        g->stats.n_steps++;
    }
    status = give_birth(g, err);
    const tn_kv_cache *kv = tn_lm_engine_cache(g->engine);
    if (kv->n_pages > g->stats.n_pages_peak) {
        g->stats.n_pages_peak = kv->n_pages;
        g->stats.cache_bytes_peak = kv->n_pages * kv->page_bytes;
    }
    assert(g->first || g->n_seqs || g->n_reserved == 0);
    *busy = g->first || g->n_seqs;
    return status;
}
