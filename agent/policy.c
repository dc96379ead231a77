/* policy.c - what all policies share. */
#include "agent/agent_priv.h"

void tern_policy_free(tern_policy *p) {
    if (p) p->free(p);
}
