/* Claims about the row kernels of every level this processor has: against the reference, over all
 * small lengths and odd addresses, with canaries around every operand, and with special values. */
#include "core/base/rng.h"
#include "core/kernels/dot.h"
#include "core/kernels/kernels.h"
#include "tests/test.h"

#include "core/base/mem.h"

enum { N_OPERANDS = 8, N_MAX = 1100, PAD = 80, STRIDE = N_MAX + 2 * PAD };

/* The operands of one call, apart in one block; what lies between is NaN with a pattern, so that a
 * stray read shows in the result and a stray write in the comparison. */
typedef struct block {
    float x[N_OPERANDS * STRIDE];
    double scalars[2]; /* what the kernel returns */
} block;

static float *at(block *b, int i, size_t offset) {
    return b->x + (size_t)i * STRIDE + PAD + offset;
}

typedef void call_fn(const tn_kernels *k, float **t, size_t n, double *scalars);

#define CALL(name)                                                                                 \
    static void call_##name(const tn_kernels *k, float **t, size_t n, double *scalars)
#define UNUSED (void)scalars

CALL(bf16) {
    UNUSED;
    k->bf16_from_f32((tn_bf16 *)t[1], t[0], n);
    k->f32_from_bf16(t[2], (const tn_bf16 *)t[1], n);
}
CALL(dot) {
    scalars[0] = (double)k->dot(t[0], t[1], n);
}
CALL(sum) {
    scalars[0] = (double)k->sum(t[0], n);
}
CALL(max) {
    scalars[0] = n ? (double)k->max(t[0], n) : 0;
}
CALL(sum_squares) {
    scalars[0] = k->sum_squares(t[0], n);
}
CALL(axpy) {
    UNUSED;
    k->axpy(t[0], 0.7f, t[1], n);
}
CALL(scale) {
    UNUSED;
    k->scale(t[0], 0.7f, n);
}
CALL(add) {
    UNUSED;
    k->add(t[0], t[0], t[1], n);
}
CALL(mul) {
    UNUSED;
    k->mul(t[0], t[1], t[0], n);
}
CALL(exp) {
    UNUSED;
    k->exp(t[0], t[0], n);
}
CALL(tanh) {
    UNUSED;
    k->tanh(t[0], t[0], n);
}
CALL(sigmoid) {
    UNUSED;
    k->sigmoid(t[0], t[0], n);
}
CALL(softmax) {
    scalars[0] = (double)k->softmax(t[0], t[0], n);
}
CALL(log_sum_exp) {
    scalars[0] = (double)k->log_sum_exp(t[0], n);
}
CALL(softmax_backward) {
    UNUSED;
    k->softmax_backward(t[0], t[1], t[2], n);
}
CALL(rms_norm) {
    scalars[0] = (double)k->rms_norm(t[0], t[0], t[1], 1, 1e-6f, n);
}
CALL(rms_norm_backward) {
    UNUSED;
    k->rms_norm_backward(t[0], t[1], t[2], t[3], t[4], 1, 0.8f, n);
}
CALL(layer_norm) {
    float mean, rstd;
    k->layer_norm(t[0], t[0], t[1], t[2], 1e-6f, n, &mean, &rstd);
    scalars[0] = (double)mean, scalars[1] = (double)rstd;
}
CALL(layer_norm_plain) {
    float mean, rstd;
    k->layer_norm(t[0], t[3], t[1], NULL, 1e-6f, n, &mean, &rstd);
    scalars[0] = (double)mean, scalars[1] = (double)rstd;
}
CALL(layer_norm_backward) {
    UNUSED;
    k->layer_norm_backward(t[0], t[1], t[2], t[3], t[4], t[5], 0.1f, 0.8f, n);
    k->layer_norm_backward(t[0], t[1], NULL, t[3], t[4], t[5], 0.1f, 0.8f, n);
}
CALL(rope) {
    UNUSED;
    k->rope(t[0], t[1], t[2], n & ~(size_t)1, false);
    k->rope(t[3], t[1], t[2], n & ~(size_t)1, true);
}
CALL(adamw) {
    static const tn_adamw_args a = {.lr = 0.1f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.99f,
                                    .eps = 1e-6f,
                                    .weight_decay = 0.1f,
                                    .correction1 = 0.3f,
                                    .correction2 = 0.2f,
                                    .grad_scale = 0.5f};
    UNUSED;
    for (size_t i = 0; i < n; i++) t[3][i] = fabsf(t[3][i]);
    k->adamw(t[0], t[1], t[2], t[3], &a, n);
}
CALL(act) {
    UNUSED;
    for (int kind = TN_ACT_NONE; kind <= TN_ACT_SILU; kind++) {
        k->act((tn_act)kind, t[1], t[0], n);
        k->act_backward((tn_act)kind, t[2], t[1], t[0], n);
    }
    k->act(TN_ACT_SILU, t[0], t[0], n);
}
CALL(glu) {
    UNUSED;
    for (int kind = TN_ACT_NONE; kind <= TN_ACT_SILU; kind++) {
        k->glu((tn_act)kind, t[2], t[0], t[1], n);
        k->glu_backward((tn_act)kind, t[3], t[4], t[2], t[0], t[1], n);
    }
}

