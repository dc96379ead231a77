/* crc32c.c - see crc32c.h.
 * The crc32 instruction takes 8 bytes and answers after 3 cycles, so three independent streams keep
 * it busy: crc(ABC) = shift(shift(crc(A)) ^ crc(B)) ^ crc(C), where shift appends STRIDE zero bytes
 * to a state. That is linear, so four tables of 256 words hold it. */
#include "core/base/crc32c.h"
#include <pthread.h>
#include <string.h>

static uint32_t table[8][256];

static void table_build(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            table[t][i] = (table[t - 1][i] >> 8) ^ table[0][table[t - 1][i] & 0xFF];
}

uint32_t tn_crc32c_portable(uint32_t crc, const void *data, size_t n) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, table_build);
    const unsigned char *p = data;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                             (uint32_t)p[3] << 24);
        crc = table[7][lo & 0xFF] ^ table[6][lo >> 8 & 0xFF] ^ table[5][lo >> 16 & 0xFF] ^
              table[4][lo >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
              table[0][p[7]];
    }
    while (n--) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
enum { STRIDE = 4096 }; /* a third of what one round takes; five rounds make most of 64 KiB */
static uint32_t shift_table[4][256];

__attribute__((target("sse4.2"))) static inline uint64_t step8(uint64_t state, const void *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return _mm_crc32_u64(state, word);
}

__attribute__((target("sse4.2"))) static void shift_build(void) {
    uint32_t basis[32]; /* each bit of a state, STRIDE zero bytes later */
    for (int k = 0; k < 32; k++) {
        uint64_t state = UINT64_C(1) << k;
        for (size_t i = 0; i < STRIDE; i += 8) state = _mm_crc32_u64(state, 0);
        basis[k] = (uint32_t)state;
    }
    for (int t = 0; t < 4; t++)
        for (uint32_t byte = 0; byte < 256; byte++)
            for (int k = 0; k < 8; k++)
                if (byte >> k & 1) shift_table[t][byte] ^= basis[8 * t + k];
}

static uint64_t shift(uint64_t state) {
    return shift_table[0][state & 0xFF] ^ shift_table[1][state >> 8 & 0xFF] ^
           shift_table[2][state >> 16 & 0xFF] ^ shift_table[3][state >> 24 & 0xFF];
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data,
                                                               size_t n) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const unsigned char *p = data;
    uint64_t a = ~crc;
    if (n >= 3 * STRIDE) pthread_once(&once, shift_build);
    for (; n >= 3 * STRIDE; n -= 3 * STRIDE, p += 3 * STRIDE) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < STRIDE; i += 8) {
            a = step8(a, p + i);
            b = step8(b, p + STRIDE + i);
            c = step8(c, p + 2 * STRIDE + i);
        }
        a = shift(shift(a) ^ b) ^ c;
    }
    for (; n >= 8; n -= 8, p += 8) a = step8(a, p);
    uint32_t tail = (uint32_t)a;
    while (n--) tail = _mm_crc32_u8(tail, *p++);
    return ~tail;
}

uint32_t tn_crc32c(uint32_t crc, const void *data, size_t n) {
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, data, n)
                                            : tn_crc32c_portable(crc, data, n);
}
#else
uint32_t tn_crc32c(uint32_t crc, const void *data, size_t n) {
    return tn_crc32c_portable(crc, data, n);
}
#endif
