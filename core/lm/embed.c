/* embed.c - see tern/encode.h: texts in batches of tokens through the encoder (or a decoder whose
 * folder says how to pool), pairs through a sequence classifier. */
#include "core/base/buf.h"
#include "core/lm/decoder.h"
#include "core/lm/encoder.h"
#include "core/lm/open.h"
#include "tern/encode.h"

#include "core/base/mem.h"

/* Tokens of one run: enough rows for the products, little enough memory for a laptop. */
enum { BATCH_TOKENS = 4096 };

typedef struct batch {
    const tern_model *m;
    const tern_host *host;
    tern_error *err;
    tn_lm_encoder *encoder;
    tn_lm_engine *engine; /* of a decoder that embeds */
    tn_gemm *gemm;
    uint32_t max_tokens; /* of one text */
    /* the texts that wait for a run */
    int32_t *tokens, *types, *begin;
    size_t n_tokens, n_seqs, cap_tokens, cap_types, cap_begin;
    float *states, *pooled;
    size_t n_done, n_total; /* texts */
    const char *what;
} batch;

static tern_status no_memory(const batch *b) {
    return tern_fail(b->err, TERN_ERR_NOMEM, 0, "out of memory for a batch of texts");
}

static tern_status batch_init(batch *b) {
    const tn_lm_config *c = &b->m->lm->config;
    b->max_tokens = tn_lm_context(c);
    if (b->m->sentence.max_tokens && b->m->sentence.max_tokens < b->max_tokens)
        b->max_tokens = b->m->sentence.max_tokens;
    if (!b->m->tokenizer)
        return tern_fail(b->err, TERN_ERR_ARG, 0,
                         "the model's folder has no tokenizer, so it cannot read text");
    tern_status status = tn_gemm_new(b->m->pool, &b->gemm, b->err);
    tn_lm_engine_opts opts = {.cache_type = TN_F32};
    if (status == TERN_OK)
        status = c->family == TN_LM_ENCODER
                     ? tn_lm_encoder_new(b->m->lm, b->m->pool, &b->encoder, b->err)
                     : tn_lm_engine_new(b->m->lm, b->m->pool, &opts, &b->engine, b->err);
    return status;
}

static void batch_deinit(batch *b) {
    tn_lm_encoder_free(b->encoder);
    tn_lm_engine_free(b->engine);
    tn_gemm_free(b->gemm);
    tn_free(b->tokens);
    tn_free(b->types);
    tn_free(b->begin);
    tn_free(b->states);
    tn_free(b->pooled);
}

/* Open a text of at most n tokens; fill it with put(). */
static tern_status begin_text(batch *b, size_t n) {
    if (TN_GROW(b->begin, b->cap_begin, b->n_seqs + 2) != 0 ||
        TN_GROW(b->tokens, b->cap_tokens, b->n_tokens + n) != 0 ||
        TN_GROW(b->types, b->cap_types, b->n_tokens + n) != 0)
        return no_memory(b);
    b->begin[b->n_seqs++] = (int32_t)b->n_tokens;
    return TERN_OK;
}

static void put(batch *b, const int32_t *ids, size_t n, int32_t type) {
    for (size_t i = 0; i < n; i++) {
        b->tokens[b->n_tokens] = ids[i];
        b->types[b->n_tokens++] = type;
    }
    b->begin[b->n_seqs] = (int32_t)b->n_tokens;
}

static tern_status report(batch *b) {
    const tern_host *h = b->host;
    b->n_done += b->n_seqs;
    b->n_seqs = b->n_tokens = 0;
    if (h && h->progress) {
        tern_progress p = {
            .what = b->what, .unit = "texts", .done = b->n_done, .total = b->n_total};
        h->progress(h->ud, &p);
    }
    if (h && h->cancelled && h->cancelled(h->ud))
        return tern_fail(b->err, TERN_ERR_CANCELLED, 0, "interrupted");
    return TERN_OK;
}

/* ---- embedding ---- */

static tern_status decoder_states(batch *b) {
    tn_kv_seq *seqs = tn_calloc(b->n_seqs, sizeof *seqs);
    tn_lm_span *spans = tn_calloc(b->n_seqs, sizeof *spans);
    uint32_t *rows = tn_calloc(b->n_tokens, sizeof *rows);
    tern_status status = seqs && spans && rows ? TERN_OK : no_memory(b);
    if (status == TERN_OK) {
        for (size_t i = 0; i < b->n_tokens; i++) rows[i] = (uint32_t)i;
        for (size_t s = 0; s < b->n_seqs; s++)
            spans[s] =
                (tn_lm_span){.seq = &seqs[s], .n_rows = (size_t)(b->begin[s + 1] - b->begin[s])};
        tn_lm_step step = {.spans = spans,
                           .n_spans = b->n_seqs,
                           .tokens = b->tokens,
                           .out_rows = rows,
                           .n_out = b->n_tokens,
                           .hidden = b->states};
        status = tn_lm_engine_step(b->engine, &step, b->err);
    }
    for (size_t s = 0; seqs && s < b->n_seqs; s++)
        tn_kv_seq_deinit(tn_lm_engine_cache(b->engine), &seqs[s]);
    tn_free(seqs);
    tn_free(spans);
    tn_free(rows);
    return status;
}

