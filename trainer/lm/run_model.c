/* run_model.c - the model's side of a run: a config.json that fits the task, and at the end the
 * folder in Hugging Face's layout, which tern and transformers load. */
#include "core/base/file.h"
#include "tern/checkpoint.h"
#include "trainer/lm/run_priv.h"
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the model's config");
}

/* --- the config ------------------------------------------------------------------------------- */

static const char *const heads[TN_LM_N_TASKS] = {[TN_LM_PRETRAIN] = "ForCausalLM",
                                                 [TN_LM_SFT] = "ForCausalLM",
                                                 [TN_LM_MLM] = "ForMaskedLM",
                                                 [TN_LM_CONTRASTIVE] = "Model",
                                                 [TN_LM_CLASSIFY] = "ForSequenceClassification",
                                                 [TN_LM_TAG] = "ForTokenClassification"};

/* "Llama" of "LlamaForCausalLM" or "LlamaModel", else of the model_type; "": unknown. */
static void family_name(const json_t *config, char out[64]) {
    static const char *const known[][2] = {
        {"llama", "Llama"},     {"mistral", "Mistral"},       {"qwen2", "Qwen2"},
        {"qwen3", "Qwen3"},     {"gemma3_text", "Gemma3"},    {"bert", "Bert"},
        {"roberta", "Roberta"}, {"xlm-roberta", "XLMRoberta"}};
    const char *name =
        json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    const char *type = tn_json_str(config, "model_type", "");
    const char *end = name ? strstr(name, "For") : NULL;
    if (name && !end) end = strstr(name, "Model");
    out[0] = '\0';
    if (end) snprintf(out, 64, "%.*s", (int)(end - name), name);
    for (size_t i = 0; !end && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i][0], type) == 0) snprintf(out, 64, "%s", known[i][1]);
}

static bool set(json_t *o, const char *key, json_t *value) {
    return json_object_set_new(o, key, value) == 0;
}

/* The head of the task in place of the one the model has. */
static bool set_architecture(json_t *config, tn_lm_task task) {
    const char *name =
        json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    char family[64], full[128];
    if (name && strstr(name, "ForConditionalGeneration") && task <= TN_LM_SFT) return true;
    family_name(config, family);
    if (!family[0]) return true; /* the config's reader says what is wrong */
    snprintf(full, sizeof full, "%s%s", family, heads[task]);
    json_t *list = json_pack("[s]", full);
    return list && set(config, "architectures", list);
}

/* Names of classes as transformers keeps them; "LABEL_0" where none are given. */
static bool set_labels(json_t *config, const tn_strings *labels, size_t n) {
    json_t *by_id = json_object(), *by_label = json_object();
    bool ok = by_id && by_label;
    for (size_t i = 0; ok && i < n; i++) {
        char id[24], label[32];
        snprintf(id, sizeof id, "%zu", i);
        snprintf(label, sizeof label, "LABEL_%zu", i);
        const char *name = labels->n ? labels->items[i] : label;
        ok = set(by_id, id, json_string(name)) && set(by_label, name, json_integer((json_int_t)i));
    }
    if (!ok) {
        json_decref(by_id);
        json_decref(by_label);
        return false;
    }
    json_object_del(config, "num_labels");
    bool first = set(config, "id2label", by_id);
    return set(config, "label2id", by_label) && first;
}

/* What a config to start anew may leave to the tokenizer. */
static bool fill_from_tokenizer(json_t *config, const tern_tokenizer *t) {
    static const struct {
        const char *key;
        tern_special which;
    } ids[] = {{"bos_token_id", TERN_SPECIAL_BOS},
               {"eos_token_id", TERN_SPECIAL_EOS},
               {"pad_token_id", TERN_SPECIAL_PAD}};
    bool ok = true;
    if (!json_object_get(config, "vocab_size"))
        ok = set(config, "vocab_size", json_integer(tern_tokenizer_size(t)));
    for (size_t i = 0; i < 3 && ok; i++) {
        int32_t id = tern_tokenizer_special(t, ids[i].which);
        if (id >= 0 && !json_object_get(config, ids[i].key))
            ok = set(config, ids[i].key, json_integer(id));
    }
    return ok;
}

static tern_status load_json(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    if (r->config) {
        run->config_json = json_deep_copy(r->config);
        return run->config_json ? TERN_OK : no_memory(err);
    }
    if (!tn_is_dir(r->model)) return tn_json_load(r->model, &run->config_json, err);
    run->model_dir = tn_strdup(r->model);
    char *path = tn_path_join(r->model, "config.json");
    tern_status st =
        run->model_dir && path ? tn_json_load(path, &run->config_json, err) : no_memory(err);
    tn_free(path);
    return st;
}

