/* questions.c - see questions.h. Facts and links of each passage -> candidate questions -> round
 * trip through the index. */
#include "trainer/questions.h"
#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include "tern/search.h"
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/mem.h"

enum { FACTS_MAX = 12, LINKS_MAX = 24, LINKED_MAX = 3, TITLE_WORDS_MAX = 8, TITLE_BYTES_MAX = 80 };

typedef struct item {
    const char *question, *answer; /* in the arena */
    uint32_t supporting[2];        /* refs; the second TN_NONE for one hop */
    const char *kind;
    uint64_t hash;
} item;
#define TN_NONE UINT32_MAX

typedef struct maker {
    const tern_index *ix;
    const tn_question_opts *opts;
    tn_question_report *report;
    tn_arena arena;
    tn_strmap titles;     /* folded, without bracketed ending */
    uint32_t *title_refs; /* [titles.n]; TN_NONE: two documents share it */
    size_t title_refs_cap;
    tn_strmap seen; /* folded questions */
    item *items;
    size_t n_items, items_cap;
    uint64_t n_from_passage; /* of the passage at work */
    uint8_t *n_as_link;      /* [refs]: questions asked about a passage because it was named */
    tn_buf q, noun, folded;
} maker;

tn_question_opts tn_question_defaults(void) {
    return (tn_question_opts){.n = 0, .top_k = 10, .per_passage = 4};
}

static tern_status no_memory(tern_error *err) {
    return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for questions");
}

/* --- titles ----------------------------------------------------------------------------------- */

static size_t base_len(const char *title) {
    const char *paren = strstr(title, " (");
    return paren ? (size_t)(paren - title) : strlen(title);
}

/* Can the title be found by name in other texts? "America (magazine)" cannot: without its bracket
 * it is another thing's name. */
static bool is_unambiguous(const char *title) {
    return strstr(title, " (") == NULL;
}

/* A title that names something: not long, and with a capital somewhere. */
static bool is_name(const char *title) {
    size_t n = base_len(title);
    bool capital = false;
    for (size_t i = 0; i < n; i++)
        capital |= (title[i] >= 'A' && title[i] <= 'Z') || (title[i] & 0x80);
    return n > 2 && n <= TITLE_BYTES_MAX && capital && !memchr(title, '\n', n);
}

static const char *fold(maker *m, const char *s, size_t len) {
    tn_buf_reset(&m->folded);
    tn_text_fold(s, len, &m->folded);
    return tn_buf_cstr(&m->folded);
}

static tern_status learn_titles(maker *m, tern_error *err) {
    for (uint32_t ref = 0; ref < tern_index_n_refs(m->ix); ref++) {
        tern_passage p;
        tern_status st = tern_index_passage(m->ix, ref, &p, err);
        if (st != TERN_OK) return st;
        if (!is_name(p.title) || !is_unambiguous(p.title)) continue;
        const char *key = fold(m, p.title, base_len(p.title));
        uint32_t n_before = m->titles.n, id = TN_STRMAP_NONE;
        if (!m->folded.failed && TN_GROW(m->title_refs, m->title_refs_cap, n_before + 1u) == 0)
            id = tn_strmap_add(&m->titles, key, m->folded.len);
        if (id == TN_STRMAP_NONE) return no_memory(err);
        if (id == n_before) {
            m->title_refs[id] = ref;
        } else if (m->title_refs[id] != TN_NONE) {
            tern_passage first;
            st = tern_index_passage(m->ix, m->title_refs[id], &first, err);
            if (st != TERN_OK) return st;
            if (strcmp(first.doc_id, p.doc_id) != 0) m->title_refs[id] = TN_NONE;
        }
    }
    return TERN_OK;
}

static uint32_t find_title(maker *m, const char *s, size_t len) {
    const char *key = fold(m, s, len);
    uint32_t id = tn_strmap_find(&m->titles, key, m->folded.len);
    return id == TN_STRMAP_NONE ? TN_NONE : m->title_refs[id];
}

/* --- making one question ---------------------------------------------------------------------- */

static void put_wording(tn_buf *out, const char *wording, const char *name, size_t len) {
    const char *hole = strstr(wording, "%s");
    tn_buf_add(out, wording, (size_t)(hole - wording));
    tn_buf_add(out, name, len);
    tn_buf_str(out, hole + 2);
}

