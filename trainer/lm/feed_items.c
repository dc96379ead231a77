/* feed_items.c - see feed.h: what the items of a batch become. Each builder first counts, then
 * fills arrays of exactly that size; the sequences of an item are views into the token file. */
#include "trainer/lm/feed_priv.h"
#include <string.h>

#include "core/base/mem.h"

/* A sequence of a batch: tokens [begin, end) of the file, of document `doc`. */
typedef struct span {
    uint64_t begin, end, doc;
} span;

static span document(const tn_feed *f, uint64_t doc) {
    const tn_tokens *t = f->t;
    span s = {t->doc_begin[doc], t->doc_begin[doc + 1], doc};
    if (s.end - s.begin > f->o.context) s.end = s.begin + f->o.context;
    return s;
}

/* The document that holds token i. */
static uint64_t document_of(const tn_tokens *t, uint64_t i) {
    uint64_t low = 0, high = t->n_docs; /* doc_begin[low] <= i < doc_begin[high] */
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        if (t->doc_begin[mid] <= i)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static span window(const tn_feed *f, uint64_t item) {
    uint64_t begin = item * f->o.context, end = begin + f->o.context;
    return (span){begin, end < f->t->n_tokens ? end : f->t->n_tokens, 0};
}

uint64_t tn_feed_item_tokens(const tn_feed *f, uint64_t item, bool *cut) {
    if (f->o.task == TN_LM_PRETRAIN) {
        span s = window(f, item);
        return s.end - s.begin;
    }
    uint64_t sum = 0, end = f->t->record_begin[item + 1];
    for (uint64_t d = f->t->record_begin[item]; d < end; d++) {
        span s = document(f, d);
        sum += s.end - s.begin;
        if (cut) *cut |= s.end < f->t->doc_begin[d + 1];
    }
    return sum;
}

/* Copy the spans one after the other; *out gets ids, types and seq_begin. */
static bool lay(const tn_feed *f, const span *spans, size_t n, tn_arena *arena, tn_lm_batch *out) {
    const tn_tokens *t = f->t;
    size_t n_tokens = 0;
    for (size_t i = 0; i < n; i++) n_tokens += (size_t)(spans[i].end - spans[i].begin);
    out->n_seqs = n;
    out->n_tokens = n_tokens;
    out->ids = tn_arena_alloc(arena, (n_tokens + 1) * sizeof *out->ids);
    out->seq_begin = tn_arena_alloc(arena, (n + 1) * sizeof *out->seq_begin);
    if (!out->ids || !out->seq_begin) return false;
    if (t->second) {
        out->types = tn_arena_calloc(arena, n_tokens + 1, sizeof *out->types);
        if (!out->types) return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        out->seq_begin[i] = (int32_t)at;
        for (uint64_t k = spans[i].begin; k < spans[i].end; k++, at++) {
            out->ids[at] = tn_tokens_id(t, k);
            if (t->second) out->types[at] = k - spans[i].begin >= t->second[spans[i].doc];
        }
    }
    out->seq_begin[n] = (int32_t)at;
    return true;
}

static bool want_targets(tn_arena *arena, tn_lm_batch *out) {
    out->targets = tn_arena_alloc(arena, (out->n_tokens + 1) * sizeof *out->targets);
    for (size_t i = 0; out->targets && i < out->n_tokens; i++) out->targets[i] = TN_LM_IGNORE;
    return out->targets != NULL;
}

static void count_targets(tn_lm_batch *out) {
    out->n_targets = 0;
    for (size_t i = 0; i < out->n_tokens; i++) out->n_targets += out->targets[i] != TN_LM_IGNORE;
}

/* --- next token ------------------------------------------------------------------------------- */

/* A window is one sequence, or (so that nothing leaks) one for each document it touches. The target
 * of a token is the next of its document; across documents, the next of the file. */
static bool pack_windows(const tn_feed *f, const tn_feed_item *items, size_t n, tn_arena *arena,
                         tn_lm_batch *out) {
    const tn_tokens *t = f->t;
    size_t n_spans = 0;
    for (size_t i = 0; i < n; i++) {
        span w = window(f, items[i].item);
        n_spans +=
            f->o.across ? 1 : (size_t)(document_of(t, w.end - 1) - document_of(t, w.begin)) + 1;
    }
    span *spans = tn_arena_alloc(arena, n_spans * sizeof *spans);
    if (!spans) return false;
    n_spans = 0;
    for (size_t i = 0; i < n; i++) {
        span w = window(f, items[i].item);
        if (f->o.across) {
            spans[n_spans++] = w;
            continue;
        }
        for (uint64_t d = document_of(t, w.begin); w.begin < w.end; d++) {
            uint64_t end = t->doc_begin[d + 1] < w.end ? t->doc_begin[d + 1] : w.end;
            if (end > w.begin) spans[n_spans++] = (span){w.begin, end, d};
            w.begin = end;
        }
    }
    if (!lay(f, spans, n_spans, arena, out) || !want_targets(arena, out)) return false;
    for (size_t i = 0; i < n_spans; i++) {
        uint64_t limit = f->o.across ? t->n_tokens : t->doc_begin[spans[i].doc + 1];
        for (uint64_t k = spans[i].begin; k < spans[i].end; k++)
            if (k + 1 < limit)
                out->targets[(uint64_t)out->seq_begin[i] + k - spans[i].begin] =
                    tn_tokens_id(t, k + 1);
    }
    count_targets(out);
    return true;
}

/* A token's target is the next one where that one is tagged as learned (tag 1). */
static void learn_tagged(const tn_feed *f, const span *spans, tn_lm_batch *out) {
    for (size_t i = 0; i < out->n_seqs; i++) {
        int32_t *targets = out->targets + out->seq_begin[i];
        for (uint64_t k = spans[i].begin; k + 1 < spans[i].end; k++)
            if (f->t->tags[k + 1] == 1) targets[k - spans[i].begin] = tn_tokens_id(f->t, k + 1);
    }
}

/* --- tokens of a sequence --------------------------------------------------------------------- */

static void tag_tokens(const tn_feed *f, const span *spans, tn_lm_batch *out) {
    for (size_t i = 0; i < out->n_seqs; i++)
        for (uint64_t k = spans[i].begin; k < spans[i].end; k++)
            out->targets[(uint64_t)out->seq_begin[i] + k - spans[i].begin] = f->t->tags[k];
}

/* Devlin et al. (2019): of the tokens chosen, 80 % become the mask, 10 % a random token, 10 % stay.
 * Every token takes the same draws whatever is decided, so masks of different rates nest. */
static void hide_tokens(const tn_feed *f, const tn_feed_item *items, tn_lm_batch *out) {
    for (size_t i = 0; i < out->n_seqs; i++) {
        tn_rng rng = tn_feed_rng(f, TN_FEED_MASK, items[i]);
        for (int32_t k = out->seq_begin[i]; k < out->seq_begin[i + 1]; k++) {
            int32_t id = out->ids[k];
            double chosen = tn_rng_uniform(&rng), how = tn_rng_uniform(&rng);
            int32_t other = (int32_t)tn_rng_below(&rng, f->t->kind.vocab);
            if (f->o.special[id] || chosen >= f->o.mask_rate) continue;
            out->targets[k] = id;
            if (how < 0.8)
                out->ids[k] = f->o.mask_id;
            else if (how < 0.9 && !f->o.special[other])
                out->ids[k] = other;
        }
    }
}

/* --- records ---------------------------------------------------------------------------------- */

static bool pack_records(const tn_feed *f, const tn_feed_item *items, size_t n, tn_arena *arena,
                         tn_lm_batch *out) {
    const tn_tokens *t = f->t;
    span *spans = tn_arena_alloc(arena, (n + 1) * sizeof *spans);
    if (!spans) return false;
    for (size_t i = 0; i < n; i++) spans[i] = document(f, t->record_begin[items[i].item]);
    if (!lay(f, spans, n, arena, out)) return false;
    if (f->o.task == TN_LM_CLASSIFY) {
        size_t width = t->kind.n_targets;
        out->n_targets = n;
        out->n_seq_targets = f->o.classes ? 0 : width;
        if (f->o.classes) out->seq_classes = tn_arena_alloc(arena, n * sizeof *out->seq_classes);
        if (!f->o.classes) out->seq_targets = tn_arena_alloc(arena, n * width * sizeof(float));
        if (!out->seq_classes && !out->seq_targets) return false;
        for (size_t i = 0; i < n; i++) {
            const float *x = t->targets + items[i].item * width;
            if (f->o.classes)
                out->seq_classes[i] = (int32_t)x[0];
            else
                memcpy(out->seq_targets + i * width, x, width * sizeof *x);
        }
        return true;
    }
    if (!want_targets(arena, out)) return false;
    if (f->o.task == TN_LM_SFT) learn_tagged(f, spans, out);
    if (f->o.task == TN_LM_TAG) tag_tokens(f, spans, out);
    if (f->o.task == TN_LM_MLM) hide_tokens(f, items, out);
    count_targets(out);
    return true;
}

/* --- query and passages ----------------------------------------------------------------------- */

static bool same_text(const tn_tokens *t, span a, span b) {
    if (a.end - a.begin != b.end - b.begin) return false;
    return memcmp((const char *)t->ids + a.begin * t->width,
                  (const char *)t->ids + b.begin * t->width,
                  (size_t)(a.end - a.begin) * t->width) == 0;
}

/* Add a passage unless the batch has its very text already: a passage must never be a negative of
 * its own query. Returns its number. Batches are small, so the search is linear. */
static size_t add_passage(const tn_tokens *t, span s, span *passages, size_t *n) {
    for (size_t i = 0; i < *n; i++)
        if (same_text(t, passages[i], s)) return i;
    passages[(*n)++] = s;
    return *n - 1;
}

/* Queries first, then the distinct passages: positives and up to `negatives` mined ones of each
 * record, drawn anew each epoch without replacement. */
static bool pack_pairs(const tn_feed *f, const tn_feed_item *items, size_t n, tn_arena *arena,
                       tn_lm_batch *out) {
    const tn_tokens *t = f->t;
    size_t cap = n, n_passages = 0, widest = 1;
    for (size_t i = 0; i < n; i++) {
        size_t n_docs =
            (size_t)(t->record_begin[items[i].item + 1] - t->record_begin[items[i].item]);
        cap += 1 + (n_docs - 2 < f->o.negatives ? n_docs - 2 : f->o.negatives);
        if (n_docs > widest) widest = n_docs;
    }
    span *spans = tn_arena_alloc(arena, cap * sizeof *spans);
    uint64_t *pick = tn_arena_alloc(arena, widest * sizeof *pick);
    out->positive = tn_arena_alloc(arena, n * sizeof *out->positive);
    if (!spans || !pick || !out->positive) return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t doc = t->record_begin[items[i].item];
        spans[i] = document(f, doc);
        out->positive[i] = (int32_t)add_passage(t, document(f, doc + 1), spans + n, &n_passages);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t first = t->record_begin[items[i].item] + 2;
        size_t n_mined = (size_t)(t->record_begin[items[i].item + 1] - first);
        tn_rng rng = tn_feed_rng(f, TN_FEED_NEGATIVES, items[i]);
        for (size_t k = 0; k < n_mined; k++) pick[k] = first + k;
        for (size_t k = 0; k < n_mined && k < f->o.negatives; k++) {
            size_t j = k + (size_t)tn_rng_below(&rng, n_mined - k);
            uint64_t doc = pick[j];
            pick[j] = pick[k];
            add_passage(t, document(f, doc), spans + n, &n_passages);
        }
    }
    out->n_queries = out->n_targets = n;
    return lay(f, spans, n + n_passages, arena, out);
}

tern_status tn_feed_pack(const tn_feed *f, const tn_feed_item *items, size_t n, tn_arena *arena,
                         tn_lm_batch *out, tern_error *err) {
    bool ok = f->o.task == TN_LM_PRETRAIN      ? pack_windows(f, items, n, arena, out)
              : f->o.task == TN_LM_CONTRASTIVE ? pack_pairs(f, items, n, arena, out)
                                               : pack_records(f, items, n, arena, out);
    if (ok) return TERN_OK;
    *out = (tn_lm_batch){0};
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a batch");
}
