/* complete.c - see tern/generate.h: text around the generator.
 * Each sample has a detokenizer and its text so far; what may still become a stop text waits. */
#include "core/lm/generate.h"
#include "core/lm/open.h"
#include "core/lm/stops.h"
#include "tern/generate.h"
#include <string.h>

#include "core/base/mem.h"

typedef struct sample {
    tn_buf text;
    size_t n_sent; /* bytes that the caller has seen */
    tern_detok *detok;
    int32_t *tokens;
    float *log_probs;
    size_t n, cap, cap_log_probs;
    bool stopped;
} sample;

struct tern_completions {
    tern_completion *items;
    sample *samples; /* [n] behind the items */
    size_t n;
    uint64_t n_prompt_tokens, cache_bytes;
};

typedef struct job {
    const tern_model *m;
    const tern_generate_opts *opts;
    tern_completions *out;
    tn_stops stops;
    tern_status status; /* of the first callback that failed */
    tern_error *err;
} job;

tern_generate_opts tern_generate_defaults(const tern_model *m) {
    const tn_lm_suggestion *s = &m->suggestion;
    return (tern_generate_opts){.n_samples = 1,
                                .max_tokens = 256,
                                .temperature = s->sample ? s->temperature : 0,
                                .top_k = s->sample ? s->top_k : 0,
                                .top_p = s->sample ? s->top_p : 1,
                                .min_p = s->sample ? s->min_p : 0,
                                .max_parallel = 256};
}

const char *tern_finish_name(tern_finish finish) {
    static const char *const names[] = {"stop", "length", "caller"};
    return names[finish];
}

size_t tern_completions_n(const tern_completions *c) {
    return c->n;
}
const tern_completion *tern_completions_at(const tern_completions *c, size_t i) {
    return &c->items[i];
}
uint64_t tern_completions_prompt_tokens(const tern_completions *c) {
    return c->n_prompt_tokens;
}
uint64_t tern_completions_cache_bytes(const tern_completions *c) {
    return c->cache_bytes;
}

void tern_completions_free(tern_completions *c) {
    if (!c) return;
    for (size_t i = 0; c->samples && i < c->n; i++) {
        tn_buf_deinit(&c->samples[i].text);
        tern_detok_free(c->samples[i].detok);
        tn_free(c->samples[i].tokens);
        tn_free(c->samples[i].log_probs);
    }
    tn_free(c->samples);
    tn_free(c->items);
    tn_free(c);
}

/* ---- callbacks of the generator ---- */

/* Let through what no stop text can take back. false: the sample ends. */
static bool send(job *j, uint64_t id, bool final) {
    sample *s = &j->out->samples[id];
    bool stopped, wanted = true;
    if (s->stopped) return false;
    size_t end =
        tn_stops_scan(&j->stops, tn_buf_cstr(&s->text), s->text.len, s->n_sent, final, &stopped);
    if (end > s->n_sent && j->opts->text)
        wanted = j->opts->text(j->opts->ud, id / j->opts->n_samples, id % j->opts->n_samples,
                               s->text.data + s->n_sent, end - s->n_sent);
    s->n_sent = end;
    s->stopped = stopped;
    return wanted && !stopped;
}

static bool is_stop_id(const tn_lm_config *c, int32_t token) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == token) return true;
    return false;
}

static bool on_token(void *ud, uint64_t id, int32_t token, float log_prob) {
    job *j = ud;
    sample *s = &j->out->samples[id];
    const char *text;
    size_t len;
    if (j->status != TERN_OK) return false;
    if (TN_GROW(s->tokens, s->cap, s->n + 1) != 0 ||
        TN_GROW(s->log_probs, s->cap_log_probs, s->n + 1) != 0) {
        j->status = tern_fail(j->err, TERN_ERR_NOMEM, 0, "out of memory for tokens");
        return false;
    }
    s->tokens[s->n] = token;
    s->log_probs[s->n++] = log_prob;
    if (!s->detok || (!j->opts->ignore_stop_ids && is_stop_id(&j->m->lm->config, token)))
        return true;
    /* An id without a piece (a vocabulary padded to a round size) has no text. */
    tern_error why;
    tern_status status = tern_detok_add(s->detok, token, &text, &len, &why);
    if (status == TERN_OK) tn_buf_add(&s->text, text, len);
    if (status == TERN_ERR_ARG) return true;
    if (status == TERN_OK) status = tn_buf_status(&s->text, &why);
    if (status != TERN_OK) {
        j->status = tern_fail(j->err, status, 0, "%s", why.text);
        return false;
    }
    return send(j, id, false);
}

static void on_done(void *ud, uint64_t id, tn_gen_end why) {
    job *j = ud;
    sample *s = &j->out->samples[id];
    tern_completion *c = &j->out->items[id];
    const char *text;
    size_t len;
    if (s->detok && !s->stopped && why != TN_GEN_CALLER) {
        if (tern_detok_end(s->detok, &text, &len, NULL) == TERN_OK) tn_buf_add(&s->text, text, len);
        send(j, id, true);
    }
    tern_detok_free(s->detok);
    s->detok = NULL;
    c->finish = s->stopped || why == TN_GEN_STOP ? TERN_FINISH_STOP
                : why == TN_GEN_LENGTH           ? TERN_FINISH_LENGTH
                                                 : TERN_FINISH_CALLER;
}

/* ---- prompts ---- */

