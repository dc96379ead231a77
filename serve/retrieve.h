/* retrieve.h - the words of POST /retrieve: reading a request, writing an answer. No network here.
 */
#ifndef TN_RETRIEVE_H
#define TN_RETRIEVE_H
#include "core/base/buf.h"
#include "core/base/strmap.h"
#include "tern/index.h"
#include <stdbool.h>

typedef struct tn_retrieve {
    tn_strmap queries; /* the distinct ones, in order of first sight */
    uint32_t *slot;    /* [n_slots] answer i is that of queries.keys[slot[i]] */
    size_t n_slots;
    uint32_t topk;
    bool scores; /* items are {"document", "score"}, not bare documents */
    bool single; /* {"query": ...}: the result is one list, not a list of lists */
} tn_retrieve;

/* Parse a request body. topk_default stands in for a missing, null or 0 "topk"; unknown keys are
 * ignored, and so is "query" beside "queries".
 *   field  out: the member at fault, "" when it is the body itself; a static string
 * Errors: FORMAT (not such a request), LIMIT (topk above topk_max), NOMEM. On an error *out is
 * empty; else tn_retrieve_deinit frees it. */
TERN_MUST_USE tern_status tn_retrieve_parse(const char *body, size_t len, uint32_t topk_default,
                                            uint32_t topk_max, tn_retrieve *out, const char **field,
                                            tern_error *err);
void tn_retrieve_deinit(tn_retrieve *r);

/* Append one item of a result list. */
void tn_retrieve_add_item(const tern_passage *p, float score, bool scores, tn_buf *out);
/* Append the whole answer; lists[i] is the list, brackets included, of distinct query i. */
void tn_retrieve_add_answer(const tn_retrieve *r, const tn_buf *lists, tn_buf *out);

#endif
