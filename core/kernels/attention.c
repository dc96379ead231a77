/* attention.c - attention over packed sequences in tiles of queries x keys (attention.h).
 * Forward: a job is one block of queries of one head; it walks the keys it sees and keeps, per
 * query, the largest score, the sum under it, and the output so far (online softmax). Backward: a
 * job is one kv head of a sequence, the only writer of its dk, dv and of the dq of its group; it
 * walks query blocks, and for each the keys they see. Nothing larger than a tile is kept. */
#include "core/kernels/attention_priv.h"
#include "core/kernels/kernels.h"
#include <float.h>
#include <math.h>

#include "core/base/mem.h"

enum { TILE = TN_TILE, SCORES = TILE * TILE };

typedef struct job {
    const tn_attention_shape *s;
    const tn_attention_kernels *k;
    const float *q, *k_rows, *v_rows, *o, *lse, *d_out;
    float *out, *lse_out, *dq, *dk, *dv;
    float *scratch;
    size_t n_scratch;     /* floats of one worker */
    const size_t *blocks; /* [n_seqs + 1] query blocks before each sequence */
} job;

/* One block of queries of one head, and where its sequence lies. */
typedef struct place {
    size_t base, n;     /* the sequence */
    size_t row, n_rows; /* the block in it */
    size_t lanes;       /* n_rows, rounded up */
    size_t head, kv;
    size_t q_at, kv_at, lse_at; /* of the block's first row; of the sequence's first key */
    tn_key_range keys;          /* that any of the rows sees */
} place;

static place place_of(const tn_attention_shape *s, size_t seq, size_t row, size_t head) {
    place p = {.base = (size_t)s->seq_begin[seq], .row = row, .head = head};
    p.n = (size_t)s->seq_begin[seq + 1] - p.base;
    p.n_rows = p.n - row < TILE ? p.n - row : TILE;
    p.lanes = tn_attention_lanes(p.n_rows);
    p.kv = head / (s->n_heads / s->n_kv_heads);
    p.q_at = (p.base + row) * s->q_stride + head * s->head_dim;
    p.kv_at = p.base * s->kv_stride + p.kv * s->head_dim;
    p.lse_at = (p.base + row) * s->n_heads + head;
    p.keys.begin = tn_attention_keys(s, row, p.n).begin;
    p.keys.end = tn_attention_keys(s, row + p.n_rows - 1, p.n).end;
    return p;
}

typedef float four __attribute__((vector_size(16)));

/* to[c, r] = by from[r, c] for four rows and columns. */
static void turn_four(float *to, size_t ld_to, const float *from, size_t ld_from, float by) {
    four x[4], y[4];
    for (size_t i = 0; i < 4; i++) memcpy(&x[i], from + i * ld_from, sizeof x[i]);
    for (size_t i = 0; i < 4; i += 2) { /* pairs of rows, interleaved */
        y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 4, 1, 5) * by;
        y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 2, 6, 3, 7) * by;
    }
    x[0] = __builtin_shufflevector(y[0], y[2], 0, 1, 4, 5);
    x[1] = __builtin_shufflevector(y[0], y[2], 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(y[1], y[3], 0, 1, 4, 5);
    x[3] = __builtin_shufflevector(y[1], y[3], 2, 3, 6, 7);
    for (size_t i = 0; i < 4; i++) memcpy(to + i * ld_to, &x[i], sizeof x[i]);
}

/* to[c, r] = by from[r, c] */
static void turn(float *to, size_t ld_to, const float *from, size_t ld_from, size_t n_rows,
                 size_t n_columns, float by) {
    size_t rows = n_rows / 4 * 4, columns = n_columns / 4 * 4;
    for (size_t r = 0; r < rows; r += 4)
        for (size_t c = 0; c < columns; c += 4)
            turn_four(to + c * ld_to + r, ld_to, from + r * ld_from + c, ld_from, by);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = r < rows ? columns : 0; c < n_columns; c++)
            to[c * ld_to + r] = by * from[r * ld_from + c];
}

/* tile[head_dim, TILE] = by x the rows, transposed; idle lanes are 0. */
static void to_lanes(const place *p, const tn_attention_shape *s, const float *rows, float by,
                     float *tile) {
    turn(tile, TILE, rows, s->q_stride, p->n_rows, s->head_dim, by);
    for (size_t c = 0; c < s->head_dim; c++)
        for (size_t i = p->n_rows; i < p->lanes; i++) tile[c * TILE + i] = 0;
}

