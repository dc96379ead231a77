/* run_setup.c - what a run starts from: tokenizer, config, tokens, weights, optimiser. */
#include "core/base/file.h"
#include "trainer/lm/run_priv.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a training run");
}

/* --- tokenizer -------------------------------------------------------------------------------- */

static bool is_token_file(const char *path) {
    tn_map m;
    if (tn_map_open(path, &m, NULL) != TERN_OK) return false;
    bool yes = m.size >= 8 && memcmp(m.data, "terntok", 7) == 0;
    tn_map_close(&m);
    return yes;
}

static bool all_token_files(const tn_lm_recipe *r) {
    for (size_t i = 0; i < r->data.n; i++)
        if (!is_token_file(r->data.items[i])) return false;
    for (size_t i = 0; i < r->validation.n; i++)
        if (!is_token_file(r->validation.items[i])) return false;
    return true;
}

tern_status tn_lm_open_tokenizer(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    const char *path = r->tokenizer[0]                      ? r->tokenizer
                       : r->model[0] && tn_is_dir(r->model) ? r->model
                                                            : NULL;
    tern_error why = {0};
    tern_status st = path ? tern_tokenizer_open(path, &run->tokenizer, &why)
                          : tern_fail(&why, TERN_ERR_ARG, 0,
                                      "recipe: there is no \"tokenizer\", and the data are texts");
    if (st == TERN_OK) {
        run->tokenizer_path = tn_strdup(path);
        return run->tokenizer_path ? TERN_OK : no_memory(err);
    }
    /* A model folder without a tokenizer will do where nothing is left to encode. */
    bool needed = r->tokenizer[0] || run->task == TN_LM_MLM || !all_token_files(r);
    if (!needed) return TERN_OK;
    if (err) *err = why;
    return st;
}

/* --- tokens ----------------------------------------------------------------------------------- */

tn_prepare_opts tn_lm_prepare_opts(const tn_lm_run *run) {
    const tn_lm_recipe *r = run->recipe;
    bool classes = strcmp(r->loss, "cross_entropy") == 0;
    uint32_t context = r->context;
    if (run->config.family == TN_LM_ENCODER && run->config.vocab &&
        context > tn_lm_context(&run->config))
        context = tn_lm_context(&run->config);
    return (tn_prepare_opts){
        .task = run->task,
        /* texts for decoders are cut as they are read, so that a token file serves any context */
        .context = run->task == TN_LM_PRETRAIN || run->task == TN_LM_SFT ? 0 : context,
        .vocab = run->config.vocab,
        .end_token = r->end_token,
        .classes = classes,
        .chat = r->chat,
        .query_prefix = r->query_prefix,
        .passage_prefix = r->passage_prefix,
        .labels = (const char *const *)r->labels.items,
        .n_classes = run->config.n_labels ? run->config.n_labels
                     : r->labels.n        ? (uint32_t)r->labels.n
                     : classes            ? 2
                                          : 1};
}

/* What a prepared file is of: settings, tokenizer, and name, size and time of each input. */
static tern_status key_of(const tn_lm_run *run, const tn_strings *paths, tn_buf *out,
                          tern_error *err) {
    tn_prepare_opts o = tn_lm_prepare_opts(run);
    tn_buf_printf(out, "terntok1 %s %s %u %u %d %d %s|%s|%s %u\n", tn_lm_task_name(o.task),
                  tern_tokenizer_hash(run->tokenizer), o.context, o.vocab, o.end_token, o.classes,
                  o.chat, o.query_prefix, o.passage_prefix, o.n_classes);
    for (size_t i = 0; i < run->recipe->labels.n; i++)
        tn_buf_printf(out, "label %s\n", run->recipe->labels.items[i]);
    for (size_t i = 0; i < paths->n; i++) {
        struct stat sb;
        if (stat(paths->items[i], &sb) != 0)
            return tern_fail(err, TERN_ERR_NOT_FOUND, 0, "%s: there is no such file",
                             paths->items[i]);
        tn_buf_printf(out, "%s %lld %lld\n", paths->items[i], (long long)sb.st_size,
                      (long long)sb.st_mtime);
    }
    return tn_buf_status(out, err);
}

