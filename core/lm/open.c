/* open.c - see tern/model.h: a folder becomes a model. */
#include "core/lm/open.h"
#include "core/lm/verify.h"
#include <string.h>

#include "core/base/mem.h"

static const struct {
    const char *name;
    tn_weight_format format;
} formats[] = {[TERN_WEIGHTS_BF16] = {"bf16", TN_WEIGHT_BF16},
               [TERN_WEIGHTS_F32] = {"f32", TN_WEIGHT_F32},
               [TERN_WEIGHTS_INT8] = {"int8", TN_WEIGHT_I8},
               [TERN_WEIGHTS_INT8_GROUP] = {"int8-group", TN_WEIGHT_I8_GROUP}};
enum { N_FORMATS = sizeof formats / sizeof *formats };

const char *tern_weights_name(tern_weights w) {
    return formats[w].name;
}

bool tern_weights_find(const char *name, tern_weights *out) {
    for (int i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0) {
            *out = (tern_weights)i;
            return true;
        }
    return false;
}

tern_model_opts tern_model_defaults(void) {
    return (tern_model_opts){.tokenizer = true};
}

static tern_status load(tern_model *m, const tern_model_opts *opts, const tern_host *host,
                        tern_error *err) {
    tn_lm_config config;
    tn_lm_source *source = NULL;
    const char *dir = m->sentence.transformer;
    tern_status status = tn_lm_config_load(dir, &config, err);
    if (status == TERN_OK) status = tn_lm_suggestion_load(dir, &config, &m->suggestion, err);
    if (status == TERN_OK) status = tn_sentence_check(&m->sentence, config.hidden, err);
    /* The tokenizer first: it fails sooner than weights load. */
    if (status == TERN_OK && opts->tokenizer) {
        status = tern_tokenizer_open(dir, &m->tokenizer, err);
        if (status == TERN_ERR_NOT_FOUND) status = TERN_OK;
    }
    if (status == TERN_OK) status = tn_lm_source_open(dir, &source, err);
    if (status == TERN_OK)
        status = tn_lm_load_take(&config, source, formats[opts->weights].format, m->pool, host,
                                 &m->lm, err);
    if (status != TERN_OK) tn_lm_source_free(source);
    return status;
}

tern_status tern_model_open(const char *dir, const tern_model_opts *opts, const tern_host *host,
                            tern_model **out, tern_error *err) {
    tern_model_opts defaults = tern_model_defaults();
    *out = NULL;
    if (!opts) opts = &defaults;
    if ((unsigned)opts->weights >= N_FORMATS)
        return tern_fail(err, TERN_ERR_ARG, 0, "unknown weight format %d", (int)opts->weights);
    tern_model *m = tn_calloc(1, sizeof *m);
    if (!m) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a model");
    m->weights = opts->weights;
    tern_status status = tn_pool_new(host ? host->n_threads : 1, &m->pool, err);
    if (status == TERN_OK) status = tn_sentence_load(dir, m->pool, &m->sentence, err);
    if (status == TERN_OK) status = load(m, opts, host, err);
    if (status != TERN_OK)
        tern_model_close(m);
    else
        *out = m;
    return status;
}

void tern_model_close(tern_model *m) {
    if (!m) return;
    tn_lm_free(m->lm);
    tern_tokenizer_close(m->tokenizer);
    tn_sentence_deinit(&m->sentence);
    tn_pool_free(m->pool);
    tn_free(m);
}

const tern_tokenizer *tern_model_tokenizer(const tern_model *m) {
    return m->tokenizer;
}

static tern_model_info info_of(const tn_lm_config *c) {
    return (tern_model_info){.arch = tn_lm_arch_name(c->arch),
                             .head = tn_lm_head_name(c->head),
                             .generates = c->head == TN_LM_HEAD_CAUSAL,
                             .embeds = c->family == TN_LM_ENCODER,
                             .scores = c->family == TN_LM_ENCODER && c->head == TN_LM_HEAD_SEQUENCE,
                             .n_params = tn_lm_param_count(c),
                             .vocab = c->vocab,
                             .hidden = c->hidden,
                             .ffn = c->ffn,
                             .n_layers = c->n_layers,
                             .n_heads = c->n_heads,
                             .n_kv_heads = c->n_kv_heads,
                             .head_dim = c->head_dim,
                             .context = tn_lm_context(c),
                             .n_labels = c->n_labels,
                             .dim = c->hidden,
                             .pooling = "mean",
                             .cache_bytes =
                                 c->family == TN_LM_DECODER
                                     ? 2 * (uint64_t)c->n_layers * tn_lm_kv_dim(c) * sizeof(tn_bf16)
                                     : 0,
                             .kernels = tn_gemm_id()};
}

tern_model_info tern_model_get_info(const tern_model *m) {
    static const char *const pooling[] = {
        [TN_POOLING_MEAN] = "mean", [TN_POOLING_CLS] = "cls", [TN_POOLING_LAST] = "last"};
    tern_model_info info = info_of(&m->lm->config);
    info.embeds = info.embeds || m->sentence.present;
    info.dim = (uint32_t)tn_sentence_dim(&m->sentence, m->lm->config.hidden);
    info.pooling = pooling[m->sentence.pooling];
    info.weights = m->weights;
    info.weight_bytes = m->lm->weight_bytes;
    if (m->sentence.max_tokens && m->sentence.max_tokens < info.context)
        info.context = m->sentence.max_tokens;
    return info;
}

tern_status tern_model_peek(const char *dir, tern_model_info *out, tern_error *err) {
    tn_lm_config config;
    tern_status status = tn_lm_config_load(dir, &config, err);
    if (status == TERN_OK) *out = info_of(&config);
    return status;
}

tern_status tern_model_verify(const tern_model *m, const char *path, double tolerance,
                              tern_model_verdict *out, tern_error *err) {
    tern_st *reference = NULL;
    tn_lm_verdict v;
    tn_dtype cache = m->weights == TERN_WEIGHTS_F32 ? TN_F32 : TN_BF16;
    *out = (tern_model_verdict){.passed = false};
    tern_status status = tern_st_open(path, &reference, err);
    if (status == TERN_OK)
        status = tn_lm_verify(m->lm, reference, m->pool, cache, tolerance, &v, err);
    tern_st_close(reference);
    if (status != TERN_OK) return status;
    for (size_t i = 0; i < v.n_checks; i++)
        out->checks[out->n_checks++] = (tern_model_check){.name = v.checks[i].name,
                                                          .relative = v.checks[i].relative,
                                                          .largest = v.checks[i].largest,
                                                          .n = v.checks[i].n};
    out->n_greedy = v.n_greedy;
    out->n_greedy_equal = v.n_greedy_equal;
    out->n_greedy_wrong = v.n_greedy_wrong;
    out->passed = v.passed;
    return TERN_OK;
}
