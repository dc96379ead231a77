/* mask.c - see mask.h. A text is cut into words once; rules mark words with a type, then marked
 * neighbours become spans. Words are compared folded, so case and accents' encodings do not matter.
 */
#include "trainer/mask.h"
#include "core/base/mem.h"
#include "core/base/strmap.h"
#include "core/base/text.h"
#include <string.h>

enum { WORDS_MAX = TN_MASK_SPANS_MAX, TITLE_WORDS_MAX = 10 };

struct tn_masker {
    tn_strmap titles; /* folded words joined by one space */
    uint8_t *types;   /* [titles.n] tn_tag */
    size_t types_cap;
};

typedef struct word {
    uint32_t begin, end;   /* bytes of the text */
    uint32_t fold, n_fold; /* range in the folded buffer */
    bool capital, has_digit, starts_sentence, quoted;
    uint8_t mark; /* tn_tag */
} word;

typedef struct words {
    word w[WORDS_MAX];
    size_t n;
    tn_buf folded;
} words;

const char *tn_tag_name(tn_tag e) {
    static const char *const names[] = {"", "PER", "ORG", "LOC", "MISC", "DATE", "NUM", "ENT"};
    return names[e];
}

/* --- words --- */

static bool is_word_byte(unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A capital letter opens s: ASCII, or a code point that folding changes (Latin, Greek, Cyrillic).
 */
static bool opens_with_capital(const char *s, const char *folded, size_t n_folded) {
    if (!((unsigned char)*s & 0x80)) return *s >= 'A' && *s <= 'Z';
    return n_folded >= 2 && memcmp(s, folded, 2) != 0;
}

static void add_word(words *ws, const char *text, size_t begin, size_t end, bool starts,
                     bool quoted) {
    if (ws->n == WORDS_MAX) return;
    word w = {.begin = (uint32_t)begin,
              .end = (uint32_t)end,
              .fold = (uint32_t)ws->folded.len,
              .starts_sentence = starts,
              .quoted = quoted};
    tn_text_fold(text + begin, end - begin, &ws->folded);
    if (ws->folded.failed) return;
    w.n_fold = (uint32_t)ws->folded.len - w.fold;
    w.capital = opens_with_capital(text + begin, ws->folded.data + w.fold, w.n_fold);
    for (size_t i = begin; i < end; i++) w.has_digit |= text[i] >= '0' && text[i] <= '9';
    ws->w[ws->n++] = w;
}

static void cut_words(words *ws, const char *text, size_t len) {
    bool starts = true, quoted = false;
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        if (!is_word_byte(c)) {
            if (c == '"') quoted = !quoted;
            if (c == '.' || c == '?' || c == '!' || c == ':') starts = true;
            i++;
            continue;
        }
        size_t begin = i;
        while (i < len) { /* inner apostrophes, hyphens and dots of figures belong to the word */
            if (is_word_byte((unsigned char)text[i]))
                i++;
            else if (i + 1 < len && strchr("'-.,", text[i]) &&
                     is_word_byte((unsigned char)text[i + 1]) &&
                     (text[i] == '-' || text[i] == '\'' ||
                      (text[i - 1] >= '0' && text[i - 1] <= '9' && text[i + 1] >= '0' &&
                       text[i + 1] <= '9')))
                i++;
            else
                break;
        }
        size_t end = i;
        if (end - begin > 2 && text[end - 2] == '\'' && text[end - 1] == 's') end -= 2;
        add_word(ws, text, begin, end, starts, quoted);
        starts = false;
    }
}

static bool word_is(const words *ws, const word *w, const char *s) {
    return w->n_fold == strlen(s) && memcmp(ws->folded.data + w->fold, s, w->n_fold) == 0;
}

static bool word_in(const words *ws, const word *w, const char *const *list) {
    for (; *list; list++)
        if (word_is(ws, w, *list)) return true;
    return false;
}

