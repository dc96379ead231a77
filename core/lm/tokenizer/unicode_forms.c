/* unicode_forms.c - NFC, NFD, NFKC, NFKD (utf8proc) that know where each byte came from.
 * Text is cut where no normal form can reach across: before a character of combining class 0 that
 * is no mark and cannot join its left neighbour. Each part is normalised alone; a part that comes
 * out unchanged keeps its bytes one by one. Ill-formed bytes are parts of their own. */
#include "core/lm/tokenizer/chars.h"
#include "core/lm/tokenizer/tokenizer_priv.h"
#include <string.h>
#include <utf8proc.h>

#include "core/base/mem.h"

/* Vowel and final jamo, also halfwidth and compatibility ones; halfwidth kana voicing marks. */
static bool joins_left(uint32_t cp) {
    return (cp >= 0x1160 && cp <= 0x11FF) || (cp >= 0x3131 && cp <= 0x318E) ||
           (cp >= 0xFF9E && cp <= 0xFFDC) || (cp >= 0xD7B0 && cp <= 0xD7FB);
}

static bool begins_part(uint32_t cp) {
    if (cp < 0x300 || cp == TN_CHAR_INVALID) return true;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)cp);
    return p->combining_class == 0 && p->category != UTF8PROC_CATEGORY_MN &&
           p->category != UTF8PROC_CATEGORY_MC && p->category != UTF8PROC_CATEGORY_ME &&
           !joins_left(cp);
}

/* Characters that no form of this kind changes when they stand alone. */
static bool inert(uint32_t cp, tn_norm_kind form) {
    if (cp < 0x80 || cp == TN_CHAR_INVALID) return true;
    if ((cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x430 && cp <= 0x438)) return true;
    return form == TN_NORM_NFC &&
           (cp < 0x300 || (cp >= 0x400 && cp <= 0x482) || (cp >= 0x3041 && cp <= 0x3096) ||
            (cp >= 0x30A1 && cp <= 0x30FA) || (cp >= 0xAC00 && cp <= 0xD7A3));
}

static utf8proc_option_t options_of(tn_norm_kind form) {
    switch (form) {
    case TN_NORM_NFC:
        return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    case TN_NORM_NFD:
        return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    case TN_NORM_NFKC:
        return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    default:
        return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    }
}

static void write_part(tn_writer *w, const tn_stretch *x, size_t begin, size_t end,
                       tn_norm_kind form) {
    utf8proc_option_t options = options_of(form);
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)x->s + begin;
    utf8proc_ssize_t n = (utf8proc_ssize_t)(end - begin);
    utf8proc_int32_t small[64], *cps = small;
    utf8proc_ssize_t n_cps = utf8proc_decompose(s, n, small, 64, options);
    if (n_cps > 64) {
        cps = tn_arena_alloc(&w->e->arena, ((size_t)n_cps + 1) * sizeof *cps);
        if (cps) n_cps = utf8proc_decompose(s, n, cps, n_cps, options);
    }
    if (!cps) {
        tn_encoder_nomem(w->e);
        return;
    }
    if (n_cps >= 0) n_cps = utf8proc_normalize_utf32(cps, n_cps, options);
    if (n_cps < 0) { /* cannot be: the part is well-formed */
        tn_write_copy(w, x, begin, end);
        return;
    }
    size_t first = w->n;
    tern_token_span from = tn_stretch_span(x, begin, end);
    for (utf8proc_ssize_t i = 0; i < n_cps; i++) tn_write_char(w, (uint32_t)cps[i], from);
    if (w->n - first == end - begin && memcmp(w->s + first, s, end - begin) == 0) {
        w->n = first;
        tn_write_copy(w, x, begin, end);
    }
}

void tn_write_form(tn_writer *w, const tn_stretch *x, tn_norm_kind form) {
    size_t at = 0, plain = 0; /* [plain, at): to be copied */
    while (at < x->n && w->e->st == TERN_OK) {
        uint32_t cp;
        size_t end = at + tn_char_next(x->s + at, x->n - at, &cp);
        bool alone = inert(cp, form), invalid = cp == TN_CHAR_INVALID;
        while (end < x->n && !invalid) {
            size_t len = tn_char_next(x->s + end, x->n - end, &cp);
            if (begins_part(cp)) break;
            alone = false;
            end += len;
        }
        if (!alone) {
            tn_write_copy(w, x, plain, at);
            write_part(w, x, at, end, form);
            plain = end;
        }
        at = end;
    }
    tn_write_copy(w, x, plain, at);
}
