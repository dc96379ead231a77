/* weights.c - see weights.h. */
#include "core/lm/weights.h"
#include "core/base/text.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum dim { NONE, HIDDEN, FFN, Q_DIM, KV_DIM, HEAD_DIM, VOCAB, POSITIONS, TYPES, OUTPUTS };

/* A row is listed when the config has all of `when`. */
enum when {
    QKV_BIAS = 1 << 0,
    O_BIAS = 1 << 1,
    MLP_BIAS = 1 << 2,
    QK_NORM = 1 << 3,
    POST_NORMS = 1 << 4,
    NO_POST_NORMS = 1 << 5,
    UNTIED = 1 << 6,
    CAUSAL = 1 << 7,
    MASKED = 1 << 8,
    SEQUENCE = 1 << 9,
    TOKEN = 1 << 10,
    BERT = 1 << 11,
    ROBERTA = 1 << 12
};

typedef struct rule {
    tn_lm_slot slot;
    const char *name; /* starting with "layers." or "encoder.layer.": %u is the layer */
    enum dim rows, cols;
    unsigned when;
    bool outside; /* no body prefix */
} rule;

/* clang-format off */
static const rule decoder_rules[] = {
    {TN_LM_EMBED, "embed_tokens.weight", VOCAB, HIDDEN},
    {TN_LM_ATTN_NORM, "layers.%u.input_layernorm.weight", HIDDEN},
    {TN_LM_Q, "layers.%u.self_attn.q_proj.weight", Q_DIM, HIDDEN},
    {TN_LM_K, "layers.%u.self_attn.k_proj.weight", KV_DIM, HIDDEN},
    {TN_LM_V, "layers.%u.self_attn.v_proj.weight", KV_DIM, HIDDEN},
    {TN_LM_O, "layers.%u.self_attn.o_proj.weight", HIDDEN, Q_DIM},
    {TN_LM_Q_BIAS, "layers.%u.self_attn.q_proj.bias", Q_DIM, NONE, QKV_BIAS},
    {TN_LM_K_BIAS, "layers.%u.self_attn.k_proj.bias", KV_DIM, NONE, QKV_BIAS},
    {TN_LM_V_BIAS, "layers.%u.self_attn.v_proj.bias", KV_DIM, NONE, QKV_BIAS},
    {TN_LM_O_BIAS, "layers.%u.self_attn.o_proj.bias", HIDDEN, NONE, O_BIAS},
    {TN_LM_Q_NORM, "layers.%u.self_attn.q_norm.weight", HEAD_DIM, NONE, QK_NORM},
    {TN_LM_K_NORM, "layers.%u.self_attn.k_norm.weight", HEAD_DIM, NONE, QK_NORM},
    {TN_LM_POST_ATTN_NORM, "layers.%u.post_attention_layernorm.weight", HIDDEN, NONE, POST_NORMS},
    {TN_LM_FFN_NORM, "layers.%u.pre_feedforward_layernorm.weight", HIDDEN, NONE, POST_NORMS},
    {TN_LM_FFN_NORM, "layers.%u.post_attention_layernorm.weight", HIDDEN, NONE, NO_POST_NORMS},
    {TN_LM_GATE, "layers.%u.mlp.gate_proj.weight", FFN, HIDDEN},
    {TN_LM_UP, "layers.%u.mlp.up_proj.weight", FFN, HIDDEN},
    {TN_LM_DOWN, "layers.%u.mlp.down_proj.weight", HIDDEN, FFN},
    {TN_LM_GATE_BIAS, "layers.%u.mlp.gate_proj.bias", FFN, NONE, MLP_BIAS},
    {TN_LM_UP_BIAS, "layers.%u.mlp.up_proj.bias", FFN, NONE, MLP_BIAS},
    {TN_LM_DOWN_BIAS, "layers.%u.mlp.down_proj.bias", HIDDEN, NONE, MLP_BIAS},
    {TN_LM_POST_FFN_NORM, "layers.%u.post_feedforward_layernorm.weight", HIDDEN, NONE, POST_NORMS},
    {TN_LM_FINAL_NORM, "norm.weight", HIDDEN},
    {TN_LM_HEAD, "lm_head.weight", VOCAB, HIDDEN, CAUSAL | UNTIED, true},
    {TN_LM_HEAD, "score.weight", OUTPUTS, HIDDEN, SEQUENCE, true},
    {TN_LM_HEAD, "score.weight", OUTPUTS, HIDDEN, TOKEN, true},
    {TN_LM_HEAD_BIAS, "score.bias", OUTPUTS, NONE, TOKEN, true},
};