static bool has_key(const char *path, const tn_buf *key) {
    tn_buf old = {0};
    bool same = tn_file_read(path, 1 << 20, &old, NULL) == TERN_OK && old.len == key->len &&
                memcmp(tn_buf_cstr(&old), key->data, key->len) == 0;
    tn_buf_deinit(&old);
    return same;
}

static void say_prepared(const tn_lm_run *run, const tn_prepared *p) {
    char text[200];
    snprintf(text, sizeof text, "%llu tokens of %llu records; %llu texts were cut, %llu were empty",
             (unsigned long long)p->n_tokens, (unsigned long long)p->n_records,
             (unsigned long long)p->n_cut, (unsigned long long)p->n_empty);
    tn_lm_log(run, TERN_LOG_INFO, text);
}

/* Texts to run/NAME.tokens, unless that was done before from the same. */
static tern_status prepare(tn_lm_run *run, const tn_strings *paths, const char *path,
                           tern_error *err) {
    tn_buf key = {0}, key_path = {0};
    tn_buf_printf(&key_path, "%s.key", path);
    tern_status st = tn_buf_status(&key_path, err);
    if (st == TERN_OK) st = key_of(run, paths, &key, err);
    if (st == TERN_OK && !(tn_file_exists(path) && has_key(key_path.data, &key))) {
        tn_prepare_opts o = tn_lm_prepare_opts(run);
        tn_prepared p;
        st = tn_mkdirs(run->out, err);
        if (st == TERN_OK)
            st = tn_lm_prepare(run->tokenizer, &o, (const char *const *)paths->items, paths->n,
                               path, &run->host, &p, err);
        if (st == TERN_OK) say_prepared(run, &p);
        if (st == TERN_OK) st = tn_file_replace(key_path.data, key.data, key.len, err);
    }
    tn_buf_deinit(&key);
    tn_buf_deinit(&key_path);
    return st;
}

static tern_status check_tokens(const tn_lm_run *run, const tn_tokens *t, const char *path,
                                tern_error *err) {
    if (t->kind.vocab > run->config.vocab)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "%s: has ids up to %u, the model only %u: they do not belong together",
                         path, t->kind.vocab - 1, run->config.vocab);
    if (run->tokenizer && strcmp(t->kind.tokenizer_hash, tern_tokenizer_hash(run->tokenizer)) != 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "%s: was made with another tokenizer than %s: make it again", path,
                         run->tokenizer_path);
    if (strncmp(t->kind.task, tn_lm_task_name(run->task), 8) != 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: was made for task \"%s\", this is \"%s\"", path,
                         t->kind.task, tn_lm_task_name(run->task));
    if (t->kind.tags && run->task == TN_LM_TAG && t->kind.n_tags > run->config.n_labels)
        return tern_fail(err, TERN_ERR_ARG, 0, "%s: has %u classes, the model %u", path,
                         t->kind.n_tags, run->config.n_labels);
    return TERN_OK;
}

static tern_status open_tokens(tn_lm_run *run, const tn_strings *paths, const char *name,
                               tn_tokens *out, tern_error *err) {
    char *path;
    tern_status st = TERN_OK;
    bool ready = false;
    for (size_t i = 0; i < paths->n; i++) ready |= is_token_file(paths->items[i]);
    if (ready && paths->n > 1)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "recipe: a token file stands alone; %zu files were given", paths->n);
    path = ready ? tn_strdup(paths->items[0]) : tn_path_join(run->out, name);
    if (!path) return no_memory(err);
    if (!ready) st = prepare(run, paths, path, err);
    if (st == TERN_OK) st = tn_tokens_open(path, out, err);
    if (st == TERN_OK) st = check_tokens(run, out, path, err);
    tn_free(path);
    return st;
}

