/* mask.h - psi_mask: replace the entities a query names by their type, so that a question can be
 * rebuilt only from what the search brought back (cycle-consistent search, section 3.1).
 *
 * A rule tagger: the titles of the corpus as a gazetteer (any case, longest match first), runs of
 * capitalised words, quoted strings, dates and numbers. Tags: [PER] [ORG] [LOC] [MISC] [DATE]
 * [NUM]; adjacent equal tags merge, so their number carries no hint. The optional backstop also
 * hides as [ENT] what question and query share and the rules missed: any capitalised or numeric
 * word, and any run of two or more content words. */
#ifndef TN_MASK_H
#define TN_MASK_H
#include "core/base/buf.h"
#include "tern/index.h"
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tn_tag {
    TN_TAG_NONE,
    TN_TAG_PER,
    TN_TAG_ORG,
    TN_TAG_LOC,
    TN_TAG_MISC,
    TN_TAG_DATE,
    TN_TAG_NUM,
    TN_TAG_ENT /* the backstop's */
} tn_tag;
const char *tn_tag_name(tn_tag e); /* "PER" */

typedef struct tn_masker tn_masker; /* immutable after building: any thread */
TERN_MUST_USE tern_status tn_masker_new(tn_masker **out, tern_error *err);
void tn_masker_free(tn_masker *m);
/* Learn one title; `text` (may be "") opens the passage and gives the type away: "(born", "is a
 * city", "is an American band". NOMEM only. */
TERN_MUST_USE tern_status tn_masker_add_title(tn_masker *m, const char *title, const char *text,
                                              tern_error *err);
/* Learn all titles of an index. */
TERN_MUST_USE tern_status tn_masker_add_index(tn_masker *m, const tern_index *ix, tern_error *err);

enum { TN_MASK_SPANS_MAX = 512 }; /* no text has more: words past the 512th are left as they are */

typedef struct tn_mask_span {
    uint32_t begin, end; /* bytes of the text */
    tn_tag type;
} tn_mask_span;

/* The entity spans of a text (valid UTF-8), in order, disjoint.
 *   question  with the backstop: what the query must not repeat; NULL: no backstop
 *   spans     [cap] out; *n_spans counts those written
 * NOMEM only. */
TERN_MUST_USE tern_status tn_mask_spans(const tn_masker *m, const char *text, size_t len,
                                        const char *question, tn_mask_span *spans, size_t cap,
                                        size_t *n_spans, tern_error *err);
/* Append the text with each span replaced by its tag; *n_masked (may be NULL) counts spans. */
TERN_MUST_USE tern_status tn_mask_text(const tn_masker *m, const char *text, size_t len,
                                       const char *question, tn_buf *out, size_t *n_masked,
                                       tern_error *err);
#endif