tern_status tn_lm_read_config(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    const char *path = r->config ? "recipe: model" : r->model;
    tern_status st = load_json(run, err);
    if (st == TERN_OK && !json_is_object(run->config_json))
        st = tern_fail(err, TERN_ERR_FORMAT, 0, "%s: a config is a JSON object", path);
    if (st != TERN_OK) return st;
    bool classes = run->task == TN_LM_CLASSIFY || run->task == TN_LM_TAG;
    bool numbers = classes && strcmp(r->loss, "cross_entropy") != 0;
    bool ok = set_architecture(run->config_json, run->task);
    if (ok && run->tokenizer && !run->model_dir)
        ok = fill_from_tokenizer(run->config_json, run->tokenizer);
    if (ok && classes && r->labels.n)
        ok = set_labels(run->config_json, &r->labels, r->labels.n);
    else if (ok && numbers && !json_object_get(run->config_json, "id2label"))
        ok = set_labels(run->config_json, &r->labels, 1);
    tn_buf text = {0};
    if (ok) tn_json_dump(run->config_json, &text);
    st = ok ? tn_buf_status(&text, err) : no_memory(err);
    if (st == TERN_OK) st = tn_lm_config_parse(text.data, text.len, path, &run->config, err);
    tn_buf_deinit(&text);
    return st;
}

/* --- the folder ------------------------------------------------------------------------------- */

static tern_status put_file(const char *dir, const char *name, const void *data, size_t n,
                            tern_error *err) {
    char *path = tn_path_join(dir, name);
    tern_status st = path ? tn_file_replace(path, data, n, err) : no_memory(err);
    tn_free(path);
    return st;
}

static tern_status put_text(const char *dir, const char *name, const char *text, tern_error *err) {
    return put_file(dir, name, text, strlen(text), err);
}

static tern_status put_json(const char *dir, const char *name, const json_t *v, tern_error *err) {
    tn_buf text = {0};
    if (v) tn_json_dump_pretty(v, &text);
    tn_buf_char(&text, '\n');
    tern_status st = v ? tn_buf_status(&text, err) : no_memory(err);
    if (st == TERN_OK) st = put_file(dir, name, text.data, text.len, err);
    tn_buf_deinit(&text);
    return st;
}

static tern_status copy(const char *from, const char *dir, const char *name, tern_error *err) {
    tn_buf data = {0};
    tern_status st = tn_file_read(from, (size_t)1 << 30, &data, err);
    if (st == TERN_OK) st = put_file(dir, name, tn_buf_cstr(&data), data.len, err);
    tn_buf_deinit(&data);
    return st;
}

static tern_status copy_if_there(const char *from_dir, const char *dir, const char *name,
                                 tern_error *err) {
    char *from = tn_path_join(from_dir, name);
    tern_status st = from ? TERN_OK : no_memory(err);
    if (st == TERN_OK && tn_file_exists(from)) st = copy(from, dir, name, err);
    tn_free(from);
    return st;
}

static const char *const tokenizer_files[] = {"tokenizer.json",
                                              "tokenizer_config.json",
                                              "special_tokens_map.json",
                                              "added_tokens.json",
                                              "vocab.json",
                                              "merges.txt",
                                              "vocab.txt",
                                              "tokenizer.model",
                                              "spiece.model",
                                              "sentencepiece.bpe.model",
                                              "chat_template.jinja"};
enum { N_TOKENIZER_FILES = sizeof tokenizer_files / sizeof *tokenizer_files };

/* Does the tokenizer begin texts with its first token by itself? */
static bool adds_bos(const tern_tokenizer *t) {
    tern_tokens tokens = {0};
    bool yes = tern_tokenizer_encode(t, "", 0, NULL, &tokens, NULL) == TERN_OK && tokens.n &&
               tokens.ids[0] == tern_tokenizer_special(t, TERN_SPECIAL_BOS);
    tern_tokens_deinit(&tokens);
    return yes;
}

/* A lone SentencePiece model becomes a folder that transformers opens as Llama's tokenizer. */
static tern_status wrap_sentencepiece(const tn_lm_run *run, const char *dir, tern_error *err) {
    tern_status st = copy(run->tokenizer_path, dir, "tokenizer.model", err);
    json_t *o = json_pack("{s:s,s:b,s:b,s:b}", "tokenizer_class", "LlamaTokenizer", "add_bos_token",
                          adds_bos(run->tokenizer), "add_eos_token", 0, "legacy", 0);
    const struct {
        const char *key;
        tern_special which;
    } names[] = {{"bos_token", TERN_SPECIAL_BOS},
                 {"eos_token", TERN_SPECIAL_EOS},
                 {"unk_token", TERN_SPECIAL_UNK}};
    for (size_t i = 0; o && i < 3; i++) {
        int32_t id = tern_tokenizer_special(run->tokenizer, names[i].which);
        const char *piece = id >= 0 ? tern_tokenizer_piece(run->tokenizer, id) : NULL;
        if (piece && !set(o, names[i].key, json_string(piece))) st = no_memory(err);
    }
    if (st == TERN_OK) st = put_json(dir, "tokenizer_config.json", o, err);
    json_decref(o);
    return st;
}

