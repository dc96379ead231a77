/* schedule.c - learning rates by step; see tern/optim.h. Pure functions: a run that goes on from a
 * checkpoint asks for the step it is at. */
#include "tern/optim.h"
#include <math.h>

double tern_lr_at(const tern_lr *s, uint64_t step) {
    if (step < s->n_warmup) return s->lr_max * (double)(step + 1) / (double)s->n_warmup;
    if (s->kind == TERN_LR_CONSTANT) return s->lr_max;
    uint64_t begin = s->n_warmup ? s->n_warmup - 1 : 0; /* has lr_max */
    if (step + 1 >= s->n_steps) return s->n_steps > begin + 1 ? s->lr_min : s->lr_max;
    double part = (double)(step - begin) / (double)(s->n_steps - 1 - begin);
    double left = s->kind == TERN_LR_LINEAR ? 1 - part : 0.5 * (1 + cos(M_PI * part));
    return s->lr_min + (s->lr_max - s->lr_min) * left;
}
