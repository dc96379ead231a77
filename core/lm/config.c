/* config.c - see config.h. One function a family; each field is read where its default is known.
 * Defaults are those of transformers' configuration classes, since a config.json may leave out what
 * equals them. */
#include "core/lm/config.h"
#include "core/base/file.h"
#include "core/lm/config_reader.h"
#include <math.h>
#include <string.h>

#include "core/base/mem.h"

enum { CONFIG_BYTES_MAX = 16 << 20, WIDTH_MAX = 1 << 18 };

/* model_type -> family member, and the dimensions that a config of it may leave out. */
typedef struct model_type {
    const char *name;
    tn_lm_arch arch;
    int vocab, hidden, ffn, n_layers, n_heads, n_kv_heads, head_dim, max_positions;
} model_type;

static const model_type model_types[] = {
    {"llama", TN_LM_LLAMA, 32000, 4096, 11008, 32, 32, 0, 0, 2048},
    {"mistral", TN_LM_MISTRAL, 32000, 4096, 14336, 32, 32, 8, 0, 131072},
    {"qwen2", TN_LM_QWEN2, 151936, 4096, 22016, 32, 32, 32, 0, 32768},
    {"qwen3", TN_LM_QWEN3, 151936, 4096, 22016, 32, 32, 32, 128, 32768},
    {"gemma3_text", TN_LM_GEMMA3, 262208, 2304, 9216, 26, 8, 4, 256, 131072},
    {"gemma3", TN_LM_GEMMA3, 262208, 2304, 9216, 26, 8, 4, 256, 131072},
    {"bert", TN_LM_BERT, 30522, 768, 3072, 12, 12, 0, 0, 512},
    {"roberta", TN_LM_ROBERTA, 50265, 768, 3072, 12, 12, 0, 0, 512},
    {"xlm-roberta", TN_LM_ROBERTA, 30522, 768, 3072, 12, 12, 0, 0, 512},
};
enum { N_MODEL_TYPES = sizeof model_types / sizeof *model_types };

const char *tn_lm_arch_name(tn_lm_arch arch) {
    for (size_t i = 0; i < N_MODEL_TYPES; i++)
        if (model_types[i].arch == arch) return model_types[i].name;
    return "unknown";
}

const char *tn_lm_head_name(tn_lm_head head) {
    static const char *const names[] = {"none", "causal", "masked", "sequence", "token"};
    return names[head];
}

static bool is_decoder(tn_lm_arch arch) {
    return arch <= TN_LM_GEMMA3;
}

static const model_type *find_type(tn_fields *f) {
    const char *name = tn_field_str(f, "model_type", NULL);
    for (size_t i = 0; name && i < N_MODEL_TYPES; i++)
        if (strcmp(name, model_types[i].name) == 0) return &model_types[i];
    if (f->status != TERN_OK) return NULL;
    tn_buf known = {0};
    for (size_t i = 0; i < N_MODEL_TYPES; i++)
        tn_buf_printf(&known, "%s%s", i ? ", " : "", model_types[i].name);
    if (name)
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "model_type '%.60s' is not one of: %s", name,
                      tn_buf_cstr(&known));
    else
        tn_field_fail(f, TERN_ERR_FORMAT, "no \"model_type\"; known are: %s", tn_buf_cstr(&known));
    tn_buf_deinit(&known);
    return NULL;
}

static tn_act read_act(tn_fields *f, const char *key, const char *fallback) {
    static const struct {
        const char *name;
        tn_act act;
    } acts[] = {{"silu", TN_ACT_SILU},          {"swish", TN_ACT_SILU},
                {"gelu", TN_ACT_GELU},          {"gelu_pytorch_tanh", TN_ACT_GELU_TANH},
                {"gelu_new", TN_ACT_GELU_TANH}, {"gelu_fast", TN_ACT_GELU_TANH},
                {"relu", TN_ACT_RELU}};
    const char *name = tn_field_str(f, key, fallback);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(name, acts[i].name) == 0) return acts[i].act;
    tn_field_fail(f, TERN_ERR_UNSUPPORTED, "%s '%.40s' is not supported", key, name);
    return TN_ACT_NONE;
}