typedef struct check {
    const char *name;
    call_fn *fn;
    double tolerance; /* of 1 + |reference| */
} check;
#define ENTRY(name, tolerance)                                                                     \
    { #name, call_##name, tolerance }
static const check checks[] = {
    ENTRY(bf16, 0),
    ENTRY(dot, 2e-5),
    ENTRY(sum, 2e-5),
    ENTRY(max, 0),
    ENTRY(sum_squares, 1e-6),
    ENTRY(axpy, 2e-7),
    ENTRY(scale, 0),
    ENTRY(add, 0),
    ENTRY(mul, 0),
    ENTRY(exp, 3e-7),
    ENTRY(tanh, 3e-7),
    ENTRY(sigmoid, 3e-7),
    ENTRY(softmax, 1e-6),
    ENTRY(log_sum_exp, 1e-6),
    ENTRY(softmax_backward, 2e-5),
    ENTRY(rms_norm, 1e-6),
    ENTRY(rms_norm_backward, 1e-6),
    ENTRY(layer_norm, 2e-6),
    ENTRY(layer_norm_plain, 2e-6),
    ENTRY(layer_norm_backward, 1e-6),
    ENTRY(rope, 1e-6),
    ENTRY(adamw, 1e-6),
    ENTRY(act, 4e-6),
    ENTRY(glu, 4e-6),
};
enum { N_CHECKS = sizeof checks / sizeof *checks };

static void fill(block *b, tn_rng *rng, size_t n, size_t offset, bool special) {
    static const float odd[] = {0, -0.0f, 1e-40f, -1e-45f, 1e30f, -1e30f, 100, -100};
    const uint32_t canary = 0x7fc5a5a5u;
    for (size_t i = 0; i < N_OPERANDS * STRIDE; i++) memcpy(&b->x[i], &canary, sizeof canary);
    for (int t = 0; t < N_OPERANDS; t++)
        for (size_t i = 0; i < n; i++) {
            float v = (float)tn_rng_normal(rng);
            if (special && tn_rng_below(rng, 3) == 0) v = odd[tn_rng_below(rng, 8)];
            at(b, t, offset)[i] = v;
        }
    b->scalars[0] = b->scalars[1] = 0;
}

static bool near(double got, double want, double tolerance) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    if (isinf(want)) return got == want;
    return fabs(got - want) <= tolerance * (1 + fabs(want));
}

static block want, got;

/* Everything the call may touch agrees; everything else is untouched, bit for bit. */
static void compare(const check *c, tn_cpu_level level, size_t n, size_t offset, double tolerance) {
    for (int s = 0; s < 2; s++)
        if (!near(got.scalars[s], want.scalars[s], tolerance * 2))
            FAIL("%s, %s, n %zu: returns %.9g, expected %.9g", c->name, tn_cpu_level_name(level), n,
                 got.scalars[s], want.scalars[s]);
    for (size_t i = 0; i < N_OPERANDS * STRIDE; i++) {
        size_t in = i % STRIDE - PAD - offset; /* wraps before the operand */
        bool same = memcmp(&got.x[i], &want.x[i], sizeof(float)) == 0;
        if (!same && !(in < n && near((double)got.x[i], (double)want.x[i], tolerance)))
            FAIL("%s, %s, n %zu, operand %zu [%td]: %.9g, expected %.9g", c->name,
                 tn_cpu_level_name(level), n, i / STRIDE, (ptrdiff_t)in, (double)got.x[i],
                 (double)want.x[i]);
    }
}

/* Sums of numbers far apart depend on their order; these do not sum, or not such numbers. */
static bool elementwise(const check *c) {
    static const char *const names[] = {"bf16",    "max",     "axpy",        "scale",
                                        "add",     "mul",     "exp",         "tanh",
                                        "sigmoid", "softmax", "log_sum_exp", "rope"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], c->name) == 0) return true;
    return false;
}

static void run_checks(tn_cpu_level level, size_t n, size_t offset, bool special) {
    const tn_kernels *ref = tn_kernels_of(TN_CPU_REF), *k = tn_kernels_of(level);
    for (int i = 0; i < N_CHECKS; i++) {
        if (special && !elementwise(&checks[i])) continue;
        tn_rng rng = tn_rng_init(23, n);
        fill(&want, &rng, n, offset, special);
        got = want;
        float *a[N_OPERANDS], *b[N_OPERANDS];
        for (int t = 0; t < N_OPERANDS; t++)
            a[t] = at(&want, t, offset), b[t] = at(&got, t, offset);
        checks[i].fn(ref, a, n, want.scalars);
        checks[i].fn(k, b, n, got.scalars);
        compare(&checks[i], level, n, offset, checks[i].tolerance * (n > 100 ? 4 : 1));
    }
}