static tern_status add_tokens(job *j, tn_generator *g, size_t p, const int32_t *tokens, size_t n,
                              tern_error *err) {
    const tern_generate_opts *o = j->opts;
    int32_t bos = j->m->lm->config.bos_id;
    tern_error why;
    if (n == 0 && bos >= 0) {
        tokens = &bos;
        n = 1;
    }
    tn_gen_request r = {.prompt = tokens,
                        .n_prompt = n,
                        .n_samples = o->n_samples,
                        .first_id = (uint64_t)p * o->n_samples,
                        .seed = o->seed,
                        .sample = {.temperature = o->temperature,
                                   .top_k = o->top_k,
                                   .top_p = o->top_p,
                                   .min_p = o->min_p},
                        .max_tokens = o->max_tokens,
                        .ignore_stop = o->ignore_stop_ids};
    tern_status status = tn_generator_add(g, &r, &why);
    if (status != TERN_OK) return tern_fail(err, status, 0, "prompt %zu: %s", p, why.text);
    for (size_t s = 0; s < o->n_samples; s++)
        j->out->items[p * o->n_samples + s].n_prompt_tokens = n;
    return TERN_OK;
}

static tern_status add_prompt(job *j, tn_generator *g, size_t p, const tern_prompt *prompt,
                              tern_error *err) {
    if (prompt->tokens) return add_tokens(j, g, p, prompt->tokens, prompt->n_tokens, err);
    if (!j->m->tokenizer)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the model's folder has no tokenizer: give prompts as token ids");
    tern_tokens tokens = {0};
    tern_status status =
        tern_tokenizer_encode(j->m->tokenizer, prompt->text, prompt->len, NULL, &tokens, err);
    if (status == TERN_OK) status = add_tokens(j, g, p, tokens.ids, tokens.n, err);
    tern_tokens_deinit(&tokens);
    return status;
}

static tern_status run(tn_generator *g, job *j, const tern_host *host, tern_error *err) {
    tern_status status = TERN_OK;
    for (bool busy = true; busy && status == TERN_OK;) {
        if (host && host->cancelled && host->cancelled(host->ud))
            return tern_fail(err, TERN_ERR_CANCELLED, 0, "interrupted while generating");
        status = tn_generator_step(g, &busy, err);
        if (status == TERN_OK) status = j->status;
    }
    return status;
}

static tern_status prepare(job *j, size_t n, tern_error *err) {
    tern_completions *c = j->out;
    c->n = n * j->opts->n_samples;
    c->items = tn_calloc(c->n + 1, sizeof *c->items);
    c->samples = tn_calloc(c->n + 1, sizeof *c->samples);
    if (!c->items || !c->samples)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu samples", c->n);
    tern_status status = TERN_OK;
    for (size_t i = 0; i < c->n && j->m->tokenizer && status == TERN_OK; i++)
        status = tern_detok_new(j->m->tokenizer, true, &c->samples[i].detok, err);
    return status;
}

static tern_status check_opts(const tern_generate_opts *o, tern_error *err) {
    if (o->n_samples < 1 || o->max_tokens < 1 || o->max_parallel < 1)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "n_samples, max_tokens and max_parallel must be at least 1");
    for (size_t i = 0; i < o->n_stops; i++)
        if (!o->stops[i][0]) return tern_fail(err, TERN_ERR_ARG, 0, "stop text %zu is empty", i);
    return TERN_OK;
}

tern_status tern_generate(const tern_model *m, const tern_prompt *prompts, size_t n,
                          const tern_generate_opts *opts, const tern_host *host,
                          tern_completions **out, tern_error *err) {
    *out = NULL;
    tern_status status = check_opts(opts, err);
    if (status != TERN_OK) return status;
    tn_generator *g = NULL;
    tern_completions *c = tn_calloc(1, sizeof *c);
    if (!c) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for completions");
    job j = {.m = m,
             .opts = opts,
             .out = c,
             .stops = {.texts = opts->stops, .n = opts->n_stops},
             .err = err};
    tn_generator_opts o = tn_generator_defaults();
    o.cache_type = opts->cache_f32 ? TN_F32 : TN_BF16;
    o.cache_bytes = (size_t)opts->cache_bytes;
    o.max_seqs = opts->max_parallel;
    o.deterministic = opts->deterministic;
    o.token = on_token;
    o.done = on_done;
    o.ud = &j;
    status = prepare(&j, n, err);
    if (status == TERN_OK) status = tn_generator_new(m->lm, m->pool, &o, &g, err);
    for (size_t p = 0; p < n && status == TERN_OK; p++)
        status = add_prompt(&j, g, p, &prompts[p], err);
    if (status == TERN_OK) status = run(g, &j, host, err);
    for (size_t i = 0; i < c->n && status == TERN_OK; i++) {
        sample *s = &c->samples[i];
        c->items[i].text = tn_buf_cstr(&s->text);
        c->items[i].len = s->n_sent;
        if (s->text.data) s->text.data[s->n_sent] = '\0';
        c->items[i].tokens = s->tokens;
        c->items[i].log_probs = s->log_probs;
        c->items[i].n_tokens = s->n;
    }
    if (g) {
        c->n_prompt_tokens = tn_generator_get_stats(g).n_prompt_tokens;
        c->cache_bytes = tn_generator_get_stats(g).cache_bytes_peak;
    }
    tn_generator_free(g);
    if (status != TERN_OK)
        tern_completions_free(c);
    else
        *out = c;
    return status;
}
