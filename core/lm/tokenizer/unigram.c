/* unigram.c - the segmentation of greatest probability under a unigram language model (Kudo 2018):
 * Viterbi over byte positions. A character that no piece covers alone may be unknown, at a score 10
 * below the least; unknown neighbours become one token, or bytes where the vocabulary has them. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"

#include "core/base/mem.h"

static void reach(struct tn_path *to, double score, size_t begin, int32_t id) {
    if (to->id != -1 && !(score > to->score)) return;
    *to = (struct tn_path){score, (uint32_t)begin, id};
}

enum { UNKNOWN = -2 }; /* also where the vocabulary has no <unk> */

static void search(tn_encoder *e, const tn_stretch *w) {
    const tn_unigram *m = &e->t->unigram;
    struct tn_path *path = e->path;
    for (size_t i = 0; i <= w->n; i++) path[i] = (struct tn_path){0, 0, -1};
    for (size_t at = 0, len; at < w->n; at += len) {
        uint32_t cp;
        len = tn_char_next(w->s + at, w->n - at, &cp);
        double here = path[at].score;
        bool alone = false;
        int64_t node = TN_TRIE_ROOT;
        for (size_t i = at; i < w->n; i++) {
            node = tn_trie_step(&m->trie, node, (uint8_t)w->s[i]);
            if (node == TN_TRIE_NONE) break;
            int32_t id = tn_trie_value(&m->trie, node);
            if (id == TN_TRIE_NONE) continue;
            reach(&path[i + 1], here + m->scores[id], at, id == m->unk ? UNKNOWN : id);
            alone |= i + 1 - at == len;
        }
        if (!alone) reach(&path[at + len], here + m->unk_score, at, UNKNOWN);
    }
}

static void emit_unknown(tn_encoder *e, const tn_stretch *w, size_t begin, size_t end) {
    const tn_unigram *m = &e->t->unigram;
    bool bytes = m->byte_fallback;
    for (size_t i = begin; i < end && bytes; i++) bytes = m->byte_id[(unsigned char)w->s[i]] >= 0;
    if (!bytes) {
        if (m->unk >= 0) tn_emit(e, w, m->unk, begin, end);
        return;
    }
    for (size_t i = begin; i < end; i++)
        tn_emit(e, w, m->byte_id[(unsigned char)w->s[i]], i, i + 1);
}

void tn_unigram_encode(tn_encoder *e, const tn_stretch *w) {
    if (TN_GROW(e->path, e->path_cap, w->n + 1) != 0) {
        tn_encoder_nomem(e);
        return;
    }
    search(e, w);
    /* Turn the chain of the best path round: path[i].begin then leads from i to the next end. */
    struct tn_path *path = e->path;
    uint32_t end = (uint32_t)w->n, next = end;
    while (end > 0) {
        uint32_t begin = path[end].begin;
        path[end].begin = next;
        next = end;
        end = begin;
    }
    for (size_t at = 0; at < w->n && e->st == TERN_OK;) {
        size_t to = next;
        int32_t id = path[to].id;
        while (id == UNKNOWN && to < w->n && path[path[to].begin].id == UNKNOWN)
            to = path[to].begin;
        if (id == UNKNOWN)
            emit_unknown(e, w, at, to);
        else
            tn_emit(e, w, id, at, to);
        next = path[to].begin;
        at = to;
    }
}
