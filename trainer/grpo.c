/* grpo.c - see grpo.h. */
#include "trainer/grpo.h"
#include <math.h>

bool tn_group_advantages(tn_advantage kind, const double *rewards, size_t n, double spread_min,
                         double *adv) {
    double mean = 0, var = 0;
    for (size_t i = 0; i < n; i++) mean += rewards[i] / (double)n;
    for (size_t i = 0; i < n; i++) var += (rewards[i] - mean) * (rewards[i] - mean);
    double std = n > 1 ? sqrt(var / (double)(n - 1)) : 0;
    bool useful = n > 1 && std >= spread_min && std > 0;
    for (size_t i = 0; i < n; i++) {
        double centred = rewards[i] - mean;
        if (!useful)
            adv[i] = 0;
        else if (kind == TN_ADV_GRPO)
            adv[i] = centred / (std + 1e-6);
        else
            adv[i] = centred * (double)n / (double)(n - 1);
    }
    return useful;
}

double tn_softmax_logprob(const float *logits, size_t n, size_t chosen, double temperature,
                          double *probs) {
    double top = logits[0], sum = 0;
    for (size_t j = 1; j < n; j++) top = logits[j] > top ? logits[j] : top;
    for (size_t j = 0; j < n; j++) sum += exp((logits[j] - top) / temperature);
    for (size_t j = 0; probs && j < n; j++) probs[j] = exp((logits[j] - top) / temperature) / sum;
    return (logits[chosen] - top) / temperature - log(sum);
}

double tn_softmax_entropy(const double *probs, size_t n) {
    double h = 0;
    for (size_t j = 0; j < n; j++)
        if (probs[j] > 0) h -= probs[j] * log(probs[j]);
    return h;
}

double tn_grpo_action(const double *probs, size_t n, size_t chosen, double logprob,
                      double logprob_ref, double advantage, double beta, double temperature,
                      double scale, double *grad) {
    double d = logprob_ref - logprob;
    bool clamped = d < -20 || d > 20;
    d = d < -20 ? -20 : d > 20 ? 20 : d;
    double dloss_dlogp = -advantage + (clamped ? 0 : beta * (1 - exp(d)));
    /* d logp / d logit_j = (1[j = chosen] - p_j) / temperature */
    for (size_t j = 0; j < n; j++)
        grad[j] += scale * dloss_dlogp * ((j == chosen) - probs[j]) / temperature;
    return -advantage * logprob + beta * (exp(d) - d - 1);
}

tn_adam tn_adam_defaults(void) {
    return (tn_adam){.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip_norm = 1};
}

double tn_adam_step(const tn_adam *o, size_t step, double *params, double *grad, double *m,
                    double *v, size_t n) {
    double norm = 0;
    for (size_t i = 0; i < n; i++) norm += grad[i] * grad[i];
    norm = sqrt(norm);
    double scale = o->clip_norm > 0 && norm > o->clip_norm ? o->clip_norm / norm : 1;
    double c1 = 1 - pow(o->beta1, (double)step), c2 = 1 - pow(o->beta2, (double)step);
    for (size_t i = 0; i < n; i++) {
        grad[i] *= scale;
        m[i] = o->beta1 * m[i] + (1 - o->beta1) * grad[i];
        v[i] = o->beta2 * v[i] + (1 - o->beta2) * grad[i] * grad[i];
        params[i] -= o->lr * (m[i] / c1) / (sqrt(v[i] / c2) + o->eps);
    }
    return norm;
}