/* The last part of a class name says which head it puts on the body. */
static tn_lm_head read_head(tn_fields *f, bool decoder) {
    static const struct {
        const char *suffix;
        tn_lm_head head;
        bool decoder, encoder;
    } heads[] = {{"ForCausalLM", TN_LM_HEAD_CAUSAL, true, false},
                 {"ForConditionalGeneration", TN_LM_HEAD_CAUSAL, true, false},
                 {"ForMaskedLM", TN_LM_HEAD_MASKED, false, true},
                 {"ForPreTraining", TN_LM_HEAD_MASKED, false, true},
                 {"ForSequenceClassification", TN_LM_HEAD_SEQUENCE, true, true},
                 {"ForTokenClassification", TN_LM_HEAD_TOKEN, true, true},
                 {"Model", TN_LM_HEAD_NONE, true, true}};
    const json_t *list = tn_field_find(f, "architectures");
    const json_t *first = json_is_array(list) ? json_array_get(list, 0) : NULL;
    if (!list) return decoder ? TN_LM_HEAD_CAUSAL : TN_LM_HEAD_NONE;
    if (!json_is_string(first)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"architectures\" is not a list of names");
        return TN_LM_HEAD_NONE;
    }
    const char *name = json_string_value(first);
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t k = strlen(heads[i].suffix);
        if (n >= k && strcmp(name + n - k, heads[i].suffix) == 0 &&
            (decoder ? heads[i].decoder : heads[i].encoder))
            return heads[i].head;
    }
    tn_field_fail(f, TERN_ERR_UNSUPPORTED,
                  "architecture '%.80s' is not supported (known: ...Model%s, "
                  "...ForSequenceClassification, ...ForTokenClassification)",
                  name, decoder ? ", ...ForCausalLM" : ", ...ForMaskedLM");
    return TN_LM_HEAD_NONE;
}

static void read_ids(tn_fields *f, const char *key, tn_lm_config *c) {
    const json_t *v = tn_field_find(f, key);
    if (!v) return;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > TN_LM_EOS_MAX) {
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"%s\" has more than %d ids", key, TN_LM_EOS_MAX);
        return;
    }
    c->n_eos = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        int64_t x = json_is_integer(id) ? json_integer_value(id) : -1;
        if (x < 0 || x >= TN_LM_TOKENS_MAX)
            tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is not a token id or a list of them", key);
        else
            c->eos_ids[c->n_eos++] = (int32_t)x;
    }
}

/* Fields that no member of the families obeys; each would change the numbers. */
static void refuse_fields(tn_fields *f) {
    static const char *const must_be_absent[] = {"quantization_config", "attention_chunk_size"};
    const json_t *own = tn_field_find(f, "quantization_config"); /* written by tern_model_convert */
    bool ours = strcmp(tn_json_str(own, "quant_method", ""), "tern-int8") == 0;
    for (size_t i = 0; i < sizeof must_be_absent / sizeof *must_be_absent; i++)
        if (tn_field_find(f, must_be_absent[i]) && !(i == 0 && ours))
            tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"%s\" is set, which is not supported",
                          must_be_absent[i]);
    if (json_object_size(tn_field_find(f, "pruned_heads")) > 0)
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"pruned_heads\" is not supported");
    static const char *const must_be_false[] = {"add_cross_attention", "is_encoder_decoder",
                                                "use_bidirectional_attention"};
    for (size_t i = 0; i < sizeof must_be_false / sizeof *must_be_false; i++)
        if (tn_field_bool(f, must_be_false[i], false))
            tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"%s\": true is not supported",
                          must_be_false[i]);
    if (!tn_field_bool(f, "is_causal", true))
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"is_causal\": false is not supported");
}

static void read_shape(tn_fields *f, const model_type *t, tn_lm_config *c) {
    c->vocab = (uint32_t)tn_field_int(f, "vocab_size", t->vocab, 1, TN_LM_TOKENS_MAX);
    c->hidden = (uint32_t)tn_field_int(f, "hidden_size", t->hidden, 1, WIDTH_MAX);
    c->ffn = (uint32_t)tn_field_int(f, "intermediate_size", t->ffn, 1, WIDTH_MAX);
    c->n_layers = (uint32_t)tn_field_int(f, "num_hidden_layers", t->n_layers, 1, TN_LM_LAYERS_MAX);
    c->n_heads = (uint32_t)tn_field_int(f, "num_attention_heads", t->n_heads, 1, 4096);
    c->max_positions =
        (uint32_t)tn_field_int(f, "max_position_embeddings", t->max_positions, 1, (int64_t)1 << 30);
}