/* Rows side by side. Those of one head lie a power of two apart, and push each other out of L1 when
 * they are read more than once. */
static void copy_rows(float *to, const float *rows, size_t stride, size_t n, size_t d) {
    for (size_t i = 0; i < n; i++) memcpy(to + i * d, rows + i * stride, d * sizeof *to);
}

/* score[key, lane] = q k^T scale, capped, -inf where the query does not see the key. */
static void make_scores(const job *j, const place *p, size_t key, size_t n_keys, const float *q,
                        float *score) {
    const tn_attention_shape *s = j->s;
    j->k->mul(&(tn_attention_product){.c = score,
                                      .ldc = TILE,
                                      .a = j->k_rows + p->kv_at + key * s->kv_stride,
                                      .a_row = s->kv_stride,
                                      .a_k = 1,
                                      .b = q,
                                      .ldb = TILE,
                                      .rows = n_keys,
                                      .k = s->head_dim,
                                      .lanes = p->lanes});
    if (s->softcap > 0)
        for (size_t i = 0; i < n_keys; i++)
            j->k->cap_scores(score + i * TILE, p->lanes, s->softcap);
    tn_key_range first = tn_attention_keys(s, p->row, p->n);
    tn_key_range last = tn_attention_keys(s, p->row + p->n_rows - 1, p->n);
    if (last.begin <= key && key + n_keys <= first.end) return; /* all see all */
    for (size_t l = 0; l < p->n_rows; l++) {
        tn_key_range r = tn_attention_keys(s, p->row + l, p->n);
        for (size_t i = key; i < r.begin && i < key + n_keys; i++)
            score[(i - key) * TILE + l] = -INFINITY;
        for (size_t i = r.end > key ? r.end : key; i < key + n_keys; i++)
            score[(i - key) * TILE + l] = -INFINITY;
    }
}

static size_t keys_of_block(const place *p, size_t key) {
    return p->keys.end - key < TILE ? p->keys.end - key : TILE;
}

static void forward_block(const job *j, const place *p, float *scratch) {
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim;
    float *score = scratch, *top = score + SCORES, *total = top + TILE, *shrink = total + TILE;
    float *q = shrink + TILE, *o = q + d * TILE;
    to_lanes(p, s, j->q + p->q_at, s->scale, q);
    for (size_t l = 0; l < p->lanes; l++) top[l] = -FLT_MAX, total[l] = 0;
    for (size_t key = p->keys.begin; key < p->keys.end; key += TILE) {
        size_t n_keys = keys_of_block(p, key);
        bool first = key == p->keys.begin;
        make_scores(j, p, key, n_keys, q, score);
        j->k->softmax_step(score, n_keys, p->lanes, top, total, shrink);
        if (!first) j->k->scale_lanes(o, d, p->lanes, shrink);
        j->k->mul(&(tn_attention_product){.c = o,
                                          .ldc = TILE,
                                          .a = j->v_rows + p->kv_at + key * s->kv_stride,
                                          .a_row = 1,
                                          .a_k = s->kv_stride,
                                          .b = score,
                                          .ldb = TILE,
                                          .rows = d,
                                          .k = n_keys,
                                          .lanes = p->lanes,
                                          .add = !first});
    }
    for (size_t l = 0; l < p->lanes; l++) shrink[l] = 1 / total[l];
    j->k->scale_lanes(o, d, p->lanes, shrink);
    turn(j->out + p->q_at, s->q_stride, o, TILE, d, p->n_rows, 1);
    for (size_t l = 0; j->lse_out && l < p->n_rows; l++)
        j->lse_out[p->lse_at + l * s->n_heads] = top[l] + logf(total[l]);
}

static void forward_units(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    const tn_attention_shape *s = j->s;
    for (size_t unit = begin; unit < end; unit++) { /* sequence, head, block */
        size_t lo = 0, hi = s->n_seqs;
        while (hi - lo > 1) {
            size_t mid = lo + (hi - lo) / 2;
            if (j->blocks[mid] * s->n_heads <= unit)
                lo = mid;
            else
                hi = mid;
        }
        size_t n_blocks = j->blocks[lo + 1] - j->blocks[lo];
        size_t rest = unit - j->blocks[lo] * s->n_heads;
        place p = place_of(s, lo, rest % n_blocks * TILE, rest / n_blocks);
        forward_block(j, &p, j->scratch + (size_t)worker * j->n_scratch);
    }
}

