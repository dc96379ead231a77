/* wordpiece.c - greedy longest match from the left (Devlin et al. 2018): the first piece from the
 * vocabulary, the later ones behind the prefix "##". A word that does not come out whole, or has
 * too many characters, is one unknown token. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"

#include "core/base/mem.h"

static size_t count_chars(const char *s, size_t n) {
    size_t n_chars = 0;
    for (size_t at = 0; at < n; n_chars++) {
        uint32_t cp;
        at += tn_char_next(s + at, n - at, &cp);
    }
    return n_chars;
}

/* The longest piece of a trie that s begins with: its id, or -1. */
static int32_t longest(const tn_trie *trie, const char *s, size_t n, size_t *len) {
    int32_t id = -1;
    int64_t node = TN_TRIE_ROOT;
    for (size_t i = 0; i < n && trie->n_nodes; i++) {
        node = tn_trie_step(trie, node, (uint8_t)s[i]);
        if (node == TN_TRIE_NONE) break;
        if (tn_trie_value(trie, node) == TN_TRIE_NONE) continue;
        id = tn_trie_value(trie, node);
        *len = i + 1;
    }
    return id;
}

void tn_wordpiece_encode(tn_encoder *e, const tn_stretch *w) {
    const tn_wordpiece *m = &e->t->wordpiece;
    size_t first = e->out->n, len = 0;
    int32_t id = count_chars(w->s, w->n) > m->chars_max ? -1 : 0;
    for (size_t at = 0; at < w->n && id >= 0 && e->st == TERN_OK; at += len) {
        id = longest(at ? &m->rests : &m->starts, w->s + at, w->n - at, &len);
        if (id >= 0) tn_emit(e, w, id, at, at + len);
    }
    if (id >= 0) return;
    e->out->n = first;
    tn_emit(e, w, m->unk, 0, w->n);
}