/* ---- decoder ---- */

static void read_scaling(tn_fields *f, const json_t *obj, const char *name, tn_lm_rope *rope) {
    if (!json_is_object(obj)) {
        tn_field_fail(f, TERN_ERR_FORMAT, "\"%s\" is not an object", name);
        return;
    }
    tn_fields s = {.obj = obj, .path = f->path, .status = f->status, .err = f->err};
    const char *type = tn_field_str(&s, "rope_type", tn_field_str(&s, "type", "default"));
    rope->theta = tn_field_num(&s, "rope_theta", rope->theta, 1, 1e12);
    if (tn_field_num(&s, "partial_rotary_factor", 1, 0, 1) != 1)
        tn_field_fail(&s, TERN_ERR_UNSUPPORTED, "\"partial_rotary_factor\" is not supported");
    if (strcmp(type, "linear") == 0) {
        rope->kind = TN_LM_ROPE_LINEAR;
        rope->factor = tn_field_num(&s, "factor", 0, 1, 1e6);
    } else if (strcmp(type, "llama3") == 0) {
        rope->kind = TN_LM_ROPE_LLAMA3;
        rope->factor = tn_field_num(&s, "factor", 0, 1, 1e6);
        rope->low_freq_factor = tn_field_num(&s, "low_freq_factor", 0, 1e-3, 1e6);
        rope->high_freq_factor = tn_field_num(&s, "high_freq_factor", 0, 1e-3, 1e6);
        rope->original_positions =
            tn_field_num(&s, "original_max_position_embeddings", 0, 1, 1 << 30);
        if (s.status == TERN_OK && (!rope->original_positions || !rope->low_freq_factor ||
                                    rope->high_freq_factor <= rope->low_freq_factor))
            tn_field_fail(&s, TERN_ERR_FORMAT,
                          "\"%s\" of type llama3 needs low_freq_factor < high_freq_factor and "
                          "original_max_position_embeddings",
                          name);
    } else if (strcmp(type, "default") != 0) {
        tn_field_fail(&s, TERN_ERR_UNSUPPORTED,
                      "\"%s\" of type '%.40s' is not supported (known: default, linear, llama3)",
                      name, type);
    }
    if (s.status == TERN_OK && rope->kind != TN_LM_ROPE_PLAIN && !rope->factor)
        tn_field_fail(&s, TERN_ERR_FORMAT, "\"%s\" needs a \"factor\"", name);
    f->status = s.status;
}

/* "rope_theta" and "rope_scaling", or newer files' "rope_parameters", which Gemma has by layer
 * type. */
static void read_rope(tn_fields *f, tn_lm_config *c) {
    bool gemma = c->arch == TN_LM_GEMMA3;
    c->rope.theta = tn_field_num(f, "rope_theta", gemma ? 1e6 : 1e4, 1, 1e12);
    const json_t *scaling = tn_field_find(f, "rope_scaling");
    const json_t *parameters = tn_field_find(f, "rope_parameters");
    const json_t *full = json_object_get(parameters, "full_attention");
    const json_t *local = json_object_get(parameters, "sliding_attention");
    if (full && !json_is_null(full))
        read_scaling(f, full, "rope_parameters", &c->rope);
    else if (parameters && !local)
        read_scaling(f, parameters, "rope_parameters", &c->rope);
    else if (scaling)
        read_scaling(f, scaling, "rope_scaling", &c->rope);
    c->rope_local = c->rope;
    if (gemma) {
        double theta = tn_field_num(f, "rope_local_base_freq", 1e4, 1, 1e12);
        c->rope_local = (tn_lm_rope){.kind = TN_LM_ROPE_PLAIN, .theta = theta};
        if (local && !json_is_null(local))
            read_scaling(f, local, "rope_parameters", &c->rope_local);
    }
    if (tn_field_num(f, "partial_rotary_factor", 1, 0, 1) != 1)
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"partial_rotary_factor\" is not supported");
}

