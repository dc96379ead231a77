/* gemm_sets.c - which set of micro-kernels serves this process. Compiled without ISA flags. */
#include "core/kernels/gemm_priv.h"
#include <pthread.h>
#include <stdio.h>

static bool anywhere(const tn_cpu *cpu) {
    (void)cpu;
    return true;
}

static const tn_gemm_set ref = {.name = "ref",
                                .level = TN_CPU_REF,
                                .is_here = anywhere,
                                .f32 = &tn_ukr_f32_ref,
                                .bf16 = &tn_ukr_f32_ref,
                                .f32_from_bf16 = tn_unpack_f32_from_bf16,
                                .f32_from_i8 = tn_unpack_f32_from_i8,
                                .add_scaled = tn_add_scaled};

#if defined(__x86_64__)

static bool has_avx2(const tn_cpu *cpu) {
    return cpu->best >= TN_CPU_AVX2;
}

static bool has_avx512(const tn_cpu *cpu) {
    return cpu->best >= TN_CPU_AVX512;
}

static bool has_avx512bf16(const tn_cpu *cpu) {
    return has_avx512(cpu) && cpu->avx512bf16 && cpu->avx512vbmi;
}

static bool has_amx(const tn_cpu *cpu) {
    return has_avx512bf16(cpu) && cpu->best >= TN_CPU_AMX;
}

static const tn_gemm_set avx2 = {.name = "avx2",
                                 .level = TN_CPU_AVX2,
                                 .is_here = has_avx2,
                                 .f32 = &tn_ukr_f32_avx2,
                                 .bf16 = &tn_ukr_f32_avx2,
                                 .f32_from_bf16 = tn_unpack_f32_from_bf16_avx2,
                                 .f32_from_i8 = tn_unpack_f32_from_i8_avx2,
                                 .add_scaled = tn_add_scaled_avx2};

static const tn_gemm_set avx512 = {.name = "avx512",
                                   .level = TN_CPU_AVX512,
                                   .is_here = has_avx512,
                                   .f32 = &tn_ukr_f32_avx512,
                                   .bf16 = &tn_ukr_f32_avx512,
                                   .f32_from_bf16 = tn_unpack_f32_from_bf16_avx512,
                                   .f32_from_i8 = tn_unpack_f32_from_i8_avx512,
                                   .add_scaled = tn_add_scaled_avx512};

static const tn_gemm_set avx512bf16 = {.name = "avx512bf16",
                                       .level = TN_CPU_AVX512,
                                       .is_here = has_avx512bf16,
                                       .f32 = &tn_ukr_f32_avx512,
                                       .bf16 = &tn_ukr_bf16_avx512bf16,
                                       .bf16_from_i8 = tn_unpack_bf16_from_i8_avx512bf16,
                                       .add_scaled = tn_add_scaled_avx512};

static const tn_gemm_set amx = {.name = "amx",
                                .level = TN_CPU_AMX,
                                .is_here = has_amx,
                                .f32 = &tn_ukr_f32_avx512,
                                .bf16 = &tn_ukr_bf16_amx,
                                .bf16_from_i8 = tn_unpack_bf16_from_i8_avx512bf16,
                                .add_scaled = tn_add_scaled_avx512};

static const tn_gemm_set *const sets[] = {&ref, &avx2, &avx512, &avx512bf16, &amx};

#elif defined(__aarch64__)

static const tn_gemm_set neon = {.name = "neon",
                                 .level = TN_CPU_NEON,
                                 .is_here = anywhere,
                                 .f32 = &tn_ukr_f32_neon,
                                 .bf16 = &tn_ukr_f32_neon,
                                 .f32_from_bf16 = tn_unpack_f32_from_bf16_neon,
                                 .f32_from_i8 = tn_unpack_f32_from_i8_neon,
                                 .add_scaled = tn_add_scaled};

static const tn_gemm_set *const sets[] = {&ref, &neon};

#else

static const tn_gemm_set *const sets[] = {&ref};

#endif

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
    snprintf(text, sizeof text, "%s;%s depth %zu;%s depth %zu", s->name, s->f32->name,
             s->f32->depth, s->bf16->name, s->bf16->depth);
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
