/* grpo.h - group-relative policy gradients for policies that score candidates.
 *
 * One update per batch, so the importance ratio is 1 and the clip of the general objective never
 * acts. Per action with advantage A, reference log-probability lr and log-probability l:
 *   loss = -A l + beta (exp(d) - d - 1),  d = clamp(lr - l, -20, 20)       (k3 estimator)
 * averaged over all actions of the batch (token-mean). Sources: Shao et al. 2024 (GRPO), Ahmadian
 * et al. 2024 (RLOO), Schulman's note on KL estimators (k3). */
#ifndef TN_GRPO_H
#define TN_GRPO_H
#include "tern/status.h"
#include <stdbool.h>
#include <stddef.h>

typedef enum tn_advantage {
    TN_ADV_GRPO, /* (R - mean) / (std + 1e-6), std with n - 1 */
    TN_ADV_RLOO  /* R - mean of the others */
} tn_advantage;

/* adv[i] from rewards[i], i < n (n >= 1). Returns false, with all adv 0, when the group's standard
 * deviation is below spread_min: such a group teaches nothing but the noise of its reward. */
bool tn_group_advantages(tn_advantage kind, const double *rewards, size_t n, double spread_min,
                         double *adv);

/* softmax(logits / temperature)[chosen] in nats; probs [n] out may be NULL. n >= 1. */
double tn_softmax_logprob(const float *logits, size_t n, size_t chosen, double temperature,
                          double *probs);
double tn_softmax_entropy(const double *probs, size_t n); /* nats, >= 0 */

/* d loss / d logits[j] of one action, accumulated into grad[n] with weight `scale`; returns the
 * action's loss. probs and logprob are of the current policy, logprob_ref of the start policy. */
double tn_grpo_action(const double *probs, size_t n, size_t chosen, double logprob,
                      double logprob_ref, double advantage, double beta, double temperature,
                      double scale, double *grad);

/* Adam (Kingma & Ba 2015) over one flat vector; m and v start at zero, step counts from 1. */
typedef struct tn_adam {
    double lr, beta1, beta2, eps;
    double clip_norm; /* global-norm clipping of the gradient; 0: none */
} tn_adam;
tn_adam tn_adam_defaults(void); /* lr 0.01, 0.9, 0.999, 1e-8, clip 1 */
/* params[n] -= update; grad[n] is scaled in place by the clip. Returns the norm before it. */
double tn_adam_step(const tn_adam *o, size_t step, double *params, double *grad, double *m,
                    double *v, size_t n);

#endif