#define FOR_EACH_LEVEL(level)                                                                      \
    for (tn_cpu_level level = TN_CPU_NEON; level <= TN_CPU_AMX; level++)                           \
        if (tn_kernels_of(level))

TEST(every_level_agrees_with_the_reference_at_any_length_and_address) {
    FOR_EACH_LEVEL(level) {
        for (size_t n = 0; n <= 67; n++) run_checks(level, n, n % 5, false);
        for (size_t n = 1023; n <= 1026; n++) run_checks(level, n, 1, false);
    }
}

TEST(large_and_tiny_numbers_agree) {
    FOR_EACH_LEVEL(level)
    for (size_t n = 1; n <= 67; n++) run_checks(level, n, 0, true);
}

TEST(infinities_and_nan_go_where_the_reference_puts_them) {
    static const float odd[] = {INFINITY, -INFINITY, NAN, 0, -0.0f, 1e30f, -1e30f, 1e-40f};
    FOR_EACH_LEVEL(level) {
        const tn_kernels *ref = tn_kernels_of(TN_CPU_REF), *k = tn_kernels_of(level);
        for (size_t v = 0; v < 8; v++)
            for (size_t n = 1; n < 40; n += 3) {
                float x[40], a[40], b[40];
                for (size_t i = 0; i < n; i++) x[i] = i == n / 2 ? odd[v] : (float)i - 9;
                double la = (double)ref->softmax(a, x, n), lb = (double)k->softmax(b, x, n);
                CHECK(near(lb, la, 1e-6));
                CHECK(near((double)k->log_sum_exp(x, n), la, 1e-6));
                CHECK(near((double)k->sum(x, n), (double)ref->sum(x, n), 1e-6));
                CHECK(near((double)k->max(x, n), (double)ref->max(x, n), 0));
                for (size_t i = 0; i < n; i++) CHECK(near((double)b[i], (double)a[i], 1e-6));
                for (int kind = TN_ACT_NONE; kind <= TN_ACT_SILU; kind++) {
                    float da[40] = {0}, db[40] = {0}, one[40];
                    for (size_t i = 0; i < n; i++) one[i] = 1;
                    ref->act((tn_act)kind, a, x, n);
                    k->act((tn_act)kind, b, x, n);
                    ref->act_backward((tn_act)kind, da, one, x, n);
                    k->act_backward((tn_act)kind, db, one, x, n);
                    for (size_t i = 0; i < n; i++) {
                        if (!near((double)b[i], (double)a[i], 2e-6))
                            FAIL("act %d of %g is %.9g, expected %.9g", kind, (double)x[i],
                                 (double)b[i], (double)a[i]);
                        if (!near((double)db[i], (double)da[i], 2e-6))
                            FAIL("slope %d at %g is %.9g, expected %.9g", kind, (double)x[i],
                                 (double)db[i], (double)da[i]);
                    }
                }
            }
        float empty[20], y[20];
        for (size_t i = 0; i < 20; i++) empty[i] = -INFINITY;
        CHECK(k->softmax(y, empty, 20) == -INFINITY);
        for (size_t i = 0; i < 20; i++) CHECK(y[i] == 0);
    }
}

TEST(dot_rows_gives_the_same_bits_at_every_level) {
    tn_rng rng = tn_rng_init(31, 0);
    float x[200], rows[3 * 200], a[3], b[3];
    for (size_t i = 0; i < 200; i++) x[i] = (float)tn_rng_normal(&rng);
    for (size_t i = 0; i < 600; i++) rows[i] = (float)tn_rng_normal(&rng);
    FOR_EACH_LEVEL(level)
    for (size_t dim = 0; dim <= 200; dim++) {
        tn_kernels_of(TN_CPU_REF)->dot_rows(x, rows, dim, 3, a);
        tn_kernels_of(level)->dot_rows(x, rows, dim, 3, b);
        CHECK(memcmp(a, b, sizeof a) == 0);
    }
}

TEST(dot_i8_is_exact_at_every_length) {
    tn_rng rng = tn_rng_init(37, 0);
    int8_t x[300], y[300];
    for (size_t i = 0; i < 300; i++)
        x[i] = i % 3 ? -128 : (int8_t)tn_rng_below(&rng, 256), y[i] = i % 2 ? -128 : 127;
    FOR_EACH_LEVEL(level)
    for (size_t n = 0; n <= 297; n++) {
        int32_t exact = 0;
        for (size_t i = 0; i < n; i++) exact += x[i + 3] * y[i];
        CHECK_EQ(tn_kernels_of(level)->dot_i8(x + 3, y, n), exact);
    }
    int32_t out[2];
    tn_dot_rows_i8(x, y, 150, 2, out);
    CHECK_EQ(out[1], tn_kernels_of(TN_CPU_REF)->dot_i8(x, y + 150, 150));
}

TEST_MAIN
