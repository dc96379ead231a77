/* cross_encoder.c - a neural sequence classifier as a re-ranker: one score for a query and a
 * passage read together. */
#include "tern/encode.h"
#include "tern/reranker.h"
#include <string.h>

#include "core/base/mem.h"

typedef struct cross_encoder {
    tern_reranker base;
    tern_model *model;
    char *path;
    uint32_t n_labels; /* 1: the score; 2: irrelevant, relevant */
} cross_encoder;

static tern_status score(const tern_reranker *r, const char *query, size_t query_len,
                         const char *const *texts, const size_t *lens, size_t n, float *scores,
                         tern_error *err) {
    const cross_encoder *c = (const cross_encoder *)r;
    tern_pair *pairs = tn_calloc(n + 1, sizeof *pairs);
    float *logits = tn_calloc(n * c->n_labels + 1, sizeof *logits);
    tern_status st = pairs && logits
                         ? TERN_OK
                         : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for %zu pairs", n);
    for (size_t i = 0; st == TERN_OK && i < n; i++)
        pairs[i] = (tern_pair){query, query_len, texts[i], lens[i]};
    if (st == TERN_OK) st = tern_model_score(c->model, pairs, n, logits, NULL, err);
    for (size_t i = 0; st == TERN_OK && i < n; i++)
        scores[i] = c->n_labels == 1 ? logits[i] : logits[2 * i + 1] - logits[2 * i];
    tn_free(pairs);
    tn_free(logits);
    return st;
}

static void close_encoder(tern_reranker *r) {
    cross_encoder *c = (cross_encoder *)r;
    tern_model_close(c->model);
    tn_free(c->path);
    tn_free(c);
}

static tern_status check(const char *path, const tern_model_info *info, tern_error *err) {
    if (!info->scores)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: a %s model with head \"%s\" scores no pairs; a re-ranker is a "
                         "cross-encoder (...ForSequenceClassification)",
                         path, info->arch, info->head);
    if (info->n_labels < 1 || info->n_labels > 2)
        return tern_fail(err, TERN_ERR_UNSUPPORTED, 0,
                         "%s: a classifier of %u labels; a re-ranker has one (the score) or two "
                         "(irrelevant, relevant)",
                         path, info->n_labels);
    return TERN_OK;
}

tern_status tern_reranker_open(const char *path, const tern_host *host, tern_reranker **out,
                               tern_error *err) {
    *out = NULL;
    tern_model_info info;
    tern_status st = tern_model_peek(path, &info, err);
    if (st == TERN_OK) st = check(path, &info, err);
    if (st != TERN_OK) return st;
    cross_encoder *c = tn_calloc(1, sizeof *c);
    if (!c || !(c->path = tn_strdup(path))) {
        tn_free(c);
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for a re-ranker");
    }
    c->base = (tern_reranker){.name = c->path, .score = score, .free = close_encoder};
    c->n_labels = info.n_labels;
    st = tern_model_open(path, NULL, host, &c->model, err);
    if (st == TERN_OK)
        *out = &c->base;
    else
        close_encoder(&c->base);
    return st;
}

void tern_reranker_free(tern_reranker *r) {
    if (r) r->free(r);
}