/* Which layers slide, and how far. */
static void read_windows(tn_fields *f, tn_lm_config *c) {
    bool present = json_object_get(f->obj, "sliding_window") != NULL;
    int64_t window = tn_field_int(f, "sliding_window", present ? 0 : 4096, 0, 1 << 30);
    int64_t first = 0, pattern = 1; /* layer i slides: i >= first and (i + 1) % pattern != 0 */
    switch (c->arch) {
    case TN_LM_MISTRAL:
        break;
    case TN_LM_QWEN2:
    case TN_LM_QWEN3:
        if (!tn_field_bool(f, "use_sliding_window", false)) window = 0;
        first = tn_field_int(f, "max_window_layers", 28, 0, 1 << 20);
        break;
    case TN_LM_GEMMA3:
        pattern =
            tn_field_int(f, "sliding_window_pattern",
                         tn_field_int(f, "_sliding_window_pattern", 6, 1, 1 << 20), 1, 1 << 20);
        break;
    default:
        window = 0; /* Llama has no such field */
    }
    c->window = (uint32_t)window;
    const json_t *types = c->arch == TN_LM_LLAMA ? NULL : tn_field_find(f, "layer_types");
    if (types && json_array_size(types) != c->n_layers)
        tn_field_fail(f, TERN_ERR_FORMAT, "\"layer_types\" has %zu entries for %u layers",
                      json_array_size(types), c->n_layers);
    for (uint32_t i = 0; i < c->n_layers; i++) {
        bool gemma_global = c->arch == TN_LM_GEMMA3 && (i + 1) % (uint64_t)pattern == 0;
        c->sliding[i] = (window > 0 || c->arch == TN_LM_GEMMA3) && i >= first && !gemma_global;
        if (!types) continue;
        const char *type = json_string_value(json_array_get(types, i));
        bool sliding = type && strcmp(type, "sliding_attention") == 0;
        if (!sliding && (!type || strcmp(type, "full_attention") != 0))
            tn_field_fail(f, TERN_ERR_UNSUPPORTED, "layer_types[%u] '%.40s' is not supported", i,
                          type ? type : "(not a string)");
        c->sliding[i] = sliding;
    }
}

static void read_decoder(tn_fields *f, const model_type *t, tn_lm_config *c) {
    bool gemma = c->arch == TN_LM_GEMMA3, qwen2 = c->arch == TN_LM_QWEN2;
    c->n_kv_heads = (uint32_t)tn_field_int(
        f, "num_key_value_heads", t->n_kv_heads ? t->n_kv_heads : (int64_t)c->n_heads, 1, 4096);
    if (json_is_null(json_object_get(f->obj, "num_key_value_heads"))) c->n_kv_heads = c->n_heads;
    /* As a default only: a config that leaves hidden_size alone must not lose its head_dim. */
    bool no_dim = json_is_null(json_object_get(f->obj, "head_dim"));
    int64_t dim = t->head_dim && !no_dim ? t->head_dim : (int64_t)(c->hidden / c->n_heads);
    c->head_dim = (uint32_t)tn_field_int(f, "head_dim", dim, 2, 512);
    c->norm_eps = (float)tn_field_num(f, "rms_norm_eps", 1e-6, 0, 1);
    c->act = gemma ? read_act(f, "hidden_activation", "gelu_pytorch_tanh")
                   : read_act(f, "hidden_act", "silu");
    c->tied = tn_field_bool(f, "tie_word_embeddings", gemma);
    c->qkv_bias = qwen2 || (c->arch != TN_LM_MISTRAL && tn_field_bool(f, "attention_bias", false));
    c->o_bias = c->qkv_bias && !qwen2;
    c->mlp_bias = c->arch == TN_LM_LLAMA && tn_field_bool(f, "mlp_bias", false);
    c->qk_norm = gemma || c->arch == TN_LM_QWEN3;
    c->post_norms = gemma;
    c->norm_offset = gemma ? 1 : 0;
    c->embed_scale = gemma ? sqrtf((float)c->hidden) : 1;
    double scalar = gemma ? tn_field_num(f, "query_pre_attn_scalar", 256, 1e-6, 1e9) : c->head_dim;
    c->attn_scale = (float)(1 / sqrt(scalar));
    if (gemma) c->final_softcap = (float)tn_field_num(f, "final_logit_softcapping", 0, 0, 1e9);
    read_rope(f, c);
    read_windows(f, c);
    if (f->status == TERN_OK && c->head_dim % 2)
        tn_field_fail(f, TERN_ERR_UNSUPPORTED,
                      "heads of %u dimensions cannot be rotated: head_dim must be even",
                      c->head_dim);
    if (f->status == TERN_OK && c->n_heads % c->n_kv_heads)
        tn_field_fail(f, TERN_ERR_FORMAT,
                      "num_attention_heads %u is not a multiple of num_key_value_heads %u",
                      c->n_heads, c->n_kv_heads);
    if (f->status == TERN_OK && (c->head_dim < 2 || c->head_dim > 512)) /* also by default */
        tn_field_fail(f, TERN_ERR_FORMAT,
                      "hidden_size %u and num_attention_heads %u make heads of %u dimensions; 2 to "
                      "512 are possible",
                      c->hidden, c->n_heads, c->head_dim);
}

