/* ref_body.h - every row kernel in plain C for one element type; included by ref.c (TN_REAL float)
 * and ref_f64.c (double). What the other levels are measured against: it computes in double and
 * rounds when it stores, one obvious loop each. Formulas: kernels_table.h. No include guard. */
#include <math.h>

static TN_REAL dot(const TN_REAL *x, const TN_REAL *y, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += (double)x[i] * (double)y[i];
    return (TN_REAL)s;
}

static TN_REAL sum(const TN_REAL *x, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += (double)x[i];
    return (TN_REAL)s;
}

static TN_REAL max(const TN_REAL *x, size_t n) {
    TN_REAL m = -(TN_REAL)INFINITY;
    for (size_t i = 0; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static double sum_squares(const TN_REAL *x, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += (double)x[i] * (double)x[i];
    return s;
}

static void axpy(TN_REAL *y, TN_REAL a, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void scale(TN_REAL *y, TN_REAL a, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] *= a;
}

static void add(TN_REAL *y, const TN_REAL *a, const TN_REAL *b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void mul(TN_REAL *y, const TN_REAL *a, const TN_REAL *b, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

static void exp_rows(TN_REAL *y, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)exp((double)x[i]);
}

static void tanh_rows(TN_REAL *y, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)tanh((double)x[i]);
}

static double sigmoid_of(double x) {
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static void sigmoid(TN_REAL *y, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)sigmoid_of((double)x[i]);
}

/* 0.5 x (1 + tanh(k (x + c x^3))), the approximation of GELU that GPT-2 and Gemma use */
static const double gelu_k = 0.79788456080286535588; /* sqrt(2 / pi) */
static const double gelu_c = 0.044715;

static double act_of(tn_act kind, double x) {
    switch (kind) {
    case TN_ACT_NONE:
        return x;
    case TN_ACT_RELU:
        return x > 0 ? x : 0;
    case TN_ACT_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case TN_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(gelu_k * (x + gelu_c * x * x * x)));
    case TN_ACT_SILU:
        return x * sigmoid_of(x);
    }
    return x;
}

static double act_slope(tn_act kind, double x) {
    switch (kind) {
    case TN_ACT_NONE:
        return 1;
    case TN_ACT_RELU:
        return x > 0;
    case TN_ACT_GELU: /* cdf + x pdf of the normal distribution */
        return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) * (0.5 * M_SQRT1_2 * M_2_SQRTPI);
    case TN_ACT_GELU_TANH: {
        double t = tanh(gelu_k * (x + gelu_c * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_k * (1 + 3 * gelu_c * x * x);
    }
    case TN_ACT_SILU: {
        double s = sigmoid_of(x);
        return s * (1 + x * (1 - s));
    }
    }
    return 1;
}

static void act(tn_act kind, TN_REAL *y, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)act_of(kind, (double)x[i]);
}

static void act_backward(tn_act kind, TN_REAL *dx, const TN_REAL *dy, const TN_REAL *x, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * (TN_REAL)act_slope(kind, (double)x[i]);
}

static void glu(tn_act kind, TN_REAL *y, const TN_REAL *gate, const TN_REAL *up, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)(act_of(kind, (double)gate[i]) * (double)up[i]);
}

static void glu_backward(tn_act kind, TN_REAL *dgate, TN_REAL *dup, const TN_REAL *dy,
                         const TN_REAL *gate, const TN_REAL *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double d = (double)dy[i], g = (double)gate[i];
        dgate[i] += (TN_REAL)(d * (double)up[i] * act_slope(kind, g));
        dup[i] += (TN_REAL)(d * act_of(kind, g));
    }
}

static TN_REAL log_sum_exp(const TN_REAL *x, size_t n) {
    double m = n ? (double)max(x, n) : -INFINITY, total = 0;
    if (m == -INFINITY) {
        for (size_t i = 0; i < n; i++)
            if (isnan(x[i])) m = (double)NAN;
        return (TN_REAL)m;
    }
    for (size_t i = 0; i < n; i++) total += exp((double)x[i] - m);
    return (TN_REAL)(m + log(total));
}

static TN_REAL softmax(TN_REAL *y, const TN_REAL *x, size_t n) {
    double lse = (double)log_sum_exp(x, n), m = n ? (double)max(x, n) : -INFINITY, total = 0;
    if (m == -INFINITY) m = isnan(lse) ? lse : 0; /* a row of zeros, or of NaN */
    for (size_t i = 0; i < n; i++) total += exp((double)x[i] - m);
    for (size_t i = 0; i < n; i++) y[i] = (TN_REAL)(total == 0 ? 0 : exp((double)x[i] - m) / total);
    return (TN_REAL)lse;
}

static void softmax_backward(TN_REAL *dx, const TN_REAL *dy, const TN_REAL *y, size_t n) {
    double mean = 0;
    for (size_t i = 0; i < n; i++) mean += (double)dy[i] * (double)y[i];
    for (size_t i = 0; i < n; i++) dx[i] += (TN_REAL)((double)y[i] * ((double)dy[i] - mean));
}

