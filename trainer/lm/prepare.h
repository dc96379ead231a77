/* prepare.h - texts to token files: what `tern train tokens` does, and what a run does with data
 * that are not tokens yet.
 *
 * Input files are JSON lines or plain text, told apart by their first byte, plain or compressed.
 * Plain text: paragraphs between blank lines are documents (pretrain, mlm). JSON lines, by task:
 *   pretrain, mlm  {"text": s}
 *   sft            {"messages": [{"role": s, "content": s}, ...]} or {"prompt": s, "completion": s}
 *   contrastive    {"query": s, "positive": s, "negatives": [s, ...]}   (negatives optional)
 *   classify       {"text": s, "text_pair": s, "label": l} or {"query": s, "passage": s, "label":
 * l} (text_pair optional); l: a class by name or number; for bce and mse a number or a list of them
 *   tag            {"words": [s, ...], "labels": [l, ...]}; l: a class, or null: not learned. The
 *                  first token of a word carries its label
 * Other members are passed over. A line that does not fit is an error that names file and line. */
#ifndef TN_LM_PREPARE_H
#define TN_LM_PREPARE_H
#include "tern/host.h"
#include "tern/tokenizer.h"
#include "trainer/lm/feed.h"

typedef struct tn_prepare_opts {
    tn_lm_task task;
    uint32_t context; /* longer texts are cut (mlm: into several documents); 0: never */
    uint32_t vocab;   /* of the model; 0: the tokenizer's size */
    bool end_token;   /* pretrain: the end token after each document */
    bool classes;     /* classify: labels are classes, not numbers */
    const char *chat; /* sft: name of the chat template, "": the tokenizer's own */
    const char *query_prefix, *passage_prefix; /* contrastive */
    const char *const *labels;                 /* [n_classes] names, or NULL: numbers only */
    uint32_t n_classes;                        /* classes, or numbers a label has */
} tn_prepare_opts;

typedef struct tn_prepared {
    uint64_t n_records, n_docs, n_tokens, n_bytes; /* bytes of text */
    uint64_t n_cut;                                /* texts longer than the context */
    uint64_t n_empty;                              /* records without text, left out */
} tn_prepared;

/* Errors: ARG (no text; the tokenizer knows more ids than the model), FORMAT (names file and line),
 * NOT_FOUND, IO, FULL, CANCELLED, NOMEM; nothing is left at out_path then. */
TERN_MUST_USE tern_status tn_lm_prepare(const tern_tokenizer *tokenizer,
                                        const tn_prepare_opts *opts, const char *const *paths,
                                        size_t n_paths, const char *out_path, const tern_host *host,
                                        tn_prepared *result, tern_error *err);

#endif
