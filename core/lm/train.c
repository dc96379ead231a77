/* train.c - see train.h: heads, pooling and losses. */
#include "core/lm/rows.h"
#include "core/lm/train_priv.h"

#include "core/base/mem.h"

/* ---- pieces shared by the two families ---- */

tern_tensor *tn_lm_act(tern_graph *g, tn_act act, tern_tensor *x) {
    switch (act) {
    case TN_ACT_RELU:
        return tern_relu(g, x);
    case TN_ACT_GELU:
        return tern_gelu(g, x);
    case TN_ACT_GELU_TANH:
        return tern_gelu_tanh(g, x);
    case TN_ACT_SILU:
        return tern_silu(g, x);
    case TN_ACT_NONE:
        break;
    }
    return x;
}

tern_tensor *tn_lm_run_layer(tern_graph *g, tern_graph_fn *fn, void *ud, tern_tensor *const *in,
                             size_t n, bool recompute) {
    return recompute ? tern_recompute(g, fn, ud, in, n) : fn(g, ud, in);
}

tern_tensor *tn_lm_heads(tern_graph *g, tern_tensor *x, tern_tensor *w, tern_tensor *b,
                         size_t n_heads, size_t head_dim) {
    return tern_reshape(g, tern_linear(g, x, w, b),
                        TERN_SHAPE(tern_tensor_dim(x, 0), n_heads, head_dim));
}

tern_tensor *tn_lm_indices(tern_graph *g, const int32_t *x, size_t n) {
    return tern_tensor_borrow(g, TERN_I32, TERN_SHAPE(n), x);
}

/* ---- checks ---- */

tern_status tn_lm_check_objective(const tn_lm_config *c, tn_lm_objective objective,
                                  tern_error *err) {
    static const struct {
        tn_lm_head head;
        const char *what, *architecture;
    } needs[] = {
        [TN_LM_NEXT_TOKEN] = {TN_LM_HEAD_CAUSAL, "predict next tokens", "ForCausalLM"},
        [TN_LM_MASKED] = {TN_LM_HEAD_MASKED, "predict hidden tokens", "ForMaskedLM"},
        [TN_LM_TOKEN_CLASS] = {TN_LM_HEAD_TOKEN, "classify tokens", "ForTokenClassification"},
        [TN_LM_SEQ_CLASS] = {TN_LM_HEAD_SEQUENCE, "classify texts", "ForSequenceClassification"},
        [TN_LM_SEQ_BINARY] = {TN_LM_HEAD_SEQUENCE, "classify texts", "ForSequenceClassification"},
        [TN_LM_SEQ_NUMBERS] = {TN_LM_HEAD_SEQUENCE, "score texts", "ForSequenceClassification"}};
    if (objective == TN_LM_PAIRS) {
        if (c->family == TN_LM_ENCODER) return TERN_OK;
        return tern_fail(err, TERN_ERR_ARG, 0,
                         "contrastive training is for encoders (BERT, "
                         "RoBERTa, XLM-R), not for %s",
                         tn_lm_arch_name(c->arch));
    }
    if (c->head == needs[objective].head) return TERN_OK;
    return tern_fail(
        err, TERN_ERR_ARG, 0, "this %s model cannot %s: its \"architectures\" must name a ...%s",
        tn_lm_arch_name(c->arch), needs[objective].what, needs[objective].architecture);
}