/* Take the question in m->q. An answer that the question gives away is no question. */
static tern_status keep(maker *m, const char *kind, const char *answer, size_t answer_len,
                        uint32_t first, uint32_t second, tern_error *err) {
    if (m->q.failed || m->noun.failed) return no_memory(err);
    if (m->n_from_passage >= m->opts->per_passage) return TERN_OK;
    if (memmem(m->q.data, m->q.len, answer, answer_len)) return TERN_OK;
    m->report->n_made++;
    const char *key = fold(m, m->q.data, m->q.len);
    uint32_t n_before = m->seen.n;
    if (m->folded.failed || tn_strmap_add(&m->seen, key, m->folded.len) == TN_STRMAP_NONE)
        return no_memory(err);
    if (m->seen.n == n_before) {
        m->report->n_duplicates++;
        return TERN_OK;
    }
    if (TN_GROW(m->items, m->items_cap, m->n_items + 1) != 0) return no_memory(err);
    item *it = &m->items[m->n_items++];
    *it = (item){.question = tn_arena_strndup(&m->arena, m->q.data, m->q.len),
                 .answer = tn_arena_strndup(&m->arena, answer, answer_len),
                 .supporting = {first, second},
                 .kind = kind,
                 .hash = XXH3_64bits(m->q.data, m->q.len)};
    m->n_from_passage++;
    return it->question && it->answer ? TERN_OK : no_memory(err);
}

typedef struct side { /* a passage with what it says of its title */
    tern_passage p;
    uint32_t ref;
    size_t title_len;
    tn_text class;
    tn_fact facts[FACTS_MAX];
    size_t n_facts;
} side;

static tern_status read_side(const maker *m, uint32_t ref, side *s, tern_error *err) {
    s->ref = ref;
    tern_status st = tern_index_passage(m->ix, ref, &s->p, err);
    if (st != TERN_OK) return st;
    s->title_len = base_len(s->p.title);
    s->class = tn_class_find(s->p.title, s->p.text);
    s->n_facts = tn_facts_find(s->p.title, s->p.text, s->facts, FACTS_MAX);
    return TERN_OK;
}

/* "Who founded A?" and "Which town was founded by X?" */
static tern_status one_hop(maker *m, const side *a, const tn_fact *f, tern_error *err) {
    const tn_relation *r = &tn_relations[f->relation];
    tn_buf_reset(&m->q);
    put_wording(&m->q, r->ask, a->p.title, a->title_len);
    tern_status st = keep(m, "attribute", f->object.s, f->object.len, a->ref, TN_NONE, err);
    if (st != TERN_OK || !r->inverse || a->class.len == 0) return st;
    tn_buf_reset(&m->q);
    tn_buf_str(&m->q, "Which ");
    tn_buf_add(&m->q, a->class.s, a->class.len);
    tn_buf_printf(&m->q, " %s %.*s?", r->inverse, (int)f->object.len, f->object.s);
    return keep(m, "subject", a->p.title, a->title_len, a->ref, TN_NONE, err);
}

/* "Where was the founder of A born?" and "Which town was founded by the baker who was born in C?"
 */
static tern_status two_hops(maker *m, const side *a, const tn_fact *f, const side *b,
                            tern_error *err) {
    const tn_relation *r = &tn_relations[f->relation];
    tern_status st = TERN_OK;
    tn_buf_reset(&m->noun);
    put_wording(&m->noun, r->noun, a->p.title, a->title_len);
    for (size_t i = 0; i < b->n_facts && st == TERN_OK; i++) {
        const tn_fact *g = &b->facts[i];
        const tn_relation *r2 = &tn_relations[g->relation];
        tn_buf_reset(&m->q);
        put_wording(&m->q, r2->ask, tn_buf_cstr(&m->noun), m->noun.len);
        st = keep(m, "chain", g->object.s, g->object.len, a->ref, b->ref, err);
        if (st != TERN_OK || !r->inverse || !r2->inverse || !a->class.len || !b->class.len)
            continue;
        tn_buf_reset(&m->q);
        tn_buf_printf(&m->q, "Which %.*s %s the %.*s %s %s %.*s?", (int)a->class.len, a->class.s,
                      r->inverse, (int)b->class.len, b->class.s,
                      r->object == TN_KIND_PERSON ? "who" : "that", r2->inverse, (int)g->object.len,
                      g->object.s);
        st = keep(m, "bridge", a->p.title, a->title_len, a->ref, b->ref, err);
    }
    return st;
}

