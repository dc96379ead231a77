/* lm_recipe.c - see lm_recipe.h. */
#include "trainer/lm/lm_recipe.h"
#include "trainer/members.h"
#include <stddef.h>
#include <string.h>

#include "core/base/mem.h"

tn_lm_recipe tn_lm_recipe_defaults(void) {
    return (tn_lm_recipe){.loss = "cross_entropy",
                          .pooling = "mean",
                          .schedule = "cosine",
                          .context = 512,
                          .batch = 8,
                          .accumulate = 1,
                          .warmup = 100,
                          .validate_every = 100,
                          .validate_batches = 32,
                          .checkpoint_every = 100,
                          .keep = 2,
                          .log_every = 1,
                          .negatives = 4,
                          .epochs = 1,
                          .lr = 3e-4,
                          .lr_end = 0.1,
                          .decay = 0.01,
                          .beta1 = 0.9,
                          .beta2 = 0.95,
                          .eps = 1e-8,
                          .clip = 1,
                          .mask_rate = 0.15,
                          .temperature = 0.05,
                          .normalize = true,
                          .end_token = true,
                          .seed = 1};
}

static const tn_member members[] = {
#define MEMBER(name, type, low, high, help)                                                        \
    {                                                                                              \
#name, TN_MEMBER_##type, offsetof(tn_lm_recipe, name), sizeof(((tn_lm_recipe *)0)->name),  \
            low, high, help                                                                        \
    }
    /* clang-format off */
    MEMBER(task, TEXT, 0, 0, "pretrain, sft, mlm, contrastive, classify or tag"),
    MEMBER(model, OTHER, 0, 0, "a model folder to go on from; a config.json, or its object here, to start anew"),
    MEMBER(tokenizer, TEXT, 0, 0, "folder or file of the tokenizer; default: the model's"),
    MEMBER(data, OTHER, 0, 0, "a file, or a list: token files, .jsonl or .txt, plain or compressed"),
    MEMBER(validation, OTHER, 0, 0, "the same, judged but not learned"),
    MEMBER(held_out, COUNT, 0, 1e9, "items of the data kept for validation, if there is no such file"),
    MEMBER(context, COUNT, 2, 1e6, "tokens of a window; longer sequences are cut"),
    MEMBER(batch, COUNT, 1, 65536, "windows, texts or pairs of a micro-batch"),
    MEMBER(accumulate, COUNT, 1, 65536, "micro-batches of a step"),
    MEMBER(steps, COUNT, 0, 1e8, "updates; 0: as many as the epochs make"),
    MEMBER(epochs, REAL, 1e-6, 1e6, "passes over the data, when steps is 0"),
    MEMBER(lr, REAL, 1e-12, 10, "highest learning rate of AdamW"),
    MEMBER(schedule, TEXT, 0, 0, "cosine, linear or constant, after the warm-up"),
    MEMBER(warmup, COUNT, 0, 1e8, "steps from 0 to lr; at most a tenth of all steps are used"),
    MEMBER(lr_end, REAL, 0, 1, "the last learning rate, as a share of lr"),
    MEMBER(decay, REAL, 0, 10, "weight decay of matrices (vectors have none)"),
    MEMBER(beta1, REAL, 0, 0.99999, "of AdamW"),
    MEMBER(beta2, REAL, 0, 0.99999999, "of AdamW"),
    MEMBER(eps, REAL, 1e-30, 1, "of AdamW"),
    MEMBER(clip, REAL, 0, 1e9, "largest norm of the gradient; 0: any"),
    MEMBER(across, TRUTH, 0, 0, "pretrain: attention and targets cross documents in a window"),
    MEMBER(end_token, TRUTH, 0, 0, "pretrain: put the end token after each document"),
    MEMBER(chat, TEXT, 0, 0, "sft: chat template by name; default: the tokenizer's"),
    MEMBER(mask_rate, REAL, 0.001, 0.9, "mlm: share of the tokens hidden"),
    MEMBER(temperature, REAL, 1e-4, 100, "contrastive: scores are divided by it"),
    MEMBER(negatives, COUNT, 0, 1024, "contrastive: mined negatives used of each query"),
    MEMBER(pooling, TEXT, 0, 0, "contrastive: mean, cls or last"),
    MEMBER(normalize, TRUTH, 0, 0, "contrastive: vectors of length 1, so cosines"),
    MEMBER(query_prefix, TEXT, 0, 0, "contrastive: text put before each query"),
    MEMBER(passage_prefix, TEXT, 0, 0, "contrastive: text put before each passage"),
    MEMBER(labels, OTHER, 0, 0, "classify, tag: names of the classes, a list"),
    MEMBER(loss, TEXT, 0, 0, "classify: cross_entropy, bce (labels 0..1) or mse (numbers)"),
    MEMBER(bf16, TRUTH, 0, 0, "products in bf16; weights, sums and moments stay f32"),
    MEMBER(recompute, TRUTH, 0, 0, "keep only the inputs of layers: less memory, a third more time"),
    MEMBER(validate_every, COUNT, 0, 1e8, "steps between looks at the validation items; 0: at the end"),
    MEMBER(validate_batches, COUNT, 0, 1e8, "micro-batches of a look; 0: all"),
    MEMBER(checkpoint_every, COUNT, 1, 1e8, "steps between checkpoints"),
    MEMBER(keep, COUNT, 1, 1000, "checkpoints kept"),
    MEMBER(log_every, COUNT, 1, 1e6, "steps between lines of metrics"),
    MEMBER(seed, SEED, 0, 0, "of everything random"),
/* clang-format on */
#undef MEMBER
};
enum { N_MEMBERS = sizeof members / sizeof *members };

