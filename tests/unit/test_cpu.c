/* Claims about CPU detection. */
#include "core/kernels/cpu.h"
#include "tests/test.h"

TEST(a_cap_lowers_the_level_and_never_raises_it) {
    bool unknown;
    CHECK_EQ(tn_cpu_cap(TN_CPU_AMX, "avx2", &unknown), TN_CPU_AVX2);
    CHECK_EQ(tn_cpu_cap(TN_CPU_AVX2, "amx", &unknown), TN_CPU_AVX2);
    CHECK_EQ(tn_cpu_cap(TN_CPU_AVX512, "ref", &unknown), TN_CPU_REF);
    CHECK_EQ(tn_cpu_cap(TN_CPU_AVX512, NULL, &unknown), TN_CPU_AVX512);
    CHECK(!unknown);
    CHECK_EQ(tn_cpu_cap(TN_CPU_AVX512, "", &unknown), TN_CPU_AVX512);
    CHECK(!unknown);
    CHECK_EQ(tn_cpu_cap(TN_CPU_AVX512, "sse9", &unknown), TN_CPU_AVX512);
    CHECK(unknown);
}

TEST(level_names_come_back) {
    for (int i = TN_CPU_REF; i <= TN_CPU_AMX; i++) {
        tn_cpu_level level;
        CHECK(tn_cpu_level_parse(tn_cpu_level_name((tn_cpu_level)i), &level));
        CHECK_EQ(level, i);
    }
    tn_cpu_level level;
    CHECK(!tn_cpu_level_parse("AVX2", &level));
}

TEST(detection_agrees_with_the_compilers_runtime) {
    const tn_cpu *c = tn_cpu_get();
    CHECK(c == tn_cpu_get());
    CHECK(c->used <= c->best);
#if defined(__x86_64__)
    CHECK_EQ(c->sse42, __builtin_cpu_supports("sse4.2") != 0);
    CHECK_EQ(c->avx, __builtin_cpu_supports("avx") != 0);
    CHECK_EQ(c->avx2, __builtin_cpu_supports("avx2") != 0);
    CHECK_EQ(c->fma, __builtin_cpu_supports("fma") != 0);
    CHECK_EQ(c->avx512f, __builtin_cpu_supports("avx512f") != 0);
    CHECK_EQ(c->avx512bw, __builtin_cpu_supports("avx512bw") != 0);
    CHECK_EQ(c->avx512vl, __builtin_cpu_supports("avx512vl") != 0);
    CHECK_EQ(c->avx512vnni, __builtin_cpu_supports("avx512vnni") != 0);
    CHECK_EQ(c->avx512bf16, __builtin_cpu_supports("avx512bf16") != 0);
    if (c->best >= TN_CPU_AVX512) CHECK(c->avx2 && c->fma && c->avx512f);
#endif
}

TEST_MAIN