static const rule encoder_rules[] = {
    {TN_LM_EMBED, "embeddings.word_embeddings.weight", VOCAB, HIDDEN},
    {TN_LM_POSITIONS, "embeddings.position_embeddings.weight", POSITIONS, HIDDEN},
    {TN_LM_TYPES, "embeddings.token_type_embeddings.weight", TYPES, HIDDEN},
    {TN_LM_EMBED_NORM, "embeddings.LayerNorm.weight", HIDDEN},
    {TN_LM_EMBED_NORM_BIAS, "embeddings.LayerNorm.bias", HIDDEN},
    {TN_LM_Q, "encoder.layer.%u.attention.self.query.weight", HIDDEN, HIDDEN},
    {TN_LM_K, "encoder.layer.%u.attention.self.key.weight", HIDDEN, HIDDEN},
    {TN_LM_V, "encoder.layer.%u.attention.self.value.weight", HIDDEN, HIDDEN},
    {TN_LM_O, "encoder.layer.%u.attention.output.dense.weight", HIDDEN, HIDDEN},
    {TN_LM_Q_BIAS, "encoder.layer.%u.attention.self.query.bias", HIDDEN},
    {TN_LM_K_BIAS, "encoder.layer.%u.attention.self.key.bias", HIDDEN},
    {TN_LM_V_BIAS, "encoder.layer.%u.attention.self.value.bias", HIDDEN},
    {TN_LM_O_BIAS, "encoder.layer.%u.attention.output.dense.bias", HIDDEN},
    {TN_LM_ATTN_NORM, "encoder.layer.%u.attention.output.LayerNorm.weight", HIDDEN},
    {TN_LM_ATTN_NORM_BIAS, "encoder.layer.%u.attention.output.LayerNorm.bias", HIDDEN},
    {TN_LM_UP, "encoder.layer.%u.intermediate.dense.weight", FFN, HIDDEN},
    {TN_LM_UP_BIAS, "encoder.layer.%u.intermediate.dense.bias", FFN},
    {TN_LM_DOWN, "encoder.layer.%u.output.dense.weight", HIDDEN, FFN},
    {TN_LM_DOWN_BIAS, "encoder.layer.%u.output.dense.bias", HIDDEN},
    {TN_LM_FFN_NORM, "encoder.layer.%u.output.LayerNorm.weight", HIDDEN},
    {TN_LM_FFN_NORM_BIAS, "encoder.layer.%u.output.LayerNorm.bias", HIDDEN},
    {TN_LM_HEAD_DENSE, "pooler.dense.weight", HIDDEN, HIDDEN, SEQUENCE | BERT},
    {TN_LM_HEAD_DENSE_BIAS, "pooler.dense.bias", HIDDEN, NONE, SEQUENCE | BERT},
    {TN_LM_HEAD, "classifier.weight", OUTPUTS, HIDDEN, SEQUENCE | BERT, true},
    {TN_LM_HEAD_BIAS, "classifier.bias", OUTPUTS, NONE, SEQUENCE | BERT, true},
    {TN_LM_HEAD_DENSE, "classifier.dense.weight", HIDDEN, HIDDEN, SEQUENCE | ROBERTA, true},
    {TN_LM_HEAD_DENSE_BIAS, "classifier.dense.bias", HIDDEN, NONE, SEQUENCE | ROBERTA, true},
    {TN_LM_HEAD, "classifier.out_proj.weight", OUTPUTS, HIDDEN, SEQUENCE | ROBERTA, true},
    {TN_LM_HEAD_BIAS, "classifier.out_proj.bias", OUTPUTS, NONE, SEQUENCE | ROBERTA, true},
    {TN_LM_HEAD, "classifier.weight", OUTPUTS, HIDDEN, TOKEN, true},
    {TN_LM_HEAD_BIAS, "classifier.bias", OUTPUTS, NONE, TOKEN, true},
    {TN_LM_HEAD_DENSE, "cls.predictions.transform.dense.weight", HIDDEN, HIDDEN, MASKED | BERT, true},
    {TN_LM_HEAD_DENSE_BIAS, "cls.predictions.transform.dense.bias", HIDDEN, NONE, MASKED | BERT, true},
    {TN_LM_HEAD_NORM, "cls.predictions.transform.LayerNorm.weight", HIDDEN, NONE, MASKED | BERT, true},
    {TN_LM_HEAD_NORM_BIAS, "cls.predictions.transform.LayerNorm.bias", HIDDEN, NONE, MASKED | BERT, true},
    {TN_LM_HEAD, "cls.predictions.decoder.weight", VOCAB, HIDDEN, MASKED | BERT | UNTIED, true},
    {TN_LM_HEAD_BIAS, "cls.predictions.bias", VOCAB, NONE, MASKED | BERT, true},
    {TN_LM_HEAD_DENSE, "lm_head.dense.weight", HIDDEN, HIDDEN, MASKED | ROBERTA, true},
    {TN_LM_HEAD_DENSE_BIAS, "lm_head.dense.bias", HIDDEN, NONE, MASKED | ROBERTA, true},
    {TN_LM_HEAD_NORM, "lm_head.layer_norm.weight", HIDDEN, NONE, MASKED | ROBERTA, true},
    {TN_LM_HEAD_NORM_BIAS, "lm_head.layer_norm.bias", HIDDEN, NONE, MASKED | ROBERTA, true},
    {TN_LM_HEAD, "lm_head.decoder.weight", VOCAB, HIDDEN, MASKED | ROBERTA | UNTIED, true},
    {TN_LM_HEAD_BIAS, "lm_head.bias", VOCAB, NONE, MASKED | ROBERTA, true},
};
/* clang-format on */