static void free_strings(tn_strings *s) {
    for (size_t i = 0; i < s->n; i++) tn_free(s->items[i]);
    tn_free(s->items);
    *s = (tn_strings){0};
}

void tn_lm_recipe_deinit(tn_lm_recipe *r) {
    json_decref(r->config);
    r->config = NULL;
    free_strings(&r->data);
    free_strings(&r->validation);
    free_strings(&r->labels);
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the recipe");
}

/* A string or a list of strings. */
static tern_status read_strings(tn_strings *out, const json_t *obj, const char *name,
                                const char *where, tern_error *err) {
    const json_t *v = json_object_get(obj, name);
    if (!v) return TERN_OK;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    free_strings(out);
    out->items = tn_calloc(n + 1, sizeof *out->items);
    if (!out->items) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);
        if (!s)
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "%s: \"%s\" must be a string or a list of them", where, name);
        out->items[i] = tn_strdup(s);
        if (!out->items[i]) return no_memory(err);
        out->n++;
    }
    return TERN_OK;
}

static tern_status read_model(tn_lm_recipe *r, const json_t *obj, const char *where,
                              tern_error *err) {
    json_t *v = json_object_get(obj, "model");
    if (!v) return TERN_OK;
    json_decref(r->config);
    r->config = NULL;
    r->model[0] = '\0';
    if (json_is_object(v)) {
        r->config = json_deep_copy(v);
        return r->config ? TERN_OK : no_memory(err);
    }
    if (!json_is_string(v) || json_string_length(v) >= sizeof r->model)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "%s: \"model\" must be a path, or the object of a config.json", where);
    memcpy(r->model, json_string_value(v), json_string_length(v) + 1);
    return TERN_OK;
}

tern_status tn_lm_recipe_read(tn_lm_recipe *r, const json_t *obj, const char *where,
                              tern_error *err) {
    tern_status st = tn_members_read(r, members, N_MEMBERS, obj, where, "a recipe", err);
    if (st == TERN_OK) st = read_model(r, obj, where, err);
    if (st == TERN_OK) st = read_strings(&r->data, obj, "data", where, err);
    if (st == TERN_OK) st = read_strings(&r->validation, obj, "validation", where, err);
    if (st == TERN_OK) st = read_strings(&r->labels, obj, "labels", where, err);
    return st;
}