static const char *const small_words[] = {
    "a",     "an",   "the", "of",   "in",   "on",   "at",   "to",    "for",  "by",    "with",
    "from",  "and",  "or",  "as",   "is",   "are",  "was",  "were",  "be",   "been",  "did",
    "do",    "does", "has", "had",  "have", "who",  "whom", "whose", "what", "which", "where",
    "when",  "why",  "how", "that", "this", "it",   "its",  "he",    "she",  "his",   "her",
    "their", "they", "not", "also", "into", "than", "both", NULL};
static const char *const joiners[] = {"of",  "the", "and", "de", "da", "la", "le", "van",
                                      "von", "der", "for", "in", "at", "on", NULL};
/* "one" is left out: it is a pronoun too often. */
static const char *const number_words[] = {
    "first",  "second", "third",    "fourth",  "fifth",    "sixth",   "seventh", "eighth",
    "ninth",  "tenth",  "eleventh", "twelfth", "two",      "three",   "four",    "five",
    "six",    "seven",  "eight",    "nine",    "ten",      "eleven",  "twelve",  "twenty",
    "thirty", "forty",  "fifty",    "hundred", "thousand", "million", "billion", NULL};
static const char *const months[] = {"january",  "february", "march",  "april",     "may",
                                     "june",     "july",     "august", "september", "october",
                                     "november", "december", NULL};

/* --- types by cue --- */

static const struct cue {
    const char *part;
    tn_tag type;
} cues[] = {
    {"(born", TN_TAG_PER},         {" was born", TN_TAG_PER},     {" actor", TN_TAG_PER},
    {" actress", TN_TAG_PER},      {" singer", TN_TAG_PER},       {" politician", TN_TAG_PER},
    {" footballer", TN_TAG_PER},   {" writer", TN_TAG_PER},       {" player", TN_TAG_PER},
    {" director", TN_TAG_PER},     {" journalist", TN_TAG_PER},   {" explorer", TN_TAG_PER},
    {" city", TN_TAG_LOC},         {" town", TN_TAG_LOC},         {" village", TN_TAG_LOC},
    {" river", TN_TAG_LOC},        {" county", TN_TAG_LOC},       {" country", TN_TAG_LOC},
    {" district", TN_TAG_LOC},     {" island", TN_TAG_LOC},       {" mountain", TN_TAG_LOC},
    {" region", TN_TAG_LOC},       {" municipality", TN_TAG_LOC}, {" state ", TN_TAG_LOC},
    {" company", TN_TAG_ORG},      {" band", TN_TAG_ORG},         {" organization", TN_TAG_ORG},
    {" organisation", TN_TAG_ORG}, {" university", TN_TAG_ORG},   {" college", TN_TAG_ORG},
    {" club", TN_TAG_ORG},         {" team", TN_TAG_ORG},         {" party", TN_TAG_ORG},
    {" agency", TN_TAG_ORG},       {" corporation", TN_TAG_ORG},  {" school", TN_TAG_ORG},
};

/* The type whose cue comes first in the opening sentence; MISC if none does. */
static tn_tag type_from_opening(const char *text) {
    size_t n = strlen(text);
    if (n > 240) n = tn_utf8_floor(text, n, 240);
    size_t best = n;
    tn_tag type = TN_TAG_MISC;
    for (size_t c = 0; c < sizeof cues / sizeof *cues; c++) {
        const char *hit = n ? memmem(text, n, cues[c].part, strlen(cues[c].part)) : NULL;
        if (hit && (size_t)(hit - text) < best) {
            best = (size_t)(hit - text);
            type = cues[c].type;
        }
    }
    return type;
}

/* --- building --- */

tern_status tn_masker_new(tn_masker **out, tern_error *err) {
    *out = tn_calloc(1, sizeof **out);
    return *out ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
}

void tn_masker_free(tn_masker *m) {
    if (!m) return;
    tn_strmap_deinit(&m->titles);
    tn_free(m->types);
    tn_free(m);
}

static void join_words(const words *ws, size_t from, size_t n, tn_buf *key) {
    tn_buf_reset(key);
    for (size_t i = from; i < from + n; i++) {
        if (i > from) tn_buf_char(key, ' ');
        tn_buf_add(key, ws->folded.data + ws->w[i].fold, ws->w[i].n_fold);
    }
}