static tern_status mark_special(tn_lm_run *run, tern_error *err) {
    run->special = tn_calloc(run->config.vocab, 1);
    if (!run->special) return no_memory(err);
    int32_t n = tern_tokenizer_size(run->tokenizer);
    for (uint32_t i = 0; i < run->config.vocab; i++)
        run->special[i] = (int32_t)i >= n || !tern_tokenizer_piece(run->tokenizer, (int32_t)i) ||
                          tern_tokenizer_is_special(run->tokenizer, (int32_t)i);
    if (tern_tokenizer_special(run->tokenizer, TERN_SPECIAL_MASK) >= 0) return TERN_OK;
    return tern_fail(err, TERN_ERR_ARG, 0,
                     "%s: has no mask token, which masked language modelling needs",
                     run->tokenizer_path);
}

static tern_status open_feeds(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    tn_feed_opts o = {.task = run->task,
                      .context = r->context,
                      .batch = r->batch,
                      .held_out = r->validation.n ? 0 : r->held_out,
                      .across = r->across,
                      .classes = run->loss.objective == TN_LM_SEQ_CLASS,
                      .mask_rate = r->mask_rate,
                      .negatives = r->negatives,
                      .seed = r->seed};
    tern_status st = open_tokens(run, &r->data, "train.tokens", &run->data, err);
    if (st == TERN_OK && r->validation.n)
        st = open_tokens(run, &r->validation, "validation.tokens", &run->valid_data, err);
    if (st == TERN_OK && run->task == TN_LM_MLM) {
        st = mark_special(run, err);
        o.special = run->special;
        o.mask_id = tern_tokenizer_special(run->tokenizer, TERN_SPECIAL_MASK);
    }
    if (st == TERN_OK) st = tn_feed_new(&run->data, &o, &run->feed, err);
    if (st == TERN_OK && r->validation.n) st = tn_feed_new(&run->valid_data, &o, &run->valid, err);
    return st;
}

/* --- weights ---------------------------------------------------------------------------------- */

static void set_objective(tn_lm_run *run) {
    const tn_lm_recipe *r = run->recipe;
    static const tn_lm_objective of_task[TN_LM_N_TASKS] = {
        [TN_LM_PRETRAIN] = TN_LM_NEXT_TOKEN, [TN_LM_SFT] = TN_LM_NEXT_TOKEN,
        [TN_LM_MLM] = TN_LM_MASKED,          [TN_LM_CONTRASTIVE] = TN_LM_PAIRS,
        [TN_LM_CLASSIFY] = TN_LM_SEQ_CLASS,  [TN_LM_TAG] = TN_LM_TOKEN_CLASS};
    run->loss = (tn_lm_loss_opts){.objective = of_task[run->task],
                                  .pool = strcmp(r->pooling, "cls") == 0    ? TN_LM_POOL_CLS
                                          : strcmp(r->pooling, "last") == 0 ? TN_LM_POOL_LAST
                                                                            : TN_LM_POOL_MEAN,
                                  .normalize = r->normalize,
                                  .temperature = r->temperature,
                                  .recompute = r->recompute};
    if (run->task == TN_LM_CLASSIFY && strcmp(r->loss, "bce") == 0)
        run->loss.objective = TN_LM_SEQ_BINARY;
    if (run->task == TN_LM_CLASSIFY && strcmp(r->loss, "mse") == 0)
        run->loss.objective = TN_LM_SEQ_NUMBERS;
}

