/* scorer.h - the trainable part of a scoring policy: the features of a candidate -> one logit.
 *   logit(x) = w . x + sum_h v[h] tanh(U[h] . x + c[h])
 * Parameters lie in one slab: w[n_in], U[n_hidden][n_in], c[n_hidden], v[n_hidden]. With v = 0 the
 * scorer is the linear one, so training can start from hand-set weights or from all zeros (the
 * uniform policy). The arithmetic is double and in a fixed order: the same logits everywhere. */
#ifndef TN_SCORER_H
#define TN_SCORER_H
#include "core/base/json.h"
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tn_scorer {
    uint32_t n_in, n_hidden;
    double *params; /* [tn_scorer_n_params] */
} tn_scorer;

size_t tn_scorer_n_params(uint32_t n_in, uint32_t n_hidden);
/* w from `linear` ([n_in], NULL: zeros); U and c random by seed (scale 1/sqrt(n_in)), v zero.
 * NOMEM only; *s is freed with tn_scorer_deinit. */
TERN_MUST_USE tern_status tn_scorer_init(tn_scorer *s, uint32_t n_in, uint32_t n_hidden,
                                         const float *linear, uint64_t seed, tern_error *err);
void tn_scorer_deinit(tn_scorer *s); /* zeroed allowed */

double tn_scorer_forward(const tn_scorer *s, const float *x);
/* grad[n_params] += dlogit * d logit / d params. */
void tn_scorer_backward(const tn_scorer *s, const float *x, double dlogit, double *grad);

/* A policy file is JSON: {"format": "tern-policy", "version": 1, "features": [names], "hidden": n,
 * "params": [...], "card": {...}}. Numbers have 17 digits, so they come back bit for bit. `card` is
 * borrowed and may be NULL. Atomic. */
TERN_MUST_USE tern_status tn_scorer_save(const tn_scorer *s, const char *const *names,
                                         const json_t *card, const char *path, tern_error *err);
/* Refuses (VERSION) a file made for other features than names[0 .. n_in); FORMAT: not a policy
 * file, a number missing or not finite. */
TERN_MUST_USE tern_status tn_scorer_load(tn_scorer *s, const char *const *names, uint32_t n_in,
                                         const char *path, tern_error *err);
#endif
