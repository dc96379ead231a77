/* answer_spans.c - spans of a passage that could be an answer: names, dates, numbers, and phrases
 * between the small words and marks of a sentence. */
#include "agent/reader.h"
#include "core/base/mem.h"
#include <string.h>

enum { ANSWERS_MAX = 1200, PHRASE_MAX = 6 };

typedef struct span_set {
    tn_answer_span items[ANSWERS_MAX];
    uint32_t n;
} span_set;

static void add(span_set *s, const tn_view *v, uint32_t wb, uint32_t we, tn_shape shape,
                bool quoted) {
    if (we <= wb || s->n == ANSWERS_MAX) return;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].word_begin == wb && s->items[i].word_end == we && !s->items[i].title)
            return;
    s->items[s->n++] =
        (tn_answer_span){wb, we, v->words[wb].begin, v->words[we - 1].end, shape, quoted, false};
}

static bool is(const tn_view *v, uint32_t i, const char *word) {
    size_t len = strlen(word);
    return i < v->n_words && v->words[i].end - v->words[i].begin == len &&
           memcmp(v->text + v->words[i].begin, word, len) == 0;
}

static int month_at(const tn_view *v, uint32_t i) {
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    for (int k = 0; k < 12; k++)
        if (is(v, i, months[k])) return k + 1;
    return 0;
}

static bool is_month(const tn_view *v, uint32_t i) {
    return month_at(v, i) > 0;
}

static int number_at(const tn_view *v, uint32_t i) {
    int n = 0;
    if (i >= v->n_words) return -1;
    size_t len = v->words[i].end - v->words[i].begin;
    const char *s = v->text + v->words[i].begin;
    if (len == 0 || len > 4) return -1;
    for (size_t k = 0; k < len; k++) {
        if (s[k] < '0' || s[k] > '9') return -1;
        n = 10 * n + (s[k] - '0');
    }
    return n;
}

static bool is_year(const tn_view *v, uint32_t i) {
    int n = number_at(v, i);
    return n >= 1000 && n <= 2100;
}

bool tn_date_at(const tn_view *v, uint32_t i, double *value) {
    if (!is_year(v, i)) return false;
    int month = i > 0 ? month_at(v, i - 1) : 0;
    if (!month && i > 1) month = month_at(v, i - 2);
    *value = number_at(v, i) + month / 12.0;
    return true;
}

static bool is_day(const tn_view *v, uint32_t i) {
    int n = number_at(v, i);
    return n >= 1 && n <= 31;
}

/* At most a comma and blanks lie between words i - 1 and i: "June 11, 1998". */
static bool close_by(const tn_view *v, uint32_t i) {
    return i < v->n_words && v->words[i].begin - v->words[i - 1].end <= 2;
}

static uint32_t date_end(const tn_view *v, uint32_t i) {
    if (is_day(v, i) && is_month(v, i + 1)) {
        uint32_t e = i + 2;
        return close_by(v, e) && is_year(v, e) ? e + 1 : e;
    }
    if (is_month(v, i)) {
        uint32_t e = i + 1;
        if (close_by(v, e) && is_day(v, e)) e++;
        if (close_by(v, e) && is_year(v, e)) e++;
        return e > i + 1 ? e : i;
    }
    return is_year(v, i) ? i + 1 : i;
}

static bool is_number_word(const tn_view *v, uint32_t i) {
    static const char *const words[] = {
        "one", "two",    "three",  "four",   "five",   "six",   "seven", "eight",   "nine",
        "ten", "eleven", "twelve", "twenty", "thirty", "forty", "fifty", "hundred", "thousand"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is(v, i, words[k])) return true;
    return false;
}

static bool is_scale(const tn_view *v, uint32_t i) {
    static const char *const words[] = {"hundred",  "thousand", "million", "billion",
                                        "trillion", "percent",  "per"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is(v, i, words[k])) return true;
    return false;
}

bool tn_number_at(const tn_view *v, uint32_t i, double *value) {
    if (i >= v->n_words || !(v->words[i].flags & TN_WORD_DIGIT)) return false;
    double n = 0, unit = 1;
    bool point = false;
    for (uint32_t k = v->words[i].begin; k < v->len; k++) {
        char c = v->text[k];
        if (c == ',') continue;
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') break;
        n = 10 * n + (c - '0');
        if (point) unit /= 10;
    }
    if (is(v, i + 1, "thousand")) unit *= 1e3;
    if (is(v, i + 1, "million")) unit *= 1e6;
    if (is(v, i + 1, "billion")) unit *= 1e9;
    *value = n * unit;
    return true;
}

