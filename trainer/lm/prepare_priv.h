/* prepare_priv.h - shared by prepare.c (files and lines) and prepare_records.c (what a line is). */
#ifndef TN_LM_PREPARE_PRIV_H
#define TN_LM_PREPARE_PRIV_H
#include "core/base/json.h"
#include "trainer/lm/prepare.h"

/* Ids, and a tag each, of the document being put together. */
typedef struct tn_doc {
    int32_t *ids;
    int16_t *tags;
    size_t n, ids_cap, tags_cap;
    size_t second; /* tokens before the second part; SIZE_MAX: none */
} tn_doc;

typedef struct tn_prepare {
    const tern_tokenizer *tokenizer;
    const tn_prepare_opts *opts;
    tn_tokens_writer *writer;
    tn_prepared *result;
    tern_tokens tokens; /* of the last text */
    tn_doc doc;
    tn_buf text;
    float *targets; /* [n_targets] of the record */
    /* What stands around a text: [CLS] text [SEP], <s> text </s>, or -1. */
    int32_t head, tail;
    bool double_tail; /* between the parts of a pair: <s> a </s></s> b </s> */
} tn_prepare;

/* One JSON record; NULL text parts are errors without the place, which the caller adds. */
TERN_MUST_USE tern_status tn_prepare_record(tn_prepare *p, const json_t *obj, tern_error *err);
/* One text of pretrain or mlm. */
TERN_MUST_USE tern_status tn_prepare_text(tn_prepare *p, const char *text, size_t len,
                                          tern_error *err);
/* prepare_chat.c: an sft record that has "messages". */
TERN_MUST_USE tern_status tn_prepare_messages(tn_prepare *p, const json_t *messages,
                                              tern_error *err);

/* Append the tokens of a text, ids, or one token to the document. */
TERN_MUST_USE tern_status tn_doc_text(tn_prepare *p, const char *text, size_t len, int16_t tag,
                                      bool parse_special, tern_error *err);
TERN_MUST_USE tern_status tn_doc_ids(tn_prepare *p, const int32_t *ids, size_t n, int16_t tag,
                                     tern_error *err);
TERN_MUST_USE tern_status tn_doc_token(tn_prepare *p, int32_t id, int16_t tag, tern_error *err);
/* Write the document, if it has any tokens, and start the next. */
TERN_MUST_USE tern_status tn_doc_end(tn_prepare *p, tern_error *err);

#endif