tern_status tn_masker_add_title(tn_masker *m, const char *title, const char *text,
                                tern_error *err) {
    size_t len = strlen(title);
    const char *paren = strstr(title, " ("); /* "Amager (island)" is found as "Amager" */
    if (paren) len = (size_t)(paren - title);
    words *ws = tn_calloc(1, sizeof *ws);
    tn_buf key = {0};
    tern_status st = TERN_OK;
    if (!ws) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    cut_words(ws, title, len);
    bool names_something =
        ws->n > 1 || (ws->n == 1 && ws->w[0].n_fold > 2 && !word_in(ws, &ws->w[0], small_words));
    if (names_something && ws->n <= TITLE_WORDS_MAX) {
        join_words(ws, 0, ws->n, &key);
        uint32_t id = TN_STRMAP_NONE;
        if (!ws->folded.failed && !key.failed &&
            TN_GROW(m->types, m->types_cap, m->titles.n + 1) == 0) {
            uint32_t n_before = m->titles.n;
            id = tn_strmap_add(&m->titles, key.data, key.len);
            if (id != TN_STRMAP_NONE && m->titles.n > n_before)
                m->types[id] = (uint8_t)type_from_opening(text);
        }
        if (id == TN_STRMAP_NONE) st = tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    }
    tn_buf_deinit(&key);
    tn_buf_deinit(&ws->folded);
    tn_free(ws);
    return st;
}

tern_status tn_masker_add_index(tn_masker *m, const tern_index *ix, tern_error *err) {
    for (uint32_t ref = 0; ref < tern_index_n_refs(ix); ref++) {
        tern_passage p;
        tern_status st = tern_index_passage(ix, ref, &p, err);
        if (st == TERN_OK && p.title[0]) st = tn_masker_add_title(m, p.title, p.text, err);
        if (st != TERN_OK) return st;
    }
    return TERN_OK;
}

/* --- marking --- */

static void mark_titles(const tn_masker *m, words *ws, tn_buf *key) {
    for (size_t i = 0; i < ws->n;) {
        size_t longest = ws->n - i < TITLE_WORDS_MAX ? ws->n - i : TITLE_WORDS_MAX, n;
        for (n = longest; n > 0; n--) {
            /* One lower-case word is too often a common noun that happens to be a title. */
            if (n == 1 && !ws->w[i].capital) continue;
            if (n == 1 && word_in(ws, &ws->w[i], small_words)) continue;
            join_words(ws, i, n, key);
            if (key->failed) return;
            uint32_t id = tn_strmap_find(&m->titles, key->data, key->len);
            if (id == TN_STRMAP_NONE) continue;
            for (size_t k = i; k < i + n; k++) ws->w[k].mark = m->types[id];
            break;
        }
        i += n ? n : 1;
    }
}

static void mark_capitals(words *ws) {
    for (size_t i = 0; i < ws->n; i++) {
        word *w = &ws->w[i];
        if (w->mark || !w->capital || word_in(ws, w, small_words)) continue;
        bool next_capital = i + 1 < ws->n && ws->w[i + 1].capital;
        if (w->starts_sentence && !next_capital && ws->n > 1)
            continue; /* could be any first word */
        w->mark = TN_TAG_MISC;
        /* "University of Oslo", "Lord of the Rings": joiners between capitals belong to the name.
         */
        for (size_t j = i + 1; j < ws->n && j <= i + 2 && word_in(ws, &ws->w[j], joiners); j++)
            if (j + 1 < ws->n && ws->w[j + 1].capital && !ws->w[j + 1].mark)
                for (size_t k = i + 1; k <= j + 1; k++) ws->w[k].mark = TN_TAG_MISC;
    }
}

