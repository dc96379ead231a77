/* gemm_sets.c - which set of micro-kernels serves this process. Compiled without ISA flags. */
#include "core/kernels/gemm_priv.h"
#include <pthread.h>
#include <stdio.h>

static const tn_gemm_set *const sets[] = {&tn_gemm_set_ref};

enum { N_SETS = sizeof sets / sizeof *sets };

static const tn_gemm_set *best;
static char id[64];

const tn_gemm_set *const *tn_gemm_sets(size_t *n) {
    *n = N_SETS;
    return sets;
}

/* FNV-1a over the words that say which kernel does what, and in which blocks. */
static uint32_t hash_of(const tn_gemm_set *s) {
    char text[256];
    snprintf(text, sizeof text, "%s;%s;%s;kc %d", s->name, s->f32->name, s->bf16->name, TN_GEMM_KC);
    uint32_t h = 2166136261u;
    for (const char *p = text; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    return h;
}

static void choose(void) {
    const tn_cpu *cpu = tn_cpu_get();
    for (size_t i = 0; i < N_SETS; i++)
        if (sets[i]->level <= cpu->used && sets[i]->is_here(cpu)) best = sets[i];
    snprintf(id, sizeof id, "%s-%08x", best->name, hash_of(best));
}

const tn_gemm_set *tn_gemm_set_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return best;
}

const char *tn_gemm_id(void) {
    tn_gemm_set_get();
    return id;
}
