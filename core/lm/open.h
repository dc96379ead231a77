/* open.h - what a tern_model holds. */
#ifndef TN_LM_OPEN_H
#define TN_LM_OPEN_H
#include "core/lm/model.h"
#include "core/lm/sentence.h"
#include "tern/model.h"

struct tern_model {
    tn_lm *lm;
    tern_tokenizer *tokenizer; /* or NULL */
    tn_pool *pool;
    tn_sentence sentence;
    tn_lm_suggestion suggestion;
    tern_weights weights;
};

#endif
