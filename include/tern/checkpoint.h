/* checkpoint.h - parameters on disk, as a model or as a training run that goes on from there as if
 * it had never stopped.
 *
 * A checkpoint is one safetensors file (safetensors.h) with the parameters under their own names,
 * so that it opens as a model, too; the moments as "optim.m.NAME" and "optim.v.NAME", f32; and
 * metadata, in this order:
 *   crc32c     8 hex digits: CRC-32C of the whole file with these digits as "00000000"
 *   format     "tern-checkpoint"        version    "1"
 *   optimizer  "adamw" or "sgd"         step       steps made
 *   cursor, rng_seed, rng_stream, rng_n, recipe    the state below, decimal
 *   user       the caller's text
 * It is replaced in one rename after a sync: a crash or a full disk leaves the old one. */
#ifndef TERN_CHECKPOINT_H
#define TERN_CHECKPOINT_H
#include "tern/optim.h"
#include "tern/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write all parameters of an initialised registry as one safetensors file; as tern_st_save. */
TERN_API TERN_MUST_USE tern_status tern_params_save(const char *path, const tern_params *p,
                                                    const tern_st_meta *meta, size_t n_meta,
                                                    tern_error *err);
/* Set every parameter from the tensor of its name, of any element type; what else the file holds is
 * left alone. A checkpoint will do, and so will a model of Hugging Face. path: as tern_st_open.
 * Errors, and then nothing has changed: NOT_FOUND, SHAPE, those of tern_st_open; ARG: the registry
 * is not initialised or not F32. */
TERN_API TERN_MUST_USE tern_status tern_params_load(const char *path, tern_params *p,
                                                    tern_error *err);

/* What a run needs beside parameters and moments to make the same next step. */
typedef struct tern_train_state {
    uint64_t cursor;                      /* place in the data: examples or tokens consumed */
    uint64_t rng_seed, rng_stream, rng_n; /* random numbers: what they are, how many were drawn */
    uint64_t recipe_hash; /* of all that must not change over a run; the caller's to compute */
    char *user;           /* JSON or any UTF-8; NULL: none. From load: heap */
} tern_train_state;
TERN_API void tern_train_state_deinit(tern_train_state *s); /* frees user; zeroed allowed */

/* Write the optimiser's parameters, moments and step and `s` to `path`. Elements are not copied.
 * Errors: ARG (names that clash, user not UTF-8), IO, FULL, NOMEM; the old file then stands. */
TERN_API TERN_MUST_USE tern_status tern_checkpoint_save(const char *path, const tern_optim *o,
                                                        const tern_train_state *s, tern_error *err);
/* Read it back into an optimiser of the same parameters, once all of it has been verified;
 * on failure neither o nor *s (zeroed) holds anything of it.
 *   recipe_hash   what the file must have been saved with; else ARG
 * Errors: NOT_FOUND, IO; FORMAT: not a checkpoint; VERSION; CORRUPT: damaged or cut; SHAPE: other
 * parameters or another optimiser; NOMEM. Each message says which and where. */
TERN_API TERN_MUST_USE tern_status tern_checkpoint_load(const char *path, tern_optim *o,
                                                        uint64_t recipe_hash, tern_train_state *s,
                                                        tern_error *err);

/* Save as dir/step-NNNNNNNNNN.safetensors (the folder is made), then remove all such files but the
 * n_keep newest (0: keep all), and what a killed save has left. One run owns the folder. */
TERN_API TERN_MUST_USE tern_status tern_checkpoint_save_in(const char *dir, size_t n_keep,
                                                           const tern_optim *o,
                                                           const tern_train_state *s,
                                                           tern_error *err);
/* Load the newest of them. NOT_FOUND: there is none. A damaged newest one is an error, not skipped:
 * the message names it, and removing it makes the one before the newest. */
TERN_API TERN_MUST_USE tern_status tern_checkpoint_load_latest(const char *dir, tern_optim *o,
                                                               uint64_t recipe_hash,
                                                               tern_train_state *s,
                                                               tern_error *err);

#ifdef __cplusplus
}
#endif
#endif