/* With P the probabilities: dV = P^T dO, dP = dO V^T, dS = P (dP - <dO, O>), dQ = dS K scale,
 * dK = dS^T Q scale. Here P and dS lie transposed, [keys, lanes]. */
static void backward_block(const job *j, const place *p, float *scratch) {
    const tn_attention_shape *s = j->s;
    size_t d = s->head_dim, kv_stride = s->kv_stride, q_stride = s->q_stride, size = d * TILE;
    float *score = scratch, *ds = score + SCORES, *lse = ds + SCORES, *delta = lse + TILE;
    float *q = delta + TILE, *d_out = q + size, *dq = d_out + size; /* of lanes */
    float *q_rows = dq + size, *d_rows = q_rows + size, *k_rows = d_rows + size;
    const float *out_rows = j->o + p->q_at;
    const tn_kernels *k = tn_kernels_get();
    to_lanes(p, s, j->q + p->q_at, s->scale, q);
    to_lanes(p, s, j->d_out + p->q_at, 1, d_out);
    copy_rows(q_rows, j->q + p->q_at, q_stride, p->n_rows, d);
    copy_rows(d_rows, j->d_out + p->q_at, q_stride, p->n_rows, d);
    for (size_t l = 0; l < p->lanes; l++) {
        bool real = l < p->n_rows;
        lse[l] = real ? j->lse[p->lse_at + l * s->n_heads] : 0;
        delta[l] = real ? k->dot(d_rows + l * d, out_rows + l * q_stride, d) : 0;
    }
    memset(dq, 0, d * TILE * sizeof *dq);
    for (size_t key = p->keys.begin; key < p->keys.end; key += TILE) {
        size_t n_keys = keys_of_block(p, key), at = p->kv_at + key * kv_stride;
        make_scores(j, p, key, n_keys, q, score);
        copy_rows(k_rows, j->k_rows + at, kv_stride, n_keys, d);
        j->k->mul(&(tn_attention_product){.c = ds,
                                          .ldc = TILE,
                                          .a = j->v_rows + at,
                                          .a_row = kv_stride,
                                          .a_k = 1,
                                          .b = d_out,
                                          .ldb = TILE,
                                          .rows = n_keys,
                                          .k = d,
                                          .lanes = p->lanes});
        j->k->gradient(score, ds, n_keys, p->lanes, lse, delta, s->scale, s->softcap);
        j->k->mul(&(tn_attention_product){.c = j->dv + at,
                                          .ldc = kv_stride,
                                          .a = score,
                                          .a_row = TILE,
                                          .a_k = 1,
                                          .b = d_rows,
                                          .ldb = d,
                                          .rows = n_keys,
                                          .k = p->n_rows,
                                          .lanes = d,
                                          .add = true});
        j->k->mul(&(tn_attention_product){.c = j->dk + at,
                                          .ldc = kv_stride,
                                          .a = ds,
                                          .a_row = TILE,
                                          .a_k = 1,
                                          .b = q_rows,
                                          .ldb = d,
                                          .rows = n_keys,
                                          .k = p->n_rows,
                                          .lanes = d,
                                          .add = true});
        j->k->mul(&(tn_attention_product){.c = dq,
                                          .ldc = TILE,
                                          .a = k_rows,
                                          .a_row = 1,
                                          .a_k = d,
                                          .b = ds,
                                          .ldb = TILE,
                                          .rows = d,
                                          .k = n_keys,
                                          .lanes = p->lanes,
                                          .add = true});
    }
    turn(q_rows, d, dq, TILE, d, p->n_rows, 1); /* q has been used up */
    for (size_t l = 0; l < p->n_rows; l++) {
        float *row = j->dq + p->q_at + l * q_stride;
        k->add(row, row, q_rows + l * d, d);
    }
}

static void backward_units(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    const tn_attention_shape *s = j->s;
    size_t group = s->n_heads / s->n_kv_heads;
    for (size_t unit = begin; unit < end; unit++) {
        size_t seq = unit / s->n_kv_heads, kv = unit % s->n_kv_heads;
        size_t n = (size_t)(s->seq_begin[seq + 1] - s->seq_begin[seq]);
        for (size_t head = kv * group; head < (kv + 1) * group; head++)
            for (size_t row = 0; row < n; row += TILE) {
                place p = place_of(s, seq, row, head);
                backward_block(j, &p, j->scratch + (size_t)worker * j->n_scratch);
            }
    }
}