/* ---- encoder ---- */

static void read_encoder(tn_fields *f, tn_lm_config *c) {
    c->n_kv_heads = c->n_heads;
    c->head_dim = c->hidden / c->n_heads;
    c->attn_scale = 1 / sqrtf((float)(c->head_dim ? c->head_dim : 1));
    c->norm_eps = (float)tn_field_num(f, "layer_norm_eps", 1e-12, 0, 1);
    c->act = read_act(f, "hidden_act", "gelu");
    c->tied = tn_field_bool(f, "tie_word_embeddings", true);
    c->n_types = (uint32_t)tn_field_int(f, "type_vocab_size", 2, 1, 1024);
    c->pad_id = (int32_t)tn_field_int(f, "pad_token_id", c->arch == TN_LM_BERT ? 0 : 1, 0,
                                      TN_LM_TOKENS_MAX);
    if (c->arch == TN_LM_ROBERTA) c->position_offset = (uint32_t)c->pad_id + 1;
    c->embed_scale = 1;
    if (tn_field_bool(f, "is_decoder", false))
        tn_field_fail(f, TERN_ERR_UNSUPPORTED, "\"is_decoder\": true is not supported");
    const char *kind = tn_field_str(f, "position_embedding_type", "absolute");
    if (strcmp(kind, "absolute") != 0)
        tn_field_fail(f, TERN_ERR_UNSUPPORTED,
                      "\"position_embedding_type\" '%.40s' is not supported", kind);
    if (f->status == TERN_OK && (c->hidden % c->n_heads || c->head_dim > 512))
        tn_field_fail(f, TERN_ERR_FORMAT,
                      "hidden_size %u does not divide into %u heads of at most 512 dimensions",
                      c->hidden, c->n_heads);
    if (f->status == TERN_OK && c->position_offset >= c->max_positions)
        tn_field_fail(f, TERN_ERR_FORMAT, "no position is left after pad_token_id %d", c->pad_id);
}

static uint32_t read_labels(tn_fields *f) {
    const json_t *labels = tn_field_find(f, "id2label");
    int64_t n = labels ? (int64_t)json_object_size(labels) : 2;
    return (uint32_t)tn_field_int(f, "num_labels", n > 0 ? n : 2, 1, 1 << 20);
}

