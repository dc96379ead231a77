/* policy_embedded.c - the searcher that needs no model: a linear score over readable features.
 *
 * logit(candidate) = sum_i weight_i * feature_i(state, candidate); the weights stand beside the
 * meaning of each feature in features.h. */
#include "agent/features.h"
#include "core/base/mem.h"

static tern_status score(const tern_policy *p, tn_episode *ep, const tn_candidates *c,
                         float *logits, tern_error *err) {
    (void)p, (void)ep, (void)err;
    for (size_t i = 0; i < c->n; i++) {
        float sum = 0;
        for (size_t k = 0; k < TN_N_FEATURES; k++)
            sum += tn_feature_weights[k] * c->items[i].features[k];
        logits[i] = sum;
    }
    return TERN_OK;
}

static void embedded_free(tern_policy *p) {
    tn_free(p);
}

tern_status tern_policy_embedded(tern_policy **out, tern_error *err) {
    tern_policy *p = tn_alloc(sizeof *p);
    if (!p) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for the policy");
    *p = (tern_policy){.name = "embedded",
                       .kind = TN_POLICY_SCORING,
                       .propose = tn_candidates_propose,
                       .score = score,
                       .free = embedded_free};
    *out = p;
    return TERN_OK;
}
