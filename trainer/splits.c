/* splits.c - see splits.h. */
#include "trainer/splits.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for question splits");
}

typedef struct ranked {
    uint64_t hash;
    const char *id;
    size_t at;
} ranked;

static int by_hash(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return strcmp(x->id, y->id);
}

tern_status tn_split_held_out(const tern_questions *questions, size_t n_held, bool *held,
                              tern_error *err) {
    ranked *r = tn_calloc(questions->n + 1, sizeof *r);
    if (!r) return no_memory(err);
    for (size_t i = 0; i < questions->n; i++) {
        const char *id = questions->items[i].id;
        r[i] = (ranked){XXH3_64bits(id, strlen(id)), id, i};
        held[i] = false;
    }
    qsort(r, questions->n, sizeof *r, by_hash);
    for (size_t i = 0; i < n_held && i < questions->n; i++) held[r[i].at] = true;
    tn_free(r);
    return TERN_OK;
}

/* --- overlaps --- */

typedef struct grams {
    tn_strmap known;
    size_t *owner; /* [known.n] question that brought it first */
    size_t cap;
    tn_buf words;   /* folded, one space between */
    size_t *starts; /* of the words in the buffer */
    size_t n_words, starts_cap;
} grams;

static void grams_deinit(grams *g) {
    tn_strmap_deinit(&g->known);
    tn_free(g->owner);
    tn_buf_deinit(&g->words);
    tn_free(g->starts);
}

static bool is_word_byte(unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static tern_status cut(grams *g, const char *text, tern_error *err) {
    tn_buf folded = {0};
    bool failed = false;
    tn_buf_reset(&g->words);
    g->n_words = 0;
    tn_text_fold(text, strlen(text), &folded);
    for (size_t i = 0; i < folded.len && !failed;) {
        while (i < folded.len && !is_word_byte((unsigned char)folded.data[i])) i++;
        if (i == folded.len) break;
        failed = TN_GROW(g->starts, g->starts_cap, g->n_words + 1) != 0;
        if (failed) break;
        if (g->words.len) tn_buf_char(&g->words, ' ');
        g->starts[g->n_words++] = g->words.len;
        while (i < folded.len && is_word_byte((unsigned char)folded.data[i]))
            tn_buf_char(&g->words, folded.data[i++]);
    }
    failed |= folded.failed || g->words.failed;
    tn_buf_deinit(&folded);
    return failed ? no_memory(err) : TERN_OK;
}

/* Gram number i of the text that was cut: n words, or all of a shorter text. */
static const char *gram(const grams *g, size_t i, size_t n, size_t *len) {
    size_t last = i + n, end = last < g->n_words ? g->starts[last] - 1 : g->words.len;
    *len = end - g->starts[i];
    return g->words.data + g->starts[i];
}

static size_t n_grams(const grams *g, size_t n) {
    return g->n_words == 0 ? 0 : g->n_words <= n ? 1 : g->n_words - n + 1;
}

tern_status tn_leaks_find(const tern_questions *train, const tern_questions *tests, size_t n_words,
                          tn_leaks *out, tern_error *err) {
    grams g = {0};
    size_t len;
    *out = (tn_leaks){0};
    tern_status st = TERN_OK;
    for (size_t q = 0; q < train->n && st == TERN_OK; q++) {
        st = cut(&g, train->items[q].text, err);
        for (size_t i = 0; st == TERN_OK && i < n_grams(&g, n_words); i++) {
            const char *s = gram(&g, i, n_words, &len);
            uint32_t n_before = g.known.n, id = TN_STRMAP_NONE;
            if (TN_GROW(g.owner, g.cap, (size_t)n_before + 1) == 0)
                id = tn_strmap_add(&g.known, s, len);
            if (id == TN_STRMAP_NONE)
                st = no_memory(err);
            else if (id == n_before)
                g.owner[id] = q;
        }
    }
    for (size_t q = 0; q < tests->n && st == TERN_OK; q++) {
        st = cut(&g, tests->items[q].text, err);
        for (size_t i = 0; st == TERN_OK && i < n_grams(&g, n_words); i++) {
            const char *s = gram(&g, i, n_words, &len);
            uint32_t id = tn_strmap_find(&g.known, s, len);
            if (id == TN_STRMAP_NONE) continue;
            if (out->n++ == 0) {
                out->train = &train->items[g.owner[id]];
                out->test = &tests->items[q];
            }
            break;
        }
    }
    grams_deinit(&g);
    return st;
}
