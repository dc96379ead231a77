/* reader_path.c - from what the question names to where the answer stands.
 *
 * A sentence leads to a passage shown when it says that passage's title, and a passage leads to all
 * its sentences, which are about its title. The path of a sentence is the best chain of sentences
 * that ends in it: the terms of the question said along it. A passage is entered once; where two
 * dated passages say the same of the question, no path leads through the older one. */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <string.h>

enum { HOPS = 3, PAGES_MAX = 64 };
#define KIN                                                                                        \
    0.7F /* share of a passage's terms of the question that makes a later one its update           \
          */

/* Does the range name the title? All its content terms occur there. */
static bool range_names(const tn_view *v, uint32_t from, uint32_t to, const tn_view *title) {
    uint32_t n = 0;
    size_t base = tn_title_base(title->text, title->len);
    for (uint32_t i = 0; i < title->n_words && title->words[i].end <= base; i++) {
        if (!tn_word_is_content(&title->words[i])) continue;
        bool found = false;
        for (uint32_t k = from; k < to && !found; k++)
            found = v->words[k].term == title->words[i].term;
        if (!found) return false;
        n++;
    }
    return n > 0;
}

/* A question that names a time, or an order, is not about what holds now. */
static bool asks_of_the_past(const tn_view *q) {
    static const char *const words[] = {"first",    "former", "formerly",   "previous", "original",
                                        "earliest", "oldest", "originally", "before",   NULL};
    for (uint32_t i = 0; i < q->n_words; i++)
        if (tn_word_in(q, i, words)) return true;
    return false;
}

void tn_mark_stale(const tn_episode *ep, const tn_evidence *a, bool *stale) {
    const tn_lens *l = a->lens;
    if (asks_of_the_past(&l->question)) return;
    for (size_t p = 0; p < l->n_reads; p++) {
        int64_t time = ep->shown[p].passage.time;
        uint64_t here = a->in_title[p] | a->in_text[p];
        for (size_t o = 0; o < l->n_reads && time != TERN_NO_TIME; o++) {
            int64_t later = ep->shown[o].passage.time;
            uint64_t both = here & (a->in_title[o] | a->in_text[o]);
            if (later == TERN_NO_TIME || later <= time || !both) continue;
            stale[p] |= tn_evidence_mass(a, both) >= KIN * tn_evidence_mass(a, here);
        }
    }
}

/* Words of the question that say the title; 0: not all its content words stand there in a row. */
static uint32_t title_said(const tn_view *q, const tn_view *title, uint32_t *at) {
    size_t base = tn_title_base(title->text, title->len);
    uint32_t n = 0, from = 0;
    while (n < title->n_words && title->words[n].end <= base) n++;
    while (from < n && !tn_word_is_content(&title->words[from])) from++;
    for (uint32_t i = 0; from < n && i + (n - from) <= q->n_words; i++) {
        uint32_t k = 0;
        while (k < n - from && q->words[i + k].term == title->words[from + k].term) k++;
        if (k < n - from) continue;
        *at = i;
        return k;
    }
    return 0;
}

tern_status tn_mark_named(tn_evidence *a, tern_error *err) {
    const tn_lens *l = a->lens;
    uint32_t *at = tn_arena_calloc(l->arena, l->n_reads + 1, sizeof *at);
    uint32_t *len = tn_arena_calloc(l->arena, l->n_reads + 1, sizeof *len);
    a->named = tn_arena_calloc(l->arena, l->n_reads + 1, sizeof *a->named);
    if (!at || !len || !a->named)
        return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
    for (size_t p = 0; p < l->n_reads; p++)
        len[p] = title_said(&l->question, &l->reads[p].title, &at[p]);
    for (size_t p = 0; p < l->n_reads; p++) {
        a->named[p] = len[p] > 0;
        for (size_t o = 0; o < l->n_reads; o++)
            if (len[o] > len[p] && at[o] <= at[p] && at[p] + len[p] <= at[o] + len[o])
                a->named[p] = false; /* "Soundings" where "Second Soundings" is asked about */
    }
    return TERN_OK;
}

/* The best way into a passage. */
typedef struct entry {
    uint64_t said, pages; /* terms; passages passed, itself included */
    float mass;
    uint32_t from_page, from_sentence;
} entry;

static void offer(const tn_evidence *a, entry *e, uint64_t said, uint64_t pages, uint32_t page,
                  uint32_t sentence) {
    float mass = tn_evidence_mass(a, said);
    if (mass <= e->mass) return;
    *e = (entry){said, pages, mass, page, sentence};
}