static tern_status one_of(const char *name, const char *value, const char *const *words,
                          tern_error *err) {
    char list[160] = "";
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], value) == 0) return TERN_OK;
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, words[i], sizeof list - strlen(list) - 1);
    }
    return tern_fail(err, TERN_ERR_ARG, 0, "recipe: %s is \"%.60s\", must be one of %s", name,
                     value, list);
}

tern_status tn_lm_recipe_check(const tn_lm_recipe *r, tn_lm_task *task, tern_error *err) {
    static const char *const tasks[] = {"pretrain", "sft", "mlm", "contrastive",
                                        "classify", "tag", NULL};
    static const char *const schedules[] = {"cosine", "linear", "constant", NULL};
    static const char *const poolings[] = {"mean", "cls", "last", NULL};
    static const char *const losses[] = {"cross_entropy", "bce", "mse", NULL};
    tern_status st = tn_members_check(r, members, N_MEMBERS, err);
    if (st == TERN_OK && !r->task[0])
        st = tern_fail(err, TERN_ERR_ARG, 0,
                       "recipe: there is no \"task\": pretrain, sft, mlm, contrastive, classify or "
                       "tag");
    if (st == TERN_OK) st = one_of("task", r->task, tasks, err);
    if (st == TERN_OK) st = one_of("schedule", r->schedule, schedules, err);
    if (st == TERN_OK) st = one_of("pooling", r->pooling, poolings, err);
    if (st == TERN_OK) st = one_of("loss", r->loss, losses, err);
    if (st != TERN_OK) return st;
    if (!r->config && !r->model[0])
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "recipe: there is no \"model\": a folder to go on from, or a config");
    if (r->data.n == 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "recipe: there is no \"data\" to train on");
    *task = (tn_lm_task)tn_lm_task_find(r->task);
    return TERN_OK;
}

static bool set_strings(json_t *obj, const char *name, const tn_strings *s) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < s->n; i++)
        if (json_array_append_new(list, json_string(s->items[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list && json_object_set_new(obj, name, list) == 0;
}

json_t *tn_lm_recipe_json(const tn_lm_recipe *r) {
    json_t *obj = json_object();
    bool ok = obj && tn_members_write(r, members, N_MEMBERS, obj);
    ok = ok &&
         json_object_set_new(obj, "model",
                             r->config ? json_deep_copy(r->config) : json_string(r->model)) == 0;
    ok = ok && set_strings(obj, "data", &r->data) &&
         set_strings(obj, "validation", &r->validation) && set_strings(obj, "labels", &r->labels);
    if (ok) return obj;
    json_decref(obj);
    return NULL;
}

static void put_default(const json_t *v, tn_buf *out) {
    tn_buf text = {0};
    if (json_is_real(v))
        tn_buf_printf(&text, "%g", json_real_value(v));
    else if (v)
        tn_json_dump(v, &text);
    tn_buf_printf(out, "%-15s", tn_buf_cstr(&text));
    tn_buf_deinit(&text);
}

void tn_lm_recipe_help(tn_buf *out) {
    tn_lm_recipe r = tn_lm_recipe_defaults();
    json_t *obj = tn_lm_recipe_json(&r);
    if (!obj) tn_buf_fail(out);
    tn_buf_printf(out, "%-17s%-16s%s\n", "member", "default", "what it is");
    for (size_t i = 0; obj && i < N_MEMBERS; i++) {
        tn_buf_printf(out, "%-16s ", members[i].name);
        put_default(json_object_get(obj, members[i].name), out);
        tn_buf_printf(out, " %s\n", members[i].help);
    }
    json_decref(obj);
}
