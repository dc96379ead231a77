/* added.c - tokens that are found in the text before the model sees it: the leftmost, of these the
 * longest, then the next after its end. Those marked `normalized` are looked for in the normalised
 * text by their normalised content, the others in the text as it is. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"

#include "core/base/mem.h"

tern_status tn_added_add(tern_tokenizer *t, const tn_added *token, tern_error *err) {
    int32_t there = tn_vocab_find(&t->vocab, token->content, token->len);
    if (there >= 0 && there != token->id)
        return tern_fail(err, TERN_ERR_FORMAT, 0,
                         "added token '%.80s' has id %d, but the vocabulary gives it %d",
                         token->content, token->id, there);
    if (there < 0) {
        tern_status st = tn_vocab_add(&t->vocab, token->content, token->len, token->id, err);
        if (st != TERN_OK) return st;
    }
    for (size_t i = 0; i < t->n_added; i++) {
        if (t->added[i].id != token->id) continue;
        t->added[i] = *token; /* the later word counts */
        return TERN_OK;
    }
    if (TN_GROW(t->added, t->added_cap, t->n_added + 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    t->added[t->n_added++] = *token;
    return TERN_OK;
}

static tern_status add_to_set(struct tn_added_set *set, const char *s, size_t n, size_t index,
                              tern_error *err) {
    if (n == 0) return TERN_OK;
    if (tn_trie_add(&set->trie, s, n, (int32_t)index) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    set->first[(unsigned char)s[0]] = true;
    return TERN_OK;
}

static tern_status add_normalized(tern_tokenizer *t, tn_encoder *e, size_t index, tern_error *err) {
    tn_stretch raw = {.s = t->added[index].content, .n = t->added[index].len};
    tern_encode_opts opts = {0};
    e->opts = &opts;
    e->st = TERN_OK;
    e->err = err;
    tn_stretch x = tn_normalize(e, &raw);
    tern_status st = e->st;
    if (st == TERN_OK) st = add_to_set(&t->added_normalized, x.s, x.n, index, err);
    e->opts = NULL;
    return st;
}

tern_status tn_added_finish(tern_tokenizer *t, tern_error *err) {
    tern_status st = TERN_OK;
    t->added_of = tn_calloc((size_t)t->vocab.size + 1, sizeof *t->added_of);
    tn_encoder *e = tn_encoder_take(t);
    if (!t->added_of || !e) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    for (size_t i = 0; i < t->n_added && st == TERN_OK; i++) {
        t->added_of[t->added[i].id] = (uint32_t)i + 1;
        if (t->added[i].unwritten) continue;
        if (t->added[i].normalized)
            st = add_normalized(t, e, i, err);
        else
            st = add_to_set(&t->added_raw, t->added[i].content, t->added[i].len, i, err);
    }
    if (e) tn_encoder_give(e);
    return st;
}

void tn_added_deinit(tern_tokenizer *t) {
    tn_free(t->added);
    tn_free(t->added_of);
    tn_trie_deinit(&t->added_raw.trie);
    tn_trie_deinit(&t->added_normalized.trie);
}

/* The longest token that begins at s[at], or NULL; *end: after it. */
static const tn_added *token_at(const tern_tokenizer *t, const struct tn_added_set *set,
                                const char *s, size_t n, size_t at, size_t *end) {
    const tn_added *found = NULL;
    int64_t node = TN_TRIE_ROOT;
    for (size_t i = at; i < n; i++) {
        node = tn_trie_step(&set->trie, node, (uint8_t)s[i]);
        if (node == TN_TRIE_NONE) break;
        int32_t index = tn_trie_value(&set->trie, node);
        if (index == TN_TRIE_NONE) continue;
        found = &t->added[index];
        *end = i + 1;
    }
    return found;
}

static bool stands_alone(const tn_stretch *x, size_t begin, size_t end) {
    uint32_t cp;
    if (begin > 0) {
        tn_char_last(x->s, begin, &cp);
        if (tn_char_class(cp) & TN_CH_WORD) return false;
    }
    if (end == x->n) return true;
    tn_char_next(x->s + end, x->n - end, &cp);
    return !(tn_char_class(cp) & TN_CH_WORD);
}

static size_t spaces_before(const tn_stretch *x, size_t from, size_t at) {
    uint32_t cp;
    while (at > from) {
        size_t len = tn_char_last(x->s + from, at - from, &cp);
        if (!(tn_char_class(cp) & TN_CH_SPACE)) break;
        at -= len;
    }
    return at;
}

static size_t spaces_after(const tn_stretch *x, size_t at) {
    uint32_t cp;
    while (at < x->n) {
        size_t len = tn_char_next(x->s + at, x->n - at, &cp);
        if (!(tn_char_class(cp) & TN_CH_SPACE)) break;
        at += len;
    }
    return at;
}

/* Whether source bytes [span.begin, span.end) touch a guarded part. */
static bool is_guarded(const tn_encoder *e, tern_token_span span) {
    size_t lo = 0, hi = e->n_guarded;
    while (lo < hi) { /* the first part that ends behind span.begin */
        size_t mid = lo + (hi - lo) / 2;
        if (e->guarded[mid].end <= span.begin)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < e->n_guarded && e->guarded[lo].begin < span.end;
}

void tn_added_cut(tn_encoder *e, const tn_stretch *x, const struct tn_added_set *set,
                  void (*rest)(tn_encoder *e, const tn_stretch *x)) {
    size_t done = 0, at = 0, end = 0;
    while (set->trie.n_nodes && e->st == TERN_OK) {
        while (at < x->n && !set->first[(unsigned char)x->s[at]]) at++;
        if (at >= x->n) break;
        const tn_added *token = token_at(e->t, set, x->s, x->n, at, &end);
        if (!token) {
            at++;
            continue;
        }
        size_t begin = at;
        at = end; /* a token that does not count is passed over whole */
        if (token->special &&
            (!e->opts->parse_special || is_guarded(e, tn_stretch_span(x, begin, end))))
            continue;
        if (token->single_word && !stands_alone(x, begin, end)) continue;
        if (token->lstrip) begin = spaces_before(x, done, begin);
        if (token->rstrip) end = spaces_after(x, end);
        if (begin > done) {
            tn_stretch before = tn_stretch_cut(x, done, begin);
            rest(e, &before);
        }
        tn_emit(e, x, token->id, begin, end);
        at = done = end;
    }
    if (done < x->n && e->st == TERN_OK) {
        tn_stretch last = tn_stretch_cut(x, done, x->n);
        rest(e, &last);
    }
}
