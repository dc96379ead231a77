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

static tn_gemm_class table[] = {{"f32", ""},          {"bf16", ""},         {"f32 weights", ""},
                                {"bf16 weights", ""}, {"int8 weights", ""}, {"f64", ""}};

enum { N_CLASSES = sizeof table / sizeof *table };

const tn_gemm_set *const *tn_gemm_sets(size_t *n) {
    *n = N_SETS;
    return sets;
}

static void describe(char out[80], const tn_ukr *u, const char *how) {
    snprintf(out, 80, "%s, depth %zu%s", u->name, u->depth, how);
}

static void fill_table(const tn_gemm_set *s) {
    bool pairs = s->bf16->packed == TN_BF16;
    describe(table[0].kernel, s->f32, "");
    describe(table[1].kernel, s->bf16, pairs ? "" : ", expanded to f32");
    describe(table[2].kernel, s->f32, "");
    describe(table[3].kernel, s->bf16, pairs ? "" : ", expanded to f32");
    describe(table[4].kernel, s->bf16, pairs ? ", expanded to bf16" : ", expanded to f32");
    snprintf(table[5].kernel, sizeof table[5].kernel, "plain loops");
}

/* FNV-1a. */
static uint32_t hash(uint32_t h, const char *text) {
    for (const char *p = text; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    return h;
}

static void choose(void) {
    const tn_cpu *cpu = tn_cpu_get();
    for (size_t i = 0; i < N_SETS; i++)
        if (sets[i]->level <= cpu->used && sets[i]->is_here(cpu)) best = sets[i];
    fill_table(best);
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < N_CLASSES; i++) h = hash(hash(h, table[i].products), table[i].kernel);
    snprintf(id, sizeof id, "%s-%08x", best->name, h);
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

const tn_gemm_class *tn_gemm_table(size_t *n) {
    tn_gemm_set_get();
    *n = N_CLASSES;
    return table;
}
