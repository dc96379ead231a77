/* lsa_priv.h - the fitted LSA model: its file, and folding text in.
 *   vector(text) = sum over its known terms t of (1 + ln tf) * projection[t], scaled to length 1
 *   projection[t] = idf(t) * row t of the right singular vectors
 * The same sum, in order of term numbers, embeds queries and passages, so a passage folded in from
 * its postings and its text embedded have the same bits.
 *
 * File (block file, kind LSAM, little endian):
 *   tn_lsa_header, 128 bytes
 *   slots       n_slots x u32, a power of two: term number + 1, or 0; linear probing from
 *               XXH3(term) mod n_slots
 *   offsets     (n_terms + 1) x u32 into strings; terms stand in byte order, without NUL
 *   strings     n_string_bytes
 *   seen        n_seen x u64, ascending: XXH3 of terms met when fitting but not modelled
 *   projection  n_terms x dim x f32, row-major, 64-byte aligned
 * Each part begins at a multiple of 64. */
#ifndef TN_LSA_PRIV_H
#define TN_LSA_PRIV_H
#include "retriever/dense/dense.h"
#include "retriever/store/blockfile.h"
#include <pthread.h>

#define TN_KIND_LSA TN_KIND('L', 'S', 'A', 'M')

typedef struct tn_lsa_header {
    uint32_t format, dim; /* format: 1 */
    uint64_t epoch;
    uint32_t n_terms, n_slots;
    uint64_t n_string_bytes, n_seen;
    uint64_t slots_at, offsets_at, strings_at, seen_at, projection_at;
    char language[32]; /* of the analysis, NUL-terminated */
    uint64_t n_docs;   /* passages fitted on */
    uint64_t reserved[1];
} tn_lsa_header;
_Static_assert(sizeof(tn_lsa_header) == 128, "the header is stored as it lies in memory");

typedef struct tn_lsa {
    tern_embedder base;
    tn_bfile *file;
    tn_lsa_header head;
    const uint32_t *slots, *offsets;
    const char *strings;
    const uint64_t *seen;
    pthread_mutex_t lock; /* guards the free analyzers below */
    tn_analyzer **spare;  /* analyzers serve one thread at a time; embed() borrows one */
    size_t n_spare, spare_cap;
} tn_lsa;

#define TN_LSA_NO_TERM UINT32_MAX
/* Number of a term, or TN_LSA_NO_TERM. */
uint32_t tn_lsa_find(const tn_lsa *m, const char *term, size_t len);
/* One row of the projection, [dim]. CORRUPT. */
TERN_MUST_USE tern_status tn_lsa_row(const tn_lsa *m, uint32_t term, const float **row,
                                     tern_error *err);

float tn_lsa_tf_weight(uint32_t tf); /* 1 + ln tf */
/* out[dim] = the vector of n known terms, ascending, with their counts. CORRUPT. */
TERN_MUST_USE tern_status tn_lsa_fold(const tn_lsa *m, const uint32_t *terms, const uint32_t *tfs,
                                      size_t n, float *out, tern_error *err);

/* What a fit may vary; tn_lsa_fit uses the defaults. */
typedef struct tn_lsa_params {
    uint32_t dim;
    uint32_t docs_max;  /* passages learnt from; a larger corpus is sampled evenly */
    uint32_t terms_max; /* terms modelled, the most frequent first */
} tn_lsa_params;
tn_lsa_params tn_lsa_defaults(void);
TERN_MUST_USE tern_status tn_lsa_fit_with(const tn_lsa_params *params, const tn_inv *const *invs,
                                          const uint64_t *const *keep, size_t n_invs,
                                          const char *language, uint64_t epoch, const char *path,
                                          const tern_host *host, tern_error *err);
#endif
