/* kernels_table.h - the row kernels of one element type; included by kernels.h once for float and
 * once for double (TN_REAL). No include guard: it is a list of struct fields. */

/* <x, y>, sum, largest entry (n >= 1; NaN entries are passed over), sum of squares */
TN_REAL (*dot)(const TN_REAL *x, const TN_REAL *y, size_t n);
TN_REAL (*sum)(const TN_REAL *x, size_t n);
TN_REAL (*max)(const TN_REAL *x, size_t n);
double (*sum_squares)(const TN_REAL *x, size_t n);

void (*axpy)(TN_REAL *y, TN_REAL a, const TN_REAL *x, size_t n);       /* y += a x */
void (*scale)(TN_REAL *y, TN_REAL a, size_t n);                        /* y *= a */
void (*add)(TN_REAL *y, const TN_REAL *a, const TN_REAL *b, size_t n); /* in place allowed */
void (*mul)(TN_REAL *y, const TN_REAL *a, const TN_REAL *b, size_t n); /* in place allowed */

/* Elementwise, in place allowed. The f32 forms stay within the ulp stated here of the exact value,
 * over all floats, results below the smallest normal number included. */
void (*exp)(TN_REAL *y, const TN_REAL *x, size_t n);     /* 2 ulp */
void (*tanh)(TN_REAL *y, const TN_REAL *x, size_t n);    /* 2 ulp */
void (*sigmoid)(TN_REAL *y, const TN_REAL *x, size_t n); /* 3 ulp */

void (*act)(tn_act kind, TN_REAL *y, const TN_REAL *x, size_t n); /* in place allowed */
void (*act_backward)(tn_act kind, TN_REAL *dx, const TN_REAL *dy, const TN_REAL *x,
                     size_t n); /* dx += dy act'(x) */
/* y = act(gate) up: SwiGLU, GeGLU (y may be gate or up); backward accumulates into both */
void (*glu)(tn_act kind, TN_REAL *y, const TN_REAL *gate, const TN_REAL *up, size_t n);
void (*glu_backward)(tn_act kind, TN_REAL *dgate, TN_REAL *dup, const TN_REAL *dy,
                     const TN_REAL *gate, const TN_REAL *up, size_t n);

/* y = exp(x - max x) / sum; returns log sum exp(x) (nats). In place allowed. -inf entries give 0;
 * a row of -inf alone gives zeros and -inf; NaN or +inf makes the row NaN. n of 0 gives -inf. */
TN_REAL (*softmax)(TN_REAL *y, const TN_REAL *x, size_t n);
TN_REAL (*log_sum_exp)(const TN_REAL *x, size_t n); /* the same number, nothing written */
/* dx += y (dy - <dy, y>) */
void (*softmax_backward)(TN_REAL *dx, const TN_REAL *dy, const TN_REAL *y, size_t n);

/* y = x rstd (weight + offset), rstd = (mean(x^2) + eps)^-1/2, returned; offset is 1 for Gemma,
 * else 0. In place allowed. Backward accumulates into dx and dweight. */
TN_REAL(*rms_norm)
(TN_REAL *y, const TN_REAL *x, const TN_REAL *weight, TN_REAL offset, TN_REAL eps, size_t n);
void (*rms_norm_backward)(TN_REAL *dx, TN_REAL *dweight, const TN_REAL *dy, const TN_REAL *x,
                          const TN_REAL *weight, TN_REAL offset, TN_REAL rstd, size_t n);
/* y = (x - mean) rstd weight + bias, rstd = (var(x) + eps)^-1/2; bias may be NULL. In place
 * allowed. Backward accumulates into dx, dweight and dbias (NULL allowed). */
void (*layer_norm)(TN_REAL *y, const TN_REAL *x, const TN_REAL *weight, const TN_REAL *bias,
                   TN_REAL eps, size_t n, TN_REAL *mean, TN_REAL *rstd);
void (*layer_norm_backward)(TN_REAL *dx, TN_REAL *dweight, TN_REAL *dbias, const TN_REAL *dy,
                            const TN_REAL *x, const TN_REAL *weight, TN_REAL mean, TN_REAL rstd,
                            size_t n);

/* Rotate pairs (i, i + n/2) by angle: the half-split convention of Hugging Face models. cos, sin
 * [n/2], n even; `inverse` rotates back (the backward pass). In place. */
void (*rope)(TN_REAL *x, const TN_REAL *cos, const TN_REAL *sin, size_t n, bool inverse);

/* Decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101):
 *   m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w -= lr (m/c1 / (sqrt(v/c2) + eps) + decay w) */
void (*adamw)(TN_REAL *w, const TN_REAL *grad, TN_REAL *m, TN_REAL *v, const tn_adamw_args *a,
              size_t n);
