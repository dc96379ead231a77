/* kernels.c - which kernels run here (kernels.h). Compiled without ISA flags. */
#include "core/kernels/kernels.h"
#include "core/kernels/kernels_priv.h"
#include <pthread.h>

enum { N_LEVELS = TN_CPU_AMX + 1 };

static tn_kernels tables[N_LEVELS]; /* row `level`: everything up to that level */
static bool available[N_LEVELS];
static tn_kernels_f64 table_f64;

static void raise_to(tn_cpu_level level, const tn_cpu *cpu, tn_kernels *k) {
    (void)level, (void)cpu, (void)k; /* on an architecture without levels */
#if defined(__x86_64__)
    if (level == TN_CPU_AVX2) tn_kernels_fill_avx2(k);
    if (level == TN_CPU_AVX512) tn_kernels_fill_avx512(k);
    if (level == TN_CPU_AVX512 && cpu->avx512vnni) tn_kernels_fill_avx512vnni(k);
#elif defined(__aarch64__)
    if (level == TN_CPU_NEON) tn_kernels_fill_neon(k);
#endif
}

static void fill_once(void) {
    const tn_cpu *cpu = tn_cpu_get();
    tn_kernels k;
    tn_kernels_fill_ref(&k);
    for (int level = TN_CPU_REF; level < N_LEVELS; level++) {
        available[level] = level == TN_CPU_NEON ? cpu->neon : (tn_cpu_level)level <= cpu->best;
        if (available[level]) raise_to((tn_cpu_level)level, cpu, &k);
        tables[level] = k;
    }
    tn_kernels_fill_ref_f64(&table_f64);
}

static void fill(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_once);
}

const tn_kernels *tn_kernels_get(void) {
    fill();
    return &tables[tn_cpu_get()->used];
}

const tn_kernels *tn_kernels_of(tn_cpu_level level) {
    fill();
    return available[level] ? &tables[level] : NULL;
}

const tn_kernels_f64 *tn_kernels_f64_get(void) {
    fill();
    return &table_f64;
}
