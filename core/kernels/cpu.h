/* cpu.h - what this processor can do, asked once.
 * A feature counts when the processor has it and the operating system saves its registers (CPUID
 * and XCR0). Kernels are chosen by level; TERN_CPU=ref|avx2|avx512|amx caps the level, so that a
 * result can be repeated on a lesser machine. */
#ifndef TN_CPU_H
#define TN_CPU_H
#include <stdbool.h>

typedef enum tn_cpu_level {
    TN_CPU_REF,    /* plain C */
    TN_CPU_NEON,   /* Arm: Advanced SIMD */
    TN_CPU_AVX2,   /* AVX2, FMA, F16C */
    TN_CPU_AVX512, /* F, BW, DQ, VL */
    TN_CPU_AMX     /* AVX-512 and tiles with int8 and bf16; tiles need a permission per process */
} tn_cpu_level;

/* X(field, name): the features that are looked for, in the order they are shown. */
#define TN_CPU_FEATURES(X)                                                                         \
    X(neon, "neon")                                                                                \
    X(sse42, "sse4.2")                                                                             \
    X(avx, "avx")                                                                                  \
    X(f16c, "f16c")                                                                                \
    X(fma, "fma")                                                                                  \
    X(avx2, "avx2")                                                                                \
    X(avx512f, "avx512f")                                                                          \
    X(avx512bw, "avx512bw")                                                                        \
    X(avx512dq, "avx512dq")                                                                        \
    X(avx512vl, "avx512vl")                                                                        \
    X(avx512vbmi, "avx512_vbmi")                                                                   \
    X(avx512vnni, "avx512_vnni")                                                                   \
    X(avx512bf16, "avx512_bf16")                                                                   \
    X(amx_tile, "amx_tile")                                                                        \
    X(amx_int8, "amx_int8")                                                                        \
    X(amx_bf16, "amx_bf16")

typedef struct tn_cpu {
    char name[64]; /* as the processor calls itself; "" if it does not say */
#define TN_CPU_FIELD(field, text) bool field;
    TN_CPU_FEATURES(TN_CPU_FIELD)
#undef TN_CPU_FIELD
    tn_cpu_level best; /* what the machine can do */
    tn_cpu_level used; /* best, or less if TERN_CPU asks for less */
    bool cap_unknown;  /* TERN_CPU is set to a word that names no level; it was ignored */
} tn_cpu;

const tn_cpu *tn_cpu_get(void); /* static, never NULL; any thread */

const char *tn_cpu_level_name(tn_cpu_level level);
bool tn_cpu_level_parse(const char *name, tn_cpu_level *out);
/* best, lowered to the level that `cap` names; NULL or "": no cap. *unknown: it names none. */
tn_cpu_level tn_cpu_cap(tn_cpu_level best, const char *cap, bool *unknown);

#endif
