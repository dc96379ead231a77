/* verify.c - see verify.h. Padding is dropped, the tokens of all rows run packed, and a row of the
 * reference is compared with the packed row that came of it. */
#include "core/lm/verify.h"
#include "core/lm/decoder.h"
#include "core/lm/encoder.h"
#include <math.h>

#include "core/base/mem.h"

typedef struct verifier {
    const tn_lm *lm;
    const tern_st *ref;
    tn_pool *pool;
    tn_dtype cache_type;
    double tolerance;
    tn_lm_verdict *out;
    tern_error *err;
    size_t n_rows, width;                /* B, T */
    int32_t *tokens, *types, *positions; /* packed */
    int32_t *begin;                      /* [B + 1] */
    uint32_t *place;                     /* [packed] row of [B T] */
    float *hidden, *logits;
    tn_arena arena;
} verifier;

static tern_status no_memory(const verifier *v) {
    return tern_fail(v->err, TERN_ERR_NOMEM, 0, "out of memory while verifying");
}

/* A tensor of the reference as f32, NULL if it is missing. The shape has n_dims dims; -1: any. */
static tern_status read(verifier *v, const char *name, int n_dims, const int64_t *dims, float **out,
                        size_t *n) {
    const tern_st_tensor *t = tern_st_find(v->ref, name);
    *out = NULL;
    if (!t) return TERN_OK;
    bool same = t->n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++) same = dims[i] < 0 || t->dims[i] == dims[i];
    if (!same)
        return tern_fail(v->err, TERN_ERR_SHAPE, 0,
                         "reference: '%s' has not the shape that this model gives", name);
    *n = (size_t)tern_st_count(t->n_dims, t->dims);
    *out = tn_arena_alloc(&v->arena, (*n ? *n : 1) * sizeof **out);
    return *out ? tern_st_read_f32(t, *out, *n, v->err) : no_memory(v);
}

/* ---- the packed input ---- */

/* Ids came as f32, exact below 2^24; what is no id becomes -1 and is refused by the model. */
static int32_t as_id(float x) {
    return x >= 0 && x < TN_LM_TOKENS_MAX ? (int32_t)x : -1;
}

static tern_status pack(verifier *v) {
    const tn_lm_config *c = &v->lm->config;
    float *ids, *mask, *types;
    size_t n, m;
    tern_status status = read(v, "input_ids", 2, (const int64_t[]){-1, -1}, &ids, &n);
    if (status == TERN_OK && (!ids || !n))
        return tern_fail(v->err, TERN_ERR_NOT_FOUND, 0, "reference: no 'input_ids'");
    if (status != TERN_OK) return status;
    const tern_st_tensor *t = tern_st_find(v->ref, "input_ids");
    v->n_rows = (size_t)t->dims[0];
    v->width = (size_t)t->dims[1];
    status = read(v, "attention_mask", 2, t->dims, &mask, &m);
    if (status == TERN_OK) status = read(v, "token_type_ids", 2, t->dims, &types, &m);
    if (status != TERN_OK) return status;
    v->tokens = tn_arena_calloc(&v->arena, n, sizeof(int32_t));
    v->positions = tn_arena_calloc(&v->arena, n, sizeof(int32_t));
    v->types = tn_arena_calloc(&v->arena, n, sizeof(int32_t));
    v->place = tn_arena_calloc(&v->arena, n, sizeof(uint32_t));
    v->begin = tn_arena_calloc(&v->arena, v->n_rows + 1, sizeof(int32_t));
    if (!v->tokens || !v->positions || !v->types || !v->place || !v->begin) return no_memory(v);
    int32_t k = 0;
    for (size_t b = 0; b < v->n_rows; b++) {
        int32_t position =
            (int32_t)c->position_offset; /* counts padding at the left as BERT does */
        for (size_t i = b * v->width; i < (b + 1) * v->width; i++) {
            bool pad = c->arch == TN_LM_ROBERTA && as_id(ids[i]) == c->pad_id;
            int32_t at = pad ? c->pad_id : position++;
            if (mask && mask[i] == 0) continue;
            v->tokens[k] = as_id(ids[i]);
            v->types[k] = types ? as_id(types[i]) : 0;
            v->positions[k] = at;
            v->place[k++] = (uint32_t)i;
        }
        v->begin[b + 1] = k;
        if (v->begin[b] == k)
            return tern_fail(v->err, TERN_ERR_FORMAT, 0, "reference: row %zu is all padding", b);
    }
    return TERN_OK;
}

