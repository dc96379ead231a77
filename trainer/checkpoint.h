/* checkpoint.h - a training run at rest: all that is needed to go on as if nothing had happened.
 *
 * File, little endian: "terncp02", u64 run, u64 step, u64 metrics_bytes, u64 events_bytes,
 * u64 trace_bytes, u64 n_params, then params, first and second moments (f64 each), then u64 XXH3 of
 * all before it. Replaced atomically: whatever happens, there is the last checkpoint or the one
 * before. */
#ifndef TN_CHECKPOINT_H
#define TN_CHECKPOINT_H
#include "tern/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tn_checkpoint {
    uint64_t run;  /* hash of all that decides the weights: recipe, index, questions, features */
    uint64_t step; /* updates made */
    uint64_t metrics_bytes, events_bytes, trace_bytes; /* of the files that grow, up to here */
    size_t n_params;
    double *params, *m, *v; /* [n_params], the caller's */
} tn_checkpoint;

TERN_MUST_USE tern_status tn_checkpoint_save(const tn_checkpoint *c, const char *path,
                                             tern_error *err);
/* Fills the caller's arrays; run and n_params are what the caller expects. NOT_FOUND; EXISTS: the
 * checkpoint is of another run; CORRUPT. */
TERN_MUST_USE tern_status tn_checkpoint_load(tn_checkpoint *c, const char *path, tern_error *err);

#endif