tern_status tn_lm_check_batch(const tn_lm_config *c, const tn_lm_batch *b, tern_error *err) {
    uint32_t longest = tn_lm_context(c);
    for (size_t s = 0; s < b->n_seqs; s++) {
        int32_t n = b->seq_begin[s + 1] - b->seq_begin[s];
        if (n < 1) return tern_fail(err, TERN_ERR_ARG, 0, "sequence %zu of a batch is empty", s);
        if (c->family == TN_LM_ENCODER && !b->positions && (uint32_t)n > longest)
            return tern_fail(err, TERN_ERR_LIMIT, 0,
                             "a text has %d tokens, the model reads %u at most: make the context "
                             "smaller",
                             n, longest);
    }
    for (size_t s = 0; b->seq_classes && s < b->n_seqs; s++)
        if (b->seq_classes[s] < 0 || (uint32_t)b->seq_classes[s] >= c->n_labels)
            return tern_fail(err, TERN_ERR_ARG, 0, "class %d is out of range: the model has %u",
                             b->seq_classes[s], c->n_labels);
    if (b->seq_targets && b->n_seq_targets != c->n_labels)
        return tern_fail(err, TERN_ERR_ARG, 0, "texts have %zu numbers, the model gives %u",
                         b->n_seq_targets, c->n_labels);
    return tn_lm_check_ids(c, b->ids, b->n_tokens, err);
}

/* ---- the body and its heads ---- */

tern_tensor *tn_lm_tape_hidden(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b, bool recompute) {
    return t->config.family == TN_LM_DECODER ? tn_lm_decode_tape(t, g, b, recompute)
                                             : tn_lm_encode_tape(t, g, b, recompute);
}

/* Row `i` of the sequence: 0 its first token, -1 its last. */
static tern_tensor *row_of_each(tern_graph *g, const tn_lm_batch *b, tern_tensor *hidden, int i) {
    tern_tensor *rows = tern_tensor_new(g, TERN_I32, TERN_SHAPE(b->n_seqs));
    int32_t *r = tern_tensor_data(rows);
    for (size_t s = 0; r && s < b->n_seqs; s++)
        r[s] = i == 0 ? b->seq_begin[s] : b->seq_begin[s + 1] - 1;
    return tern_index_rows(g, hidden, rows);
}

tern_tensor *tn_lm_tape_pooled(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                               tern_tensor *hidden, tn_lm_pool pool, bool normalize) {
    (void)t;
    tern_tensor *y =
        pool == TN_LM_POOL_MEAN
            ? tern_segment_mean(g, hidden, tn_lm_indices(g, b->seq_begin, b->n_seqs + 1))
            : row_of_each(g, b, hidden, pool == TN_LM_POOL_CLS ? 0 : -1);
    return normalize ? tern_normalize(g, y, 1e-24) : y;
}

static tern_tensor *head_matrix(const tn_lm_tape *t) {
    tern_tensor *w = tn_lm_w(t, TN_LM_HEAD, 0);
    return w ? w : tn_lm_w(t, TN_LM_EMBED, 0);
}

/* What stands between the rows of the body and the last matrix. */
static tern_tensor *before_head(const tn_lm_tape *t, tern_graph *g, tern_tensor *x) {
    const tn_lm_config *c = &t->config;
    tern_tensor *dense = tn_lm_w(t, TN_LM_HEAD_DENSE, 0);
    if (!dense) return x;
    x = tern_linear(g, x, dense, tn_lm_w(t, TN_LM_HEAD_DENSE_BIAS, 0));
    if (c->head == TN_LM_HEAD_SEQUENCE) return tern_tanh(g, x);
    /* RoBERTa's masked head is GELU whatever the layers use. */
    x = tn_lm_act(g, c->arch == TN_LM_ROBERTA ? TN_ACT_GELU : c->act, x);
    return tern_layer_norm(g, x, tn_lm_w(t, TN_LM_HEAD_NORM, 0),
                           tn_lm_w(t, TN_LM_HEAD_NORM_BIAS, 0), c->norm_eps);
}

static tern_tensor *head(const tn_lm_tape *t, tern_graph *g, tern_tensor *x) {
    double cap = t->config.final_softcap;
    tern_tensor *y =
        tern_linear(g, before_head(t, g, x), head_matrix(t), tn_lm_w(t, TN_LM_HEAD_BIAS, 0));
    return cap > 0 ? tern_scale(g, tern_tanh(g, tern_scale(g, y, 1 / cap)), cap) : y;
}

tern_tensor *tn_lm_tape_logits(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                               tern_tensor *hidden) {
    if (t->config.head == TN_LM_HEAD_SEQUENCE)
        hidden = row_of_each(g, b, hidden, t->config.family == TN_LM_ENCODER ? 0 : -1);
    return head(t, g, hidden);
}