/* ---- running ---- */

static tern_status run_encoder(verifier *v) {
    tn_lm_encoder *e = NULL;
    tern_status status = tn_lm_encoder_new(v->lm, v->pool, &e, v->err);
    tn_lm_texts texts = {.tokens = v->tokens,
                         .types = v->types,
                         .seq_begin = v->begin,
                         .n_seqs = v->n_rows,
                         .positions = v->positions};
    if (status == TERN_OK) status = tn_lm_encoder_run(e, &texts, v->hidden, v->logits, v->err);
    tn_lm_encoder_free(e);
    return status;
}

static tern_status run_rows(verifier *v, tn_lm_engine *e, tn_kv_seq *seqs) {
    size_t n = (size_t)v->begin[v->n_rows];
    tn_lm_span *spans = tn_arena_calloc(&v->arena, v->n_rows, sizeof *spans);
    uint32_t *rows = tn_arena_calloc(&v->arena, n, sizeof *rows);
    if (!spans || !rows) return no_memory(v);
    for (size_t i = 0; i < n; i++) rows[i] = (uint32_t)i;
    for (size_t b = 0; b < v->n_rows; b++)
        spans[b] = (tn_lm_span){.seq = &seqs[b], .n_rows = (size_t)(v->begin[b + 1] - v->begin[b])};
    bool last_only = v->lm->config.head == TN_LM_HEAD_SEQUENCE;
    tn_lm_step step = {.spans = spans,
                       .n_spans = v->n_rows,
                       .tokens = v->tokens,
                       .out_rows = rows,
                       .n_out = n,
                       .hidden = v->hidden,
                       .logits = last_only ? NULL : v->logits};
    tern_status status = tn_lm_engine_step(e, &step, v->err);
    if (status != TERN_OK || !last_only || !v->logits) return status;
    for (size_t b = 0; b < v->n_rows; b++) { /* again, for the last rows alone */
        tn_kv_seq_cut(tn_lm_engine_cache(e), &seqs[b], 0);
        rows[b] = (uint32_t)v->begin[b + 1] - 1;
    }
    step.n_out = v->n_rows;
    step.hidden = NULL;
    step.logits = v->logits;
    return tn_lm_engine_step(e, &step, v->err);
}

/* Is `token` the best? If not, is it behind by more than rounding explains: the tolerance times the
 * largest logit, and at least 1e-3, below which the reference itself may go either way? */
static void judge_greedy(verifier *v, const float *x, size_t n, size_t token) {
    size_t first = 0;
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] > x[first]) first = i;
        largest = fmaxf(largest, fabsf(x[i]));
    }
    double margin = fmax(1e-3, v->tolerance * (double)largest);
    v->out->n_greedy++;
    v->out->n_greedy_equal += first == token;
    v->out->n_greedy_wrong +=
        first != token && (token >= n || (double)(x[first] - x[token]) > margin);
}

/* Each token of the reference's continuation must be the best after those before it: the prompt in
 * one piece, then token by token. */