/* "Where was the English novelist named in the account of A born?", when A names only one. */
static tern_status linked(maker *m, const side *a, const side *b, tern_error *err) {
    tern_status st = TERN_OK;
    tn_buf_reset(&m->noun);
    tn_buf_printf(&m->noun, "the %.*s named in the account of %.*s", (int)b->class.len, b->class.s,
                  (int)a->title_len, a->p.title);
    for (size_t i = 0; i < b->n_facts && st == TERN_OK; i++) {
        const tn_fact *g = &b->facts[i];
        tn_buf_reset(&m->q);
        put_wording(&m->q, tn_relations[g->relation].ask, tn_buf_cstr(&m->noun), m->noun.len);
        st = keep(m, "link", g->object.s, g->object.len, a->ref, b->ref, err);
    }
    return st;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80);
}

/* The titles that the text names, longest first at each place; refs[cap] out. */
static size_t find_links(maker *m, const tern_passage *p, uint32_t self, uint32_t *refs,
                         size_t cap) {
    size_t n = 0;
    for (size_t i = 0; i < p->text_len && n < cap;) {
        bool begins = i == 0 || !is_word_byte(p->text[i - 1]);
        bool capital = (p->text[i] >= 'A' && p->text[i] <= 'Z') || (p->text[i] & 0x80);
        size_t ends[TITLE_WORDS_MAX], n_words = 0, e = i, step = 1;
        while (begins && capital && n_words < TITLE_WORDS_MAX && e < p->text_len) {
            while (e < p->text_len && is_word_byte(p->text[e])) e++;
            ends[n_words++] = e;
            if (e >= p->text_len || (p->text[e] != ' ' && p->text[e] != '-')) break;
            e++;
        }
        /* one capitalised word at the start of a sentence may be any word */
        bool starts = i < 2 || strchr(".!?\n\"", p->text[i - 2]) || p->text[i - 1] == '\n';
        for (; n_words > (starts ? 1 : 0); n_words--) {
            uint32_t ref = find_title(m, p->text + i, ends[n_words - 1] - i);
            if (ref == TN_NONE) continue;
            step = ends[n_words - 1] - i;
            bool known = ref == self;
            for (size_t k = 0; k < n; k++) known |= refs[k] == ref;
            if (!known) refs[n++] = ref;
            break;
        }
        i += step;
    }
    return n;
}

static bool same_class(tn_text a, tn_text b) {
    return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static tern_status from_links(maker *m, const side *a, tern_error *err) {
    uint32_t refs[LINKS_MAX];
    tn_text classes[LINKS_MAX];
    side b;
    size_t n = find_links(m, &a->p, a->ref, refs, LINKS_MAX);
    m->report->n_links += n;
    tern_status st = TERN_OK;
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        st = read_side(m, refs[i], &b, err);
        classes[i] = b.class;
    }
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        bool only = classes[i].len > 0;
        for (size_t k = 0; k < n; k++) only &= k == i || !same_class(classes[i], classes[k]);
        if (!only || m->n_as_link[refs[i]] >= LINKED_MAX) continue;
        m->n_as_link[refs[i]]++;
        st = read_side(m, refs[i], &b, err);
        if (st == TERN_OK) st = linked(m, a, &b, err);
    }
    return st;
}

static tern_status from_passage(maker *m, uint32_t ref, tern_error *err) {
    side a, b;
    tern_status st = read_side(m, ref, &a, err);
    if (st != TERN_OK || !is_name(a.p.title)) return st;
    m->report->n_passages++;
    m->report->n_facts += a.n_facts;
    m->n_from_passage = 0;
    for (size_t i = 0; i < a.n_facts && st == TERN_OK; i++) {
        tn_text object = a.facts[i].object;
        uint32_t other = find_title(m, object.s, object.len);
        if (other == TN_NONE || other == ref) continue;
        st = read_side(m, other, &b, err);
        if (st == TERN_OK) st = two_hops(m, &a, &a.facts[i], &b, err);
    }
    if (st == TERN_OK) st = from_links(m, &a, err);
    for (size_t i = 0; i < a.n_facts && st == TERN_OK; i++) st = one_hop(m, &a, &a.facts[i], err);
    return st;
}

/* --- round trip ------------------------------------------------------------------------------- */

static int two_hops_first(const void *x, const void *y) {
    const item *a = x, *b = y;
    bool two_a = a->supporting[1] != TN_NONE, two_b = b->supporting[1] != TN_NONE;
    if (two_a != two_b) return two_a ? -1 : 1;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return strcmp(a->question, b->question);
}