/* What sentence s of p has behind it: the way into p or into a passage the sentence names. */
static void sentence_path(const tn_evidence *a, const entry *in, uint32_t p, uint32_t s,
                          tn_path *out) {
    const tn_lens *l = a->lens;
    const tn_sentence_span *ss = &l->reads[p].text.sentences[s];
    uint64_t here = tn_evidence_in(a, &l->reads[p].text, ss->word_begin, ss->word_end);
    uint64_t self = (uint64_t)1 << p;
    *out = (tn_path){in[p].said | here, in[p].pages, in[p].from_page, in[p].from_sentence};
    float best = tn_evidence_mass(a, out->said);
    for (uint32_t o = 0; o < l->n_reads && o < PAGES_MAX; o++) {
        if (o == p || in[o].pages & self) continue;
        if (!range_names(&l->reads[p].text, ss->word_begin, ss->word_end, &l->reads[o].title))
            continue;
        float mass = tn_evidence_mass(a, in[o].said | here);
        if (mass <= best) continue;
        best = mass;
        *out =
            (tn_path){in[o].said | here, in[o].pages | self, in[o].from_page, in[o].from_sentence};
    }
}

/* The fullest path to what is asked, over passages that are not out of date. */
static void find_best(tn_evidence *a) {
    for (size_t p = 0; p < a->lens->n_reads; p++) {
        const tn_view *v = &a->lens->reads[p].text;
        for (uint32_t s = 0; s < v->n_sentences && !a->stale[p]; s++) {
            const tn_sentence_span *ss = &v->sentences[s];
            const tn_path *way = &a->paths[a->first_sentence[p] + s];
            float mass = tn_evidence_mass(a, way->said);
            if (mass <= a->best_path ||
                !(tn_evidence_in(a, v, ss->word_begin, ss->word_end) & a->asked))
                continue;
            a->best_path = mass;
            a->best_pages = way->pages;
        }
    }
}

/* One more passage on every path: what the sentences of the passages entered lead to. */
static void extend(const tn_evidence *a, const entry *in, entry *next, uint32_t n) {
    memcpy(next, in, n * sizeof *in);
    for (uint32_t p = 0; p < n; p++) {
        const tn_view *v = &a->lens->reads[p].text;
        for (uint32_t s = 0; s < v->n_sentences && !a->stale[p]; s++) {
            const tn_sentence_span *ss = &v->sentences[s];
            const tn_path *way = &a->paths[a->first_sentence[p] + s];
            for (uint32_t o = 0; o < n; o++) {
                if (way->pages >> o & 1 ||
                    !range_names(v, ss->word_begin, ss->word_end, &a->lens->reads[o].title))
                    continue;
                offer(a, &next[o], way->said | a->in_title[o], way->pages | (uint64_t)1 << o, p, s);
            }
        }
    }
}

tern_status tn_paths_walk(tn_evidence *a, tern_error *err) {
    const tn_lens *l = a->lens;
    uint32_t n = l->n_reads < PAGES_MAX ? (uint32_t)l->n_reads : PAGES_MAX, n_sentences = 0;
    a->first_sentence = tn_arena_calloc(l->arena, l->n_reads + 1, sizeof *a->first_sentence);
    if (!a->first_sentence) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
    for (size_t p = 0; p < l->n_reads; p++) {
        a->first_sentence[p] = n_sentences;
        n_sentences += l->reads[p].text.n_sentences;
    }
    a->paths = tn_arena_calloc(l->arena, n_sentences + 1, sizeof *a->paths);
    if (!a->paths) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
    for (uint32_t i = 0; i < n_sentences; i++) a->paths[i].from_sentence = UINT32_MAX;
    entry in[PAGES_MAX];
    for (uint32_t p = 0; p < n; p++) {
        uint64_t said = a->named[p] ? a->in_title[p] : 0;
        in[p] = (entry){said, (uint64_t)1 << p, tn_evidence_mass(a, said), p, UINT32_MAX};
    }
    for (int hop = 0;; hop++) {
        for (uint32_t p = 0; p < n; p++)
            for (uint32_t s = 0; s < l->reads[p].text.n_sentences; s++)
                sentence_path(a, in, p, s, &a->paths[a->first_sentence[p] + s]);
        if (hop == HOPS) break;
        entry next[PAGES_MAX];
        extend(a, in, next, n);
        memcpy(in, next, n * sizeof *in);
    }
    find_best(a);
    return TERN_OK;
}