static tern_status run_greedy(verifier *v, tn_lm_engine *e, tn_kv_seq *seq) {
    float *ids, *prompt;
    size_t n = 0, one, vocab = v->lm->config.vocab;
    tern_status status = read(v, "greedy.ids", 1, (const int64_t[]){-1}, &ids, &n);
    if (status == TERN_OK)
        status = read(v, "greedy.prompt_len", 1, (const int64_t[]){1}, &prompt, &one);
    if (status != TERN_OK || !ids || !prompt || v->lm->config.head != TN_LM_HEAD_CAUSAL)
        return status;
    size_t n_prompt = prompt[0] > 0 && prompt[0] < 1e6f ? (size_t)prompt[0] : 0;
    if (n_prompt < 1 || n_prompt > n)
        return tern_fail(v->err, TERN_ERR_FORMAT, 0, "reference: greedy.prompt_len out of range");
    int32_t *tokens = tn_arena_calloc(&v->arena, n, sizeof *tokens);
    float *logits = tn_arena_alloc(&v->arena, vocab * sizeof *logits);
    if (!tokens || !logits) return no_memory(v);
    for (size_t i = 0; i < n; i++) tokens[i] = as_id(ids[i]);
    for (size_t at = 0; at + 1 < n && status == TERN_OK;) {
        size_t n_new = at == 0 ? n_prompt : 1;
        tn_lm_span span = {.seq = seq, .n_rows = n_new};
        uint32_t last = (uint32_t)n_new - 1;
        tn_lm_step step = {.spans = &span,
                           .n_spans = 1,
                           .tokens = tokens + at,
                           .out_rows = &last,
                           .n_out = 1,
                           .logits = logits};
        status = tn_lm_engine_step(e, &step, v->err);
        at += n_new;
        if (status != TERN_OK || at >= n) break;
        judge_greedy(v, logits, vocab, (size_t)tokens[at]);
    }
    return status;
}

static tern_status run_decoder(verifier *v) {
    tn_lm_engine *e = NULL;
    tn_lm_engine_opts opts = {.cache_type = v->cache_type};
    tn_kv_seq *seqs = tn_arena_calloc(&v->arena, v->n_rows + 1, sizeof *seqs);
    if (!seqs) return no_memory(v);
    tern_status status = tn_lm_engine_new(v->lm, v->pool, &opts, &e, v->err);
    if (status != TERN_OK) return status;
    status = run_rows(v, e, seqs);
    if (status == TERN_OK) status = run_greedy(v, e, &seqs[v->n_rows]);
    for (size_t b = 0; b <= v->n_rows; b++) tn_kv_seq_deinit(tn_lm_engine_cache(e), &seqs[b]);
    tn_lm_engine_free(e);
    return status;
}

/* ---- comparing ---- */

/* Rows of x against rows of the reference; place NULL: the same rows. */
static void compare(verifier *v, const char *name, const float *x, const float *ref,
                    const uint32_t *place, size_t n, size_t width) {
    double diff2 = 0, ref2 = 0, diff_max = 0, ref_max = 0;
    for (size_t i = 0; i < n; i++) {
        const float *a = x + i * width, *b = ref + (place ? place[i] : i) * width;
        for (size_t j = 0; j < width; j++) {
            double d = fabs((double)a[j] - b[j]), r = fabs((double)b[j]);
            diff2 += d * d;
            ref2 += r * r;
            if (!(d <= diff_max)) diff_max = d; /* a NaN stays */
            if (r > ref_max) ref_max = r;
        }
    }
    v->out->checks[v->out->n_checks++] =
        (tn_lm_check){.name = name,
                      .relative = sqrt(diff2) / (ref2 > 0 ? sqrt(ref2) : 1),
                      .largest = diff_max / (ref_max > 0 ? ref_max : 1),
                      .n = n * width};
}

static void normalise(float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < n; i++) x[i] = (float)(x[i] * scale);
}

static tern_status compare_pooled(verifier *v, const char *name, bool mean) {
    size_t h = v->lm->config.hidden, n;
    float *ref;
    tern_status status =
        read(v, name, 2, (const int64_t[]){(int64_t)v->n_rows, (int64_t)h}, &ref, &n);
    if (status != TERN_OK || !ref) return status;
    float *x = tn_arena_calloc(&v->arena, v->n_rows * h, sizeof *x);
    if (!x) return no_memory(v);
    for (size_t b = 0; b < v->n_rows; b++) {
        size_t first = (size_t)v->begin[b], end = mean ? (size_t)v->begin[b + 1] : first + 1;
        for (size_t i = first; i < end; i++)
            for (size_t j = 0; j < h; j++) x[b * h + j] += v->hidden[i * h + j];
        normalise(x + b * h, h);
    }
    compare(v, name, x, ref, NULL, v->n_rows, h);
    return TERN_OK;
}