static tern_status make_weights(tn_lm_run *run, tern_error *err) {
    tn_lm_source *source = NULL;
    size_t n_lacking = 0;
    tn_lm_tape_opts o = {.std = tn_json_num(run->config_json, "initializer_range", 0.02),
                         .seed = run->recipe->seed};
    tern_status st = tn_lm_tape_new(&run->config, &o, &run->tape, err);
    if (st == TERN_OK && run->model_dir) st = tn_lm_source_open(run->model_dir, &source, err);
    if (st == TERN_OK && source) {
        bool new_head = run->task != TN_LM_PRETRAIN && run->task != TN_LM_SFT;
        st = tn_lm_tape_load(run->tape, source, new_head, &n_lacking, err);
    }
    tn_lm_source_free(source);
    if (st == TERN_OK && n_lacking) {
        char text[120];
        snprintf(text, sizeof text, "%s has no head for this task: %zu tensors start anew",
                 run->model_dir, n_lacking);
        tn_lm_log(run, TERN_LOG_INFO, text);
    }
    run->result->n_new_head = n_lacking;
    run->result->n_weights = st == TERN_OK ? tern_params_size(tn_lm_tape_params(run->tape)) : 0;
    return st;
}

static tern_status make_optimiser(tn_lm_run *run, tern_error *err) {
    const tn_lm_recipe *r = run->recipe;
    tern_graph_opts go = {.n_threads = run->host.n_threads, .bf16 = r->bf16, .seed = r->seed};
    tern_status st = tern_graph_new(&go, &run->graph, err);
    tern_optim_opts o = tern_optim_defaults(TERN_OPTIM_ADAMW);
    o.beta1 = (float)r->beta1;
    o.beta2 = (float)r->beta2;
    o.eps = (float)r->eps;
    o.weight_decay = (float)r->decay;
    o.grad_norm_max = (float)r->clip;
    return st == TERN_OK
               ? tern_optim_new(&o, tn_lm_tape_params(run->tape), run->graph, &run->optim, err)
               : st;
}

static void plan_steps(tn_lm_run *run) {
    const tn_lm_recipe *r = run->recipe;
    double per_step = (double)r->batch * r->accumulate;
    double wanted = ceil(r->epochs * (double)tn_feed_n_train(run->feed) / per_step);
    run->n_steps = r->steps ? r->steps : wanted < 1 ? 1 : (uint64_t)wanted;
    run->lr = (tern_lr){.kind = strcmp(r->schedule, "cosine") == 0   ? TERN_LR_COSINE
                                : strcmp(r->schedule, "linear") == 0 ? TERN_LR_LINEAR
                                                                     : TERN_LR_CONSTANT,
                        .lr_max = r->lr,
                        .lr_min = r->lr * r->lr_end,
                        .n_warmup = r->warmup < run->n_steps / 10 ? r->warmup : run->n_steps / 10,
                        .n_steps = run->n_steps};
}

/* Multiplications and additions of a token, forward and backward: 6 per weight of a matrix that
 * multiplies it, and the scores and sums of attention over half (causal) or all of the context. */
static void count_flops(tn_lm_run *run) {
    const tn_lm_config *c = &run->config;
    double n = 0, context = run->recipe->context;
    size_t n_params = tn_lm_params(c, NULL);
    tn_lm_param *table = tn_calloc(n_params, sizeof *table);
    if (!table) return; /* only a figure is lost */
    tn_lm_params(c, table);
    for (size_t i = 0; i < n_params; i++) {
        bool lookup = table[i].slot == TN_LM_EMBED || table[i].slot == TN_LM_POSITIONS ||
                      table[i].slot == TN_LM_TYPES;
        bool language = c->head == TN_LM_HEAD_CAUSAL || c->head == TN_LM_HEAD_MASKED;
        if (table[i].slot == TN_LM_EMBED && c->tied && language) lookup = false;
        if (!lookup && table[i].cols) n += (double)table[i].rows * table[i].cols;
    }
    tn_free(table);
    double seen = c->family == TN_LM_DECODER ? context / 2 : context;
    run->flops_per_token = 6 * n + 12.0 * c->n_layers * tn_lm_q_dim(c) * seen;
}

