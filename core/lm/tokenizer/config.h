/* config.h - what lies beside a tokenizer's own file: tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json, chat_template.jinja. */
#ifndef TN_TOK_CONFIG_H
#define TN_TOK_CONFIG_H
#include "core/base/json.h"
#include "core/lm/tokenizer/tokenizer_priv.h"

typedef struct tn_tok_config {
    json_t *config, *map, *added; /* NULL: no such file */
    const char *class;            /* tokenizer_class, "" if it is not told */
} tn_tok_config;

/* name: a part of the class name, e.g. "Llama". */
bool tn_tok_config_class_has(const tn_tok_config *c, const char *name);
bool tn_tok_config_bool(const tn_tok_config *c, const char *key, bool fallback);

/* After the model's file was read: added tokens, special ids, the template of files that have none
 * of their own (`own_template` false), the chat template. */
TERN_MUST_USE tern_status tn_tok_config_apply(tern_tokenizer *t, const tn_tok_config *c,
                                              bool own_template, tern_error *err);

#endif
