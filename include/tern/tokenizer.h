/* tokenizer.h - text to the token ids of other people's models, and back.
 * Reads what models ship: tokenizer.json (BPE, WordPiece, Unigram), vocab.json + merges.txt,
 * SentencePiece models (tokenizer.model, sentencepiece.bpe.model, *.spm) and vocab.txt, with the
 * special tokens of tokenizer_config.json. The ids are those of the reference implementations; what
 * a file asks for and tern cannot do is refused by the name of the member when it is opened.
 *
 * A tokenizer never changes after tern_tokenizer_open: any thread may use it, without locks of its
 * own. Text is bytes. Ill-formed UTF-8 is no error: byte-level BPE keeps the bytes exactly, the
 * others see U+FFFD for each maximal ill-formed part. */
#ifndef TERN_TOKENIZER_H
#define TERN_TOKENIZER_H
#include "tern/host.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_tokenizer tern_tokenizer; /* opaque */

/* Open a tokenizer: a folder (tokenizer.json first, then a SentencePiece model, vocab.json with
 * merges.txt, vocab.txt) or one of those files, whose neighbours are then read too.
 * Errors: NOT_FOUND, IO, FORMAT (says which member or line), UNSUPPORTED (names the member), LIMIT,
 * NOMEM; *out is then NULL. */
TERN_API TERN_MUST_USE tern_status tern_tokenizer_open(const char *path, tern_tokenizer **out,
                                                       tern_error *err);
TERN_API void tern_tokenizer_close(tern_tokenizer *t); /* NULL allowed */

/* ---- encoding ---- */

typedef struct tern_token_span {
    uint32_t begin, end; /* bytes of the text, [begin, end) */
} tern_token_span;

/* Tokens of one text. Zero-initialise to start; reused by the next call; tern_tokens_deinit ends.
 */
typedef struct tern_tokens {
    int32_t *ids;           /* [n] */
    tern_token_span *spans; /* [n] the bytes a token stands for; meaningless if not asked for */
    size_t n;
    size_t cap, spans_cap; /* of the allocations */
} tern_tokens;
TERN_API void tern_tokens_deinit(tern_tokens *tokens);

typedef struct tern_encode_opts {
    bool add_special;   /* what the file's template adds: <s>, [CLS], </s>, ... */
    bool parse_special; /* special tokens written out in the text become their ids; turn this off
                           for text of strangers, or "<|im_end|>" in a passage ends a turn */
    bool spans;         /* fill tokens->spans */
} tern_encode_opts;
/* { true, true, false }, as the reference implementations do. */
TERN_API tern_encode_opts tern_encode_defaults(void);

/* Encode len bytes of text; tokens are replaced. A character that a byte-pair vocabulary without
 * an unknown token lacks is dropped, as the reference does.
 * A span of an added token (e.g. a leading <s>, a prefixed space) is empty; all others cover the
 * bytes whose normalised form the token stands for, a leading space included.
 * opts: NULL means the defaults. Errors: LIMIT (text over 1 GiB), NOMEM; tokens->n is then 0. */
TERN_API TERN_MUST_USE tern_status tern_tokenizer_encode(const tern_tokenizer *t, const char *text,
                                                         size_t len, const tern_encode_opts *opts,
                                                         tern_tokens *tokens, tern_error *err);

/* ---- decoding ---- */

/* The text of n ids, exactly the bytes they stand for: byte tokens may leave ill-formed UTF-8.
 *   skip_special  leave out special tokens, else they appear as written
 *   text, len     out: NUL-terminated after len bytes; tern_tokenizer_free_text
 * Errors: ARG (an id outside [0, size), or one with no piece: names it and its place), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_tokenizer_decode(const tern_tokenizer *t,
                                                         const int32_t *ids, size_t n,
                                                         bool skip_special, char **text,
                                                         size_t *len, tern_error *err);
TERN_API void tern_tokenizer_free_text(char *text);

/* Decoding as the tokens come, never splitting a UTF-8 character: bytes that may still become one
 * wait for the next token. One thread at a time; borrows the tokenizer. */
typedef struct tern_detok tern_detok;
TERN_API TERN_MUST_USE tern_status tern_detok_new(const tern_tokenizer *t, bool skip_special,
                                                  tern_detok **out, tern_error *err);
TERN_API void tern_detok_free(tern_detok *d); /* NULL allowed */
/* *text is a view of *len bytes (possibly 0), valid until the next call. Errors: ARG, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_detok_add(tern_detok *d, int32_t id, const char **text,
                                                  size_t *len, tern_error *err);
/* The bytes still waiting (an unfinished character); the detokenizer then starts a new text. */
TERN_API TERN_MUST_USE tern_status tern_detok_end(tern_detok *d, const char **text, size_t *len,
                                                  tern_error *err);

/* ---- the vocabulary ---- */

typedef enum tern_special {
    TERN_SPECIAL_BOS,
    TERN_SPECIAL_EOS,
    TERN_SPECIAL_PAD,
    TERN_SPECIAL_UNK,
    TERN_SPECIAL_CLS,
    TERN_SPECIAL_SEP,
    TERN_SPECIAL_MASK,
    TERN_SPECIAL_N
} tern_special;

/* One more than the largest id. */
TERN_API int32_t tern_tokenizer_size(const tern_tokenizer *t);
/* The piece of an id as the file writes it (e.g. "Ġword", "▁word", "##ing"), NUL-terminated, valid
 * as long as the tokenizer; NULL: no such id. */
TERN_API const char *tern_tokenizer_piece(const tern_tokenizer *t, int32_t id);
TERN_API int32_t tern_tokenizer_find(const tern_tokenizer *t, const char *piece);     /* -1: none */
TERN_API int32_t tern_tokenizer_special(const tern_tokenizer *t, tern_special which); /* or -1 */
TERN_API bool tern_tokenizer_is_special(const tern_tokenizer *t, int32_t id);

/* Hash of the files that decide the ids, 32 hex digits: equal hashes, equal ids. */
TERN_API const char *tern_tokenizer_hash(const tern_tokenizer *t);
/* "byte-level BPE", "BPE", "WordPiece", "Unigram", "SentencePiece Unigram", "SentencePiece BPE" */
TERN_API const char *tern_tokenizer_kind(const tern_tokenizer *t);
/* chat_template of tokenizer_config.json (or chat_template.jinja), or NULL: see tern/chat.h. */
TERN_API const char *tern_tokenizer_chat_template(const tern_tokenizer *t);

/* ---- training ---- */

typedef struct tern_tokenizer_train_opts {
    int vocab_size;            /* pieces, the special ones included; >= 300 with byte_fallback */
    double character_coverage; /* share of the corpus' characters that get pieces, 0.98 to 1 */
    bool byte_fallback;        /* unknown characters become bytes instead of <unk> */
    uint64_t max_sentences;    /* lines to learn from, drawn evenly; 0: all */
} tern_tokenizer_train_opts;
/* 8000, 0.9995, true, 0 */
TERN_API tern_tokenizer_train_opts tern_tokenizer_train_defaults(void);

/* Learn a SentencePiece Unigram model (Kudo 2018) from the lines of text files and put it at
 * model_path (whole or not at all). Ids: <unk> 0, <s> 1, </s> 2. The same files, options and
 * library give the same model for any host->n_threads. Cancelled between lines read, not within a
 * round of the learner.
 * Errors: ARG, NOT_FOUND, IO, FORMAT (no text; fewer distinct pieces than asked for), NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_tokenizer_train(const char *const *paths, size_t n_paths,
                                                        const tern_tokenizer_train_opts *opts,
                                                        const char *model_path,
                                                        const tern_host *host, tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