/* steps, and what is only looked at or kept, is left out where it cannot change a weight. */
static tern_status hash_run(tn_lm_run *run, tern_error *err) {
    static const char *const passive[] = {
        "validate_every", "validate_batches", "checkpoint_every", "keep",   "log_every", "model",
        "data",           "validation",       "tokenizer",        "epochs", "recompute"};
    json_t *o = tn_lm_recipe_json(run->recipe);
    tn_buf b = {0};
    if (!o) return no_memory(err);
    for (size_t i = 0; i < sizeof passive / sizeof *passive; i++) json_object_del(o, passive[i]);
    tn_json_dump(o, &b);
    tn_json_dump(run->config_json, &b);
    tn_buf_printf(&b, "%u %llu %llu", run->data.crc, (unsigned long long)run->data.n_tokens,
                  (unsigned long long)run->n_steps);
    tern_status st = tn_buf_status(&b, err);
    if (st == TERN_OK) run->hash = XXH3_64bits(b.data, b.len);
    tn_buf_deinit(&b);
    json_decref(o);
    return st;
}

tern_status tn_lm_setup(tn_lm_run *run, tern_error *err) {
    tern_status st = tn_lm_recipe_check(run->recipe, &run->task, err);
    if (st == TERN_OK) st = tn_lm_open_tokenizer(run, err);
    if (st == TERN_OK) st = tn_lm_read_config(run, err);
    set_objective(run);
    if (st == TERN_OK) st = tn_lm_check_objective(&run->config, run->loss.objective, err);
    if (st == TERN_OK) st = open_feeds(run, err);
    if (st == TERN_OK) st = make_weights(run, err);
    if (st == TERN_OK) st = make_optimiser(run, err);
    if (st != TERN_OK) return st;
    plan_steps(run);
    count_flops(run);
    tn_lm_run_result *r = run->result;
    r->n_steps = run->n_steps;
    r->n_items = tn_feed_n_train(run->feed);
    r->n_held = run->valid ? tn_feed_n_train(run->valid) : tn_feed_n_held(run->feed);
    r->n_cut = tn_feed_n_cut(run->feed);
    r->n_data_tokens = run->data.n_tokens;
    r->tokens_per_step =
        tn_feed_tokens_per_item(run->feed) * run->recipe->batch * run->recipe->accumulate;
    return hash_run(run, err);
}

void tn_lm_teardown(tn_lm_run *run) {
    tern_optim_free(run->optim);
    tern_graph_free(run->graph);
    tn_lm_tape_free(run->tape);
    tn_feed_free(run->feed);
    tn_feed_free(run->valid);
    tn_tokens_close(&run->data);
    tn_tokens_close(&run->valid_data);
    tern_tokenizer_close(run->tokenizer);
    json_decref(run->config_json);
    tn_free(run->special);
    tn_free(run->model_dir);
    tn_free(run->tokenizer_path);
    tn_free(run->history);
    tn_free(run->history_step);
    tn_arena_deinit(&run->arena);
}

tern_status tn_lm_make_tokens(const tn_lm_recipe *recipe, const char *out_path,
                              const tern_host *host, tn_prepared *result, tern_error *err) {
    tn_lm_run_result unused = {0};
    tn_lm_run run = {.recipe = recipe, .result = &unused, .metrics_fd = -1, .events_fd = -1};
    *result = (tn_prepared){0};
    if (host) run.host = *host;
    int task = tn_lm_task_find(recipe->task);
    if (task < 0)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the task must be pretrain, sft, mlm, contrastive, "
                         "classify or tag");
    run.task = (tn_lm_task)task;
    tern_status st = tn_lm_open_tokenizer(&run, err);
    if (st == TERN_OK && !run.tokenizer)
        st = tern_fail(err, TERN_ERR_ARG, 0, "the data are token files already");
    if (st == TERN_OK && (recipe->config || recipe->model[0])) st = tn_lm_read_config(&run, err);
    if (st == TERN_OK) {
        tn_prepare_opts o = tn_lm_prepare_opts(&run);
        st = tn_lm_prepare(run.tokenizer, &o, (const char *const *)recipe->data.items,
                           recipe->data.n, out_path, host, result, err);
    }
    tn_lm_teardown(&run);
    return st;
}
