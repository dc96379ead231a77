/* model.h - a language model of a Hugging Face folder, loaded to run on this machine.
 * Decoders: Llama 2 and 3, Mistral, Qwen2 and 2.5, Qwen3, Gemma 3 (text). Encoders: BERT, RoBERTa,
 * XLM-R, alone or as a sentence-transformers folder. What a config asks for and tern cannot do is
 * refused by the name of the field; docs/MODELS.md has the list.
 *
 * A model never changes after tern_model_open: any thread may use it, and calls share its worker
 * threads one after the other. Text is generated with tern/generate.h and embedded or judged with
 * tern/encode.h. */
#ifndef TERN_MODEL_H
#define TERN_MODEL_H
#include "tern/host.h"
#include "tern/status.h"
#include "tern/tokenizer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_model tern_model; /* opaque */

/* How weights are held, whatever the file has. Activations are f32. */
typedef enum tern_weights {
    TERN_WEIGHTS_BF16,
    TERN_WEIGHTS_F32,
    TERN_WEIGHTS_INT8,      /* one scale a row */
    TERN_WEIGHTS_INT8_GROUP /* one scale per 64 columns of a row */
} tern_weights;
TERN_API const char *tern_weights_name(tern_weights w); /* "bf16", "f32", "int8", "int8-group" */
TERN_API bool tern_weights_find(const char *name, tern_weights *out);

typedef struct tern_model_opts {
    tern_weights weights; /* default bf16 */
    bool tokenizer;       /* load the folder's tokenizer; default true. Without one only token ids
                             go in and out */
} tern_model_opts;
TERN_API tern_model_opts tern_model_defaults(void);

/* Load the model of folder `dir`: packs the weights with progress "loading", and can be cancelled.
 *   opts  NULL: the defaults        host  NULL allowed; its n_threads stay with the model
 * Errors: NOT_FOUND, IO, FORMAT and SHAPE (names the field or tensor), UNSUPPORTED (names it),
 * CANCELLED, NOMEM; *out is then NULL. */
TERN_API TERN_MUST_USE tern_status tern_model_open(const char *dir, const tern_model_opts *opts,
                                                   const tern_host *host, tern_model **out,
                                                   tern_error *err);
TERN_API void tern_model_close(tern_model *m); /* NULL allowed */

typedef struct tern_model_info {
    const char *arch; /* "llama", "bert", ...; as all strings valid as long as the model */
    const char *head; /* "causal", "masked", "sequence", "token", "none" */
    bool generates;   /* tern_generate works */
    bool embeds;      /* tern_model_embed works */
    bool scores;      /* tern_model_score works */
    uint64_t n_params;
    uint32_t vocab, hidden, ffn, n_layers, n_heads, n_kv_heads, head_dim;
    uint32_t context;    /* longest text, in tokens */
    uint32_t n_labels;   /* of classifiers */
    uint32_t dim;        /* of embeddings */
    const char *pooling; /* "mean", "cls", "last" */
    tern_weights weights;
    uint64_t weight_bytes; /* that one token reads */
    uint64_t cache_bytes;  /* of keys and values of one token, in bf16 */
    const char *kernels;   /* which product kernels serve it */
} tern_model_info;
TERN_API tern_model_info tern_model_get_info(const tern_model *m);
/* The folder's tokenizer, or NULL. Valid as long as the model. */
TERN_API const tern_tokenizer *tern_model_tokenizer(const tern_model *m);

/* Read config.json alone and say what it describes: quick, no weights. Only the fields that the
 * config decides are filled. */
TERN_API TERN_MUST_USE tern_status tern_model_peek(const char *dir, tern_model_info *out,
                                                   tern_error *err);

/* ---- converting ---- */

typedef enum tern_model_type {
    TERN_MODEL_BF16,
    TERN_MODEL_F32,
    TERN_MODEL_INT8 /* matrices as int8 with a scale a row, embeddings bf16: for tern alone */
} tern_model_type;

/* Write the model of folder `dir` to the new folder `out` with its weights in another type: the
 * other files are copied. Weights are held in memory meanwhile.
 * Errors: EXISTS, NOT_FOUND, FORMAT, UNSUPPORTED (quantised already), IO, FULL, CANCELLED, NOMEM.
 */
TERN_API TERN_MUST_USE tern_status tern_model_convert(const char *dir, const char *out,
                                                      tern_model_type type, const tern_host *host,
                                                      tern_error *err);

/* ---- verifying ---- */

typedef struct tern_model_check {
    const char *name; /* tensor of the reference, e.g. "logits" */
    double relative;  /* ||x - ref|| / ||ref|| */
    double largest;   /* max |x - ref| / max |ref| */
    uint64_t n;       /* numbers compared */
} tern_model_check;

typedef struct tern_model_verdict {
    tern_model_check checks[8];
    uint32_t n_checks;
    uint64_t n_greedy, n_greedy_equal; /* tokens of a greedy continuation */
    uint64_t n_greedy_wrong;           /* behind the best by more than rounding explains */
    bool passed;                       /* all within the tolerance, none wrong */
} tern_model_verdict;

/* Run the inputs that a safetensors file holds and compare with the numbers beside them; the
 * layout (input_ids, attention_mask, hidden.last, logits, greedy.ids, ...) is in docs/MODELS.md.
 *   tolerance  e.g. 1e-4 in f32
 * A model that differs is no error: verdict->passed is false. Errors: NOT_FOUND, FORMAT, SHAPE (the
 * file is of another model), IO, NOMEM. */
TERN_API TERN_MUST_USE tern_status tern_model_verify(const tern_model *m, const char *path,
                                                     double tolerance, tern_model_verdict *verdict,
                                                     tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