static tern_status write_tokenizer(const tn_lm_run *run, const char *dir, tern_error *err) {
    if (!run->tokenizer_path) return TERN_OK;
    const char *name = tn_path_base(run->tokenizer_path);
    tern_status st = TERN_OK;
    if (tn_is_dir(run->tokenizer_path)) {
        for (size_t i = 0; i < N_TOKENIZER_FILES && st == TERN_OK; i++)
            st = copy_if_there(run->tokenizer_path, dir, tokenizer_files[i], err);
        return st;
    }
    for (size_t i = 0; i < N_TOKENIZER_FILES; i++) {
        if (strcmp(name, tokenizer_files[i]) != 0) continue;
        char *folder = tn_strndup(run->tokenizer_path, (size_t)(name - run->tokenizer_path));
        st = folder ? TERN_OK : no_memory(err);
        for (size_t k = 0; k < N_TOKENIZER_FILES && st == TERN_OK; k++)
            st = copy_if_there(folder[0] ? folder : ".", dir, tokenizer_files[k], err);
        tn_free(folder);
        bool alone = strcmp(name, "tokenizer.model") == 0;
        char *config = alone ? tn_path_join(dir, "tokenizer_config.json") : NULL;
        if (st == TERN_OK && config && !tn_file_exists(config))
            st = wrap_sentencepiece(run, dir, err);
        tn_free(config);
        return st;
    }
    return wrap_sentencepiece(run, dir, err);
}

/* modules.json and what it names: the layout of sentence-transformers. */
static tern_status write_pooling(const tn_lm_run *run, const char *dir, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    char *pooling = tn_path_join(dir, "1_Pooling"), *unit = tn_path_join(dir, "2_Normalize");
    tern_status st = pooling && unit ? tn_mkdirs(pooling, err) : no_memory(err);
    if (st == TERN_OK && r->normalize) st = tn_mkdirs(unit, err);
    json_t *o = json_pack("{s:i,s:b,s:b,s:b}", "word_embedding_dimension", (int)run->config.hidden,
                          "pooling_mode_cls_token", strcmp(r->pooling, "cls") == 0,
                          "pooling_mode_mean_tokens", strcmp(r->pooling, "mean") == 0,
                          "pooling_mode_lasttoken", strcmp(r->pooling, "last") == 0);
    if (st == TERN_OK) st = put_json(pooling, "config.json", o, err);
    json_decref(o);
    if (st == TERN_OK && (r->query_prefix[0] || r->passage_prefix[0])) {
        o = json_pack("{s:{s:s,s:s}}", "prompts", "query", r->query_prefix, "passage",
                      r->passage_prefix);
        st = put_json(dir, "config_sentence_transformers.json", o, err);
        json_decref(o);
    }
    char limits[96];
    snprintf(limits, sizeof limits, "{\"max_seq_length\": %u, \"do_lower_case\": false}\n",
             r->context < tn_lm_context(&run->config) ? r->context : tn_lm_context(&run->config));
    if (st == TERN_OK) st = put_text(dir, "sentence_bert_config.json", limits, err);
    static const char plain[] = "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                                "\"sentence_transformers.models.Transformer\"},\n"
                                " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
                                "\"sentence_transformers.models.Pooling\"}]\n";
    static const char normal[] =
        "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
        "\"sentence_transformers.models.Transformer\"},\n"
        " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
        "\"sentence_transformers.models.Pooling\"},\n"
        " {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
        "\"sentence_transformers.models.Normalize\"}]\n";
    if (st == TERN_OK) st = put_text(dir, "modules.json", r->normalize ? normal : plain, err);
    tn_free(pooling);
    tn_free(unit);
    return st;
}

tern_status tn_lm_write_model(const tn_lm_run *run, tern_error *err) {
    char *dir = tn_path_join(run->out, "model");
    char *weights = dir ? tn_path_join(dir, "model.safetensors") : NULL;
    const tern_st_meta meta = {"format", "pt"}; /* what transformers asks for */
    tern_status st = weights ? tn_mkdirs(dir, err) : no_memory(err);
    if (st == TERN_OK && !set(run->config_json, "torch_dtype", json_string("float32")))
        st = no_memory(err);
    if (st == TERN_OK) st = tern_params_save(weights, tn_lm_tape_params(run->tape), &meta, 1, err);
    if (st == TERN_OK) st = put_json(dir, "config.json", run->config_json, err);
    if (st == TERN_OK) st = write_tokenizer(run, dir, err);
    if (st == TERN_OK && run->model_dir)
        st = copy_if_there(run->model_dir, dir, "generation_config.json", err);
    if (st == TERN_OK && run->task == TN_LM_CONTRASTIVE) st = write_pooling(run, dir, err);
    tn_free(weights);
    tn_free(dir);
    return st;
}