static TN_REAL rms_norm(TN_REAL *y, const TN_REAL *x, const TN_REAL *weight, TN_REAL offset,
                        TN_REAL eps, size_t n) {
    TN_REAL rstd = (TN_REAL)(1 / sqrt(sum_squares(x, n) / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++) y[i] = x[i] * rstd * (weight[i] + offset);
    return rstd;
}

/* With xh = x rstd and g = dy (weight + offset): dx = rstd (g - xh mean(g xh)). */
static void rms_norm_backward(TN_REAL *dx, TN_REAL *dweight, const TN_REAL *dy, const TN_REAL *x,
                              const TN_REAL *weight, TN_REAL offset, TN_REAL rstd, size_t n) {
    double r = (double)rstd, o = (double)offset, mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)dy[i] * ((double)weight[i] + o) * (double)x[i] * r;
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double xh = (double)x[i] * r, d = (double)dy[i];
        dx[i] += (TN_REAL)(r * (d * ((double)weight[i] + o) - xh * mean));
        dweight[i] += (TN_REAL)(d * xh);
    }
}

static void layer_norm(TN_REAL *y, const TN_REAL *x, const TN_REAL *weight, const TN_REAL *bias,
                       TN_REAL eps, size_t n, TN_REAL *mean, TN_REAL *rstd) {
    double mu = 0, var = 0;
    for (size_t i = 0; i < n; i++) mu += (double)x[i];
    mu /= (double)n;
    for (size_t i = 0; i < n; i++) var += ((double)x[i] - mu) * ((double)x[i] - mu);
    double r = 1 / sqrt(var / (double)n + (double)eps);
    for (size_t i = 0; i < n; i++)
        y[i] =
            (TN_REAL)(((double)x[i] - mu) * r * (double)weight[i] + (bias ? (double)bias[i] : 0));
    *mean = (TN_REAL)mu;
    *rstd = (TN_REAL)r;
}

/* With xh = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - xh mean(g xh)). */
static void layer_norm_backward(TN_REAL *dx, TN_REAL *dweight, TN_REAL *dbias, const TN_REAL *dy,
                                const TN_REAL *x, const TN_REAL *weight, TN_REAL mean, TN_REAL rstd,
                                size_t n) {
    double mu = (double)mean, r = (double)rstd, mean_g = 0, mean_gx = 0;
    for (size_t i = 0; i < n; i++) {
        double g = (double)dy[i] * (double)weight[i];
        mean_g += g;
        mean_gx += g * ((double)x[i] - mu) * r;
    }
    mean_g /= (double)n;
    mean_gx /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double xh = ((double)x[i] - mu) * r, d = (double)dy[i];
        dx[i] += (TN_REAL)(r * (d * (double)weight[i] - mean_g - xh * mean_gx));
        dweight[i] += (TN_REAL)(d * xh);
        if (dbias) dbias[i] += dy[i];
    }
}

static void rope(TN_REAL *x, const TN_REAL *cos, const TN_REAL *sin, size_t n, bool inverse) {
    size_t half = n / 2;
    for (size_t i = 0; i < half; i++) {
        TN_REAL a = x[i], b = x[i + half], s = inverse ? -sin[i] : sin[i];
        x[i] = a * cos[i] - b * s;
        x[i + half] = b * cos[i] + a * s;
    }
}

static void adamw(TN_REAL *w, const TN_REAL *grad, TN_REAL *m, TN_REAL *v, const tn_adamw_args *a,
                  size_t n) {
    double b1 = (double)a->beta1, b2 = (double)a->beta2, lr = (double)a->lr;
    for (size_t i = 0; i < n; i++) {
        double g = (double)grad[i] * (double)a->grad_scale;
        double m1 = b1 * (double)m[i] + (1 - b1) * g, v1 = b2 * (double)v[i] + (1 - b2) * g * g;
        double step =
            m1 / (double)a->correction1 / (sqrt(v1 / (double)a->correction2) + (double)a->eps);
        w[i] = (TN_REAL)((double)w[i] - lr * (step + (double)a->weight_decay * (double)w[i]));
        m[i] = (TN_REAL)m1;
        v[i] = (TN_REAL)v1;
    }
}

#define TN_REF_ENTRIES                                                                             \
    .dot = dot, .sum = sum, .max = max, .sum_squares = sum_squares, .axpy = axpy, .scale = scale,  \
    .add = add, .mul = mul, .exp = exp_rows, .tanh = tanh_rows, .sigmoid = sigmoid, .act = act,    \
    .act_backward = act_backward, .glu = glu, .glu_backward = glu_backward, .softmax = softmax,    \
    .log_sum_exp = log_sum_exp, .softmax_backward = softmax_backward, .rms_norm = rms_norm,        \
    .rms_norm_backward = rms_norm_backward, .layer_norm = layer_norm,                              \
    .layer_norm_backward = layer_norm_backward, .rope = rope, .adamw = adamw