static tn_lm_texts texts_of(const batch *b) {
    return (tn_lm_texts){
        .tokens = b->tokens, .types = b->types, .seq_begin = b->begin, .n_seqs = b->n_seqs};
}

/* Embed what waits into out[n_seqs][dim]. */
static tern_status flush_embed(batch *b, float *out) {
    size_t h = b->m->lm->config.hidden;
    if (b->n_seqs == 0) return TERN_OK;
    tn_free(b->states);
    tn_free(b->pooled);
    b->states = tn_alloc(b->n_tokens * h * sizeof(float));
    b->pooled = tn_alloc(b->n_seqs * h * sizeof(float));
    if (!b->states || !b->pooled) return no_memory(b);
    tn_lm_texts texts = texts_of(b);
    tern_status status = b->encoder ? tn_lm_encoder_run(b->encoder, &texts, b->states, NULL, b->err)
                                    : decoder_states(b);
    if (status != TERN_OK) return status;
    for (size_t s = 0; s < b->n_seqs; s++)
        tn_sentence_pool(&b->m->sentence, b->states + (size_t)b->begin[s] * h,
                         (size_t)(b->begin[s + 1] - b->begin[s]), h, b->pooled + s * h);
    status = tn_sentence_finish(&b->m->sentence, b->gemm, b->pooled, b->n_seqs, h, out, b->err);
    return status == TERN_OK ? report(b) : status;
}

/* The prompt's text; lists the known ones if there is none of that name. */
static tern_status find_prompt(const tern_model *m, const char *name, const char **text,
                               tern_error *err) {
    const tn_sentence *s = &m->sentence;
    *text = "";
    if (!name) name = s->default_prompt;
    if (!name || !*name) return TERN_OK;
    *text = tn_sentence_find_prompt(s, name);
    if (*text) return TERN_OK;
    tn_buf known = {0};
    for (size_t i = 0; i < s->n_prompts; i++)
        tn_buf_printf(&known, "%s%s", i ? ", " : "", s->prompts[i].name);
    tern_status status = tern_fail(err, TERN_ERR_ARG, 0, "no prompt '%.60s'; the model has: %.300s",
                                   name, known.len ? tn_buf_cstr(&known) : "none");
    tn_buf_deinit(&known);
    return status;
}

/* Add a text, cut to the longest the model reads; a special token at its end stays the last. */
static tern_status add_text(batch *b, const char *prompt, const char *text, size_t len,
                            tn_buf *joined, tern_tokens *tokens) {
    if (*prompt) {
        tn_buf_reset(joined);
        tn_buf_str(joined, prompt);
        tn_buf_add(joined, text, len);
        tern_status status = tn_buf_status(joined, b->err);
        if (status != TERN_OK) return status;
        text = joined->data;
        len = joined->len;
    }
    tern_encode_opts opts = tern_encode_defaults();
    opts.parse_special = false; /* texts are strangers' */
    tern_status status = tern_tokenizer_encode(b->m->tokenizer, text, len, &opts, tokens, b->err);
    if (status != TERN_OK) return status;
    size_t n = tokens->n;
    if (n == 0)
        return tern_fail(b->err, TERN_ERR_ARG, 0, "text %zu has no tokens", b->n_done + b->n_seqs);
    if (n > b->max_tokens) {
        int32_t last = tokens->ids[n - 1];
        n = b->max_tokens;
        if (tern_tokenizer_is_special(b->m->tokenizer, last)) tokens->ids[n - 1] = last;
    }
    status = begin_text(b, n);
    if (status == TERN_OK) put(b, tokens->ids, n, 0);
    return status;
}

tern_status tern_model_embed(const tern_model *m, const char *const *texts, const size_t *lens,
                             size_t n, const char *prompt, float *out, const tern_host *host,
                             tern_error *err) {
    batch b = {.m = m, .host = host, .err = err, .n_total = n, .what = "embedding"};
    tern_tokens tokens = {0};
    tn_buf joined = {0};
    const char *prefix;
    if (m->lm->config.family == TN_LM_DECODER && !m->sentence.present)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "this %s model does not say how to embed: its folder has no modules.json",
                         tn_lm_arch_name(m->lm->config.arch));
    size_t dim = tn_sentence_dim(&m->sentence, m->lm->config.hidden);
    tern_status status = find_prompt(m, prompt, &prefix, err);
    if (status == TERN_OK) status = batch_init(&b);
    for (size_t i = 0; i < n && status == TERN_OK; i++) {
        status = add_text(&b, prefix, texts[i], lens[i], &joined, &tokens);
        if (status == TERN_OK && b.n_tokens >= BATCH_TOKENS)
            status = flush_embed(&b, out + b.n_done * dim);
    }
    if (status == TERN_OK) status = flush_embed(&b, out + b.n_done * dim);
    tern_tokens_deinit(&tokens);
    tn_buf_deinit(&joined);
    batch_deinit(&b);
    return status;
}

