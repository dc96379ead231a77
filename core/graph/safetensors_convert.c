/* safetensors_convert.c - elements of any stored type as f32 and bf16.
 * Elements are read byte by byte: a file may place them at any address. */
#include "core/graph/safetensors.h"
#include "core/kernels/dtype.h"
#include <string.h>

#include "core/base/mem.h"

/* IEEE half: 1 sign, 5 exponent (bias 15), 10 fraction bits; every half is an f32 exactly. */
static float f32_from_f16(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = h >> 10 & 31, frac = h & 0x3ffu, bits;
    if (exp == 0) { /* zero or subnormal: frac x 2^-24 */
        float f = (float)frac * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exp == 31 ? 0xffu : exp + 112) << 23 | frac << 13;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#define EACH(type, expression)                                                                     \
    for (size_t i = 0; i < n; i++) {                                                               \
        type v;                                                                                    \
        memcpy(&v, p + i * sizeof v, sizeof v);                                                    \
        out[i] = (expression);                                                                     \
    }                                                                                              \
    break

static void to_f32(tern_st_dtype dtype, const unsigned char *p, float *out, size_t n) {
    switch (dtype) {
    case TERN_ST_F64:
        EACH(double, (float)v);
    case TERN_ST_F32:
        memcpy(out, p, n * sizeof *out);
        break;
    case TERN_ST_F16:
        EACH(uint16_t, f32_from_f16(v));
    case TERN_ST_BF16:
        EACH(uint16_t, tn_bf16_get(v));
    case TERN_ST_I64:
        EACH(int64_t, (float)v);
    case TERN_ST_I32:
        EACH(int32_t, (float)v);
    case TERN_ST_I16:
        EACH(int16_t, (float)v);
    case TERN_ST_I8:
        EACH(int8_t, (float)v);
    case TERN_ST_U8:
    case TERN_ST_BOOL:
        EACH(uint8_t, (float)v);
    }
}

static tern_status check_count(const tern_st_tensor *t, size_t n, tern_error *err) {
    size_t has = t->n_bytes / tern_st_dtype_bytes(t->dtype);
    if (has == n) return TERN_OK;
    return tern_fail(err, TERN_ERR_SHAPE, 0, "tensor '%s' has %zu elements, expected %zu",
                     tn_st_show(t->name).text, has, n);
}

tern_status tern_st_read_f32(const tern_st_tensor *t, float *out, size_t n, tern_error *err) {
    tern_status s = check_count(t, n, err);
    if (s == TERN_OK && n) to_f32(t->dtype, t->data, out, n);
    return s;
}

tern_status tern_st_read_bf16(const tern_st_tensor *t, uint16_t *out, size_t n, tern_error *err) {
    tern_status s = check_count(t, n, err);
    if (s != TERN_OK || n == 0) return s;
    if (t->dtype == TERN_ST_BF16) {
        memcpy(out, t->data, n * sizeof *out);
        return TERN_OK;
    }
    float part[512];
    size_t size = tern_st_dtype_bytes(t->dtype);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < 512 ? n - i : 512;
        to_f32(t->dtype, (const unsigned char *)t->data + i * size, part, m);
        for (size_t j = 0; j < m; j++) out[i + j] = tn_bf16_set(part[j]);
    }
    return TERN_OK;
}
