/* source.h - where a model's tensors come from: safetensors files, or memory. */
#ifndef TN_LM_SOURCE_H
#define TN_LM_SOURCE_H
#include "tern/safetensors.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tn_lm_source {
    const char *path; /* for messages */
    tern_st *st;      /* owned, or NULL and the tensors stand here: */
    const tern_st_tensor *tensors;
    size_t n;
    void (*free)(struct tn_lm_source *s); /* NULL: the struct is borrowed */
} tn_lm_source;

/* The tensors of a model folder (model.safetensors, or shards and their index), mapped. */
TERN_MUST_USE tern_status tn_lm_source_open(const char *model_dir, tn_lm_source **out,
                                            tern_error *err);
void tn_lm_source_free(tn_lm_source *s); /* NULL allowed */

size_t tn_lm_source_size(const tn_lm_source *s);
const tern_st_tensor *tn_lm_source_at(const tn_lm_source *s, size_t i);
const tern_st_tensor *tn_lm_source_find(const tn_lm_source *s, const char *name); /* or NULL */

/* Row `row` of a matrix [rows, cols] of a floating type, as f32. */
void tn_lm_row_get(const tern_st_tensor *t, size_t row, float *out);

#endif
