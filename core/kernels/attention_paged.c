/* attention_paged.c - attention over a paged key-value cache: what generation runs.
 * Lanes (attention_priv.h) are new rows x the query heads of one kv head: the cache is read once
 * for all of them. A unit of work is a block of lanes of one kv head; of decoding, where lanes are
 * few, of up to HEADS kv heads at once, so that the cache is read as it lies. Keys are cut at
 * multiples of TILE, of the page and of SPAN, counted from the start of the sequence, never from
 * what a call asks for; a span gives a part (largest score, sum, weighted values) and parts are
 * combined in order. A key that a lane does not see adds exact zeros. So a row's bits depend on its
 * own keys alone, and spans of a long context may be shared among the cores or walked by one,
 * whichever suits, with the same result. */
#include "core/kernels/attention_priv.h"
#include "core/kernels/kernels.h"
#include <float.h>
#include <math.h>

#include "core/base/mem.h"

enum {
    TILE = TN_TILE,
    SPAN = 512,        /* keys: 256 KiB of f32 keys and values at head_dim 64 */
    HEADS = 8,         /* kv heads of a unit, at most */
    UNITS_A_THREAD = 4 /* with fewer, spans are shared out */
};

typedef struct job {
    const tn_attention_shape *s;
    const tn_attention_query *queries;
    const tn_kernels *k;
    size_t n_queries, page_tokens, group;
    tn_dtype cache_type;
    size_t *units; /* [n_queries + 1] units before each query */
    size_t *spans; /* [n_units + 1] spans before each unit */
    size_t n_part; /* floats of a part, for each kv head: top, total [TILE], o [head_dim, TILE] */
    float *parts;  /* [spans] when they are shared out */
    float *scratch;
    size_t n_scratch; /* floats of one worker */
} job;

/* A unit: up to TILE lanes of one query, for some kv heads. */
typedef struct unit {
    const tn_attention_query *query;
    size_t kv, n_kv;      /* kv heads */
    size_t lane, n_lanes; /* lane: the first, counted row by row over the group */
    tn_key_range keys;    /* that any of the lanes sees */
} unit;

static tn_key_range keys_of_lane(const job *j, const unit *u, size_t lane) {
    size_t row = (u->lane + lane) / j->group, window = j->s->window;
    size_t end = u->query->n_keys - u->query->n_rows + row + 1;
    return (tn_key_range){window && end > window ? end - window : 0, end};
}

static size_t lane_blocks(const job *j, const tn_attention_query *q) {
    return (q->n_rows * j->group + TILE - 1) / TILE;
}

/* kv heads of each unit of a query */
static size_t kv_heads(const job *j, const tn_attention_query *q) {
    if (q->n_rows * j->group > TN_LANES) return 1;
    return j->s->n_kv_heads < HEADS ? j->s->n_kv_heads : HEADS;
}

static size_t units_of_query(const job *j, const tn_attention_query *q) {
    size_t n = kv_heads(j, q);
    return (j->s->n_kv_heads + n - 1) / n * lane_blocks(j, q);
}

