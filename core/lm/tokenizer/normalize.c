/* normalize.c - the normaliser steps, one pass each over the text. A step that would leave the
 * text as it is costs no copy. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

void tn_pattern_deinit(tn_pattern *p) {
    tn_regex_free(p->regex);
    p->regex = NULL;
}

void tn_norm_deinit(tn_norm *n) {
    tn_pattern_deinit(&n->pattern);
    tn_charsmap_free(n->charsmap);
    n->charsmap = NULL;
}

/* End of the well-formed stretch that begins at `at`. */
static size_t valid_end(const char *s, size_t n, size_t at) {
    while (at < n) {
        uint32_t cp;
        size_t len = tn_char_next(s + at, n - at, &cp);
        if (cp == TN_CHAR_INVALID) break;
        at += len;
    }
    return at;
}

void tn_pattern_find(tn_encoder *e, const tn_pattern *p, const char *s, size_t n, size_t at,
                     size_t *begin, size_t *end, int *found) {
    *found = 0;
    if (p->text) {
        const char *hit = p->len ? memmem(s + at, n - at, p->text, p->len) : NULL;
        if (!hit) return;
        *found = 1;
        *begin = (size_t)(hit - s);
        *end = *begin + p->len;
        return;
    }
    e->st = tn_regex_find(p->regex, e->regex, s, n, at, begin, end, found, e->err);
}

/* ---- steps ---- */

static void replace_in(tn_writer *w, const tn_norm *step, const tn_stretch *x, size_t from,
                       size_t to) {
    size_t at = from, copied = from, begin, end;
    int found = 1;
    while (at < to && w->e->st == TERN_OK) {
        tn_pattern_find(w->e, &step->pattern, x->s + from, to - from, at - from, &begin, &end,
                        &found);
        if (!found) break;
        tn_write_copy(w, x, copied, from + begin);
        tn_write(w, step->content, step->content_len, tn_stretch_span(x, from + begin, from + end));
        at = copied = from + end;
    }
    tn_write_copy(w, x, copied, to);
}

static void replace(tn_writer *w, const tn_norm *step, const tn_stretch *x) {
    if (step->pattern.text) {
        replace_in(w, step, x, 0, x->n);
        return;
    }
    for (size_t at = 0; at < x->n && w->e->st == TERN_OK;) {
        size_t end = valid_end(x->s, x->n, at);
        replace_in(w, step, x, at, end);
        if (end < x->n) tn_write_copy(w, x, end, end + 1);
        at = end + 1;
    }
}

static bool is_nmt_control(uint32_t cp) {
    return (cp >= 0x01 && cp <= 0x08) || cp == 0x0B || (cp >= 0x0E && cp <= 0x1F) || cp == 0x7F ||
           cp == 0x8F || cp == 0x9F;
}

static bool is_nmt_space(uint32_t cp) {
    return cp == 0x09 || cp == 0x0A || cp == 0x0C || cp == 0x0D || cp == 0x1680 ||
           (cp >= 0x200B && cp <= 0x200F) || cp == 0x2028 || cp == 0x2029 || cp == 0x2581 ||
           cp == 0xFEFF || cp == 0xFFFD;
}

/* The steps that look at one character at a time. */
static void write_mapped(tn_writer *w, tn_norm_kind kind, const tn_stretch *x, size_t at,
                         size_t len, uint32_t cp) {
    tern_token_span from = tn_stretch_span(x, at, at + len);
    unsigned class = tn_char_class(cp);
    switch (kind) {
    case TN_NORM_LOWERCASE:
        if (cp == 0x130) /* the one letter whose lower case is two characters */
            tn_write(w, "i\xCC\x87", 3, from);
        else if (cp != TN_CHAR_INVALID)
            tn_write_char(w, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), from);
        else
            tn_write_copy(w, x, at, at + len);
        return;
    case TN_NORM_STRIP_ACCENTS:
        if (!(class & TN_CH_MARK)) tn_write_copy(w, x, at, at + len);
        return;
    case TN_NORM_BERT_CLEAN:
        if (class & TN_CH_SPACE)
            tn_write(w, " ", 1, from);
        else if (cp != 0xFFFD && !(class & TN_CH_OTHER))
            tn_write_copy(w, x, at, at + len);
        return;
    case TN_NORM_BERT_CJK:
        if (tn_char_is_cjk(cp)) {
            tn_write(w, " ", 1, (tern_token_span){from.begin, from.begin});
            tn_write_copy(w, x, at, at + len);
            tn_write(w, " ", 1, (tern_token_span){from.end, from.end});
        } else {
            tn_write_copy(w, x, at, at + len);
        }
        return;
    case TN_NORM_NMT:
        if (is_nmt_space(cp))
            tn_write(w, " ", 1, from);
        else if (!is_nmt_control(cp))
            tn_write_copy(w, x, at, at + len);
        return;
    default:
        return;
    }
}