static void dates_and_numbers(span_set *s, const tn_view *v) {
    for (uint32_t i = 0; i < v->n_words;) {
        uint32_t e = date_end(v, i);
        if (e > i) {
            add(s, v, i, e, TN_SHAPE_DATE, false);
            if (e > i + 1 && is_year(v, e - 1)) add(s, v, e - 1, e, TN_SHAPE_DATE, false);
            i = e;
            continue;
        }
        if (!(v->words[i].flags & TN_WORD_DIGIT) && !is_number_word(v, i)) {
            i++;
            continue;
        }
        e = i + 1;
        while (e < v->n_words && v->words[e].begin == v->words[e - 1].end + 1 &&
               (v->words[e].flags & TN_WORD_DIGIT)) /* 3.5 */
            e++;
        while (e < v->n_words && (v->words[e].flags & TN_WORD_JOINED) && is_scale(v, e)) e++;
        add(s, v, i, e, TN_SHAPE_NUMBER, false);
        if (e < v->n_words && (v->words[e].flags & TN_WORD_JOINED) &&
            tn_word_is_content(&v->words[e]))
            add(s, v, i, e + 1, TN_SHAPE_NUMBER, false);
        i = e;
    }
}

enum { SHORT_LINE = 48 };

/* A blank line, the end of a short one, or a gap as between columns before word i: no span reaches
 * over it. */
static bool breaks(const tn_view *v, uint32_t i) {
    uint32_t blanks = 0, lines = 0, end = v->words[i - 1].end, length = 0;
    for (uint32_t k = end; k < v->words[i].begin; k++) {
        blanks += v->text[k] == ' ';
        lines += v->text[k] == '\n';
    }
    while (length < end && v->text[end - length - 1] != '\n') length++;
    return lines > 1 || blanks > 2 || (lines == 1 && length < SHORT_LINE);
}

static void name(span_set *s, const tn_view *v, const tn_name *n) {
    uint32_t from = n->word_begin;
    for (uint32_t i = from + 1; i < n->word_end; i++) {
        if (!breaks(v, i)) continue;
        add(s, v, from, i, TN_SHAPE_NAME, n->quoted);
        from = i;
    }
    add(s, v, from, n->word_end, TN_SHAPE_NAME, n->quoted);
}

/* Runs of content words, and two such runs joined by "of": "second oil shock", "rate of decay". */
static void phrases(span_set *s, const tn_view *v) {
    uint32_t last_begin = 0, last_end = 0;
    for (uint32_t i = 0; i < v->n_words;) {
        if (!tn_word_is_content(&v->words[i])) {
            i++;
            continue;
        }
        uint32_t e = i + 1;
        while (e < v->n_words && e - i < PHRASE_MAX && tn_word_is_content(&v->words[e]) &&
               (v->words[e].flags & TN_WORD_JOINED) && v->words[e].sentence == v->words[i].sentence)
            e++;
        add(s, v, i, e, TN_SHAPE_PHRASE, false);
        if (e - i >= 2 && e - i <= 4) {
            add(s, v, i + 1, e, TN_SHAPE_PHRASE, false);
            add(s, v, i, e - 1, TN_SHAPE_PHRASE, false);
        }
        bool of = last_end > 0 && is(v, last_end, "of") && i - last_end <= 2 &&
                  v->words[last_begin].sentence == v->words[i].sentence;
        if (of) add(s, v, last_begin, e, TN_SHAPE_PHRASE, false);
        last_begin = i;
        last_end = e;
        i = e;
    }
}

tern_status tn_answer_spans(tn_lens *l, const struct tn_read *r, tn_answer_span **spans,
                            uint32_t *n, tern_error *err) {
    *n = 0;
    span_set *s = tn_alloc(sizeof *s);
    if (!s) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
    s->n = 0;
    size_t base = tn_title_base(r->title.text, r->title.len);
    if (r->title.n_words > 0)
        s->items[s->n++] = (tn_answer_span){.word_end = r->title.n_words,
                                            .end = (uint32_t)base,
                                            .shape = TN_SHAPE_NAME,
                                            .title = true};
    dates_and_numbers(s, &r->text);
    for (uint32_t i = 0; i < r->n_names; i++) name(s, &r->text, &r->names[i]);
    phrases(s, &r->text);
    tn_answer_span *own = tn_arena_alloc(l->arena, (s->n + 1) * sizeof *own);
    if (own) {
        memcpy(own, s->items, s->n * sizeof *own);
        *spans = own;
        *n = s->n;
    }
    tn_free(s);
    return own ? TERN_OK : tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory for answers");
}