/* The i of cuts[i] <= at < cuts[i + 1]. */
static size_t find_cut(const size_t *cuts, size_t n, size_t at) {
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (cuts[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static unit unit_of(const job *j, size_t index) {
    size_t i = find_cut(j->units, j->n_queries, index);
    const tn_attention_query *q = &j->queries[i];
    size_t n_blocks = lane_blocks(j, q), rest = index - j->units[i];
    unit u = {.query = q, .n_kv = kv_heads(j, q), .lane = rest % n_blocks * TILE};
    u.kv = rest / n_blocks * u.n_kv;
    if (u.n_kv > j->s->n_kv_heads - u.kv) u.n_kv = j->s->n_kv_heads - u.kv;
    size_t left = q->n_rows * j->group - u.lane;
    u.n_lanes = left < TILE ? left : TILE;
    u.keys.begin = keys_of_lane(j, &u, 0).begin;
    u.keys.end = keys_of_lane(j, &u, u.n_lanes - 1).end;
    return u;
}

/* Where in q and o a lane of the unit's kv head number h lies. */
static size_t at_of_lane(const job *j, const unit *u, size_t h, size_t lane) {
    size_t row = (u->lane + lane) / j->group;
    size_t head = (u->kv + h) * j->group + (u->lane + lane) % j->group;
    return row * j->s->q_stride + head * j->s->head_dim;
}

/* Keys or values [key, key + n) of one page, as f32 rows [n, n_kv, head_dim]. Copied even when they
 * are f32: rows of one head lie a power of two apart, and would push each other out of L1. */
static void copy_rows(const job *j, const unit *u, const void *const *pages, size_t key, size_t n,
                      float *rows) {
    size_t d = j->s->head_dim, step = j->s->n_kv_heads * d, length = u->n_kv * d;
    size_t at = key % j->page_tokens * step + u->kv * d;
    const void *page = pages[key / j->page_tokens];
    if (length == step) length *= n, n = 1; /* all heads: one run */
    for (size_t i = 0; i < n; i++, at += step, rows += length)
        if (j->cache_type == TN_F32)
            memcpy(rows, (const float *)page + at, length * sizeof *rows);
        else
            j->k->f32_from_bf16(rows, (const tn_bf16 *)page + at, length);
}

/* Keys from `key` to the next cut: of the page, of TILE in it, or the end. */
static size_t block_keys(const job *j, size_t key, size_t end) {
    size_t in_page = key % j->page_tokens, n = TILE - in_page % TILE;
    if (n > j->page_tokens - in_page) n = j->page_tokens - in_page;
    return n < end - key ? n : end - key;
}

static void hide_keys(const job *j, const unit *u, size_t key, size_t n, float *score) {
    if (keys_of_lane(j, u, u->n_lanes - 1).begin <= key && key + n <= keys_of_lane(j, u, 0).end)
        return; /* all see all */
    for (size_t l = 0; l < u->n_lanes; l++) {
        tn_key_range r = keys_of_lane(j, u, l);
        for (size_t i = key; i < key + n; i++)
            if (i < r.begin || i >= r.end) score[(i - key) * TILE + l] = -INFINITY;
    }
}

static float *part_of(const job *j, float *parts, size_t h) {
    return parts + h * (j->s->head_dim + 2) * TILE;
}

static void start_parts(const job *j, const unit *u, float *parts, float *q) {
    size_t d = j->s->head_dim, lanes = tn_attention_lanes(u->n_lanes);
    for (size_t h = 0; h < u->n_kv; h++, q += d * TILE) {
        float *top = part_of(j, parts, h), *total = top + TILE;
        memset(total, 0, (d + 1) * TILE * sizeof *total);
        for (size_t l = 0; l < lanes; l++) top[l] = -FLT_MAX;
        for (size_t c = 0; c < d; c++)
            for (size_t l = u->n_lanes; l < lanes; l++) q[c * TILE + l] = 0;
        for (size_t l = 0; l < u->n_lanes; l++) {
            const float *row = u->query->q + at_of_lane(j, u, h, l);
            for (size_t c = 0; c < d; c++) q[c * TILE + l] = row[c] * j->s->scale;
        }
    }
}

/* The parts of the unit's heads for its keys in [begin, end), a span. */
static void span_part(const job *j, const unit *u, size_t begin, size_t end, float *parts,
                      float *scratch) {
    const tn_attention_shape *s = j->s;
    const tn_attention_kernels *k = j->k->attention;
    size_t d = s->head_dim, lanes = tn_attention_lanes(u->n_lanes), width = u->n_kv * d;
    float *score = scratch, *shrink = score + TILE * TILE, *q = shrink + TILE;
    float *keys = q + width * TILE, *values = keys + width * TILE;
    start_parts(j, u, parts, q);
    for (size_t key = begin, n; key < end; key += n) {
        n = block_keys(j, key, end);
        if (key + n <= u->keys.begin) continue;
        copy_rows(j, u, u->query->k_pages, key, n, keys);
        copy_rows(j, u, u->query->v_pages, key, n, values);
        for (size_t h = 0; h < u->n_kv; h++) {
            float *top = part_of(j, parts, h), *total = top + TILE, *o = total + TILE;
            k->mul(&(tn_attention_product){.c = score,
                                           .ldc = TILE,
                                           .a = keys + h * d,
                                           .a_row = width,
                                           .a_k = 1,
                                           .b = q + h * d * TILE,
                                           .ldb = TILE,
                                           .rows = n,
                                           .k = d,
                                           .lanes = lanes});
            for (size_t i = 0; i < n && s->softcap > 0; i++)
                k->cap_scores(score + i * TILE, lanes, s->softcap);
            hide_keys(j, u, key, n, score);
            k->softmax_step(score, n, lanes, top, total, shrink);
            k->scale_lanes(o, d, lanes, shrink);
            k->mul(&(tn_attention_product){.c = o,
                                           .ldc = TILE,
                                           .a = values + h * d,
                                           .a_row = 1,
                                           .a_k = width,
                                           .b = score,
                                           .ldb = TILE,
                                           .rows = d,
                                           .k = n,
                                           .lanes = lanes,
                                           .add = true});
        }
    }
}

/* Fold later parts into the first; the later ones are used up. */
static void combine(const job *j, const unit *u, float *firsts, float *laters) {
    const tn_attention_kernels *k = j->k->attention;
    size_t d = j->s->head_dim, lanes = tn_attention_lanes(u->n_lanes);
    for (size_t h = 0; h < u->n_kv; h++) {
        float *top = part_of(j, firsts, h), *total = top + TILE, *o = total + TILE;
        float *top2 = part_of(j, laters, h), *total2 = top2 + TILE, *o2 = total2 + TILE;
        for (size_t l = 0; l < lanes; l++) {
            float m = top2[l] > top[l] ? top2[l] : top[l];
            float a = top[l] - m, b = top2[l] - m;
            j->k->exp(&a, &a, 1);
            j->k->exp(&b, &b, 1);
            total[l] = total[l] * a + total2[l] * b;
            top[l] = m;
            top2[l] = b; /* what both are scaled by */
            total2[l] = a;
        }
        k->scale_lanes(o, d, lanes, total2);
        k->scale_lanes(o2, d, lanes, top2);
        for (size_t c = 0; c < d * TILE; c += TILE) j->k->add(o + c, o + c, o2 + c, lanes);
    }
}

static void write_out(const job *j, const unit *u, float *parts) {
    for (size_t h = 0; h < u->n_kv; h++) {
        const float *total = part_of(j, parts, h) + TILE, *o = total + TILE;
        for (size_t l = 0; l < u->n_lanes; l++) {
            float *out = u->query->o + at_of_lane(j, u, h, l), by = 1 / total[l];
            for (size_t c = 0; c < j->s->head_dim; c++) out[c] = o[c * TILE + l] * by;
        }
    }
}

static size_t span_end(const unit *u, size_t span) {
    return (span + 1) * SPAN < u->keys.end ? (span + 1) * SPAN : u->keys.end;
}

static void whole_units(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    float *first = j->scratch + (size_t)worker * j->n_scratch, *later = first + j->n_part;
    for (size_t i = begin; i < end; i++) {
        unit u = unit_of(j, i);
        size_t start = u.keys.begin / SPAN;
        for (size_t span = start; span * SPAN < u.keys.end; span++) {
            float *part = span == start ? first : later;
            span_part(j, &u, span * SPAN, span_end(&u, span), part, later + j->n_part);
            if (part == later) combine(j, &u, first, later);
        }
        write_out(j, &u, first);
    }
}

static void spans_apart(void *arg, size_t begin, size_t end, int worker) {
    const job *j = arg;
    float *scratch = j->scratch + (size_t)worker * j->n_scratch;
    for (size_t i = begin; i < end; i++) {
        size_t index = find_cut(j->spans, j->units[j->n_queries], i);
        unit u = unit_of(j, index);
        size_t span = u.keys.begin / SPAN + (i - j->spans[index]);
        span_part(j, &u, span * SPAN, span_end(&u, span), j->parts + i * j->n_part, scratch);
    }
}

static void join_spans(void *arg, size_t begin, size_t end, int worker) {
    (void)worker;
    const job *j = arg;
    for (size_t i = begin; i < end; i++) {
        unit u = unit_of(j, i);
        float *first = j->parts + j->spans[i] * j->n_part;
        for (size_t span = j->spans[i] + 1; span < j->spans[i + 1]; span++)
            combine(j, &u, first, j->parts + span * j->n_part);
        write_out(j, &u, first);
    }
}

static tern_status check(const tn_attention_shape *shape, const tn_attention_query *queries,
                         size_t n_queries, size_t page_tokens, tn_dtype type, tern_error *err) {
    tern_status st = tn_attention_check(shape, false, err);
    if (st != TERN_OK) return st;
    if (page_tokens == 0 || (type != TN_F32 && type != TN_BF16))
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "attention: the cache must be F32 or BF16, in pages");
    for (size_t i = 0; i < n_queries; i++)
        if (queries[i].n_rows > queries[i].n_keys)
            return tern_fail(err, TERN_ERR_ARG, 0, "attention: query %zu has %zu rows, %zu keys", i,
                             queries[i].n_rows, queries[i].n_keys);
    return TERN_OK;
}

/* units and spans, counted; NOMEM. */
static bool count_work(job *j) {
    j->units = tn_calloc(j->n_queries + 1, sizeof *j->units);
    if (!j->units) return false;
    for (size_t i = 0; i < j->n_queries; i++)
        j->units[i + 1] = j->units[i] + units_of_query(j, &j->queries[i]);
    size_t n_units = j->units[j->n_queries];
    j->spans = tn_calloc(n_units + 1, sizeof *j->spans);
    if (!j->spans) return false;
    for (size_t i = 0; i < n_units; i++) {
        unit u = unit_of(j, i);
        j->spans[i + 1] = j->spans[i] + (u.keys.end + SPAN - 1) / SPAN - u.keys.begin / SPAN;
    }
    return true;
}

tern_status tn_attention_paged(tn_pool *pool, const tn_attention_shape *shape,
                               const tn_attention_query *queries, size_t n_queries,
                               size_t page_tokens, tn_dtype cache_type, tern_error *err) {
    tern_status st = check(shape, queries, n_queries, page_tokens, cache_type, err);
    if (st != TERN_OK) return st;
    size_t d = shape->head_dim, n_threads = (size_t)tn_pool_n_threads(pool);
    job j = {.s = shape,
             .queries = queries,
             .k = tn_kernels_get(),
             .n_queries = n_queries,
             .page_tokens = page_tokens,
             .group = shape->n_heads / shape->n_kv_heads,
             .cache_type = cache_type};
    size_t heads = 1; /* of the widest unit */
    for (size_t i = 0; i < n_queries; i++)
        if (kv_heads(&j, &queries[i]) > heads) heads = kv_heads(&j, &queries[i]);
    j.n_part = heads * (d + 2) * TILE;
    void *scratch = NULL, *parts = NULL;
    bool ok = count_work(&j);
    size_t n_units = ok ? j.units[n_queries] : 0, n_spans = ok ? j.spans[n_units] : 0;
    bool share = n_threads > 1 && n_units < UNITS_A_THREAD * n_threads && n_spans > n_units;
    j.n_scratch = 2 * j.n_part + TILE * TILE + TILE + 3 * heads * d * TILE;
    if (ok) j.scratch = tn_attention_scratch(n_threads, j.n_scratch, &scratch);
    if (ok && share) j.parts = tn_attention_scratch(n_spans, j.n_part, &parts);
    if (!j.scratch || (share && !j.parts)) {
        st = tern_fail(err, TERN_ERR_NOMEM, 0, "attention: no memory for tiles");
    } else if (share) {
        tn_pool_for(pool, n_spans, 1, spans_apart, &j);
        tn_pool_for(pool, n_units, 1, join_spans, &j);
    } else {
        tn_pool_for(pool, n_units, 1, whole_units, &j);
    }
    tn_free(scratch);
    tn_free(parts);
    tn_free(j.spans);
    tn_free(j.units);
    return st;
}