static void map_chars(tn_writer *w, tn_norm_kind kind, const tn_stretch *x) {
    for (size_t at = 0; at < x->n && w->e->st == TERN_OK;) {
        uint32_t cp;
        size_t len = tn_char_next(x->s + at, x->n - at, &cp);
        write_mapped(w, kind, x, at, len, cp);
        at += len;
    }
}

/* SentencePiece's table over a grapheme: a short one whole, else its characters one by one. */
static void write_grapheme(tn_writer *w, const struct tn_charsmap *m, const tn_stretch *x,
                           size_t begin, size_t end) {
    size_t n;
    const char *to = end - begin < 6 ? tn_charsmap_find(m, x->s + begin, end - begin, &n) : NULL;
    if (to) {
        tn_write(w, to, n, tn_stretch_span(x, begin, end));
        return;
    }
    for (size_t at = begin, len; at < end; at += len) {
        uint32_t cp;
        len = tn_char_next(x->s + at, end - at, &cp);
        to = tn_charsmap_find(m, x->s + at, len, &n);
        if (to)
            tn_write(w, to, n, tn_stretch_span(x, at, at + len));
        else
            tn_write_copy(w, x, at, at + len);
    }
}

static void map_graphemes(tn_writer *w, const struct tn_charsmap *m, const tn_stretch *x) {
    uint32_t last = 0;
    utf8proc_int32_t state = 0;
    size_t begin = 0;
    for (size_t at = 0; at < x->n && w->e->st == TERN_OK;) {
        uint32_t cp;
        size_t len = tn_char_next(x->s + at, x->n - at, &cp);
        bool breaks = cp == TN_CHAR_INVALID || last == TN_CHAR_INVALID;
        if (at > 0 && !breaks)
            breaks = utf8proc_grapheme_break_stateful((utf8proc_int32_t)last, (utf8proc_int32_t)cp,
                                                      &state);
        if (at > begin && breaks) {
            write_grapheme(w, m, x, begin, at);
            begin = at;
        }
        last = cp;
        at += len;
    }
    if (begin < x->n) write_grapheme(w, m, x, begin, x->n);
}

static tn_stretch strip(const tn_norm *step, const tn_stretch *x) {
    size_t begin = 0, end = x->n, len;
    uint32_t cp;
    for (; step->left && begin < end; begin += len) {
        len = tn_char_next(x->s + begin, end - begin, &cp);
        if (!(tn_char_class(cp) & TN_CH_SPACE)) break;
    }
    for (; step->right && end > begin; end -= len) {
        len = tn_char_last(x->s + begin, end - begin, &cp);
        if (!(tn_char_class(cp) & TN_CH_SPACE)) break;
    }
    return tn_stretch_cut(x, begin, end);
}

/* Whether the step can change this text at all; a quick look. */
static bool may_change(const tn_norm *step, const tn_stretch *x) {
    switch (step->kind) {
    case TN_NORM_NFC:
    case TN_NORM_NFD:
    case TN_NORM_NFKC:
    case TN_NORM_NFKD:
    case TN_NORM_STRIP_ACCENTS:
    case TN_NORM_BERT_CJK:
        return !tn_bytes_ascii(x->s, x->n);
    case TN_NORM_PREPEND:
        return x->n > 0;
    default:
        return true;
    }
}

tn_stretch tn_normalize(tn_encoder *e, const tn_stretch *in) {
    tn_stretch x = *in;
    for (size_t i = 0; i < e->t->n_norms && e->st == TERN_OK; i++) {
        const tn_norm *step = &e->t->norms[i];
        if (!may_change(step, &x)) continue;
        if (step->kind == TN_NORM_STRIP) {
            x = strip(step, &x);
            continue;
        }
        tn_writer w = tn_writer_begin(e, x.n + x.n / 4);
        switch (step->kind) {
        case TN_NORM_REPLACE:
            replace(&w, step, &x);
            break;
        case TN_NORM_PREPEND: {
            tern_token_span at = tn_stretch_span(&x, 0, 0);
            tn_write(&w, step->content, step->content_len, at);
            tn_write_copy(&w, &x, 0, x.n);
            break;
        }
        case TN_NORM_CHARSMAP:
            map_graphemes(&w, step->charsmap, &x);
            break;
        case TN_NORM_NFC:
        case TN_NORM_NFD:
        case TN_NORM_NFKC:
        case TN_NORM_NFKD:
            tn_write_form(&w, &x, step->kind);
            break;
        default:
            map_chars(&w, step->kind, &x);
        }
        x = tn_writer_end(&w, &x);
    }
    return x;
}