static tern_status compare_loss(verifier *v) {
    const tn_lm_config *c = &v->lm->config;
    float *ref;
    size_t n, n_targets = 0;
    tern_status status = read(v, "loss", 1, (const int64_t[]){1}, &ref, &n);
    if (status != TERN_OK || !ref || c->head != TN_LM_HEAD_CAUSAL) return status;
    double sum = 0;
    for (size_t b = 0; b < v->n_rows; b++)
        for (int32_t i = v->begin[b]; i + 1 < v->begin[b + 1]; i++, n_targets++) {
            const float *x = v->logits + (size_t)i * c->vocab;
            double top = x[0], total = 0;
            for (size_t j = 1; j < c->vocab; j++) top = x[j] > top ? x[j] : top;
            for (size_t j = 0; j < c->vocab; j++) total += exp(x[j] - top);
            sum += log(total) + top - x[v->tokens[i + 1]];
        }
    float loss = n_targets ? (float)(sum / (double)n_targets) : 0;
    if (n_targets) compare(v, "loss", &loss, ref, NULL, 1, 1);
    return TERN_OK;
}

static tern_status verify(verifier *v) {
    const tn_lm_config *c = &v->lm->config;
    tern_status status = pack(v);
    if (status != TERN_OK) return status;
    size_t n = (size_t)v->begin[v->n_rows], width = tn_lm_n_outputs(c), m;
    bool by_row = c->head == TN_LM_HEAD_SEQUENCE;
    int64_t rows = (int64_t)v->n_rows, len = (int64_t)v->width;
    const int64_t hidden_dims[] = {rows, len, c->hidden}, row_dims[] = {rows, (int64_t)width};
    const int64_t token_dims[] = {rows, len, (int64_t)width};
    float *hidden, *logits = NULL;
    status = read(v, "hidden.last", 3, hidden_dims, &hidden, &m);
    if (status == TERN_OK && width)
        status = read(v, "logits", by_row ? 2 : 3, by_row ? row_dims : token_dims, &logits, &m);
    if (status != TERN_OK) return status;
    v->hidden = tn_arena_alloc(&v->arena, n * c->hidden * sizeof(float));
    if (width) v->logits = tn_arena_alloc(&v->arena, n * width * sizeof(float));
    if (!v->hidden || (width && !v->logits)) return no_memory(v);
    status = c->family == TN_LM_ENCODER ? run_encoder(v) : run_decoder(v);
    if (status != TERN_OK) return status;
    if (hidden) compare(v, "hidden.last", v->hidden, hidden, v->place, n, c->hidden);
    if (logits)
        compare(v, "logits", v->logits, logits, by_row ? NULL : v->place, by_row ? v->n_rows : n,
                width);
    status = compare_pooled(v, "pooled.cls_l2", false);
    if (status == TERN_OK) status = compare_pooled(v, "pooled.mean_l2", true);
    return status == TERN_OK ? compare_loss(v) : status;
}

tern_status tn_lm_verify(const tn_lm *lm, const tern_st *reference, tn_pool *pool,
                         tn_dtype cache_type, double tolerance, tn_lm_verdict *out,
                         tern_error *err) {
    *out = (tn_lm_verdict){0};
    verifier v = {.lm = lm,
                  .ref = reference,
                  .pool = pool,
                  .cache_type = cache_type,
                  .tolerance = tolerance,
                  .out = out,
                  .err = err};
    tern_status status = verify(&v);
    tn_arena_deinit(&v.arena);
    out->passed = out->n_greedy_wrong == 0 && out->n_checks + out->n_greedy > 0;
    for (size_t i = 0; i < out->n_checks; i++)
        out->passed = out->passed && out->checks[i].relative <= tolerance &&
                      out->checks[i].largest <= tolerance;
    return status;
}