static tern_status comes_back(const maker *m, tern_searcher *s, tern_hit *hits, const item *it,
                              bool *yes, tern_error *err) {
    tern_search_opts o = tern_search_defaults();
    size_t n = 0;
    o.mode = TERN_MODE_BM25;
    o.k = m->opts->top_k;
    *yes = false;
    tern_status st = tern_search(s, it->question, strlen(it->question), &o, hits, &n, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++)
        *yes |= hits[i].ref == it->supporting[0] || hits[i].ref == it->supporting[1];
    return st;
}

static tern_status put_item(const maker *m, const item *it, tn_buf *out, tern_error *err) {
    tn_buf_printf(out, "{\"id\":\"q%016llx\",\"question\":", (unsigned long long)it->hash);
    tn_json_escape(it->question, strlen(it->question), out);
    tn_buf_str(out, ",\"answers\":[");
    tn_json_escape(it->answer, strlen(it->answer), out);
    tn_buf_str(out, "],\"supporting\":[");
    for (int i = 0; i < 2 && it->supporting[i] != TN_NONE; i++) {
        tern_passage p;
        tern_status st = tern_index_passage(m->ix, it->supporting[i], &p, err);
        if (st != TERN_OK) return st;
        if (i) tn_buf_char(out, ',');
        tn_json_escape(p.id, strlen(p.id), out);
    }
    tn_buf_printf(out, "],\"kind\":\"%s\"}\n", it->kind);
    return TERN_OK;
}

static tern_status check_host(const tern_host *host, const char *what, uint64_t done,
                              uint64_t total, tern_error *err) {
    if (!host) return TERN_OK;
    tern_progress p = {.what = what, .unit = "questions", .done = done, .total = total};
    if (host->progress) host->progress(host->ud, &p);
    if (host->cancelled && host->cancelled(host->ud))
        return tern_fail(err, TERN_ERR_CANCELLED, 0, "cancelled");
    return TERN_OK;
}

static tern_status filter(maker *m, const tern_host *host, tn_buf *out, tern_error *err) {
    tern_searcher *s = NULL;
    tern_hit *hits = tn_calloc(m->opts->top_k + 1u, sizeof *hits);
    tern_status st = hits ? tern_searcher_new(m->ix, &s, err) : no_memory(err);
    uint64_t wanted = m->opts->n ? m->opts->n : UINT64_MAX, n = 0;
    for (size_t i = 0; i < m->n_items && n < wanted && st == TERN_OK; i++) {
        const item *it = &m->items[i];
        bool yes = false;
        if (i % 64 == 0) st = check_host(host, "asking", i, m->n_items, err);
        if (st == TERN_OK) st = comes_back(m, s, hits, it, &yes, err);
        m->report->n_lost += st == TERN_OK && !yes;
        if (st != TERN_OK || !yes) continue;
        n++;
        *(it->supporting[1] == TN_NONE ? &m->report->n_one_hop : &m->report->n_two_hop) += 1;
        st = put_item(m, it, out, err);
    }
    tern_searcher_free(s);
    tn_free(hits);
    return st == TERN_OK ? tn_buf_status(out, err) : st;
}

tern_status tn_questions_make(const tern_index *ix, const tn_question_opts *opts,
                              const tern_host *host, tn_buf *out, tn_question_report *report,
                              tern_error *err) {
    *report = (tn_question_report){0};
    maker m = {.ix = ix, .opts = opts, .report = report};
    uint32_t n_refs = tern_index_n_refs(ix);
    m.n_as_link = tn_calloc(n_refs + 1u, 1);
    tern_status st = m.n_as_link ? learn_titles(&m, err) : no_memory(err);
    for (uint32_t ref = 0; ref < n_refs && st == TERN_OK; ref++) {
        st = from_passage(&m, ref, err);
        if (st == TERN_OK && ref % 256 == 0) st = check_host(host, "reading", ref, n_refs, err);
    }
    if (st == TERN_OK && m.n_items) qsort(m.items, m.n_items, sizeof *m.items, two_hops_first);
    if (st == TERN_OK) st = filter(&m, host, out, err);
    tn_arena_deinit(&m.arena);
    tn_strmap_deinit(&m.titles);
    tn_strmap_deinit(&m.seen);
    tn_free(m.title_refs);
    tn_free(m.items);
    tn_free(m.n_as_link);
    tn_buf_deinit(&m.q);
    tn_buf_deinit(&m.noun);
    tn_buf_deinit(&m.folded);
    return st;
}