static tern_status parse_object(const json_t *root, const char *path, tn_lm_config *c,
                                tern_error *err) {
    tn_fields f = {.obj = root, .path = path, .err = err};
    if (!json_is_object(root)) {
        tn_field_fail(&f, TERN_ERR_FORMAT, "not a JSON object");
        return f.status;
    }
    const model_type *t = find_type(&f);
    if (!t) return f.status;
    c->arch = t->arch;
    c->family = is_decoder(t->arch) ? TN_LM_DECODER : TN_LM_ENCODER;
    c->head = read_head(&f, c->family == TN_LM_DECODER);
    if (strcmp(t->name, "gemma3") == 0) { /* text and images: the text half */
        const json_t *text = tn_field_find(&f, "text_config");
        if (!json_is_object(text)) tn_field_fail(&f, TERN_ERR_FORMAT, "no \"text_config\"");
        if (text) f.obj = text;
    }
    c->pad_id = (int32_t)tn_field_int(&f, "pad_token_id", -1, -1, TN_LM_TOKENS_MAX);
    c->bos_id = (int32_t)tn_field_int(&f, "bos_token_id", -1, -1, TN_LM_TOKENS_MAX);
    read_ids(&f, "eos_token_id", c);
    refuse_fields(&f);
    read_shape(&f, t, c);
    if (c->head == TN_LM_HEAD_SEQUENCE || c->head == TN_LM_HEAD_TOKEN)
        c->n_labels = read_labels(&f);
    if (c->family == TN_LM_DECODER)
        read_decoder(&f, t, c);
    else
        read_encoder(&f, c);
    return f.status;
}

tern_status tn_lm_config_parse(const char *json, size_t n, const char *path, tn_lm_config *out,
                               tern_error *err) {
    json_t *root = NULL;
    tern_error why = {0};
    *out = (tn_lm_config){0};
    tern_status status = tn_json_parse(json, n, &root, &why);
    if (status != TERN_OK) return tern_fail(err, status, 0, "%s: %s", path, why.text);
    status = parse_object(root, path, out, err);
    json_decref(root);
    return status;
}

tern_status tn_lm_config_load(const char *model_dir, tn_lm_config *out, tern_error *err) {
    char *path = tn_path_join(model_dir, "config.json");
    tn_buf text = {0};
    tern_status status = path ? tn_file_read(path, CONFIG_BYTES_MAX, &text, err)
                              : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a path");
    if (status == TERN_OK)
        status = tn_lm_config_parse(tn_buf_cstr(&text), text.len, path, out, err);
    tn_buf_deinit(&text);
    tn_free(path);
    return status;
}

static tern_status read_suggestion(const json_t *root, const char *path, tn_lm_config *config,
                                   tn_lm_suggestion *out, tern_error *err) {
    tn_fields f = {.obj = root, .path = path, .err = err};
    if (!json_is_object(root)) tn_field_fail(&f, TERN_ERR_FORMAT, "not a JSON object");
    read_ids(&f, "eos_token_id", config);
    out->sample = tn_field_bool(&f, "do_sample", false);
    out->temperature = (float)tn_field_num(&f, "temperature", 1, 0, 1e3);
    out->top_p = (float)tn_field_num(&f, "top_p", 1, 0, 1);
    out->min_p = (float)tn_field_num(&f, "min_p", 0, 0, 1);
    out->top_k = (uint32_t)tn_field_int(&f, "top_k", 50, 0, TN_LM_TOKENS_MAX);
    return f.status;
}

tern_status tn_lm_suggestion_load(const char *model_dir, tn_lm_config *config,
                                  tn_lm_suggestion *out, tern_error *err) {
    *out = (tn_lm_suggestion){.temperature = 1, .top_p = 1};
    char *path = tn_path_join(model_dir, "generation_config.json");
    json_t *root = NULL;
    tern_status status = TERN_OK;
    if (!path) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a path");
    if (tn_file_exists(path)) {
        status = tn_json_load(path, &root, err);
        if (status == TERN_OK) status = read_suggestion(root, path, config, out, err);
    }
    json_decref(root);
    tn_free(path);
    return status;
}

uint32_t tn_lm_context(const tn_lm_config *c) {
    return c->family == TN_LM_ENCODER ? c->max_positions - c->position_offset : c->max_positions;
}

void tn_lm_rope_frequencies(const tn_lm_rope *r, uint32_t head_dim, float *inv_freq) {
    const double two_pi = 6.283185307179586;
    for (uint32_t i = 0; i < head_dim / 2; i++) {
        double f = 1 / pow(r->theta, 2.0 * i / head_dim);
        if (r->kind == TN_LM_ROPE_LINEAR) f /= r->factor;
        if (r->kind == TN_LM_ROPE_LLAMA3) {
            double turns = r->original_positions * f / two_pi; /* within the first context */
            double ramp = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
            ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
            f = (1 - ramp) * f / r->factor + ramp * f;
        }
        inv_freq[i] = (float)f;
    }
}
