/* gemm_peak_body.h - a loop over 12 register sums: the including file defines PEAK_NAME, PEAK_SUM
 * (register type), PEAK_ZERO, PEAK_STEP(sum) (one instruction), PEAK_OPS (operations of one) and
 * PEAK_FOLD(sum) (to a float). */
double PEAK_NAME(size_t steps, float *sink) {
    PEAK_SUM s0 = PEAK_ZERO, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    PEAK_SUM s8 = s0, s9 = s0, s10 = s0, s11 = s0;
    PEAK_OPERANDS
    for (size_t i = 0; i < steps; i++) {
        PEAK_STEP(s0)
        PEAK_STEP(s1) PEAK_STEP(s2) PEAK_STEP(s3) PEAK_STEP(s4) PEAK_STEP(s5) PEAK_STEP(s6)
            PEAK_STEP(s7) PEAK_STEP(s8) PEAK_STEP(s9) PEAK_STEP(s10) PEAK_STEP(s11)
    }
    PEAK_FOLD(s0)
        PEAK_FOLD(s1) PEAK_FOLD(s2) PEAK_FOLD(s3) PEAK_FOLD(s4) PEAK_FOLD(s5) PEAK_FOLD(s6)
            PEAK_FOLD(s7) PEAK_FOLD(s8) PEAK_FOLD(s9) PEAK_FOLD(s10)
                PEAK_FOLD(s11) return (double)steps *
        12 * PEAK_OPS;
}
