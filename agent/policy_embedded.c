/* policy_embedded.c - the searcher that needs no model: a linear score over readable features.
 *
 * logit(candidate) = sum_i weight_i * feature_i(state, candidate); the weights stand beside the
 * meaning of each feature in features.h. */
#include "agent/features.h"
#include "agent/preview.h"
#include "core/base/mem.h"

static float logit_of(const float *features) {
    float sum = 0;
    for (size_t k = 0; k < TN_N_FEATURES; k++) sum += tn_feature_weights[k] * features[k];
    return sum;
}

static tern_status score(const tern_policy *p, tn_episode *ep, const tn_candidates *c,
                         float *logits, tern_error *err) {
    (void)p;
    uint32_t which[TN_PREVIEWS];
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) logits[i] = logit_of(c->items[i].features);
    tern_status st = tn_preview(ep, c, logits, which, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        logits[which[i]] = logit_of(c->items[which[i]].features);
    return st;
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