float *tn_attention_scratch(size_t n_workers, size_t n, void **block) {
    char *p = *block = tn_alloc(n_workers * n * sizeof(float) + 64);
    return p ? (float *)(p + (64 - (uintptr_t)p % 64) % 64) : NULL;
}

tern_status tn_attention(tn_pool *pool, const tn_attention_shape *shape, const float *q,
                         const float *k, const float *v, float *o, float *lse, tern_error *err) {
    tern_status st = tn_attention_check(shape, true, err);
    if (st != TERN_OK) return st;
    job j = {.s = shape,
             .k = tn_kernels_get()->attention,
             .q = q,
             .k_rows = k,
             .v_rows = v,
             .out = o,
             .lse_out = lse};
    void *block = NULL;
    size_t *blocks = tn_calloc(shape->n_seqs + 1, sizeof *blocks);
    j.n_scratch = SCORES + 3 * TILE + 2 * shape->head_dim * TILE;
    j.scratch = tn_attention_scratch((size_t)tn_pool_n_threads(pool), j.n_scratch, &block);
    if (!blocks || !j.scratch) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "attention: no memory for tiles");
        goto done;
    }
    for (size_t i = 0; i < shape->n_seqs; i++) {
        size_t n = (size_t)(shape->seq_begin[i + 1] - shape->seq_begin[i]);
        blocks[i + 1] = blocks[i] + (n + TILE - 1) / TILE;
    }
    j.blocks = blocks;
    tn_pool_for(pool, blocks[shape->n_seqs] * shape->n_heads, 1, forward_units, &j);
done:
    tn_free(block);
    tn_free(blocks);
    return st;
}

tern_status tn_attention_backward(tn_pool *pool, const tn_attention_shape *shape, const float *q,
                                  const float *k, const float *v, const float *o, const float *lse,
                                  const float *do_, float *dq, float *dk, float *dv,
                                  tern_error *err) {
    tern_status st = tn_attention_check(shape, true, err);
    if (st != TERN_OK) return st;
    job j = {.s = shape,
             .k = tn_kernels_get()->attention,
             .q = q,
             .k_rows = k,
             .v_rows = v,
             .o = o,
             .lse = lse,
             .d_out = do_,
             .dq = dq,
             .dk = dk,
             .dv = dv};
    void *block;
    j.n_scratch = 2 * SCORES + 2 * TILE + 6 * shape->head_dim * TILE;
    j.scratch = tn_attention_scratch((size_t)tn_pool_n_threads(pool), j.n_scratch, &block);
    if (!j.scratch) return tern_fail(err, TERN_ERR_NOMEM, 0, "attention: no memory for tiles");
    tn_pool_for(pool, shape->n_seqs * shape->n_kv_heads, 1, backward_units, &j);
    tn_free(block);
    return TERN_OK;
}
tern_status tn_attention_check(const tn_attention_shape *s, bool packed, tern_error *err) {
    size_t q_width = s->n_heads * s->head_dim, kv_width = s->n_kv_heads * s->head_dim;
    if (s->head_dim == 0 || s->head_dim > TN_HEAD_DIM_MAX)
        return tern_fail(err, TERN_ERR_ARG, 0, "attention: head_dim %zu is not in 1..%d",
                         s->head_dim, TN_HEAD_DIM_MAX);
    if (s->n_kv_heads == 0 || s->n_heads == 0 || s->n_heads % s->n_kv_heads != 0)
        return tern_fail(err, TERN_ERR_ARG, 0, "attention: %zu heads cannot share %zu kv heads",
                         s->n_heads, s->n_kv_heads);
    if (s->q_stride < q_width || (packed && s->kv_stride < kv_width))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "attention: strides %zu and %zu are below the rows of %zu and %zu",
                         s->q_stride, s->kv_stride, q_width, kv_width);
    for (size_t i = 0; packed && i < s->n_seqs; i++)
        if (s->seq_begin[i] < 0 || s->seq_begin[i + 1] < s->seq_begin[i])
            return tern_fail(err, TERN_ERR_ARG, 0,
                             "attention: sequence %zu begins at %d, ends at %d", i,
                             (int)s->seq_begin[i], (int)s->seq_begin[i + 1]);
    return TERN_OK;
}
