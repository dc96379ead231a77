/* chat.h - how a conversation is written for a chat model: one renderer per family, by the format
 * its makers published. A model's own template (a Jinja program in tokenizer_config.json) is not
 * run; it is recognised, and one that is not recognised is refused until a family is named.
 *
 *   chatml      <|im_start|>role\n ... <|im_end|>\n; the same with the family's default system
 *               message: qwen2, qwen2.5, smollm2; with reasoning in <think> tags: qwen3
 *   llama3      <|start_header_id|>role<|end_header_id|>\n\n ... <|eot_id|>; llama3.1 with the
 *               knowledge date and the date of today in front of the system message
 *   llama2      <s>[INST] <<SYS>>\n system \n<</SYS>>\n\n user [/INST] assistant </s>
 *   mistral-v1  <s>[INST] user [/INST]assistant</s>
 *   mistral-v3  <s>[INST] user[/INST] assistant</s>
 *   gemma       <bos><start_of_turn>user\n ... <end_of_turn>\n<start_of_turn>model\n
 *   zephyr      <|user|>\n ... </s>\n<|assistant|>\n (TinyLlama too)
 * Where a family has no system role, the system message stands before the user's, a blank line
 * between them. */
#ifndef TERN_CHAT_H
#define TERN_CHAT_H
#include "tern/status.h"
#include "tern/tokenizer.h"
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tern_chat_family {
    TERN_CHAT_CHATML,
    TERN_CHAT_QWEN2,
    TERN_CHAT_QWEN2_5,
    TERN_CHAT_QWEN3,
    TERN_CHAT_SMOLLM2,
    TERN_CHAT_LLAMA2,
    TERN_CHAT_LLAMA3,
    TERN_CHAT_LLAMA3_1,
    TERN_CHAT_MISTRAL_V1,
    TERN_CHAT_MISTRAL_V3,
    TERN_CHAT_GEMMA,
    TERN_CHAT_ZEPHYR,
    TERN_CHAT_N
} tern_chat_family;

/* "qwen2.5"; never NULL for a family of the list. */
TERN_API const char *tern_chat_name(tern_chat_family family);
/* Errors: NOT_FOUND (lists the names). */
TERN_API TERN_MUST_USE tern_status tern_chat_find(const char *name, tern_chat_family *out,
                                                  tern_error *err);
/* The family of a tokenizer: from its chat template, or without one from its special tokens.
 * Errors: UNSUPPORTED (says that a family can be named instead). */
TERN_API TERN_MUST_USE tern_status tern_chat_detect(const tern_tokenizer *t, tern_chat_family *out,
                                                    tern_error *err);
/* The same from the text of a template. */
TERN_API TERN_MUST_USE tern_status tern_chat_detect_template(const char *chat_template,
                                                             tern_chat_family *out,
                                                             tern_error *err);

typedef struct tern_chat_message {
    const char *role;    /* "system" (only the first), "user", "assistant" */
    const char *content; /* UTF-8 */
} tern_chat_message;

typedef struct tern_chat_opts {
    bool open_reply;  /* end with what opens the assistant's turn */
    bool no_thinking; /* qwen3: open the turn with an empty <think> block (enable_thinking off) */
    const char *date; /* llama3.1: "26 Jul 2024", also the default for NULL */
} tern_chat_opts;
/* { true, false, NULL } */
TERN_API tern_chat_opts tern_chat_defaults(void);

/* The conversation as text; tern_tokenizer_free_text. opts NULL: defaults.
 * Errors: ARG (no message, an unknown role, a system message that is not the first, roles that do
 * not alternate where the family wants it), NOMEM; *text is then NULL. */
TERN_API TERN_MUST_USE tern_status tern_chat_render(tern_chat_family family,
                                                    const tern_chat_message *messages, size_t n,
                                                    const tern_chat_opts *opts, char **text,
                                                    size_t *len, tern_error *err);
/* The conversation as ids: the family's markup becomes special tokens, the same words inside a
 * message stay text, so that no content can end its own turn. Nothing is added by the tokenizer's
 * template. Errors: as tern_chat_render and tern_tokenizer_encode. */
TERN_API TERN_MUST_USE tern_status tern_chat_encode(const tern_tokenizer *t,
                                                    tern_chat_family family,
                                                    const tern_chat_message *messages, size_t n,
                                                    const tern_chat_opts *opts, tern_tokens *tokens,
                                                    tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
