/* policy_file.c - trained policies: see policy_scorer.h and tern_policy_load. */
#include "agent/features.h"
#include "agent/policy_scorer.h"
#include "agent/preview.h"
#include <stdio.h>
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status score(const tern_policy *p, tn_episode *ep, const tn_candidates *c,
                         float *logits, tern_error *err) {
    const tn_scorer_policy *own = (const tn_scorer_policy *)p;
    for (size_t i = 0; i < c->n; i++)
        logits[i] = (float)tn_scorer_forward(own->scorer, c->items[i].features);
    if (!own->previews) return TERN_OK;
    uint32_t which[TN_PREVIEWS];
    size_t n = 0;
    tern_status st = tn_preview(ep, c, logits, which, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        logits[which[i]] = (float)tn_scorer_forward(own->scorer, c->items[which[i]].features);
    return st;
}

static bool reads_previews(const tn_scorer *s) {
    bool reads = s->n_hidden > 0;
    for (int i = TN_F_HITS; i <= TN_F_HIT_SPAN; i++) reads |= s->params[i] != 0;
    return reads;
}

static void not_owned(tern_policy *p) {
    (void)p;
}

void tn_scorer_policy_init(tn_scorer_policy *p, const tn_scorer *s, const char *name) {
    *p = (tn_scorer_policy){.base = {.name = name,
                                     .kind = TN_POLICY_SCORING,
                                     .propose = tn_candidates_propose,
                                     .score = score,
                                     .free = not_owned},
                            .scorer = s,
                            .previews = reads_previews(s)};
}

/* A policy that owns its scorer. Its name tells trained policies apart in traces and results. */
typedef struct file_policy {
    tn_scorer_policy policy; /* first */
    tn_scorer scorer;
    char name[32];
} file_policy;

static void file_policy_free(tern_policy *p) {
    file_policy *f = (file_policy *)p;
    tn_scorer_deinit(&f->scorer);
    tn_free(f);
}

tern_status tern_policy_load(const char *path, tern_policy **out, tern_error *err) {
    file_policy *f = tn_calloc(1, sizeof *f);
    *out = NULL;
    if (!f) return tern_fail(err, TERN_ERR_NOMEM, 0, "%s: out of memory", path);
    tern_status st = tn_scorer_load(&f->scorer, tn_feature_names, TN_N_FEATURES, path, err);
    if (st != TERN_OK) {
        tn_free(f);
        return st;
    }
    size_t n = tn_scorer_n_params(f->scorer.n_in, f->scorer.n_hidden);
    snprintf(f->name, sizeof f->name, "trained-%016llx",
             (unsigned long long)XXH3_64bits(f->scorer.params, n * sizeof *f->scorer.params));
    tn_scorer_policy_init(&f->policy, &f->scorer, f->name);
    f->policy.base.free = file_policy_free;
    *out = &f->policy.base;
    return TERN_OK;
}