static unsigned have(const tn_lm_config *c) {
    static const unsigned heads[] = {[TN_LM_HEAD_NONE] = 0,
                                     [TN_LM_HEAD_CAUSAL] = CAUSAL,
                                     [TN_LM_HEAD_MASKED] = MASKED,
                                     [TN_LM_HEAD_SEQUENCE] = SEQUENCE,
                                     [TN_LM_HEAD_TOKEN] = TOKEN};
    return heads[c->head] | (c->qkv_bias ? QKV_BIAS : 0) | (c->o_bias ? O_BIAS : 0) |
           (c->mlp_bias ? MLP_BIAS : 0) | (c->qk_norm ? QK_NORM : 0) |
           (c->post_norms ? POST_NORMS : NO_POST_NORMS) | (c->tied ? 0 : UNTIED) |
           (c->arch == TN_LM_BERT ? BERT : 0) | (c->arch == TN_LM_ROBERTA ? ROBERTA : 0);
}

static uint32_t size_of(const tn_lm_config *c, enum dim d) {
    const uint32_t sizes[] = {[NONE] = 0,
                              [HIDDEN] = c->hidden,
                              [FFN] = c->ffn,
                              [Q_DIM] = tn_lm_q_dim(c),
                              [KV_DIM] = tn_lm_kv_dim(c),
                              [HEAD_DIM] = c->head_dim,
                              [VOCAB] = c->vocab,
                              [POSITIONS] = c->max_positions,
                              [TYPES] = c->n_types,
                              [OUTPUTS] = c->n_labels};
    return sizes[d];
}

static bool per_layer(const rule *r) {
    return strchr(r->name, '%') != NULL;
}

static void expand(const tn_lm_config *c, const rule *r, uint32_t layer, tn_lm_param *out) {
    *out = (tn_lm_param){.slot = r->slot,
                         .layer = layer,
                         .rows = size_of(c, r->rows),
                         .cols = size_of(c, r->cols),
                         .body = !r->outside};
    const char *hole = strchr(r->name, '%'); /* "%u" */
    if (hole)
        snprintf(out->name, sizeof out->name, "%.*s%u%s", (int)(hole - r->name), r->name, layer,
                 hole + 2);
    else
        snprintf(out->name, sizeof out->name, "%s", r->name);
}