static void mark_figures_and_quotes(words *ws) {
    for (size_t i = 0; i < ws->n; i++) {
        word *w = &ws->w[i];
        if (w->mark) continue;
        bool near_digit =
            (i > 0 && ws->w[i - 1].has_digit) || (i + 1 < ws->n && ws->w[i + 1].has_digit);
        if (word_in(ws, w, months) && (w->capital || near_digit))
            w->mark = TN_TAG_DATE;
        else if (w->has_digit)
            w->mark = w->n_fold == 4 && w->end - w->begin == 4 ? TN_TAG_DATE : TN_TAG_NUM;
        else if (word_in(ws, w, number_words))
            w->mark = TN_TAG_NUM;
        else if (w->quoted)
            w->mark = TN_TAG_MISC;
    }
}

static bool occurs_in(const words *hay, const words *needle, size_t from, size_t n) {
    for (size_t i = 0; i + n <= hay->n; i++) {
        size_t k = 0;
        while (k < n) {
            const word *a = &hay->w[i + k], *b = &needle->w[from + k];
            if (a->n_fold != b->n_fold ||
                memcmp(hay->folded.data + a->fold, needle->folded.data + b->fold, a->n_fold) != 0)
                break;
            k++;
        }
        if (k == n) return true;
    }
    return false;
}

static void mark_backstop(words *ws, const words *question) {
    for (size_t i = 0; i < ws->n; i++) {
        word *w = &ws->w[i];
        if (w->mark || word_in(ws, w, small_words)) continue;
        if ((w->capital || w->has_digit) && occurs_in(question, ws, i, 1)) w->mark = TN_TAG_ENT;
        if (i + 1 < ws->n && !ws->w[i + 1].mark && !word_in(ws, &ws->w[i + 1], small_words) &&
            occurs_in(question, ws, i, 2))
            w->mark = ws->w[i + 1].mark = TN_TAG_ENT;
        else if (i > 0 && ws->w[i - 1].mark == TN_TAG_ENT && occurs_in(question, ws, i - 1, 2))
            w->mark = TN_TAG_ENT;
    }
}

tern_status tn_mask_spans(const tn_masker *m, const char *text, size_t len, const char *question,
                          tn_mask_span *spans, size_t cap, size_t *n_spans, tern_error *err) {
    *n_spans = 0;
    words *ws = tn_calloc(2, sizeof *ws);
    tn_buf key = {0};
    if (!ws) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory");
    cut_words(&ws[0], text, len);
    if (question) cut_words(&ws[1], question, strlen(question));
    bool failed = ws[0].folded.failed || ws[1].folded.failed;
    if (!failed) {
        mark_titles(m, ws, &key);
        mark_capitals(ws);
        mark_figures_and_quotes(ws);
        if (question) mark_backstop(&ws[0], &ws[1]);
        for (size_t i = 0; i < ws->n; i++) {
            const word *w = &ws->w[i];
            if (!w->mark) continue;
            tn_mask_span *last = *n_spans ? &spans[*n_spans - 1] : NULL;
            bool joins = last && i > 0 && ws->w[i - 1].mark == w->mark && last->type == w->mark;
            if (joins)
                last->end = w->end;
            else if (*n_spans < cap)
                spans[(*n_spans)++] = (tn_mask_span){w->begin, w->end, (tn_tag)w->mark};
        }
        failed = key.failed;
    }
    tn_buf_deinit(&key);
    tn_buf_deinit(&ws[0].folded);
    tn_buf_deinit(&ws[1].folded);
    tn_free(ws);
    return failed ? tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory") : TERN_OK;
}

tern_status tn_mask_text(const tn_masker *m, const char *text, size_t len, const char *question,
                         tn_buf *out, size_t *n_masked, tern_error *err) {
    tn_mask_span spans[TN_MASK_SPANS_MAX];
    size_t n, at = 0;
    tern_status st = tn_mask_spans(m, text, len, question, spans, TN_MASK_SPANS_MAX, &n, err);
    if (n_masked) *n_masked = n;
    if (st != TERN_OK) return st;
    for (size_t i = 0; i < n; i++) {
        tn_buf_add(out, text + at, spans[i].begin - at);
        tn_buf_printf(out, "[%s]", tn_tag_name(spans[i].type));
        at = spans[i].end;
    }
    tn_buf_add(out, text + at, len - at);
    return tn_buf_status(out, err);
}
