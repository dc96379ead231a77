/* preview.h - looking at the hits of the most promising candidates before one is chosen.
 *
 * A scoring policy ranks all candidates without the features TN_F_HITS .. TN_F_HIT_SPAN, makes the
 * searches of its first TN_PREVIEWS, and fills in what their hits hold of the question (agent/
 * pages.h). Then it scores again. The passages stay unshown: only the chosen search's hits, the
 * same ones, enter the episode. */
#ifndef TN_PREVIEW_H
#define TN_PREVIEW_H
#include "agent/agent_priv.h"

enum { TN_PREVIEWS = 8 };

/* Fill the features of the first TN_PREVIEWS searches by logit (first of equals); which[] are
 * their places in c, *n_which their number. */
TERN_MUST_USE tern_status tn_preview(tn_episode *ep, const tn_candidates *c, const float *logits,
                                     uint32_t which[TN_PREVIEWS], size_t *n_which, tern_error *err);
#endif
