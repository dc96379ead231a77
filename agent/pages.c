/* pages.c - see pages.h. */
#include "agent/pages.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include <string.h>

float tn_held_mass(const tn_lens *l, tn_held held) {
    float mass = 0;
    for (uint32_t i = 0; i < l->n_asked; i++)
        if (held >> i & 1) mass += l->weight[l->asked[i]];
    return mass;
}

/* --- looking ---------------------------------------------------------------------------------- */

/* Words outside the vocabulary are not the question's: nothing is added to it. */
static tern_status scan(const tn_lens *l, const char *text, size_t len, tn_held *held,
                        tern_error *err) {
    const tn_token *tokens;
    size_t n;
    tern_status st = tn_analyze(l->analyzer, text, len, &tokens, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        if (tokens[i].is_stop) continue;
        uint32_t id = tn_strmap_find(&l->vocab, tokens[i].term, tokens[i].term_len);
        for (uint32_t k = 0; id != TN_STRMAP_NONE && k < l->n_asked; k++)
            if (l->asked[k] == id) *held |= (tn_held)1 << k;
    }
    return st;
}

static const char *fold(const tn_episode *ep, const char *s, size_t n, uint32_t *len) {
    tn_buf folded = {0};
    tn_text_fold(s, n, &folded);
    const char *own =
        folded.failed ? NULL : tn_arena_strndup(ep->arena, tn_buf_cstr(&folded), folded.len);
    *len = (uint32_t)folded.len;
    tn_buf_deinit(&folded);
    return own;
}

tern_status tn_page_look(const tn_episode *ep, uint32_t ref, const tn_page **out, tern_error *err) {
    tn_lens *l = ep->lens;
    for (size_t i = 0; i < l->n_pages; i++) {
        *out = &l->pages[i];
        if (l->pages[i].ref == ref) return TERN_OK;
    }
    tern_passage p;
    tn_page page = {.ref = ref};
    tern_status st = ep->tools->read(ep->tools->ud, ref, &p, err);
    if (st != TERN_OK) return st;
    size_t n_title = strlen(p.title);
    st = scan(l, p.title, n_title, &page.held, err);
    if (st == TERN_OK) st = scan(l, p.text, p.text_len, &page.held, err);
    if (st != TERN_OK) return st;
    page.title = fold(ep, p.title, tn_title_base(p.title, n_title), &page.title_len);
    page.text = fold(ep, p.text, p.text_len, &page.text_len);
    if (!page.title || !page.text || TN_GROW(l->pages, l->pages_cap, l->n_pages + 1) != 0)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for pages");
    l->pages[l->n_pages] = page;
    *out = &l->pages[l->n_pages++];
    return TERN_OK;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool is_letter(char c) {
    return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Titles of one or two letters stand in every text. */
static bool names(const tn_page *a, const tn_page *b) {
    if (b->title_len < 3) return false;
    const char *at = a->text, *end = a->text + a->text_len;
    while ((at = memmem(at, (size_t)(end - at), b->title, b->title_len))) {
        const char *after = at + b->title_len;
        if ((at == a->text || !is_letter(at[-1])) && (after == end || !is_letter(*after)))
            return true;
        at++;
    }
    return false;
}

bool tn_pages_linked(const tn_page *a, const tn_page *b) {
    return names(a, b) || names(b, a);
}
