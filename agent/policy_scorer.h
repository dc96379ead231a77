/* policy_scorer.h - a scoring policy whose logits come from a scorer: the same candidates and
 * features as the embedded policy, other weights. This is what training rolls out. */
#ifndef TN_POLICY_SCORER_H
#define TN_POLICY_SCORER_H
#include "agent/agent_priv.h"
#include "agent/scorer.h"

typedef struct tn_scorer_policy {
    tern_policy base;        /* first */
    const tn_scorer *scorer; /* borrowed; n_in is TN_N_FEATURES */
    bool previews;           /* look at hits first: agent/preview.h */
} tn_scorer_policy;
/* In the caller's storage: nothing to free. name is borrowed. Any thread may use the policy as long
 * as nobody changes the scorer. */
/* previews: whether any weight reads what they see; training sets it in any case. */
void tn_scorer_policy_init(tn_scorer_policy *p, const tn_scorer *s, const char *name);

#endif