/* ---- losses ---- */

/* Rows whose target is learned, gathered: [n_targets] numbers of tokens and their targets. */
static void learned(tern_graph *g, const tn_lm_batch *b, tern_tensor **rows,
                    tern_tensor **targets) {
    *rows = tern_tensor_new(g, TERN_I32, TERN_SHAPE(b->n_targets));
    *targets = tern_tensor_new(g, TERN_I32, TERN_SHAPE(b->n_targets));
    int32_t *r = tern_tensor_data(*rows), *y = tern_tensor_data(*targets);
    for (size_t i = 0, n = 0; r && y && i < b->n_tokens; i++)
        if (b->targets[i] != TN_LM_IGNORE) {
            r[n] = (int32_t)i;
            y[n++] = b->targets[i];
        }
}

/* Softmax loss of the learned tokens; the plain head never holds all logits at once. */
static tern_tensor *token_loss(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                               tern_tensor *hidden) {
    tern_tensor *rows, *targets;
    learned(g, b, &rows, &targets);
    tern_tensor *x = tern_index_rows(g, hidden, rows);
    if (t->config.final_softcap == 0 && !tn_lm_w(t, TN_LM_HEAD_BIAS, 0))
        return tern_sum(g, tern_linear_nll(g, before_head(t, g, x), head_matrix(t), targets),
                        TERN_AXES_ALL, false);
    return tern_scale(g, tern_cross_entropy(g, head(t, g, x), targets), (double)b->n_targets);
}

static tern_tensor *sequence_loss(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                                  tern_tensor *hidden, tn_lm_objective objective) {
    tern_tensor *y = tn_lm_tape_logits(t, g, b, hidden), *loss;
    if (objective == TN_LM_SEQ_CLASS) {
        loss = tern_cross_entropy(g, y, tn_lm_indices(g, b->seq_classes, b->n_seqs));
    } else {
        tern_tensor *target = tern_tensor_borrow(
            g, TERN_F32, TERN_SHAPE(b->n_seqs, b->n_seq_targets), b->seq_targets);
        loss = objective == TN_LM_SEQ_BINARY ? tern_bce_with_logits(g, y, target)
                                             : tern_mse(g, y, target);
    }
    return tern_scale(g, loss, (double)b->n_targets);
}

/* InfoNCE (arXiv 1807.03748): the softmax of a query's scores of all passages of the batch. */
static tern_tensor *pair_loss(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                              tern_tensor *hidden, const tn_lm_loss_opts *o) {
    tern_tensor *x = tn_lm_tape_pooled(t, g, b, hidden, o->pool, o->normalize);
    tern_tensor *queries = tern_slice(g, x, 0, 0, b->n_queries);
    tern_tensor *passages = tern_slice(g, x, 0, b->n_queries, b->n_seqs);
    tern_tensor *scores = tern_matmul(g, queries, tern_transpose(g, passages, 0, 1));
    scores = tern_scale(g, scores, 1 / o->temperature);
    return tern_scale(g, tern_cross_entropy(g, scores, tn_lm_indices(g, b->positive, b->n_queries)),
                      (double)b->n_targets);
}

tern_tensor *tn_lm_tape_loss(tn_lm_tape *t, tern_graph *g, const tn_lm_batch *b,
                             const tn_lm_loss_opts *opts) {
    tern_tensor *hidden = tn_lm_tape_hidden(t, g, b, opts->recompute);
    switch (opts->objective) {
    case TN_LM_NEXT_TOKEN:
    case TN_LM_MASKED:
    case TN_LM_TOKEN_CLASS:
        return token_loss(t, g, b, hidden);
    case TN_LM_SEQ_CLASS:
    case TN_LM_SEQ_BINARY:
    case TN_LM_SEQ_NUMBERS:
        return sequence_loss(t, g, b, hidden, opts->objective);
    case TN_LM_PAIRS:
        break;
    }
    return pair_loss(t, g, b, hidden, opts);
}
