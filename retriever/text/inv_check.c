/* inv_check.c - reads every byte of an inverted index and checks what the reader takes on trust:
 * order of the terms, the hash table, block maxima, positions, and that the lengths add up. */
#include "retriever/text/inverted_priv.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

enum { DEFECTS_MAX = 100 }; /* in one list file; a shifted file would report every term */

typedef struct checker {
    const tn_inv *inv;
    void (*bad)(void *ud, const char *text);
    void *ud;
    uint64_t *tokens; /* [n_docs] occurrences seen */
    uint32_t n_defects;
} checker;

static void TERN_PRINTF(3, 4) defect(checker *c, const tn_bfile *file, const char *fmt, ...) {
    char what[512], text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", tn_bfile_path(file), what);
    c->bad(c->ud, text);
    c->n_defects++;
}

static void count_block_defect(void *ud, const char *text) {
    checker *c = ud;
    c->bad(c->ud, text);
    c->n_defects++;
}

/* The block's maxima against its postings. */
static void check_maxima(checker *c, const tn_term *t, const tn_postings *list, uint32_t block,
                         const uint32_t *docs, const uint32_t *tfs) {
    uint32_t max_tf = 0, min_len = UINT32_MAX;
    for (uint32_t i = 0; i < TN_POSTINGS_BLOCK; i++) {
        if (tfs[i] > max_tf) max_tf = tfs[i];
        if (c->inv->lens[docs[i]] < min_len) min_len = c->inv->lens[docs[i]];
    }
    if (max_tf > TN_TF_SATURATED) max_tf = TN_TF_SATURATED;
    const tn_block_meta *m = &list->metas[block];
    if (m->max_tf != max_tf || m->min_len != min_len)
        defect(c, c->inv->postings, "term %u \"%.60s\", block %u: wrong block maxima", t->no,
               t->text, block);
}

/* true: the positions of one block can be read; *at moves behind them. */
static bool check_positions(checker *c, const tn_positions *p, uint32_t block, uint32_t n,
                            const uint32_t *docs, const uint32_t *tfs, const uint8_t **at) {
    if (n > 0 && tn_positions_block(p, block) != *at) return false;
    for (uint32_t i = 0; i < n; i++) {
        if (tfs[i] == 0 || !tn_positions_read(p, at, tfs[i], NULL)) return false;
        c->tokens[docs[i]] += tfs[i];
    }
    return true;
}

static tern_status check_list(checker *c, const tn_term *t, tern_error *err) {
    uint32_t docs[TN_POSTINGS_BLOCK], tfs[TN_POSTINGS_BLOCK], n;
    tn_postings list;
    tn_positions positions;
    tern_status st = tn_inv_postings(c->inv, t, &list, err);
    if (st == TERN_OK) st = tn_inv_positions(c->inv, t, &positions, err);
    const uint8_t *at = st == TERN_OK ? positions.data : NULL;
    for (uint32_t b = 0; st == TERN_OK && b <= list.n_blocks; b++) {
        if (tn_postings_decode(&list, b, docs, tfs, &n) != TERN_OK)
            return tn_inv_corrupt(c->inv, c->inv->postings, t, err);
        if (b < list.n_blocks) check_maxima(c, t, &list, b, docs, tfs);
        if (!check_positions(c, &positions, b, n, docs, tfs, &at))
            return tn_inv_corrupt(c->inv, c->inv->positions, t, err);
    }
    if (st == TERN_OK && at != positions.end)
        return tn_inv_corrupt(c->inv, c->inv->positions, t, err);
    return st;
}

/* A term against its predecessor's text, and the way back to it through the hash table. */
static tern_status check_entry(checker *c, const tn_term *t, const char *before, tern_error *err) {
    tn_term found;
    bool is_found;
    if (before && strcmp(before, t->text) >= 0)
        defect(c, c->inv->terms, "term %u \"%.60s\" is out of order", t->no, t->text);
    if (strlen(t->text) != t->len)
        defect(c, c->inv->terms, "term %u \"%.60s\" contains a NUL", t->no, t->text);
    tern_status st = tn_inv_find(c->inv, t->text, t->len, &is_found, &found, err);
    if (st == TERN_OK && (!is_found || found.no != t->no))
        defect(c, c->inv->terms, "term %u \"%.60s\" is not found by its hash", t->no, t->text);
    return st;
}

static tern_status check_terms(checker *c, tern_error *err) {
    const char *before = NULL;
    for (uint32_t no = 0; no < c->inv->head.n_terms && c->n_defects < DEFECTS_MAX; no++) {
        tn_term t;
        tern_error why;
        tern_status st = tn_inv_term(c->inv, no, &t, &why);
        if (st == TERN_OK) st = check_entry(c, &t, before, &why);
        if (st == TERN_OK) before = t.text;
        if (st == TERN_OK) st = check_list(c, &t, &why);
        if (st == TERN_ERR_CORRUPT)
            count_block_defect(c, why.text);
        else if (st != TERN_OK)
            return tern_fail(err, st, why.os_code, "%s", why.text);
    }
    return TERN_OK;
}

static void check_lengths(checker *c) {
    uint64_t sum = 0;
    for (uint32_t d = 0; d < c->inv->head.n_docs; d++) {
        sum += c->inv->lens[d];
        if (c->tokens[d] != c->inv->lens[d] && c->n_defects < DEFECTS_MAX)
            defect(c, c->inv->lengths,
                   "passage %u has length %u, its terms occur %" PRIu64 " times", d,
                   c->inv->lens[d], c->tokens[d]);
    }
    if (sum != c->inv->head.n_tokens)
        defect(c, c->inv->terms, "%" PRIu64 " tokens in the header, %" PRIu64 " in the lengths",
               c->inv->head.n_tokens, sum);
}

tern_status tn_inv_check(const tn_inv *inv, void (*bad)(void *ud, const char *text), void *ud,
                         tern_error *err) {
    checker c = {.inv = inv, .bad = bad, .ud = ud};
    const tn_bfile *files[] = {inv->terms, inv->postings, inv->positions, inv->lengths};
    tern_status st = TERN_OK;
    for (size_t i = 0; i < 4 && st == TERN_OK; i++)
        st = tn_bfile_check(files[i], count_block_defect, &c, err);
    if (st != TERN_OK || c.n_defects) return st; /* beyond a damaged block all would be noise */
    c.tokens = tn_calloc(inv->head.n_docs, sizeof *c.tokens);
    if (!c.tokens) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while checking");
    st = check_terms(&c, err);
    if (st == TERN_OK && c.n_defects == 0) check_lengths(&c);
    tn_free(c.tokens);
    return st;
}