/* ---- pairs ---- */

/* The special tokens between which two texts stand. */
typedef struct frame {
    int32_t first, between[2], last;
    size_t n_between;
    int32_t second_type;
} frame;

static tern_status find_frame(const tern_model *m, frame *f, tern_error *err) {
    const tern_tokenizer *t = m->tokenizer;
    const tn_lm_config *c = &m->lm->config;
    bool bert = c->arch == TN_LM_BERT;
    f->first = tern_tokenizer_special(t, TERN_SPECIAL_CLS);
    f->last = tern_tokenizer_special(t, TERN_SPECIAL_SEP);
    if (f->first < 0) f->first = tern_tokenizer_special(t, TERN_SPECIAL_BOS);
    if (f->last < 0) f->last = tern_tokenizer_special(t, TERN_SPECIAL_EOS);
    f->between[0] = f->between[1] = f->last;
    f->n_between = bert ? 1 : 2;
    f->second_type = bert && c->n_types > 1;
    if (f->first >= 0 && f->last >= 0) return TERN_OK;
    return tern_fail(err, TERN_ERR_ARG, 0,
                     "the tokenizer names no tokens to stand around and between two texts");
}

static tern_status add_pair(batch *b, const frame *f, const tern_pair *p, tern_tokens *x,
                            tern_tokens *y) {
    tern_encode_opts opts = {.add_special = false};
    tern_status status = tern_tokenizer_encode(b->m->tokenizer, p->a, p->a_len, &opts, x, b->err);
    if (status == TERN_OK)
        status = tern_tokenizer_encode(b->m->tokenizer, p->b, p->b_len, &opts, y, b->err);
    if (status != TERN_OK) return status;
    size_t n_x = x->n, n_y = y->n, n_frame = 2 + f->n_between;
    size_t n_max = b->max_tokens > n_frame ? b->max_tokens - n_frame : 0;
    if (n_x + n_y > n_max) { /* cut the longer one down to the other, then both */
        size_t half = n_max / 2;
        if (n_y <= half)
            n_x = n_max - n_y;
        else if (n_x <= n_max - half)
            n_y = n_max - n_x;
        else {
            n_x = n_x > n_y ? n_max - half : half;
            n_y = n_max - n_x;
        }
    }
    status = begin_text(b, n_x + n_y + n_frame);
    if (status != TERN_OK) return status;
    put(b, &f->first, 1, 0);
    put(b, x->ids, n_x, 0);
    put(b, f->between, f->n_between, 0);
    put(b, y->ids, n_y, f->second_type);
    put(b, &f->last, 1, f->second_type);
    return TERN_OK;
}

static tern_status flush_score(batch *b, float *out) {
    if (b->n_seqs == 0) return TERN_OK;
    tn_lm_texts texts = texts_of(b);
    tern_status status = tn_lm_encoder_run(b->encoder, &texts, NULL, out, b->err);
    return status == TERN_OK ? report(b) : status;
}

tern_status tern_model_score(const tern_model *m, const tern_pair *pairs, size_t n, float *out,
                             const tern_host *host, tern_error *err) {
    const tn_lm_config *c = &m->lm->config;
    batch b = {.m = m, .host = host, .err = err, .n_total = n, .what = "scoring"};
    tern_tokens x = {0}, y = {0};
    frame f = {0};
    if (c->family != TN_LM_ENCODER || c->head != TN_LM_HEAD_SEQUENCE)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "this %s model does not score pairs: it has no sequence classifier",
                         tn_lm_arch_name(c->arch));
    tern_status status = batch_init(&b);
    if (status == TERN_OK) status = find_frame(m, &f, err);
    for (size_t i = 0; i < n && status == TERN_OK; i++) {
        status = add_pair(&b, &f, &pairs[i], &x, &y);
        if (status == TERN_OK && b.n_tokens >= BATCH_TOKENS)
            status = flush_score(&b, out + b.n_done * c->n_labels);
    }
    if (status == TERN_OK) status = flush_score(&b, out + b.n_done * c->n_labels);
    tern_tokens_deinit(&x);
    tern_tokens_deinit(&y);
    batch_deinit(&b);
    return status;
}
