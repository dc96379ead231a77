/* lm_recipe.h - everything that decides how the training of a language model comes out.
 * Equal recipes over equal files end with equal weights, bit for bit, whatever the number of
 * threads and however often the run was stopped. The table in lm_recipe.c is the documentation:
 * names, defaults, ranges and a line of help each; `tern train lm --defaults` prints it. */
#ifndef TN_LM_RECIPE_H
#define TN_LM_RECIPE_H
#include "core/base/buf.h"
#include "core/base/json.h"
#include "trainer/lm/feed.h"

typedef struct tn_strings {
    char **items;
    size_t n;
} tn_strings;

typedef struct tn_lm_recipe {
    char task[16];
    char model[512]; /* folder or config file; "" when config holds the object */
    json_t *config;  /* "model": {...}: a config.json in the recipe; owned */
    char tokenizer[512];
    tn_strings data, validation, labels;
    char chat[64], query_prefix[256], passage_prefix[256];
    char loss[16], pooling[8], schedule[16];
    uint32_t context, batch, accumulate, steps, warmup;
    uint32_t held_out, validate_every, validate_batches, checkpoint_every, keep, log_every;
    uint32_t negatives;
    double epochs, lr, lr_end, decay, beta1, beta2, eps, clip, mask_rate, temperature;
    bool across, normalize, bf16, recompute, end_token;
    uint64_t seed;
} tn_lm_recipe;

/* Defaults; deinit frees what reading added. */
tn_lm_recipe tn_lm_recipe_defaults(void);
void tn_lm_recipe_deinit(tn_lm_recipe *r);
/* Members of obj replace those of *r. FORMAT: an unknown member (the known ones are listed), a
 * wrong type; NOMEM. */
TERN_MUST_USE tern_status tn_lm_recipe_read(tn_lm_recipe *r, const json_t *obj, const char *where,
                                            tern_error *err);
/* ARG: out of range, an unknown word, a member that the task needs and is missing. *task out. */
TERN_MUST_USE tern_status tn_lm_recipe_check(const tn_lm_recipe *r, tn_lm_task *task,
                                             tern_error *err);
json_t *tn_lm_recipe_json(const tn_lm_recipe *r); /* a new reference; NULL: no memory */
void tn_lm_recipe_help(tn_buf *out);              /* the table, for people */

#endif
