/* rows.c - row kernels over whole tensors (rows.h): everything but norms and embeddings. */
#include "core/kernels/rows.h"

enum {
    ELEMENTS = 16384, /* of a chunk: 64 KiB a tensor, several of them fit an L2 */
    N_SUMS = 256      /* partial sums of a slab, at most */
};

static size_t rows_per_chunk(size_t n) {
    return n < ELEMENTS && n > 0 ? ELEMENTS / n : 1;
}

typedef struct job {
    const tn_kernels *k;
    tn_act kind;
    float a;
    float *y, *y2;
    const float *x, *x2, *x3;
    tn_bf16 *half;
    size_t n; /* of a row, where the kernel works on rows */
} job;

static void over_elements(tn_pool *pool, size_t n, tn_pool_fn *fn, job j) {
    j.k = tn_kernels_get();
    tn_pool_for(pool, n, ELEMENTS, fn, &j);
}

static void over_rows(tn_pool *pool, size_t n_rows, tn_pool_fn *fn, job j) {
    j.k = tn_kernels_get();
    tn_pool_for(pool, n_rows, rows_per_chunk(j.n), fn, &j);
}

static void axpy(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->axpy(j->y + begin, j->a, j->x + begin, end - begin);
}

void tn_rows_axpy(tn_pool *pool, float *y, float a, const float *x, size_t n) {
    over_elements(pool, n, axpy, (job){.y = y, .a = a, .x = x});
}

static void scale(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->scale(j->y + begin, j->a, end - begin);
}

void tn_rows_scale(tn_pool *pool, float *y, float a, size_t n) {
    over_elements(pool, n, scale, (job){.y = y, .a = a});
}

static void add(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->add(j->y + begin, j->x + begin, j->x2 + begin, end - begin);
}

void tn_rows_add(tn_pool *pool, float *y, const float *a, const float *b, size_t n) {
    over_elements(pool, n, add, (job){.y = y, .x = a, .x2 = b});
}

static void mul(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->mul(j->y + begin, j->x + begin, j->x2 + begin, end - begin);
}

void tn_rows_mul(tn_pool *pool, float *y, const float *a, const float *b, size_t n) {
    over_elements(pool, n, mul, (job){.y = y, .x = a, .x2 = b});
}

static void bf16_from_f32(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->bf16_from_f32(j->half + begin, j->x + begin, end - begin);
}

void tn_rows_bf16_from_f32(tn_pool *pool, tn_bf16 *y, const float *x, size_t n) {
    over_elements(pool, n, bf16_from_f32, (job){.half = y, .x = x});
}

static void act(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->act(j->kind, j->y + begin, j->x + begin, end - begin);
}

void tn_rows_act(tn_pool *pool, tn_act kind, float *y, const float *x, size_t n) {
    over_elements(pool, n, act, (job){.kind = kind, .y = y, .x = x});
}

static void act_backward(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->act_backward(j->kind, j->y + begin, j->x + begin, j->x2 + begin, end - begin);
}

void tn_rows_act_backward(tn_pool *pool, tn_act kind, float *dx, const float *dy, const float *x,
                          size_t n) {
    over_elements(pool, n, act_backward, (job){.kind = kind, .y = dx, .x = dy, .x2 = x});
}

static void glu(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->glu(j->kind, j->y + begin, j->x + begin, j->x2 + begin, end - begin);
}

void tn_rows_glu(tn_pool *pool, tn_act kind, float *y, const float *gate, const float *up,
                 size_t n) {
    over_elements(pool, n, glu, (job){.kind = kind, .y = y, .x = gate, .x2 = up});
}

static void glu_backward(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    j->k->glu_backward(j->kind, j->y + begin, j->y2 + begin, j->x + begin, j->x2 + begin,
                       j->x3 + begin, end - begin);
}

void tn_rows_glu_backward(tn_pool *pool, tn_act kind, float *dgate, float *dup, const float *dy,
                          const float *gate, const float *up, size_t n) {
    over_elements(pool, n, glu_backward,
                  (job){.kind = kind, .y = dgate, .y2 = dup, .x = dy, .x2 = gate, .x3 = up});
}

static void softmax(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++) {
        float lse = j->k->softmax(j->y + i * j->n, j->x + i * j->n, j->n);
        if (j->y2) j->y2[i] = lse;
    }
}

void tn_rows_softmax(tn_pool *pool, float *y, float *lse, const float *x, size_t n_rows, size_t n) {
    over_rows(pool, n_rows, softmax, (job){.y = y, .y2 = lse, .x = x, .n = n});
}

static void softmax_backward(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t at = begin * j->n; at < end * j->n; at += j->n)
        j->k->softmax_backward(j->y + at, j->x + at, j->x2 + at, j->n);
}

void tn_rows_softmax_backward(tn_pool *pool, float *dx, const float *dy, const float *y,
                              size_t n_rows, size_t n) {
    over_rows(pool, n_rows, softmax_backward, (job){.y = dx, .x = dy, .x2 = y, .n = n});
}

typedef struct rope_job {
    const tn_kernels *k;
    float *x;
    const int32_t *position;
    const float *cos, *sin;
    size_t stride, n_heads, head_dim, n_rotary;
    bool inverse;
} rope_job;

static void rope(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const rope_job *j = arg;
    for (size_t t = begin; t < end; t++) {
        size_t at = (size_t)j->position[t] * (j->n_rotary / 2);
        for (size_t h = 0; h < j->n_heads; h++)
            j->k->rope(j->x + t * j->stride + h * j->head_dim, j->cos + at, j->sin + at,
                       j->n_rotary, j->inverse);
    }
}

void tn_rows_rope(tn_pool *pool, float *x, size_t stride, const int32_t *position, const float *cos,
                  const float *sin, size_t n_tokens, size_t n_heads, size_t head_dim,
                  size_t n_rotary, bool inverse) {
    rope_job j = {tn_kernels_get(), x,       position, cos,      sin,
                  stride,           n_heads, head_dim, n_rotary, inverse};
    tn_pool_for(pool, n_tokens, rows_per_chunk(n_heads * head_dim), rope, &j);
}

typedef struct adamw_job {
    const tn_kernels *k;
    const tn_adamw_args *a;
    float *w, *m, *v;
    const float *grad;
} adamw_job;

static void adamw(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const adamw_job *j = arg;
    j->k->adamw(j->w + begin, j->grad + begin, j->m + begin, j->v + begin, j->a, end - begin);
}

void tn_rows_adamw(tn_pool *pool, float *w, const float *grad, float *m, float *v,
                   const tn_adamw_args *a, size_t n) {
    adamw_job j = {tn_kernels_get(), a, w, m, v, grad};
    tn_pool_for(pool, n, ELEMENTS, adamw, &j);
}

typedef struct sum_job {
    const tn_kernels *k;
    const float *x;
    size_t grain;
    double sums[N_SUMS];
} sum_job;

static void sum_squares(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    sum_job *j = arg;
    j->sums[begin / j->grain] = j->k->sum_squares(j->x + begin, end - begin);
}

double tn_rows_sum_squares(tn_pool *pool, const float *x, size_t n) {
    sum_job j = {tn_kernels_get(), x, (n + N_SUMS - 1) / N_SUMS, {0}};
    if (j.grain < ELEMENTS) j.grain = ELEMENTS;
    tn_pool_for(pool, n, j.grain, sum_squares, &j);
    double total = 0;
    for (size_t i = 0; i < N_SUMS; i++) total += j.sums[i];
    return total;
}
