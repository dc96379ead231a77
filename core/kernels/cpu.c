/* cpu.c - see cpu.h. Compiled without ISA flags: it must run anywhere. */
#include "core/kernels/cpu.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const level_names[] = {
    [TN_CPU_REF] = "ref",       [TN_CPU_NEON] = "neon", [TN_CPU_AVX2] = "avx2",
    [TN_CPU_AVX512] = "avx512", [TN_CPU_AMX] = "amx",
};

const char *tn_cpu_level_name(tn_cpu_level level) {
    return level_names[level];
}

bool tn_cpu_level_parse(const char *name, tn_cpu_level *out) {
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(level_names[i], name) != 0) continue;
        *out = (tn_cpu_level)i;
        return true;
    }
    return false;
}

tn_cpu_level tn_cpu_cap(tn_cpu_level best, const char *cap, bool *unknown) {
    tn_cpu_level wanted = best;
    *unknown = cap && *cap && !tn_cpu_level_parse(cap, &wanted);
    return wanted < best ? wanted : best;
}

#if defined(__x86_64__)

enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xE6, XCR0_AMX = 0x60000 };

static uint64_t read_xcr0(void) {
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool bit(unsigned word, int n) {
    return (word >> n & 1) != 0;
}

static void read_name(char out[64]) {
    unsigned words[12];
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) return;
    for (unsigned i = 0; i < 3; i++) {
        unsigned *w = words + 4 * i;
        __cpuid(0x80000002u + i, w[0], w[1], w[2], w[3]);
    }
    memcpy(out, words, 48);
    out[48] = '\0';
    size_t lead = strspn(out, " ");
    memmove(out, out + lead, strlen(out + lead) + 1);
    for (size_t n = strlen(out); n && out[n - 1] == ' ';) out[--n] = '\0';
}

static void detect(tn_cpu *c) {
    unsigned a, b, cx, d;
    read_name(c->name);
    if (!__get_cpuid(1, &a, &b, &cx, &d)) return;
    uint64_t saved = bit(cx, 27) ? read_xcr0() : 0; /* bit 27: the system uses XSAVE */
    bool ymm = (saved & XCR0_AVX) == XCR0_AVX;
    bool zmm = (saved & XCR0_AVX512) == XCR0_AVX512;
    bool tiles = (saved & XCR0_AMX) == XCR0_AMX;
    c->sse42 = bit(cx, 20);
    c->avx = ymm && bit(cx, 28);
    c->f16c = ymm && bit(cx, 29);
    c->fma = ymm && bit(cx, 12);
    if (!__get_cpuid_count(7, 0, &a, &b, &cx, &d)) return;
    c->avx2 = ymm && bit(b, 5);
    c->avx512f = zmm && bit(b, 16);
    c->avx512dq = zmm && bit(b, 17);
    c->avx512bw = zmm && bit(b, 30);
    c->avx512vl = zmm && bit(b, 31);
    c->avx512vbmi = zmm && bit(cx, 1);
    c->avx512vnni = zmm && bit(cx, 11);
    c->amx_bf16 = tiles && bit(d, 22);
    c->amx_tile = tiles && bit(d, 24);
    c->amx_int8 = tiles && bit(d, 25);
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &cx, &d)) c->avx512bf16 = zmm && bit(a, 5);
}

/* Linux lends the tile registers to a process that asks (arch/x86/xstate.rst). */
static bool may_use_tiles(void) {
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

static tn_cpu_level best_level(const tn_cpu *c) {
    if (!c->avx2 || !c->fma || !c->f16c) return TN_CPU_REF;
    if (!c->avx512f || !c->avx512bw || !c->avx512dq || !c->avx512vl) return TN_CPU_AVX2;
    bool tiles = c->amx_tile && c->amx_int8 && c->amx_bf16 && c->avx512bf16;
    return tiles && may_use_tiles() ? TN_CPU_AMX : TN_CPU_AVX512;
}

#else

static void detect(tn_cpu *c) {
#if defined(__aarch64__)
    c->neon = true; /* part of the base architecture */
#else
    (void)c;
#endif
}

static tn_cpu_level best_level(const tn_cpu *c) {
    return c->neon ? TN_CPU_NEON : TN_CPU_REF;
}

#endif

static tn_cpu cpu;

static void detect_once(void) {
    detect(&cpu);
    cpu.best = best_level(&cpu);
    cpu.used = tn_cpu_cap(cpu.best, getenv("TERN_CPU"), &cpu.cap_unknown);
}

const tn_cpu *tn_cpu_get(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, detect_once);
    return &cpu;
}
