/* fingerprint.h - which model stands in a folder: a hash over the names and contents of the files
 * that decide its numbers. */
#ifndef TN_FINGERPRINT_H
#define TN_FINGERPRINT_H
#include "tern/status.h"
#include <stdint.h>

/* XXH3 of every .json, .safetensors, .txt and .model file of the folder and of the folders directly
 * in it (sentence-transformers keeps modules there), in order of their names; in 1 .. 2^63 - 1.
 * Moving or copying the folder does not change it. Errors: NOT_FOUND, IO, NOMEM. */
TERN_MUST_USE tern_status tn_fingerprint(const char *dir, uint64_t *out, tern_error *err);
#endif