size_t tn_lm_params(const tn_lm_config *c, tn_lm_param *out) {
    bool decoder = c->family == TN_LM_DECODER;
    const rule *rules = decoder ? decoder_rules : encoder_rules;
    size_t n_rules = decoder ? sizeof decoder_rules / sizeof *decoder_rules
                             : sizeof encoder_rules / sizeof *encoder_rules;
    unsigned has = have(c);
    size_t n = 0;
    for (size_t i = 0; i < n_rules;) {
        size_t end = i + 1; /* the rows of a layer stand together and repeat together */
        while (per_layer(&rules[i]) && end < n_rules && per_layer(&rules[end])) end++;
        uint32_t n_times = per_layer(&rules[i]) ? c->n_layers : 1;
        for (uint32_t layer = 0; layer < n_times; layer++)
            for (size_t j = i; j < end; j++) {
                if (rules[j].when & ~has) continue;
                if (out) expand(c, &rules[j], layer, &out[n]);
                n++;
            }
        i = end;
    }
    return n;
}

size_t tn_lm_param_count(const tn_lm_config *c) {
    tn_lm_config one = *c;
    tn_lm_param params[TN_LM_N_SLOTS];
    one.n_layers = 1;
    size_t n = tn_lm_params(&one, params), total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t size = (size_t)params[i].rows * (params[i].cols ? params[i].cols : 1);
        bool layer = params[i].slot >= TN_LM_ATTN_NORM && params[i].slot <= TN_LM_POST_FFN_NORM;
        total += size * (layer ? c->n_layers : 1);
    }
    return total;
}

const char *const *tn_lm_prefixes(const tn_lm_config *c) {
    static const char *const decoder[] = {"model.", "", "language_model.model.",
                                          "model.language_model.", NULL};
    static const char *const bert[] = {"bert.", "", NULL};
    static const char *const roberta[] = {"roberta.", "", NULL};
    return c->family == TN_LM_DECODER ? decoder : c->arch == TN_LM_BERT ? bert : roberta;
}

static bool has_prefix_of(const char *name, const char *const *prefixes) {
    for (; *prefixes; prefixes++)
        if (tn_starts_with(name, *prefixes)) return true;
    return false;
}

bool tn_lm_is_unused(const tn_lm_config *c, const char *name) {
    static const char *const heads[] = {"cls.", "lm_head.", "classifier.", "score.", NULL};
    static const char *const pictures[] = {"vision_tower.", "multi_modal_projector.",
                                           "model.vision_tower.", "model.multi_modal_projector.",
                                           NULL};
    if (tn_ends_with(name, ".position_ids") || tn_ends_with(name, ".rotary_emb.inv_freq"))
        return true;
    if (strstr(name, "pooler.dense.")) return c->family == TN_LM_ENCODER;
    if (c->arch == TN_LM_GEMMA3 && has_prefix_of(name, pictures)) return true;
    if (tn_ends_with(name, "lm_head.weight") || tn_ends_with(name, "decoder.weight") ||
        tn_ends_with(name, "decoder.bias"))
        return c->tied || c->head == TN_LM_HEAD_NONE || c->head >= TN_LM_HEAD_SEQUENCE;
    if (c->head == TN_LM_HEAD_MASKED) return tn_starts_with(name, "cls.seq_relationship.");
    return c->head != TN_LM_HEAD_CAUSAL && has_prefix_of(name, heads);
}

bool tn_lm_old_name(const char *name, char *out, size_t cap) {
    const char *const from[] = {"LayerNorm.weight", "LayerNorm.bias"};
    const char *const to[] = {"LayerNorm.gamma", "LayerNorm.beta"};
    for (int i = 0; i < 2; i++)
        if (tn_ends_with(name, from[i])) {
            snprintf(out, cap, "%.*s%s", (int)(strlen(name) - strlen(from[i])), name, to[i]);
            return true;
        }
    return false;
}
