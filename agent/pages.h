/* pages.h - passages the policy looks at before it chooses, without showing them.
 *
 * Of such a page it learns which words of the question stand there, and which other pages name it
 * or are named by it; nothing else of it reaches policy, reader or transcript. */
#ifndef TN_PAGES_H
#define TN_PAGES_H
#include "agent/lens.h"

/* Bit i: the i-th of the question's distinct content words (tn_lens.asked) is there. */
typedef uint64_t tn_held;

typedef struct tn_page {
    uint32_t ref;
    tn_held held;
    const char *title, *text; /* folded, in the episode's arena; title without a bracketed end */
    uint32_t title_len, text_len;
} tn_page;

/* The page of a passage; looked at once an episode. *out is valid until the next call. */
TERN_MUST_USE tern_status tn_page_look(const tn_episode *ep, uint32_t ref, const tn_page **out,
                                       tern_error *err);
/* One of two pages names the other's title, between word boundaries. */
bool tn_pages_linked(const tn_page *a, const tn_page *b);
/* Sum of the words' weights. */
float tn_held_mass(const tn_lens *l, tn_held held);
#endif
