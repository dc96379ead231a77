/* feed.c - see feed.h: which items a batch holds. */
#include "trainer/lm/feed_priv.h"
#include <string.h>

#include "core/base/mem.h"

static const char *const task_names[TN_LM_N_TASKS] = {"pretrain",    "sft",      "mlm",
                                                      "contrastive", "classify", "tag"};

const char *tn_lm_task_name(tn_lm_task task) {
    return task_names[task];
}

int tn_lm_task_find(const char *name) {
    for (int i = 0; i < TN_LM_N_TASKS; i++)
        if (strcmp(task_names[i], name) == 0) return i;
    return -1;
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a batch");
}

/* Item number of the k-th held-out item: evenly spaced, none twice. */
static uint64_t held_item(const tn_feed *f, uint64_t k) {
    return (uint64_t)(((double)k + 0.5) * (double)f->n_items / (double)f->n_held);
}

static tern_status check_records(const tn_feed *f, tern_error *err) {
    const tn_tokens *t = f->t;
    for (uint64_t r = 0; r < t->n_records && f->o.task == TN_LM_CONTRASTIVE; r++)
        if (t->record_begin[r + 1] - t->record_begin[r] < 2)
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "record %llu has no positive passage: contrastive training needs a "
                             "query and its passage",
                             (unsigned long long)r + 1);
    if ((f->o.task == TN_LM_SFT || f->o.task == TN_LM_TAG) && !t->tags)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the token file has no tags: it was not made for task \"%s\"",
                         task_names[f->o.task]);
    if (f->o.task == TN_LM_CLASSIFY && !t->targets)
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "the token file has no targets: it was not made for task \"classify\"");
    return TERN_OK;
}

/* Fisher-Yates over the training items; a pure function of (seed, epoch). */
static void shuffle(tn_feed *f, uint64_t epoch) {
    uint64_t next = 0, n = 0;
    for (uint64_t i = 0; i < f->n_items; i++) {
        if (next < f->n_held && held_item(f, next) == i)
            next++;
        else
            f->order[n++] = i;
    }
    tn_rng rng = tn_feed_rng(f, TN_FEED_ORDER, (tn_feed_item){0, epoch});
    for (uint64_t i = f->n_train; i-- > 1;) {
        uint64_t j = tn_rng_below(&rng, i + 1), swap = f->order[i];
        f->order[i] = f->order[j];
        f->order[j] = swap;
    }
    f->order_epoch = epoch;
}

tern_status tn_feed_new(const tn_tokens *tokens, const tn_feed_opts *opts, tn_feed **out,
                        tern_error *err) {
    *out = NULL;
    if (opts->batch == 0 || opts->context < 2)
        return tern_fail(err, TERN_ERR_ARG, 0, "batch must be 1 or more, context 2 or more");
    tn_feed *f = tn_calloc(1, sizeof *f);
    if (!f) return no_memory(err);
    f->t = tokens;
    f->o = *opts;
    if (opts->task == TN_LM_PRETRAIN) /* a last window may be short, but has a target */
        f->n_items = tokens->n_tokens < 2 ? 0
                     : tokens->n_tokens - 1 < opts->context
                         ? 1
                         : (tokens->n_tokens - 1) / opts->context;
    else
        f->n_items = tokens->n_records;
    f->n_held = opts->held_out < f->n_items / 5 ? opts->held_out : f->n_items / 5;
    f->n_train = f->n_items - f->n_held;
    tern_status st =
        f->n_items ? check_records(f, err)
                   : tern_fail(err, TERN_ERR_ARG, 0, "there is nothing to train on: %llu tokens",
                               (unsigned long long)tokens->n_tokens);
    if (st == TERN_OK) {
        f->order = tn_realloc(NULL, f->n_train, sizeof *f->order);
        if (!f->order) st = no_memory(err);
    }
    if (st != TERN_OK) {
        tn_feed_free(f);
        return st;
    }
    shuffle(f, 0);
    for (uint64_t i = 0; i < f->n_items && opts->task != TN_LM_PRETRAIN; i++) {
        bool cut = false;
        tn_feed_item_tokens(f, i, &cut);
        f->n_cut += cut;
    }
    *out = f;
    return TERN_OK;
}

void tn_feed_free(tn_feed *f) {
    if (!f) return;
    tn_free(f->order);
    tn_free(f);
}

uint64_t tn_feed_n_train(const tn_feed *f) {
    return f->n_train;
}

uint64_t tn_feed_n_held(const tn_feed *f) {
    return f->n_held;
}

uint64_t tn_feed_n_cut(const tn_feed *f) {
    return f->n_cut;
}

double tn_feed_tokens_per_item(const tn_feed *f) {
    uint64_t sum = 0, step = f->n_items / 65536 + 1, n = 0; /* a sample is enough for a forecast */
    for (uint64_t i = 0; i < f->n_items; i += step, n++) sum += tn_feed_item_tokens(f, i, NULL);
    return (double)sum / (double)n;
}

tern_status tn_feed_train(tn_feed *f, uint64_t m, tn_arena *arena, tn_lm_batch *out,
                          tern_error *err) {
    tn_feed_item *items = tn_arena_alloc(arena, f->o.batch * sizeof *items);
    *out = (tn_lm_batch){0};
    if (!items) return no_memory(err);
    for (uint32_t k = 0; k < f->o.batch; k++) {
        uint64_t place = m * f->o.batch + k, epoch = place / f->n_train;
        if (epoch != f->order_epoch) shuffle(f, epoch);
        items[k] = (tn_feed_item){f->order[place % f->n_train], epoch};
    }
    return tn_feed_pack(f, items, f->o.batch, arena, out, err);
}

tern_status tn_feed_valid(tn_feed *f, uint64_t m, bool all, tn_arena *arena, tn_lm_batch *out,
                          tern_error *err) {
    uint64_t n = all ? f->n_items : f->n_held, at = m * f->o.batch, size = f->o.batch;
    *out = (tn_lm_batch){0};
    if (at >= n) return TERN_OK;
    if (n - at < size) size = n - at;
    tn_feed_item *items = tn_arena_alloc(arena, (size_t)size * sizeof *items);
    if (!items) return no_memory(err);
    for (uint64_t k = 0; k < size; k++)
        items[k] = (tn_feed_item){all ? at + k : held_item(f, at + k), UINT64_MAX};
    return tn_feed_pack(f, items, (size_t)size, arena, out, err);
}
